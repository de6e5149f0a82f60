/*
 * Who asks and for what: user, accounts, memberships, zones (names only), audit log, GraphQL's few queries.
 */
#include "api/audit.h"
#include "api/token.h"
#include "core/clock.h"
#include "product/account/account_api_impl.h"
#include "product/products_api.h"

#include <errno.h>

enum { ACCOUNT_ERR_ZONE_TAKEN = 1061, ACCOUNT_ERR_ZONE = 1001 };

static const char *const account_schema[] = {
    "CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_ms "
    "INTEGER NOT NULL, subdomain TEXT NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS zones (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ms "
    "INTEGER NOT NULL, type TEXT NOT NULL DEFAULT 'full') STRICT",
    NULL,
};

#define ACCOUNT_COLUMNS                                                                            \
    "id, name, 'standard' AS type, '{}' AS \"settings:json\", created_ms AS \"created_on:time\""

static int account_api_list(struct api_request *req, struct err *err)
{
    return api_ok_page(req, err, "SELECT " ACCOUNT_COLUMNS " FROM accounts", NULL);
}

static int account_api_info(struct api_request *req, struct err *err)
{
    json_t *row = NULL;
    int r = db_row(req->api->db, &row, "SELECT " ACCOUNT_COLUMNS " FROM accounts WHERE id = ?", "s",
                   req->api->account);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the account cannot be read")
                 : api_ok(req, row);
}

static int account_api_rename(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = api_json_object(req, false, &body, err);
    const char *name = r < 0 ? NULL : api_need_str(body, "name", err);
    if (name == NULL)
        return -EINVAL;
    r = db_run(req->api->db, "UPDATE accounts SET name = ? WHERE id = ?", "ss", name,
               req->api->account);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the account cannot be stored")
                 : account_api_info(req, err);
}

static int account_api_memberships(struct api_request *req, struct err *err)
{
    return api_ok_page(req, err,
                       "SELECT id, 'accepted' AS status, json_object('id', id, 'name', name) AS "
                       "\"account:json\", '[\"Super Administrator - All Privileges\"]' AS "
                       "\"roles:json\" FROM accounts",
                       NULL);
}

static json_t *account_email(struct api_request *req)
{
    AUTO(buf_done) struct buf text = {0};
    buf_printf(&text, "admin@%s", req->api->domain);
    return api_text(buf_slice(&text));
}

/* The operator of this node is the one user there is. */
static int account_api_user(struct api_request *req, struct err *err)
{
    (void)err;
    return api_ok(req, json_pack("{s:s, s:o, s:s, s:b, s:b}", "id", req->api->account, "email",
                                 account_email(req), "username", "admin", "suspended", 0,
                                 "two_factor_authentication_enabled", 0));
}

static int account_api_verify(struct api_request *req, struct err *err)
{
    bool asks_account = strncmp(req->route->path, "/accounts/", 10) == 0;
    if (req->who.of_account && !asks_account) {
        req->answer.status = 401;
        return err_set(err, -EACCES, API_ERR_ACCOUNT_TOKEN, "Invalid API Token");
    }
    req->answer.messages =
        json_pack("[{s:i, s:s}]", "code", 10000, "message", "This API Token is valid and active");
    return api_ok(req, json_pack("{s:s, s:s}", "id", req->who.token_id, "status", "active"));
}

static int account_api_empty(struct api_request *req, struct err *err)
{
    (void)err;
    return api_ok_all(req, json_array());
}

/* --- zones: names that routes and domains hang on --- */

#define ZONE_COLUMNS                                                                               \
    "zones.id, zones.name, 'active' AS status, type, 0 AS \"paused:bool\", '[]' AS "               \
    "\"name_servers:json\", json_object('id', accounts.id, 'name', accounts.name) AS "             \
    "\"account:json\", zones.created_ms AS \"created_on:time\", zones.created_ms AS "              \
    "\"modified_on:time\", zones.created_ms AS \"activated_on:time\""

static int zone_api_list(struct api_request *req, struct err *err)
{
    const char *name = api_query(req, "name", "");
    const char *account = api_query(req, "account.id", "");
    return api_ok_page(req, err,
                       "SELECT " ZONE_COLUMNS
                       " FROM zones, accounts WHERE (? = '' OR zones.name = ?) "
                       "AND (? = '' OR accounts.id = ?) ORDER BY zones.name",
                       "ssss", name, name, account, account);
}

static int zone_row(struct api_request *req, const char *id, struct err *err)
{
    json_t *row = NULL;
    int r = db_row(req->api->db, &row,
                   "SELECT " ZONE_COLUMNS " FROM zones, accounts WHERE zones.id = ?", "s", id);
    if (r == -ENOENT)
        return err_set(err, r, ACCOUNT_ERR_ZONE, "Invalid zone identifier");
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the zone cannot be read") : api_ok(req, row);
}

static int zone_api_info(struct api_request *req, struct err *err)
{
    return zone_row(req, api_param(req, "zone"), err);
}

static bool zone_name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < 254 && name[0] != '.' && name[n - 1] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n;
}

