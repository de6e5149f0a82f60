/*
 * storage.sql: statements and their cursors.
 *
 * Compiled statements are kept by text. A statement has one cursor at a time: while it is being stepped, the same text
 * is compiled again.
 * The first row is looked for at once. A statement that writes is then run to its end by the script in one go
 * (sql.js), since it could not be committed half-way; a reading one is stepped as rows are asked for.
 */
#include "product/durable/durable.h"

#include "core/clock.h"
#include "product/isolate.h"

#include <errno.h>
#include <math.h>

enum {
    VALUES_MAX = 256, /* of one answer to the script: they lie on the stack */
    COLUMNS_MAX = 100,
    STATEMENT_TIME_US = 30 * 1000 * 1000
};

struct durable_stmt {
    struct link link; /* in the object's recent */
    struct durable_object *object;
    struct sql_stmt *stmt;
    char *text;
    size_t text_len;
    uint32_t cursor; /* number of the cursor that steps it; 0 = none */
    bool cached;
    struct arena values; /* its parameters: a cursor's outlive the call */
    struct js_hold names;
    int recompiled; /* when `names` was made */
    uint64_t n_rows;
};

/* Cursors by number; a number is never used again. */
static struct map cursors; /* number -> struct durable_stmt */
static uint32_t next_cursor;

static const char pushed_out[] =
    "SQL cursor was closed because the same statement was executed again. If you need to run "
    "multiple copies of the same statement concurrently, you must create multiple prepared "
    "statement objects.";

/* --- statements --- */

static void stmt_free(struct durable_stmt *s)
{
    if (s->cursor != 0)
        map_remove_u64(&cursors, s->cursor);
    list_remove(&s->link);
    if (s->cached) {
        s->object->cached_bytes -= s->text_len;
        map_remove(&s->object->statements, slice_from(s->text, s->text_len));
    }
    js_hold_clear(&s->names);
    sql_finalize(s->stmt);
    arena_done(&s->values);
    mem_release(&s->text);
    mem_release(&s);
}

void durable_statements_drop(struct durable_object *o)
{
    struct link *l;
    /* An open statement would keep the connection, and with it the lock on the file. */
    while ((l = list_pop_front(&o->recent)) != NULL)
        stmt_free(LIST_ENTRY(l, struct durable_stmt, link));
    while (o->loose.next != NULL && (l = list_pop_front(&o->loose)) != NULL)
        stmt_free(LIST_ENTRY(l, struct durable_stmt, link));
    map_done(&o->statements);
}

/* The cursor is over. */
static void stmt_rest(struct durable_stmt *s)
{
    if (s->cursor != 0)
        map_remove_u64(&cursors, s->cursor);
    s->cursor = 0;
    sql_reset(s->stmt);
    sql_clear(s->stmt);
    arena_reset(&s->values);
    if (!s->cached)
        stmt_free(s);
}

static struct durable_stmt *stmt_find(struct durable_object *o, struct slice text)
{
    struct durable_stmt *s = map_get(&o->statements, text);
    if (s == NULL || s->cursor != 0)
        return NULL; /* somebody steps it: this one gets a statement of its own */
    sql_reset(s->stmt);
    arena_reset(&s->values);
    list_remove(&s->link);
    list_push_back(&o->recent, &s->link);
    return s;
}

static void stmt_keep(struct durable_stmt *s, struct slice text)
{
    struct durable_object *o = s->object;
    s->text = mem_new(text.len + 1);
    memcpy(s->text, text.ptr, text.len);
    s->text_len = text.len;
    s->cached = true;
    map_put(&o->statements, text, s);
    list_push_back(&o->recent, &s->link);
    o->cached_bytes += text.len;
    while (o->cached_bytes > DURABLE_CACHE_MAX && o->recent.next != &s->link)
        stmt_free(LIST_ENTRY(o->recent.next, struct durable_stmt, link));
}

/* Runs what stands before the last statement of a text. */
static int stmt_run_through(struct durable_object *o, struct sql_stmt *stmt, struct err *err)
{
    if (sql_n_parameters(stmt) > 0)
        return err_set(err, -EINVAL, 0,
                       "When executing multiple SQL statements in a single call, "
                       "only the last statement can have parameters.");
    int r = sql_readonly(stmt) ? 0 : durable_begin(o, err);
    return r < 0 ? r : sql_run(stmt, err);
}

