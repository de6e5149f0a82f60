#include "fake_call.h"

#include <errno.h>

static char id[ID_HEX_SIZE];

static void test_create(void **state)
{
    (void)state;
    struct api_request req;
    struct msg_store_make m;
    product_request(&req, "POST", "/storage/kv/namespaces", NULL, SLICE("{\"title\":\"one\"}"));
    EXPECT_EQ(req.answer.status, 200);
    snprintf(id, sizeof(id), "%s", product_result(&req, "id"));
    EXPECT(id_is_hex(slice_of(id), 32));
    api_request_done(&req);
    EXPECT_EQ(msg_store_make_unpack(buf_slice(&fake.args[fake_call_of(OP_store_make, 0)]), &m), 0);
    EXPECT(slice_starts(m.store, SLICE("kv/")));
    product_expect("POST", "/storage/kv/namespaces", "{\"title\":\"one\"}", 400, 10014);
    product_expect("POST", "/storage/kv/namespaces", "{}", 400, 10021);
}

static void test_create_fails(void **state)
{
    (void)state;
    fake.replies[0] =
        (struct fake_reply){.op = OP_store_make, .result = -ENOSPC, .text = "the disk is full"};
    product_expect("POST", "/storage/kv/namespaces", "{\"title\":\"two\"}", 507, 10001);
    fake.replies[0] = (struct fake_reply){.op = OP_store_make, .error = -EPIPE};
    product_expect("POST", "/storage/kv/namespaces", "{\"title\":\"two\"}", 503, 10001);
    fake.replies[0] = (struct fake_reply){0};
    /* No namespace is left behind, so the title is free. */
    product_expect("POST", "/storage/kv/namespaces", "{\"title\":\"two\"}", 200, 0);
}

static const char *values(const char *rest)
{
    static char path[512];
    snprintf(path, sizeof(path), "/storage/kv/namespaces/%s%s", id, rest);
    return path;
}

static void test_put(void **state)
{
    (void)state;
    struct msg_kv_put m;
    struct api_request req;
    product_request(&req, "PUT", values("/values/a%2Fb%00?expiration=99999999999"), "text/plain",
                    SLICE("v\0w"));
    EXPECT_EQ(req.answer.status, 200);
    api_request_done(&req);
    size_t n = fake_call_of(OP_kv_put, 0);
    EXPECT_EQ(msg_kv_put_unpack(buf_slice(&fake.args[n]), &m), 0);
    EXPECT_SLICE(m.key, "a/b\0");
    EXPECT_EQ(m.expiration_s, 99999999999);
    EXPECT_EQ(m.binding, BINDING_NONE);
    EXPECT_SLICE(buf_slice(&fake.bodies[n]), "v\0w");
}

static void test_put_form(void **state)
{
    (void)state;
    struct msg_kv_put m;
    struct api_request req;
    product_request(
        &req, "PUT", values("/values/f"), "multipart/form-data; boundary=X",
        SLICE("--X\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\nv\r\n--X\r\n"
              "Content-Disposition: form-data; name=\"metadata[a]\"\r\n\r\nb\r\n--X--\r\n"));
    EXPECT_EQ(req.answer.status, 200);
    api_request_done(&req);
    size_t n = fake_call_of(OP_kv_put, 1);
    EXPECT_EQ(msg_kv_put_unpack(buf_slice(&fake.args[n]), &m), 0);
    EXPECT_SLICE(m.metadata, "{\"a\":\"b\"}");
    EXPECT_SLICE(buf_slice(&fake.bodies[n]), "v");
}

static void test_put_refused(void **state)
{
    (void)state;
    product_expect("PUT", values("/values/k?expiration_ttl=5"), "v", 400, 10033);
    product_expect("PUT", values("/values/k?expiration=5"), "v", 400, 10033);
    product_expect("PUT", values("/values/.."), "v", 400, 10033);
    product_expect("PUT", "/storage/kv/namespaces/00000000000000000000000000000000/values/k", "v",
                   404, 10013);
    char path[800];
    snprintf(path, sizeof(path), "/storage/kv/namespaces/%s/values/%0600d", id, 0);
    product_expect("PUT", path, "v", 413, 10033);
    fake.replies[0] = (struct fake_reply){.op = OP_kv_put, .result = -EIO};
    product_expect("PUT", values("/values/k"), "v", 500, 10033);
    fake.replies[0] = (struct fake_reply){.op = OP_kv_put, .error = -ETIMEDOUT};
    product_expect("PUT", values("/values/k"), "v", 504, 10001);
    fake.replies[0] = (struct fake_reply){0};
}

