/*
 * Live tails: trace events of one script, one text frame each, over a WebSocket (RFC 6455).
 *
 * The address /tail/<id>/<secret> is the right to read. wrangler's first frame comes unmasked and must be
 * taken all the same. A client that does not read loses events, never holds anybody up: what does
 * not fit the exchange's room is dropped.
 */
#include "role/control_impl.h"

#include "core/base64.h"
#include "core/digest.h"
#include "product/messages.h"
#include "role/control_filter.h"

#include <errno.h>
#include <stdlib.h>

enum {
    TAIL_FRAME_MAX = 64 * 1024,
    WS_TEXT = 1,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
    WS_NORMAL = 1000,
    WS_GOING_AWAY = 1001
};

struct tail {
    struct api_taker taker;
    struct link link; /* of control.tails, once open */
    struct control *control;
    struct http_exchange *x; /* NULL after it was closed */
    struct work work;
    char id[ID_HEX_SIZE], secret[ID_HEX_SIZE], key[64];
    bool working;
    int result;        /* of the look-up */
    json_t *row;       /* owned: script, filters, client_ip */
    struct buf in;
};

static void tail_free(struct tail *t)
{
    list_remove(&t->link);
    json_release(&t->row);
    buf_done(&t->in);
    free(t);
}

static const char *tail_script(const struct tail *t)
{
    return json_str(t->row, "script", "");
}

/* --- what the gateway is told --- */

static void tail_watch(struct control *c, const char *script, bool on)
{
    AUTO(buf_done) struct buf args = {0};
    struct wire *wire = api_peer_wire(c->api.peers[API_GATEWAY]);
    struct msg_tail_watch m = {.script = slice_of(script), .on = on};
    if (wire == NULL)
        return;
    msg_tail_watch_pack(&args, &m);
    wire_note(wire, 0, OP_tail_watch, buf_slice(&args), -1);
}

static bool tail_is_watched(struct control *c, const char *script)
{
    LIST_FOR(l, &c->tails)
    {
        if (strcmp(tail_script(LIST_ENTRY(l, struct tail, link)), script) == 0)
            return true;
    }
    return false;
}

void tail_watch_again(struct control *c)
{
    LIST_FOR(l, &c->tails)
    {
        tail_watch(c, tail_script(LIST_ENTRY(l, struct tail, link)), true);
    }
}

/* --- frames --- */

static void tail_send(struct tail *t, unsigned opcode, struct slice payload, bool end)
{
    AUTO(buf_done) struct buf frame = {0};
    if (t->x == NULL)
        return;
    buf_append_char(&frame, (char)(0x80 | opcode));
    if (payload.len < 126) {
        buf_append_char(&frame, (char)payload.len);
    } else if (payload.len <= UINT16_MAX) {
        buf_append_char(&frame, 126);
        for (int shift = 8; shift >= 0; shift -= 8)
            buf_append_char(&frame, (char)(payload.len >> shift & 0xff));
    } else {
        buf_append_char(&frame, 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            buf_append_char(&frame, (char)((uint64_t)payload.len >> shift & 0xff));
    }
    buf_append_slice(&frame, payload);
    http_send(t->x, buf_slice(&frame), end);
}

static void tail_send_close(struct tail *t, unsigned code)
{
    char payload[2] = {(char)(code >> 8), (char)(code & 0xff)};
    tail_send(t, WS_CLOSE, slice_from(payload, sizeof(payload)), true);
}

/* A frame at the front of `in`: its size with the header, 0 = not whole yet, -EBADMSG. */
static ssize_t tail_frame(struct slice in, unsigned *ret_opcode, struct slice *ret_payload,
                          const uint8_t **ret_mask)
{
    const uint8_t *p = (const uint8_t *)in.ptr;
    if (in.len < 2)
        return 0;
    bool masked = (p[1] & 0x80) != 0;
    size_t len = p[1] & 0x7f, head = 2;
    if (len == 127)
        return -EBADMSG; /* nothing a client says here is that long */
    if (len == 126) {
        if (in.len < 4)
            return 0;
        len = (size_t)p[2] << 8 | p[3];
        head = 4;
    }
    if (len > TAIL_FRAME_MAX)
        return -EBADMSG;
    if (masked) {
        *ret_mask = p + head;
        head += 4;
    }
    if (in.len < head + len)
        return 0;
    *ret_opcode = p[0] & 0x0f;
    *ret_payload = slice_from(in.ptr + head, len);
    return (ssize_t)(head + len);
}

static void tail_unmask(struct buf *out, struct slice payload, const uint8_t *mask)
{
    for (size_t i = 0; i < payload.len; i++)
        buf_append_char(out, (char)((uint8_t)payload.ptr[i] ^ (mask == NULL ? 0 : mask[i % 4])));
}

static void tail_on_frame(struct tail *t, unsigned opcode, struct slice payload, const uint8_t *mask)
{
    AUTO(buf_done) struct buf plain = {0};
    tail_unmask(&plain, payload, mask);
    if (opcode == WS_PING)
        tail_send(t, WS_PONG, buf_slice(&plain), false);
    else if (opcode == WS_CLOSE)
        tail_send_close(t, WS_NORMAL);
    /* Texts are the client's settings ({"debug":false}); they change nothing here. */
}

static void tail_on_body(struct api_taker *taker, struct slice bytes, bool end)
{
    struct tail *t = CONTAINER_OF(taker, struct tail, taker);
    buf_append_slice(&t->in, bytes);
    http_consumed(t->x, bytes.len);
    for (;;) {
        unsigned opcode = 0;
        struct slice payload;
        const uint8_t *mask = NULL;
        ssize_t n = tail_frame(buf_slice(&t->in), &opcode, &payload, &mask);
        if (n < 0)
            http_abort(t->x);
        if (n <= 0)
            break;
        tail_on_frame(t, opcode, payload, mask);
        buf_consume(&t->in, (size_t)n);
    }
    if (end)
        http_send(t->x, SLICE_NONE, true);
}

static void tail_on_writable(struct api_taker *taker)
{
    (void)taker; /* what did not fit was dropped */
}

static void tail_on_closed(struct api_taker *taker, int reason)
{
    struct tail *t = CONTAINER_OF(taker, struct tail, taker);
    (void)reason;
    t->x = NULL;
    if (t->working)
        return;
    bool open = link_is_in_list(&t->link);
    list_remove(&t->link);
    if (open && !tail_is_watched(t->control, tail_script(t)))
        tail_watch(t->control, tail_script(t), false);
    tail_free(t);
}

/* --- opening --- */

static void tail_work_run(struct work *work)
{
    struct tail *t = CONTAINER_OF(work, struct tail, work);
    t->result = db_row(t->control->api.db, &t->row,
                       "SELECT script, client_ip, filters AS \"filters:json\" FROM worker_tails WHERE id = "
                       "? AND secret = ?", "ss", t->id, t->secret);
}

static void tail_accept(struct tail *t)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    AUTO(buf_done) struct buf text = {0}, accept = {0}, headers = {0};
    uint8_t sum[DIGEST_MAX];
    buf_printf(&text, "%s%s", t->key, guid);
    digest_of(DIGEST_SHA1, buf_slice(&text), sum);
    base64_encode(&accept, slice_from(sum, digest_size(DIGEST_SHA1)), BASE64_STANDARD);
    http_header_add(&headers, SLICE("sec-websocket-accept"), buf_slice(&accept));
    http_header_add(&headers, SLICE("sec-websocket-protocol"), SLICE("trace-v1"));
    http_switch(t->x, SLICE("websocket"), buf_slice(&headers));
    list_push_back(&t->control->tails, &t->link);
    tail_watch(t->control, tail_script(t), true);
}

