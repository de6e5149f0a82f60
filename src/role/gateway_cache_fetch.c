/*
 * Subrequests through the cache: `fetch` with cf.cacheTtl, cacheEverything, cacheKey, cacheTtlByStatus...
 *
 *                        fresh                                      stored
 *   call -- looked up ----------> answered          +-- renewed ------------------> answered
 *              |  none, stale                       |
 *              +--> first of its key? --yes--> fetch from the world --- not stored --> passed on
 *                        |  no
 *                        +--> waits for the first, for CACHE_WAIT_US at most, and is looked up again
 *
 * What a client asks of a body (ranges, conditions) is answered from the whole: the world is asked for all of it. A
 * fetch whose caller goes away goes on when it is being stored: others may wait for it.
 */
#include "role/gateway_cache_impl.h"

#include "core/clock.h"
#include "core/json.h"
#include "product/messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { CACHE_WAIT_US = 10 * 1000 * 1000 };

/* One fetch that others of its key wait for. */
struct flight {
    struct gateway *gateway;
    struct buf key;
    struct link waiters;
};

struct waiter {
    struct call *call;
    struct flight *flight;
    struct link link;
    struct timer timer; /* the limit; then the moment to go on */
};

struct cached_fetch {
    struct gateway *gateway;
    struct call *call; /* NULL: nobody is waiting for the answer any more */
    struct http_fetch *fetch;
    struct flight *flight;     /* NULL: nobody may wait for this one */
    struct cache_entry *entry; /* stale, being renewed; referenced */
    struct cache_put *put;
    struct buf kept; /* URL, headers of the request */
    struct slice url, headers;
    struct cache_key key; /* url in `kept` */
    json_t *cf;           /* the caller's options */
    bool late;            /* the caller is answered from the stored response */
    bool head_done;
};

/* --- options --- */

static const char *const cache_options[] = {"cacheTtl",         "cacheEverything", "cacheKey",
                                            "cacheTtlByStatus", "cacheControl",    "cacheTags"};

bool cache_fetch_wanted(const struct call *c, uint32_t flags)
{
    const struct call_request *r = &c->request;

    if ((flags & MSG_CACHE_NO_STORE) != 0 || r->has_body || r->upgrade ||
        slice_find_slice(r->cf, SLICE("\"cache")) < 0)
        return false;
    return slice_eq(r->method, SLICE("GET")) || slice_eq(r->method, SLICE("HEAD"));
}

static bool options_any(const json_t *cf)
{
    for (size_t i = 0; i < ARRAY_LEN(cache_options); i++)
        if (json_object_get(cf, cache_options[i]) != NULL)
            return true;
    return false;
}

/* "200-299", "404". */
static bool status_in(const char *range, int status)
{
    char *end;
    long least = strtol(range, &end, 10), most = least;

    if (*end == '-')
        most = strtol(end + 1, &end, 10);
    return *end == '\0' && status >= least && status <= most;
}

/* Statuses that cacheTtl is for. */
static bool ttl_applies(int status)
{
    return (status >= 200 && status < 300) || cache_default_ttl(status) >= 0 || status == 307 ||
           status == 308;
}

static struct cache_wish wish_of(const json_t *cf, int status)
{
    const json_t *by_status = json_object_get(cf, "cacheTtlByStatus"), *value;
    const json_t *ttl = json_object_get(cf, "cacheTtl");
    const char *range;

    json_object_foreach((json_t *)by_status, range, value)
    {
        if (json_is_number(value) && status_in(range, status))
            return (struct cache_wish){MIN((int64_t)json_number_value(value), CACHE_TTL_MAX_S),
                                       true};
    }
    if (json_is_number(ttl) && ttl_applies(status))
        return (struct cache_wish){MIN((int64_t)json_number_value(ttl), CACHE_TTL_MAX_S), true};
    return (struct cache_wish){.ttl_s = -1};
}

/* The response's headers as the options want them read: cacheControl in place of Cache-Control, cacheTags added. */
static void wished_headers(const json_t *cf, struct slice headers, struct buf *out)
{
    const char *control = json_str(cf, "cacheControl", NULL);
    const json_t *tags = json_object_get(cf, "cacheTags"), *tag;
    size_t i;

    if (control != NULL && http_value_ok(slice_of(control))) {
        cache_headers_without(headers, SLICE("cache-control"), out);
        http_header_add(out, SLICE("cache-control"), slice_of(control));
    } else {
        buf_append_slice(out, headers);
    }
    json_array_foreach(tags, i, tag) if (json_is_string(tag) &&
                                         http_value_ok(slice_of(json_string_value(tag))))
        http_header_add(out, SLICE("cache-tag"), slice_of(json_string_value(tag)));
}

/* --- flights --- */

