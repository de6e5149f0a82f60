/*
 * A Worker that only passes a WebSocket on is not needed for it any longer.
 *
 *     client -- A -- Worker -- B -- who serves the socket
 *     client -- A ------------------ who serves the socket
 *
 * The Worker has fetched the socket (call B) and answers its own request (call A) with it. What comes for B waits
 * here until the Worker says what becomes of the socket: it reads it, or the back of B becomes the back of A.
 * Nothing can be on its way from A to B by then, since A's side was told of the socket only now.
 */
#include "role/gateway_isolate.h"

#include "product/messages.h"

#include <errno.h>

void join_hold(struct isolate_link *l, uint32_t stream_id, struct call *c)
{
    c->holder = l;
    c->holder_stream = stream_id;
    map_put_u64(&l->held, stream_id, c);
}

void join_forget(struct call *c)
{
    if (c->holder != NULL)
        map_remove_u64(&c->holder->held, c->holder_stream);
    c->holder = NULL;
}

void join_release(struct isolate_link *l, uint32_t stream_id)
{
    struct call *c = map_get_u64(&l->held, stream_id);

    if (c == NULL)
        return; /* it has ended meanwhile */
    join_forget(c);
    bool end = c->held_end;
    if (buf_len(&c->held_out) > 0 || end)
        c->front->data(c, buf_slice(&c->held_out), end);
    if (end)
        return; /* the front has destroyed it */
    buf_done(&c->held_out);
    call_front_writable(c);
}

void join_calls(struct isolate_link *l, uint32_t stream_id, struct call *c,
                const struct call_head *head)
{
    struct call *from = map_get_u64(&l->held, stream_id);
    AUTO(buf_done) struct buf held = {0};

    if (from == NULL) { /* it broke while the Worker answered: so does this one */
        call_respond(c, head);
        call_fail(c, 502, "Network connection lost.");
        return;
    }
    struct wire_stream *s = from->front_data;
    bool end = from->held_end;
    held = from->held_out;
    from->held_out = (struct buf){0};
    if (from->back != NULL)
        from->back->move(from, c);
    call_destroy(from, 0);
    wire_stream_close(s, 0);
    call_respond(c, head);
    if (buf_len(&held) > 0 || end)
        call_response_data(c, buf_slice(&held), end);
}
