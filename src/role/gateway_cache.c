/*
 * The Cache API, and answers from stored responses.
 *
 * A put streams to disk and is answered when all of it is there; a client that goes away in between leaves nothing.
 * Before the store has been scanned, calls wait.
 */
#include "role/gateway_cache_impl.h"

#include "core/clock.h"
#include "product/messages.h"

#include <errno.h>
#include <stdio.h>

struct cache_key cache_key_of(struct gateway *g, struct slice name, struct slice url)
{
    return (struct cache_key){slice_of(table_account(g->table)), name, url};
}

/* Workers of a dispatch namespace that are not trusted have caches of their own. */
static struct cache_key call_key(const struct call *c, struct slice name)
{
    struct cache_key key = cache_key_of(c->gateway, name, c->request.url);
    if (c->cache_owner != NULL)
        key.partition = slice_of(c->cache_owner);
    return key;
}

/* --- what is stored --- */

static int64_t ttl_of(int status, const struct cache_rules *rules, const struct cache_wish *wish)
{
    if (wish->forced)
        return wish->ttl_s;
    if (rules->no_store || rules->no_cache || rules->is_private ||
        (rules->has_cookie && !rules->cookie_private))
        return -1;
    return rules->ttl_s >= 0 ? rules->ttl_s : cache_default_ttl(status);
}

bool cache_storable(int status, struct slice headers, const struct cache_wish *wish,
                    struct cache_meta *ret, struct buf *kept)
{
    int64_t now = clock_wall_ms();
    struct cache_rules rules;

    cache_rules_of(headers, now, &rules);
    int64_t ttl_s = status == 206 || status == 304 ? -1 : ttl_of(status, &rules, wish);
    if (ttl_s < 0)
        return false;
    *ret = (struct cache_meta){.status = status,
                               .time_ms = now - (wish->forced ? 0 : rules.age_s * 1000)};
    ret->expires_ms = ret->time_ms + ttl_s * 1000;
    if (!rules.must_revalidate) {
        ret->stale_while_ms = ret->expires_ms + rules.stale_while_s * 1000;
        ret->stale_error_ms = ret->expires_ms + rules.stale_if_error_s * 1000;
    }
    if (rules.has_cookie)
        cache_headers_without(headers, SLICE("set-cookie"), kept);
    else
        buf_append_slice(kept, headers);
    return true;
}

/* --- answers --- */

/* What a 304 says again (RFC 9110 section 15.4.5). */
static bool told_again(struct slice name)
{
    static const char *const names[] = {"cache-control", "content-location", "date", "etag",
                                        "expires",       "last-modified",    "vary"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_eq(name, slice_of(names[i])))
            return true;
    return false;
}

/* Clients' framing is the server's; a Worker reads the length as a field. */
static void answer_length(struct buf *out, const struct call *c, int64_t length)
{
    if (!c->front->is_client && length >= 0)
        buf_printf(out, "content-length: %lld\r\n", (long long)length);
}

static void answer_headers(struct buf *out, const struct cache_entry *e, int status,
                           const char *cache_status)
{
    struct slice rest = buf_slice(&e->headers), name, value;

    while (http_header_next(&rest, &name, &value))
        if (!slice_eq(name, SLICE("age")) && !slice_eq(name, SLICE("cf-cache-status")) &&
            !slice_eq(name, SLICE("content-length")) && (status != 304 || told_again(name)))
            http_header_add(out, name, value);
    int64_t age = MAX((clock_wall_ms() - e->meta.time_ms) / 1000, 0);
    buf_printf(out, "cf-cache-status: %s\r\nage: %lld\r\n", cache_status, (long long)age);
}

/* Sends [from, to) of the body; the head says so already. */
static void answer_body(struct call *c, struct cache_entry *e, struct call_head *head, int64_t from)
{
    int64_t offset;

    if (e->has_body) {
        struct slice bytes = slice_skip(buf_slice(&e->body), (size_t)from);
        call_respond(c, head);
        call_response_data(c, slice_from(bytes.ptr, (size_t)head->content_length), true);
        return;
    }
    int fd = cache_entry_open(e, &offset);
    if (fd < 0)
        call_fail(c, 500, "A stored response could not be read.");
    else
        file_answer(c, fd, offset + from, head);
}

void cache_answer(struct call *c, struct cache_entry *e, const char *cache_status)
{
    AUTO(cache_entry_release) UNUSED struct cache_entry *entry = e; /* ours to let go */
    AUTO(buf_done) struct buf headers = {0};
    struct slice request = c->request.headers, stored = buf_slice(&e->headers);
    struct call_head head = {.status = e->meta.status, .content_length = e->size};
    int64_t from = 0, to = e->size;
    int ranged = 0;

    if (head.status == 200 && cache_not_modified(request, stored)) {
        head.status = 304;
        head.content_length = -1;
    } else if (head.status == 200 && slice_eq(c->request.method, SLICE("GET"))) {
        ranged = cache_range(request, stored, e->size, &from, &to);
        if (ranged == 1) {
            head.status = 206;
            head.content_length = to - from;
            buf_printf(&headers, "content-range: bytes %lld-%lld/%lld\r\n", (long long)from,
                       (long long)to - 1, (long long)e->size);
        } else if (ranged < 0) {
            head.status = 416;
            head.content_length = 0;
            buf_printf(&headers, "content-range: bytes */%lld\r\n", (long long)e->size);
        }
    }
    answer_headers(&headers, e, head.status, cache_status);
    answer_length(&headers, c, head.content_length);
    head.headers = buf_slice(&headers);
    head.end = head.content_length <= 0 || slice_eq(c->request.method, SLICE("HEAD"));
    if (head.end)
        call_respond(c, &head);
    else
        answer_body(c, e, &head, from);
}

