/* KV through the keeper: what Workers write, what the REST API reads, grants, groups. */
#include "keeper_test.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define STORE SLICE("kv/one")

static struct answer *put(struct keeper_fixture *f, const char *key, struct slice value,
                          int64_t expiration_s)
{
    PACK(&args, kv_put, .binding = 1, .key = slice_of(key), .expiration_s = expiration_s);
    return call(&f->isolate, OP_kv_put, &args, value);
}

static struct answer *get(struct keeper_fixture *f, const char *key)
{
    PACK(&args, kv_get, .store = STORE, .key = slice_of(key));
    return call(&f->control, OP_kv_get, &args, SLICE_NONE);
}

static void test_put_get_delete(void **state)
{
    struct keeper_fixture *f = *state;
    assert_int_equal(put(f, "a", SLICE("one"), 0)->result, 0);
    struct answer *a = get(f, "a");
    assert_int_equal(a->result, 0);
    assert_string_equal(buf_cstr(&a->body), "one");
    assert_string_equal(buf_cstr(&a->json), "{\"metadata\":null}");
    assert_int_equal(put(f, "empty", SLICE(""), 0)->result, 0);
    assert_int_equal(get(f, "empty")->result, 0);
    PACK(&args, kv_delete, .binding = 1, .key = SLICE("a"));
    assert_int_equal(call(&f->isolate, OP_kv_delete, &args, SLICE_NONE)->result, 0);
    assert_int_equal(get(f, "a")->result, -ENOENT);
    assert_int_equal(put(f, "gone", SLICE("x"), 5)->result, 0);
    assert_int_equal(get(f, "gone")->result, -ENOENT);
}

static void test_limits(void **state)
{
    struct keeper_fixture *f = *state;
    size_t n = 25 * 1024 * 1024;
    char *large = malloc(n + 1);
    memset(large, 'x', n + 1);
    assert_int_equal(put(f, "large", slice_from(large, n), 0)->result, 0);
    assert_int_equal(buf_len(&get(f, "large")->body), n);
    assert_int_equal(put(f, "larger", slice_from(large, n + 1), 0)->result, -E2BIG);
    assert_int_equal(get(f, "larger")->result, -ENOENT);
    free(large);
    char key[600] = "";
    memset(key, 'k', 513);
    struct answer *a = put(f, key, SLICE("v"), 0);
    assert_int_equal(a->result, -EINVAL);
    assert_string_equal(buf_cstr(&a->text),
                        "414 UTF-8 encoded length of 513 exceeds key length limit of 512.");
    key[512] = 0;
    assert_int_equal(put(f, key, SLICE("v"), 0)->result, 0);
    assert_int_equal(get(f, key)->result, 0);
}

static void test_list_and_bulk(void **state)
{
    struct keeper_fixture *f = *state;
    PACK(&args, kv_bulk, .store = STORE, .kind = 1);
    struct answer *a =
        call(&f->control, OP_kv_bulk, &args,
             SLICE("[{\"key\":\"p/1\",\"value\":\"a\",\"metadata\":{\"m\":1}},{\"key\":\"p/"
                   "2\",\"value\":\"Yg==\",\"base64\":true},"
                   "{\"key\":\"q\",\"value\":\"c\"},{\"key\":\"\",\"value\":\"d\"}]"));
    assert_int_equal(a->result, 0);
    assert_string_equal(buf_cstr(&a->json),
                        "{\"successful_key_count\":3,\"unsuccessful_keys\":[\"\"]}");
    PACK(&args, kv_list, .store = STORE, .prefix = SLICE("p/"), .limit = 1);
    a = call(&f->control, OP_kv_list, &args, SLICE_NONE);
    assert_string_equal(
        buf_cstr(&a->json),
        "{\"keys\":[{\"name\":\"p/"
        "1\",\"metadata\":{\"m\":1}}],\"list_complete\":false,\"cursor\":\"cC8x\"}");
    PACK(&args, kv_list, .store = STORE, .prefix = SLICE("p/"), .cursor = SLICE("cC8x"),
         .limit = 10);
    a = call(&f->control, OP_kv_list, &args, SLICE_NONE);
    assert_string_equal(buf_cstr(&a->json),
                        "{\"keys\":[{\"name\":\"p/2\"}],\"list_complete\":true}");
    PACK(&args, kv_bulk, .store = STORE, .kind = 3);
    a = call(&f->control, OP_kv_bulk, &args, SLICE("{\"keys\":[\"p/2\",\"none\"]}"));
    assert_string_equal(buf_cstr(&a->json), "{\"values\":{\"p/2\":\"b\",\"none\":null}}");
    PACK(&args, kv_bulk, .store = STORE, .kind = 2);
    a = call(&f->control, OP_kv_bulk, &args, SLICE("[\"p/1\",\"p/2\"]"));
    assert_int_equal(a->result, 0);
    assert_int_equal(get(f, "p/1")->result, -ENOENT);
    assert_int_equal(get(f, "q")->result, 0);
}

