/*
 * The whole server, both versions: connections, pipelining, the glue between nghttp2 and exchanges. The
 * first byte chooses the owner's behaviour, the pieces, and whether HTTP/2's preface comes first.
 */
#include "fuzz.h"
#include "net/http_conn.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
    SPEAKS_HTTP2 = 1,
    ANSWERS_LATE = 2,
    STREAMS = 4,
    CONSUMES_LATE = 8,
    SMALL = 16,
    ABORTS = 32
};
enum { OPEN_MAX = 4096, INPUT_MAX = 64 * 1024 };

static struct owner {
    unsigned mode;
    struct http_exchange *open[OPEN_MAX];
    size_t n_open, n_held;
} owner;

static void owner_answer(struct http_exchange *x)
{
    if (owner.mode & ABORTS) {
        http_abort(x);
    } else if (owner.mode & STREAMS) {
        http_respond(x, 200, SLICE("a: b\r\n"), -1, false);
        http_send(x, SLICE("some"), false);
        http_send_trailers(x, SLICE("t: u\r\n"));
        http_send(x, SLICE_NONE, true);
    } else {
        http_answer(x, 200, SLICE("content-type: text/plain\r\n"), SLICE("ok"));
    }
}

static void owner_request(struct http_exchange *x, UNUSED void *arg)
{
    const struct http_request *q = http_request_of(x);

    CHECK(http_header_check(q->headers) == 0);
    CHECK(q->method.len > 0 && q->target.len > 0 && q->content_length >= -1);
    CHECK(q->has_body || q->content_length == 0);
    CHECK(owner.n_open < OPEN_MAX);
    owner.open[owner.n_open++] = x;
    if (!(owner.mode & ANSWERS_LATE))
        owner_answer(x);
}

static void owner_body(struct http_exchange *x, struct slice bytes, UNUSED bool end)
{
    if (owner.mode & CONSUMES_LATE)
        owner.n_held += bytes.len;
    else
        http_consumed(x, bytes.len);
}

static void owner_writable(UNUSED struct http_exchange *x) {}

static void owner_closed(struct http_exchange *x, int reason)
{
    size_t i = 0;

    CHECK(reason <= 0);
    while (i < owner.n_open && owner.open[i] != x)
        i++;
    CHECK(i < owner.n_open); /* exactly once, and only what was announced */
    owner.open[i] = owner.open[--owner.n_open];
}

static const struct http_server_events events = {owner_request, owner_body, owner_writable,
                                                 owner_closed};

static void answer_open(void)
{
    struct http_exchange *open[OPEN_MAX];
    size_t n = owner.n_open;

    if (!(owner.mode & ANSWERS_LATE))
        return;
    memcpy(open, owner.open, n * sizeof(*open));
    owner.mode &= ~(unsigned)ANSWERS_LATE;
    for (size_t i = 0; i < n; i++)
        owner_answer(open[i]);
}

static void drain(int fd, struct loop *loop)
{
    static char sink[256 * 1024];

    loop_run_ready(loop);
    while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
        loop_run_ready(loop);
}

static void say(int fd, struct loop *loop, struct slice in, size_t piece)
{
    while (in.len > 0) {
        ssize_t n = send(fd, in.ptr, MIN(piece, in.len), MSG_DONTWAIT | MSG_NOSIGNAL);
        drain(fd, loop);
        if (n <= 0)
            return;
        in = slice_skip(in, (size_t)n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    if (size == 0 || size > INPUT_MAX ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return 0;
    owner = (struct owner){.mode = data[0]};
    struct loop *loop = loop_create();
    struct http_server_options options = {.loop = loop, .events = &events};
    if (owner.mode & SMALL)
        options.limits = (struct http_limits){.head_max = 512, .body_max = 64, .streams_max = 2};
    struct http_server *server = http_server_create(&options);
    struct sockaddr_storage address = {.ss_family = AF_INET};
    http_conn_create(server, fds[0], NULL, &address);

    size_t piece = data[0] & 64 ? 3 : size;
    if (owner.mode & SPEAKS_HTTP2)
        say(fds[1], loop, SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), size);
    say(fds[1], loop, slice_from(data + 1, size - 1), piece);
    answer_open();
    drain(fds[1], loop);
    if (data[0] & 128)
        shutdown(fds[1], SHUT_WR);
    drain(fds[1], loop);
    loop_advance(loop, 100 * 1000000); /* every time limit passes */
    drain(fds[1], loop);
    http_server_destroy(server);
    loop_run_ready(loop);
    CHECK(owner.n_open == 0);
    loop_destroy(loop);
    close(fds[1]);
    return 0;
}
