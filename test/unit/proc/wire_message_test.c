/*
 * Messages on a stream's DATA: written, read whole and in pieces of any size, refused.
 */
#include "proc/wire_message.h"

#include "unit/unit.h"

#include <errno.h>

enum { LONG = WIRE_MESSAGE_GATHER + 1000 };

static char long_text[LONG];

/* All messages put together again: "type:length;" for each that was complete, and their bytes. */
static int gather(struct slice in, size_t piece, struct buf *ret_heads, struct buf *ret_bytes)
{
    AUTO(wire_message_reader_done) struct wire_message_reader r = {0};
    struct wire_message m;
    int n = 0;

    while (in.len > 0 && n >= 0) {
        struct slice part = {in.ptr, MIN(piece, in.len)};
        in = slice_skip(in, part.len);
        while ((n = wire_message_next(&r, &part, &m)) > 0) {
            if (m.length <= WIRE_MESSAGE_GATHER)
                assert_true(m.first && m.last && m.bytes.len == m.length);
            if (m.last)
                buf_printf(ret_heads, "%d:%u;", m.type, m.length);
            buf_append_slice(ret_bytes, m.bytes);
        }
        if (n == 0)
            assert_int_equal(part.len, 0);
    }
    return n;
}

static void test_pieces(UNUSED void **state)
{
    static const size_t pieces[] = {1, 2, 5, 6, 1000, WIRE_MESSAGE_GATHER, SIZE_MAX};
    AUTO(buf_done) struct buf all = {0}, bytes = {0};

    memset(long_text, 'x', sizeof(long_text));
    wire_message_put(&all, WIRE_MESSAGE_TEXT, SLICE("hello"));
    wire_message_put(&all, WIRE_MESSAGE_BINARY, SLICE(""));
    wire_message_put(&all, WIRE_MESSAGE_BINARY, slice_from(long_text, sizeof(long_text)));
    wire_message_put_close(&all, 1000, SLICE("bye"));
    wire_message_put(&all, WIRE_MESSAGE_FAILED, SLICE("why"));
    buf_printf(&bytes,
               "hello%.*s\xe8\x03"
               "byewhy",
               LONG, long_text);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        AUTO(buf_done) struct buf heads = {0}, got = {0};
        assert_int_equal(gather(buf_slice(&all), pieces[i], &heads, &got), 0);
        assert_string_equal(buf_cstr(&heads), "1:5;2:0;2:66536;8:5;15:3;");
        assert_true(slice_eq(buf_slice(&got), buf_slice(&bytes)));
    }
}

static void test_whole(UNUSED void **state)
{
    AUTO(buf_done) struct buf all = {0};
    struct wire_message m;

    wire_message_put(&all, WIRE_MESSAGE_TEXT, SLICE("hello"));
    for (size_t n = 0; n < buf_len(&all); n++) {
        struct slice in = {buf_slice(&all).ptr, n};
        assert_int_equal(wire_message_whole(&in, &m), 0);
        assert_int_equal(in.len, n);
    }
    struct slice in = buf_slice(&all);
    assert_int_equal(wire_message_whole(&in, &m), 1);
    EXPECT_SLICE(m.bytes, "hello");
    assert_int_equal(in.len, 0);
}

static void test_close(UNUSED void **state)
{
    struct slice reason;
    uint16_t code;

    assert_int_equal(wire_message_close(SLICE(""), &code, &reason), 0);
    assert_int_equal(code, 0);
    assert_int_equal(wire_message_close(SLICE("\xa1\x0f"
                                              "why"),
                                        &code, &reason),
                     0);
    assert_int_equal(code, 4001);
    EXPECT_SLICE(reason, "why");
    assert_int_equal(wire_message_close(SLICE("\xa1"), &code, &reason), -EBADMSG);
}

static void test_refused(UNUSED void **state)
{
    static const struct slice bad[] = {
        {"\x00\x00\x00\x00\x00", 5}, /* no such type */
        {"\x09\x00\x00\x00\x00", 5},
        {"\x01\x01\x00\x00\x08", 5}, /* longer than any message */
        {"\x08\x01\x04\x00\x00", 5}, /* longer than a close */
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(buf_done) struct buf heads = {0}, bytes = {0};
        assert_int_equal(gather(bad[i], 5, &heads, &bytes), -EBADMSG);
        assert_int_equal(gather(bad[i], 1, &heads, &bytes), -EBADMSG);
        struct slice in = bad[i];
        struct wire_message m;
        assert_int_equal(wire_message_whole(&in, &m), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
