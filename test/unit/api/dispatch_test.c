#include "api_test.h"

#include <errno.h>

#define A "/client/v4/accounts/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct api_fixture f;
static char token[TOKEN_TEXT_SIZE], reader[TOKEN_TEXT_SIZE];

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_token(&f, true, token);
    fixture_token(&f, false, reader);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

/* Every answer's status and `success` agree, and failures carry a code. */
static void expect(const char *method, const char *target, const char *secret, const char *body,
                   int status, int code)
{
    struct api_request req;
    AUTO(buf_done) struct buf text = {0};
    AUTO(json_release) json_t *envelope = NULL;
    fixture_request(&f, &req, method, target, secret, body);
    EXPECT_EQ(req.answer.status, status);
    EXPECT_EQ(req.answer.kind, API_ANSWER_JSON);
    api_envelope(&req.answer, &text);
    EXPECT_EQ(json_parse(buf_slice(&text), &envelope, NULL), 0);
    EXPECT_EQ(json_bool(envelope, "success", false), status < 400);
    json_t *error = json_array_get(json_object_get(envelope, "errors"), 0);
    EXPECT_EQ(json_int(error, "code", 0), code);
    if (code != 0)
        EXPECT(*json_str(error, "message", "") != '\0');
    api_request_done(&req);
}

static void expect_result(const char *target, const char *want)
{
    struct api_request req;
    AUTO(buf_done) struct buf text = {0};
    fixture_request(&f, &req, "GET", target, token, "");
    json_print(&text, req.answer.result);
    assert_string_equal(buf_cstr(&text), want);
    api_request_done(&req);
}

static void test_routes(void **state)
{
    (void)state;
    expect_result(A "/things/one", "{\"name\":\"one\"}");
    expect_result(A "/things/one/", "{\"name\":\"one\"}");
    expect_result(A "/things/a%2Fb", "{\"name\":\"a/b\"}");
    expect_result(A "/things/special", "\"special\"");
    expect_result(A "/things/x/objects/dir/a.txt", "\"dir/a.txt\"");
    expect_result(A "/things/x/objects/dir%2Fa.txt", "\"dir/a.txt\"");
    expect_result(A "/things/x/objects/dir/", "\"dir/\"");
    expect_result("/client/v4/open", "\"special\"");
}

static void test_refusals(void **state)
{
    (void)state;
    expect("GET", "/client/v4/nope", token, "", 404, 7003);
    expect("GET", "/elsewhere", token, "", 404, 7003);
    expect("GET", A "/things//", token, "", 404, 7003);
    expect("DELETE", A "/things/one", token, "", 405, 7001);
    expect("GET", A "/things/%zz", token, "", 400, 7003);
    expect("GET", A "/things/missing", token, "", 404, 1234);
    expect("GET", A "/things/nothing", token, "", 500, 10001);
    expect("PUT", A "/things/one", token, "[1]", 400, 10026);
    expect("PUT", A "/things/one", token, "{", 400, 10026);
    expect("PUT", A "/things/one", token, "", 400, 10026);
    expect("HEAD", A "/things/one", token, "", 200, 0);
}

static void test_rights(void **state)
{
    (void)state;
    expect("GET", A "/things/one", NULL, "", 401, 10000);
    expect("GET", A "/things/one", "wrong", "", 401, 10000);
    expect("GET", A "/things/one", reader, "", 200, 0);
    expect("PUT", A "/things/one", reader, "{}", 403, 10000);
    expect("GET", "/client/v4/accounts/other/things/one", token, "", 403, 10000);
    expect("GET", "/client/v4/open", NULL, "", 200, 0);
}

static void test_deep_json_is_an_error(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf body = {0};
    buf_append_slice(&body, SLICE("{\"a\":"));
    for (int i = 0; i < 100000; i++)
        buf_append_char(&body, '[');
    expect("PUT", A "/things/one", token, buf_cstr(&body), 400, 10026);
}

static void test_pages(void **state)
{
    (void)state;
    expect_result(A "/things", "[{\"i\":1},{\"i\":2},{\"i\":3},{\"i\":4},{\"i\":5}]");
    expect_result(A "/things?page=2", "[]");
    expect_result(A "/things?per_page=2&page=3", "[{\"i\":5}]");
    expect_result(A "/things?page=-1&per_page=0",
                  "[{\"i\":1},{\"i\":2},{\"i\":3},{\"i\":4},{\"i\":5}]");
    struct api_request req;
    fixture_request(&f, &req, "GET", A "/things?per_page=2&page=2", token, "");
    EXPECT_EQ(json_int(req.answer.result_info, "total_count", 0), 5);
    EXPECT_EQ(json_int(req.answer.result_info, "total_pages", 0), 3);
    EXPECT_EQ(json_int(req.answer.result_info, "count", 0), 2);
    api_request_done(&req);
}

