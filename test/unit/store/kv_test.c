#include "store_test.h"

#include "store/kv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static void test_key_order(void **state)
{
    (void)state;
    static const uint8_t alphabet[] = {0x00, 0x41, 0x7f, 0x80, 0xbf, 0xc2, 0xdf, 0xe0, 0xf4};
    srand(7);
    for (int round = 0; round < 3000; round++) {
        char a[KV_KEY_MAX], b[KV_KEY_MAX];
        size_t n = 380 + (size_t)rand() % 133, m = 380 + (size_t)rand() % 133,
               same = (size_t)rand() % 512;
        for (size_t i = 0; i < KV_KEY_MAX; i++) {
            a[i] = (char)alphabet[(size_t)rand() % sizeof(alphabet)];
            b[i] = i < same ? a[i] : (char)alphabet[(size_t)rand() % sizeof(alphabet)];
        }
        uint8_t x[KV_ENCODED_MAX], y[KV_ENCODED_MAX], back[KV_KEY_MAX];
        ssize_t xl = kv_key_encode(slice_from(a, n), x), yl = kv_key_encode(slice_from(b, m), y);
        assert_true(xl > 0 && yl > 0);
        int want = slice_compare(slice_from(a, n), slice_from(b, m));
        int got = slice_compare(slice_from(x, (size_t)xl), slice_from(y, (size_t)yl));
        assert_int_equal((want > 0) - (want < 0), (got > 0) - (got < 0));
        assert_int_equal(kv_key_decode(slice_from(x, (size_t)xl), back), n);
        assert_memory_equal(back, a, n);
    }
    uint8_t x[KV_ENCODED_MAX];
    assert_int_equal(kv_key_encode(SLICE_NONE, x), -EINVAL);
    char bad[KV_KEY_MAX];
    memset(bad, 0xff, sizeof(bad));
    assert_int_equal(kv_key_encode(slice_from(bad, sizeof(bad)), x), -EINVAL);
}

static void put(struct kv *kv, const char *key, const char *value, int64_t expiration_s)
{
    struct kv_value v = {
        .expiration_s = expiration_s, .metadata = SLICE("{}"), .value = slice_of(value)};
    assert_int_equal(kv_put(kv, slice_of(key), &v), 0);
}

static void test_put_get_expire(void **state)
{
    (void)state;
    const char *dir = store_test_dir();
    struct kv *kv;
    assert_int_equal(kv_open(dir, true, &kv), 0);
    assert_int_equal(kv_begin(kv), 0);
    put(kv, "a", "one", 0);
    put(kv, "b", "two", 100);
    put(kv, "b", "three", 200);
    assert_int_equal(kv_commit(kv), 0);

    struct kv_value v;
    assert_int_equal(kv_read_start(kv), 0);
    assert_int_equal(kv_get(kv, SLICE("a"), 1, &v), 0);
    assert_true(slice_eq(v.value, SLICE("one")));
    assert_true(slice_eq(v.metadata, SLICE("{}")));
    assert_int_equal(kv_get(kv, SLICE("b"), 199, &v), 0);
    assert_true(slice_eq(v.value, SLICE("three")));
    assert_int_equal(kv_get(kv, SLICE("b"), 200, &v), -ENOENT);
    assert_int_equal(kv_get(kv, SLICE("c"), 0, &v), -ENOENT);
    kv_read_end(kv);

    assert_int_equal(kv_begin(kv), 0);
    assert_int_equal(kv_expire(kv, 150, 10), 0);
    assert_int_equal(kv_expire(kv, 200, 10), 1);
    assert_int_equal(kv_delete(kv, SLICE("a")), 0);
    assert_int_equal(kv_delete(kv, SLICE("never")), 0);
    assert_int_equal(kv_commit(kv), 0);
    struct kv_stat stat;
    assert_int_equal(kv_read_start(kv), 0);
    assert_int_equal(kv_stat(kv, &stat), 0);
    assert_int_equal(stat.n_keys, 0);
    kv_read_end(kv);
    kv_close(kv);
    store_test_remove(dir);
}

static int collect(void *arg, struct slice key, const struct kv_value *value)
{
    char *out = arg;
    (void)value;
    strncat(out, key.ptr, key.len);
    strcat(out, ",");
    return strlen(out) > 60 ? 1 : 0;
}

static void test_walk(void **state)
{
    (void)state;
    const char *dir = store_test_dir();
    struct kv *kv;
    assert_int_equal(kv_open(dir, true, &kv), 0);
    assert_int_equal(kv_begin(kv), 0);
    static const char *const keys[] = {"b/2", "a", "b/1", "b", "c", "b/3", "b0"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        put(kv, keys[i], "v", 0);
    put(kv, "b/gone", "v", 5);
    assert_int_equal(kv_commit(kv), 0);

    assert_int_equal(kv_read_start(kv), 0);
    char out[128] = "";
    struct kv_range range = {.prefix = SLICE("b/"), .now_s = 10};
    assert_int_equal(kv_walk(kv, &range, collect, out), 0);
    assert_string_equal(out, "b/1,b/2,b/3,");
    out[0] = 0;
    range.after = SLICE("b/1");
    assert_int_equal(kv_walk(kv, &range, collect, out), 0);
    assert_string_equal(out, "b/2,b/3,");
    out[0] = 0;
    range = (struct kv_range){.after = SLICE("b/3"), .now_s = 10};
    assert_int_equal(kv_walk(kv, &range, collect, out), 0);
    assert_string_equal(out, "b0,c,");
    kv_read_end(kv);
    kv_close(kv);
    store_test_remove(dir);
}

static void test_rollback_and_large(void **state)
{
    (void)state;
    const char *dir = store_test_dir();
    struct kv *kv;
    assert_int_equal(kv_open(dir, true, &kv), 0);
    assert_int_equal(kv_begin(kv), 0);
    put(kv, "x", "lost", 0);
    kv_rollback(kv);
    char *large = calloc(1, KV_VALUE_MAX);
    large[KV_VALUE_MAX - 1] = 'z';
    struct kv_value v = {.value = slice_from(large, KV_VALUE_MAX)};
    assert_int_equal(kv_begin(kv), 0);
    assert_int_equal(kv_put(kv, SLICE("large"), &v), 0);
    assert_int_equal(kv_commit(kv), 0);
    assert_int_equal(kv_read_start(kv), 0);
    assert_int_equal(kv_get(kv, SLICE("x"), 0, &v), -ENOENT);
    assert_int_equal(kv_get(kv, SLICE("large"), 0, &v), 0);
    assert_int_equal(v.value.len, KV_VALUE_MAX);
    assert_int_equal(v.value.ptr[KV_VALUE_MAX - 1], 'z');
    kv_read_end(kv);
    kv_close(kv);
    free(large);
    char path[128];
    struct stat st;
    snprintf(path, sizeof(path), "%s/lock.mdb", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    store_test_remove(dir);
}

int kv_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_order),
        cmocka_unit_test(test_put_get_expire),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_rollback_and_large),
    };
    return cmocka_run_group_tests_name("kv", tests, NULL, NULL);
}
