/*
 * Durable Objects in the keeper: a namespace's directory, and the index of its alarms.
 *
 * An object keeps its alarm in its own database; this index only says whom to wake and when, and may be early or
 * late by what was on its way when something died: whoever is woken looks into its own database.
 */
#include "product/durable/durable.h"

#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OBJECTS_LIST_MAX = 1000, OBJECTS_NAMES_MAX = 1000 * 1000 };

static const char ending[] = ".sqlite";

struct durable_store {
    struct sql *alarms;
    char objects[DURABLE_PATH_MAX]; /* the directory */
};

/* --- engine --- */

/* Isolates of any user id make files in it; what lies above it keeps all others out. */
static int objects_make(const char *path)
{
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return -errno;
    return chmod(path, 0777) < 0 ? -errno : 0;
}

static void store_close(void *open)
{
    struct durable_store *s = open;
    sql_close(s->alarms);
    free(s);
}

static int store_open(const char *path, void **ret, struct err *err)
{
    char file[DURABLE_PATH_MAX];
    struct durable_store *s = mem_new(sizeof(*s));
    snprintf(s->objects, sizeof(s->objects), "%s/objects", path);
    snprintf(file, sizeof(file), "%s/alarms.sqlite", path);
    int r = objects_make(s->objects);
    if (r < 0)
        (void)err_set(err, r, 0, "the directory of the objects cannot be made");
    else
        r = sql_open(file, SQL_WRITE, &s->alarms, err);
    if (r == 0)
        r = sql_run(sql_cached(s->alarms, "CREATE TABLE IF NOT EXISTS alarms (object TEXT PRIMARY "
                                          "KEY, at INTEGER NOT NULL) WITHOUT ROWID"),
                    err);
    if (r < 0) {
        store_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

static struct sql *store_sql(void *open)
{
    return ((struct durable_store *)open)->alarms;
}

static int store_begin(void *open)
{
    struct durable_store *s = open;
    return sql_begin(s->alarms, NULL);
}

static int store_commit(void *open, struct err *err)
{
    struct durable_store *s = open;
    return sql_commit(s->alarms, err);
}

static void store_rollback(void *open)
{
    struct durable_store *s = open;
    sql_rollback(s->alarms);
}

static bool store_unsettled(void *open)
{
    const struct durable_store *s = open;
    return sql_unsettled(s->alarms);
}

static void store_settle(void *open)
{
    struct durable_store *s = open;
    sql_settle(s->alarms);
}

/* --- objects --- */

static bool is_object(const char *name)
{
    return strlen(name) == DURABLE_ID_LEN + sizeof(ending) - 1 &&
           strcmp(name + DURABLE_ID_LEN, ending) == 0;
}

static int name_compare(const void *a, const void *b)
{
    return memcmp(a, b, DURABLE_ID_LEN);
}

/* All ids, sorted, one after another. */
static int objects_read(const char *path, struct buf *ret, size_t *ret_n)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    size_t n = 0;
    if (dir == NULL)
        return -errno;
    while (n < OBJECTS_NAMES_MAX && (entry = readdir(dir)) != NULL) {
        if (!is_object(entry->d_name))
            continue;
        buf_append(ret, entry->d_name, DURABLE_ID_LEN);
        n++;
    }
    closedir(dir);
    if (n > 0)
        qsort(buf_reserve(ret, 0) - buf_len(ret), n, DURABLE_ID_LEN, name_compare);
    *ret_n = n;
    return 0;
}

static void store_info(void *open, json_t *ret)
{
    const struct durable_store *s = open;
    AUTO(buf_done) struct buf names = {0};
    size_t n = 0;
    if (objects_read(s->objects, &names, &n) < 0)
        n = 0;
    json_object_set_new(ret, "objects", json_integer((json_int_t)n));
}

/* json: {"ids": [...], "cursor": "" or the last id}: those behind the cursor. */
static void op_objects_list(struct keeper_call *call)
{
    const struct durable_store *s = call->store->open;
    AUTO(buf_done) struct buf names = {0};
    struct msg_objects_list m;
    size_t n = 0, n_given = 0, at = 0;
    if (msg_objects_list_unpack(call->args, &m) < 0) {
        call->result = -EBADMSG;
        return;
    }
    int r = objects_read(s->objects, &names, &n);
    if (r < 0) {
        call->result = err_set(&call->err, r, 0, "the objects cannot be listed");
        return;
    }
    size_t limit = MIN(MAX((size_t)m.limit, (size_t)1), (size_t)OBJECTS_LIST_MAX);
    const char *all = buf_slice(&names).ptr;
    if (m.cursor.len == DURABLE_ID_LEN)
        while (at < n && memcmp(all + at * DURABLE_ID_LEN, m.cursor.ptr, DURABLE_ID_LEN) <= 0)
            at++;
    buf_append_slice(&call->json, SLICE("{\"ids\":["));
    for (; at < n && n_given < limit; at++, n_given++)
        buf_printf(&call->json, "%s\"%.64s\"", n_given == 0 ? "" : ",", all + at * DURABLE_ID_LEN);
    buf_printf(&call->json, "],\"cursor\":\"%.64s\"}",
               at < n && at > 0 ? all + (at - 1) * DURABLE_ID_LEN : "");
}

/* --- alarms --- */

static void op_alarm_set(struct keeper_call *call)
{
    const struct durable_store *s = call->store->open;
    struct msg_alarm_set m;
    if (msg_alarm_set_unpack(call->args, &m) < 0 || m.object.len != DURABLE_ID_LEN) {
        call->result = -EBADMSG;
        return;
    }
    struct sql_stmt *stmt =
        m.time_ms < 0 ? sql_cached(s->alarms, "DELETE FROM alarms WHERE object = ?")
                      : sql_cached(s->alarms, "INSERT INTO alarms (object, at) VALUES (?1, ?2) ON "
                                              "CONFLICT (object) DO UPDATE SET at = ?2");
    sql_bind_text(stmt, 1, m.object);
    if (m.time_ms >= 0)
        sql_bind_int(stmt, 2, m.time_ms);
    call->result = sql_run(stmt, &call->err);
    sql_clear(stmt);
}

const struct keeper_op durable_ops[DURABLE_N_OPS] = {
    {.op = OP_alarm_set, .writes = true, .isolates = true, .leased = true, .run = op_alarm_set},
    {.op = OP_objects_list, .run = op_objects_list},
};

const struct keeper_engine durable_engine = {
    .open = store_open,
    .close = store_close,
    .sql = store_sql,
    .begin = store_begin,
    .commit = store_commit,
    .rollback = store_rollback,
    .unsettled = store_unsettled,
    .settle = store_settle,
    .info = store_info,
};