static void lead(struct call *c, json_t *cf, struct cache_entry *stale, bool alone);
static void look_up(struct call *c, json_t *cf, uint32_t flags, bool alone);

static void waiter_free(struct waiter *w)
{
    list_remove(&w->link);
    timer_stop(&w->timer);
    mem_release(&w);
}

static void waiter_go(struct timer *t)
{
    struct waiter *w = CONTAINER_OF(t, struct waiter, timer);
    struct call *c = w->call;
    AUTO(json_release) json_t *cf = NULL;

    call_back_done(c);
    waiter_free(w);
    if (json_parse(c->request.cf, &cf, NULL) < 0)
        cf = json_object();
    look_up(c, cf, 0, true);
}

static void flight_over(struct flight *f)
{
    struct link *at;

    if (f == NULL)
        return;
    map_remove(&f->gateway->flights, buf_slice(&f->key));
    while ((at = list_pop_front(&f->waiters)) != NULL) {
        struct waiter *w = LIST_ENTRY(at, struct waiter, link);
        w->flight = NULL;
        timer_start(f->gateway->loop, &w->timer, 0, waiter_go);
    }
    buf_done(&f->key);
    mem_release(&f);
}

static void waiter_send(struct call *c UNUSED, struct slice bytes UNUSED, bool end UNUSED) {}

static size_t waiter_room(struct call *c UNUSED)
{
    return SIZE_MAX;
}

static void waiter_consumed(struct call *c UNUSED, size_t n UNUSED) {}

static void waiter_cancel(struct call *c, int reason UNUSED)
{
    waiter_free(c->back_data);
}

static const struct back_ops waiter_back = {
    .send = waiter_send, .room = waiter_room, .consumed = waiter_consumed, .cancel = waiter_cancel};

static void flight_join(struct flight *f, struct call *c)
{
    struct waiter *w = mem_new(sizeof(*w));

    w->call = c;
    w->flight = f;
    list_push_back(&f->waiters, &w->link);
    timer_start(c->gateway->loop, &w->timer, CACHE_WAIT_US, waiter_go);
    call_set_back(c, &waiter_back, w);
}

static struct flight *flight_start(struct gateway *g, struct slice key)
{
    struct flight *f = mem_new(sizeof(*f));

    f->gateway = g;
    buf_append_slice(&f->key, key);
    list_init(&f->waiters);
    map_put(&g->flights, key, f);
    return f;
}

/* --- a fetch --- */

static void cached_free(struct cached_fetch *k)
{
    flight_over(TAKE(k->flight));
    cache_put_drop(k->put);
    cache_entry_release(&k->entry);
    json_release(&k->cf);
    buf_done(&k->kept);
    mem_release(&k);
}

/* The caller gets the entry; the fetch goes on without it, or is over. */
static void cached_answer(struct cached_fetch *k, struct cache_entry *e, const char *status)
{
    struct call *c = TAKE(k->call);

    if (c == NULL) {
        cache_entry_unref(e);
        return;
    }
    call_back_done(c);
    cache_answer(c, e, status);
}

static bool within(int64_t until_ms)
{
    return clock_wall_ms() < until_ms;
}

static void cached_renew(struct cached_fetch *k, struct slice fresh)
{
    AUTO(buf_done) struct buf merged = {0}, read = {0}, kept = {0};
    struct cache_entry *e = TAKE(k->entry);
    struct cache_meta meta;

    cache_headers_renew(buf_slice(&e->headers), fresh, &merged);
    wished_headers(k->cf, buf_slice(&merged), &read);
    struct cache_wish wish = wish_of(k->cf, e->meta.status);
    if (cache_storable(e->meta.status, buf_slice(&read), &wish, &meta, &kept))
        cache_entry_renew(e, &meta, buf_slice(&merged));
    else
        cache_entry_drop(e);
    flight_over(TAKE(k->flight));
    cached_answer(k, e, "REVALIDATED");
}

/* A put for what has come, or NULL: then nobody needs to wait any longer. */
static void cached_store(struct cached_fetch *k, int status, struct slice headers)
{
    AUTO(buf_done) struct buf read = {0}, kept = {0}, vary = {0};
    struct cache_wish wish = wish_of(k->cf, status);
    struct cache_meta meta;
    struct slice unused;

    wished_headers(k->cf, headers, &read);
    bool validates = http_header_get(headers, SLICE("etag"), &unused) ||
                     http_header_get(headers, SLICE("last-modified"), &unused);
    if (cache_storable(status, buf_slice(&read), &wish, &meta, &kept) &&
        (meta.expires_ms > clock_wall_ms() || validates) &&
        cache_vary_of(headers, k->headers, &vary) == 0)
        k->put =
            cache_put_begin(k->gateway->cache, &k->key, &meta, buf_slice(&kept), buf_slice(&vary));
    if (k->put == NULL)
        flight_over(TAKE(k->flight));
}

