/*
 * Which versions of a script answer: rows, newest first, and the table made of them.
 *
 * workers/table.json is derived: it can be written again from control.db at any time, and is at every start.
 */
#include "product/workers/workers_impl.h"

#include "core/clock.h"
#include "core/file.h"
#include "product/durable_plan.h"
#include "product/messages.h"

#include <errno.h>
#include <pthread.h>

/* TABLE_PREVIEWS: how many of a script's newest versions have a host of their own. */
enum { DEPLOYMENT_VERSIONS_MAX = 2, TABLE_WAIT_S = 1, TABLE_PREVIEWS = 10 };

/* Tables are written one after another, each from what is committed: the last one has everything. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t table_wait_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t table_wait = PTHREAD_COND_INITIALIZER;
static uint64_t table_applied_revision; /* under table_wait_lock */

/* --- the table --- */

static json_t *table_assets(struct api *api, const char *script, const char *version)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(json_release) json_t *spec = NULL;
    char path[WORKER_PATH_MAX];
    snprintf(path, sizeof(path), "workers/%s/%s/spec.json", script, version);
    if (file_read(api->data_fd, path, WORKER_SIZE_MAX, &text) < 0 ||
        json_parse(buf_slice(&text), &spec, NULL) < 0)
        return json_null();
    json_t *assets = json_object_get(spec, "assets");
    return assets == NULL ? json_null() : json_incref(assets);
}

/* The gateway needs the grants, never the secrets. */
static json_t *table_bindings(struct api *api, const char *tag, const json_t *bindings)
{
    AUTO(json_release) json_t *mounts = json_array();
    AUTO(json_release) json_t *open = bindings_public(tag, bindings);
    return bindings_spec(api->account, open, mounts);
}

static int table_version(struct api *api, const json_t *script, const json_t *chosen, json_t *into)
{
    AUTO(json_release) json_t *version = NULL;
    const char *id = json_str(chosen, "version_id", ""), *name = json_str(script, "name", "");
    int r = db_row(
        api->db, &version,
        "SELECT main, json_extract(metadata, '$.bindings') AS \"bindings:json\" FROM versions "
        "WHERE id = ?",
        "s", id);
    if (r < 0)
        return r;
    json_array_append_new(into, json_pack("{s:s, s:I, s:s, s:b, s:o, s:o}", "id", id, "percentage",
                                          (json_int_t)json_int(chosen, "percentage", 0), "alias",
                                          json_str(chosen, "alias", ""), "has_code",
                                          json_object_get(version, "main") != NULL, "assets",
                                          table_assets(api, name, id), "bindings",
                                          table_bindings(api, json_str(script, "tag", ""),
                                                         json_object_get(version, "bindings"))));
    return 0;
}

static int table_versions(struct api *api, const json_t *script, const json_t *chosen, json_t *into)
{
    size_t i;
    json_t *one;
    json_array_foreach(chosen, i, one)
    {
        int r = table_version(api, script, one, into);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Versions with a host of their own, deployed or not: the newest ones. */
static int table_previews(struct api *api, const json_t *script, json_t *into)
{
    AUTO(json_release) json_t *newest = NULL;
    if (!json_bool(script, "previews", false))
        return 0;
    int r = db_rows(api->db, &newest,
                    "SELECT id AS version_id, json_extract(annotations, '$.\"workers/alias\"') AS "
                    "alias FROM versions WHERE script = ? ORDER BY number DESC LIMIT ?",
                    "si", json_str(script, "name", ""), TABLE_PREVIEWS);
    return r < 0 ? r : table_versions(api, script, newest, into);
}

/* Names of the tail Workers: {service} of the upload, {name} of the newer API. */
static json_t *table_consumers(const json_t *script)
{
    json_t *names = json_array(), *consumer;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(script, "settings"), "tail_consumers"), i,
                       consumer)
    {
        const char *name = json_str(consumer, "service", json_str(consumer, "name", ""));
        json_array_append_new(names, json_string(name));
    }
    return names;
}

