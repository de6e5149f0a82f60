/*
 * Peers of the keeper and what each may ask for.
 */
#include "role/keeper_impl.h"

#include "core/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEEPER_TICK_US = 1000 * 1000, KEEPER_WIRE_SIDE = 0 };

/* --- which row serves an operation --- */

struct keeper_row {
    const struct keeper_op *op;
    const struct product *product; /* NULL: every kind of store */
};

static struct keeper_row keeper_rows[OP_COUNT];

static void keeper_rows_fill(void)
{
    for (size_t i = 0; i < keeper_n_store_ops; i++)
        keeper_rows[keeper_store_ops[i].op] = (struct keeper_row){&keeper_store_ops[i], NULL};
    for (size_t i = 0; products[i] != NULL; i++) {
        for (size_t k = 0; k < products[i]->n_ops; k++) {
            const struct keeper_op *op = &products[i]->ops[k];
            keeper_rows[op->op] = (struct keeper_row){op, products[i]};
        }
    }
}

/* --- peers --- */

static void keeper_peer_drop(struct keeper_peer *peer)
{
    LIST_FOR_SAFE (l, &peer->units)
        keeper_unit_gone(LIST_ENTRY(l, struct keeper_unit, peer_link));
    for (unsigned i = 0; i < peer->n_grants; i++) {
        if (peer->grants[i].stored != NULL)
            peer->grants[i].stored->n_attached--;
    }
    list_remove(&peer->link);
    wire_destroy(peer->wire);
    free(peer);
}

static void keeper_peer_closed(struct wire *w, int reason)
{
    struct keeper_peer *peer = wire_user(w);
    if (reason < 0 && reason != -ECONNRESET && reason != -EPIPE)
        LOG(LOG_WARN, "keeper_peer_lost", F("isolate", "%llu", (unsigned long long)peer->isolate),
            F("reason", "%d", reason));
    keeper_peer_drop(peer);
}

/* A forbidden message ends the isolate's connection. */
static void keeper_peer_forbidden(struct keeper_peer *peer, struct wire_stream *s, uint16_t op)
{
    LOG(LOG_WARN, "keeper_forbidden", F("isolate", "%llu", (unsigned long long)peer->isolate),
        F("op", "%s", message_name(op)));
    wire_stream_close(s, -EACCES);
    keeper_peer_drop(peer);
}

/* Returns false when the message is malformed or forbidden. */
static bool keeper_find_store(struct keeper_peer *peer, const struct keeper_row *row,
                              struct slice args, struct keeper_stored **ret)
{
    struct unpack u = {.rest = args};
    uint32_t binding = row->op->isolates ? unpack_u32(&u) : 0;
    struct slice name = unpack_bytes(&u);
    if (u.bad)
        return false;
    if (peer->control) {
        *ret = keeper_store_of(peer->keeper, name);
    } else {
        if (!row->op->isolates || binding >= peer->n_grants)
            return false;
        *ret = peer->grants[binding].stored;
    }
    return *ret != NULL && (row->product == NULL || (*ret)->store.product == row->product);
}

static void keeper_peer_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                             int fd, bool end)
{
    struct keeper_peer *peer = wire_user(w);
    fd_release(&fd);
    const struct keeper_row *row = op < OP_COUNT ? &keeper_rows[op] : NULL;
    struct keeper_stored *stored;
    if (row == NULL || row->op == NULL || !keeper_find_store(peer, row, args, &stored)) {
        if (peer->control)
            keeper_refuse(s, -EINVAL, "no such store or operation");
        else
            keeper_peer_forbidden(peer, s, op);
        return;
    }
    if (peer->keeper->idle != NULL) {
        keeper_refuse(s, -EAGAIN, "shutting down");
        return;
    }
    keeper_unit_start(peer, s, row->op, stored, args, end);
}

static const struct wire_events keeper_wire_events = {.open = keeper_peer_open,
                                                      .closed = keeper_peer_closed};

static struct keeper_peer *keeper_peer_new(struct keeper *k, int fd)
{
    struct keeper_peer *peer = mem_new(sizeof(*peer));
    peer->keeper = k;
    list_init(&peer->units);
    list_push_back(&k->peers, &peer->link);
    peer->wire = wire_create(k->loop, fd, KEEPER_WIRE_SIDE, &keeper_wire_events, peer);
    return peer;
}