static void test_list(void **state)
{
    (void)state;
    struct msg_kv_list m;
    struct api_request req;
    fake.replies[0] = (struct fake_reply){
        .op = OP_kv_list, .json = "{\"keys\":[{\"name\":\"a\"}],\"cursor\":\"next\"}"};
    product_request(&req, "GET", values("/keys?prefix=a%20&limit=10&cursor=c"), NULL, SLICE(""));
    EXPECT_EQ(json_array_size(req.answer.result), 1);
    assert_string_equal(json_str(req.answer.result_info, "cursor", ""), "next");
    api_request_done(&req);
    EXPECT_EQ(msg_kv_list_unpack(buf_slice(&fake.args[fake_call_of(OP_kv_list, 0)]), &m), 0);
    EXPECT_SLICE(m.prefix, "a ");
    EXPECT_SLICE(m.cursor, "c");
    EXPECT_EQ(m.limit, 10);
    product_expect("GET", values("/keys?limit=0"), "", 400, 10033);
    fake.replies[0] = (struct fake_reply){.op = OP_kv_get, .result = -ENOENT};
    product_expect("GET", values("/values/none"), "", 404, 10009);
    fake.replies[0] = (struct fake_reply){0};
}

static void test_bulk(void **state)
{
    (void)state;
    product_expect("PUT", values("/bulk"), "{}", 400, 10033);
    product_expect("PUT", values("/bulk"), "[{\"key\":\"a\",\"value\":\"b\"}]", 200, 0);
    product_expect("POST", values("/bulk/get"), "{\"keys\":7}", 400, 10033);
    struct msg_kv_bulk m;
    EXPECT_EQ(msg_kv_bulk_unpack(buf_slice(&fake.args[fake_call_of(OP_kv_bulk, 0)]), &m), 0);
    EXPECT_EQ(m.kind, 1);
}

static void test_d1_keeps_statements_mistakes_apart(void **state)
{
    (void)state;
    struct api_request req;
    char path[128];
    product_request(&req, "POST", "/d1/database", NULL, SLICE("{\"name\":\"db\"}"));
    EXPECT_EQ(req.answer.status, 200);
    snprintf(path, sizeof(path), "/d1/database/%s/query", product_result(&req, "uuid"));
    api_request_done(&req);
    fake.replies[0] = (struct fake_reply){.op = OP_d1_run, .json = "[{\"success\":true}]"};
    product_expect("POST", path, "{\"sql\":\"SELECT 1\"}", 200, 0);
    product_expect("POST", "/d1/database/db/raw",
                   "{\"batch\":[{\"sql\":\"SELECT 1\",\"params\":[1]}]}", 200, 0);
    EXPECT_SLICE(buf_slice(&fake.bodies[fake_call_of(OP_d1_run, 1)]),
                 "[{\"sql\":\"SELECT 1\",\"params\":[1]}]");
    fake.replies[0] = (struct fake_reply){.op = OP_d1_run, .result = -EEXIST, .text = "UNIQUE"};
    product_expect("POST", path, "{\"sql\":\"INSERT\"}", 400, 7500);
    product_expect("POST", path, "{\"sql\":\"\"}", 400, 7500);
    product_expect("POST", "/d1/database/none/query", "{\"sql\":\"x\"}", 404, 7404);
    fake.replies[0] = (struct fake_reply){0};
}

int kv_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_create_fails),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_put_form),
        cmocka_unit_test(test_put_refused),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_d1_keeps_statements_mistakes_apart),
    };
    return cmocka_run_group_tests_name("stores", tests, product_setup, product_teardown);
}
