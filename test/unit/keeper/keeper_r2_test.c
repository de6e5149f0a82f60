/* R2 through the keeper: small and large objects, checksums, conditions, listings, what is left behind. */
#include "keeper_test.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STORE SLICE("r2/one")

static struct answer *put(struct keeper_fixture *f, const char *key, struct slice body,
                          const char *options)
{
    PACK(&args, r2_put, .binding = 3, .key = slice_of(key), .options = slice_of(options),
         .size = (int64_t)body.len);
    return call(&f->isolate, OP_r2_put, &args, body);
}

static struct answer *get(struct keeper_fixture *f, const char *key, const char *options)
{
    PACK(&args, r2_get, .store = STORE, .key = slice_of(key), .options = slice_of(options));
    return call(&f->control, OP_r2_get, &args, SLICE_NONE);
}

static struct answer *list(struct keeper_fixture *f, const char *options)
{
    PACK(&args, r2_list, .store = STORE, .options = slice_of(options));
    return call(&f->control, OP_r2_list, &args, SLICE_NONE);
}

static void remove_keys(struct keeper_fixture *f, const char *keys)
{
    PACK(&args, r2_delete, .binding = 3, .keys = slice_of(keys));
    assert_int_equal(call(&f->isolate, OP_r2_delete, &args, SLICE_NONE)->result, 0);
}

/* Files in a directory of the bucket, one level of subdirectories included. */
static unsigned files_in(const char *path)
{
    unsigned n = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char below[600];
        if (e->d_name[0] == '.')
            continue;
        snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
        n += e->d_type == DT_DIR ? files_in(below) : 1;
    }
    closedir(dir);
    return n;
}

static unsigned files(struct keeper_fixture *f, const char *name)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/r2/one/%s", f->root, name);
    return files_in(path);
}

static void test_sizes(void **state)
{
    struct keeper_fixture *f = *state;
    static const size_t sizes[] = {0, 1, 16 * 1024, 16 * 1024 + 1, 300 * 1024, 3 * 1024 * 1024 + 7};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char *bytes = malloc(sizes[i] + 1);
        for (size_t k = 0; k < sizes[i]; k++)
            bytes[k] = (char)(k * 7 + i);
        assert_int_equal(put(f, "key", slice_from(bytes, sizes[i]), "{}")->result, 0);
        struct answer *a = get(f, "key", "{}");
        assert_int_equal(a->result, 0);
        assert_int_equal(buf_len(&a->body), sizes[i]);
        assert_memory_equal(buf_slice(&a->body).ptr != NULL ? buf_slice(&a->body).ptr : "", bytes,
                            sizes[i]);
        if (sizes[i] > 10) {
            a = get(f, "key", "{\"range\":{\"offset\":3,\"length\":5}}");
            assert_int_equal(buf_len(&a->body), 5);
            assert_memory_equal(buf_slice(&a->body).ptr, bytes + 3, 5);
        }
        free(bytes);
    }
    keeper_restart(f);
    assert_int_equal(buf_len(&get(f, "key", "{}")->body), sizes[ARRAY_LEN(sizes) - 1]);
    assert_int_equal(files(f, "spool"), 0);
    assert_int_equal(files(f, "blobs"), 3); /* two of them replaced, not yet removed */
}

