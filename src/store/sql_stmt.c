/*
 * Statements: compiling, binding, stepping, reading columns.
 */
#include "store/sql_impl.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

/* Skips blanks and comments at the front. */
static struct slice sql_skip_blanks(struct slice text)
{
    while (text.len > 0) {
        if (isspace((unsigned char)text.ptr[0]) || text.ptr[0] == ';') {
            text = slice_skip(text, 1);
        } else if (slice_starts(text, SLICE("--"))) {
            ssize_t end = slice_find(text, '\n');
            text = slice_skip(text, end < 0 ? text.len : (size_t)end + 1);
        } else if (slice_starts(text, SLICE("/*"))) {
            ssize_t end = slice_find_slice(slice_skip(text, 2), SLICE("*/"));
            text = slice_skip(text, end < 0 ? text.len : (size_t)end + 4);
        } else {
            break;
        }
    }
    return text;
}

static bool sql_is_pragma(struct slice text)
{
    return text.len > 6 && strncasecmp(text.ptr, "pragma", 6) == 0;
}

enum { SQL_TORN_TRIES = 100 };

/* A reader that may not write the `-shm` file and sees its header while the writer changes it is told that the database needs
 * recovery, when the writer has let go of its lock in between. Looking again is all it takes. */
static bool sql_torn(const struct sql *db, int rc, unsigned *tries)
{
    return rc == SQLITE_READONLY_RECOVERY && !(db->flags & SQL_WRITE) &&
           (*tries)++ < SQL_TORN_TRIES;
}

int sql_prepare(struct sql *db, struct slice text, struct sql_stmt **ret, struct slice *ret_rest,
                struct err *err)
{
    struct slice start = sql_skip_blanks(text);
    *ret_rest = SLICE_NONE;
    *ret = NULL;
    if (start.len == 0)
        return 0;
    if (start.len > INT32_MAX - 1)
        return err_set(err, -E2BIG, 0, "statement too long: SQLITE_TOOBIG");
    db->counters = false;
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    /* The length includes the zero byte: SQLite then compiles in place instead of copying the rest. */
    unsigned tries = 0;
    int rc;
    do {
        rc = sqlite3_prepare_v3(db->db, start.ptr, (int)start.len + 1, SQLITE_PREPARE_PERSISTENT,
                                &stmt, &tail);
    } while (sql_torn(db, rc, &tries));
    if (rc != SQLITE_OK)
        return sql_failed(db, rc, err);
    size_t used = (size_t)(tail - start.ptr);
    /* There it stops. Looking before would read all of a long text again for each of its statements. */
    if (used < start.len && start.ptr[used] == 0) {
        sqlite3_finalize(stmt);
        return err_set(err, -EINVAL, 0, "a statement holds a zero byte: SQLITE_ERROR");
    }
    if (db->flags & SQL_TENANT && !db->ours && used > SQL_STATEMENT_MAX) {
        sqlite3_finalize(stmt);
        return err_set(err, -E2BIG, 0, "statement too long: SQLITE_TOOBIG");
    }
    *ret_rest = sql_skip_blanks(slice_skip(start, used));
    if (stmt == NULL)
        return 0;
    struct sql_stmt *s = mem_new(sizeof(*s));
    s->stmt = stmt;
    s->db = db;
    s->counters = db->counters;
    s->pragma = sql_is_pragma(start);
    s->one_column = sqlite3_column_count(stmt) == 1;
    *ret = s;
    return 0;
}

void sql_finalize(struct sql_stmt *s)
{
    if (s == NULL)
        return;
    sqlite3_finalize(s->stmt);
    mem_release(&s->cost);
    mem_release(&s);
}

void sql_stmt_release(struct sql_stmt **s)
{
    sql_finalize(*s);
    *s = NULL;
}

struct sql_stmt *sql_cached(struct sql *db, const char *text)
{
    struct slice key = slice_of(text);
    struct sql_stmt *s = map_get(&db->cached, key);
    if (LIKELY(s != NULL)) {
        sqlite3_reset(s->stmt);
        return s;
    }
    struct slice rest;
    struct err err = {0};
    db->ours = true;
    int r = sql_prepare(db, key, &s, &rest, &err);
    db->ours = false;
    if (r < 0 || s == NULL)
        panic(__FILE__, __LINE__, err.text);
    s->ours = true;
    map_put(&db->cached, key, s);
    return s;
}

enum { SQL_KEPT = 128, SQL_KEPT_TEXT_MAX = 4096 };

struct sql_stmt *sql_kept_find(struct sql *db, struct slice text)
{
    struct sql_stmt *s = text.len <= SQL_KEPT_TEXT_MAX ? map_get(&db->kept, text) : NULL;
    if (s != NULL)
        sqlite3_clear_bindings(s->stmt);
    return s;
}

void sql_kept_drop(struct sql *db)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(&db->kept, &at, &key, &value))
        sql_finalize(value);
    map_done(&db->kept);
    db->kept = (struct map){0};
    db->n_kept = 0;
}

/* Texts that never come again would fill it: then it starts anew, which costs those in use one compilation. */
void sql_kept_add(struct sql *db, struct slice text, struct sql_stmt *s)
{
    if (text.len > SQL_KEPT_TEXT_MAX || map_get(&db->kept, text) != NULL) {
        sql_finalize(s);
        return;
    }
    if (db->n_kept == SQL_KEPT)
        sql_kept_drop(db);
    sqlite3_reset(s->stmt);
    sqlite3_clear_bindings(s->stmt);
    map_put(&db->kept, text, s);
    db->n_kept++;
}

