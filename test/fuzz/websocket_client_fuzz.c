/*
 * What a server of the world answers to our handshake, in pieces. The first byte says whether a correct 101
 * comes first, and how large the pieces are. The connection is played here.
 */
#include "fuzz.h"
#include "net/raw_connection.h"
#include "net/websocket_client.h"

#include <stdlib.h>

struct raw_connection {
    const struct raw_events *events;
    void *user;
    struct buf sent;
};

static struct raw_connection *raw; /* the one there is; NULL once the client let go of it */
static struct loop *loop;
static unsigned n_done;
static bool given_head;

struct loop *http_client_loop(UNUSED const struct http_client *client)
{
    return loop;
}

struct raw_connection *raw_connect(UNUSED struct http_client *client,
                                   const struct raw_events *events, void *user,
                                   UNUSED struct slice authority, UNUSED bool tls)
{
    raw = mem_new(sizeof(*raw));
    *raw = (struct raw_connection){.events = events, .user = user};
    return raw;
}

void *raw_user(struct raw_connection *c)
{
    return c->user;
}

void raw_send(struct raw_connection *c, struct slice bytes)
{
    CHECK(c == raw);
    buf_append_slice(&c->sent, bytes);
}

size_t raw_room(struct raw_connection *c)
{
    CHECK(c == raw);
    return RAW_SEND_HIGH;
}

void raw_pause(struct raw_connection *c, UNUSED bool paused)
{
    CHECK(c == raw);
}

static void raw_free(void)
{
    if (raw != NULL)
        buf_done(&raw->sent);
    mem_release(&raw);
}

void raw_finish(struct raw_connection *c)
{
    CHECK(c == raw);
    raw_free();
}

void raw_destroy(struct raw_connection *c)
{
    CHECK(c == raw);
    raw_free();
}

static void on_head(UNUSED struct websocket_client *w, int status, struct slice headers,
                    bool switched)
{
    CHECK(!given_head && n_done == 0 && http_header_check(headers) == 0);
    CHECK(status == 101 ? switched : status >= 200 && status < 600);
    given_head = true;
}

static void on_body(UNUSED struct websocket_client *w, UNUSED struct slice bytes)
{
    CHECK(given_head && n_done == 0);
}

static void on_message(struct websocket_client *w, const struct websocket_message *m)
{
    CHECK(given_head && n_done == 0);
    if (m->type == WEBSOCKET_CLOSE)
        websocket_client_close(w, m->close_code, m->payload);
    else
        websocket_client_send(w, &(struct websocket_part){.type = m->type,
                                                          .length = m->payload.len,
                                                          .first = true,
                                                          .last = true,
                                                          .bytes = m->payload});
}

static void on_failed(UNUSED struct websocket_client *w, UNUSED int code, UNUSED struct slice why)
{
    CHECK(n_done == 0);
}

static void on_pause(struct websocket_client *w)
{
    websocket_client_consumed(w);
}

static void on_writable(UNUSED struct websocket_client *w) {}

static void on_done(UNUSED struct websocket_client *w, int r, const struct err *err)
{
    CHECK(r == 0 || (r < 0 && err->text[0] != '\0'));
    n_done++;
}

static const struct websocket_client_events events = {on_head,  on_body,     on_message, on_failed,
                                                      on_pause, on_writable, on_done};

static void say(struct slice in, size_t piece)
{
    while (raw != NULL && in.len > 0) {
        struct slice part = slice_from(in.ptr, MIN(piece, in.len));
        in = slice_skip(in, part.len);
        raw->events->data(raw, part);
    }
}

static void say_accepted(void)
{
    AUTO(buf_done) struct buf text = {0};
    char accept[WEBSOCKET_ACCEPT_SIZE];
    struct slice rest = buf_slice(&raw->sent), key = SLICE_NONE;

    (void)slice_cut(&rest, '\n'); /* the request line is no field */
    CHECK(http_header_get(rest, SLICE("sec-websocket-key"), &key));
    websocket_accept_key(key, accept);
    buf_printf(&text,
               "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
               "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: %s\r\n\r\n",
               accept);
    say(buf_slice(&text), buf_len(&text));
    CHECK(given_head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct websocket_client_request request = {.url = SLICE("http://a.example/x?y"),
                                               .headers = SLICE("a: b\r\n")};
    loop = loop_create();
    n_done = 0;
    given_head = false;
    struct websocket_client *w = websocket_client_start(NULL, &events, &request);
    raw->events->connected(raw);
    if (data[0] & 1)
        say_accepted();
    say(slice_from(data + 1, size - 1), (size_t)(data[0] >> 1) + 1);
    loop_run_ready(loop);
    if (raw != NULL && (data[0] & 2)) {
        struct raw_connection *gone = raw; /* its events come last, as the real one's do */
        gone->events->closed(gone, 0, NULL);
        raw_free();
        CHECK(n_done == 1);
    } else if (n_done == 0) {
        websocket_client_cancel(w);
    }
    CHECK(raw == NULL);
    loop_destroy(loop);
    return 0;
}
