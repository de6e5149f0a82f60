/*
 * Both ends of a wire in one process: what is said here arrives there, in order, within limits.
 */
#include "proc/wire.h"

#include "unit/unit.h"

#include "core/list.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { OP_ASK = 7, OP_TELL = 9 };

struct side {
    struct wire *wire;
    struct wire_stream *stream; /* last accepted or opened */
    struct buf bytes;           /* all DATA */
    unsigned n_open, n_reply, n_reset, n_closed, n_notes, n_writable;
    int last_reset, last_closed, last_fd;
    uint16_t last_op;
    uint32_t last_note_stream;
    bool ended, consume, auto_reply, close_on_open, destroy_on_open;
    char text[64];
    struct wire_stream *open[WIRE_STREAMS_MAX]; /* accepted, not closed by the test */
};

struct world {
    struct loop *loop;
    struct side a, b; /* a is side 0 */
    int raw;          /* instead of b */
};

static void side_text(struct side *side, struct slice args)
{
    size_t n = MIN(args.len, sizeof(side->text) - 1);
    if (n > 0)
        memcpy(side->text, args.ptr, n);
    side->text[n] = '\0';
}

static void side_close(struct side *side, struct wire_stream *s, int reason)
{
    for (unsigned i = 0; i < side->n_open; i++) {
        if (side->open[i] == s)
            side->open[i] = NULL;
    }
    wire_stream_close(s, reason);
}

static void side_done(struct side *side)
{
    wire_destroy(side->wire);
    for (unsigned i = 0; i < side->n_open; i++) {
        if (side->open[i] != NULL)
            wire_stream_close(side->open[i], 0);
    }
    buf_done(&side->bytes);
}

static void on_reply(struct wire_stream *s, struct slice args, int fd, bool end)
{
    struct side *side = wire_stream_user(s);
    side->n_reply++;
    side->ended = end;
    side->last_fd = fd;
    side_text(side, args);
}

static void on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct side *side = wire_stream_user(s);
    buf_append_slice(&side->bytes, bytes);
    side->ended = end;
    if (side->consume)
        wire_consumed(s, bytes.len);
}

static void on_writable(struct wire_stream *s)
{
    struct side *side = wire_stream_user(s);
    side->n_writable++;
}

static void on_reset(struct wire_stream *s, int reason)
{
    struct side *side = wire_stream_user(s);
    side->n_reset++;
    side->last_reset = reason;
}

static const struct wire_stream_events stream_events = {
    .reply = on_reply, .data = on_data, .writable = on_writable, .reset = on_reset};

static void on_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args, int fd,
                    bool end)
{
    struct side *side = wire_user(w);
    side->n_open++;
    side->last_op = op;
    side->last_fd = fd;
    side->stream = s;
    side->open[side->n_open - 1] = s;
    side->ended = end;
    side_text(side, args);
    wire_stream_own(s, &stream_events, side);
    if (side->destroy_on_open) {
        wire_destroy(w);
        side_close(side, s, 0);
        side->wire = NULL;
        return;
    }
    if (side->auto_reply)
        wire_reply(s, args, -1, true);
    if (side->close_on_open)
        side_close(side, s, -EPERM);
}

static void on_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args, int fd)
{
    struct side *side = wire_user(w);
    side->n_notes++;
    side->last_op = op;
    side->last_fd = fd;
    side->last_note_stream = stream_id;
    side_text(side, args);
}

static void on_closed(struct wire *w, int reason)
{
    struct side *side = wire_user(w);
    side->n_closed++;
    side->last_closed = reason;
}

static const struct wire_events events = {.open = on_open, .note = on_note, .closed = on_closed};

static void settle(struct world *world)
{
    for (int i = 0; i < 50; i++)
        loop_turn(world->loop, 0);
}

static bool in_process; /* both ends as a pair, without a socket */

static int as_pair(UNUSED void **state)
{
    in_process = true;
    return 0;
}

static int as_sockets(UNUSED void **state)
{
    in_process = false;
    return 0;
}

static void world_init_pair(struct world *world)
{
    struct wire *ends[2];
    wire_create_pair(world->loop, &events, (void *[]){&world->a, &world->b}, ends);
    world->a.wire = ends[0];
    world->b.wire = ends[1];
    world->a.consume = world->b.consume = true;
}

