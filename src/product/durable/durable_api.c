/*
 * Namespaces and migrations. https://developers.cloudflare.com/durable-objects/reference/durable-objects-migrations/
 */
#include "product/durable_plan.h"

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "product/store_call.h"

#include <errno.h>
#include <string.h>

enum { NAMESPACE_KEY_LEN = 32, OBJECTS_PAGE = 1000, SOURCE_MAX = 256 };

#define NAMESPACE_COLUMNS "id, script, class, use_sqlite AS \"use_sqlite:bool\", key"

/* --- plans --- */

struct plan {
    struct api_request *req;
    const char *script;
    json_t *after, *create, *delete, *update; /* borrowed from the plan's object */
};

static ssize_t plan_at(const json_t *rows, const char *class)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (strcmp(json_str(json_array_get(rows, i), "class", ""), class) == 0)
            return (ssize_t)i;
    return -1;
}

static int plan_new(struct plan *p, const json_t *class, bool sqlite, struct err *err)
{
    char id[ID_HEX_SIZE], key[2 * NAMESPACE_KEY_LEN + 1];
    uint8_t secret[NAMESPACE_KEY_LEN];
    const char *name = json_string_value(class);
    if (name == NULL || *name == '\0')
        return err_set(err, -EINVAL, DURABLE_ERR_MISSING, "a migration names no class");
    if (plan_at(p->after, name) >= 0)
        return err_set(
            err, -EINVAL, DURABLE_ERR_EXISTS,
            "Cannot apply new-%sclass migration to class '%s' that is already depended on "
            "by existing Durable Objects",
            sqlite ? "sqlite-" : "", name);
    if (json_array_size(p->after) >= DURABLE_CLASSES_MAX)
        return err_set(err, -EINVAL, DURABLE_ERR_EXISTS, "more than %d Durable Object classes",
                       DURABLE_CLASSES_MAX);
    id_random(secret, sizeof(secret));
    hex_encode(secret, sizeof(secret), key);
    json_t *row = json_pack("{s:s, s:s, s:s, s:b, s:s}", "id", id_hex(id), "script", p->script,
                            "class", name, "use_sqlite", sqlite, "key", key);
    json_array_append(p->after, row);
    json_array_append_new(p->create, row);
    return 0;
}

static int plan_missing(const char *kind, const char *class, struct err *err)
{
    return err_set(err, -EINVAL, DURABLE_ERR_MISSING,
                   "Cannot apply %s migration to class '%s': no such Durable Object class", kind,
                   class);
}

static int plan_delete(struct plan *p, const json_t *class, struct err *err)
{
    const char *name = json_is_string(class) ? json_string_value(class) : "";
    ssize_t at = plan_at(p->after, name);
    if (at < 0)
        return plan_missing("delete-class", name, err);
    const json_t *row = json_array_get(p->after, (size_t)at);
    json_array_append(p->delete, json_object_get(row, "id"));
    json_array_remove(p->after, (size_t)at);
    return 0;
}

static int plan_rename(struct plan *p, const json_t *step, struct err *err)
{
    const char *from = json_str(step, "from", ""), *to = json_str(step, "to", "");
    ssize_t at = plan_at(p->after, from);
    if (at < 0)
        return plan_missing("rename-class", from, err);
    if (*to == '\0' || plan_at(p->after, to) >= 0)
        return err_set(err, -EINVAL, DURABLE_ERR_EXISTS,
                       "Cannot apply rename-class migration from class '%s' to class '%s' that is "
                       "already depended on by existing Durable Objects",
                       from, to);
    json_t *row = json_array_get(p->after, (size_t)at);
    json_object_set_new(row, "class", json_string(to));
    json_array_append(p->update, row);
    return 0;
}

static int plan_transfer(struct plan *p, const json_t *step, struct err *err)
{
    json_t *row = NULL;
    const char *from = json_str(step, "from", ""), *to = json_str(step, "to", "");
    int r =
        db_row(p->req->api->db, &row,
               "SELECT " NAMESPACE_COLUMNS " FROM durable_namespaces WHERE script = ? AND class "
               "= ?",
               "ss", json_str(step, "from_script", ""), from);
    if (r == -ENOENT)
        return plan_missing("transfer-class", from, err);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the namespaces cannot be read");
    if (*to == '\0' || plan_at(p->after, to) >= 0) {
        json_decref(row);
        return err_set(
            err, -EINVAL, DURABLE_ERR_EXISTS,
            "Cannot apply transfer-class migration to class '%s' that is already depended "
            "on by existing Durable Objects",
            to);
    }
    json_object_set_new(row, "script", json_string(p->script));
    json_object_set_new(row, "class", json_string(to));
    json_array_append(p->update, row);
    json_array_append_new(p->after, row);
    return 0;
}

