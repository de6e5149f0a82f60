/*
 * Calls from a pool thread over a real wire, whose other end is played on the same loop.
 */
#include "api_test.h"

#include "api/call.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { OP_ECHO = 1, OP_SILENCE, OP_REFUSE, OP_BIG, OP_NOTE };

static struct {
    struct loop *loop;
    struct work_pool *pool;
    struct api api;
    struct api_peer *peer;
    struct wire *other;
    bool done;
} t;

/* --- the other side: echoes bodies --- */

struct echo {
    struct wire_stream *stream;
    struct buf body;
};

static void echo_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct echo *e = wire_stream_user(s);
    buf_append_slice(&e->body, bytes);
    wire_consumed(s, bytes.len);
    if (!end)
        return;
    wire_reply(s, SLICE("args back"), -1, false);
    wire_send(s, buf_slice(&e->body), true);
    wire_stream_close(s, 0);
    buf_done(&e->body);
    free(e);
}

static void echo_reset(struct wire_stream *s, int reason)
{
    struct echo *e = wire_stream_user(s);
    (void)reason;
    wire_stream_close(s, 0);
    buf_done(&e->body);
    free(e);
}

static const struct wire_stream_events echo_events = {.data = echo_data, .reset = echo_reset};

static void other_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                       int fd, bool end)
{
    struct echo *e;
    (void)w, (void)args, (void)fd, (void)end;
    switch (op) {
    case OP_REFUSE:
        wire_stream_close(s, -EACCES);
        return;
    case OP_BIG:
        wire_reply(s, SLICE(""), -1, false);
        wire_send(s, SLICE("0123456789"), true);
        wire_stream_close(s, 0);
        return;
    default:
        e = mem_new(sizeof(*e));
        e->stream = s;
        wire_stream_own(s, &echo_events, e);
    }
}

static void other_closed(struct wire *w, int reason)
{
    (void)reason;
    wire_destroy(w);
    t.other = NULL;
}

static const struct wire_events other_events = {.open = other_open, .closed = other_closed};

/* --- the calling side --- */

struct job {
    struct work work;
    void (*run)(struct api_request *req);
};

static void job_run(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct api_request req;
    api_request_init(&req, &t.api);
    job->run(&req);
    api_request_done(&req);
}

static void job_done(struct work *work)
{
    (void)work;
    t.done = true;
}

static void on_pool(void (*run)(struct api_request *req))
{
    struct job job = {.work = {.run = job_run, .done = job_done}, .run = run};
    t.done = false;
    work_start(t.pool, &job.work);
    while (!t.done)
        loop_turn(t.loop, 100);
    for (int i = 0; i < 3; i++)
        loop_turn(t.loop, 0);
}

static void calls_echo(struct api_request *req)
{
    AUTO(buf_done) struct buf body = {0};
    struct api_reply reply;
    for (int i = 0; i < 1000 * 1000; i++)
        buf_append_char(&body, (char)i);
    struct api_call call = {.peer = t.peer,
                            .op = OP_ECHO,
                            .args = SLICE("x"),
                            .body = buf_slice(&body),
                            .has_body = true,
                            .reply_max = 2 * 1000 * 1000};
    EXPECT_EQ(api_call(req, &call, &reply), 0);
    EXPECT_SLICE(reply.args, "args back");
    EXPECT(slice_eq(reply.body, buf_slice(&body)));
}

static void calls_that_fail(struct api_request *req)
{
    struct api_reply reply;
    struct api_call silence = {.peer = t.peer, .op = OP_SILENCE, .timeout_ms = 50};
    EXPECT_EQ(api_call(req, &silence, &reply), -ETIMEDOUT);
    struct api_call refuse = {.peer = t.peer, .op = OP_REFUSE};
    EXPECT_EQ(api_call(req, &refuse, &reply), -EACCES);
    struct api_call big = {.peer = t.peer, .op = OP_BIG, .reply_max = 5};
    EXPECT_EQ(api_call(req, &big, &reply), -E2BIG);
    struct api_call nobody = {.peer = NULL, .op = OP_ECHO};
    EXPECT_EQ(api_call(req, &nobody, &reply), -EPIPE);
}

static void call_dropped_stream(struct api_request *req)
{
    struct api_reply reply;
    struct api_call call = {.peer = t.peer, .op = OP_BIG, .stream = true};
    EXPECT_EQ(api_call(req, &call, &reply), 0);
    assert_non_null(reply.stream);
    api_stream_drop(reply.stream);
}

static void call_job(struct api_request *req)
{
    int ends[2];
    uint16_t op = 0;
    AUTO(buf_done) struct buf args = {0};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    AUTO(api_peer_release) struct api_peer *job = api_peer_adopt(req->api, ends[0]);
    EXPECT_EQ(api_peer_wait(job, 30, &op, &args), -ETIMEDOUT);
    close(ends[1]);
    EXPECT_EQ(api_peer_wait(job, 1000, &op, &args), -EPIPE);
}

struct collect {
    struct api_sink sink;
    struct buf body;
    bool ended;
};

static struct api_stream *kept;

static void call_kept_stream(struct api_request *req)
{
    struct api_reply reply;
    struct api_call call = {.peer = t.peer, .op = OP_BIG, .stream = true};
    EXPECT_EQ(api_call(req, &call, &reply), 0);
    kept = reply.stream;
}

static void collect_data(struct api_sink *sink, struct slice bytes, bool end, int reason)
{
    struct collect *c = CONTAINER_OF(sink, struct collect, sink);
    EXPECT_EQ(reason, 0);
    buf_append_slice(&c->body, bytes);
    c->ended = c->ended || end;
    api_stream_consumed(kept, bytes.len);
}

static void test_calls(void **state)
{
    (void)state;
    on_pool(calls_echo);
    on_pool(calls_that_fail);
    on_pool(call_dropped_stream);
    on_pool(call_job);
}

static void test_stream(void **state)
{
    (void)state;
    struct collect c = {.sink.data = collect_data};
    on_pool(call_kept_stream);
    api_stream_start(kept, &c.sink);
    for (int i = 0; i < 10 && !c.ended; i++)
        loop_turn(t.loop, 10);
    EXPECT(c.ended);
    EXPECT_SLICE(buf_slice(&c.body), "0123456789");
    api_stream_close(kept);
    buf_done(&c.body);
}

static void call_after_loss(struct api_request *req)
{
    struct api_reply reply;
    struct api_call call = {.peer = t.peer, .op = OP_ECHO};
    EXPECT_EQ(api_call(req, &call, &reply), -EPIPE);
}

static void test_lost_wire(void **state)
{
    (void)state;
    wire_destroy(t.other);
    t.other = NULL;
    for (int i = 0; i < 5; i++)
        loop_turn(t.loop, 10);
    assert_null(api_peer_wire(t.peer));
    on_pool(call_after_loss);
}

static int setup(void **state)
{
    int ends[2];
    (void)state;
    t.loop = loop_create();
    t.pool = work_pool_create(t.loop, 2);
    t.api.loop = t.loop;
    t.peer = api_peer_create(t.loop, NULL, NULL);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return 1;
    api_peer_connect(t.peer, ends[0], 1);
    t.other = wire_create(t.loop, ends[1], 0, &other_events, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    work_pool_destroy(t.pool);
    api_peer_destroy(t.peer);
    if (t.other != NULL)
        wire_destroy(t.other);
    loop_destroy(t.loop);
    return 0;
}

int call_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_lost_wire),
    };
    return cmocka_run_group_tests_name("call", tests, setup, teardown);
}
