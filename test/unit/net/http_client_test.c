/*
 * The client against our own server in the same loop, in clear and over TLS, and against a socket that
 * says whatever the test wants.
 */
#include "net_tests.h"

#include "core/file.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 5000, BIG = 3 * 1024 * 1024, WINDOW = 256 * 1024, PEM_MAX = 65536 };

static struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    uint16_t port;
    char url[128];

    /* What the server saw and does. */
    struct buf seen_head, seen_body;
    int64_t seen_length;
    int seen_version;
    struct http_exchange *big; /* being filled */
    size_t big_left;
    size_t n_connections_lost;

    /* What the fetch gave. */
    int status;
    struct buf headers, body;
    bool is_done, consumes;
    int result;
    struct err err;
    size_t n_writable;
} f;

static void fill_big(void)
{
    static const char zeros[32 * 1024] = {0};

    while (f.big != NULL && f.big_left > 0 && http_send_room(f.big) > 0) {
        size_t n = MIN(f.big_left, sizeof(zeros));
        f.big_left -= n;
        http_send(f.big, slice_from(zeros, n), f.big_left == 0);
    }
}

static void server_request(struct http_exchange *x, UNUSED void *arg)
{
    const struct http_request *q = http_request_of(x);

    buf_printf(&f.seen_head, "%.*s %.*s %.*s\n%.*s", SLICE_ARG(q->method), SLICE_ARG(q->target),
               SLICE_ARG(q->authority), SLICE_ARG(q->headers));
    f.seen_length = q->has_body ? q->content_length : -2;
    f.seen_version = q->version;
    if (slice_eq(q->target, SLICE("/big"))) {
        f.big = x;
        f.big_left = BIG;
        http_respond(x, 200, SLICE_NONE, -1, false);
        fill_big();
    } else if (slice_eq(q->target, SLICE("/redirect"))) {
        http_answer(x, 302, SLICE("location: /x\r\n"), SLICE_NONE);
    } else if (slice_eq(q->target, SLICE("/never"))) {
        return;
    } else if (!q->has_body) {
        http_answer(x, 200, SLICE("x-a: b\r\nx-empty: \r\n"), SLICE("hello"));
    } else {
        http_consumed(x, 0);
    }
}

static void server_body(struct http_exchange *x, struct slice bytes, bool end)
{
    buf_append_slice(&f.seen_body, bytes);
    http_consumed(x, bytes.len);
    if (end)
        http_answer(x, 201, SLICE_NONE, SLICE("stored"));
}

static void server_writable(UNUSED struct http_exchange *x)
{
    fill_big();
}

static void server_closed(struct http_exchange *x, int reason)
{
    if (f.big == x)
        f.big = NULL;
    f.n_connections_lost += reason < 0;
}

static void fetch_head(UNUSED struct http_fetch *fetch, int status, struct slice headers)
{
    f.status = status;
    buf_append_slice(&f.headers, headers);
}

static void fetch_body(struct http_fetch *fetch, struct slice bytes)
{
    assert_true(f.status != 0);
    buf_append_slice(&f.body, bytes);
    if (f.consumes)
        http_fetch_consumed(fetch, bytes.len);
}

static void fetch_done(UNUSED struct http_fetch *fetch, int r, const struct err *err)
{
    assert_false(f.is_done);
    f.is_done = true;
    f.result = r;
    f.err = *err;
}

static void fetch_writable(UNUSED struct http_fetch *fetch)
{
    f.n_writable++;
}

static const struct http_server_events server_events = {server_request, server_body,
                                                        server_writable, server_closed};
static const struct http_fetch_events fetch_events = {fetch_head, fetch_body, fetch_done,
                                                      fetch_writable};

static int listener_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    f.port = ntohs(address.sin_port);
    return fd;
}

static void start(struct tls_context *tls, const char *authorities, const char *const *allow)
{
    f = (struct fixture){.consumes = true};
    f.loop = loop_create();
    f.server =
        http_server_create(&(struct http_server_options){.loop = f.loop, .events = &server_events});
    assert_int_equal(http_server_listen(f.server, listener_open(), tls), 0);
    f.client = http_client_create(&(struct http_client_options){
        .loop = f.loop, .allow = allow, .authorities_pem = authorities});
    assert_non_null(f.client);
}