static int table_script(struct api *api, const json_t *script, json_t *into)
{
    json_t *versions = json_array(), *previews = json_array();
    int r = table_versions(api, script, json_object_get(script, "versions"), versions);
    if (r >= 0)
        r = table_previews(api, script, previews);
    json_object_set_new(into, json_str(script, "name", ""),
                        json_pack("{s:s, s:b, s:o, s:o, s:o, s:b}", "tag",
                                  json_str(script, "tag", ""), "workers_dev",
                                  json_bool(script, "workers_dev", false), "previews", previews,
                                  "versions", versions, "consumers", table_consumers(script),
                                  "tail", json_int(script, "tails", 0) > 0));
    return r;
}

static int table_build(struct api *api, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *scripts = NULL, *routes = NULL, *domains = NULL, *namespaces = NULL;
    AUTO(json_release) json_t *dispatch = NULL, *buckets = NULL;
    AUTO(json_release) json_t *table = json_object();
    int64_t revision = 0;
    int r = db_run(api->db, "UPDATE worker_revision SET revision = revision + 1", NULL);
    if (r >= 0)
        r = db_int(api->db, &revision, "SELECT revision FROM worker_revision", NULL);
    if (r >= 0)
        r = db_rows(
            api->db, &scripts,
            "SELECT name, tag, settings AS \"settings:json\", workers_dev AS \"workers_dev:bool\", "
            "previews AS "
            "\"previews:bool\", (SELECT versions FROM deployments d WHERE d.script = s.name ORDER "
            "BY number DESC LIMIT 1) AS \"versions:json\" FROM scripts s",
            NULL);
    if (r >= 0)
        r = db_rows(api->db, &routes,
                    "SELECT pattern, script FROM worker_routes WHERE script <> ''", NULL);
    if (r >= 0)
        r = db_rows(api->db, &domains, "SELECT hostname, service AS script FROM worker_domains",
                    NULL);
    if (r >= 0)
        r = db_rows(api->db, &dispatch,
                    "SELECT name, id, trusted AS \"trusted:bool\" FROM dispatch_namespaces", NULL);
    if (r >= 0) /* rows of product/r2 */
        r = db_rows(api->db, &buckets,
                    "SELECT 'pub-' || id || '.r2.' || ? AS hostname, bucket FROM r2_public WHERE "
                    "enabled UNION ALL SELECT hostname, bucket FROM r2_domains WHERE enabled",
                    "s", api->domain);
    if (r >= 0)
        r = durable_table(api, &namespaces);
    size_t i;
    json_t *script;
    json_t *by_name = json_object();
    json_object_set_new(table, "scripts", by_name);
    for (i = 0; r >= 0 && i < json_array_size(scripts); i++) {
        script = json_array_get(scripts, i);
        if (json_is_array(json_object_get(script, "versions")))
            r = table_script(api, script, by_name);
    }
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the table of Workers cannot be made");
    json_object_set_new(table, "revision", json_integer(revision));
    json_object_set_new(table, "domain", json_string(api->domain));
    json_object_set_new(table, "account", json_string(api->account));
    json_object_set(table, "routes", routes);
    json_object_set(table, "namespaces", namespaces);
    json_object_set(table, "domains", domains);
    json_object_set(table, "dispatch", dispatch);
    json_object_set(table, "buckets", buckets);
    *ret = TAKE(table);
    return 0;
}

static int table_write_locked(struct api *api, uint64_t *ret_revision, struct err *err)
{
    AUTO(json_release) json_t *table = NULL;
    AUTO(buf_done) struct buf text = {0};
    int r = table_build(api, &table, err);
    if (r < 0)
        return r;
    json_print(&text, table);
    r = file_replace(api->data_fd, "workers/table.json", buf_slice(&text), 0644);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "workers/table.json cannot be written");
    *ret_revision = (uint64_t)json_int(table, "revision", 0);
    return 0;
}

int table_write(struct api *api, uint64_t *ret_revision, struct err *err)
{
    pthread_mutex_lock(&table_lock);
    int r = table_write_locked(api, ret_revision, err);
    pthread_mutex_unlock(&table_lock);
    return r;
}

