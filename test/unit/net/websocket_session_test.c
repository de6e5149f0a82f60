/* Two sessions back to back; and a client of ours against our server, in clear and over TLS. */
#include "net_tests.h"

#include "core/file.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "net/websocket_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 3000, PEM_MAX = 65536, LARGE = 300 * 1000 };

/* --- two sessions --- */

struct end {
    struct websocket_session session;
    struct end *peer;
    struct buf out;  /* for the peer */
    struct buf seen; /* messages, "type:payload;" or their length */
    int failed;
};

static void end_message(void *arg, const struct websocket_message *m)
{
    struct end *e = arg;

    if (m->type == WEBSOCKET_CLOSE)
        buf_printf(&e->seen, "close %d:%.*s;", m->close_code, SLICE_ARG(m->payload));
    else if (m->payload.len > 100)
        buf_printf(&e->seen, "%d:%zu bytes;", m->type, m->payload.len);
    else
        buf_printf(&e->seen, "%d:%.*s;", m->type, SLICE_ARG(m->payload));
}

static void end_send(void *arg, struct slice bytes)
{
    buf_append_slice(&((struct end *)arg)->out, bytes);
}

static void end_failed(void *arg, int code, UNUSED struct slice why)
{
    ((struct end *)arg)->failed = code;
}

static const struct websocket_session_events end_events = {end_message, end_send, end_failed};

static void pair_open(struct end *client, struct end *server, bool compress)
{
    struct websocket_deflate_terms terms = {.agreed = compress, .our_bits = 15};

    *client = (struct end){.peer = server};
    *server = (struct end){.peer = client};
    websocket_session_init(&client->session, &end_events, client, true);
    websocket_session_init(&server->session, &end_events, server, false);
    websocket_session_compress(&client->session, &terms);
    websocket_session_compress(&server->session, &terms);
}

static void pair_close(struct end *client, struct end *server)
{
    for (struct end *e = client;; e = server) {
        websocket_session_done(&e->session);
        buf_done(&e->out);
        buf_done(&e->seen);
        if (e == server)
            return;
    }
}

/* Passes what both have sent, `piece` bytes at a time. */
static void pair_pass(struct end *client, struct end *server, size_t piece)
{
    for (struct end *e = client; buf_len(&client->out) + buf_len(&server->out) > 0; e = e->peer) {
        size_t n = MIN(piece, buf_len(&e->out));
        AUTO(buf_done) struct buf bytes = {0};
        buf_append(&bytes, buf_slice(&e->out).ptr, n);
        buf_consume(&e->out, n);
        websocket_session_input(&e->peer->session, buf_slice(&bytes));
    }
}

static void send_text(struct end *e, struct slice text)
{
    websocket_session_send(&e->session, &(struct websocket_part){.type = WEBSOCKET_TEXT,
                                                                 .length = text.len,
                                                                 .first = true,
                                                                 .last = true,
                                                                 .bytes = text});
}

static void send_parts(struct end *e, struct slice bytes, size_t piece)
{
    size_t length = bytes.len;

    for (bool first = true; bytes.len > 0; first = false) {
        struct slice part = {bytes.ptr, MIN(piece, bytes.len)};
        bytes = slice_skip(bytes, part.len);
        websocket_session_send(&e->session, &(struct websocket_part){.type = WEBSOCKET_BINARY,
                                                                     .length = length,
                                                                     .first = first,
                                                                     .last = bytes.len == 0,
                                                                     .bytes = part});
    }
}