static void test_object(void **state)
{
    struct keeper_fixture *f = *state;
    struct answer *a =
        put(f, "a\"b", SLICE("hello"),
            "{\"httpMetadata\":{\"contentType\":\"text/plain\"},\"customMetadata\":{\"k\":\"v\"},"
            "\"sha1\":\"AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D\"}");
    assert_int_equal(a->result, 0);
    AUTO(json_release) json_t *o = NULL;
    assert_int_equal(json_parse(buf_slice(&a->json), &o, NULL), 0);
    assert_string_equal(json_str(o, "key", ""), "a\"b");
    assert_string_equal(json_str(o, "etag", ""), "5d41402abc4b2a76b9719d911017c592");
    assert_string_equal(json_str(json_object_get(o, "httpMetadata"), "contentType", ""),
                        "text/plain");
    assert_string_equal(json_str(json_object_get(o, "checksums"), "sha1", ""),
                        "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d");
    assert_int_equal(get(f, "none", "{}")->result, -ENOENT);
    char *large = calloc(1, 100000);
    a = put(f, "bad", slice_from(large, 100000), "{\"sha256\":\"00\"}");
    assert_int_equal(a->result, -EINVAL);
    assert_true(slice_starts(buf_slice(&a->text),
                             SLICE("The SHA-256 checksum you specified did not match")));
    assert_int_equal(get(f, "bad", "{}")->result, -ENOENT);
    keeper_restart(f);
    assert_int_equal(files(f, "spool"), 0);
    assert_int_equal(files(f, "blobs"), 0);
    free(large);
    PACK(&args, r2_put, .binding = 3, .key = SLICE("short"), .options = SLICE("{}"), .size = 9);
    assert_int_equal(call(&f->isolate, OP_r2_put, &args, SLICE("hello"))->result, -EINVAL);
}

static void test_conditions(void **state)
{
    struct keeper_fixture *f = *state;
    assert_int_equal(
        put(f, "k", SLICE("x"), "{\"onlyIf\":{\"etagMatches\":[{\"v\":\"*\"}]}}")->result, 1);
    assert_int_equal(
        put(f, "k", SLICE("hello"), "{\"onlyIf\":{\"etagDoesNotMatch\":[{\"v\":\"*\"}]}}")->result,
        0);
    assert_int_equal(
        put(f, "k", SLICE("x"), "{\"onlyIf\":{\"etagDoesNotMatch\":[{\"v\":\"*\"}]}}")->result, 1);
    assert_int_equal(put(f, "k", SLICE("x"), "{\"onlyIf\":{\"uploadedBefore\":1}}")->result, 1);
    assert_int_equal(put(f, "k", SLICE("x"), "{\"onlyIf\":{\"uploadedAfter\":1}}")->result, 0);
    assert_int_equal(put(f, "k", SLICE("y"),
                         "{\"onlyIf\":{\"etagMatches\":[{\"v\":"
                         "\"9dd4e461268c8034f5c8564e155c67a6\",\"w\":true}]}}")
                         ->result,
                     1);
    assert_int_equal(
        put(f, "k", SLICE("y"),
            "{\"onlyIf\":{\"etagMatches\":[{\"v\":\"9dd4e461268c8034f5c8564e155c67a6\"}]}}")
            ->result,
        0);
}

static void test_list_delete(void **state)
{
    struct keeper_fixture *f = *state;
    static const char *const keys[] = {"a/1", "a/2", "a0", "b", "a/b/c", "\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        assert_int_equal(put(f, keys[i], SLICE("v"), "{}")->result, 0);
    struct answer *a = list(f, "{\"delimiter\":\"/\",\"limit\":2}");
    AUTO(json_release) json_t *l = NULL;
    assert_int_equal(json_parse(buf_slice(&a->json), &l, NULL), 0);
    assert_int_equal(json_array_size(json_object_get(l, "objects")), 1);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(l, "delimitedPrefixes"), 0)), "a/");
    assert_true(json_bool(l, "truncated", false));
    char options[200];
    snprintf(options, sizeof(options), "{\"delimiter\":\"/\",\"cursor\":\"%s\"}",
             json_str(l, "cursor", ""));
    a = list(f, options);
    AUTO(json_release) json_t *rest = NULL;
    assert_int_equal(json_parse(buf_slice(&a->json), &rest, NULL), 0);
    assert_int_equal(json_array_size(json_object_get(rest, "objects")), 2);
    assert_int_equal(json_array_size(json_object_get(rest, "delimitedPrefixes")), 0);
    assert_false(json_bool(rest, "truncated", true));
    assert_true(list(f, "{\"limit\":1001}")->result < 0);
    assert_true(list(f, "{\"cursor\":\"%\"}")->result < 0);
    remove_keys(f, "[\"a/1\",\"a/2\",\"never\"]");
    a = list(f, "{\"prefix\":\"a/\"}");
    AUTO(json_release) json_t *left = NULL;
    assert_int_equal(json_parse(buf_slice(&a->json), &left, NULL), 0);
    assert_int_equal(json_array_size(json_object_get(left, "objects")), 1);
}

