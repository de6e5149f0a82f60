#include "fake_call.h"

#include "core/file.h"
#include "product/workers/workers_impl.h"

#include <errno.h>
#include <sys/stat.h>

#define FORM "multipart/form-data; boundary=X"
#define META(json) "--X\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n" json "\r\n"
#define MAIN                                                                                       \
    "--X\r\nContent-Disposition: form-data; name=\"w.js\"; filename=\"w.js\"\r\nContent-Type: "    \
    "application/javascript+module\r\n\r\nexport default {}\r\n"
#define END "--X--\r\n"

static char version[ID_UUID_SIZE];

static void put(const char *form, int status, int code)
{
    struct api_request req;
    fake.replies[1] = (struct fake_reply){.op = OP_link, .body = "linked code"};
    product_request(&req, "PUT", "/workers/scripts/hello?bindings_inherit=strict", FORM,
                    slice_of(form));
    json_t *error = json_array_get(req.answer.errors, 0);
    EXPECT_EQ(json_int(error, "code", 0), code);
    EXPECT_EQ(req.answer.status, status);
    if (status == 200)
        snprintf(version, sizeof(version), "%s", product_result(&req, "deployment_id"));
    api_request_done(&req);
}

static json_t *read_json(const char *name)
{
    AUTO(buf_done) struct buf text = {0};
    char path[256];
    json_t *value = NULL;
    if (strcmp(name, "table.json") == 0)
        snprintf(path, sizeof(path), "workers/table.json");
    else
        snprintf(path, sizeof(path), "workers/hello/%s/%s", version, name);
    EXPECT_EQ(file_read(f.api.data_fd, path, 1 << 20, &text), 0);
    EXPECT_EQ(json_parse(buf_slice(&text), &value, NULL), 0);
    return value;
}

static size_t versions_on_disk(void)
{
    int64_t n = 0;
    EXPECT_EQ(db_int(f.api.db, &n, "SELECT count(*) FROM versions", NULL), 0);
    return (size_t)n;
}

static void test_deploy(void **state)
{
    (void)state;
    put(META("{\"main_module\":\"w.js\",\"compatibility_date\":\"2026-01-01\",\"bindings\":[{"
             "\"name\":\"V\",\"type\":"
             "\"plain_text\",\"text\":\"x\"},{\"name\":\"S\",\"type\":\"secret_text\",\"text\":"
             "\"hush\"}]}") MAIN END,
        200, 0);
    AUTO(json_release) json_t *spec = read_json("spec.json");
    AUTO(json_release) json_t *table = read_json("table.json");
    assert_string_equal(json_str(spec, "format", ""), "modules");
    assert_string_equal(json_str(spec, "code", ""), "linked.js");
    EXPECT_EQ(json_array_size(json_object_get(spec, "bindings")), 2);
    json_t *script = json_object_get(json_object_get(table, "scripts"), "hello");
    json_t *deployed = json_array_get(json_object_get(script, "versions"), 0);
    assert_string_equal(json_str(deployed, "id", ""), version);
    EXPECT_EQ(json_int(deployed, "percentage", 0), 100);
    json_t *secret = binding_find(json_object_get(deployed, "bindings"), "S");
    assert_null(json_object_get(secret, "text"));
    EXPECT_EQ(fake.notes[fake.n_notes - 1], OP_table_changed);
}

static void test_redeploy_keeps_secrets(void **state)
{
    (void)state;
    put(META("{\"main_module\":\"w.js\",\"bindings\":[],\"keep_bindings\":[\"secret_text\"]}")
            MAIN END,
        200, 0);
    AUTO(json_release) json_t *spec = read_json("spec.json");
    json_t *bindings = json_object_get(spec, "bindings");
    EXPECT_EQ(json_array_size(bindings), 1);
    assert_string_equal(json_str(binding_find(bindings, "S"), "text", ""), "hush");
}

/* A secret changes no code: it is not linked again and not started again. */
static void test_secret_reuses_the_code(void **state)
{
    (void)state;
    size_t links = fake.n_calls;
    struct api_request req;
    product_request(&req, "PUT", "/workers/scripts/hello/secrets", NULL,
                    SLICE("{\"name\":\"T\",\"text\":\"more\",\"type\":\"secret_text\"}"));
    EXPECT_EQ(req.answer.status, 200);
    api_request_done(&req);
    EXPECT_EQ(fake.n_calls, links);
    product_expect("PUT", "/workers/scripts/hello/secrets", "{\"name\":\"\"}", 400, 10021);
    product_expect("DELETE", "/workers/scripts/hello/secrets/NOPE", "", 404, 10056);
    product_expect("PUT", "/workers/scripts/none/secrets", "{\"name\":\"A\",\"text\":\"b\"}", 404,
                   10007);
}

static void test_failures_leave_nothing(void **state)
{
    (void)state;
    size_t before = versions_on_disk();
    fake.replies[0] =
        (struct fake_reply){.op = OP_job_want, .result = -EAGAIN, .text = "none free"};
    put(META("{\"main_module\":\"w.js\"}") MAIN END, 503, 10001);
    fake.replies[0] =
        (struct fake_reply){.op = OP_link, .result = -EINVAL, .text = "Uncaught SyntaxError: x"};
    put(META("{\"main_module\":\"w.js\"}") MAIN END, 400, 10021);
    fake.replies[0] = (struct fake_reply){.op = OP_link, .error = -EPIPE};
    put(META("{\"main_module\":\"w.js\"}") MAIN END, 400, 10021);
    fake.replies[0] = (struct fake_reply){0};
    fake.job_op = OP_load_failed;
    fake.job_text = "Uncaught Error: at start";
    put(META("{\"main_module\":\"w.js\"}") MAIN END, 400, 10021);
    fake.job_op = 0;
    put(META("{\"main_module\":\"w.js\"}") MAIN END, 400, 10021);
    fake.job_op = OP_loaded;
    fake.job_text = "{\"handlers\":[\"fetch\"]}";
    EXPECT_EQ(versions_on_disk(), before);
}