static void exchange(bool compress, size_t piece)
{
    static const char zeros[LARGE] = {0};
    struct end client, server;

    pair_open(&client, &server, compress);
    send_text(&client, SLICE("hello"));
    send_text(&server, SLICE(""));
    send_text(&client, slice_from(zeros, 1000));
    send_parts(&server, slice_from(zeros, sizeof(zeros)), 64 * 1024);
    websocket_session_ping(&server.session);
    send_text(&client, SLICE("after"));
    if (compress)
        assert_true(buf_len(&server.out) < LARGE / 10);
    pair_pass(&client, &server, piece);
    websocket_session_close(&client.session, 4000, SLICE("bye"));
    send_text(&client, SLICE("never sent"));
    pair_pass(&client, &server, piece);
    assert_true(server.session.close_received && !websocket_session_is_over(&server.session));
    websocket_session_close(&server.session, 1000, SLICE(""));
    pair_pass(&client, &server, piece);
    assert_true(websocket_session_is_over(&client.session));
    assert_true(websocket_session_is_over(&server.session));
    assert_string_equal(buf_cstr(&server.seen), "1:hello;1:1000 bytes;1:after;close 4000:bye;");
    assert_string_equal(buf_cstr(&client.seen), "1:;2:300000 bytes;close 1000:;");
    pair_close(&client, &server);
}

static void session_exchanges(UNUSED void **state)
{
    exchange(false, 1000000);
    exchange(true, 1000000);
    exchange(false, 999);
    exchange(true, 7);
}

static const struct {
    struct slice in;
    bool compress;
    int code;
} breaches[] = {
    {{"\x81\x05Hello", 7}, false, 1002},
    {{"\xc1\x80\x00\x00\x00\x00", 6}, false, 1002},
    {{"\xc0\x80\x00\x00\x00\x00", 6}, true, 1002},             /* RSV1 on a continuation */
    {{"\xc9\x80\x00\x00\x00\x00", 6}, true, 1002},             /* ... on a ping */
    {{"\xc1\x83\x00\x00\x00\x00\xff\xff\xff", 9}, true, 1002}, /* no deflate */
    {{"\xc1\x83\x00\x00\x00\x00\x6a\x02\x00", 9}, true, 1007}, /* inflates to 0x82 */
    {{"\x82\xff\x00\x00\x00\x00\x7f\x00\x00\x00\x00\x00\x00\x00", 14}, false, 1009},
};

static void session_refuses(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(breaches); i++) {
        struct end client, server;
        pair_open(&client, &server, breaches[i].compress);
        websocket_session_input(&server.session, breaches[i].in);
        if (server.failed != breaches[i].code)
            fail_msg("breach %zu: %d", i, server.failed);
        assert_true(server.session.close_sent);
        const uint8_t *out = (const uint8_t *)buf_slice(&server.out).ptr;
        assert_int_equal(out[0], 0x88);
        assert_int_equal(out[2] << 8 | out[3], breaches[i].code);
        size_t sent = buf_len(&server.out);
        websocket_session_input(&server.session, SLICE("\x89\x80\x00\x00\x00\x00"));
        send_text(&server, SLICE("x"));
        assert_int_equal(buf_len(&server.out), sent);
        pair_close(&client, &server);
    }
}

/* --- the client --- */

static struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct http_client *client;
    uint16_t port;

    struct http_exchange *exchange;
    struct websocket_session session; /* the server's */

    int status, result;
    bool switched, is_done;
    struct buf body, seen;
    struct err err;
} f;

static void echo_message(UNUSED void *arg, const struct websocket_message *m)
{
    if (m->type == WEBSOCKET_CLOSE)
        websocket_session_close(&f.session, m->close_code, m->payload);
    else
        websocket_session_send(&f.session, &(struct websocket_part){.type = m->type,
                                                                    .length = m->payload.len,
                                                                    .first = true,
                                                                    .last = true,
                                                                    .bytes = m->payload});
}

static void echo_send(UNUSED void *arg, struct slice bytes)
{
    http_send(f.exchange, bytes, false);
}

static void echo_failed(UNUSED void *arg, UNUSED int code, UNUSED struct slice why) {}

static const struct websocket_session_events echo_events = {echo_message, echo_send, echo_failed};