/* Calls answer JSON: the member as a string of the caller's. */
static void member(struct answer *a, const char *name, char ret[64])
{
    AUTO(json_release) json_t *o = NULL;
    assert_int_equal(a->result, 0);
    assert_int_equal(json_parse(buf_slice(&a->json), &o, NULL), 0);
    snprintf(ret, 64, "%s", json_str(o, name, ""));
}

static void part(struct keeper_fixture *f, const char *upload, unsigned number, struct slice body,
                 char ret_etag[64])
{
    PACK(&args, r2_multipart_part, .binding = 3, .key = SLICE("m"), .upload = slice_of(upload),
         .number = number, .options = SLICE("{}"), .size = (int64_t)body.len);
    member(call(&f->isolate, OP_r2_multipart_part, &args, body), "etag", ret_etag);
}

static void test_multipart(void **state)
{
    enum { PART = 5 * 1024 * 1024 };
    struct keeper_fixture *f = *state;
    char upload[64], first[64], second[64], etag[64], parts[300];
    char *bytes = malloc(PART);
    for (size_t i = 0; i < PART; i++)
        bytes[i] = (char)(i * 31 >> 3);
    PACK(&args, r2_multipart_create, .binding = 3, .key = SLICE("m"), .options = SLICE("{}"));
    member(call(&f->isolate, OP_r2_multipart_create, &args, SLICE_NONE), "uploadId", upload);
    part(f, upload, 1, SLICE("replaced"), first);
    part(f, upload, 1, slice_from(bytes, PART), first);
    part(f, upload, 7, SLICE("the tail"), second);
    keeper_restart(f); /* an upload outlives the process */
    snprintf(parts, sizeof(parts),
             "[{\"partNumber\":7,\"etag\":\"%s\"},{\"partNumber\":1,\"etag\":\"%s\"}]", second,
             first);
    PACK(&args, r2_multipart_complete, .binding = 3, .key = SLICE("m"), .upload = slice_of(upload),
         .parts = slice_of(parts), .options = SLICE("{}"));
    member(call(&f->isolate, OP_r2_multipart_complete, &args, SLICE_NONE), "etag", etag);
    assert_string_equal(etag + 32, "-2");
    assert_int_equal(call(&f->isolate, OP_r2_multipart_complete, &args, SLICE_NONE)->result,
                     -ENOENT);

    char range[100];
    snprintf(range, sizeof(range), "{\"range\":{\"offset\":%d,\"length\":7}}", PART - 3);
    struct answer *a = get(f, "m", range);
    assert_int_equal(buf_len(&a->body), 7);
    assert_memory_equal(buf_slice(&a->body).ptr, bytes + PART - 3, 3);
    assert_memory_equal(buf_slice(&a->body).ptr + 3, "the ", 4);
    assert_int_equal(buf_len(&get(f, "m", "{}")->body), PART + 8);

    PACK(&args, r2_copy, .store = STORE, .key = SLICE("copy"),
         .options = SLICE("{\"bucket\":\"one\",\"key\":\"m\"}"));
    assert_int_equal(call(&f->control, OP_r2_copy, &args, SLICE_NONE)->result, 0);
    remove_keys(f, "[\"m\"]");
    keeper_restart(f);
    assert_int_equal(buf_len(&get(f, "copy", "{}")->body), PART + 8);
    assert_int_equal(files(f, "spool"), 0);
    assert_int_equal(files(f, "blobs"), 5); /* three of them garbage */
    free(bytes);
}

int keeper_r2_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_object, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_conditions, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_list_delete, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_multipart, keeper_setup, keeper_teardown),
    };
    return cmocka_run_group_tests_name("keeper r2", tests, NULL, NULL);
}
