/* WebSocket frames: the examples of RFC 6455, what is refused, and messages cut in any way. */
#include "net_tests.h"

#include "net/websocket_frame.h"

#include <errno.h>

#define S(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct {
    struct slice in;
    int result;
    enum websocket_type type;
    struct slice payload;
    int code; /* the close code of the message, or of the error */
} cases[] = {
    {S("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), 1, WEBSOCKET_TEXT, S("Hello"), 0},
    {S("\x01\x83\x00\x00\x00\x00Hel\x80\x82\x00\x00\x00\x00lo"), 1, WEBSOCKET_TEXT, S("Hello"), 0},
    {S("\x81\x80\x01\x02\x03\x04"), 1, WEBSOCKET_TEXT, S(""), 0},
    {S("\x82\x81\x01\x02\x03\x04\x00"), 1, WEBSOCKET_BINARY, S("\x01"), 0},
    {S("\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), 1, WEBSOCKET_PING, S("Hello"), 0},
    {S("\x8a\x80\x00\x00\x00\x00"), 1, WEBSOCKET_PONG, S(""), 0},
    {S("\x88\x80\x00\x00\x00\x00"), 1, WEBSOCKET_CLOSE, S(""), 1005},
    {S("\x88\x82\x00\x00\x00\x00\x03\xe8"), 1, WEBSOCKET_CLOSE, S(""), 1000},
    {S("\x88\x85\x00\x00\x00\x00\x0b\xb8"
       "bye"),
     1, WEBSOCKET_CLOSE, S("bye"), 3000},
    {S("\x81\x85\x37\xfa\x21"), 0, 0, S(""), 0},
    {S("\x81\x84\x00\x00\x00\x00\xf0\x9f\x92\xa9"), 1, WEBSOCKET_TEXT, S("\xf0\x9f\x92\xa9"), 0},
    /* Refused. */
    {S("\x81\x05Hello"), -EBADMSG, 0, S(""), 1002},
    {S("\xc1\x80\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x83\x80\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x8b\x80\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x80\x80\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x01\x80\x00\x00\x00\x00\x81\x80\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x09\x80\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x89\xfe\x00\x7e\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x81\xfe\x00\x7d\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x81\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), -EBADMSG, 0, S(""), 1002},
    {S("\x81\xff\x00\x00\x00\x00\x7f\x00\x00\x00\x00\x00\x00\x00"), -E2BIG, 0, S(""), 1009},
    {S("\x88\x81\x00\x00\x00\x00\x03"), -EBADMSG, 0, S(""), 1002},
    {S("\x88\x82\x00\x00\x00\x00\x03\xed"), -EBADMSG, 0, S(""), 1002},
    {S("\x88\x82\x00\x00\x00\x00\x03\xee"), -EBADMSG, 0, S(""), 1002},
    {S("\x88\x82\x00\x00\x00\x00\x00\x01"), -EBADMSG, 0, S(""), 1002},
    {S("\x88\x82\x00\x00\x00\x00\x13\x88"), -EBADMSG, 0, S(""), 1002},
    {S("\x88\x83\x00\x00\x00\x00\x03\xe8\xff"), -EILSEQ, 0, S(""), 1007},
    {S("\x81\x82\x00\x00\x00\x00\xc0\x80"), -EILSEQ, 0, S(""), 1007},
    {S("\x81\x83\x00\x00\x00\x00\xed\xa0\x80"), -EILSEQ, 0, S(""), 1007},
    {S("\x81\x84\x00\x00\x00\x00\xf4\x90\x80\x80"), -EILSEQ, 0, S(""), 1007},
    {S("\x81\x81\x00\x00\x00\x00\xe2"), -EILSEQ, 0, S(""), 1007},
};

static void check(size_t i, int r, const struct websocket_reader *reader,
                  const struct websocket_message *m)
{
    if (r != cases[i].result)
        fail_msg("case %zu gave %d", i, r);
    if (r < 0)
        assert_int_equal(reader->error_code, cases[i].code);
    if (r != 1)
        return;
    if (m->type != cases[i].type || m->close_code != cases[i].code ||
        !slice_eq(m->payload, cases[i].payload))
        fail_msg("case %zu: type %d code %d '%.*s'", i, m->type, m->close_code,
                 SLICE_ARG(m->payload));
}

static void websocket_reads_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(websocket_reader_done) struct websocket_reader whole = {0}, pieces = {0};
        struct websocket_message m;
        struct slice in = cases[i].in;

        int r = websocket_read(&whole, &in, &m);
        check(i, r, &whole, &m);
        r = 0;
        for (size_t at = 0; r == 0 && at < cases[i].in.len; at++) {
            struct slice one = {cases[i].in.ptr + at, 1};
            r = websocket_read(&pieces, &one, &m);
        }
        check(i, r, &pieces, &m);
    }
}

static void websocket_reads_control_between_fragments(void **state)
{
    (void)state;
    AUTO(websocket_reader_done) struct websocket_reader r = {.accepts_unmasked = true};
    struct websocket_message m;
    struct slice in = SLICE("\x01\x03one\x89\x02hi\x00\x03two\x8a\x00\x80\x05three\x82\x01x");

    assert_int_equal(websocket_read(&r, &in, &m), 1);
    assert_true(m.type == WEBSOCKET_PING && slice_eq(m.payload, SLICE("hi")));
    assert_int_equal(websocket_read(&r, &in, &m), 1);
    assert_true(m.type == WEBSOCKET_PONG && m.payload.len == 0);
    assert_int_equal(websocket_read(&r, &in, &m), 1);
    assert_true(m.type == WEBSOCKET_TEXT && slice_eq(m.payload, SLICE("onetwothree")));
    assert_int_equal(websocket_read(&r, &in, &m), 1);
    assert_true(m.type == WEBSOCKET_BINARY && slice_eq(m.payload, SLICE("x")));
    assert_int_equal(websocket_read(&r, &in, &m), 0);
}

static void websocket_keeps_its_limit(void **state)
{
    (void)state;
    AUTO(websocket_reader_done)
    struct websocket_reader r = {.accepts_unmasked = true, .message_max = 5};
    struct websocket_message m;
    struct slice in = SLICE("\x01\x03one\x00\x02tw\x80\x01o");

    assert_int_equal(websocket_read(&r, &in, &m), -E2BIG);
    assert_int_equal(r.error_code, 1009);
    assert_int_equal(websocket_read(&r, &in, &m), -EBADMSG);
}

static void websocket_reads_what_it_writes(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 100000};
    static const uint8_t mask[4] = {1, 2, 3, 250};

    for (size_t i = 0; i < 2 * ARRAY_LEN(lengths); i++) {
        AUTO(websocket_reader_done) struct websocket_reader r = {.accepts_unmasked = i % 2 == 0};
        AUTO(buf_done) struct buf payload = {0}, out = {0};
        struct websocket_message m;
        size_t len = lengths[i / 2];

        for (size_t k = 0; k < len; k++)
            buf_append_char(&payload, (char)k);
        websocket_write(&out, WEBSOCKET_BINARY, buf_slice(&payload), i % 2 == 0 ? NULL : mask);
        struct slice in = buf_slice(&out);
        assert_int_equal(websocket_read(&r, &in, &m), 1);
        assert_true(slice_eq(m.payload, buf_slice(&payload)));
        assert_int_equal(in.len, 0);
    }
}

static void websocket_writes_close(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf out = {0}, reason = {0};

    websocket_write_close(&out, 1000, SLICE("ok"), NULL);
    assert_true(slice_eq(buf_slice(&out), SLICE("\x88\x04\x03\xe8ok")));
    buf_clear(&out);
    websocket_write_close(&out, WEBSOCKET_NO_CODE, SLICE("ignored"), NULL);
    assert_true(slice_eq(buf_slice(&out), SLICE("\x88\x00")));
    buf_clear(&out);
    for (int i = 0; i < 100; i++)
        buf_append_slice(&reason, SLICE("\xc3\xa9"));
    websocket_write_close(&out, 1000, buf_slice(&reason), NULL);
    assert_int_equal(buf_len(&out), 2 + 2 + 122); /* 123 would cut a character */
}

static void websocket_answers_handshakes(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf out = {0};
    struct http_request q = {
        .method = SLICE("GET"),
        .upgrade = SLICE("websocket"),
        .headers =
            SLICE("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"),
    };

    assert_int_equal(websocket_accept(&q, &out), 0);
    assert_true(
        slice_eq(buf_slice(&out), SLICE("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")));
    q.upgrade = SLICE("h2c");
    assert_int_equal(websocket_accept(&q, &out), -EINVAL);
    q.upgrade = SLICE("websocket");
    q.method = SLICE("POST");
    assert_int_equal(websocket_accept(&q, &out), -EINVAL);
    q.method = SLICE("GET");
    q.headers = SLICE("sec-websocket-key: short\r\nsec-websocket-version: 13\r\n");
    assert_int_equal(websocket_accept(&q, &out), -EINVAL);
    q.headers =
        SLICE("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 8\r\n");
    assert_int_equal(websocket_accept(&q, &out), -EOPNOTSUPP);
}

int websocket_frame_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(websocket_reads_the_table),
        cmocka_unit_test(websocket_reads_control_between_fragments),
        cmocka_unit_test(websocket_keeps_its_limit),
        cmocka_unit_test(websocket_reads_what_it_writes),
        cmocka_unit_test(websocket_writes_close),
        cmocka_unit_test(websocket_answers_handshakes),
    };
    return cmocka_run_group_tests_name("websocket_frame", tests, NULL, NULL);
}
