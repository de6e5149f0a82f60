/*
 * D1 in the keeper: everything that writes, and all statements of the REST API.
 *
 * One message is one unit: a statement, a batch, or a text of many statements. The keeper puts units that
 * wait together into one transaction (each in a savepoint), so they share one fsync.
 */
#include "product/d1/d1.h"

#include "core/base64.h"
#include "core/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

enum {
    D1_USAGE_BODY_MAX = 4 * D1_USAGE_REPORT_MAX * D1_USAGE_TEXT_MAX,
    D1_BODY_MAX = 320 * 1024 * 1024,
    D1_SWEEP_S = 1
};

/* --- binding --- */

static int d1_bytes_of(const json_t *array, struct arena *arena, struct slice *ret)
{
    size_t n = json_array_size(array);
    if (n > SQL_VALUE_MAX)
        return -E2BIG;
    char *bytes = arena_alloc(arena, n + 1);
    if (bytes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        double byte = json_number_value(json_array_get(array, i));
        if (!json_is_number(json_array_get(array, i)) || !(byte >= 0 && byte < 256))
            return -EINVAL;
        bytes[i] = (char)(uint8_t)byte;
    }
    *ret = slice_from(bytes, n);
    return 0;
}

/* REST clients send numbers as numbers or as text; both arrive as they are. */
static int d1_bind_one(struct sql_stmt *s, int i, const json_t *v, struct arena *arena,
                       struct err *err)
{
    struct slice bytes;
    switch (json_typeof(v)) {
    case JSON_NULL:
        sql_bind_null(s, i);
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        sql_bind_int(s, i, json_is_true(v));
        return 0;
    case JSON_INTEGER:
        sql_bind_int(s, i, json_integer_value(v));
        return 0;
    case JSON_REAL:
        sql_bind_double(s, i, json_real_value(v));
        return 0;
    case JSON_STRING:
        bytes = slice_from(json_string_value(v), json_string_length(v));
        if (bytes.len > SQL_VALUE_MAX)
            return err_set(err, -E2BIG, 0, "string or blob too big: SQLITE_TOOBIG");
        sql_bind_text(s, i, bytes);
        return 0;
    case JSON_ARRAY:
        if (d1_bytes_of(v, arena, &bytes) < 0)
            break;
        sql_bind_blob(s, i, bytes);
        return 0;
    case JSON_OBJECT:
        break;
    }
    return err_set(err, -EINVAL, 0, "parameter %d cannot be bound", i);
}

