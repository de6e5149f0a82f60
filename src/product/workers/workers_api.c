/*
 * The Workers product in control: its tables and routes.
 * https://developers.cloudflare.com/api/resources/workers/
 */
#include "product/durable_plan.h"
#include "product/products_api.h"
#include "product/workers/workers_api_impl.h"

static const char *const workers_schema[] = {
    "CREATE TABLE IF NOT EXISTS scripts (name TEXT PRIMARY KEY, tag TEXT NOT NULL UNIQUE, "
    "created_ms "
    "INTEGER NOT NULL, modified_ms INTEGER NOT NULL, workers_dev INTEGER NOT NULL DEFAULT 0, "
    "previews "
    "INTEGER NOT NULL DEFAULT 0, migration_tag TEXT, settings TEXT NOT NULL DEFAULT '{}') STRICT",
    "CREATE TABLE IF NOT EXISTS versions (id TEXT PRIMARY KEY, script TEXT NOT NULL, number "
    "INTEGER NOT "
    "NULL, created_ms INTEGER NOT NULL, source TEXT, author TEXT, annotations TEXT NOT NULL, "
    "metadata TEXT "
    "NOT NULL, modules TEXT NOT NULL, format TEXT NOT NULL, main TEXT, handlers TEXT NOT NULL, "
    "named_handlers TEXT NOT NULL, startup_ms INTEGER NOT NULL, etag TEXT NOT NULL, manifest TEXT, "
    "UNIQUE "
    "(script, number)) STRICT",
    "CREATE TABLE IF NOT EXISTS deployments (id TEXT PRIMARY KEY, script TEXT NOT NULL, number "
    "INTEGER NOT "
    "NULL, created_ms INTEGER NOT NULL, source TEXT, author TEXT, annotations TEXT NOT NULL, "
    "versions TEXT "
    "NOT NULL, UNIQUE (script, number)) STRICT",
    "CREATE TABLE IF NOT EXISTS worker_routes (id TEXT PRIMARY KEY, zone TEXT NOT NULL, pattern "
    "TEXT NOT "
    "NULL UNIQUE, script TEXT NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS worker_domains (id TEXT PRIMARY KEY, hostname TEXT NOT NULL "
    "UNIQUE, service "
    "TEXT NOT NULL, zone_name TEXT NOT NULL, modified_ms INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS worker_schedules (script TEXT NOT NULL, cron TEXT NOT NULL, "
    "created_ms "
    "INTEGER NOT NULL, modified_ms INTEGER NOT NULL, UNIQUE (script, cron)) STRICT",
    "CREATE TABLE IF NOT EXISTS worker_tails (id TEXT PRIMARY KEY, script TEXT NOT NULL, secret "
    "TEXT NOT "
    "NULL, filters TEXT, client_ip TEXT, expires_ms INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS worker_assets (hash TEXT PRIMARY KEY, size INTEGER NOT NULL, type "
    "TEXT NOT "
    "NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS worker_asset_sessions (id TEXT PRIMARY KEY, script TEXT NOT NULL, "
    "manifest "
    "TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS worker_revision (one INTEGER PRIMARY KEY CHECK (one = 1), revision "
    "INTEGER "
    "NOT NULL) STRICT",
    "INSERT OR IGNORE INTO worker_revision (one, revision) VALUES (1, 0)",
    "CREATE TABLE IF NOT EXISTS durable_namespaces (id TEXT PRIMARY KEY, script TEXT NOT NULL, "
    "class "
    "TEXT NOT NULL, use_sqlite INTEGER NOT NULL, key TEXT NOT NULL, created_ms INTEGER NOT NULL, "
    "UNIQUE (script, class)) STRICT",
    "CREATE TABLE IF NOT EXISTS dispatch_namespaces (id TEXT PRIMARY KEY, name TEXT NOT NULL "
    "UNIQUE, "
    "created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL, created_by TEXT, trusted INTEGER "
    "NOT "
    "NULL) STRICT",
    NULL,
};