static const char *const allow_local[] = {"127.0.0.0/8", "::1", NULL};

static const char *url_of(const char *format)
{
    (void)snprintf(f.url, sizeof(f.url), "%s127.0.0.1:%u%s",
                   strstr(format, "//") != NULL ? "https://" : "http://", (unsigned)f.port,
                   strstr(format, "//") != NULL ? format + 2 : format);
    return f.url;
}

static struct http_fetch *begin(const char *method, const char *url, const char *headers,
                                int64_t length)
{
    f.is_done = false;
    f.status = 0;
    buf_clear(&f.headers);
    buf_clear(&f.body);
    return http_fetch_start(f.client, &fetch_events,
                            &(struct http_fetch_request){.method = slice_of(method),
                                                         .url = slice_of(url),
                                                         .headers = slice_of(headers),
                                                         .has_body = length >= -1,
                                                         .content_length = length});
}

static void finish(void)
{
    for (int i = 0; i < TURNS_MAX && !f.is_done; i++)
        loop_turn(f.loop, 10);
    assert_true(f.is_done);
}

static void stop(void)
{
    http_client_destroy(f.client);
    http_server_destroy(f.server);
    loop_destroy(f.loop);
    buf_done(&f.seen_head);
    buf_done(&f.seen_body);
    buf_done(&f.headers);
    buf_done(&f.body);
}

enum { NO_BODY = -2 };

static void client_gets(void **state)
{
    (void)state;
    char wanted[128];

    start(NULL, NULL, allow_local);
    (void)begin("GET", url_of("/a/../x?y=%20|z#f"), "x-b: c\r\nx-none: \r\nte: x\r\n", NO_BODY);
    assert_false(f.is_done);
    finish();
    assert_int_equal(f.result, 0);
    assert_int_equal(f.status, 200);
    assert_true(slice_eq(buf_slice(&f.body), SLICE("hello")));
    struct slice value;
    assert_true(http_header_get(buf_slice(&f.headers), SLICE("x-a"), &value));
    assert_true(slice_eq(value, SLICE("b")));
    assert_true(http_header_get(buf_slice(&f.headers), SLICE("x-empty"), &value));
    assert_true(http_header_get(buf_slice(&f.headers), SLICE("content-length"), &value));
    assert_int_equal(http_header_check(buf_slice(&f.headers)), 0);
    (void)snprintf(wanted, sizeof(wanted), "GET /x?y=%%20|z 127.0.0.1:%u\nx-b: c\r\nx-none: \r\n",
                   (unsigned)f.port);
    if (!slice_eq(buf_slice(&f.seen_head), slice_of(wanted)))
        fail_msg("%s", buf_cstr(&f.seen_head));
    stop();
}

static void client_sends_methods_and_host(void **state)
{
    (void)state;
    start(NULL, NULL, allow_local);
    (void)begin("HEAD", url_of("/"), "host: other.example\r\naccept: a\r\nuser-agent: u\r\n",
                NO_BODY);
    finish();
    assert_int_equal(f.result, 0);
    assert_int_equal(f.status, 200);
    assert_int_equal(buf_len(&f.body), 0);
    assert_true(slice_eq(buf_slice(&f.seen_head),
                         SLICE("HEAD / other.example\naccept: a\r\nuser-agent: u\r\n")));
    (void)begin("POST", url_of("/"), "", NO_BODY);
    finish();
    assert_int_equal(f.status, 200);
    assert_true(slice_find_slice(buf_slice(&f.seen_head), SLICE("content-length: 0")) > 0);
    (void)begin("DELETE", url_of("/redirect"), "", NO_BODY);
    finish();
    assert_int_equal(f.status, 302);
    stop();
}

static void client_sends_bodies(void **state)
{
    (void)state;
    start(NULL, NULL, allow_local);
    struct http_fetch *fetch = begin("PUT", url_of("/"), "content-length: 99\r\n", 6);
    http_fetch_send(fetch, SLICE("abc"), false);
    for (int i = 0; i < 20; i++)
        loop_turn(f.loop, 1);
    http_fetch_send(fetch, SLICE("def"), true);
    finish();
    assert_int_equal(f.status, 201);
    assert_int_equal(f.seen_length, 6);
    assert_true(slice_eq(buf_slice(&f.seen_body), SLICE("abcdef")));

    buf_clear(&f.seen_body);
    fetch = begin("POST", url_of("/"), "", -1);
    for (int i = 0; i < 20; i++)
        loop_turn(f.loop, 1);
    http_fetch_send(fetch, SLICE("chunk"), false);
    http_fetch_send(fetch, SLICE_NONE, true);
    finish();
    assert_int_equal(f.status, 201);
    assert_int_equal(f.seen_length, -1);
    assert_true(slice_eq(buf_slice(&f.seen_body), SLICE("chunk")));
    stop();
}