bool sql_readonly(const struct sql_stmt *s)
{
    return sqlite3_stmt_readonly(s->stmt) != 0;
}

bool sql_in_place(const struct sql_stmt *s)
{
    return !s->counters && !s->pragma && sql_readonly(s);
}

struct slice sql_text(const struct sql_stmt *s)
{
    return slice_of(sqlite3_sql(s->stmt));
}

int sql_n_parameters(const struct sql_stmt *s)
{
    return sqlite3_bind_parameter_count(s->stmt);
}

bool sql_has_named_parameters(const struct sql_stmt *s)
{
    for (int i = sql_n_parameters(s); i > 0; i--) {
        const char *name = sqlite3_bind_parameter_name(s->stmt, i);
        if (name != NULL && name[0] != '?')
            return true;
    }
    return false;
}

/* Binding can only fail on an index out of range, which callers have checked, or a value over the limit,
 * which then reads as NULL would: callers check sizes where values come in. */
void sql_bind_null(struct sql_stmt *s, int i)
{
    sqlite3_bind_null(s->stmt, i);
}

void sql_bind_int(struct sql_stmt *s, int i, int64_t v)
{
    sqlite3_bind_int64(s->stmt, i, v);
}

void sql_bind_double(struct sql_stmt *s, int i, double v)
{
    sqlite3_bind_double(s->stmt, i, v);
}

void sql_bind_text(struct sql_stmt *s, int i, struct slice v)
{
    sqlite3_bind_text64(s->stmt, i, v.ptr != NULL ? v.ptr : "", v.len, SQLITE_STATIC, SQLITE_UTF8);
}

void sql_bind_blob(struct sql_stmt *s, int i, struct slice v)
{
    sqlite3_bind_blob64(s->stmt, i, v.ptr != NULL ? v.ptr : "", v.len, SQLITE_STATIC);
}

void sql_clear(struct sql_stmt *s)
{
    sqlite3_clear_bindings(s->stmt);
}

int sql_step(struct sql_stmt *s, struct err *err)
{
    /* SQLite compiles a statement again when the schema changed; ours must not meet the authorizer. */
    s->db->ours = s->ours;
    unsigned tries = 0;
    int rc = sqlite3_step(s->stmt);
    while (UNLIKELY(sql_torn(s->db, rc, &tries))) {
        sqlite3_reset(s->stmt);
        rc = sqlite3_step(s->stmt);
    }
    s->db->ours = false;
    if (rc == SQLITE_ROW) {
        if (s->one_column && s->only_int == 0 && sqlite3_column_type(s->stmt, 0) == SQLITE_INTEGER)
            s->only_int = sqlite3_column_int64(s->stmt, 0);
        return 1;
    }
    if (LIKELY(rc == SQLITE_DONE)) {
        if (!sql_readonly(s))
            s->db->wrote = true;
        sqlite3_reset(s->stmt);
        return 0;
    }
    int r = sql_failed(s->db, rc, err);
    sqlite3_reset(s->stmt);
    return r;
}

int sql_run(struct sql_stmt *s, struct err *err)
{
    int r;
    do {
        r = sql_step(s, err);
    } while (r == 1);
    return r;
}

void sql_reset(struct sql_stmt *s)
{
    /* A statement with RETURNING has written when its first row appears. */
    if (sqlite3_stmt_busy(s->stmt) && !sql_readonly(s))
        s->db->wrote = true;
    sqlite3_reset(s->stmt);
}

int sql_n_columns(const struct sql_stmt *s)
{
    return sqlite3_column_count(s->stmt);
}

const char *sql_column_name(const struct sql_stmt *s, int i)
{
    return sqlite3_column_name(s->stmt, i);
}

static enum sql_type sql_type_of(int type)
{
    static const enum sql_type types[] = {
        [SQLITE_INTEGER] = SQL_INT, [SQLITE_FLOAT] = SQL_DOUBLE, [SQLITE_TEXT] = SQL_TEXT,
        [SQLITE_BLOB] = SQL_BLOB,   [SQLITE_NULL] = SQL_NULL,
    };
    return types[type];
}

enum sql_type sql_column_type(struct sql_stmt *s, int i)
{
    return sql_type_of(sqlite3_column_type(s->stmt, i));
}

/* Reading a value asks for no lock, unlike the functions of columns; the connection has one thread. */
struct sql_value sql_column(struct sql_stmt *s, int i)
{
    sqlite3_value *value = sqlite3_column_value(s->stmt, i);
    struct sql_value v = {.type = sql_type_of(sqlite3_value_type(value))};
    switch (v.type) {
    case SQL_INT:
        v.integer = sqlite3_value_int64(value);
        break;
    case SQL_DOUBLE:
        v.real = sqlite3_value_double(value);
        break;
    case SQL_TEXT:
    case SQL_BLOB:
        v.bytes.ptr = sqlite3_value_blob(value);
        v.bytes.len = (size_t)sqlite3_value_bytes(value);
        break;
    case SQL_NULL:
        break;
    }
    return v;
}

int64_t sql_column_int(struct sql_stmt *s, int i)
{
    return sqlite3_column_int64(s->stmt, i);
}

double sql_column_double(struct sql_stmt *s, int i)
{
    return sqlite3_column_double(s->stmt, i);
}

struct slice sql_column_bytes(struct sql_stmt *s, int i)
{
    const void *ptr = sqlite3_column_blob(s->stmt, i);
    return slice_from(ptr, (size_t)sqlite3_column_bytes(s->stmt, i));
}
