#include "linear.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_MAX = 64, STATES_MAX = 256, SEEN_MAX = 1 << 14 };

struct seen {
    uint64_t mask;
    int64_t state;
};

struct search {
    const struct linear_op *ops;
    unsigned n;
    int64_t ends[STATES_MAX];
    unsigned n_ends, n_seen;
    struct seen seen[SEEN_MAX];
    bool used[SEEN_MAX];
};

/* True when it is new. A full table forgets: then only time is lost. */
static bool seen_add(struct search *s, uint64_t mask, int64_t state)
{
    uint64_t at = (mask * 0x9e3779b97f4a7c15u ^ (uint64_t)state * 0xc2b2ae3d27d4eb4fu) >> 20;
    for (unsigned i = 0; i < 32; i++) {
        unsigned slot = (unsigned)((at + i) % SEEN_MAX);
        if (!s->used[slot]) {
            s->used[slot] = true;
            s->seen[slot] = (struct seen){mask, state};
            return true;
        }
        if (s->seen[slot].mask == mask && s->seen[slot].state == state)
            return false;
    }
    return true;
}

static void end_add(struct search *s, int64_t state)
{
    for (unsigned i = 0; i < s->n_ends; i++) {
        if (s->ends[i] == state)
            return;
    }
    CHECK(s->n_ends < STATES_MAX);
    s->ends[s->n_ends++] = state;
}

/* False when the op cannot come next in this state. */
static bool op_apply(const struct linear_op *op, int64_t state, int64_t *ret)
{
    *ret = op->kind == LINEAR_READ ? state : op->kind == LINEAR_WRITE ? op->value : state + 1;
    return op->maybe || op->kind == LINEAR_WRITE || *ret == op->value;
}

static void search_from(struct search *s, uint64_t left, int64_t state)
{
    int64_t first_end = INT64_MAX, next;
    if (left == 0) {
        end_add(s, state);
        return;
    }
    if (!seen_add(s, left, state))
        return;
    for (unsigned i = 0; i < s->n; i++) {
        if (left >> i & 1)
            first_end = MIN(first_end, s->ops[i].end);
    }
    for (unsigned i = 0; i < s->n && s->ops[i].begin <= first_end; i++) {
        if ((left >> i & 1) == 0)
            continue;
        if (op_apply(&s->ops[i], state, &next))
            search_from(s, left & ~(1ull << i), next);
        if (s->ops[i].maybe)
            search_from(s, left & ~(1ull << i), state);
    }
}

static unsigned piece_len(const struct linear_op *ops, unsigned n)
{
    int64_t end = ops[0].end;
    unsigned i = 1;
    for (; i < n && ops[i].begin <= end; i++)
        end = MAX(end, ops[i].end);
    return i;
}

bool linear_check(const struct linear_op *ops, unsigned n)
{
    int64_t starts[STATES_MAX] = {0};
    unsigned n_starts = 1;
    struct search *s = malloc(sizeof(*s));
    CHECK(s != NULL);
    for (unsigned at = 0; at < n && n_starts > 0; at += s->n) {
        memset(s, 0, sizeof(*s));
        s->ops = ops + at;
        s->n = piece_len(s->ops, n - at);
        CHECK(s->n <= PIECE_MAX);
        for (unsigned i = 0; i < n_starts; i++)
            search_from(s, s->n == 64 ? UINT64_MAX : (1ull << s->n) - 1, starts[i]);
        n_starts = s->n_ends;
        memcpy(starts, s->ends, sizeof(starts));
    }
    free(s);
    return n_starts > 0;
}