#define SCRIPTS WORKERS_AREA
#define ROUTES "workers_routes"
#define TAIL "workers_tail"
#define ACCOUNT "/accounts/:account/workers"
#define SCRIPT WORKERS_SCRIPT
#define SERVICE ACCOUNT "/services/:script"
#define ENVIRONMENT SERVICE "/environments/:environment"
#define WORKER ACCOUNT "/workers/:script"
#define DISPATCH ACCOUNT "/dispatch/namespaces/:dispatch"
#define DISPATCHED DISPATCH "/scripts/:script"
#define ZONE "/zones/:zone/workers/routes"
#define ASSETS_BODY ((uint64_t)64 * 1024 * 1024)

static const struct api_route workers_routes[] = {
    {"GET", ACCOUNT "/scripts", scripts_api_list, SCRIPTS, 0, 0, NULL},
    {"PUT", SCRIPT, scripts_api_put, SCRIPTS, 0, WORKER_BODY_MAX, NULL},
    {"GET", SCRIPT, scripts_api_content, SCRIPTS, 0, 0, NULL},
    {"DELETE", SCRIPT, scripts_api_delete, SCRIPTS, 0, 0, NULL},
    {"PUT", SCRIPT "/content", scripts_api_content_put, SCRIPTS, 0, WORKER_BODY_MAX, NULL},
    {"GET", SCRIPT "/content/v2", scripts_api_content, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/references", scripts_api_references, SCRIPTS, 0, 0, NULL},
    {"GET", SERVICE, scripts_api_service, SCRIPTS, 0, 0, NULL},
    {"DELETE", SERVICE, scripts_api_delete, SCRIPTS, 0, 0, NULL},
    {"GET", ENVIRONMENT "/bindings", settings_api_bindings, SCRIPTS, 0, 0, NULL},
    {"GET", ENVIRONMENT "/settings", settings_api_get, SCRIPTS, 0, 0, NULL},
    {"GET", ENVIRONMENT "/subdomain", subdomain_api_get, SCRIPTS, 0, 0, NULL},
    {"GET", ENVIRONMENT "/routes", routes_api_of_script, SCRIPTS, 0, 0, NULL},
    {"GET", ENVIRONMENT "/content/v2", scripts_api_content, SCRIPTS, 0, 0, NULL},
    {"GET", ACCOUNT "/tails/by-consumer/:script", scripts_api_tails_by_consumer, SCRIPTS, 0, 0,
     NULL},
    {"GET", ACCOUNT "/durable_objects/namespaces", durable_api_namespaces, SCRIPTS, 0, 0, NULL},
    {"GET", ACCOUNT "/durable_objects/namespaces/:namespace/objects", durable_api_objects, SCRIPTS,
     0, 0, NULL},
    {"POST", ACCOUNT "/durable_objects/namespaces/:namespace/query", durable_api_query, SCRIPTS, 0,
     0, NULL},

    {"POST", SCRIPT "/versions", versions_api_create, SCRIPTS, 0, WORKER_BODY_MAX, NULL},
    {"GET", SCRIPT "/versions", versions_api_list, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/versions/:version", versions_api_info, SCRIPTS, 0, 0, NULL},
    {"POST", SCRIPT "/deployments", deployments_api_create, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/deployments", deployments_api_list, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/deployments/:deployment", deployments_api_info, SCRIPTS, 0, 0, NULL},
    {"DELETE", SCRIPT "/deployments/:deployment", deployments_api_delete, SCRIPTS, 0, 0, NULL},

    {"GET", SCRIPT "/settings", settings_api_get, SCRIPTS, 0, 0, NULL},
    {"PATCH", SCRIPT "/settings", settings_api_patch, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/bindings", settings_api_bindings, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/script-settings", script_settings_api_get, SCRIPTS, 0, 0, NULL},
    {"PATCH", SCRIPT "/script-settings", script_settings_api_patch, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/secrets", secrets_api_list, SCRIPTS, 0, 0, NULL},
    {"PUT", SCRIPT "/secrets", secrets_api_put, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/secrets/:name", secrets_api_get, SCRIPTS, 0, 0, NULL},
    {"DELETE", SCRIPT "/secrets/:name", secrets_api_delete, SCRIPTS, 0, 0, NULL},
    {"PATCH", SCRIPT "/secrets-bulk", secrets_api_bulk, SCRIPTS, 0, 0, NULL},

    {"GET", ACCOUNT "/subdomain", subdomain_api_account_get, SCRIPTS, 0, 0, NULL},
    {"PUT", ACCOUNT "/subdomain", subdomain_api_account_put, SCRIPTS, 0, 0, NULL},
    {"GET", ACCOUNT "/subdomains/:name", subdomain_api_check, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/subdomain", subdomain_api_get, SCRIPTS, 0, 0, NULL},
    {"POST", SCRIPT "/subdomain", subdomain_api_post, SCRIPTS, 0, 0, NULL},
    {"DELETE", SCRIPT "/subdomain", subdomain_api_delete, SCRIPTS, 0, 0, NULL},
    {"PUT", SCRIPT "/routes", routes_api_put, SCRIPTS, 0, 0, NULL},
    {"GET", SCRIPT "/routes", routes_api_of_script, SCRIPTS, 0, 0, NULL},
    {"GET", ZONE, routes_api_list, ROUTES, 0, 0, NULL},
    {"POST", ZONE, routes_api_create, ROUTES, 0, 0, NULL},
    {"GET", ZONE "/:route", routes_api_info, ROUTES, 0, 0, NULL},
    {"PUT", ZONE "/:route", routes_api_update, ROUTES, 0, 0, NULL},
    {"DELETE", ZONE "/:route", routes_api_delete, ROUTES, 0, 0, NULL},
    {"GET", SCRIPT "/schedules", schedules_api_get, SCRIPTS, 0, 0, NULL},
    {"PUT", SCRIPT "/schedules", schedules_api_put, SCRIPTS, 0, 0, NULL},
    {"POST", SCRIPT "/domains/changeset", domains_api_changeset, SCRIPTS, API_READS, 0, NULL},
    {"PUT", SCRIPT "/domains/records", domains_api_records_put, SCRIPTS, 0, 0, NULL},
    {"GET", ACCOUNT "/domains", domains_api_list, SCRIPTS, 0, 0, NULL},
    {"PUT", ACCOUNT "/domains", domains_api_put, SCRIPTS, 0, 0, NULL},
    {"GET", ACCOUNT "/domains/records", domains_api_list, SCRIPTS, 0, 0, NULL},
    {"GET", ACCOUNT "/domains/records/:domain", domains_api_info, SCRIPTS, 0, 0, NULL},
    {"GET", ACCOUNT "/domains/:domain", domains_api_info, SCRIPTS, 0, 0, NULL},
    {"DELETE", ACCOUNT "/domains/:domain", domains_api_delete, SCRIPTS, 0, 0, NULL},

    {"POST", SCRIPT "/assets-upload-session", assets_api_session, SCRIPTS, API_NO_AUDIT,
     (uint64_t)16 * 1024 * 1024, NULL},
    {"POST", ACCOUNT "/assets/upload", assets_api_bulk, NULL, API_PUBLIC | API_NO_AUDIT,
     ASSETS_BODY, assets_api_guard},
    {"POST", ACCOUNT "/assets/upload/:hash", assets_api_single, NULL, API_PUBLIC | API_NO_AUDIT,
     ASSETS_BODY, assets_api_guard},

    {"GET", ACCOUNT "/dispatch/namespaces", dispatch_api_list, SCRIPTS, 0, 0, NULL},
    {"POST", ACCOUNT "/dispatch/namespaces", dispatch_api_create, SCRIPTS, 0, 0, NULL},
    {"GET", DISPATCH, dispatch_api_info, SCRIPTS, 0, 0, NULL},
    {"PUT", DISPATCH, dispatch_api_update, SCRIPTS, 0, 0, NULL},
    {"PATCH", DISPATCH, dispatch_api_update, SCRIPTS, 0, 0, NULL},
    {"DELETE", DISPATCH, dispatch_api_delete, SCRIPTS, 0, 0, NULL},
    {"GET", DISPATCH "/scripts", dispatch_api_scripts, SCRIPTS, 0, 0, NULL},
    {"GET", DISPATCHED, dispatch_api_script_info, SCRIPTS, 0, 0, NULL},
    {"PUT", DISPATCHED, dispatch_api_script_put, SCRIPTS, 0, WORKER_BODY_MAX, NULL},
    {"DELETE", DISPATCHED, scripts_api_delete, SCRIPTS, 0, 0, NULL},
    {"PUT", DISPATCHED "/content", scripts_api_content_put, SCRIPTS, 0, WORKER_BODY_MAX, NULL},
    {"GET", DISPATCHED "/content", scripts_api_content, SCRIPTS, 0, 0, NULL},
    {"GET", DISPATCHED "/settings", settings_api_get, SCRIPTS, 0, 0, NULL},
    {"PATCH", DISPATCHED "/settings", settings_api_patch, SCRIPTS, 0, 0, NULL},
    {"GET", DISPATCHED "/bindings", settings_api_bindings, SCRIPTS, 0, 0, NULL},
    {"GET", DISPATCHED "/secrets", secrets_api_list, SCRIPTS, 0, 0, NULL},
    {"PUT", DISPATCHED "/secrets", secrets_api_put, SCRIPTS, 0, 0, NULL},
    {"GET", DISPATCHED "/secrets/:name", secrets_api_get, SCRIPTS, 0, 0, NULL},
    {"DELETE", DISPATCHED "/secrets/:name", secrets_api_delete, SCRIPTS, 0, 0, NULL},
    {"PATCH", DISPATCHED "/secrets-bulk", secrets_api_bulk, SCRIPTS, 0, 0, NULL},
    {"POST", DISPATCHED "/assets-upload-session", assets_api_session, SCRIPTS, API_NO_AUDIT,
     (uint64_t)16 * 1024 * 1024, NULL},

    {"POST", SCRIPT "/tails", tails_api_create, TAIL, API_READS, 0, NULL},
    {"GET", SCRIPT "/tails", tails_api_list, TAIL, 0, 0, NULL},
    {"DELETE", SCRIPT "/tails/:tail", tails_api_delete, TAIL, API_READS, 0, NULL},

    {"GET", ACCOUNT "/workers", beta_api_list, SCRIPTS, 0, 0, NULL},
    {"POST", ACCOUNT "/workers", beta_api_create, SCRIPTS, 0, 0, NULL},
    {"GET", WORKER, beta_api_info, SCRIPTS, 0, 0, NULL},
    {"PUT", WORKER, beta_api_update, SCRIPTS, 0, 0, NULL},
    {"PATCH", WORKER, beta_api_update, SCRIPTS, 0, 0, NULL},
    {"DELETE", WORKER, beta_api_delete, SCRIPTS, 0, 0, NULL},
    {"GET", WORKER "/versions", beta_api_version_list, SCRIPTS, 0, 0, NULL},
    {"POST", WORKER "/versions", beta_api_version_create, SCRIPTS, 0, WORKER_BODY_MAX, NULL},
    {"PATCH", WORKER "/versions/latest", secrets_api_version_patch, SCRIPTS, 0, 0, NULL},
    {"GET", WORKER "/versions/:version", beta_api_version_info, SCRIPTS, 0, 0, NULL},
};

static const struct api_area workers_areas[] = {
    {SCRIPTS, "Workers Scripts"},
    {ROUTES, "Workers Routes"},
    {TAIL, "Workers Tail"},
};

const struct api_product workers_api = {
    .name = "workers",
    .routes = workers_routes,
    .n_routes = ARRAY_LEN(workers_routes),
    .areas = workers_areas,
    .n_areas = ARRAY_LEN(workers_areas),
    .schema = workers_schema,
};
