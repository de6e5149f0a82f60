#include "core/map.h"
#include "core_test.h"

#include <stdio.h>
#include <stdlib.h>

static void map_release(struct map *map)
{
    map_done(map);
}

static void puts_gets_removes(UNUSED void **state)
{
    AUTO(map_release) struct map m = {0};
    int a, b;
    EXPECT(map_get(&m, SLICE("a")) == NULL && map_remove(&m, SLICE("a")) == NULL);
    EXPECT(map_get_u64(&m, 1) == NULL && map_remove_u64(&m, 1) == NULL);
    EXPECT(map_put(&m, SLICE("a"), &a) == NULL);
    EXPECT(map_put(&m, SLICE("a"), &b) == &a);
    EXPECT(map_put(&m, SLICE("a key longer than a slot"), &a) == NULL);
    EXPECT(map_put(&m, SLICE_NONE, &a) == NULL);
    EXPECT(map_get(&m, SLICE("a")) == &b);
    EXPECT(map_get(&m, SLICE("a key longer than a slot")) == &a);
    EXPECT(map_get(&m, SLICE("a key longer than a slo_")) == NULL);
    EXPECT(map_get(&m, SLICE("")) == &a);
    EXPECT(map_get(&m, SLICE("a\0")) == NULL); /* a length of its own */
    EXPECT_EQ(m.n, 3);
    EXPECT(map_remove(&m, SLICE("a key longer than a slot")) == &a);
    EXPECT(map_remove(&m, SLICE("a key longer than a slot")) == NULL);
    EXPECT_EQ(m.n, 2);
}

static void copies_keys(UNUSED void **state)
{
    AUTO(map_release) struct map m = {0};
    char key[] = "0123456789abcdef";
    map_put(&m, slice_of(key), &m);
    memset(key, 'x', sizeof(key) - 1);
    EXPECT(map_get(&m, SLICE("0123456789abcdef")) == &m);
    EXPECT(map_get(&m, slice_of(key)) == NULL);
}

static void numbers_are_keys_of_eight_bytes(UNUSED void **state)
{
    AUTO(map_release) struct map m = {0};
    uint64_t key = 77;
    map_put_u64(&m, key, &m);
    EXPECT(map_get_u64(&m, 77) == &m && map_get_u64(&m, 78) == NULL);
    EXPECT(map_get(&m, slice_from(&key, sizeof(key))) == &m);
    EXPECT(map_put_u64(&m, 0, &key) == NULL && map_get_u64(&m, 0) == &key);
    EXPECT(map_remove_u64(&m, 77) == &m && map_get_u64(&m, 77) == NULL);
}

/* Against an array as model, with keys of both kinds and many removals. */
static void agrees_with_a_model(UNUSED void **state)
{
    enum { KEYS = 500, STEPS = 100000 };
    static char values[KEYS];
    static char *model[KEYS];
    AUTO(map_release) struct map m = {0};
    memset(model, 0, sizeof(model));
    unsigned seed = 7;
    size_t n = 0;
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 1103515245u + 12345u;
        size_t k = (seed >> 16) % KEYS;
        char key[32];
        int len = snprintf(key, sizeof(key), k % 2 == 0 ? "%zu" : "a rather long key %zu", k);
        struct slice s = {key, (size_t)len};
        EXPECT(map_get(&m, s) == model[k]);
        if ((seed >> 8 & 3) < 2) {
            EXPECT(map_put(&m, s, &values[k]) == model[k]);
            n += model[k] == NULL;
            model[k] = &values[k];
        } else {
            EXPECT(map_remove(&m, s) == model[k]);
            n -= model[k] != NULL;
            model[k] = NULL;
        }
        EXPECT_EQ(m.n, n);
    }
    EXPECT(m.n_slots <= 1024);

    size_t at = 0, seen = 0;
    struct slice key;
    void *value;
    while (map_next(&m, &at, &key, &value)) {
        EXPECT(map_get(&m, key) == value && model[(char *)value - values] == value);
        seen++;
    }
    EXPECT_EQ(seen, n);
}

static void does_not_grow_by_churn(UNUSED void **state)
{
    AUTO(map_release) struct map m = {0};
    for (uint64_t i = 0; i < 100000; i++) {
        map_put_u64(&m, i, &m);
        if (i >= 10)
            EXPECT(map_remove_u64(&m, i - 10) == &m);
    }
    EXPECT_EQ(m.n, 10);
    EXPECT(m.n_slots <= 64);
}

static void holds_many(UNUSED void **state)
{
    enum { MANY = 200000 };
    AUTO(map_release) struct map m = {0};
    for (uint64_t i = 1; i <= MANY; i++)
        map_put_u64(&m, i << 20, (void *)(uintptr_t)i);
    for (uint64_t i = 1; i <= MANY; i++)
        EXPECT(map_get_u64(&m, i << 20) == (void *)(uintptr_t)i);
    EXPECT_EQ(m.n, MANY);
}

int map_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_gets_removes),
        cmocka_unit_test(copies_keys),
        cmocka_unit_test(numbers_are_keys_of_eight_bytes),
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(does_not_grow_by_churn),
        cmocka_unit_test(holds_many),
    };
    return RUN("map", tests);
}
