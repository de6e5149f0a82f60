#include "api_test.h"

#include "api/audit.h"
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static int thing_get(struct api_request *req, struct err *err)
{
    const char *name = api_param(req, "thing");
    if (strcmp(name, "missing") == 0)
        return err_set(err, -ENOENT, 1234, "there is no %s", name);
    if (strcmp(name, "nothing") == 0)
        return 0; /* answers nothing: our own mistake */
    return api_ok(req, json_pack("{s:s}", "name", name));
}

static int thing_special(struct api_request *req, struct err *err)
{
    (void)err;
    return api_ok(req, json_string("special"));
}

static int thing_rest(struct api_request *req, struct err *err)
{
    (void)err;
    return api_ok(req, api_text(api_param_slice(req, "key")));
}

static int thing_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = api_json_object(req, false, &body, err);
    return r < 0 ? r : api_ok(req, json_incref(body));
}

static int thing_list(struct api_request *req, struct err *err)
{
    return api_ok_page(
        req, err,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i "
        "FROM n",
        NULL);
}

static const struct api_route routes[] = {
    {"GET", "/accounts/:account/things", thing_list, "things", 0, 0, NULL},
    {"GET", "/accounts/:account/things/special", thing_special, "things", 0, 0, NULL},
    {"GET", "/accounts/:account/things/:thing", thing_get, "things", 0, 0, NULL},
    {"PUT", "/accounts/:account/things/:thing", thing_put, "things", 0, 16, NULL},
    {"GET", "/accounts/:account/things/:thing/objects/*key", thing_rest, "things", 0, 0, NULL},
    {"GET", "/accounts/:account/audit", audit_api_list, "things", 0, 0, NULL},
    {"GET", "/open", thing_special, NULL, API_PUBLIC, 0, NULL},
};
static const struct api_area areas[] = {{"things", "Things"}, {"others", "Others"}};
static const struct api_product product = {.name = "test",
                                           .routes = routes,
                                           .n_routes = ARRAY_LEN(routes),
                                           .areas = areas,
                                           .n_areas = ARRAY_LEN(areas)};
const struct api_product *const test_products[] = {&product, NULL};

static void fixture_schema(struct db *db, const char *const *sql)
{
    for (; *sql != NULL; sql++)
        assert_true(db_run(db, *sql, NULL) >= 0);
}

void fixture_open(struct api_fixture *f)
{
    struct err err = {0};
    *f = (struct api_fixture){0};
    snprintf(f->dir, sizeof(f->dir), "/tmp/api_test.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/control.db", f->dir);
    memset(f->api.account, 'a', 32);
    f->api.products = test_products;
    assert_int_equal(db_open(f->path, &f->api.db, &err), 0);
    fixture_schema(f->api.db, token_schema);
    fixture_schema(f->api.db, audit_schema);
    assert_int_equal(tokens_open(&f->api, &err), 0);
}

void fixture_close(struct api_fixture *f)
{
    tokens_close(f->api.tokens);
    db_close(f->api.db);
    assert_int_equal(file_remove_tree(AT_FDCWD, f->dir), 0);
}

/* The id of a permission group by its name. */
static const char *group_id(json_t *groups, const char *name)
{
    size_t i;
    json_t *group;
    json_array_foreach(groups, i, group)
    {
        if (strcmp(json_str(group, "name", ""), name) == 0)
            return json_str(group, "id", "");
    }
    fail_msg("no group %s", name);
    return "";
}

void fixture_token(struct api_fixture *f, bool everything, char ret[TOKEN_TEXT_SIZE])
{
    char id[ID_HEX_SIZE];
    struct err err = {0};
    AUTO(json_release) json_t *groups = permission_groups(test_products, f->api.account);
    AUTO(json_release)
    json_t *wanted =
        json_pack("{s:s, s:[{s:s, s:{s:s}, s:[{s:s}]}]}", "name", "t", "policies", "effect",
                  "allow", "resources", "com.cloudflare.api.account.*", "*", "permission_groups",
                  "id", group_id(groups, everything ? "Everything Write" : "Things Read"));
    assert_int_equal(tokens_create(&f->api, wanted, false, id, ret, &err), 0);
}

void fixture_request(struct api_fixture *f, struct api_request *req, const char *method,
                     const char *target, const char *token, const char *body)
{
    api_request_init(req, &f->api);
    req->method = slice_of(method);
    req->target = slice_of(target);
    req->remote_ip = SLICE("10.1.2.3");
    if (token != NULL) {
        char *text = arena_printf(&req->arena, "authorization: Bearer %s\r\n", token);
        req->headers = slice_of(text);
    }
    buf_append_slice(&req->body, slice_of(body));
    req->body_size = strlen(body);
    if (api_begin(req))
        api_run(req);
}

int main(void)
{
    return text_tests() + multipart_tests() + db_tests() + dispatch_tests() + call_tests();
}