static void server_request(struct http_exchange *x, UNUSED void *arg)
{
    AUTO(buf_done) struct buf headers = {0}, extension = {0};
    struct websocket_deflate_terms terms;

    f.exchange = x;
    if (slice_eq(http_request_of(x)->target, SLICE("/no"))) {
        http_answer(x, 403, SLICE("x-why: no\r\n"), SLICE("not here"));
        return;
    }
    assert_int_equal(websocket_accept(http_request_of(x), &headers), 0);
    websocket_deflate_accept(http_request_of(x)->headers, &terms, &extension);
    assert_true(terms.agreed);
    http_header_add(&headers, SLICE("sec-websocket-extensions"), buf_slice(&extension));
    http_switch(x, SLICE("websocket"), buf_slice(&headers));
    websocket_session_init(&f.session, &echo_events, NULL, false);
    websocket_session_compress(&f.session, &terms);
}

static void server_body(struct http_exchange *x, struct slice bytes, bool end)
{
    websocket_session_input(&f.session, bytes);
    http_consumed(x, bytes.len);
    if (end || websocket_session_is_over(&f.session))
        http_send(x, SLICE_NONE, true);
}

static void server_writable(UNUSED struct http_exchange *x) {}

static void server_closed(UNUSED struct http_exchange *x, UNUSED int reason)
{
    websocket_session_done(&f.session);
}

static const struct http_server_events server_events = {server_request, server_body,
                                                        server_writable, server_closed};

static void client_head(UNUSED struct websocket_client *w, int status, UNUSED struct slice headers,
                        bool switched)
{
    f.status = status;
    f.switched = switched;
}

static void client_body(struct websocket_client *w, struct slice bytes)
{
    buf_append_slice(&f.body, bytes);
    websocket_client_consumed(w);
}

static void client_message(UNUSED struct websocket_client *w, const struct websocket_message *m)
{
    if (m->type == WEBSOCKET_CLOSE)
        buf_printf(&f.seen, "close %d:%.*s;", m->close_code, SLICE_ARG(m->payload));
    else
        buf_printf(&f.seen, "%d:%zu;", m->type, m->payload.len);
}

static void client_failed(UNUSED struct websocket_client *w, int code, UNUSED struct slice why)
{
    buf_printf(&f.seen, "failed %d;", code);
}

static void client_pause(struct websocket_client *w)
{
    websocket_client_consumed(w);
}

static void client_writable(UNUSED struct websocket_client *w) {}

static void client_done(UNUSED struct websocket_client *w, int r, const struct err *err)
{
    f.is_done = true;
    f.result = r;
    if (err != NULL)
        f.err = *err;
}

static const struct websocket_client_events client_events = {
    client_head,  client_body,     client_message, client_failed,
    client_pause, client_writable, client_done};

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

static void start(struct tls_context *tls, const char *authorities, bool allowed)
{
    static const char *const allow[] = {"127.0.0.0/8", NULL};

    f = (struct fixture){0};
    f.loop = loop_create();
    f.server =
        http_server_create(&(struct http_server_options){.loop = f.loop, .events = &server_events});
    assert_int_equal(http_server_listen(f.server, listener_open(), tls), 0);
    f.client = http_client_create(&(struct http_client_options){
        .loop = f.loop, .allow = allowed ? allow : NULL, .authorities_pem = authorities});
    assert_non_null(f.client);
}

static void stop(void)
{
    http_client_destroy(f.client);
    http_server_destroy(f.server);
    loop_destroy(f.loop);
    buf_done(&f.body);
    buf_done(&f.seen);
}

static struct websocket_client *begin(const char *scheme, const char *path)
{
    char url[64];

