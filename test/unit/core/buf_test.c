#include "core/buf.h"
#include "core_test.h"

static void appends(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    EXPECT_EQ(buf_slice(&b).len, 0);
    buf_append(&b, NULL, 0);
    buf_append_slice(&b, SLICE("ab"));
    buf_append_char(&b, 'c');
    buf_append_u64(&b, 0);
    buf_append_u64(&b, UINT64_MAX);
    buf_printf(&b, "-%s", "x");
    EXPECT_SLICE(buf_slice(&b), "abc018446744073709551615-x");
    assert_string_equal(buf_cstr(&b), "abc018446744073709551615-x");
    EXPECT_EQ(buf_len(&b), 26);
    buf_clear(&b);
    EXPECT_EQ(buf_len(&b), 0);
    assert_string_equal(buf_cstr(&b), "");
}

static void prints_longer_than_its_room(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    buf_printf(&b, "%05000d", 7);
    EXPECT_EQ(buf_len(&b), 5000);
    EXPECT(buf_slice(&b).ptr[4999] == '7');
}

/* A queue of bytes against a model: what goes in comes out in order, and memory stays small. */
static void is_a_queue_of_bounded_memory(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    unsigned in = 0, out = 0, seed = 1;
    for (int round = 0; round < 20000; round++) {
        seed = seed * 1103515245u + 12345u;
        size_t n = seed >> 16 & 127;
        if (buf_len(&b) > 2000)
            n = 0;
        for (size_t i = 0; i < n; i++)
            buf_append_char(&b, (char)(in++ & 0xff));
        size_t take = MIN(buf_len(&b), (size_t)(seed >> 8 & 127));
        for (size_t i = 0; i < take; i++)
            EXPECT((unsigned char)buf_slice(&b).ptr[i] == (out++ & 0xff));
        buf_consume(&b, take);
    }
    EXPECT(b.cap <= 8192);
}

static void reserve_keeps_content(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    buf_append_slice(&b, SLICE("0123456789"));
    buf_consume(&b, 8);
    char *at = buf_reserve(&b, 100000);
    memset(at, 'x', 100000);
    buf_added(&b, 100000);
    EXPECT_EQ(buf_len(&b), 100002);
    EXPECT(memcmp(buf_slice(&b).ptr, "89x", 3) == 0);
}

static void compacts_instead_of_growing(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    memset(buf_reserve(&b, 256), 'a', 256);
    buf_added(&b, 256);
    size_t cap = b.cap;
    buf_consume(&b, 200);
    (void)buf_reserve(&b, 200);
    EXPECT_EQ(b.cap, cap);
    EXPECT_EQ(b.start, 0);
    EXPECT_EQ(buf_len(&b), 56);
}

static void misuse_panics(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    buf_append_slice(&b, SLICE("abc"));
    EXPECT_PANIC(buf_consume(&b, 4));
    EXPECT_PANIC(buf_added(&b, b.cap));
    EXPECT_PANIC(buf_reserve(&b, SIZE_MAX - 1));
}

int buf_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(prints_longer_than_its_room),
        cmocka_unit_test(is_a_queue_of_bounded_memory),
        cmocka_unit_test(reserve_keeps_content),
        cmocka_unit_test(compacts_instead_of_growing),
        cmocka_unit_test(misuse_panics),
    };
    return RUN("buf", tests);
}
