/*
 * Live tails: trace events of one script, one text frame each, over a WebSocket.
 *
 * The address /tail/<id>/<secret> is the right to read. wrangler's first frame comes unmasked and must be
 * taken all the same. A client that does not read loses events, never holds anybody up: what does
 * not fit the exchange's room is dropped.
 */
#include "role/control_impl.h"

#include "net/websocket_frame.h"
#include "product/messages.h"
#include "role/control_filter.h"

#include <errno.h>
#include <stdlib.h>

enum { TAIL_CLIENT_MESSAGE_MAX = 64 * 1024, TAIL_NORMAL = 1000, TAIL_GOING_AWAY = 1001 };

struct tail {
    struct api_taker taker;
    struct link link; /* of control.tails, once open */
    struct control *control;
    struct http_exchange *x; /* NULL after it was closed */
    struct work work;
    char id[ID_HEX_SIZE], secret[ID_HEX_SIZE];
    struct buf accept; /* fields of the 101 answer */
    bool working;
    int result;  /* of the look-up */
    json_t *row; /* owned: script, filters, client_ip */
    struct websocket_reader reader;
};

static void tail_free(struct tail *t)
{
    list_remove(&t->link);
    json_release(&t->row);
    buf_done(&t->accept);
    websocket_reader_done(&t->reader);
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
    msg_tail_watch_pack(&args, &(struct msg_tail_watch){.script = slice_of(script), .on = on});
    control_lanes_note(c, OP_tail_watch, buf_slice(&args));
}

static bool tail_is_watched(struct control *c, const char *script)
{
    LIST_FOR (l, &c->tails) {
        if (strcmp(tail_script(LIST_ENTRY(l, struct tail, link)), script) == 0)
            return true;
    }
    return false;
}

void tail_watch_again(struct control *c, struct wire *gateway)
{
    LIST_FOR (l, &c->tails) {
        const char *script = tail_script(LIST_ENTRY(l, struct tail, link));
        AUTO(buf_done) struct buf args = {0};
        msg_tail_watch_pack(&args,
                            &(struct msg_tail_watch){.script = slice_of(script), .on = true});
        wire_note(gateway, 0, OP_tail_watch, buf_slice(&args), -1);
    }
}

/* --- frames --- */

static void tail_send(struct tail *t, enum websocket_type type, struct slice payload)
{
    AUTO(buf_done) struct buf frame = {0};
    websocket_write(&frame, type, payload, NULL);
    http_send(t->x, buf_slice(&frame), false);
}

static void tail_send_close(struct tail *t, int code)
{
    AUTO(buf_done) struct buf frame = {0};
    websocket_write_close(&frame, code, SLICE_NONE, NULL);
    http_send(t->x, buf_slice(&frame), true);
}

/* Texts are the client's settings ({"debug":false}); they change nothing here. */
static void tail_on_message(struct tail *t, const struct websocket_message *message)
{
    if (message->type == WEBSOCKET_PING)
        tail_send(t, WEBSOCKET_PONG, message->payload);
    else if (message->type == WEBSOCKET_CLOSE)
        tail_send_close(t, TAIL_NORMAL);
}

static void tail_on_body(struct api_taker *taker, struct slice bytes, bool end)
{
    struct tail *t = CONTAINER_OF(taker, struct tail, taker);
    struct websocket_message message;
    size_t n = bytes.len;
    int r;
    while ((r = websocket_read(&t->reader, &bytes, &message)) == 1)
        tail_on_message(t, &message);
    http_consumed(t->x, n);
    if (r < 0)
        tail_send_close(t, t->reader.error_code);
    else if (end)
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
    t->result =
        db_row(t->control->api.db, &t->row,
               "SELECT script, client_ip, filters AS \"filters:json\" FROM worker_tails WHERE id = "
               "? AND secret = ?",
               "ss", t->id, t->secret);
}

static void tail_accept(struct tail *t)
{
    http_header_add(&t->accept, SLICE("sec-websocket-protocol"), SLICE("trace-v1"));
    http_switch(t->x, SLICE("websocket"), buf_slice(&t->accept));
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
    struct slice rest = slice_skip(h->target, strlen("/tail/"));
    struct slice id = slice_cut(&rest, '/');
    if (!id_is_hex(id, 32) || !id_is_hex(rest, 32))
        return -EINVAL;
    int r = slice_to_cstr(id, t->id, sizeof(t->id));
    if (r == 0)
        r = slice_to_cstr(rest, t->secret, sizeof(t->secret));
    return r < 0 ? r : websocket_accept(h, &t->accept);
}

struct api_taker *tail_take(struct control *c, struct http_exchange *x)
{
    struct tail *t = mem_new(sizeof(*t));
    t->taker = (struct api_taker){tail_on_body, tail_on_writable, tail_on_closed};
    t->control = c;
    t->x = x;
    /* wrangler's library sends its first frame unmasked. */
    t->reader =
        (struct websocket_reader){.accepts_unmasked = true, .message_max = TAIL_CLIENT_MESSAGE_MAX};
    if (tail_parse(t, http_request_of(x)) < 0) {
        tail_free(t);
        http_answer(x, 400, SLICE("content-type: text/plain\r\n"),
                    SLICE("A WebSocket is served here.\n"));
        return control_answered();
    }
    t->working = true;
    t->work = (struct work){.run = tail_work_run, .done = tail_work_done};
    work_start(c->api.pool, &t->work);
    return &t->taker;
}

void tail_close_all(struct control *c)
{
    LIST_FOR_SAFE (l, &c->tails) {
        tail_send_close(LIST_ENTRY(l, struct tail, link), TAIL_GOING_AWAY);
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
    LIST_FOR (l, &c->tails) {
        struct tail *t = LIST_ENTRY(l, struct tail, link);
        if (!slice_eq(m.script, slice_of(tail_script(t))) || http_send_room(t->x) == 0 ||
            !filter_passes(json_object_get(t->row, "filters"), event,
                           json_str(t->row, "client_ip", "")))
            continue;
        tail_send(t, WEBSOCKET_TEXT, buf_slice(&text));
    }
}
