/* permessage-deflate: offers and answers, the RFC's examples, messages with and without a kept window. */
#include "net_tests.h"

#include "net/websocket_deflate.h"

#include <errno.h>

enum { MESSAGES = 20, MESSAGE_SIZE = 5000 };

#define FIELD "sec-websocket-extensions: "

static const struct {
    const char *offer, *answer; /* "": none */
} offers[] = {
    {"", ""},
    {FIELD "permessage-deflate\r\n", "permessage-deflate"},
    {FIELD "permessage-deflate; client_max_window_bits\r\n", "permessage-deflate"},
    {FIELD "permessage-deflate; client_max_window_bits=10\r\n", "permessage-deflate"},
    {FIELD "permessage-deflate; server_max_window_bits=10\r\n",
     "permessage-deflate; server_max_window_bits=10"},
    {FIELD "permessage-deflate; server_max_window_bits=\"9\"\r\n",
     "permessage-deflate; server_max_window_bits=9"},
    {FIELD "permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n",
     "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
    {FIELD "x-unknown, permessage-deflate\r\n", "permessage-deflate"},
    {"a: b\r\n" FIELD "x-unknown\r\n" FIELD "PERMESSAGE-DEFLATE\r\n", "permessage-deflate"},
    /* A bad offer is passed over for the next. */
    {FIELD "permessage-deflate; server_max_window_bits=7, permessage-deflate\r\n",
     "permessage-deflate"},
    {FIELD "permessage-deflate; server_max_window_bits\r\n", ""},
    {FIELD "permessage-deflate; server_max_window_bits=16\r\n", ""},
    {FIELD "permessage-deflate; server_max_window_bits=08\r\n", ""},
    {FIELD "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9\r\n", ""},
    {FIELD "permessage-deflate; server_no_context_takeover=1\r\n", ""},
    {FIELD "permessage-deflate; what\r\n", ""},
    {FIELD "permessage-deflate;\r\n", ""},
};

static void deflate_accepts_offers(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
        AUTO(buf_done) struct buf answer = {0};
        struct websocket_deflate_terms terms;
        websocket_deflate_accept(slice_of(offers[i].offer), &terms, &answer);
        if (!slice_eq(buf_slice(&answer), slice_of(offers[i].answer)) ||
            terms.agreed != (offers[i].answer[0] != '\0'))
            fail_msg("%s: %.*s", offers[i].offer, SLICE_ARG(buf_slice(&answer)));
    }
}

static const struct {
    const char *answer;
    int result, bits;
} answers[] = {
    {"", 0, 0},
    {FIELD "permessage-deflate\r\n", 0, 15},
    {FIELD "permessage-deflate; client_max_window_bits=9\r\n", 0, 9},
    {FIELD "permessage-deflate; server_max_window_bits=9; server_no_context_takeover\r\n", 0, 15},
    {FIELD "permessage-deflate; client_max_window_bits\r\n", -EBADMSG, 0},
    {FIELD "permessage-deflate; client_max_window_bits=x\r\n", -EBADMSG, 0},
    {FIELD "x-webkit-deflate-frame\r\n", -EBADMSG, 0},
    {FIELD "permessage-deflate, permessage-deflate\r\n", -EBADMSG, 0},
};

static void deflate_checks_answers(UNUSED void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct websocket_deflate_terms terms;
        assert_int_equal(websocket_deflate_agreed(slice_of(answers[i].answer), &terms),
                         answers[i].result);
        if (answers[i].result == 0)
            assert_int_equal(terms.our_bits, answers[i].bits);
    }
}

static void inflate_is(struct websocket_deflate *d, struct slice in, struct slice expected)
{
    AUTO(buf_done) struct buf out = {0};

    assert_int_equal(websocket_inflate(d, in, 1000, &out), 0);
    assert_true(slice_eq(buf_slice(&out), expected));
}

/* RFC 7692 section 7.2.3. */
static void deflate_reads_the_examples(UNUSED void **state)
{
    struct websocket_deflate_terms terms = {.agreed = true, .our_bits = 15};
    struct websocket_deflate *d = websocket_deflate_create(&terms);

    inflate_is(d, SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00"), SLICE("Hello"));
    inflate_is(d, SLICE("\xf2\x00\x11\x00\x00"), SLICE("Hello"));
    inflate_is(d, SLICE("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), SLICE("Hello"));
    inflate_is(d, SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), SLICE("Hello"));
    inflate_is(d, SLICE("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), SLICE("Hello"));
    inflate_is(d, SLICE("\x00"), SLICE(""));
    websocket_deflate_destroy(d);
}

/* Text that repeats itself from message to message. */
static void fill(char *to, unsigned seed)
{
    for (unsigned i = 0; i < MESSAGE_SIZE; i++)
        to[i] = (char)('a' + (i % 97 * 7 + i / 500 * seed) % 23);
}

static void round_trip(bool forgets, int bits)
{
    struct websocket_deflate_terms terms = {
        .agreed = true, .ours_forgets = forgets, .theirs_forgets = forgets, .our_bits = bits};
    struct websocket_deflate *a = websocket_deflate_create(&terms),
                             *b = websocket_deflate_create(&terms);
    char text[MESSAGE_SIZE];

    for (unsigned i = 0; i < MESSAGES; i++) {
        AUTO(buf_done) struct buf packed = {0}, plain = {0};
        fill(text, i);
        websocket_deflate(a, slice_from(text, 1000), false, &packed);
        websocket_deflate(a, slice_from(text + 1000, sizeof(text) - 1000), true, &packed);
        assert_true(buf_len(&packed) < sizeof(text) / 2);
        assert_int_equal(websocket_inflate(b, buf_slice(&packed), sizeof(text), &plain), 0);
        assert_true(slice_eq(buf_slice(&plain), slice_from(text, sizeof(text))));
    }
    websocket_deflate_destroy(a);
    websocket_deflate_destroy(b);
}

static void deflate_round_trips(UNUSED void **state)
{
    for (int bits = 8; bits <= 15; bits++) {
        round_trip(false, bits);
        round_trip(true, bits);
    }
}

static void deflate_refuses(UNUSED void **state)
{
    static const char zeros[100000] = {0};
    struct websocket_deflate_terms terms = {.agreed = true, .our_bits = 15};
    struct websocket_deflate *d = websocket_deflate_create(&terms);
    AUTO(buf_done) struct buf bomb = {0}, out = {0};

    websocket_deflate(d, slice_from(zeros, sizeof(zeros)), true, &bomb);
    assert_true(buf_len(&bomb) < 1000);
    assert_int_equal(websocket_inflate(d, buf_slice(&bomb), 50000, &out), -E2BIG);
    websocket_deflate_destroy(d);

    d = websocket_deflate_create(&terms);
    assert_int_equal(websocket_inflate(d, SLICE("\xff\xff\xff"), 1000, &out), -EBADMSG);
    websocket_deflate_destroy(d);
}

int websocket_deflate_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deflate_accepts_offers), cmocka_unit_test(deflate_checks_answers),
        cmocka_unit_test(deflate_reads_the_examples), cmocka_unit_test(deflate_round_trips),
        cmocka_unit_test(deflate_refuses)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