static bool asks_for_part(struct slice headers)
{
    static const char *const names[] = {"range", "if-none-match", "if-modified-since"};
    struct slice unused;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (http_header_get(headers, slice_of(names[i]), &unused))
            return true;
    return false;
}

static void cached_respond(struct cached_fetch *k, int status, struct slice headers)
{
    AUTO(buf_done) struct buf out = {0};
    struct call_head head = {.status = status, .content_length = -1};
    struct slice length;
    uint64_t n;

    cache_headers_without(headers, SLICE("cf-cache-status"), &out);
    buf_printf(&out, "cf-cache-status: %s\r\n",
               k->put == NULL     ? "DYNAMIC"
               : k->entry != NULL ? "EXPIRED"
                                  : "MISS");
    head.headers = buf_slice(&out);
    if (http_header_get(headers, SLICE("content-length"), &length) && slice_to_u64(length, &n) == 0)
        head.content_length = (int64_t)n;
    call_respond(k->call, &head);
}

static void cached_head(struct http_fetch *f, int status, struct slice headers)
{
    struct cached_fetch *k = http_fetch_user(f);

    k->head_done = true;
    if (k->entry != NULL && status == 304) {
        cached_renew(k, headers);
        return;
    }
    if (k->entry != NULL && status >= 500 && within(k->entry->meta.stale_error_ms)) {
        flight_over(TAKE(k->flight));
        cached_answer(k, TAKE(k->entry), "STALE");
        return;
    }
    cached_store(k, status, headers);
    if (k->call == NULL)
        return;
    k->late = k->put != NULL && status == 200 && asks_for_part(k->call->request.headers);
    if (!k->late)
        cached_respond(k, status, headers);
}

static void cached_body(struct http_fetch *f, struct slice bytes)
{
    struct cached_fetch *k = http_fetch_user(f);

    if (k->put != NULL && cache_put_write(k->put, bytes) < 0 && !k->late) {
        cache_put_drop(TAKE(k->put));
        flight_over(TAKE(k->flight));
    }
    if (k->call != NULL && !k->late)
        call_response_data(k->call, bytes, false);
    else
        http_fetch_consumed(f, bytes.len);
}

static void cached_late(struct cached_fetch *k)
{
    struct cache_entry *e = cache_find(k->gateway->cache, &k->key, k->headers);

    if (k->call == NULL || e == NULL) {
        struct call *c = TAKE(k->call);
        cache_entry_release(&e);
        if (c != NULL)
            call_fail(c, 502, "The response was too large to be stored.");
        return;
    }
    cached_answer(k, e, "MISS");
}

static void cached_done(struct http_fetch *f, int r, const struct err *err)
{
    struct cached_fetch *k = http_fetch_user(f);

    k->fetch = NULL;
    if (r >= 0 && k->put != NULL)
        cache_put_commit(TAKE(k->put));
    flight_over(TAKE(k->flight));
    if (r >= 0 && k->late) {
        cached_late(k);
    } else if (r >= 0 && k->call != NULL) {
        struct call *c = TAKE(k->call);
        call_back_done(c);
        call_response_data(c, SLICE_NONE, true);
    } else if (k->call != NULL && !k->head_done && k->entry != NULL &&
               within(k->entry->meta.stale_error_ms)) {
        cached_answer(k, TAKE(k->entry), "STALE");
    } else if (k->call != NULL) {
        call_fail(TAKE(k->call), r == -ETIMEDOUT ? 504 : 502, "%s", err->text);
    }
    cached_free(k);
}

static void cached_writable(struct http_fetch *f UNUSED) {}

static const struct http_fetch_events cached_events = {cached_head, cached_body, cached_done,
                                                       cached_writable};

static void cached_send(struct call *c UNUSED, struct slice bytes UNUSED, bool end UNUSED) {}

static size_t cached_room(struct call *c UNUSED)
{
    return SIZE_MAX;
}

static void cached_consumed(struct call *c, size_t n)
{
    struct cached_fetch *k = c->back_data;

    http_fetch_consumed(k->fetch, n);
}

/* The caller has gone. What is being stored is stored. */
static void cached_cancel(struct call *c, int reason UNUSED)
{
    struct cached_fetch *k = c->back_data;

    k->call = NULL;
    if (k->put != NULL || (k->flight != NULL && !list_empty(&k->flight->waiters))) {
        http_fetch_consumed(k->fetch, c->held_response);
        return;
    }
    http_fetch_cancel(k->fetch);
    cached_free(k);
}

static const struct back_ops cached_back = {
    .send = cached_send, .room = cached_room, .consumed = cached_consumed, .cancel = cached_cancel};

