/*
 * Front of a call: control asks a Durable Object for the results of SQL statements.
 *
 * The call is a request to the object with MSG_QUERY, which only this file sets; its body is the statements, its
 * answer their results.
 */
#include "role/gateway.h"

#include "core/id.h"
#include "product/messages.h"

#include <errno.h>

enum { QUERY_ANSWER_MAX = 3 * 1024 * 1024, NS_LEN = 32, OBJECT_LEN = 64 };

struct query {
    struct wire_stream *stream; /* of control, owned */
    int status;
    struct buf text;
};

static struct query *query_of(const struct call *c)
{
    return c->front_data;
}

static void query_over(struct call *c, int status, struct slice text)
{
    struct query *q = query_of(c);
    AUTO(buf_done) struct buf out = {0};

    if (text.len > QUERY_ANSWER_MAX) {
        status = 400;
        text = SLICE("The results are larger than 3 MiB; ask for fewer rows.");
    }
    msg_object_queried_pack(&out,
                            &(struct msg_object_queried){.status = (uint16_t)status, .text = text});
    wire_reply(q->stream, buf_slice(&out), -1, true);
    wire_stream_close(q->stream, 0);
    call_destroy(c, -ECANCELED);
    buf_done(&q->text);
    mem_release(&q);
}

static void query_head(struct call *c, const struct call_head *head)
{
    struct query *q = query_of(c);

    q->status = head->status;
    if (head->end)
        query_over(c, (head->flags & MSG_THREW) != 0 ? 500 : head->status, head->status_text);
}

static void query_data(struct call *c, struct slice bytes, bool end)
{
    struct query *q = query_of(c);

    if (buf_len(&q->text) <= QUERY_ANSWER_MAX)
        buf_append_slice(&q->text, bytes);
    if (end)
        query_over(c, q->status, buf_slice(&q->text));
}

static size_t query_room(struct call *c UNUSED)
{
    return SIZE_MAX;
}

static void query_consumed(struct call *c UNUSED, size_t n UNUSED) {}

static void query_fail(struct call *c, int status, struct slice text)
{
    query_over(c, status == 200 ? 500 : status, text);
}

static const struct front_ops query_front = {.head = query_head,
                                             .data = query_data,
                                             .room = query_room,
                                             .consumed = query_consumed,
                                             .fail = query_fail};

static void query_reset(struct wire_stream *s, int reason)
{
    struct call *c = wire_stream_user(s);
    struct query *q = query_of(c);

    wire_stream_close(s, 0);
    call_destroy(c, reason);
    buf_done(&q->text);
    mem_release(&q);
}

void gateway_query(struct gateway *g, struct wire_stream *s, struct slice args)
{
    static const struct wire_stream_events events = {.reset = query_reset};
    struct msg_object_query m;

    if (msg_object_query_unpack(args, &m) < 0 || !id_is_hex(m.ns, NS_LEN) ||
        !id_is_hex(m.object, OBJECT_LEN)) {
        wire_stream_close(s, -EBADMSG);
        return;
    }
    struct query *q = mem_new(sizeof(*q));
    q->stream = s;
    struct call *c = call_create(g, &query_front, q);
    wire_stream_own(s, &events, c);
    c->request = (struct call_request){.method = SLICE("POST"),
                                       .url = SLICE("https://object/"),
                                       .cf = SLICE("{}"),
                                       .path = SLICE("/"),
                                       .content_length = (int64_t)m.json.len,
                                       .has_body = true,
                                       .query = true,
                                       .id = "query.1"};
    call_request_data(c, m.json, true);
    object_call_named(c, m.ns, m.object, m.object_name);
}
