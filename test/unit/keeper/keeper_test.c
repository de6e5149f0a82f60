#include "keeper_test.h"

#include "product/isolate.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct buf args;

/* --- the neighbours of the natives, which these tests do not run --- */

struct binding *isolate_binding(struct isolate *iso, double index)
{
    (void)iso;
    (void)index;
    return NULL;
}

int isolate_mount_path(struct isolate *iso, const char *target, char *buf, size_t size)
{
    (void)iso;
    (void)target;
    (void)buf;
    (void)size;
    return -ENOENT;
}

js_value isolate_keeper_call(js_context ctx, uint16_t op, struct slice a, js_value body,
                             js_value callback)
{
    (void)op;
    (void)a;
    (void)body;
    (void)callback;
    return js_undefined(ctx);
}

struct work_pool *isolate_pool(struct isolate *iso)
{
    (void)iso;
    return NULL;
}

struct loop *isolate_loop(struct isolate *iso)
{
    (void)iso;
    return NULL;
}

struct wire *isolate_keeper(struct isolate *iso)
{
    (void)iso;
    return NULL;
}

struct wire *isolate_gateway(struct isolate *iso)
{
    (void)iso;
    return NULL;
}

void isolate_run_callback(struct isolate *iso, js_value fn, const js_value *values, size_t n)
{
    (void)iso;
    (void)fn;
    (void)values;
    (void)n;
}

void isolate_on_turn(struct isolate *iso, void (*run)(void *arg), void *arg)
{
    (void)iso;
    (void)run;
    (void)arg;
}

/* --- peers --- */

static void peer_closed(struct wire *w, int reason)
{
    struct peer *p = wire_user(w);
    (void)reason;
    p->closed = true;
}

static void peer_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice a, int fd,
                      bool end)
{
    (void)w;
    (void)op;
    (void)a;
    (void)fd;
    (void)end;
    wire_stream_close(s, -EINVAL);
}

static const struct wire_events peer_events = {.open = peer_open, .closed = peer_closed};

void peer_connect(struct peer *p, struct loop *loop, int fd)
{
    p->loop = loop;
    p->closed = false;
    p->wire = wire_create(loop, fd, 1, &peer_events, p);
}

struct sending {
    struct answer *answer;
    struct slice body;
};

static void call_send(struct wire_stream *s)
{
    struct sending *c = wire_stream_user(s);
    if (c->body.ptr == NULL)
        return;
    size_t n = MIN(c->body.len, wire_send_room(s));
    bool end = n == c->body.len;
    wire_send(s, slice_from(c->body.ptr, n), end);
    c->body = end ? SLICE_NONE : slice_skip(c->body, n);
}

static void call_over(struct wire_stream *s, int reset)
{
    struct sending *c = wire_stream_user(s);
    if (!c->answer->over)
        c->answer->reset = reset;
    c->answer->over = true;
    wire_stream_close(s, 0);
    free(c);
}

static void call_reply(struct wire_stream *s, struct slice a, int fd, bool end)
{
    struct sending *c = wire_stream_user(s);
    struct msg_done m;
    (void)fd;
    assert_int_equal(msg_done_unpack(a, &m), 0);
    c->answer->result = m.result;
    buf_append_slice(&c->answer->text, m.text);
    buf_append_slice(&c->answer->json, m.json);
    if (end)
        call_over(s, 0);
}

static void call_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct sending *c = wire_stream_user(s);
    buf_append_slice(&c->answer->body, bytes);
    wire_consumed(s, bytes.len);
    if (end)
        call_over(s, 0);
}

static const struct wire_stream_events call_events = {
    .reply = call_reply, .data = call_data, .writable = call_send, .reset = call_over};

void call_start(struct peer *p, uint16_t op, struct buf *a, struct slice body, struct answer *ret)
{
    struct sending *c = calloc(1, sizeof(*c));
    answer_done(ret);
    *ret = (struct answer){0};
    c->answer = ret;
    c->body = body;
    struct wire_stream *s =
        wire_open(p->wire, op, buf_slice(a), -1, body.ptr == NULL, &call_events, c);
    if (s == NULL) {
        ret->over = true;
        ret->reset = -EPIPE;
        free(c);
        return;
    }
    call_send(s);
}

void answer_wait(struct peer *p, struct answer *a)
{
    while (!a->over && !p->closed)
        loop_turn(p->loop, 1000);
}

void answer_done(struct answer *a)
{
    buf_done(&a->text);
    buf_done(&a->json);
    buf_done(&a->body);
}

struct answer *call(struct peer *p, uint16_t op, struct buf *a, struct slice body)
{
    static struct answer answer;
    call_start(p, op, a, body, &answer);
    answer_wait(p, &answer);
    return &answer;
}

struct slice json_of(struct answer *a)
{
    return buf_len(&a->json) > 0 ? buf_slice(&a->json) : buf_slice(&a->body);
}

/* --- the fixture --- */

static const char fixture_spec[] =
    "{\"bindings\":[{\"name\":\"V\",\"type\":\"plain_text\",\"text\":\"x\"},"
    "{\"name\":\"KV\",\"type\":\"kv_namespace\",\"store\":\"kv/one\",\"mount\":\"kv-one\"},"
    "{\"name\":\"DB\",\"type\":\"d1\",\"store\":\"d1/one\",\"mount\":\"d1-one\"},"
    "{\"name\":\"B\",\"type\":\"r2_bucket\",\"store\":\"r2/one\",\"mount\":\"r2-one\"}]}";

static void fixture_begin(struct keeper_fixture *f)
{
    int pair[2];
    struct keeper_options options = {.root = f->root, .boot = "one", .n_threads = 4};
    assert_int_equal(keeper_create(f->loop, &options, &f->keeper, NULL), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    keeper_add_control(f->keeper, pair[0]);
    peer_connect(&f->control, f->loop, pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(keeper_add_isolate(f->keeper, pair[0], 1, SLICE(fixture_spec)), 0);
    peer_connect(&f->isolate, f->loop, pair[1]);
}

static void fixture_end(struct keeper_fixture *f)
{
    keeper_destroy(f->keeper);
    wire_destroy(f->control.wire);
    wire_destroy(f->isolate.wire);
}

void keeper_restart(struct keeper_fixture *f)
{
    fixture_end(f);
    fixture_begin(f);
}

int keeper_setup(void **state)
{
    struct keeper_fixture *f = calloc(1, sizeof(*f));
    const char *base = getenv("SELVEDGE_TEST_DIR");
    snprintf(f->root, sizeof(f->root), "%s/selvedge-keeper-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(f->root));
    f->loop = loop_create();
    fixture_begin(f);
    static const char *const stores[] = {"kv/one", "d1/one", "r2/one"};
    for (size_t i = 0; i < ARRAY_LEN(stores); i++) {
        PACK(&args, store_make, .store = slice_of(stores[i]));
        call(&f->control, OP_store_make, &args, SLICE_NONE);
    }
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int keeper_teardown(void **state)
{
    struct keeper_fixture *f = *state;
    fixture_end(f);
    loop_destroy(f->loop);
    nftw(f->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

int main(void)
{
    int n = keeper_kv_tests() + keeper_d1_tests() + keeper_r2_tests() + keeper_object_tests() +
            keeper_crash_tests();
    buf_done(&args);
    return n;
}