void table_applied(uint64_t revision)
{
    pthread_mutex_lock(&table_wait_lock);
    table_applied_revision = revision;
    pthread_cond_broadcast(&table_wait);
    pthread_mutex_unlock(&table_wait_lock);
}

/* Who asks for a Worker right after its deploy was answered must find it. */
static void table_await(uint64_t revision)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TABLE_WAIT_S;
    pthread_mutex_lock(&table_wait_lock);
    /* 0: no gateway has ever answered, so there is nobody to wait for. */
    while (table_applied_revision != 0 && table_applied_revision < revision)
        if (pthread_cond_timedwait(&table_wait, &table_wait_lock, &until) != 0)
            break;
    pthread_mutex_unlock(&table_wait_lock);
}

int table_publish(struct api_request *req, struct err *err)
{
    AUTO(buf_done) struct buf args = {0};
    struct msg_table_changed changed = {0};
    int r = table_write(req->api, &changed.revision, err);
    if (r < 0)
        return r;
    msg_table_changed_pack(&args, &changed);
    api_peer_note(req->api->peers[API_SUPERVISOR], OP_table_changed, buf_slice(&args));
    table_await(changed.revision);
    return 0;
}

int previews_publish(struct api_request *req, const json_t *script, struct err *err)
{
    return json_bool(script, "previews", false) ? table_publish(req, err) : 0;
}

/* --- deployments --- */

static int deployment_check(struct api_request *req, const char *script, const json_t *versions,
                            struct err *err)
{
    double sum = 0;
    size_t i, n = json_array_size(versions);
    json_t *version;
    if (n == 0 || n > DEPLOYMENT_VERSIONS_MAX)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "a deployment has 1 to %d versions",
                       DEPLOYMENT_VERSIONS_MAX);
    json_array_foreach(versions, i, version)
    {
        AUTO(json_release) json_t *row = NULL;
        const json_t *share = json_object_get(version, "percentage");
        int r = version_find(req, script, json_str(version, "version_id", ""), &row, err);
        if (r < 0)
            return r == -ENOENT ? -EINVAL : r;
        if (!json_is_number(share) || json_number_value(share) < 0)
            return err_set(err, -EINVAL, WORKER_ERR_INVALID, "versions[%zu] has no percentage", i);
        sum += json_number_value(share);
    }
    if (sum < 99.99 || sum > 100.01)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "the percentages add up to %g, not to 100",
                       sum);
    return 0;
}

int deployment_create(struct api_request *req, const char *script, const json_t *versions,
                      const json_t *annotations, json_t **ret, struct err *err)
{
    char id[ID_UUID_SIZE], at[CLOCK_TEXT_SIZE];
    int64_t now = workers_now();
    id_uuid(id);
    int r = deployment_check(req, script, versions, err);
    if (r < 0)
        return r;
    AUTO(json_release)
    json_t *notes = json_is_object(annotations) ? json_deep_copy(annotations) : json_object();
    if (json_object_get(notes, "workers/triggered_by") == NULL)
        json_object_set_new(notes, "workers/triggered_by", json_string("deployment"));
    r = db_run(
        req->api->db,
        "INSERT INTO deployments (id, script, number, created_ms, source, author, annotations, "
        "versions) SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3, ?4, ?5, ?6, ?7 FROM "
        "deployments "
        "WHERE script = ?2",
        "sslssjj", id, script, now, version_source(req), req->who.name, notes, versions);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the deployment cannot be stored");
    r = table_publish(req, err);
    if (r == 0 && ret != NULL)
        *ret = json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:O}", "id", id, "source",
                         version_source(req), "strategy", "percentage", "author_email",
                         req->who.name, "created_on", clock_rfc3339(now, at), "annotations", notes,
                         "versions", versions);
    return r;
}

int deployment_of(struct api_request *req, const char *script, const char *version,
                  const char *trigger, struct err *err)
{
    AUTO(json_release)
    json_t *versions = json_pack("[{s:s, s:i}]", "version_id", version, "percentage", 100);
    AUTO(json_release) json_t *annotations = json_pack("{s:s}", "workers/triggered_by", trigger);
    return deployment_create(req, script, versions, annotations, NULL, err);
}
