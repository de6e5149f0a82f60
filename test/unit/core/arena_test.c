#include "core/arena.h"
#include "core_test.h"

#include <errno.h>

static void allocates_zeroed_and_aligned(UNUSED void **state)
{
    AUTO(arena_done) struct arena arena = {0};
    for (size_t size = 0; size < 3000; size += 37) {
        char *p = arena_alloc(&arena, size);
        EXPECT(p != NULL && (uintptr_t)p % 16 == 0);
        for (size_t i = 0; i < size; i++)
            EXPECT(p[i] == 0);
        memset(p, 0xff, size);
    }
}

static void zeroes_again_after_reset(UNUSED void **state)
{
    AUTO(arena_done) struct arena arena = {0};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            char *p = arena_alloc(&arena, 200);
            EXPECT(p[0] == 0 && p[199] == 0);
            memset(p, 0xee, 200);
        }
        EXPECT(arena.used >= 50 * 200);
        arena_reset(&arena);
        EXPECT_EQ(arena.used, 0);
        EXPECT(arena.blocks != NULL);
    }
}

static void refuses_over_its_limit(UNUSED void **state)
{
    AUTO(arena_done) struct arena arena = {.limit = 1024};
    struct slice s;
    EXPECT(arena_alloc(&arena, 1025) == NULL);
    EXPECT(arena_alloc(&arena, SIZE_MAX) == NULL);
    EXPECT(arena_alloc(&arena, SIZE_MAX - 8) == NULL);
    EXPECT(arena_alloc(&arena, 1000) != NULL);
    EXPECT(arena_alloc(&arena, 17) == NULL);
    EXPECT_EQ(arena_copy(&arena, "0123456789abcdef", 16, &s), -ENOMEM);
    EXPECT(arena_printf(&arena, "%032d", 1) == NULL);
    EXPECT(arena_alloc(&arena, 16) != NULL);
    EXPECT(arena_alloc(&arena, 1) == NULL);
    arena_reset(&arena);
    EXPECT(arena_alloc(&arena, 1024) != NULL);
}

static void big_blocks_leave_the_front_in_use(UNUSED void **state)
{
    AUTO(arena_done) struct arena arena = {0};
    char *a = arena_alloc(&arena, 16);
    EXPECT(arena_alloc(&arena, 1024 * 1024) != NULL);
    char *b = arena_alloc(&arena, 16);
    EXPECT(b == a + 16);
}

static void copies_and_prints(UNUSED void **state)
{
    AUTO(arena_done) struct arena arena = {0};
    struct slice s;
    EXPECT_EQ(arena_copy(&arena, "abc", 3, &s), 0);
    EXPECT_SLICE(s, "abc");
    EXPECT(s.ptr[3] == '\0');
    EXPECT_EQ(arena_copy(&arena, NULL, 0, &s), 0);
    EXPECT_EQ(s.len, 0);
    assert_string_equal(arena_printf(&arena, "%s-%d", "x", 7), "x-7");
}

int arena_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocates_zeroed_and_aligned),
        cmocka_unit_test(zeroes_again_after_reset),
        cmocka_unit_test(refuses_over_its_limit),
        cmocka_unit_test(big_blocks_leave_the_front_in_use),
        cmocka_unit_test(copies_and_prints),
    };
    return RUN("arena", tests);
}