static int plan_new_kv(struct plan *p, const json_t *class, struct err *err)
{
    return plan_new(p, class, false, err);
}

static int plan_new_sqlite(struct plan *p, const json_t *class, struct err *err)
{
    return plan_new(p, class, true, err);
}

/* In this order within a step. */
static const struct {
    const char *member;
    int (*apply)(struct plan *p, const json_t *item, struct err *err);
} plan_steps[] = {
    {"deleted_classes", plan_delete},        {"renamed_classes", plan_rename},
    {"transferred_classes", plan_transfer},  {"new_classes", plan_new_kv},
    {"new_sqlite_classes", plan_new_sqlite},
};

static int plan_step(struct plan *p, const json_t *step, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(plan_steps); i++) {
        const json_t *list = json_object_get(step, plan_steps[i].member);
        for (size_t k = 0; k < json_array_size(list); k++) {
            int r = plan_steps[i].apply(p, json_array_get(list, k), err);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int plan_tag(struct plan *p, const json_t *migrations, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    int r = db_row(p->req->api->db, &row, "SELECT migration_tag FROM scripts WHERE name = ?", "s",
                   p->script);
    if (r < 0 && r != -ENOENT)
        return err_set(err, r, API_ERR_INTERNAL, "the Workers cannot be read");
    const char *had = json_str(row, "migration_tag", ""),
               *wanted = json_str(migrations, "old_tag", had);
    if (strcmp(had, wanted) == 0)
        return 0;
    return err_set(
        err, -EINVAL, DURABLE_ERR_TAG,
        "Durable Object migration tag precondition failed; expected \"%s\" but the Worker "
        "stands at \"%s\"",
        wanted, had);
}

static int plan_migrate(struct plan *p, const json_t *migrations, struct err *err)
{
    const json_t *steps = json_object_get(migrations, "steps");
    int r = plan_tag(p, migrations, err);
    if (r == 0 && !json_is_array(steps))
        return plan_step(p, migrations, err);
    for (size_t i = 0; r == 0 && i < json_array_size(steps); i++)
        r = plan_step(p, json_array_get(steps, i), err);
    return r;
}

static int namespace_store(struct api_request *req, uint16_t op, const char *id, struct err *err)
{
    AUTO(store_reply_done) struct store_reply reply = {0};
    char store[STORE_NAME_MAX];
    snprintf(store, sizeof(store), "durable/%s", id);
    return store_simple(req, op, slice_of(store), &reply, err);
}

/* The probe mounts the directories, so they are made before it. */
static int plan_make_stores(struct api_request *req, const json_t *plan, struct err *err)
{
    const json_t *create = json_object_get(plan, "create");
    for (size_t i = 0; i < json_array_size(create); i++) {
        const char *id = json_str(json_array_get(create, i), "id", "");
        int r = namespace_store(req, OP_store_make, id, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int durable_plan_make(struct api_request *req, const char *script, json_t *metadata, json_t **ret,
                      struct err *err)
{
    json_t *rows = NULL;
    int r =
        db_rows(req->api->db, &rows,
                "SELECT " NAMESPACE_COLUMNS " FROM durable_namespaces WHERE script = ? ORDER BY "
                "created_ms, id",
                "s", script);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the namespaces cannot be read");
    AUTO(json_release)
    json_t *plan =
        json_pack("{s:o, s:[], s:[], s:[]}", "after", rows, "create", "delete", "update");
    struct plan p = {.req = req,
                     .script = script,
                     .after = rows,
                     .create = json_object_get(plan, "create"),
                     .delete = json_object_get(plan, "delete"),
                     .update = json_object_get(plan, "update")};
    const json_t *migrations = json_object_get(metadata, "migrations");
    if (json_is_object(migrations))
        r = plan_migrate(&p, migrations, err);
    json_object_del(metadata, "migrations"); /* once, not again with the next change of a setting */
    if (r >= 0)
        r = plan_make_stores(req, plan, err);
    if (r < 0)
        return r;
    *ret = TAKE(plan);
    return 0;
}

void durable_plan_undo(struct api_request *req, const json_t *plan)
{
    const json_t *create = json_object_get(plan, "create");
    for (size_t i = 0; i < json_array_size(create); i++) {
        const char *id = json_str(json_array_get(create, i), "id", "");
        if (namespace_store(req, OP_store_drop, id, NULL) < 0)
            LOG(LOG_WARN, "namespace_left", F("namespace", "%s", id));
    }
}

/* --- bindings --- */

static int bind_one(struct api_request *req, const char *script, const json_t *plan,
                    json_t *binding, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    const char *class = json_str(binding, "class_name", "");
    const char *owner = json_str(binding, "script_name", script);
    if (strcmp(owner, script) == 0) {
        ssize_t at = plan_at(json_object_get(plan, "after"), class);
        if (at >= 0)
            row = json_incref(json_array_get(json_object_get(plan, "after"), (size_t)at));
    } else {
        int r = db_row(req->api->db, &row,
                       "SELECT " NAMESPACE_COLUMNS " FROM durable_namespaces WHERE script = ? AND "
                       "class = ?",
                       "ss", owner, class);
        if (r < 0 && r != -ENOENT)
            return err_set(err, r, API_ERR_INTERNAL, "the namespaces cannot be read");
    }
    if (row == NULL && strcmp(owner, script) != 0)
        return err_set(err, -EINVAL, DURABLE_ERR_BINDING,
                       "Cannot create binding for class '%s' in script '%s' because it is not "
                       "currently configured to implement Durable Objects.",
                       class, owner);
    if (row == NULL)
        return err_set(
            err, -EINVAL, DURABLE_ERR_BINDING,
            "Cannot create binding for class '%s' because it is not currently configured "
            "to implement Durable Objects. Did you forget to apply a 'new_sqlite_classes' "
            "migration for it?",
            class);
    json_object_set(binding, "namespace_id", json_object_get(row, "id"));
    return 0;
}

static bool is_namespace(const json_t *binding)
{
    return strcmp(json_str(binding, "type", ""), "durable_object_namespace") == 0;
}

int durable_plan_bind(struct api_request *req, const char *script, const json_t *plan,
                      json_t *bindings, struct err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(bindings); i++)
        if (is_namespace(json_array_get(bindings, i)))
            r = bind_one(req, script, plan, json_array_get(bindings, i), err);
    return r;
}

/* Callers compute ids with the key, so it stands in their spec. */
static int spec_key(struct api_request *req, const json_t *plan, json_t *binding, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    const char *id = json_str(binding, "namespace_id", "");
    const json_t *after = json_object_get(plan, "after");
    for (size_t i = 0; i < json_array_size(after); i++)
        if (strcmp(json_str(json_array_get(after, i), "id", ""), id) == 0)
            row = json_incref(json_array_get(after, i));
    int r =
        row != NULL
            ? 0
            : db_row(req->api->db, &row,
                     "SELECT " NAMESPACE_COLUMNS " FROM durable_namespaces WHERE id = ?", "s", id);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the namespace of binding %s cannot be read",
                       json_str(binding, "name", ""));
    json_object_set(binding, "key", json_object_get(row, "key"));
    return 0;
}

static void spec_class(struct api_request *req, const json_t *row, json_t *bindings, json_t *mounts)
{
    char source[SOURCE_MAX], target[SOURCE_MAX], store[SOURCE_MAX];
    const char *id = json_str(row, "id", "");
    snprintf(source, sizeof(source), "accounts/%s/durable/%s/objects", req->api->account, id);
    snprintf(target, sizeof(target), "do-%s", id);
    snprintf(store, sizeof(store), "durable/%s", id);
    json_array_append_new(
        bindings, json_pack("{s:s, s:s, s:s, s:s, s:O, s:O, s:s, s:s}", "name", "", "type",
                            "durable_object_class", "class_name", json_str(row, "class", ""),
                            "namespace_id", id, "key", json_object_get(row, "key"), "sqlite",
                            json_object_get(row, "use_sqlite"), "store", store, "mount", target));
    json_array_append_new(mounts, json_pack("{s:s, s:s, s:s}", "source", source, "target", target,
                                            "access", "write"));
}

int durable_plan_spec(struct api_request *req, const json_t *plan, json_t *bindings, json_t *mounts,
                      struct err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(bindings); i++)
        if (is_namespace(json_array_get(bindings, i)))
            r = spec_key(req, plan, json_array_get(bindings, i), err);
    const json_t *after = json_object_get(plan, "after");
    for (size_t i = 0; r == 0 && i < json_array_size(after); i++)
        spec_class(req, json_array_get(after, i), bindings, mounts);
    return r;
}

/* --- rows --- */

static int commit_rows(struct api_request *req, const json_t *plan)
{
    struct db *db = req->api->db;
    const json_t *create = json_object_get(plan, "create"), *gone = json_object_get(plan, "delete"),
                 *update = json_object_get(plan, "update");
    AUTO(db_end) struct db *tx = NULL;
    int r = db_begin(db, &tx);
    for (size_t i = 0; r >= 0 && i < json_array_size(gone); i++)
        r = db_run(db, "DELETE FROM durable_namespaces WHERE id = ?", "s",
                   json_string_value(json_array_get(gone, i)));
    for (size_t i = 0; r >= 0 && i < json_array_size(update); i++) {
        const json_t *row = json_array_get(update, i);
        r = db_run(db, "UPDATE durable_namespaces SET script = ?, class = ? WHERE id = ?", "sss",
                   json_str(row, "script", ""), json_str(row, "class", ""),
                   json_str(row, "id", ""));
    }
    for (size_t i = 0; r >= 0 && i < json_array_size(create); i++) {
        const json_t *row = json_array_get(create, i);
        r = db_run(db,
                   "INSERT OR IGNORE INTO durable_namespaces (id, script, class, use_sqlite, key, "
                   "created_ms) VALUES (?,?,?,?,?,?)",
                   "sssisl", json_str(row, "id", ""), json_str(row, "script", ""),
                   json_str(row, "class", ""), json_bool(row, "use_sqlite", true) ? 1 : 0,
                   json_str(row, "key", ""), clock_wall_ms());
    }
    return r >= 0 ? db_commit(&tx) : r;
}

static void drop_stores(struct api_request *req, const json_t *ids)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        if (id != NULL && namespace_store(req, OP_store_drop, id, NULL) < 0)
            LOG(LOG_WARN, "namespace_left", F("namespace", "%s", id));
    }
}

