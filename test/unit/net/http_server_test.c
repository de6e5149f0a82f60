/*
 * The server over real sockets on loopback, with virtual time: a client that says exact bytes, and an
 * owner that answers when the test says so.
 */
#include "net_tests.h"

#include "net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { XS_MAX = 64, SECOND = 1000000, WINDOW = 256 * 1024 };

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST "\r\n"

static struct fixture {
    struct loop *loop;
    struct http_server *server;
    int listener, client;
    struct http_exchange *xs[XS_MAX]; /* in the order of `request`; NULL after `closed` */
    int reasons[XS_MAX];
    size_t n_requests, n_closed, n_writable;
    struct buf body; /* all body bytes of all exchanges */
    unsigned n_ends;
    bool consumes;     /* bodies at once */
    bool answers;      /* with "ok" at once */
    struct buf got;    /* what the client read */
    bool client_ended; /* the server closed */
    bool drained;
} f;

static void on_request(struct http_exchange *x, UNUSED void *arg)
{
    http_exchange_set_user(x, (void *)(uintptr_t)f.n_requests);
    f.xs[f.n_requests++] = x;
    if (f.answers)
        http_answer(x, 200, SLICE_NONE, SLICE("ok"));
}

static void on_body(struct http_exchange *x, struct slice bytes, bool end)
{
    buf_append_slice(&f.body, bytes);
    f.n_ends += end;
    if (f.consumes)
        http_consumed(x, bytes.len);
}

static void on_writable(UNUSED struct http_exchange *x)
{
    f.n_writable++;
}

static void on_closed(struct http_exchange *x, int reason)
{
    size_t i = (size_t)(uintptr_t)http_exchange_user(x);

    assert_ptr_equal(f.xs[i], x);
    f.xs[i] = NULL;
    f.reasons[i] = reason;
    f.n_closed++;
}

static void on_drained(UNUSED void *arg)
{
    f.drained = true;
}

static const struct http_server_events events = {on_request, on_body, on_writable, on_closed};

static void start(struct http_limits limits)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    f = (struct fixture){.client = -1, .consumes = true};
    f.loop = loop_create();
    f.server = http_server_create(
        &(struct http_server_options){.loop = f.loop, .events = &events, .limits = limits});
    f.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f.listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(f.listener, 16), 0);
    f.listener = dup(f.listener);
    assert_int_equal(http_server_listen(f.server, f.listener - 1, NULL), 0);
    loop_run_ready(f.loop);
}

