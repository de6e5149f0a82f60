#include "core/crc.h"
#include "core_test.h"

/* The check values of the catalogue of CRC algorithms: of "123456789". */
static const uint64_t of_digits[CRC_KINDS] = {
    [CRC_32] = 0xCBF43926, [CRC_32C] = 0xE3069283, [CRC_64NVME] = 0xAE8B14860A799888};

static void known_values(UNUSED void **state)
{
    for (size_t k = 0; k < CRC_KINDS; k++) {
        EXPECT(crc_update((enum crc_kind)k, 0, SLICE("123456789")) == of_digits[k]);
        EXPECT_EQ(crc_update((enum crc_kind)k, 0, SLICE("")), 0);
    }
}

static void pieces_make_the_whole(UNUSED void **state)
{
    char text[1000];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 31 + i / 7);
    for (size_t k = 0; k < CRC_KINDS; k++) {
        enum crc_kind kind = (enum crc_kind)k;
        uint64_t whole = crc_update(kind, 0, slice_from(text, sizeof(text)));
        for (size_t at = 0; at <= sizeof(text); at += 37) {
            struct slice a = slice_from(text, at), b = slice_from(text + at, sizeof(text) - at);
            uint64_t first = crc_update(kind, 0, a);
            EXPECT(crc_update(kind, first, b) == whole);
            EXPECT(crc_combine(kind, first, crc_update(kind, 0, b), b.len) == whole);
        }
    }
}

static void bytes_and_back(UNUSED void **state)
{
    uint8_t bytes[8];
    crc_bytes(CRC_32, of_digits[CRC_32], bytes);
    EXPECT_EQ(bytes[0], 0xCB);
    EXPECT(crc_of_bytes(CRC_32, bytes) == of_digits[CRC_32]);
    crc_bytes(CRC_64NVME, of_digits[CRC_64NVME], bytes);
    EXPECT(crc_of_bytes(CRC_64NVME, bytes) == of_digits[CRC_64NVME]);
}

int crc_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(pieces_make_the_whole),
        cmocka_unit_test(bytes_and_back),
    };
    return RUN("crc", tests);
}
