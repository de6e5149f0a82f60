#include "core/pack.h"
#include "core_test.h"

static void pack_all(struct buf *b)
{
    pack_u8(b, 0x12);
    pack_u16(b, 0x1234);
    pack_u32(b, 0x12345678);
    pack_u64(b, 0x123456789abcdef0);
    pack_i64(b, -2);
    pack_f64(b, -0.5);
    pack_bytes(b, SLICE("abc"));
    pack_bytes(b, SLICE_NONE);
}

static void round_trip(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    pack_all(&b);
    struct unpack u = {.rest = buf_slice(&b)};
    EXPECT_EQ(unpack_u8(&u), 0x12);
    EXPECT_EQ(unpack_u16(&u), 0x1234);
    EXPECT_EQ(unpack_u32(&u), 0x12345678);
    EXPECT(unpack_u64(&u) == 0x123456789abcdef0);
    EXPECT(unpack_i64(&u) == -2);
    EXPECT(unpack_f64(&u) == -0.5);
    EXPECT_SLICE(unpack_bytes(&u), "abc");
    EXPECT(!unpack_ok(&u)); /* something is left */
    EXPECT_SLICE(unpack_bytes(&u), "");
    EXPECT(unpack_ok(&u));
}

static void is_little_endian(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    pack_u16(&b, 0x0102);
    pack_bytes(&b, SLICE("x"));
    EXPECT_SLICE(buf_slice(&b), "\x02\x01\x01\0\0\0x");
}

static void every_cut_is_bad_and_stays_bad(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    pack_all(&b);
    for (size_t cut = 0; cut < buf_len(&b); cut++) {
        struct unpack u = {.rest = {buf_slice(&b).ptr, cut}};
        unpack_u8(&u), unpack_u16(&u), unpack_u32(&u), unpack_u64(&u), unpack_i64(&u),
            unpack_f64(&u);
        unpack_bytes(&u);
        unpack_bytes(&u);
        EXPECT(u.bad && !unpack_ok(&u));
        EXPECT(unpack_u8(&u) == 0 && unpack_u64(&u) == 0 && unpack_bytes(&u).ptr == NULL);
    }
}

static void refuses_a_length_past_the_end(UNUSED void **state)
{
    struct unpack u = {.rest = SLICE("\xff\xff\xff\xff"
                                     "abc")};
    EXPECT_EQ(unpack_bytes(&u).len, 0);
    EXPECT(u.bad);
    struct unpack left = {.rest = SLICE("\x01z")};
    EXPECT_EQ(unpack_u8(&left), 1);
    EXPECT(!unpack_ok(&left));
}

int pack_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(is_little_endian),
        cmocka_unit_test(every_cut_is_bad_and_stays_bad),
        cmocka_unit_test(refuses_a_length_past_the_end),
    };
    return RUN("pack", tests);
}