static void world_init(struct world *world, bool raw)
{
    int fds[2];
    *world = (struct world){.raw = -1};
    world->loop = loop_create();
    if (in_process)
        return world_init_pair(world);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    world->a.wire = wire_create(world->loop, fds[0], 0, &events, &world->a);
    world->a.last_fd = world->b.last_fd = -1;
    world->a.consume = world->b.consume = true;
    if (raw)
        world->raw = fds[1];
    else
        world->b.wire = wire_create(world->loop, fds[1], 1, &events, &world->b);
}

static void world_done(struct world *world)
{
    side_done(&world->a);
    side_done(&world->b);
    fd_release(&world->raw);
    loop_destroy(world->loop);
}

static void test_request_and_reply(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    struct wire_stream *s =
        wire_open(world.a.wire, OP_ASK, SLICE("question"), -1, true, &stream_events, &world.a);
    assert_non_null(s);
    settle(&world);
    assert_int_equal(world.b.n_open, 1);
    assert_int_equal(world.b.last_op, OP_ASK);
    assert_string_equal(world.b.text, "question");
    assert_true(world.b.ended);

    wire_reply(world.b.stream, SLICE("answer"), -1, false);
    wire_send(world.b.stream, SLICE("more"), true);
    side_close(&world.b, world.b.stream, 0);
    settle(&world);
    assert_int_equal(world.a.n_reply, 1);
    assert_string_equal(world.a.text, "answer");
    assert_true(world.a.ended);
    EXPECT_SLICE(buf_slice(&world.a.bytes), "more");
    assert_int_equal(world.a.n_reset, 0);
    if (in_process)
        assert_ptr_equal(wire_pair_stream(s), NULL); /* closed there */
    wire_stream_close(s, 0);
    settle(&world);
    assert_int_equal(wire_streams(world.a.wire), 0);
    assert_int_equal(wire_streams(world.b.wire), 0);
}

static void test_pair_knows_the_other_end(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    struct wire_stream *s =
        wire_open(world.a.wire, OP_ASK, SLICE("q"), -1, false, &stream_events, &world.a);
    assert_null(wire_pair_stream(s)); /* nothing arrives from inside a call */
    settle(&world);
    assert_ptr_equal(wire_pair_stream(s), world.b.stream);
    assert_ptr_equal(wire_pair_stream(world.b.stream), s);
    wire_stream_close(s, -EPERM);
    assert_null(wire_pair_stream(world.b.stream));
    settle(&world);
    assert_int_equal(world.b.n_reset, 1);
    side_close(&world.b, world.b.stream, 0);
}

static void test_notes_and_descriptors(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    int pipes[3][2];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
        wire_note(world.a.wire, 5, OP_TELL, SLICE("plain"), -1);
        wire_note(world.a.wire, 6, OP_TELL, SLICE("end of a pipe"), pipes[i][1]);
    }
    for (int i = 0; i < 3; i++) {
        while (world.b.last_fd < 0 && world.b.n_notes < 6)
            loop_turn(world.loop, 0);
    }
    settle(&world);
    assert_int_equal(world.b.n_notes, 6);
    assert_int_equal(world.b.last_note_stream, 6);
    assert_int_equal(write(world.b.last_fd, "x", 1), 1);
    char c = 0;
    assert_int_equal(read(pipes[2][0], &c, 1), 1);
    assert_int_equal(c, 'x');
    close(world.b.last_fd);
    for (int i = 0; i < 3; i++)
        close(pipes[i][0]);
}

static void test_flow_control(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    world.b.consume = false;
    struct wire_stream *s =
        wire_open(world.a.wire, OP_ASK, SLICE_NONE, -1, false, &stream_events, &world.a);
    size_t size = WIRE_WINDOW + 100000;
    char *big = malloc(size);
    for (size_t i = 0; i < size; i++)
        big[i] = (char)(i * 7);
    wire_send(s, slice_from(big, size), true);
    assert_int_equal(wire_send_room(s), 0);
    settle(&world);
    assert_int_equal(buf_len(&world.b.bytes), WIRE_WINDOW);
    assert_false(world.b.ended);

    wire_consumed(world.b.stream, WIRE_WINDOW);
    settle(&world);
    assert_int_equal(buf_len(&world.b.bytes), size);
    assert_true(world.b.ended);
    assert_memory_equal(buf_slice(&world.b.bytes).ptr, big, size);
    free(big);
    wire_stream_close(s, 0);
    side_close(&world.b, world.b.stream, 0);
    settle(&world);
    assert_int_equal(wire_streams(world.a.wire) + wire_streams(world.b.wire), 0);
}

