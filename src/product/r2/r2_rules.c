#include "product/r2/r2_rules.h"

#include "core/clock.h"

#include <errno.h>
#include <stdio.h>

/* --- settings --- */

static json_t *r2_settings(struct r2_store *store)
{
    if (store->settings != NULL)
        return store->settings;
    struct sql_stmt *s = sql_cached(store->db, "SELECT name, value FROM settings");
    store->settings = json_object();
    while (sql_step(s, NULL) == 1) {
        struct slice name = sql_column_bytes(s, 0);
        json_t *value = NULL;
        if (json_parse(sql_column_bytes(s, 1), &value, NULL) == 0)
            json_object_setn_new(store->settings, name.ptr, name.len, value);
    }
    sql_reset(s);
    return store->settings;
}

const json_t *r2_setting(struct r2_store *store, const char *name)
{
    return json_object_get(r2_settings(store), name);
}

void r2_settings_forget(struct r2_store *store)
{
    json_release(&store->settings);
}

static int r2_setting_store(struct r2_store *store, struct slice name, struct slice value,
                            struct err *err)
{
    bool drop = slice_eq(value, SLICE("null"));
    struct sql_stmt *s =
        sql_cached(store->db, drop ? "DELETE FROM settings WHERE name = ?"
                                   : "INSERT OR REPLACE INTO settings VALUES(?, ?)");
    sql_bind_text(s, 1, name);
    if (!drop)
        sql_bind_text(s, 2, value);
    int r = sql_run(s, err);
    sql_clear(s);
    r2_settings_forget(store);
    return r;
}

void r2_op_setting(struct keeper_call *call)
{
    struct msg_r2_setting m;
    char name[32];
    if (msg_r2_setting_unpack(call->args, &m) < 0 ||
        slice_to_cstr(m.name, name, sizeof(name)) < 0) {
        call->result = r2_fail(&call->err, -EINVAL, 10029);
        return;
    }
    if (m.value.len > 0)
        call->result = r2_setting_store(r2_of(call), m.name, m.value, &call->err);
    const json_t *value = r2_setting(r2_of(call), name);
    if (call->result == 0 && value != NULL)
        json_print(&call->json, value);
}

const char *r2_class_for(struct r2_store *store, const json_t *options)
{
    const char *bucket = json_str(r2_setting(store, "class"), "storageClass", "Standard");
    return json_str(options, "storageClass", bucket);
}

/* --- locks --- */

static bool r2_lock_holds(const json_t *condition, int64_t uploaded_ms)
{
    const char *type = json_str(condition, "type", "");
    int64_t now = clock_wall_ms(), date_ms;
    if (strcmp(type, "Indefinite") == 0)
        return true;
    if (strcmp(type, "Age") == 0)
        return uploaded_ms + json_int(condition, "maxAgeSeconds", 0) * 1000 > now;
    return clock_parse_rfc3339(slice_of(json_str(condition, "date", "")), &date_ms) == 0 &&
           now < date_ms;
}

bool r2_is_locked(struct r2_store *store, struct slice key, int64_t uploaded_ms)
{
    const json_t *rules = json_object_get(r2_setting(store, "lock"), "rules");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        if (json_bool(rule, "enabled", true) &&
            slice_starts(key, slice_of(json_str(rule, "prefix", ""))) &&
            r2_lock_holds(json_object_get(rule, "condition"), uploaded_ms))
            return true;
    }
    return false;
}

/* --- notifications --- */

static const char *const r2_actions[] = {
    [R2_PUT_OBJECT] = "PutObject",
    [R2_COPY_OBJECT] = "CopyObject",
    [R2_COMPLETE_UPLOAD] = "CompleteMultipartUpload",
    [R2_DELETE_OBJECT] = "DeleteObject",
    [R2_LIFECYCLE_DELETE] = "LifecycleDeletion",
};

static bool r2_rule_wants(const json_t *rule, const char *action, struct slice key)
{
    const json_t *actions = json_object_get(rule, "actions");
    bool named = false;
    for (size_t i = 0; i < json_array_size(actions) && !named; i++) {
        const char *one = json_string_value(json_array_get(actions, i));
        named = one != NULL && strcmp(one, action) == 0;
    }
    return named && slice_starts(key, slice_of(json_str(rule, "prefix", ""))) &&
           slice_ends(key, slice_of(json_str(rule, "suffix", "")));
}

static bool r2_queue_wants(const json_t *queue, const char *action, struct slice key)
{
    const json_t *rules = json_object_get(queue, "rules");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        if (r2_rule_wants(json_array_get(rules, i), action, key))
            return true;
    }
    return false;
}

static void r2_event_text(struct r2_store *store, const char *action, const struct r2_row *row,
                          struct buf *out)
{
    char time[CLOCK_TEXT_SIZE];
    bool removes = strstr(action, "Delet") != NULL;
    buf_printf(out, "{\"account\":\"%s\",\"action\":\"%s\",\"bucket\":",
               json_str(r2_setting(store, "notifications"), "account", ""), action);
    json_quote(out, slice_of(strrchr(store->path, '/') + 1));
    buf_append_slice(out, SLICE(",\"object\":{\"key\":"));
    json_quote(out, row->key);
    if (!removes)
        buf_printf(out, ",\"size\":%lld,\"eTag\":\"%.*s\"", (long long)row->size,
                   SLICE_ARG(row->etag));
    buf_printf(out, "},\"eventTime\":\"%s\"}", clock_rfc3339(clock_wall_ms(), time));
}

int r2_notify(struct r2_store *store, enum r2_action action, const struct r2_row *row,
              struct err *err)
{
    const json_t *queues = json_object_get(r2_setting(store, "notifications"), "queues");
    AUTO(buf_done) struct buf text = {0};
    int r = 0;
    for (size_t i = 0; i < json_array_size(queues) && r == 0; i++) {
        const json_t *queue = json_array_get(queues, i);
        if (!r2_queue_wants(queue, r2_actions[action], row->key))
            continue;
        buf_clear(&text);
        r2_event_text(store, r2_actions[action], row, &text);
        struct sql_stmt *s = sql_cached(store->db, "INSERT INTO outbox(queue, body) VALUES(?, ?)");
        sql_bind_text(s, 1, slice_of(json_str(queue, "queueId", "")));
        sql_bind_text(s, 2, buf_slice(&text));
        r = sql_run(s, err);
        sql_clear(s);
    }
    return r;
}