/* The request for the world: without what asks for a part, with the validators of what is here. */
static void world_headers(struct buf *out, struct slice headers, const struct cache_entry *stale)
{
    static const char *const dropped[] = {"range", "if-range", "if-none-match",
                                          "if-modified-since"};
    static const struct {
        const char *validator, *condition;
    } conditions[] = {{"etag", "if-none-match"}, {"last-modified", "if-modified-since"}};
    struct slice name, value;

    while (http_header_next(&headers, &name, &value)) {
        bool keep = true;
        for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
            keep = keep && !slice_eq(name, slice_of(dropped[i]));
        if (keep)
            http_header_add(out, name, value);
    }
    for (size_t i = 0; stale != NULL && i < ARRAY_LEN(conditions); i++)
        if (http_header_get(buf_slice(&stale->headers), slice_of(conditions[i].validator), &value))
            http_header_add(out, slice_of(conditions[i].condition), value);
}

static struct slice key_url(const struct call *c, const json_t *cf)
{
    const char *key = json_str(cf, "cacheKey", "");
    struct slice url = c->request.url;

    return key[0] != '\0' ? slice_of(key) : slice_cut(&url, '#');
}

static void cached_keep(struct cached_fetch *k, struct slice key, const struct call_request *r)
{
    struct buf *b = &k->kept;

    buf_append_slice(b, key);
    buf_append_slice(b, r->url);
    buf_append_slice(b, r->headers);
    const char *at = buf_slice(b).ptr;
    k->key = cache_key_of(k->gateway, SLICE_NONE, slice_from(at, key.len));
    k->url = slice_from(at + key.len, r->url.len);
    k->headers = slice_from(at + key.len + r->url.len, r->headers.len);
}

static struct cached_fetch *cached_start(struct gateway *g, const struct call *c, json_t *cf,
                                         struct cache_entry *stale)
{
    AUTO(buf_done) struct buf headers = {0};
    struct cached_fetch *k = mem_new(sizeof(*k));

    k->gateway = g;
    k->cf = json_incref(cf);
    k->entry = stale;
    cached_keep(k, key_url(c, cf), &c->request);
    world_headers(&headers, k->headers, stale);
    k->fetch = http_fetch_start(
        g->client, &cached_events,
        &(struct http_fetch_request){
            .method = SLICE("GET"), .url = k->url, .headers = buf_slice(&headers), .user = k});
    return k;
}

static void lead(struct call *c, json_t *cf, struct cache_entry *stale, bool alone)
{
    struct gateway *g = c->gateway;
    struct slice key = key_url(c, cf);
    struct flight *f = alone ? NULL : map_get(&g->flights, key);

    if (f != NULL) {
        cache_entry_release(&stale);
        flight_join(f, c);
        return;
    }
    struct cached_fetch *k = cached_start(g, c, cf, stale);
    k->call = c;
    if (!alone)
        k->flight = flight_start(g, key);
    call_set_back(c, &cached_back, k);
}

/* Stale but good enough while somebody asks again. */
static void renew_behind(struct call *c, json_t *cf, struct cache_entry *e)
{
    struct gateway *g = c->gateway;
    struct slice key = key_url(c, cf);

    if (map_get(&g->flights, key) == NULL) {
        e->refs++;
        struct cached_fetch *k = cached_start(g, c, cf, e);
        k->flight = flight_start(g, key);
    }
    cache_answer(c, e, "UPDATING");
}

static void look_up(struct call *c, json_t *cf, uint32_t flags, bool alone)
{
    struct gateway *g = c->gateway;
    struct cache_key key = cache_key_of(g, SLICE_NONE, key_url(c, cf));
    struct cache_entry *e = cache_find(g->cache, &key, c->request.headers);
    bool renew = (flags & MSG_CACHE_RENEW) != 0;

    if (e != NULL && !renew && within(e->meta.expires_ms)) {
        cache_answer(c, e, "HIT");
    } else if (e != NULL && !renew && within(e->meta.stale_while_ms)) {
        renew_behind(c, cf, e);
    } else if (slice_eq(c->request.method, SLICE("HEAD"))) {
        cache_entry_release(&e);
        egress_start(c);
    } else {
        lead(c, cf, e, alone);
    }
}

void cache_fetch_start(struct call *c, struct slice args)
{
    AUTO(json_release) json_t *cf = NULL;
    struct unpack u = {.rest = args};
    uint32_t flags = unpack_u32(&u);
    struct slice unused;

    if (json_parse(c->request.cf, &cf, NULL) < 0 || !options_any(cf) ||
        !cache_is_ready(c->gateway->cache) || c->gateway->client == NULL ||
        http_header_get(c->request.headers, SLICE("authorization"), &unused)) {
        egress_start(c);
        return;
    }
    call_keep(c);
    look_up(c, cf, flags, false);
}