static void test_writable_event(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    struct wire_stream *s =
        wire_open(world.a.wire, OP_ASK, SLICE_NONE, -1, false, &stream_events, &world.a);
    char *big = calloc(1, WIRE_WINDOW);
    wire_send(s, slice_from(big, WIRE_WINDOW), false);
    assert_int_equal(wire_send_room(s), 0);
    settle(&world);
    assert_int_equal(world.a.n_writable, 1);
    assert_int_equal(wire_send_room(s), WIRE_WINDOW);
    free(big);
    wire_stream_close(s, -ETIMEDOUT);
    settle(&world);
    assert_int_equal(world.b.n_reset, 1);
    assert_int_equal(world.b.last_reset, -ETIMEDOUT);
    side_close(&world.b, world.b.stream, 0);
}

/* An answer that is complete is no failure, although the question never was. */
static void test_early_answer(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    world.b.auto_reply = world.b.close_on_open = true;
    struct wire_stream *s =
        wire_open(world.a.wire, OP_ASK, SLICE("q"), -1, false, &stream_events, &world.a);
    settle(&world);
    assert_int_equal(world.a.n_reply, 1);
    assert_int_equal(world.a.n_reset, 0);
    assert_int_equal(wire_send_room(s), WIRE_WINDOW);
    wire_send(s, SLICE("nobody wants this"), true);
    wire_stream_close(s, 0);
    settle(&world);
    assert_int_equal(wire_streams(world.a.wire) + wire_streams(world.b.wire), 0);
}

static void test_closed_stream_sends_its_rest(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    struct wire_stream *s =
        wire_open(world.a.wire, OP_ASK, SLICE_NONE, -1, true, &stream_events, &world.a);
    settle(&world);
    size_t size = 3 * WIRE_WINDOW + 5;
    char *big = calloc(1, size);
    wire_reply(world.b.stream, SLICE_NONE, -1, false);
    wire_send(world.b.stream, slice_from(big, size), true);
    side_close(&world.b, world.b.stream, 0);
    settle(&world);
    assert_int_equal(buf_len(&world.a.bytes), size);
    assert_true(world.a.ended);
    assert_int_equal(world.a.n_reset, 0);
    wire_stream_close(s, 0);
    settle(&world);
    assert_int_equal(wire_streams(world.b.wire), 0);
    free(big);
}

static void test_lost_wire_resets(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    struct wire_stream *s[3];
    for (int i = 0; i < 3; i++)
        s[i] = wire_open(world.a.wire, OP_ASK, SLICE_NONE, -1, true, &stream_events, &world.a);
    settle(&world);
    wire_note(world.b.wire, 0, OP_TELL, SLICE("last words"), -1);
    wire_destroy(world.b.wire);
    side_close(&world.b, world.b.stream, 0);
    world.b.wire = NULL;
    wire_note(world.a.wire, 0, OP_TELL, SLICE("too late"), -1);
    settle(&world);
    assert_string_equal(world.a.text, "last words");
    assert_int_equal(world.a.n_reset, 3);
    assert_int_equal(world.a.n_closed, 1);
    assert_null(wire_open(world.a.wire, OP_ASK, SLICE_NONE, -1, true, &stream_events, &world.a));
    for (int i = 0; i < 3; i++)
        wire_stream_close(s[i], 0);
}

static void test_destroy_in_event(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    world.b.destroy_on_open = true;
    struct wire_stream *s[2];
    for (int i = 0; i < 2; i++)
        s[i] = wire_open(world.a.wire, OP_ASK, SLICE_NONE, -1, true, &stream_events, &world.a);
    settle(&world);
    assert_int_equal(world.b.n_open, 1);
    assert_int_equal(world.a.n_reset, 2);
    for (int i = 0; i < 2; i++)
        wire_stream_close(s[i], 0);
}

