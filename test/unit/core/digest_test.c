#include "core/digest.h"
#include "core/id.h"
#include "core_test.h"

/* RFC 1321, FIPS 180-4: "abc". */
static const char *const of_abc[DIGEST_KINDS] = {
    "900150983cd24fb0d6963f7d28e17f72",
    "a9993e364706816aba3e25717850c26c9cd0d89d",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
    "8086072ba1e7cc2358baeca134c825a7",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
};

static void expect_hex(enum digest_kind kind, const uint8_t *value, const char *hex)
{
    char text[2 * DIGEST_MAX + 1];
    assert_string_equal(hex_encode(value, digest_size(kind), text), hex);
}

static void known_values(UNUSED void **state)
{
    for (size_t k = 0; k < DIGEST_KINDS; k++) {
        enum digest_kind kind = (enum digest_kind)k;
        uint8_t value[DIGEST_MAX];
        EXPECT_EQ(digest_size(kind) * 2, strlen(of_abc[k]));
        digest_of(kind, SLICE("abc"), value);
        expect_hex(kind, value, of_abc[k]);

        AUTO(digest_release) struct digest *d = digest_create(kind);
        digest_update(d, SLICE("a"));
        digest_update(d, SLICE_NONE);
        digest_update(d, SLICE("bc"));
        digest_value(d, value);
        expect_hex(kind, value, of_abc[k]);
    }
}

static void of_nothing(UNUSED void **state)
{
    uint8_t value[DIGEST_MAX];
    digest_of(DIGEST_MD5, SLICE_NONE, value);
    expect_hex(DIGEST_MD5, value, "d41d8cd98f00b204e9800998ecf8427e");
    digest_hmac(DIGEST_SHA256, SLICE_NONE, SLICE_NONE, value);
    expect_hex(DIGEST_SHA256, value,
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    digest_destroy(NULL);
}

/* RFC 4231 test cases 2 and 6 (a key longer than the block). */
static void hmac_known_values(UNUSED void **state)
{
    uint8_t value[DIGEST_MAX];
    digest_hmac(DIGEST_SHA256, SLICE("Jefe"), SLICE("what do ya want for nothing?"), value);
    expect_hex(DIGEST_SHA256, value,
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    char key[131];
    memset(key, 0xaa, sizeof(key));
    digest_hmac(DIGEST_SHA256, slice_from(key, sizeof(key)),
                SLICE("Test Using Larger Than Block-Size Key - Hash Key First"), value);
    expect_hex(DIGEST_SHA256, value,
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void unknown_kind_panics(UNUSED void **state)
{
    EXPECT_PANIC(digest_size(DIGEST_KINDS));
}

int digest_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(of_nothing),
        cmocka_unit_test(hmac_known_values),
        cmocka_unit_test(unknown_kind_panics),
    };
    return RUN("digest", tests);
}
