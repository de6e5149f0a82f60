/*
 * Frames of sockets: written and read, cut anywhere, refused.
 */
#include "proc/wire_socket.h"

#include "unit/unit.h"

#include <errno.h>

static void test_frames_come_whole(UNUSED void **state)
{
    AUTO(buf_done) struct buf out = {0};
    struct wire_socket_frame f;

    wire_socket_put(&out, WIRE_SOCKET_TEXT, 7, SLICE("hello"));
    wire_socket_put(&out, WIRE_SOCKET_GONE, 8, SLICE_NONE);
    for (size_t n = 0; n < WIRE_SOCKET_HEAD + 5; n++) {
        struct slice part = slice_from(buf_slice(&out).ptr, n);
        assert_int_equal(wire_socket_next(&part, &f), 0);
        assert_int_equal(part.len, n);
    }
    struct slice in = buf_slice(&out);
    assert_int_equal(wire_socket_next(&in, &f), 1);
    assert_true(f.type == WIRE_SOCKET_TEXT && f.socket == 7 && slice_eq(f.payload, SLICE("hello")));
    assert_int_equal(wire_socket_next(&in, &f), 1);
    assert_true(f.type == WIRE_SOCKET_GONE && f.socket == 8 && f.payload.len == 0);
    assert_int_equal(wire_socket_next(&in, &f), 0);
}

static void test_what_is_kept_comes_back(UNUSED void **state)
{
    AUTO(buf_done) struct buf out = {0};
    struct wire_socket_known known = {.answered_ms = 5,
                                      .close_out = true,
                                      .tags = SLICE("[]"),
                                      .attachment = SLICE("abc")},
                             again;
    struct wire_socket_frame f;
    struct slice request, response;
    bool has = false;

    wire_socket_put_known(&out, 3, &known);
    wire_socket_put_pair(&out, WIRE_SOCKET_READY, true, SLICE("ping"), SLICE(""));
    wire_socket_put_pair(&out, WIRE_SOCKET_PAIR, false, SLICE_NONE, SLICE_NONE);
    struct slice in = buf_slice(&out);
    assert_int_equal(wire_socket_next(&in, &f), 1);
    assert_int_equal(wire_socket_known(f.payload, &again), 0);
    assert_true(again.answered_ms == 5 && again.close_out && slice_eq(again.tags, known.tags) &&
                slice_eq(again.attachment, known.attachment));
    assert_int_equal(wire_socket_next(&in, &f), 1);
    assert_int_equal(wire_socket_pair(f.payload, &has, &request, &response), 0);
    assert_true(has && slice_eq(request, SLICE("ping")) && response.len == 0);
    assert_int_equal(wire_socket_next(&in, &f), 1);
    assert_int_equal(wire_socket_pair(f.payload, &has, &request, &response), 0);
    assert_true(!has);
}

static void test_limits_and_types_are_checked(UNUSED void **state)
{
    AUTO(buf_done) struct buf out = {0};
    struct wire_socket_frame f;
    struct wire_socket_known known;
    struct slice request, response, in;
    bool has;

    wire_socket_put(&out, (enum wire_socket_type)9, 1, SLICE_NONE);
    in = buf_slice(&out);
    assert_int_equal(wire_socket_next(&in, &f), -EBADMSG);
    buf_clear(&out);
    wire_socket_put(&out, WIRE_SOCKET_GONE, 1, SLICE("x"));
    in = buf_slice(&out);
    assert_int_equal(wire_socket_next(&in, &f), -EBADMSG);
    assert_int_equal(wire_socket_known(SLICE("short"), &known), -EBADMSG);
    assert_int_equal(wire_socket_pair(SLICE("short"), &has, &request, &response), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_come_whole),
        cmocka_unit_test(test_what_is_kept_comes_back),
        cmocka_unit_test(test_limits_and_types_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
