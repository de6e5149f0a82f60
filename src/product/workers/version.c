/*
 * Versions: immutable. Their rows in control.db, and how they are read.
 */
#include "product/workers/workers_impl.h"

#include "core/clock.h"

#include <errno.h>

int64_t workers_now(void)
{
    return clock_wall_ms();
}

int script_name_check(const char *name, struct err *err)
{
    name = script_shown(name);
    size_t n = strlen(name);
    if (n == 0 || n > WORKER_NAME_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != n || name[0] == '-' ||
        name[n - 1] == '-')
        return err_set(
            err, -EINVAL, WORKER_ERR_NAME,
            "Invalid Worker name: 1 to %d lower-case letters, digits, '-' and '_', no '-' at "
            "the ends",
            WORKER_NAME_MAX);
    return 0;
}

#define SCRIPT_COLUMNS                                                                             \
    "name, tag, created_ms, modified_ms, workers_dev AS \"workers_dev:bool\", previews AS "        \
    "\"previews:bool\", migration_tag, settings AS \"settings:json\""

int script_find(struct api_request *req, const char *name, json_t **ret, struct err *err)
{
    int r = db_row(req->api->db, ret,
                   "SELECT " SCRIPT_COLUMNS " FROM scripts WHERE name = ?1 OR tag = ?1", "s", name);
    if (r == -ENOENT)
        return err_set(err, r, WORKER_ERR_MISSING, "This Worker does not exist on your account.");
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the Workers cannot be read") : 0;
}

int script_ensure(struct api_request *req, const char *name, struct err *err)
{
    char tag[ID_HEX_SIZE];
    int r = script_name_check(name, err);
    if (r < 0)
        return r;
    r = db_run(
        req->api->db,
        "INSERT INTO scripts (name, tag, created_ms, modified_ms) VALUES (?,?,?,?) ON CONFLICT "
        "(name) DO UPDATE SET modified_ms = excluded.modified_ms",
        "ssll", name, id_hex(tag), workers_now(), workers_now());
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the Worker cannot be stored") : 0;
}

#define VERSION_COLUMNS                                                                            \
    "id, script, number, created_ms, created_ms AS \"created_on:time\", source, author, "          \
    "annotations "                                                                                 \
    "AS \"annotations:json\", metadata AS \"metadata:json\", json_extract(metadata, "              \
    "'$.bindings') AS "                                                                            \
    "\"bindings:json\", modules AS \"modules:json\", format, main, handlers AS "                   \
    "\"handlers:json\", "                                                                          \
    "named_handlers AS \"named_handlers:json\", startup_ms, etag, manifest AS \"manifest:json\""

int version_find(struct api_request *req, const char *script, const char *id, json_t **ret,
                 struct err *err)
{
    int r = db_row(req->api->db, ret,
                   "SELECT " VERSION_COLUMNS " FROM versions WHERE script = ? AND id = ?", "ss",
                   script, id);
    if (r == -ENOENT)
        return err_set(err, r, 100146, "There is no version %s of this Worker.", id);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the versions cannot be read") : 0;
}

int version_latest(struct api_request *req, const char *script, json_t **ret)
{
    return db_row(req->api->db, ret,
                  "SELECT " VERSION_COLUMNS
                  " FROM versions WHERE script = ? ORDER BY number DESC LIMIT 1",
                  "s", script);
}

int version_deployed(struct api_request *req, const char *script, json_t **ret)
{
    return db_row(
        req->api->db, ret,
        "SELECT " VERSION_COLUMNS " FROM versions WHERE script = ?1 AND id = (SELECT "
        "json_extract(versions, '$[0].version_id') FROM deployments WHERE script = ?1 ORDER BY "
        "number DESC LIMIT 1)",
        "s", script);
}

const char *version_dir(struct api_request *req, const char *script, const char *id)
{
    return arena_printf(&req->arena, "workers/%s/%s", script, id);
}

const char *version_source(struct api_request *req)
{
    struct slice agent = api_header(req, "user-agent");
    if (slice_starts(agent, SLICE("wrangler")))
        return "wrangler";
    if (slice_find_slice(agent, SLICE("terraform")) >= 0)
        return "terraform";
    /* wrangler's own requests carry no agent of their own name in every release, but this header. */
    if (slice_find_slice(agent, SLICE("undici")) >= 0 || agent.len == 0)
        return "wrangler";
    return "api";
}

const char *worker_url(struct api_request *req, const char *script)
{
    const struct api *api = req->api;
    unsigned port = api->http_port;
    if (port == 0 || port == 80)
        return arena_printf(&req->arena, "http://%s.%s", script, api->domain);
    return arena_printf(&req->arena, "http://%s.%s:%u", script, api->domain, port);
}

/* Clients put https:// and a version before it, so that it names the port of TLS when there is one. */
const char *worker_preview_suffix(struct api_request *req, const char *script)
{
    const struct api *api = req->api;
    unsigned port = api->https_port != 0 ? api->https_port : api->http_port;
    if (port == 0 || port == 443)
        return arena_printf(&req->arena, "-%s.%s", script, api->domain);
    return arena_printf(&req->arena, "-%s.%s:%u", script, api->domain, port);
}