static void test_audit(void **state)
{
    (void)state;
    struct api_request req;
    int64_t before = 0, after = 0;
    EXPECT_EQ(db_int(f.api.db, &before, "SELECT count(*) FROM audit", NULL), 0);
    expect("PUT", A "/things/one", token, "{}", 200, 0);
    expect("GET", A "/things/one", token, "", 200, 0);
    EXPECT_EQ(db_int(f.api.db, &after, "SELECT count(*) FROM audit", NULL), 0);
    EXPECT_EQ(after, before + 1);
    fixture_request(&f, &req, "GET", A "/audit", token, "");
    json_t *row = json_array_get(req.answer.result, 0);
    assert_string_equal(json_str(json_object_get(row, "actor"), "ip", ""), "10.1.2.3");
    assert_string_equal(json_str(json_object_get(row, "action"), "type", ""),
                        "put /accounts/:account/things/:thing");
    api_request_done(&req);
}

static json_t *wanted(const char *members)
{
    json_error_t e;
    AUTO(buf_done) struct buf text = {0};
    AUTO(json_release) json_t *groups = permission_groups(test_products, f.api.account);
    buf_printf(
        &text,
        "{\"name\":\"x\",\"policies\":[{\"effect\":\"allow\",\"resources\":{"
        "\"com.cloudflare.api.account.%s\":\"*\"},\"permission_groups\":[{\"id\":\"%s\"}]}]%s}",
        f.api.account, json_str(json_array_get(groups, 1), "id", ""), members);
    json_t *value = json_loads(buf_cstr(&text), 0, &e);
    assert_non_null(value);
    return value;
}

static void test_token_life(void **state)
{
    (void)state;
    static const struct {
        const char *members, *ip;
        bool ok;
    } cases[] = {
        {"", "10.0.0.1", true},
        {",\"status\":\"disabled\"", "10.0.0.1", false},
        {",\"expires_on\":\"2001-01-01T00:00:00Z\"", "10.0.0.1", false},
        {",\"expires_on\":\"2099-01-01T00:00:00Z\"", "10.0.0.1", true},
        {",\"not_before\":\"2099-01-01T00:00:00Z\"", "10.0.0.1", false},
        {",\"condition\":{\"request_ip\":{\"in\":[\"10.0.0.0/9\"]}}", "10.127.0.1", true},
        {",\"condition\":{\"request_ip\":{\"in\":[\"10.0.0.0/9\"]}}", "10.128.0.1", false},
        {",\"condition\":{\"request_ip\":{\"not_in\":[\"::1\"]}}", "::1", false},
        {",\"condition\":{\"request_ip\":{\"not_in\":[\"::1\"]}}", "::2", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(json_release) json_t *value = wanted(cases[i].members);
        char id[ID_HEX_SIZE], text[TOKEN_TEXT_SIZE];
        struct api_principal who;
        struct err err = {0};
        EXPECT_EQ(tokens_create(&f.api, value, true, id, text, &err), 0);
        EXPECT_EQ(strlen(text), 40);
        EXPECT_EQ(tokens_check(f.api.tokens, slice_of(text), slice_of(cases[i].ip), &who) == 0,
                  cases[i].ok);
        char rolled[TOKEN_TEXT_SIZE];
        EXPECT_EQ(tokens_roll(&f.api, id, true, rolled, &err), 0);
        EXPECT_EQ(tokens_check(f.api.tokens, slice_of(text), slice_of(cases[i].ip), &who), -EACCES);
        EXPECT_EQ(tokens_delete(&f.api, id, false, &err), -ENOENT);
        EXPECT_EQ(tokens_delete(&f.api, id, true, &err), 0);
        EXPECT_EQ(tokens_check(f.api.tokens, slice_of(rolled), slice_of(cases[i].ip), &who),
                  -EACCES);
    }
}

static void test_token_refusals(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"name\":\"x\"}",
        "{\"name\":\"x\",\"policies\":[]}",
        "{\"name\":\"x\",\"policies\":[{}]}",
        "{\"name\":\"x\",\"policies\":[{\"effect\":\"allow\",\"resources\":{},\"permission_"
        "groups\":[{\"id\":1}]}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(json_release) json_t *value = json_loads(bad[i], 0, NULL);
        char id[ID_HEX_SIZE], text[TOKEN_TEXT_SIZE];
        struct err err = {0};
        EXPECT_EQ(tokens_create(&f.api, value, true, id, text, &err), -EINVAL);
    }
}

int dispatch_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_rights),     cmocka_unit_test(test_deep_json_is_an_error),
        cmocka_unit_test(test_pages),      cmocka_unit_test(test_audit),
        cmocka_unit_test(test_token_life), cmocka_unit_test(test_token_refusals),
    };
    return cmocka_run_group_tests_name("dispatch", tests, setup, teardown);
}
