/*
 * Lifecycle rules, a round every few seconds: what a rule has come due for is deleted, moved to another storage
 * class, or (uploads in parts) aborted, a batch at a time and each batch in one transaction, so that requests get
 * their turn in between and a crash loses nothing but the round.
 */
#include "product/r2/r2_rules.h"

#include "core/clock.h"

#include <errno.h>

enum { R2_LIFECYCLE_BATCH = 500 };

/* Whoever was stored before this has come due; false when the condition is not understood, or not yet due. */
static bool r2_due_before(const json_t *condition, int64_t *ret_ms)
{
    const char *type = json_str(condition, "type", "");
    int64_t date_ms, now = clock_wall_ms();
    if (strcmp(type, "Age") == 0) {
        *ret_ms = now - json_int(condition, "maxAge", 0) * 1000;
        return true;
    }
    if (strcmp(type, "Date") != 0 ||
        clock_parse_rfc3339(slice_of(json_str(condition, "date", "")), &date_ms) < 0)
        return false;
    *ret_ms = now;
    return now >= date_ms;
}

static void r2_due_bind(struct sql_stmt *s, const json_t *rule, int64_t before_ms, struct buf *end)
{
    struct slice prefix = slice_of(json_str(json_object_get(rule, "conditions"), "prefix", ""));
    buf_clear(end);
    buf_append_slice(end, prefix);
    buf_append_char(end, (char)0xff); /* in no key */
    sql_bind_int(s, 1, before_ms);
    sql_bind_text(s, 2, prefix);
    sql_bind_text(s, 3, buf_slice(end));
}

/* Keys, zero-terminated, one after another; what is locked stays. */
static void r2_due_keys(struct r2_store *store, const json_t *rule, int64_t before_ms,
                        struct buf *ret)
{
    AUTO(buf_done) struct buf end = {0};
    struct sql_stmt *s =
        sql_cached(store->db, "SELECT key, uploaded FROM objects WHERE uploaded <= ?1 AND key >= "
                              "?2 AND key < ?3");
    r2_due_bind(s, rule, before_ms, &end);
    for (size_t n = 0; n < R2_LIFECYCLE_BATCH && sql_step(s, NULL) == 1;) {
        struct slice key = sql_column_bytes(s, 0);
        if (r2_is_locked(store, key, sql_column_int(s, 1)))
            continue;
        buf_printf(ret, "%zu:", key.len);
        buf_append_slice(ret, key);
        n++;
    }
    sql_reset(s);
    sql_clear(s);
}

static int r2_delete_keys(struct r2_store *store, struct slice keys)
{
    int r = 0;
    while (keys.len > 0 && r == 0) {
        uint64_t len = 0;
        r = slice_to_u64(slice_cut(&keys, ':'), &len);
        if (r == 0)
            r = r2_remove(store, slice_from(keys.ptr, len), R2_LIFECYCLE_DELETE, NULL);
        keys = slice_skip(keys, len);
    }
    return r;
}

static int r2_round_delete(struct r2_store *store, const json_t *rule)
{
    AUTO(buf_done) struct buf keys = {0};
    int64_t before_ms;
    const json_t *transition = json_object_get(rule, "deleteObjectsTransition");
    if (!r2_due_before(json_object_get(transition, "condition"), &before_ms))
        return 0;
    r2_due_keys(store, rule, before_ms, &keys);
    return r2_delete_keys(store, buf_slice(&keys));
}

static int r2_round_class(struct r2_store *store, const json_t *rule, const json_t *transition)
{
    AUTO(buf_done) struct buf end = {0};
    int64_t before_ms;
    if (!r2_due_before(json_object_get(transition, "condition"), &before_ms))
        return 0;
    struct sql_stmt *s = sql_cached(
        store->db, "UPDATE objects SET class = ?4 WHERE id IN (SELECT id FROM objects WHERE "
                   "uploaded <= ?1 AND key >= ?2 AND key < ?3 AND class <> ?4 LIMIT ?5)");
    r2_due_bind(s, rule, before_ms, &end);
    sql_bind_text(s, 4, slice_of(json_str(transition, "storageClass", "InfrequentAccess")));
    sql_bind_int(s, 5, R2_LIFECYCLE_BATCH);
    int r = sql_run(s, NULL);
    sql_clear(s);
    return r;
}

static int r2_round_abort(struct r2_store *store, const json_t *rule)
{
    AUTO(buf_done) struct buf end = {0};
    int64_t before_ms;
    const json_t *transition = json_object_get(rule, "abortMultipartUploadsTransition");
    if (!r2_due_before(json_object_get(transition, "condition"), &before_ms))
        return 0;
    struct sql_stmt *s =
        sql_cached(store->db, "SELECT id FROM uploads WHERE created <= ?1 AND key >= ?2 AND key < "
                              "?3 AND state = 0 LIMIT ?4");
    r2_due_bind(s, rule, before_ms, &end);
    sql_bind_int(s, 4, R2_LIFECYCLE_BATCH);
    int r = r2_uploads_drop(store, s);
    sql_clear(s);
    return r;
}

static int r2_round(struct r2_store *store, const json_t *rule)
{
    const json_t *classes = json_object_get(rule, "storageClassTransitions");
    int r = r2_round_delete(store, rule);
    for (size_t i = 0; i < json_array_size(classes) && r == 0; i++)
        r = r2_round_class(store, rule, json_array_get(classes, i));
    return r < 0 ? r : r2_round_abort(store, rule);
}

void r2_lifecycle_run(struct r2_store *store)
{
    const json_t *rules = json_object_get(r2_setting(store, "lifecycle"), "rules");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        if (!json_bool(rule, "enabled", true) || sql_begin(store->db, NULL) < 0)
            continue;
        if (r2_round(store, rule) < 0 || sql_commit(store->db, NULL) < 0)
            sql_rollback(store->db);
    }
}