static void test_limit_of_streams(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    static struct wire_stream *s[WIRE_STREAMS_MAX];
    for (int i = 0; i < WIRE_STREAMS_MAX; i++)
        s[i] = wire_open(world.a.wire, OP_ASK, SLICE_NONE, -1, true, &stream_events, &world.a);
    assert_null(wire_open(world.a.wire, OP_ASK, SLICE_NONE, -1, true, &stream_events, &world.a));
    settle(&world);
    assert_int_equal(world.b.n_open, WIRE_STREAMS_MAX);
    for (int i = 0; i < WIRE_STREAMS_MAX; i++)
        wire_stream_close(s[i], -ECANCELED);
    settle(&world);
    assert_int_equal(world.b.n_reset, WIRE_STREAMS_MAX);
    assert_int_equal(wire_streams(world.a.wire), 0);
}

static void test_pause(UNUSED void **state)
{
    AUTO(world_done) struct world world;
    world_init(&world, false);
    wire_pause(world.b.wire, true);
    wire_note(world.a.wire, 0, OP_TELL, SLICE("hello"), -1);
    settle(&world);
    assert_int_equal(world.b.n_notes, 0);
    wire_destroy(world.a.wire);
    world.a.wire = NULL;
    settle(&world);
    assert_int_equal(world.b.n_closed, 0);
    wire_pause(world.b.wire, false);
    settle(&world);
    assert_int_equal(world.b.n_notes, 1);
    assert_int_equal(world.b.n_closed, 1);
}

struct raw_frame {
    uint32_t length, stream;
    uint16_t op;
    uint8_t kind, flags;
    char payload[8];
};

/* Each is one breach of the protocol by the other side. */
static const struct raw_frame breaches[] = {
    {.length = WIRE_PAYLOAD_MAX + 1, .kind = 6},
    {.length = 0, .stream = 0, .kind = 1},             /* OPEN of stream 0 */
    {.length = 0, .stream = 1, .kind = 1},             /* OPEN of a number that is not theirs */
    {.length = 0, .stream = 2, .kind = 6, .flags = 2}, /* a descriptor that did not come */
    {.length = 0, .stream = 1, .kind = 77},
    {.length = 3, .stream = 1, .kind = 4},                                /* short CREDIT */
    {.length = 4, .stream = 1, .kind = 4, .payload = "\xff\xff\xff\x7f"}, /* more than the window */
    {.length = 4, .stream = 1, .kind = 3},                                /* DATA before REPLY */
};

static void test_breaches_close_the_wire(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(breaches); i++) {
        AUTO(world_done) struct world world;
        world_init(&world, true);
        struct wire_stream *s =
            wire_open(world.a.wire, OP_ASK, SLICE_NONE, -1, true, &stream_events, &world.a);
        settle(&world);
        size_t size = 12 + MIN(breaches[i].length, 8u);
        assert_int_equal(write(world.raw, &breaches[i], size), size);
        settle(&world);
        assert_int_equal(world.a.n_closed, 1);
        assert_int_equal(world.a.last_closed, -EBADMSG);
        assert_int_equal(world.a.n_reset, 1);
        wire_stream_close(s, 0);
    }
}

#define PAIR(test) cmocka_unit_test_setup_teardown(test, as_pair, as_sockets)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_and_reply),
        cmocka_unit_test(test_notes_and_descriptors),
        cmocka_unit_test(test_flow_control),
        cmocka_unit_test(test_writable_event),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_closed_stream_sends_its_rest),
        cmocka_unit_test(test_lost_wire_resets),
        cmocka_unit_test(test_destroy_in_event),
        cmocka_unit_test(test_limit_of_streams),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_breaches_close_the_wire),
        PAIR(test_request_and_reply),
        PAIR(test_flow_control),
        PAIR(test_writable_event),
        PAIR(test_early_answer),
        PAIR(test_closed_stream_sends_its_rest),
        PAIR(test_lost_wire_resets),
        PAIR(test_destroy_in_event),
        PAIR(test_limit_of_streams),
        PAIR(test_pause),
        PAIR(test_pair_knows_the_other_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