static int d1_bind(struct sql_stmt *s, const json_t *params, struct arena *arena, struct err *err)
{
    size_t n = json_array_size(params);
    if ((params != NULL && !json_is_array(params) && !json_is_null(params)) ||
        n != (size_t)sql_n_parameters(s))
        return err_set(err, -EINVAL, 0, D1_WRONG_BINDINGS);
    for (size_t i = 0; i < n; i++) {
        int r = d1_bind_one(s, (int)i + 1, json_array_get(params, i), arena, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- running --- */

struct d1_unit {
    struct sql *db;
    struct d1_usage *usage; /* NULL: nobody counts */
    unsigned flags;
    struct buf *out;
    unsigned n_results;
    struct arena arena;
};

static bool d1_changes_schema(struct slice sql)
{
    static const char *const words[] = {"create", "drop", "alter", "reindex", "analyze"};
    sql = slice_trim(sql);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);
        if (sql.len > n && strncasecmp(sql.ptr, words[i], n) == 0)
            return true;
    }
    return false;
}

struct d1_facts {
    int64_t started_us, changes_before;
    uint64_t n_rows, n_read, n_written;
    bool schema;
};

static void d1_count(struct d1_unit *u, const struct sql_stmt *s, const struct d1_facts *f,
                     int64_t us)
{
    struct d1_use use = {.runs = 1,
                         .us = (uint64_t)us,
                         .read = f->n_read,
                         .written = f->n_written,
                         .returned = f->n_rows,
                         .writes = !sql_readonly(s)};
    if (u->usage != NULL)
        d1_usage_add(u->usage, sql_text(s), &use);
}

static void d1_append_meta(struct d1_unit *u, const struct d1_facts *f, int64_t us)
{
    int64_t changes = sql_total_changes(u->db) - f->changes_before;
    double ms = (double)(us / 10) / 100;
    buf_printf(
        u->out,
        "\"success\":true,\"meta\":{\"served_by\":\"selvedge\",\"served_by_region\":\"LOCAL\","
        "\"served_by_colo\":\"LOCAL\",\"served_by_primary\":true,\"timings\":{\"sql_duration_ms\":%"
        ".2f},"
        "\"duration\":%.2f,\"changes\":%lld,\"last_row_id\":%lld,\"changed_db\":%s,\"size_after\":%"
        "lld,"
        "\"rows_read\":%llu,\"rows_written\":%llu,\"total_attempts\":1}}",
        ms, ms, (long long)changes, (long long)sql_last_rowid(u->db),
        changes > 0 || f->schema ? "true" : "false", (long long)sql_size(u->db),
        (unsigned long long)f->n_read, (unsigned long long)f->n_written);
}

static enum d1_shape d1_shape_of(unsigned flags)
{
    return flags & D1_ROWS_AND_COLUMNS ? D1_COLUMNS : D1_OBJECTS;
}

static int d1_run_statement(struct d1_unit *u, struct sql_stmt *s, bool schema, struct err *err)
{
    AUTO(d1_names_done) struct d1_names names = {0};
    struct d1_facts f = {.started_us = clock_boot_us(),
                         .changes_before = sql_total_changes(u->db),
                         .schema = schema};
    d1_names_of(s, &names);
    sql_counts_start(s);
    buf_append_slice(u->out,
                     u->n_results++ == 0 ? SLICE("{\"results\":") : SLICE(",{\"results\":"));
    int r = d1_rows_json(s, &names, d1_shape_of(u->flags), u->out, &f.n_rows, err);
    if (r < 0)
        return r;
    int64_t us = clock_boot_us() - f.started_us;
    bool write = !sql_readonly(s);
    f.n_read = sql_rows_read(s, f.n_rows);
    f.n_written = write ? sql_rows_written(s) : 0;
    f.schema = write && schema;
    d1_count(u, s, &f, us);
    buf_append_char(u->out, ',');
    d1_append_meta(u, &f, us);
    return 0;
}

/* The next statement of a text: one that was kept, or a new one (*ret_own). *ret is NULL for blanks. */
static int d1_next(struct d1_unit *u, struct slice *text, struct sql_stmt **ret, bool *ret_own,
                   struct err *err)
{
    struct slice all = *text;
    *ret = sql_kept_find(u->db, all);
    *ret_own = *ret == NULL;
    if (*ret == NULL)
        return sql_prepare(u->db, all, ret, text, err);
    *text = SLICE_NONE;
    return 0;
}

static int d1_run_one(struct d1_unit *u, struct sql_stmt *s, struct slice text,
                      const json_t *params, struct err *err)
{
    int r = d1_bind(s, params, &u->arena, err);
    if (r == 0 && u->flags & D1_NO_RESULTS) {
        u->n_results++;
        r = sql_run(s, err);
    } else if (r == 0) {
        r = d1_run_statement(u, s, d1_changes_schema(text), err);
    }
    sql_clear(s); /* the bytes go with the arena */
    return r;
}

/* Parameters belong to the last statement of a text. */
static int d1_run_text(struct d1_unit *u, struct slice text, const json_t *params, struct err *err)
{
    struct slice whole = text;
    bool any = false;
    while (text.len > 0) {
        struct sql_stmt *s;
        struct slice start = text;
        bool own;
        int r = d1_next(u, &text, &s, &own, err);
        if (r < 0)
            return r;
        if (s == NULL)
            continue;
        any = true;
        r = text.len > 0 && u->flags & D1_FLAG_ONE
                ? err_set(err, -EINVAL, 0, D1_ONE_STATEMENT)
                : d1_run_one(u, s, start, text.len == 0 ? params : NULL, err);
        if (own && r == 0 && start.ptr == whole.ptr && text.len == 0)
            sql_kept_add(u->db, whole, s);
        else if (own)
            sql_finalize(s);
        if (r < 0)
            return r;
    }
    return any ? 0 : err_set(err, -EINVAL, 0, D1_NO_STATEMENT);
}

/* What an import of many statements did, in one: what each costs to be watched would be more than it costs. */
static void d1_append_sum(struct d1_unit *u, struct d1_facts *f)
{
    f->n_written = f->n_read = (uint64_t)(sql_total_changes(u->db) - f->changes_before);
    f->schema = true;
    buf_printf(u->out, "{\"num_queries\":%u,", u->n_results);
    d1_append_meta(u, f, clock_boot_us() - f->started_us);
}

static int d1_run_all(struct d1_unit *u, const json_t *statements, struct err *err)
{
    struct d1_facts sum = {.started_us = clock_boot_us(),
                           .changes_before = sql_total_changes(u->db)};
    buf_append_char(u->out, '[');
    for (size_t i = 0; i < json_array_size(statements); i++) {
        const json_t *item = json_array_get(statements, i);
        const json_t *sql = json_object_get(item, "sql");
        if (!json_is_string(sql))
            return err_set(err, -EINVAL, 0, D1_NO_STATEMENT);
        /* jansson's strings have the zero byte behind them that sql_prepare() wants. */
        struct slice text = slice_from(json_string_value(sql), json_string_length(sql));
        int r = d1_run_text(u, text, json_object_get(item, "params"), err);
        if (r < 0) {
            buf_clear(u->out);
            buf_printf(u->out, "{\"index\":%zu}", i);
            return r;
        }
    }
    if (u->flags & D1_NO_RESULTS)
        d1_append_sum(u, &sum);
    buf_append_char(u->out, ']');
    return 0;
}

int d1_run_json(struct d1_store *store, struct slice body, unsigned flags, struct buf *out,
                struct err *err)
{
    struct sql *db = store->db;
    AUTO(json_release) json_t *statements = NULL;
    int r = json_parse_nul(body, &statements, err);
    if (r < 0)
        return r;
    if (!json_is_array(statements))
        return err_set(err, -EINVAL, 0, D1_NO_STATEMENT);
    struct d1_unit u = {.db = db, .usage = store->usage, .flags = flags, .out = out};
    sql_deadline(db, clock_boot_us() + (flags & D1_FLAG_BRIEF ? D1_BRIEF_LIMIT_US
                                        : flags & D1_LONG     ? D1_LONG_LIMIT_US
                                                              : D1_TIME_LIMIT_US));
    r = d1_run_all(&u, statements, err);
    sql_deadline(db, 0);
    arena_done(&u.arena);
    return r;
}

void d1_op_run(struct keeper_call *call)
{
    struct msg_d1_run m;
    struct d1_store *store = call->store->open;
    if (msg_d1_run_unpack(call->args, &m) < 0) {
        call->result = err_set(&call->err, -EBADMSG, 0, "malformed message");
        return;
    }
    bool many = call->control || (m.flags & D1_MANY) != 0;
    unsigned flags = (m.flags & (D1_ROWS_AND_COLUMNS | D1_NO_RESULTS)) | (many ? 0u : D1_FLAG_ONE);
    sql_cancel_by(store->db, &call->gone);
    call->result = d1_run_json(store, call->body, flags, &call->json, &call->err);
    sql_cancel_by(store->db, NULL);
}

static void d1_op_usage(struct keeper_call *call)
{
    const struct d1_store *store = call->store->open;
    if (d1_usage_report(store->usage, call->body) < 0)
        call->result = err_set(&call->err, -EBADMSG, 0, "malformed message");
}

static void d1_op_figures(struct keeper_call *call)
{
    const struct d1_store *store = call->store->open;
    struct msg_d1_figures m;
    call->result = msg_d1_figures_unpack(call->args, &m);
    if (call->result < 0)
        return;
    struct d1_usage_question q = {
        .from_hour = m.from_hour, .to_hour = m.to_hour, .order = m.order, .limit = m.limit};
    call->result = d1_usage_answer(store->usage, &q, &call->json, &call->err);
}

const struct keeper_op d1_ops[D1_N_OPS] = {
    {.op = OP_d1_run,
     .writes = true,
     .isolates = true,
     .body = BODY_MEMORY,
     .body_max = D1_BODY_MAX,
     .run = d1_op_run},
    {.op = OP_d1_export, .run = d1_op_export},
    {.op = OP_d1_usage,
     .isolates = true,
     .body = BODY_MEMORY,
     .body_max = D1_USAGE_BODY_MAX,
     .run = d1_op_usage},
    {.op = OP_d1_figures, .run = d1_op_figures},
    {.op = OP_d1_at, .exclusive = true, .run = d1_op_at},
    {.op = OP_d1_restore, .exclusive = true, .run = d1_op_restore},
};

/* --- the engine --- */

static void d1_engine_close(void *open)
{
    struct d1_store *store = open;
    sql_close(store->db);
    history_close(store->history);
    d1_usage_destroy(store->usage);
    mem_release(&store);
}

static int d1_engine_open(const char *path, void **ret, struct err *err)
{
    char file[D1_PATH_MAX];
    struct d1_store *store = mem_new(sizeof(*store));
    const char *id = strrchr(path, '/');
    snprintf(store->name, sizeof(store->name), "d1%s", id != NULL ? id : "");
    snprintf(file, sizeof(file), "%s/db.sqlite", path);
    int r = sql_open(file, SQL_WRITE | SQL_TENANT, &store->db, err);
    if (r < 0) {
        mem_release(&store);
        return r;
    }
    store->usage = d1_usage_create(path);
    /* Without its past a database works all the same; who asks for the past is told. */
    snprintf(file, sizeof(file), "%s/history", path);
    if (history_open(file, store->db, &store->history, NULL) < 0)
        store->history = NULL;
    *ret = store;
    return 0;
}

static struct sql *d1_db(void *open)
{
    return ((struct d1_store *)open)->db;
}

static int d1_engine_begin(void *open)
{
    return sql_begin(d1_db(open), NULL);
}

static int d1_engine_commit(void *open, struct err *err)
{
    return sql_commit(d1_db(open), err);
}

static void d1_engine_rollback(void *open)
{
    sql_rollback(d1_db(open));
}

static int d1_engine_mark(void *open)
{
    return sql_mark(d1_db(open));
}

static int d1_engine_keep(void *open)
{
    return sql_keep(d1_db(open));
}

static void d1_engine_undo(void *open)
{
    sql_undo(d1_db(open));
}

/* Packing what a commit wrote takes about as long as the disk does. A history that knows of a commit that a power cut
 * takes back drops it when it is opened. */
static void d1_engine_meanwhile(void *open)
{
    const struct d1_store *store = open;
    if (store->history != NULL)
        history_settle(store->history);
}

static bool d1_engine_unsettled(void *open)
{
    const struct d1_store *store = open;
    return sql_unsettled(store->db) ||
           (store->history != NULL && history_unsettled(store->history));
}

static void d1_engine_settle(void *open)
{
    struct d1_store *store = open;
    sql_settle(store->db);
    if (store->history != NULL)
        history_settle(store->history);
}

static void d1_engine_sweep(void *open)
{
    struct d1_store *store = open;
    sql_tidy(store->db);
    if (store->history != NULL)
        history_tidy(store->history);
    d1_usage_tidy(store->usage);
}

static void d1_engine_info(void *open, json_t *ret)
{
    struct d1_store *store = open;
    char bookmark[D1_BOOKMARK_SIZE];
    struct sql_stmt *s =
        sql_cached(store->db, "SELECT count(*) FROM sqlite_schema WHERE type='table' "
                              "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    int64_t n = sql_step(s, NULL) == 1 ? sql_column_int(s, 0) : 0;
    sql_reset(s);
    d1_bookmark_of(store->db, store->name, bookmark);
    json_object_set_new(ret, "num_tables", json_integer(n));
    json_object_set_new(ret, "file_size", json_integer(sql_size(store->db)));
    json_object_set_new(ret, "txn", json_integer(sql_txn_number(store->db)));
    json_object_set_new(ret, "bookmark", json_string(bookmark));
}

const struct keeper_engine d1_engine = {
    .open = d1_engine_open,
    .close = d1_engine_close,
    .sql = d1_db,
    .begin = d1_engine_begin,
    .commit = d1_engine_commit,
    .rollback = d1_engine_rollback,
    .mark = d1_engine_mark,
    .keep = d1_engine_keep,
    .undo = d1_engine_undo,
    .meanwhile = d1_engine_meanwhile,
    .unsettled = d1_engine_unsettled,
    .settle = d1_engine_settle,
    .sweep = d1_engine_sweep,
    .sweep_s = D1_SWEEP_S,
    .info = d1_engine_info,
};