int durable_plan_commit(struct api_request *req, const json_t *plan, struct err *err)
{
    int r = commit_rows(req, plan);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the migration cannot be stored");
    drop_stores(req, json_object_get(plan, "delete"));
    return 0;
}

void durable_script_deleted(struct api_request *req, const char *script)
{
    AUTO(json_release) json_t *rows = NULL;
    AUTO(json_release) json_t *ids = json_array();
    if (db_rows(req->api->db, &rows, "SELECT id FROM durable_namespaces WHERE script = ?", "s",
                script) < 0 ||
        db_run(req->api->db, "DELETE FROM durable_namespaces WHERE script = ?", "s", script) < 0)
        return;
    for (size_t i = 0; i < json_array_size(rows); i++)
        json_array_append(ids, json_object_get(json_array_get(rows, i), "id"));
    drop_stores(req, ids);
}

int durable_table(struct api *api, json_t **ret)
{
    AUTO(json_release) json_t *rows = NULL;
    int r = db_rows(api->db, &rows, "SELECT id, script, class FROM durable_namespaces", NULL);
    if (r < 0)
        return r;
    *ret = json_object();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_object_set_new(*ret, json_str(row, "id", ""),
                            json_pack("{s:s, s:s}", "script", json_str(row, "script", ""), "class",
                                      json_str(row, "class", "")));
    }
    return 0;
}