static bool loses_wire(struct keeper_fixture *f)
{
    for (int i = 0; i < 100 && !f->isolate.closed; i++)
        loop_turn(f->loop, 10);
    return f->isolate.closed;
}

static void test_grants(void **state)
{
    struct keeper_fixture *f = *state;
    /* Another product's binding, and one that does not exist: the isolate loses its wire. */
    PACK(&args, kv_put, .binding = 2, .key = SLICE("a"));
    call(&f->isolate, OP_kv_put, &args, SLICE("x"));
    assert_true(loses_wire(f));
    keeper_restart(f);
    PACK(&args, kv_get, .store = STORE, .key = SLICE("a"));
    call(&f->isolate, OP_kv_get, &args, SLICE_NONE);
    assert_true(loses_wire(f));
    keeper_restart(f);
    PACK(&args, kv_put, .binding = 0, .key = SLICE("a"));
    call(&f->isolate, OP_kv_put, &args, SLICE("x"));
    assert_true(loses_wire(f));
    /* Control is told. */
    PACK(&args, kv_get, .store = SLICE("kv/../one"), .key = SLICE("a"));
    assert_int_equal(call(&f->control, OP_kv_get, &args, SLICE_NONE)->result, -EINVAL);
    PACK(&args, kv_get, .store = SLICE("kv/other"), .key = SLICE("a"));
    assert_int_equal(call(&f->control, OP_kv_get, &args, SLICE_NONE)->result, -ENOENT);
}

static void test_drop(void **state)
{
    struct keeper_fixture *f = *state;
    assert_int_equal(put(f, "a", SLICE("one"), 0)->result, 0);
    PACK(&args, store_info, .store = STORE);
    assert_int_equal(call(&f->control, OP_store_info, &args, SLICE_NONE)->result, 0);
    PACK(&args, store_drop, .store = STORE);
    assert_int_equal(call(&f->control, OP_store_drop, &args, SLICE_NONE)->result, 0);
    assert_int_equal(put(f, "a", SLICE("one"), 0)->result, -ENOENT);
    PACK(&args, store_make, .store = STORE);
    assert_int_equal(call(&f->control, OP_store_make, &args, SLICE_NONE)->result, 0);
    assert_int_equal(get(f, "a")->result, -ENOENT);
    assert_int_equal(put(f, "a", SLICE("two"), 0)->result, 0);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

/* Many at once share commits: all are there, and faster than alone. */
static void test_group(void **state)
{
    struct keeper_fixture *f = *state;
    enum { N = 2000, ALONE = 20 };
    static struct answer answers[N];
    int64_t start = now_us();
    for (int i = 0; i < ALONE; i++)
        assert_int_equal(put(f, "alone", SLICE("v"), 0)->result, 0);
    double alone = (double)(now_us() - start) / ALONE;
    start = now_us();
    for (int i = 0; i < N; i++) {
        char key[32];
        snprintf(key, sizeof(key), "key-%d", i);
        PACK(&args, kv_put, .binding = 1, .key = slice_of(key));
        call_start(&f->isolate, OP_kv_put, &args, SLICE("a value of some bytes"), &answers[i]);
    }
    for (int i = 0; i < N; i++) {
        answer_wait(&f->isolate, &answers[i]);
        assert_int_equal(answers[i].result, 0);
        answer_done(&answers[i]);
        answers[i] = (struct answer){0};
    }
    double each = (double)(now_us() - start) / N;
    print_message("kv put: alone %.0f us, grouped %.1f us each\n", alone, each);
    keeper_restart(f);
    assert_int_equal(get(f, "key-0")->result, 0);
    assert_int_equal(get(f, "key-1999")->result, 0);
}

int keeper_kv_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_get_delete, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_limits, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_list_and_bulk, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_grants, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_drop, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_group, keeper_setup, keeper_teardown),
    };
    return cmocka_run_group_tests_name("keeper kv", tests, NULL, NULL);
}