/* The last statement of the text, those before it have run. *ret NULL: there was none. */
static int stmt_make(struct durable_object *o, struct slice text, struct durable_stmt **ret,
                     struct err *err)
{
    struct slice rest = text;
    bool first = true;
    *ret = NULL;
    for (;;) {
        AUTO(sql_stmt_release) struct sql_stmt *stmt = NULL;
        struct slice at = rest;
        int r = sql_prepare(o->db, at, &stmt, &rest, err);
        if (r < 0 || stmt == NULL)
            return r;
        if (rest.len > 0) {
            r = stmt_run_through(o, stmt, err);
            if (r < 0)
                return r;
            first = false;
            continue;
        }
        struct durable_stmt *s = mem_new(sizeof(*s));
        s->object = o;
        s->stmt = TAKE(stmt);
        s->recompiled = -1;
        if (first && map_get(&o->statements, text) == NULL)
            stmt_keep(s, text);
        else
            list_push_back(&o->loose, &s->link);
        *ret = s;
        return 0;
    }
}

/* --- values --- */

static js_value value_of(js_context ctx, struct sql_stmt *s, int column)
{
    switch (sql_column_type(s, column)) {
    case SQL_INT:
        return js_number(ctx, (double)sql_column_int(s, column));
    case SQL_DOUBLE:
        return js_number(ctx, sql_column_double(s, column));
    case SQL_TEXT:
        return js_string(ctx, sql_column_bytes(s, column));
    case SQL_BLOB:
        return js_bytes(ctx, sql_column_bytes(s, column));
    case SQL_NULL:
        break;
    }
    return js_null(ctx);
}

static int bind_number(struct sql_stmt *s, int i, double n)
{
    if (n == trunc(n) && fabs(n) < 9007199254740992.0)
        sql_bind_int(s, i, (int64_t)n);
    else
        sql_bind_double(s, i, n);
    return 0;
}

/* The script has turned what else there is into null, numbers, text, bytes, and big integers into
 * arrays of two numbers (high, low). */
static int bind_value(js_context ctx, struct durable_stmt *stmt, int i, js_value v)
{
    struct sql_stmt *s = stmt->stmt;
    struct slice bytes;
    int r;
    if (js_is_number(ctx, v))
        return bind_number(s, i, js_to_number(ctx, v, 0));
    if (js_is_string(ctx, v)) {
        r = js_to_utf8(ctx, v, &stmt->values, &bytes);
        if (r == 0 && bytes.len > SQL_VALUE_MAX)
            return -E2BIG;
        if (r == 0)
            sql_bind_text(s, i, bytes);
        return r;
    }
    if (js_is_nullish(ctx, v)) {
        sql_bind_null(s, i);
        return 0;
    }
    if (js_view(ctx, v, &bytes) == 0) {
        struct slice copy; /* the buffer may change while a cursor is open */
        r = bytes.len > SQL_VALUE_MAX ? -E2BIG
                                      : arena_copy(&stmt->values, bytes.ptr, bytes.len, &copy);
        if (r == 0)
            sql_bind_blob(s, i, copy);
        return r;
    }
    double high = js_to_number(ctx, js_get(ctx, v, "high"), 0);
    double low = js_to_number(ctx, js_get(ctx, v, "low"), 0);
    sql_bind_int(s, i, (int64_t)((uint64_t)(int64_t)high << 32 | (uint64_t)low));
    return 0;
}