void keeper_add_control(struct keeper *k, int fd)
{
    keeper_peer_new(k, fd)->control = true;
}

static int keeper_grants_of(struct keeper_peer *peer, const json_t *bindings)
{
    size_t n = json_array_size(bindings);
    if (n > KEEPER_GRANTS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < n; i++) {
        const json_t *b = json_array_get(bindings, i);
        const struct product *product = product_by_binding(json_str(b, "type", ""));
        const char *store = json_str(b, "store", NULL);
        peer->n_grants = (unsigned)i + 1;
        if (product == NULL || product->store == NULL || store == NULL)
            continue;
        struct keeper_stored *stored = keeper_store_of(peer->keeper, slice_of(store));
        if (stored == NULL || stored->store.product != product)
            return -EBADMSG;
        peer->grants[i] = (struct keeper_grant){product, stored};
        stored->n_attached++;
        keeper_group_kick(stored); /* opens it: readers need a writer that has it open */
    }
    return 0;
}

int keeper_add_isolate(struct keeper *k, int fd, uint64_t isolate, struct slice spec)
{
    struct keeper_peer *peer = keeper_peer_new(k, fd);
    peer->isolate = isolate;
    AUTO(json_release) json_t *root = NULL;
    int r = json_parse(spec, &root, NULL);
    if (r == 0)
        r = keeper_grants_of(peer, json_object_get(root, "bindings"));
    if (r < 0)
        keeper_peer_drop(peer);
    return r;
}

/* --- life --- */

/* Sweeps what is due and closes stores that nobody uses. */
static void keeper_on_tick(struct timer *t)
{
    struct keeper *k = CONTAINER_OF(t, struct keeper, tick);
    int64_t now = loop_now_us(k->loop);
    size_t at = 0;
    struct slice name;
    void *value;
    while (map_next(&k->stores, &at, &name, &value)) {
        struct keeper_stored *s = value;
        if (s->busy || s->store.open == NULL)
            continue;
        unsigned sweep_s = s->store.product->engine->sweep_s;
        s->sweep_due = sweep_s != 0 && now - s->swept_us >= (int64_t)sweep_s * 1000000;
        s->close_due = s->n_attached == 0 && now - s->used_us > (int64_t)KEEPER_IDLE_S * 1000000;
        if (s->sweep_due || s->close_due)
            keeper_group_kick(s);
    }
    timer_start(k->loop, &k->tick, KEEPER_TICK_US, keeper_on_tick);
}

struct keeper *keeper_create(struct loop *loop, const char *root, unsigned n_threads)
{
    struct keeper *k = mem_new(sizeof(*k));
    k->loop = loop;
    k->pool = work_pool_create(loop, n_threads);
    CHECK(strlen(root) < sizeof(k->root));
    snprintf(k->root, sizeof(k->root), "%s", root);
    list_init(&k->peers);
    keeper_rows_fill();
    timer_start(loop, &k->tick, KEEPER_TICK_US, keeper_on_tick);
    return k;
}

void keeper_destroy(struct keeper *k)
{
    if (k == NULL)
        return;
    timer_stop(&k->tick);
    keeper_alarms_stop(k);
    if (k->gateway != NULL)
        wire_destroy(TAKE(k->gateway));
    LIST_FOR_SAFE (l, &k->peers)
        keeper_peer_drop(LIST_ENTRY(l, struct keeper_peer, link));
    while (k->n_units > 0)
        loop_turn(k->loop, 100);
    size_t at = 0;
    struct slice name;
    void *value;
    while (map_next(&k->stores, &at, &name, &value)) {
        struct keeper_stored *s = value;
        while (s->busy)
            loop_turn(k->loop, 100);
        keeper_spares_drop(s);
        keeper_store_close(s);
        free(s);
    }
    work_pool_destroy(k->pool);
    map_done(&k->stores);
    free(k);
}

void keeper_drain(struct keeper *k, void (*idle)(void *arg), void *arg)
{
    k->idle = idle;
    k->idle_arg = arg;
    if (k->n_units == 0)
        idle(arg);
}
