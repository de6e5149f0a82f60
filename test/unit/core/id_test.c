#include "core/id.h"
#include "core_test.h"

#include <errno.h>

static void random_ids_have_their_form(UNUSED void **state)
{
    char a[ID_HEX_SIZE], b[ID_HEX_SIZE], u[ID_UUID_SIZE];
    EXPECT(id_is_hex(slice_of(id_hex(a)), 32) && id_is_hex(slice_of(id_hex(b)), 32));
    EXPECT(strcmp(a, b) != 0);
    for (int i = 0; i < 100; i++) {
        EXPECT(id_is_uuid(slice_of(id_uuid(u))));
        EXPECT(u[14] == '4' && strchr("89ab", u[19]) != NULL);
    }
    id_random(NULL, 0);
}

static void checks_forms(UNUSED void **state)
{
    EXPECT(id_is_hex(SLICE("0aF"), 3) && !id_is_hex(SLICE("0ag"), 3) && !id_is_hex(SLICE("0a"), 3));
    EXPECT(id_is_uuid(SLICE("F47AC10B-58cc-4372-a567-0e02b2c3d479")));
    EXPECT(!id_is_uuid(SLICE("f47ac10b-58cc-4372-a567-0e02b2c3d47")));
    EXPECT(!id_is_uuid(SLICE("f47ac10b-58cc-4372-a567-0e02b2c3d47g")));
    EXPECT(!id_is_uuid(SLICE("f47ac10b058cc-4372-a567-0e02b2c3d479")));
    EXPECT(!id_is_uuid(SLICE("f47ac10b-58cc-4372-a567-0e02b2c3-479")));
}

static void hex_both_ways(UNUSED void **state)
{
    char text[9];
    uint8_t bytes[4] = {9, 9, 9, 9};
    assert_string_equal(hex_encode("\x00\x7f\x80\xff", 4, text), "007f80ff");
    EXPECT_EQ(hex_decode(SLICE("007F80fF"), bytes, 4), 0);
    assert_memory_equal(bytes, "\x00\x7f\x80\xff", 4);
    EXPECT_EQ(hex_decode(SLICE("11111"), bytes, 2), -EINVAL);
    EXPECT_EQ(hex_decode(SLICE("1111"), bytes, 4), -EINVAL);
    EXPECT_EQ(hex_decode(SLICE("1111111g"), bytes, 4), -EINVAL);
    assert_memory_equal(bytes, "\x00\x7f\x80\xff", 4); /* failures wrote nothing */
    EXPECT_EQ(hex_decode(SLICE_NONE, bytes, 0), 0);
}

static void secrets(UNUSED void **state)
{
    EXPECT(secret_eq(SLICE("abc"), SLICE("abc")) && secret_eq(SLICE_NONE, SLICE("")));
    EXPECT(!secret_eq(SLICE("abc"), SLICE("abd")) && !secret_eq(SLICE("abc"), SLICE("ab")));
    char key[4] = "key";
    secret_wipe(key, sizeof(key));
    assert_memory_equal(key, "\0\0\0\0", 4);
    secret_wipe(NULL, 0);
}

int id_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_ids_have_their_form),
        cmocka_unit_test(checks_forms),
        cmocka_unit_test(hex_both_ways),
        cmocka_unit_test(secrets),
    };
    return RUN("id", tests);
}