static void client_waits_with_big_uploads(void **state)
{
    (void)state;
    static const char zeros[64 * 1024] = {0};

    start(NULL, NULL, allow_local);
    struct http_fetch *fetch = begin("POST", url_of("/"), "", -1);
    size_t sent = 0;
    while (http_fetch_room(fetch) > 0) {
        http_fetch_send(fetch, slice_from(zeros, sizeof(zeros)), false);
        sent += sizeof(zeros);
    }
    for (int i = 0; i < TURNS_MAX && f.n_writable == 0; i++)
        loop_turn(f.loop, 10);
    assert_int_equal(f.n_writable, 1);
    assert_true(http_fetch_room(fetch) > 0);
    http_fetch_send(fetch, SLICE_NONE, true);
    finish();
    assert_int_equal(buf_len(&f.seen_body), sent);
    stop();
}

static void client_holds_back_what_nobody_takes(void **state)
{
    (void)state;
    start(NULL, NULL, allow_local);
    f.consumes = false;
    struct http_fetch *fetch = begin("GET", url_of("/big"), "", NO_BODY);
    for (int i = 0; i < 100; i++)
        loop_turn(f.loop, 1);
    size_t held = buf_len(&f.body);
    assert_in_range(held, WINDOW, WINDOW + 65536);
    f.consumes = true;
    http_fetch_consumed(fetch, held);
    finish();
    assert_int_equal(buf_len(&f.body), BIG);
    stop();
}

static void client_says_what_went_wrong(void **state)
{
    (void)state;
    static const char *const bad_urls[] = {"", "nothing", "ftp://127.0.0.1/", "file:///etc/passwd",
                                           "http://a b/"};

    start(NULL, NULL, NULL);
    (void)begin("GET", url_of("/"), "", NO_BODY);
    finish();
    assert_int_equal(f.result, -EACCES);
    assert_true(strstr(f.err.text, "127.0.0.1") != NULL);
    assert_int_equal(buf_len(&f.seen_head), 0);
    (void)begin("GET", "http://2130706433/", "", NO_BODY);
    finish();
    assert_int_equal(f.result, -EACCES);
    (void)begin("GET", "http://[::ffff:127.0.0.1]/", "", NO_BODY);
    finish();
    assert_int_equal(f.result, -EACCES);
    for (size_t i = 0; i < ARRAY_LEN(bad_urls); i++) {
        (void)begin("GET", bad_urls[i], "", NO_BODY);
        finish();
        assert_int_equal(f.result, -EINVAL);
    }
    (void)begin("GET", "http://name.invalid/", "", NO_BODY);
    finish();
    assert_int_equal(f.result, -ENOENT);
    stop();

    start(NULL, NULL, allow_local);
    http_server_drain(f.server, NULL, NULL);
    (void)begin("GET", url_of("/"), "", NO_BODY);
    finish();
    assert_int_equal(f.result, -EPIPE);
    assert_string_equal(f.err.text, "cannot connect to 127.0.0.1");
    stop();
}

static void client_cancels(void **state)
{
    (void)state;
    start(NULL, NULL, allow_local);
    http_fetch_cancel(begin("GET", url_of("/never"), "", NO_BODY));
    loop_turn(f.loop, 1);
    struct http_fetch *fetch = begin("GET", url_of("/never"), "", NO_BODY);
    for (int i = 0; i < TURNS_MAX && buf_len(&f.seen_head) == 0; i++)
        loop_turn(f.loop, 10);
    http_fetch_cancel(fetch);
    for (int i = 0; i < TURNS_MAX && f.n_connections_lost == 0; i++)
        loop_turn(f.loop, 10);
    assert_int_equal(f.n_connections_lost, 1);
    assert_false(f.is_done);
    (void)begin("GET", url_of("/never"), "", NO_BODY);
    loop_turn(f.loop, 1);
    http_client_destroy(f.client);
    f.client = NULL;
    assert_true(f.is_done);
    assert_int_equal(f.result, -ECANCELED);
    stop();
}