    f.is_done = f.switched = false;
    f.status = 0;
    (void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u%s", scheme, (unsigned)f.port, path);
    return websocket_client_start(
        f.client, &client_events,
        &(struct websocket_client_request){.url = slice_of(url), .headers = SLICE("a: b\r\n")});
}

static void turn_until(const bool *flag)
{
    for (int i = 0; i < TURNS_MAX && !*flag && !f.is_done; i++)
        loop_turn(f.loop, 10);
    assert_true(*flag);
}

static void echo_over(const char *scheme)
{
    static char large[LARGE];
    struct websocket_client *w = begin(scheme, "/echo");

    turn_until(&f.switched);
    assert_int_equal(f.status, 101);
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)(i * 2654435761u >> 13);
    for (int i = 0; i < 5; i++)
        websocket_client_send(w, &(struct websocket_part){.type = WEBSOCKET_BINARY,
                                                          .length = sizeof(large),
                                                          .first = true,
                                                          .last = true,
                                                          .bytes = slice_from(large, LARGE)});
    websocket_client_close(w, 4001, SLICE("done"));
    turn_until(&f.is_done);
    assert_int_equal(f.result, 0);
    assert_string_equal(buf_cstr(&f.seen),
                        "2:300000;2:300000;2:300000;2:300000;2:300000;close 4001:done;");
}

static void client_echoes(UNUSED void **state)
{
    start(NULL, NULL, true);
    echo_over("http");
    stop();
}

static void client_takes_plain_answers(UNUSED void **state)
{
    start(NULL, NULL, true);
    (void)begin("http", "/no");
    turn_until(&f.is_done);
    assert_int_equal(f.result, 0);
    assert_int_equal(f.status, 403);
    assert_false(f.switched);
    assert_string_equal(buf_cstr(&f.body), "not here");
    stop();
}

static void client_is_refused(UNUSED void **state)
{
    start(NULL, NULL, false);
    (void)begin("http", "/echo");
    turn_until(&f.is_done);
    assert_int_equal(f.result, -EACCES);
    (void)begin("ftp", "/echo");
    turn_until(&f.is_done);
    assert_int_equal(f.result, -EINVAL);
    stop();
}

static void client_cancels_anywhere(UNUSED void **state)
{
    start(NULL, NULL, true);
    for (int turns = 0; turns < 12; turns++) {
        struct websocket_client *w = begin("http", "/echo");
        for (int i = 0; i < turns; i++)
            loop_turn(f.loop, 2);
        websocket_client_cancel(w);
        for (int i = 0; i < 5; i++)
            loop_turn(f.loop, 1);
        assert_false(f.is_done);
    }
    struct websocket_client *w = begin("http", "/echo");
    turn_until(&f.switched);
    stop(); /* ends it */
    (void)w;
    assert_int_equal(f.result, -ECANCELED);
}

static void client_speaks_tls(UNUSED void **state)
{
    AUTO(buf_done) struct buf cert = {0}, key = {0}, root = {0};
    char dir[] = "/tmp/selvedge-websocket-XXXXXX";
    struct tls_context *tls = NULL;
    struct err err;

    assert_non_null(mkdtemp(dir));
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(tls_authority_ensure(dir_fd, "localhost", &err), 0);
    assert_int_equal(file_read(dir_fd, "server.crt", PEM_MAX, &cert), 0);
    assert_int_equal(file_read(dir_fd, "server.key", PEM_MAX, &key), 0);
    assert_int_equal(file_read(dir_fd, "authority.crt", PEM_MAX, &root), 0);
    assert_int_equal(tls_context_create(buf_slice(&cert), buf_slice(&key), &tls, &err), 0);
    start(tls, buf_cstr(&root), true);
    echo_over("https");
    stop();
    start(tls, NULL, true);
    (void)begin("https", "/echo");
    turn_until(&f.is_done);
    assert_int_equal(f.result, -EBADMSG);
    assert_true(strstr(f.err.text, "TLS") != NULL);
    stop();
    tls_context_destroy(tls);
    fd_release(&dir_fd);
    assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
}

int websocket_session_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_exchanges), cmocka_unit_test(session_refuses),
        cmocka_unit_test(client_echoes),     cmocka_unit_test(client_takes_plain_answers),
        cmocka_unit_test(client_is_refused), cmocka_unit_test(client_cancels_anywhere),
        cmocka_unit_test(client_speaks_tls)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