static int zone_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    char id[ID_HEX_SIZE];
    int r = api_json_object(req, false, &body, err);
    const char *name = r < 0 ? NULL : api_need_str(body, "name", err);
    if (name == NULL)
        return -EINVAL;
    if (!zone_name_ok(name))
        return err_set(err, -EINVAL, ACCOUNT_ERR_ZONE, "name must be a domain name in lower case");
    r = db_run(req->api->db, "INSERT INTO zones (id, name, created_ms, type) VALUES (?,?,?,?)",
               "ssls", id_hex(id), name, clock_wall_ms(), json_str(body, "type", "full"));
    if (r == -EEXIST)
        return err_set(err, -EINVAL, ACCOUNT_ERR_ZONE_TAKEN, "%s already exists", name);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the zone cannot be stored")
                 : zone_row(req, id, err);
}

static int zone_api_update(struct api_request *req, struct err *err)
{
    return zone_api_info(req, err); /* nothing of a zone can be changed here */
}

static int zone_api_delete(struct api_request *req, struct err *err)
{
    const char *id = api_param(req, "zone");
    int r = db_run(req->api->db, "DELETE FROM zones WHERE id = ?", "s", id);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the zone cannot be removed");
    if (r == 0)
        return err_set(err, -ENOENT, ACCOUNT_ERR_ZONE, "Invalid zone identifier");
    return api_ok(req, json_pack("{s:s}", "id", id));
}

/* --- tables --- */

static const struct api_route account_routes[] = {
    {"GET", "/user", account_api_user, NULL, API_ANY_TOKEN, 0, NULL},
    {"GET", "/user/tokens/verify", account_api_verify, NULL, API_ANY_TOKEN, 0, NULL},
    {"GET", "/accounts/:account/tokens/verify", account_api_verify, NULL, API_ANY_TOKEN, 0, NULL},
    {"GET", "/accounts", account_api_list, NULL, API_ANY_TOKEN, 0, NULL},
    {"GET", "/accounts/:account", account_api_info, "account_settings", 0, 0, NULL},
    {"PUT", "/accounts/:account", account_api_rename, "account_settings", 0, 0, NULL},
    {"GET", "/accounts/:account/members", account_api_empty, "account_settings", 0, 0, NULL},
    {"GET", "/accounts/:account/roles", account_api_empty, "account_settings", 0, 0, NULL},
    {"GET", "/memberships", account_api_memberships, NULL, API_ANY_TOKEN, 0, NULL},
    {"GET", "/accounts/:account/audit_logs", audit_api_list, "account_settings", 0, 0, NULL},
    {"GET", "/zones", zone_api_list, "zone", 0, 0, NULL},
    {"POST", "/zones", zone_api_create, "zone", 0, 0, NULL},
    {"GET", "/zones/:zone", zone_api_info, "zone", 0, 0, NULL},
    {"PATCH", "/zones/:zone", zone_api_update, "zone", 0, 0, NULL},
    {"DELETE", "/zones/:zone", zone_api_delete, "zone", 0, 0, NULL},

    {"GET", "/user/tokens", token_api_list, "api_tokens", 0, 0, NULL},
    {"POST", "/user/tokens", token_api_create, "api_tokens", 0, 0, NULL},
    {"GET", "/user/tokens/permission_groups", token_api_groups, NULL, API_ANY_TOKEN, 0, NULL},
    {"GET", "/user/tokens/:token", token_api_info, "api_tokens", 0, 0, NULL},
    {"PUT", "/user/tokens/:token", token_api_update, "api_tokens", 0, 0, NULL},
    {"DELETE", "/user/tokens/:token", token_api_delete, "api_tokens", 0, 0, NULL},
    {"PUT", "/user/tokens/:token/value", token_api_roll, "api_tokens", 0, 0, NULL},
    {"GET", "/accounts/:account/tokens", token_api_list, "api_tokens", 0, 0, NULL},
    {"POST", "/accounts/:account/tokens", token_api_create, "api_tokens", 0, 0, NULL},
    {"GET", "/accounts/:account/tokens/permission_groups", token_api_groups, NULL, API_ANY_TOKEN, 0,
     NULL},
    {"GET", "/accounts/:account/tokens/:token", token_api_info, "api_tokens", 0, 0, NULL},
    {"PUT", "/accounts/:account/tokens/:token", token_api_update, "api_tokens", 0, 0, NULL},
    {"DELETE", "/accounts/:account/tokens/:token", token_api_delete, "api_tokens", 0, 0, NULL},
    {"PUT", "/accounts/:account/tokens/:token/value", token_api_roll, "api_tokens", 0, 0, NULL},

    {"POST", "/accounts/:account/selvedge/backup", backup_api, "account_settings", 0, 0, NULL},
    {"POST", "/graphql", graphql_api, NULL, API_ANY_TOKEN | API_READS, 0, NULL},
    {"GET", "/health", account_api_health, NULL, API_PUBLIC, 0, NULL},
};

static const struct api_area account_areas[] = {
    {"account_settings", "Account Settings"},
    {"api_tokens", "API Tokens"},
    {"zone", "Zone"},
};

const struct api_product account_api = {
    .name = "account",
    .routes = account_routes,
    .n_routes = ARRAY_LEN(account_routes),
    .areas = account_areas,
    .n_areas = ARRAY_LEN(account_areas),
    .schema = account_schema,
};