/* --- objects --- */

static json_t *or_empty_array(json_t *value)
{
    return json_is_array(value) ? json_incref(value) : json_array();
}

static void copy_member(json_t *into, const char *name, const json_t *from, const char *member)
{
    json_t *value = json_object_get(from, member);
    if (value != NULL)
        json_object_set(into, name, value);
}

static json_t *version_resources(const json_t *script, const json_t *version)
{
    json_t *metadata = json_object_get(version, "metadata");
    json_t *code = json_pack("{s:s, s:O, s:O, s:s}", "etag", json_str(version, "etag", ""),
                             "handlers", json_object_get(version, "handlers"), "named_handlers",
                             json_object_get(version, "named_handlers"), "last_deployed_from",
                             json_str(version, "source", "api"));
    json_t *runtime = json_pack("{s:s, s:o}", "usage_model", "standard", "compatibility_flags",
                                or_empty_array(json_object_get(metadata, "compatibility_flags")));
    static const char *const copied[] = {"compatibility_date", "limits", "containers"};
    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        copy_member(runtime, copied[i], metadata, copied[i]);
    copy_member(runtime, "migration_tag", script, "migration_tag");
    return json_pack(
        "{s:o, s:o, s:o}", "script", code, "script_runtime", runtime, "bindings",
        bindings_public(json_str(script, "tag", ""), json_object_get(version, "bindings")));
}

json_t *version_object(const json_t *script, const json_t *version)
{
    const char *at = json_str(version, "created_on", "");
    json_t *object = json_pack(
        "{s:s, s:O, s:{s:s, s:s, s:s, s:s, s:s, s:b}, s:O, s:o, s:O}", "id",
        json_str(version, "id", ""), "number", json_object_get(version, "number"), "metadata",
        "created_on", at, "modified_on", at, "source", json_str(version, "source", "api"),
        "author_id", json_str(version, "author", ""), "author_email",
        json_str(version, "author", ""), "has_preview", (int)json_bool(script, "previews", false),
        "annotations", json_object_get(version, "annotations"), "resources",
        version_resources(script, version), "startup_time_ms",
        json_object_get(version, "startup_ms"));
    return object;
}

/* What the versioned settings and the script's own say together. */
static void script_add_settings(json_t *object, const json_t *script, const json_t *version)
{
    static const char *const own[] = {"logpush", "tail_consumers", "observability", "tags"};
    static const char *const versioned[] = {"compatibility_date", "compatibility_flags",
                                            "placement", "limits"};
    const json_t *settings = json_object_get(script, "settings");
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        copy_member(object, own[i], settings, own[i]);
    for (size_t i = 0; i < ARRAY_LEN(versioned); i++)
        copy_member(object, versioned[i], json_object_get(version, "metadata"), versioned[i]);
    if (json_object_get(object, "logpush") == NULL)
        json_object_set_new(object, "logpush", json_false());
    if (json_object_get(object, "tags") == NULL)
        json_object_set_new(object, "tags", json_array());
    if (json_object_get(object, "tail_consumers") == NULL)
        json_object_set_new(object, "tail_consumers", json_array());
    copy_member(object, "migration_tag", script, "migration_tag");
}

static json_t *script_base(const json_t *script)
{
    char created[CLOCK_TEXT_SIZE], modified[CLOCK_TEXT_SIZE];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:n}", "id",
                     script_shown(json_str(script, "name", "")), "tag", json_str(script, "tag", ""),
                     "created_on", clock_rfc3339(json_int(script, "created_ms", 0), created),
                     "modified_on", clock_rfc3339(json_int(script, "modified_ms", 0), modified),
                     "usage_model", "standard", "pipeline_hash");
}

int script_object(struct api_request *req, const char *name, const json_t *version, json_t **ret,
                  struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    AUTO(json_release) json_t *latest = NULL;
    int r = script_find(req, name, &script, err);
    if (r < 0)
        return r;
    if (version == NULL && version_latest(req, json_str(script, "name", ""), &latest) == 0)
        version = latest;
    json_t *object = script_base(script);
    if (version != NULL) {
        static const char *const copied[] = {"etag", "handlers", "named_handlers"};
        for (size_t i = 0; i < ARRAY_LEN(copied); i++)
            copy_member(object, copied[i], version, copied[i]);
        copy_member(object, "deployment_id", version, "id");
        copy_member(object, "startup_time_ms", version, "startup_ms");
        copy_member(object, "entry_point", version, "main");
        copy_member(object, "last_deployed_from", version, "source");
        bool modules = strcmp(json_str(version, "format", ""), "modules") == 0;
        json_object_set_new(object, "has_modules", json_boolean(modules));
        json_object_set_new(object, "has_assets",
                            json_boolean(json_is_object(json_object_get(version, "manifest"))));
    }
    script_add_settings(object, script, version);
    *ret = object;
    return 0;
}