static int client_open(void)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(getsockname(f.listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

static void read_all(void)
{
    for (int quiet = 0; quiet < 2;) {
        loop_run_ready(f.loop);
        char *to = buf_reserve(&f.got, 65536);
        ssize_t n = recv(f.client, to, 65536, MSG_DONTWAIT);
        if (n > 0) {
            buf_added(&f.got, (size_t)n);
            quiet = 0;
            continue;
        }
        if (n == 0 || errno != EAGAIN) {
            f.client_ended = true;
            return;
        }
        quiet++;
    }
}

static void say_slice(struct slice bytes)
{
    if (f.client < 0)
        f.client = client_open();
    while (bytes.len > 0) {
        ssize_t n = send(f.client, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        loop_run_ready(f.loop);
        if (n < 0)
            return; /* the server does not read; the test knows */
        bytes = slice_skip(bytes, (size_t)n);
    }
    loop_run_ready(f.loop);
}

static void say(const char *text)
{
    say_slice(slice_of(text));
}

static void stop(void)
{
    http_server_destroy(f.server);
    loop_run_ready(f.loop);
    assert_int_equal(f.n_closed, f.n_requests);
    loop_destroy(f.loop);
    fd_release(&f.client);
    fd_release(&f.listener);
    buf_done(&f.body);
    buf_done(&f.got);
}

/* The client has read exactly this, dates left out. */
static void expect_got(const char *wanted)
{
    AUTO(buf_done) struct buf text = {0};
    struct slice rest;

    read_all();
    rest = buf_slice(&f.got);
    for (ssize_t at; (at = slice_find_slice(rest, SLICE("date: "))) >= 0;) {
        buf_append(&text, rest.ptr, (size_t)at);
        rest = slice_skip(rest, (size_t)at + sizeof("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n") - 1);
    }
    buf_append_slice(&text, rest);
    if (!slice_eq(buf_slice(&text), slice_of(wanted)))
        fail_msg("got:\n%s\nwanted:\n%s", buf_cstr(&text), wanted);
    buf_clear(&f.got);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define OK2 OK_HEAD "content-length: 2\r\n\r\nok"
#define REFUSED(line)                                                                              \
    "HTTP/1.1 " line "\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n"              \
    "connection: close\r\n\r\n"

/* --- requests and answers --- */

static void server_answers(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say("GET /x?y HTTP/1.1\r\nHost: A.example:80\r\nX-Y:  z \r\n\r\n");
    const struct http_request *q = http_request_of(f.xs[0]);
    assert_true(slice_eq(q->method, SLICE("GET")) && slice_eq(q->target, SLICE("/x?y")));
    assert_true(slice_eq(q->authority, SLICE("a.example:80")));
    assert_true(slice_eq(q->headers, SLICE("x-y: z\r\n")));
    assert_true(slice_eq(q->remote_ip, SLICE("127.0.0.1")) && q->remote_port != 0);
    assert_true(q->version == 11 && !q->tls && !q->has_body && q->content_length == 0);
    http_answer(f.xs[0], 404, SLICE("a: b\r\ncontent-length: 9\r\ndate: x\r\n"), SLICE("no"));
    expect_got("HTTP/1.1 404 Not Found\r\na: b\r\ncontent-length: 2\r\n\r\nno");
    assert_int_equal(f.n_closed, 1);
    assert_int_equal(f.reasons[0], 0);
    say(GET);
    http_respond(f.xs[1], 204, SLICE_NONE, -1, true);
    expect_got("HTTP/1.1 204 No Content\r\n\r\n");
    assert_false(f.client_ended);
    stop();
}

static void server_reads_in_any_pieces(void **state)
{
    (void)state;
    static const char text[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n" GET;

    start((struct http_limits){0});
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        say_slice(slice_from(text + i, 1));
    assert_int_equal(f.n_requests, 2);
    assert_true(slice_eq(buf_slice(&f.body), SLICE("abcde")));
    assert_int_equal(f.n_ends, 1);
    assert_int_equal(http_request_of(f.xs[0])->content_length, -1);
    stop();
}

static void server_keeps_the_order_of_pipelined_requests(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say(GET GET "HEAD / HTTP/1.1\r\n" HOST "\r\n" GET);
    assert_int_equal(f.n_requests, 4);
    http_answer(f.xs[1], 200, SLICE_NONE, SLICE("second"));
    http_answer(f.xs[2], 200, SLICE_NONE, SLICE("head"));
    http_respond(f.xs[3], 200, SLICE_NONE, -1, false);
    http_send(f.xs[3], SLICE("four"), false);
    expect_got("");
    http_respond(f.xs[0], 200, SLICE_NONE, 5, false);
    http_send(f.xs[0], SLICE("fir"), false);
    expect_got(OK_HEAD "content-length: 5\r\n\r\nfir");
    http_send(f.xs[0], SLICE("st"), true);
    expect_got("st" OK_HEAD "content-length: 6\r\n\r\nsecond" OK_HEAD
               "content-length: 4\r\n\r\n" OK_HEAD
               "transfer-encoding: chunked\r\n\r\n4\r\nfour\r\n");
    assert_int_equal(f.n_closed, 3);
    http_send_trailers(f.xs[3], SLICE("t: 1\r\n"));
    http_send(f.xs[3], SLICE_NONE, true);
    expect_got("0\r\nt: 1\r\n\r\n");
    assert_int_equal(f.n_closed, 4);
    stop();
}

static void server_bounds_what_it_reads_ahead(void **state)
{
    (void)state;
    start((struct http_limits){0});
    for (int i = 0; i < 50; i++)
        say(GET);
    assert_int_equal(f.n_requests, 32);
    f.answers = true;
    for (int i = 0; i < 32; i++)
        http_answer(f.xs[i], 200, SLICE_NONE, SLICE("ok"));
    read_all();
    assert_int_equal(f.n_requests, 50);
    assert_int_equal(f.n_closed, 50);
    assert_int_equal(buf_len(&f.got) % 50, 0);
    stop();
}

static void server_speaks_http_1_0(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    http_answer(f.xs[0], 200, SLICE_NONE, SLICE("ok"));
    expect_got(OK_HEAD "content-length: 2\r\nconnection: keep-alive\r\n\r\nok");
    say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    http_respond(f.xs[1], 200, SLICE_NONE, -1, false);
    http_send(f.xs[1], SLICE("until the end"), true);
    expect_got(OK_HEAD "connection: close\r\n\r\nuntil the end");
    assert_true(f.client_ended);
    stop();
}

static void server_closes_when_asked(void **state)
{
    (void)state;
    start((struct http_limits){0});
    f.answers = true;
    say("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    expect_got(OK_HEAD "content-length: 2\r\nconnection: close\r\n\r\nok");
    assert_true(f.client_ended);
    stop();
}

static void server_sends_interim_answers(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say(GET);
    http_respond(f.xs[0], 103, SLICE("link: </x>\r\n"), -1, false);
    http_answer(f.xs[0], 200, SLICE_NONE, SLICE("ok"));
    expect_got("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" OK2);
    stop();
}

static void server_keeps_promised_lengths(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say(GET);
    http_respond(f.xs[0], 200, SLICE_NONE, 2, false);
    http_send(f.xs[0], SLICE("ok and more"), true);
    expect_got(OK2);
    say(GET);
    http_respond(f.xs[1], 200, SLICE_NONE, 9, false);
    http_send(f.xs[1], SLICE("short"), true);
    read_all();
    assert_true(f.client_ended);
    assert_int_equal(f.reasons[1], -EBADMSG);
    stop();
}

/* --- bad requests --- */

static void server_refuses_after_the_good_ones(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say(GET "GET / HTTP/1.1\r\nHost : a\r\n\r\n" GET);
    assert_int_equal(f.n_requests, 1);
    expect_got("");
    http_answer(f.xs[0], 200, SLICE_NONE, SLICE("ok"));
    expect_got(OK2 REFUSED("400 Bad Request") "b\r\nBad Request\r\n1\r\n\n\r\n0\r\n\r\n");
    assert_true(f.client_ended);
    stop();
}

static void refused(const char *text, const char *status, struct http_limits limits)
{
    start(limits);
    say(text);
    read_all();
    if (!slice_starts(slice_skip(buf_slice(&f.got), 9), slice_of(status)))
        fail_msg("%s for %.60s", buf_cstr(&f.got), text);
    assert_true(f.client_ended);
    stop();
}

static void server_refuses_with_the_right_status(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf text = {0};
    struct http_limits small = {.head_max = 1000, .body_max = 10};

    refused("GET / HTTP/1.1\r\n\r\n", "400", small);
    refused("GET / HTTP/2.1\r\n" HOST "\r\n", "505", small);
    refused("CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", "501", small);
    refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", "501", small);
    refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n", "413", small);
    refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n",
            "413", small);
    refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", "400", small);
    buf_printf(&text, "GET /%01000d HTTP/1.1\r\n", 0);
    refused(buf_cstr(&text), "414", small);
    buf_clear(&text);
    buf_printf(&text, "GET / HTTP/1.1\r\n" HOST "X: %01000d", 0);
    refused(buf_cstr(&text), "431", small);
}

static void server_tells_the_owner_of_a_bad_body(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n");
    assert_int_equal(f.n_closed, 1);
    assert_int_equal(f.reasons[0], -EBADMSG);
    assert_int_equal(f.n_ends, 0);
    stop();
}

/* --- bodies --- */

static void server_stops_reading_a_body_that_nobody_takes(void **state)
{
    (void)state;
    static const char zeros[64 * 1024] = {0};

    start((struct http_limits){0});
    f.consumes = false;
    say("POST / HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n");
    for (int i = 0; i < 16; i++)
        say_slice(slice_from(zeros, sizeof(zeros)));
    size_t held = buf_len(&f.body);
    assert_in_range(held, WINDOW, WINDOW + sizeof(zeros));
    loop_advance(f.loop, 300LL * SECOND);
    assert_int_equal(f.n_closed, 0); /* it is our turn, so the client has no limit */
    http_consumed(f.xs[0], held);
    f.consumes = true;
    loop_run_ready(f.loop);
    assert_true(buf_len(&f.body) > held);
    stop();
}

static void server_sends_100_when_the_body_is_wanted(void **state)
{
    (void)state;
    static const char head[] =
        "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";

    start((struct http_limits){0});
    say(head);
    expect_got("");
    http_consumed(f.xs[0], 0);
    expect_got("HTTP/1.1 100 Continue\r\n\r\n");
    http_consumed(f.xs[0], 0);
    say("ab");
    http_answer(f.xs[0], 200, SLICE_NONE, SLICE("ok"));
    expect_got(OK2);

    say(head); /* and once more, refused: whether a body follows is not known, so it closes */
    http_answer(f.xs[1], 403, SLICE_NONE, SLICE_NONE);
    expect_got("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert_true(f.client_ended);
    stop();
}

static void server_throws_away_an_unwanted_body(void **state)
{
    (void)state;
    start((struct http_limits){0});
    f.answers = true;
    say("POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n01234");
    expect_got(OK2);
    assert_int_equal(f.n_closed, 1);
    say("56789" GET);
    expect_got(OK2);
    assert_int_equal(f.n_requests, 2);
    stop();
}

static void server_waits_for_a_slow_reader(void **state)
{
    (void)state;
    static const char zeros[64 * 1024] = {0};
    size_t sent = 0;

    start((struct http_limits){0});
    say(GET);
    http_respond(f.xs[0], 200, SLICE_NONE, -1, false);
    for (int i = 0; i < 1000 && http_send_room(f.xs[0]) > 0; i++) {
        http_send(f.xs[0], slice_from(zeros, sizeof(zeros)), false);
        sent += sizeof(zeros);
        loop_run_ready(f.loop);
    }
    assert_int_equal(http_send_room(f.xs[0]), 0);
    assert_true(sent < 1000 * sizeof(zeros));
    f.n_writable = 0;
    read_all();
    assert_int_equal(f.n_writable, 1);
    assert_true(http_send_room(f.xs[0]) > 0);
    http_send(f.xs[0], SLICE_NONE, true);
    read_all();
    assert_true(buf_len(&f.got) > sent);
    stop();
}

static int file_of(struct slice content)
{
    int fd = memfd_create("content", MFD_CLOEXEC);

    assert_int_equal(write(fd, content.ptr, content.len), content.len);
    return fd;
}

static void server_sends_files_between_bytes(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say(GET GET);
    http_respond(f.xs[1], 200, SLICE_NONE, -1, false);
    http_send(f.xs[1], SLICE("a"), false);
    http_send_file(f.xs[1], file_of(SLICE("0123456789")), 2, 3, false);
    http_send_file(f.xs[1], file_of(SLICE("xyz")), 0, 3, false);
    http_send(f.xs[1], SLICE("b"), true);
    http_respond(f.xs[0], 200, SLICE_NONE, 4, false);
    http_send_file(f.xs[0], file_of(SLICE("file")), 0, 4, true);
    expect_got(OK_HEAD
               "content-length: 4\r\n\r\nfile" OK_HEAD
               "transfer-encoding: chunked\r\n\r\n1\r\na\r\n3\r\n234\r\n3\r\nxyz\r\n1\r\nb\r\n"
               "0\r\n\r\n");
    assert_int_equal(f.n_closed, 2);
    say(GET);
    http_respond(f.xs[2], 200, SLICE_NONE, 9, false);
    http_send_file(f.xs[2], file_of(SLICE("short")), 0, 9, true);
    read_all();
    assert_true(f.client_ended); /* a file that shrank cannot be told otherwise */
    stop();
}

/* --- ends --- */

static void server_notices_a_lost_client(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say(GET);
    fd_release(&f.client);
    loop_run_ready(f.loop);
    assert_int_equal(f.n_closed, 1);
    assert_int_equal(f.reasons[0], -EPIPE);
    stop();
}

static void server_keeps_its_time_limits(void **state)
{
    (void)state;
    struct http_limits limits = {
        .head_timeout_ms = 1000, .idle_timeout_ms = 5000, .body_timeout_ms = 2000};
    start(limits);
    f.answers = true;
    say(GET);
    expect_got(OK2);
    loop_advance(f.loop, 4 * SECOND);
    say("GET / HT");
    loop_advance(f.loop, SECOND - 1000);
    say("TP/1.1\r\n"); /* a trickle does not move the limit */
    loop_advance(f.loop, 2000);
    expect_got(REFUSED("408 Request Timeout") "f\r\nRequest Timeout\r\n1\r\n\n\r\n0\r\n\r\n");
    assert_true(f.client_ended);
    stop();

    start(limits);
    say("POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n0");
    loop_advance(f.loop, 1 * SECOND);
    say("1");
    loop_advance(f.loop, 1 * SECOND + 500000);
    assert_int_equal(f.n_closed, 0);
    loop_advance(f.loop, 1 * SECOND);
    assert_int_equal(f.reasons[0], -ETIMEDOUT);
    stop();

    start(limits);
    f.answers = true;
    say(GET);
    loop_advance(f.loop, 5 * SECOND + 1000);
    expect_got(OK2);
    assert_true(f.client_ended);
    stop();
}

static void server_gives_up_on_a_client_that_does_not_read(void **state)
{
    (void)state;
    static const char zeros[64 * 1024] = {0};

    start((struct http_limits){.write_timeout_ms = 1000});
    say(GET);
    http_respond(f.xs[0], 200, SLICE_NONE, -1, false);
    for (int i = 0; i < 1000 && http_send_room(f.xs[0]) > 0; i++) {
        http_send(f.xs[0], slice_from(zeros, sizeof(zeros)), false);
        loop_run_ready(f.loop);
    }
    loop_advance(f.loop, 1 * SECOND + 1000);
    assert_int_equal(f.reasons[0], -ETIMEDOUT);
    stop();
}

static void server_aborts(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say(GET);
    http_abort(f.xs[0]);
    assert_int_equal(f.n_closed, 0);
    loop_run_ready(f.loop);
    assert_int_equal(f.reasons[0], -ECANCELED);
    stop();
}

static void server_drains(void **state)
{
    (void)state;
    start((struct http_limits){0});
    int idle = client_open();
    f.answers = true;
    f.client = idle;
    say(GET);
    expect_got(OK2);
    f.answers = false;
    f.client = -1;
    say(GET);
    http_server_drain(f.server, on_drained, NULL);
    loop_run_ready(f.loop);
    assert_false(f.drained);
    char c;
    assert_int_equal(recv(idle, &c, 1, MSG_DONTWAIT), 0);
    http_answer(f.xs[1], 200, SLICE_NONE, SLICE("ok"));
    loop_advance(f.loop, 0);
    say(GET); /* too late */
    expect_got(OK_HEAD "content-length: 2\r\nconnection: close\r\n\r\nok");
    assert_true(f.drained);
    assert_int_equal(f.n_requests, 2);
    fd_release(&idle);
    stop();
}

static void server_bounds_connections(void **state)
{
    (void)state;
    start((struct http_limits){.connections_max = 1});
    f.answers = true;
    say(GET);
    expect_got(OK2);
    int first = f.client;
    f.client = -1;
    say(GET);
    expect_got("");
    fd_release(&first);
    expect_got(OK2);
    stop();
}

/* --- a change of protocol --- */

#define UPGRADE "GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: Echo\r\n\r\n"

static void server_switches_protocols(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say(UPGRADE "early");
    assert_true(slice_eq(http_request_of(f.xs[0])->upgrade, SLICE("echo")));
    assert_int_equal(buf_len(&f.body), 0);
    http_switch(f.xs[0], SLICE("echo"), SLICE("x: y\r\n"));
    expect_got(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\nx: y\r\n"
        "\r\n");
    say(" and " GET);
    assert_true(slice_eq(buf_slice(&f.body), SLICE("early and " GET)));
    assert_int_equal(f.n_requests, 1);
    http_send(f.xs[0], SLICE("raw"), false);
    expect_got("raw");
    assert_int_equal(shutdown(f.client, SHUT_WR), 0);
    loop_run_ready(f.loop);
    assert_int_equal(f.n_ends, 1);
    http_send(f.xs[0], SLICE("bye"), true);
    expect_got("bye");
    assert_true(f.client_ended);
    assert_int_equal(f.reasons[0], 0);
    stop();
}

static void server_may_refuse_to_switch(void **state)
{
    (void)state;
    start((struct http_limits){0});
    say(UPGRADE GET);
    assert_int_equal(f.n_requests, 1);
    http_answer(f.xs[0], 200, SLICE_NONE, SLICE("ok"));
    expect_got(OK2);
    assert_int_equal(f.n_requests, 2);
    http_switch(f.xs[1], SLICE("echo"), SLICE_NONE); /* was not asked for: no effect */
    http_answer(f.xs[1], 200, SLICE_NONE, SLICE("ok"));
    expect_got(OK2);
    stop();
}

int http_server_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_answers),
        cmocka_unit_test(server_reads_in_any_pieces),
        cmocka_unit_test(server_keeps_the_order_of_pipelined_requests),
        cmocka_unit_test(server_bounds_what_it_reads_ahead),
        cmocka_unit_test(server_speaks_http_1_0),
        cmocka_unit_test(server_closes_when_asked),
        cmocka_unit_test(server_sends_interim_answers),
        cmocka_unit_test(server_keeps_promised_lengths),
        cmocka_unit_test(server_refuses_after_the_good_ones),
        cmocka_unit_test(server_refuses_with_the_right_status),
        cmocka_unit_test(server_tells_the_owner_of_a_bad_body),
        cmocka_unit_test(server_stops_reading_a_body_that_nobody_takes),
        cmocka_unit_test(server_sends_100_when_the_body_is_wanted),
        cmocka_unit_test(server_throws_away_an_unwanted_body),
        cmocka_unit_test(server_waits_for_a_slow_reader),
        cmocka_unit_test(server_sends_files_between_bytes),
        cmocka_unit_test(server_notices_a_lost_client),
        cmocka_unit_test(server_keeps_its_time_limits),
        cmocka_unit_test(server_gives_up_on_a_client_that_does_not_read),
        cmocka_unit_test(server_aborts),
        cmocka_unit_test(server_drains),
        cmocka_unit_test(server_bounds_connections),
        cmocka_unit_test(server_switches_protocols),
        cmocka_unit_test(server_may_refuse_to_switch),
    };
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