static void test_bindings_refused(void **state)
{
    (void)state;
    static const struct {
        const char *binding;
        int code;
    } cases[] = {
        {"{\"type\":\"plain_text\",\"text\":\"x\"}", 10052},
        {"{\"name\":\"A\"}", 10021},
        {"{\"name\":\"A\",\"type\":\"plain_text\"}", 10021},
        {"{\"name\":\"A\",\"type\":\"inherit\"}", 10057},
        {"{\"name\":\"A\",\"type\":\"kv_namespace\",\"namespace_id\":\"x\"}", 10041},
        {"{\"name\":\"A\",\"type\":\"d1\"}", 10021},
        {"{\"name\":\"A\",\"type\":\"service\",\"service\":\"nobody\"}", 10143},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char form[1024];
        snprintf(form, sizeof(form), META("{\"main_module\":\"w.js\",\"bindings\":[%s]}") MAIN END,
                 cases[i].binding);
        put(form, 400, cases[i].code);
    }
    put(META("{\"main_module\":\"w.js\",\"bindings\":[{\"name\":\"ME\",\"type\":\"service\","
             "\"service\":\"hello\"}]}") MAIN END,
        200, 0);
}

static void test_names_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"Upper", "-a", "a-", "a.b", "a%2Fb", "%2e%2e", "a%00b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct api_request req;
        char path[128];
        snprintf(path, sizeof(path), "/workers/scripts/%s", names[i]);
        product_request(&req, "PUT", path, FORM,
                        SLICE(META("{\"main_module\":\"w.js\"}") MAIN END));
        EXPECT_EQ(req.answer.status, 400);
        api_request_done(&req);
    }
}

static void test_deployments(void **state)
{
    (void)state;
    const char *path = "/workers/scripts/hello/deployments";
    char body[512];
    product_expect("POST", path, "{\"versions\":[]}", 400, 10021);
    product_expect("POST", path, "{\"versions\":[{\"version_id\":\"nope\",\"percentage\":100}]}",
                   400, 100146);
    snprintf(body, sizeof(body), "{\"versions\":[{\"version_id\":\"%s\",\"percentage\":60}]}",
             version);
    product_expect("POST", path, body, 400, 10021);
    snprintf(body, sizeof(body), "{\"versions\":[{\"version_id\":\"%s\"}]}", version);
    product_expect("POST", path, body, 400, 10021);
    snprintf(
        body, sizeof(body),
        "{\"strategy\":\"percentage\",\"versions\":[{\"version_id\":\"%s\",\"percentage\":100}]}",
        version);
    product_expect("POST", path, body, 200, 0);
    struct api_request req;
    product_request(&req, "GET", path, NULL, SLICE(""));
    json_t *newest = json_array_get(json_object_get(req.answer.result, "deployments"), 0);
    char active[160];
    snprintf(active, sizeof(active), "%s/%s", path, json_str(newest, "id", ""));
    api_request_done(&req);
    product_expect("DELETE", active, "", 400, 10021);
}

static void test_wasi_is_not_linked(void **state)
{
    (void)state;
    size_t links = 0;
    for (size_t i = 0; fake_call_of(OP_link, i) != SIZE_MAX; i++)
        links++;
    put(META(
            "{\"main_module\":\"a.wasm\"}") "--X\r\nContent-Disposition: form-data; "
                                            "name=\"a.wasm\"; filename=\"a.wasm\"\r\nContent-Type: "
                                            "application/wasm\r\n\r\nasm\r\n" END,
        200, 0);
    AUTO(json_release) json_t *spec = read_json("spec.json");
    assert_string_equal(json_str(spec, "format", ""), "wasi");
    assert_null(json_object_get(spec, "code"));
    EXPECT_EQ(fake_call_of(OP_link, links), SIZE_MAX);
}

static void test_delete(void **state)
{
    (void)state;
    struct stat st;
    product_expect("DELETE", "/workers/scripts/hello", "", 200, 0);
    product_expect("DELETE", "/workers/scripts/hello", "", 404, 10007);
    EXPECT(fstatat(f.api.data_fd, "workers/hello", &st, 0) < 0 && errno == ENOENT);
    AUTO(json_release) json_t *table = read_json("table.json");
    EXPECT_EQ(json_object_size(json_object_get(table, "scripts")), 0);
}

int workers_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deploy),
        cmocka_unit_test(test_redeploy_keeps_secrets),
        cmocka_unit_test(test_secret_reuses_the_code),
        cmocka_unit_test(test_failures_leave_nothing),
        cmocka_unit_test(test_bindings_refused),
        cmocka_unit_test(test_names_refused),
        cmocka_unit_test(test_deployments),
        cmocka_unit_test(test_wasi_is_not_linked),
        cmocka_unit_test(test_delete),
    };
    return cmocka_run_group_tests_name("workers", tests, product_setup, product_teardown);
}