/* --- routes --- */

int durable_api_namespaces(struct api_request *req, struct err *err)
{
    return api_ok_page(req, err,
                       "SELECT id, script || '_' || class AS name, script, class, use_sqlite AS "
                       "\"use_sqlite:bool\" FROM durable_namespaces ORDER BY created_ms, id",
                       NULL);
}

int durable_api_objects(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(store_call_done)
    struct store_call call = {.op = OP_objects_list, .code = API_ERR_INTERNAL};
    char store[STORE_NAME_MAX];
    int r = db_row(req->api->db, &row, "SELECT id FROM durable_namespaces WHERE id = ?", "s",
                   api_param(req, "namespace"));
    if (r < 0)
        return err_set(err, r, DURABLE_ERR_NAMESPACE, "Durable Object namespace not found");
    int64_t limit = OBJECTS_PAGE;
    r = api_query_int(req, "limit", &limit, err);
    if (r < 0)
        return r;
    snprintf(store, sizeof(store), "durable/%s", json_str(row, "id", ""));
    msg_objects_list_pack(
        &call.args, &(struct msg_objects_list){.store = slice_of(store),
                                               .cursor = slice_of(api_query(req, "cursor", "")),
                                               .limit = (uint32_t)MAX(limit, (int64_t)1)});
    r = store_call(req, &call, &reply, err);
    if (r < 0)
        return r;
    const json_t *ids = json_object_get(reply.json, "ids");
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(ids); i++)
        json_array_append_new(
            list, json_pack("{s:O, s:b}", "id", json_array_get(ids, i), "hasStoredData", 1));
    const char *cursor = json_str(reply.json, "cursor", "");
    api_set_info(req, json_pack("{s:I, s:s, s:{s:s}}", "count", (json_int_t)json_array_size(list),
                                "cursor", cursor, "cursors", "after", cursor));
    return api_ok(req, list);
}