static int bind_all(js_context ctx, struct durable_stmt *s, const js_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r = bind_value(ctx, s, (int)i + 1, values[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- stepping --- */

static void count(struct durable_stmt *s)
{
    struct durable_object *o = s->object;
    o->stats[DURABLE_ROWS_READ] = (double)sql_rows_read(s->stmt, s->n_rows);
    o->stats[DURABLE_ROWS_WRITTEN] = sql_readonly(s->stmt) ? 0 : (double)sql_rows_written(s->stmt);
}

/* Flat values of up to max rows, and whether that was all: [done, value, value, ...]; done: 0 more may come,
 * 1 over. NULL when it failed. */
static js_value stmt_rows(js_context ctx, struct durable_stmt *s, size_t max, js_value *exception)
{
    js_value values[VALUES_MAX + COLUMNS_MAX + 1];
    size_t n = 1, columns = (size_t)MAX(sql_n_columns(s->stmt), 0), rows = 0;
    struct err err = {0};
    int r = 1;
    sql_deadline(s->object->db, clock_boot_us() + STATEMENT_TIME_US);
    while (rows < max && n + columns <= VALUES_MAX + COLUMNS_MAX && (n < VALUES_MAX || rows == 0) &&
           (r = sql_step(s->stmt, &err)) == 1) {
        columns = (size_t)MIN(sql_n_columns(s->stmt), (int)COLUMNS_MAX);
        for (size_t i = 0; i < columns; i++)
            values[n++] = value_of(ctx, s->stmt, (int)i);
        rows++;
    }
    s->n_rows += rows;
    count(s);
    if (r < 0)
        return js_throw(ctx, exception, "Error", "%s", err.text);
    values[0] = js_number(ctx, r == 0 ? 1 : 0);
    return js_array(ctx, values, n);
}

static js_value stmt_names(js_context ctx, struct durable_stmt *s)
{
    int recompiled = sql_recompiled(s->stmt);
    if (s->names.v != NULL && s->recompiled == recompiled)
        return s->names.v;
    js_value names[COLUMNS_MAX];
    size_t n = (size_t)MIN(sql_n_columns(s->stmt), (int)COLUMNS_MAX);
    for (size_t i = 0; i < n; i++)
        names[i] = js_string(ctx, slice_of(sql_column_name(s->stmt, (int)i)));
    js_hold_set(&s->names, ctx, js_array(ctx, names, n));
    s->recompiled = recompiled;
    return s->names.v;
}

/* --- natives --- */

static js_value exec_run(js_context ctx, struct durable_stmt *s, js_value *exception)
{
    struct err err = {0};
    bool writes = !sql_readonly(s->stmt);
    s->n_rows = 0;
    if (writes && durable_begin(s->object, &err) < 0) {
        js_throw(ctx, exception, "Error", "%s", err.text);
        stmt_rest(s);
        return NULL;
    }
    sql_counts_start(s->stmt);
    js_value rows = stmt_rows(ctx, s, 1, exception);
    if (rows == NULL) {
        stmt_rest(s);
        return NULL;
    }
    js_value names = stmt_names(ctx, s);
    bool done = js_to_number(ctx, js_get(ctx, rows, "0"), 1) != 0;
    js_value answer[] = {js_number(ctx, 0), names, rows, js_bool(ctx, writes)};
    if (done) {
        stmt_rest(s);
    } else {
        s->cursor = ++next_cursor == 0 ? ++next_cursor : next_cursor;
        map_put_u64(&cursors, s->cursor, s);
        answer[0] = js_number(ctx, s->cursor);
    }
    return js_array(ctx, answer, ARRAY_LEN(answer));
}

/* sqlExec(handle, text, ...values): [cursor or 0, names, [done, values of the first row...], whether it writes] */
JS_NATIVE(durable_sql_exec)
{
    CHECK(n_args >= 2);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    struct slice text;
    struct err err = {0};
    if (o == NULL)
        return NULL;
    if (js_to_utf8(ctx, args[1], &o->arena, &text) < 0)
        return js_throw(ctx, exception, "TypeError", "The query cannot be converted to a string.");
    sql_deadline(o->db, clock_boot_us() + STATEMENT_TIME_US);
    struct durable_stmt *s = stmt_find(o, text);
    int r = s != NULL ? 0 : stmt_make(o, text, &s, &err);
    if (!o->has_kv || !o->has_metadata)
        durable_look(o); /* a script may not make them, but a rollback may have taken them */
    if (r < 0)
        return js_throw(ctx, exception, "Error", "%s", err.text);
    if (s == NULL)
        return js_throw(ctx, exception, "Error", "SQL code did not contain a statement.");
    if (n_args - 2 != (size_t)sql_n_parameters(s->stmt)) {
        stmt_rest(s);
        return js_throw(ctx, exception, "Error",
                        "Wrong number of parameter bindings for SQL query.");
    }
    if (bind_all(ctx, s, args + 2, n_args - 2) < 0) {
        stmt_rest(s);
        return js_throw(ctx, exception, "Error", "string or blob too big: SQLITE_TOOBIG");
    }
    return exec_run(ctx, s, exception);
}

static struct durable_stmt *cursor_of(js_context ctx, js_value v, js_value *exception)
{
    struct durable_stmt *s = map_get_u64(&cursors, (uint64_t)js_to_number(ctx, v, 0));
    if (s == NULL)
        js_throw(ctx, exception, "Error", "%s", pushed_out);
    return s;
}

/* sqlStep(cursor, rows): [done, values...] */
JS_NATIVE(durable_sql_step)
{
    CHECK(n_args == 2);
    struct durable_stmt *s = cursor_of(ctx, args[0], exception);
    if (s == NULL)
        return NULL;
    js_value rows = stmt_rows(ctx, s, (size_t)MAX(js_to_number(ctx, args[1], 1), 1.0), exception);
    if (rows == NULL || js_to_number(ctx, js_get(ctx, rows, "0"), 1) != 0)
        stmt_rest(s);
    return rows;
}

/* sqlNames(cursor): after a schema change under it. */
JS_NATIVE(durable_sql_names)
{
    CHECK(n_args == 1);
    struct durable_stmt *s = cursor_of(ctx, args[0], exception);
    return s == NULL ? NULL : stmt_names(ctx, s);
}

/* sqlClose(cursor) */
JS_NATIVE(durable_sql_close)
{
    CHECK(n_args == 1);
    struct durable_stmt *s = map_get_u64(&cursors, (uint64_t)js_to_number(ctx, args[0], 0));
    if (s != NULL)
        stmt_rest(s);
    return js_undefined(ctx);
}
