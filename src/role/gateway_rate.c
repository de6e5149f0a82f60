/*
 * Back of a call: the rate limiting binding. Counts of one fixed window per period; all go when the next window
 * begins. When there are too many keys, further ones are let through: a limit is no lock.
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

static bool rate_allows(struct rate_window *w, struct slice key, double limit)
{
    uintptr_t count = (uintptr_t)map_get(&w->counts, key);

    if ((double)count >= limit)
        return false;
    if (count > 0 || w->counts.n < RATE_KEYS_MAX)
        map_put(&w->counts, key, (void *)(count + 1));
    return true;
}

static bool rate_ask(struct call *c, const json_t *binding, const json_t *asked)
{
    AUTO(buf_done) struct buf key = {0};
    const json_t *simple = json_object_get(binding, "simple");
    const json_t *limit = json_object_get(asked, "limit");
    struct rate_window *w =
        rate_window(c->gateway, json_int(asked, "period", json_int(simple, "period", 60)));

    if (w == NULL)
        return false;
    /* The namespace's length keeps it apart from the key. */
    const char *ns = json_str(binding, "namespace_id", "");
    buf_printf(&key, "%zu:%s:%s", strlen(ns), ns, json_str(asked, "key", ""));
    if (buf_len(&key) > RATE_KEY_MAX)
        return false;
    double most =
        json_is_number(limit) ? json_number_value(limit) : (double)json_int(simple, "limit", 0);
    return rate_allows(w, buf_slice(&key), most);
}

void rate_call(struct call *c, const json_t *binding)
{
    AUTO(json_release) json_t *asked = NULL;
    bool ok = json_parse(c->request.cf, &asked, NULL) == 0 && rate_ask(c, binding, asked);

    call_respond(c, &(struct call_head){.status = ok ? 200 : 429, .end = true});
}