static void tail_work_done(struct work *work)
{
    struct tail *t = CONTAINER_OF(work, struct tail, work);
    t->working = false;
    if (t->x == NULL)
        tail_free(t);
    else if (t->result < 0)
        http_answer(t->x, 403, SLICE("content-type: text/plain\r\n"), SLICE("No such tail.\n"));
    else
        tail_accept(t);
}

/* /tail/<id>/<secret> */
static int tail_parse(struct tail *t, const struct http_request *h)
{
    struct slice key, rest = slice_skip(h->target, strlen("/tail/"));
    struct slice id = slice_cut(&rest, '/');
    if (!id_is_hex(id, 32) || !id_is_hex(rest, 32) || !slice_eq(h->upgrade, SLICE("websocket")) ||
        !http_header_get(h->headers, SLICE("sec-websocket-key"), &key))
        return -EINVAL;
    int r = slice_to_cstr(id, t->id, sizeof(t->id));
    if (r == 0)
        r = slice_to_cstr(rest, t->secret, sizeof(t->secret));
    return r < 0 ? r : slice_to_cstr(key, t->key, sizeof(t->key));
}

struct api_taker *tail_take(struct control *c, struct http_exchange *x)
{
    struct tail *t = mem_new(sizeof(*t));
    t->taker = (struct api_taker){tail_on_body, tail_on_writable, tail_on_closed};
    t->control = c;
    t->x = x;
    if (tail_parse(t, http_request_of(x)) < 0) {
        tail_free(t);
        http_answer(x, 400, SLICE("content-type: text/plain\r\n"), SLICE("A WebSocket is served here.\n"));
        return control_answered();
    }
    t->working = true;
    t->work = (struct work){.run = tail_work_run, .done = tail_work_done};
    work_start(c->api.pool, &t->work);
    return &t->taker;
}

void tail_close_all(struct control *c)
{
    LIST_FOR_SAFE(l, &c->tails)
    {
        tail_send_close(LIST_ENTRY(l, struct tail, link), WS_GOING_AWAY);
    }
}

/* --- events --- */

void tail_on_event(struct control *c, struct slice args)
{
    AUTO(json_release) json_t *event = NULL;
    AUTO(buf_done) struct buf text = {0};
    struct msg_tail_event m;
    if (msg_tail_event_unpack(args, &m) < 0 || json_parse(m.json, &event, NULL) < 0 ||
        !json_is_object(event))
        return;
    filter_complete(event, m.script, m.version);
    json_print(&text, event);
    LIST_FOR(l, &c->tails)
    {
        struct tail *t = LIST_ENTRY(l, struct tail, link);
        if (!slice_eq(m.script, slice_of(tail_script(t))) || http_send_room(t->x) == 0 ||
            !filter_passes(json_object_get(t->row, "filters"), event, json_str(t->row, "client_ip", "")))
            continue;
        tail_send(t, WS_TEXT, buf_slice(&text), false);
    }
}
