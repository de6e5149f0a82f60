/*
 * Back of a call: the rate limiting binding. Counts of one fixed window per period; all go when the next window
 * begins. When there are too many keys, further ones are let through: a limit is no lock. The first lane counts for all.
 */
#include "role/gateway.h"

#include "core/clock.h"

enum { RATE_KEYS_MAX = 1024 * 1024, RATE_KEY_MAX = 8 * 1024 };

static const int64_t rate_periods_s[GATEWAY_RATE_WINDOWS] = {10, 60};

static struct rate_window *rate_window(struct gateway *g, int64_t period_s)
{
    for (size_t i = 0; i < ARRAY_LEN(rate_periods_s); i++) {
        struct rate_window *w = &g->rates[i];
        if (rate_periods_s[i] != period_s)
            continue;
        int64_t epoch = clock_wall_ms() / (period_s * 1000);
        if (w->epoch != epoch)
            map_done(&w->counts);
        w->epoch = epoch;
        return w;
    }
    return NULL;
}

static bool rate_allows(struct rate_window *w, struct slice key, int64_t limit)
{
    uintptr_t count = (uintptr_t)map_get(&w->counts, key);

    if ((int64_t)count >= limit)
        return false;
    if (count > 0 || w->counts.n < RATE_KEYS_MAX)
        map_put(&w->counts, key, (void *)(count + 1));
    return true;
}

/* As many whole requests as are below it. */
static int64_t rate_whole(double limit)
{
    int64_t whole = limit > 0 && limit < UINT32_MAX ? (int64_t)limit : 0;

    return limit >= UINT32_MAX ? UINT32_MAX : whole + ((double)whole < limit ? 1 : 0);
}

/* What is asked of the lane that counts: period, limit, key. */
static void rate_ask(struct buf *out, const json_t *binding, const json_t *asked)
{
    AUTO(buf_done) struct buf key = {0};
    const json_t *simple = json_object_get(binding, "simple");
    const json_t *limit = json_object_get(asked, "limit");
    const char *ns = json_str(binding, "namespace_id", "");
    double most =
        json_is_number(limit) ? json_number_value(limit) : (double)json_int(simple, "limit", 0);

    /* The namespace's length keeps it apart from the key. */
    buf_printf(&key, "%zu:%s:%s", strlen(ns), ns, json_str(asked, "key", ""));
    pack_i64(out, json_int(asked, "period", json_int(simple, "period", 60)));
    pack_i64(out, rate_whole(most));
    pack_bytes(out, buf_slice(&key));
}

static void rate_answer(struct call *c, bool ok)
{
    call_respond(c, &(struct call_head){.status = ok ? 200 : 429, .end = true});
}

void rate_serve(struct call *c, struct slice args)
{
    struct unpack u = {.rest = args};
    int64_t period_s = unpack_i64(&u), limit = unpack_i64(&u);
    struct slice key = unpack_bytes(&u);
    struct rate_window *w = unpack_ok(&u) ? rate_window(c->gateway, period_s) : NULL;

    rate_answer(c, w != NULL && key.len <= RATE_KEY_MAX && rate_allows(w, key, limit));
}

void rate_call(struct call *c, const json_t *binding)
{
    AUTO(json_release) json_t *asked = NULL;
    AUTO(buf_done) struct buf args = {0};

    if (json_parse(c->request.cf, &asked, NULL) < 0) {
        rate_answer(c, false);
        return;
    }
    rate_ask(&args, binding, asked);
    lane_call(c, LANE_RATE, buf_slice(&args));
}
