#include "core/id.h"
#include "core/keystream.h"
#include "core_test.h"

/* NIST SP 800-38A, F.5.5: CTR-AES256. */
static void known_values(UNUSED void **state)
{
    uint8_t key[32], nonce[16], plain[64], cipher[64];
    EXPECT_EQ(hex_decode(SLICE("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
                         key, 32),
              0);
    EXPECT_EQ(hex_decode(SLICE("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), nonce, 16), 0);
    EXPECT_EQ(hex_decode(SLICE("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                               "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"),
                         plain, 64),
              0);
    EXPECT_EQ(hex_decode(SLICE("601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
                               "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"),
                         cipher, 64),
              0);
    keystream_apply(key, nonce, 0, (char *)plain, sizeof(plain));
    assert_memory_equal(plain, cipher, sizeof(plain));
}

/* Any piece alone is what it is in the whole; the counter carries over all of its bytes. */
static void any_offset(UNUSED void **state)
{
    uint8_t key[32] = {7}, nonce[16];
    char whole[300], piece[300];
    memset(nonce, 0xff, sizeof(nonce));
    for (size_t i = 0; i < sizeof(whole); i++)
        whole[i] = (char)i;
    memcpy(piece, whole, sizeof(whole));
    keystream_apply(key, nonce, 0, whole, sizeof(whole));
    for (size_t at = 0; at < sizeof(piece); at += 23)
        keystream_apply(key, nonce, at, piece + at,
                        at + 23 > sizeof(piece) ? sizeof(piece) - at : 23);
    assert_memory_equal(whole, piece, sizeof(whole));
}

int keystream_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(any_offset),
    };
    return RUN("keystream", tests);
}
