/*
 * A small server on http_server.h, for measurements and for tests with real clients.
 *
 *   http_demo [PORT [CERTIFICATE KEY]]    prints "port N" and serves until it is killed
 *
 *   /hello   a short text           /echo    the request body, as it comes
 *   /big?N   N bytes, streamed      /file    this program's own file by http_send_file()
 *   /switch  101, then an echo      /head    the request's header block
 *   /late    an answer after 20 ms  /chunks  a chunked answer with trailers
 */
#include "net/http_server.h"
#include "net/tls.h"

#include "core/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEMO_PEM_MAX = 64 * 1024, DEMO_LATE_US = 20000 };

static struct loop *loop;

/* What an exchange is busy with. */
struct demo {
    struct http_exchange *x; /* NULL: closed while the timer ran */
    struct timer timer;
    uint64_t left; /* of /big */
    bool echoes;
};

static const char demo_bytes[64 * 1024] = {0};

static void demo_write_big(struct demo *d)
{
    size_t room;

    while (d->left > 0 && (room = http_send_room(d->x)) > 0) {
        size_t n = MIN(MIN(room, sizeof(demo_bytes)), d->left);
        d->left -= n;
        http_send(d->x, slice_from(demo_bytes, n), d->left == 0);
    }
}

static void demo_late(struct timer *t)
{
    struct demo *d = CONTAINER_OF(t, struct demo, timer);

    http_answer(d->x, 200, SLICE("content-type: text/plain\r\n"), SLICE("late\n"));
}

static void demo_big(struct demo *d, struct slice target)
{
    struct slice count = slice_skip(target, sizeof("/big?") - 1);

    if (slice_to_u64(count, &d->left) < 0) {
        http_answer(d->x, 400, SLICE_NONE, SLICE_NONE);
        return;
    }
    http_respond(d->x, 200, SLICE_NONE, (int64_t)d->left, d->left == 0);
    demo_write_big(d);
}

static void demo_file(struct demo *d)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat st = {0};

    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    http_respond(d->x, 200, SLICE_NONE, st.st_size, false);
    http_send_file(d->x, fd, 0, st.st_size, true);
}

static void demo_chunks(struct demo *d)
{
    http_respond(d->x, 200, SLICE("trailer-note: x-sum\r\n"), -1, false);
    http_send(d->x, SLICE("one "), false);
    http_send(d->x, SLICE("two"), false);
    http_send_trailers(d->x, SLICE("x-sum: 7\r\n"));
    http_send(d->x, SLICE_NONE, true);
}

static void demo_echo(struct demo *d, const struct http_request *q)
{
    d->echoes = true;
    http_consumed(d->x, 0); /* we want the body */
    http_respond(d->x, 200, SLICE_NONE, q->has_body ? q->content_length : 0, !q->has_body);
}

static void demo_request(struct http_exchange *x, UNUSED void *arg)
{
    const struct http_request *q = http_request_of(x);

    if (slice_eq(q->target, SLICE("/hello"))) {
        http_answer(x, 200, SLICE("content-type: text/plain\r\n"), SLICE("Hello, World!"));
        return;
    }
    struct demo *d = mem_new(sizeof(*d));
    d->x = x;
    http_exchange_set_user(x, d);
    if (slice_starts(q->target, SLICE("/big?")))
        demo_big(d, q->target);
    else if (slice_eq(q->target, SLICE("/file")))
        demo_file(d);
    else if (slice_eq(q->target, SLICE("/echo")))
        demo_echo(d, q);
    else if (slice_eq(q->target, SLICE("/chunks")))
        demo_chunks(d);
    else if (slice_eq(q->target, SLICE("/late")))
        timer_start(loop, &d->timer, DEMO_LATE_US, demo_late);
    else if (slice_eq(q->target, SLICE("/head")))
        http_answer(x, 200, SLICE_NONE, q->headers);
    else if (slice_eq(q->target, SLICE("/switch")) && q->upgrade.len > 0) {
        d->echoes = true;
        http_switch(x, q->upgrade, SLICE_NONE);
    } else
        http_answer(x, 404, SLICE_NONE, SLICE("nothing here\n"));
}

static void demo_body(struct http_exchange *x, struct slice bytes, bool end)
{
    struct demo *d = http_exchange_user(x);

    if (d != NULL && d->echoes)
        http_send(x, bytes, end);
    http_consumed(x, bytes.len);
}

static void demo_writable(struct http_exchange *x)
{
    demo_write_big(http_exchange_user(x));
}

static void demo_closed(struct http_exchange *x, UNUSED int reason)
{
    struct demo *d = http_exchange_user(x);

    if (d != NULL)
        timer_stop(&d->timer);
    free(d);
}

static int demo_listen(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    CHECK(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 1024) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static struct tls_context *demo_tls(const char *certificate, const char *key)
{
    AUTO(buf_done) struct buf certificate_pem = {0}, key_pem = {0};
    struct tls_context *tls = NULL;
    struct err err;

    if (file_read(AT_FDCWD, certificate, DEMO_PEM_MAX, &certificate_pem) < 0 ||
        file_read(AT_FDCWD, key, DEMO_PEM_MAX, &key_pem) < 0)
        panic(__FILE__, __LINE__, "cannot read certificate or key");
    if (tls_context_create(buf_slice(&certificate_pem), buf_slice(&key_pem), &tls, &err) < 0)
        panic(__FILE__, __LINE__, err.text);
    return tls;
}

int main(int argc, char **argv)
{
    static const struct http_server_events events = {
        .request = demo_request,
        .body = demo_body,
        .writable = demo_writable,
        .closed = demo_closed,
    };

    loop = loop_create();
    struct http_server_options options = {.loop = loop, .events = &events};
    struct http_server *server = http_server_create(&options);
    struct tls_context *tls = argc > 3 ? demo_tls(argv[2], argv[3]) : NULL;
    uint64_t port = 0;
    CHECK(argc < 2 || (slice_to_u64(slice_of(argv[1]), &port) == 0 && port <= UINT16_MAX));
    CHECK(http_server_listen(server, demo_listen((uint16_t)port), tls) == 0);
    loop_run(loop);
    return 0;
}