static void answer_status(struct call *c, int status, struct slice headers)
{
    call_respond(c, &(struct call_head){.status = status, .headers = headers, .end = true});
}

/* --- the Cache API --- */

struct cache_op {
    struct cache_wait wait;
    struct call *call;
    uint8_t operation;
    uint16_t status;
    struct slice name, response; /* in `kept` */
    struct buf kept;
    struct buf early; /* body that came before the store was ready */
    bool early_end, ready;
    struct cache_put *put;
    int64_t length, came; /* Content-Length, -1: not said */
    struct timer timer;   /* a call may not end inside of its own send() */
    int outcome;
};

static void op_free(struct cache_op *o)
{
    list_remove(&o->wait.link);
    timer_stop(&o->timer);
    cache_put_drop(o->put);
    buf_done(&o->kept);
    buf_done(&o->early);
    mem_release(&o);
}

static void op_over(struct cache_op *o, int status)
{
    struct call *c = o->call;

    call_back_done(c);
    op_free(o);
    answer_status(c, status, SLICE_NONE);
}

static void op_match(struct cache_op *o)
{
    struct call *c = o->call;
    struct cache_key key = call_key(c, o->name);
    struct cache_entry *e = cache_find(c->gateway->cache, &key, c->request.headers);

    if (e != NULL && clock_wall_ms() >= e->meta.expires_ms) {
        cache_entry_unref(e); /* it may still serve a fetch, as a stale one */
        e = NULL;
    }
    call_back_done(c);
    op_free(o);
    if (e == NULL)
        answer_status(c, 504, SLICE("cf-cache-status: MISS\r\n"));
    else
        cache_answer(c, e, "HIT");
}

static void op_delete(struct cache_op *o)
{
    struct cache_key key = call_key(o->call, o->name);

    op_over(o, cache_remove(o->call->gateway->cache, &key) ? 200 : 404);
}

static void op_put(struct cache_op *o)
{
    struct call *c = o->call;
    AUTO(buf_done) struct buf kept = {0}, vary = {0};
    struct cache_key key = call_key(c, o->name);
    struct cache_meta meta;
    struct slice length;
    uint64_t n;

    o->length = -1;
    if (http_header_get(o->response, SLICE("content-length"), &length) &&
        slice_to_u64(length, &n) == 0 && n <= INT64_MAX)
        o->length = (int64_t)n;
    if (cache_storable(o->status, o->response, &(struct cache_wish){.ttl_s = -1}, &meta, &kept) &&
        meta.expires_ms > clock_wall_ms() &&
        cache_vary_of(o->response, c->request.headers, &vary) == 0)
        o->put =
            cache_put_begin(c->gateway->cache, &key, &meta, buf_slice(&kept), buf_slice(&vary));
}

static void op_put_over(struct timer *t)
{
    struct cache_op *o = CONTAINER_OF(t, struct cache_op, timer);

    op_over(o, o->outcome);
}

/* What is not stored is read to its end all the same: the Worker's put() goes on as it would. */
static void op_put_data(struct cache_op *o, struct slice bytes, bool end)
{
    o->came += (int64_t)bytes.len;
    if (o->put != NULL && cache_put_write(o->put, bytes) < 0)
        cache_put_drop(TAKE(o->put));
    if (!end)
        return;
    bool whole = o->length < 0 || o->length == o->came;
    o->outcome = o->put != NULL && whole ? 204 : 413;
    if (o->outcome == 204)
        cache_put_commit(TAKE(o->put));
    timer_start(o->call->gateway->loop, &o->timer, 0, op_put_over);
}

static void op_begin(struct cache_op *o)
{
    o->ready = true;
    if (o->operation == CACHE_MATCH) {
        op_match(o);
    } else if (o->operation == CACHE_DELETE) {
        op_delete(o);
    } else {
        op_put(o);
        if (buf_len(&o->early) > 0 || o->early_end)
            op_put_data(o, buf_slice(&o->early), o->early_end);
    }
}

static void op_ready(struct cache_wait *wait)
{
    op_begin(CONTAINER_OF(wait, struct cache_op, wait));
}

static void op_send(struct call *c, struct slice bytes, bool end)
{
    struct cache_op *o = c->back_data;

    if (o->ready && o->operation == CACHE_PUT) {
        op_put_data(o, bytes, end);
        return;
    }
    buf_append_slice(&o->early, bytes); /* at most the window of the wire: op_room() says so */
    o->early_end = end;
}

static size_t op_room(struct call *c)
{
    const struct cache_op *o = c->back_data;

    return o->ready ? SIZE_MAX : 0;
}

static void op_consumed(struct call *c UNUSED, size_t n UNUSED) {}

static void op_cancel(struct call *c, int reason UNUSED)
{
    op_free(c->back_data);
}

static const struct back_ops op_back = {
    .send = op_send, .room = op_room, .consumed = op_consumed, .cancel = op_cancel};

void cache_call_start(struct call *c, struct slice args)
{
    struct cache_op *o = mem_new(sizeof(*o));
    struct msg_cache m;

    CHECK(msg_cache_unpack(args, &m) == 0); /* checked where the isolate asked */
    o->call = c;
    o->operation = m.operation;
    o->status = m.status;
    buf_append_slice(&o->kept, m.name);
    buf_append_slice(&o->kept, m.response);
    o->name = slice_from(buf_slice(&o->kept).ptr, m.name.len);
    o->response = slice_skip(buf_slice(&o->kept), m.name.len);
    call_keep(c);
    call_set_back(c, &op_back, o);
    if (cache_is_ready(c->gateway->cache)) {
        op_begin(o);
    } else {
        o->wait.ready = op_ready;
        cache_when_ready(c->gateway->cache, &o->wait);
    }
}
