/*
 * A session that echoes: in any pieces the same comes out, nothing follows a close, and what comes out is
 * understood by a session of the other side. The first byte chooses side, compression and pieces.
 */
#include "fuzz.h"
#include "net/websocket_session.h"

struct side {
    struct websocket_session session;
    struct buf *out;
    bool echoes, failed;
    unsigned n_messages;
};

static void side_message(void *arg, const struct websocket_message *m)
{
    struct side *s = arg;

    CHECK(m->type == WEBSOCKET_CLOSE || m->payload.len <= WEBSOCKET_SESSION_MESSAGE_MAX);
    CHECK(m->type != WEBSOCKET_TEXT || websocket_utf8_ok(m->payload));
    s->n_messages++;
    if (!s->echoes)
        return;
    if (m->type == WEBSOCKET_CLOSE) {
        websocket_session_close(&s->session, m->close_code, m->payload);
        return;
    }
    websocket_session_send(&s->session, &(struct websocket_part){.type = m->type,
                                                                 .length = m->payload.len,
                                                                 .first = true,
                                                                 .last = true,
                                                                 .bytes = m->payload});
}

static void side_send(void *arg, struct slice bytes)
{
    struct side *s = arg;

    if (s->out != NULL)
        buf_append_slice(s->out, bytes);
}

static void side_failed(void *arg, UNUSED int code, UNUSED struct slice why)
{
    struct side *s = arg;

    CHECK(!s->failed);
    s->failed = true;
}

static const struct websocket_session_events events = {side_message, side_send, side_failed};

static void run(struct side *s, struct slice in, size_t piece, bool is_client, bool compresses)
{
    struct websocket_deflate_terms terms = {.agreed = compresses, .our_bits = 15};

    websocket_session_init(&s->session, &events, s, is_client);
    websocket_session_compress(&s->session, &terms);
    while (in.len > 0) {
        struct slice part = slice_from(in.ptr, MIN(piece, in.len));
        websocket_session_input(&s->session, part);
        in = slice_skip(in, part.len);
    }
    websocket_session_done(&s->session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    AUTO(buf_done) struct buf whole = {0}, pieces = {0};
    struct side a = {.out = &whole, .echoes = true}, b = {.out = &pieces, .echoes = true};
    struct side other = {0};
    struct slice in = slice_from(data + 1, size - 1);
    bool is_client = data[0] & 1, compresses = data[0] & 2;

    run(&a, in, MAX(in.len, (size_t)1), is_client, compresses);
    run(&b, in, (size_t)(data[0] >> 2) + 1, is_client, compresses);
    CHECK(a.n_messages == b.n_messages && a.failed == b.failed);
    CHECK(buf_len(&whole) == buf_len(&pieces)); /* a client's masks differ */
    run(&other, buf_slice(&whole), MAX(buf_len(&whole), (size_t)1), !is_client, compresses);
    CHECK(!other.failed && other.n_messages == a.n_messages + (a.failed ? 1 : 0));
    return 0;
}