/* A peer that sends `answer` to whoever connects. */
static void against(const char *answer, int result, int status)
{
    start(NULL, NULL, allow_local);
    int listener = listener_open();
    (void)begin("GET", url_of("/"), "", NO_BODY);
    int fd = -1;
    for (int i = 0; i < TURNS_MAX && fd < 0; i++) {
        loop_turn(f.loop, 1);
        fd = accept(listener, NULL, NULL);
    }
    assert_int_equal(send(fd, answer, strlen(answer), 0), strlen(answer));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    finish();
    if (f.result != result || f.status != status)
        fail_msg("%d %d (%s) for %s", f.result, f.status, f.err.text, answer);
    fd_release(&fd);
    fd_release(&listener);
    stop();
}

static void client_reads_what_peers_send(void **state)
{
    (void)state;
    against("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, 200);
    against("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 0, 204);
    against("HTTP/1.1 200 OK\r\n\r\nuntil the end", 0, 200);
    against("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", -EPIPE, 200);
    against("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", -EPIPE, 200);
    against("HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", -EBADMSG, 0);
    against("HTTP/1.1 200 OK\r\nX: a\x01\r\n\r\n", -EBADMSG, 0);
    against("what is this?\r\n", -EBADMSG, 0);
    against("", -EPIPE, 0);
}

static char dir[] = "/tmp/selvedge-client-XXXXXX";

static void client_speaks_tls(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf cert = {0}, key = {0}, root = {0};
    struct tls_context *tls = NULL;
    struct err err;

    assert_non_null(mkdtemp(dir));
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(tls_authority_ensure(dir_fd, "localhost", &err), 0);
    assert_int_equal(file_read(dir_fd, "server.crt", PEM_MAX, &cert), 0);
    assert_int_equal(file_read(dir_fd, "server.key", PEM_MAX, &key), 0);
    assert_int_equal(file_read(dir_fd, "authority.crt", PEM_MAX, &root), 0);
    assert_int_equal(tls_context_create(buf_slice(&cert), buf_slice(&key), &tls, &err), 0);

    start(tls, buf_cstr(&root), allow_local);
    (void)begin("GET", url_of("///"), "", NO_BODY);
    finish();
    if (f.result != 0)
        fail_msg("%d %s", f.result, f.err.text);
    assert_int_equal(f.seen_version, 20);
    assert_true(slice_eq(buf_slice(&f.body), SLICE("hello")));
    struct http_fetch *fetch = begin("POST", url_of("///"), "", -1);
    http_fetch_send(fetch, SLICE("over h2"), true);
    finish();
    assert_int_equal(f.status, 201);
    assert_true(slice_eq(buf_slice(&f.seen_body), SLICE("over h2")));
    f.consumes = false;
    fetch = begin("GET", url_of("///big"), "", NO_BODY);
    for (int i = 0; i < 200; i++)
        loop_turn(f.loop, 1);
    size_t held = buf_len(&f.body);
    assert_true(held >= WINDOW && held < BIG);
    f.consumes = true;
    http_fetch_consumed(fetch, held);
    finish();
    assert_int_equal(buf_len(&f.body), BIG);
    stop();

    start(tls, NULL, allow_local);
    (void)begin("GET", url_of("///"), "", NO_BODY);
    finish();
    assert_int_equal(f.result, -EBADMSG);
    assert_true(strstr(f.err.text, "TLS") != NULL);
    stop();
    tls_context_destroy(tls);
    fd_release(&dir_fd);
    assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
}

int http_client_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_gets),
        cmocka_unit_test(client_sends_methods_and_host),
        cmocka_unit_test(client_sends_bodies),
        cmocka_unit_test(client_waits_with_big_uploads),
        cmocka_unit_test(client_holds_back_what_nobody_takes),
        cmocka_unit_test(client_says_what_went_wrong),
        cmocka_unit_test(client_cancels),
        cmocka_unit_test(client_reads_what_peers_send),
        cmocka_unit_test(client_speaks_tls),
    };
    return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
