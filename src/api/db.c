/*
 * See db.h: JSON rows over the one SQLite door (store/sql.h).
 */
#include "api/db.h"

#include "core/arena.h"
#include "core/clock.h"
#include "store/sql.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { DB_NAME_MAX = 64, DB_LOG_PAGES_MAX = 1000 };

struct db {
    struct sql *sql;
    pthread_mutex_t lock; /* recursive: a transaction holds it over its statements */
    unsigned depth;       /* transactions within transactions count as one */
    bool failed;          /* an inner transaction was rolled back */
};

int db_open(const char *path, struct db **ret, struct err *err)
{
    AUTO(db_release) struct db *db = mem_new(sizeof(*db));
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&db->lock, &attr);
    pthread_mutexattr_destroy(&attr);

    int r = sql_open(path, SQL_WRITE, &db->sql, err);
    if (r < 0)
        return r;
    *ret = TAKE(db);
    return 0;
}

int db_copy(struct db *db, const char *path, struct err *err)
{
    pthread_mutex_lock(&db->lock);
    int r = sql_copy(db->sql, path, err);
    pthread_mutex_unlock(&db->lock);
    return r;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    sql_close(db->sql);
    pthread_mutex_destroy(&db->lock);
    free(db);
}

void db_release(struct db **db)
{
    db_close(*db);
}

/* --- parameters: copied into the call's arena, since the statement only borrows them --- */

static void db_bind_text(struct sql_stmt *stmt, int at, struct arena *arena, struct slice text)
{
    struct slice copy;
    if (text.ptr == NULL)
        sql_bind_null(stmt, at);
    else if (arena_copy(arena, text.ptr, text.len, &copy) == 0)
        sql_bind_text(stmt, at, copy);
}

static void db_bind_json(struct sql_stmt *stmt, int at, struct arena *arena, const json_t *value)
{
    AUTO(buf_done) struct buf text = {0};
    if (value != NULL)
        json_print(&text, value);
    db_bind_text(stmt, at, arena, value == NULL ? SLICE_NONE : buf_slice(&text));
}

static void db_bind_one(struct sql_stmt *stmt, int at, char type, struct arena *arena,
                        va_list *args)
{
    switch (type) {
    case 's':
        db_bind_text(stmt, at, arena, slice_of(va_arg(*args, const char *)));
        return;
    case 'S': {
        struct slice s = va_arg(*args, struct slice);
        db_bind_text(stmt, at, arena, s.ptr == NULL ? (struct slice){"", 0} : s);
        return;
    }
    case 'i':
        sql_bind_int(stmt, at, va_arg(*args, int));
        return;
    case 'l':
        sql_bind_int(stmt, at, va_arg(*args, int64_t));
        return;
    case 'j':
        db_bind_json(stmt, at, arena, va_arg(*args, const json_t *));
        return;
    default:
        panic(__FILE__, __LINE__, "a parameter type of db.h");
    }
}

/* Statements are literals of ours: one that does not compile is our mistake. */
static struct sql_stmt *db_prepare(struct db *db, const char *text, const char *types,
                                   struct arena *arena, va_list *args)
{
    struct sql_stmt *stmt = NULL;
    struct slice rest;
    struct err err = {0};
    if (sql_prepare(db->sql, slice_of(text), &stmt, &rest, &err) < 0 || stmt == NULL)
        panic(__FILE__, __LINE__, err.text);
    for (int at = 1; types != NULL && types[at - 1] != '\0'; at++)
        db_bind_one(stmt, at, types[at - 1], arena, args);
    return stmt;
}

static int db_error(int r)
{
    return r == -EINVAL ? -EIO : r;
}

/* --- rows --- */

static json_t *db_text(struct sql_stmt *stmt, int column)
{
    struct slice text = sql_column_bytes(stmt, column);
    json_t *value = json_stringn(text.ptr == NULL ? "" : text.ptr, text.len);
    return value == NULL ? json_string("") : value;
}

static json_t *db_plain(struct sql_stmt *stmt, int column)
{
    switch (sql_column_type(stmt, column)) {
    case SQL_INT:
        return json_integer(sql_column_int(stmt, column));
    case SQL_DOUBLE:
        return json_real(sql_column_double(stmt, column));
    default:
        return db_text(stmt, column);
    }
}

static json_t *db_convert(struct sql_stmt *stmt, int column, const char *kind)
{
    if (strcmp(kind, "bool") == 0)
        return json_boolean(sql_column_int(stmt, column) != 0);
    if (strcmp(kind, "time") == 0) {
        char text[CLOCK_TEXT_SIZE];
        return json_string(clock_rfc3339(sql_column_int(stmt, column), text));
    }
    CHECK(strcmp(kind, "json") == 0);
    struct slice text = sql_column_bytes(stmt, column);
    json_t *value = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    return value == NULL ? json_null() : value;
}

static json_t *db_object(struct sql_stmt *stmt)
{
    json_t *row = json_object();
    int n = sql_n_columns(stmt);
    for (int i = 0; i < n; i++) {
        if (sql_column_type(stmt, i) == SQL_NULL)
            continue;
        struct slice kind = slice_of(sql_column_name(stmt, i));
        struct slice name = slice_cut(&kind, ':');
        char text[DB_NAME_MAX];
        CHECK(slice_to_cstr(name, text, sizeof(text)) == 0);
        json_object_set_new(row, text,
                            kind.ptr == NULL ? db_plain(stmt, i) : db_convert(stmt, i, kind.ptr));
    }
    return row;
}

/* --- statements --- */

/* Nobody else puts the log back into the database. */
static void db_tidy(struct db *db)
{
    if (db->depth == 0 && sql_log_pages(db->sql) > DB_LOG_PAGES_MAX)
        sql_checkpoint(db->sql);
}

static int db_run_args(struct db *db, const char *sql, const char *types, va_list *args)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(sql_stmt_release) struct sql_stmt *stmt = db_prepare(db, sql, types, &arena, args);
    int64_t before = sql_total_changes(db->sql);
    int r = db_error(sql_run(stmt, NULL));
    db_tidy(db);
    return r < 0 ? r : (int)(sql_total_changes(db->sql) - before);
}

int db_run(struct db *db, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    pthread_mutex_lock(&db->lock);
    int r = db_run_args(db, sql, types, &args);
    pthread_mutex_unlock(&db->lock);
    va_end(args);
    return r;
}

int db_rows_v(struct db *db, json_t **ret, const char *sql, const char *types, va_list *args)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(json_release) json_t *rows = json_array();
    pthread_mutex_lock(&db->lock);
    struct sql_stmt *stmt = db_prepare(db, sql, types, &arena, args);
    int r;
    while ((r = sql_step(stmt, NULL)) == 1)
        json_array_append_new(rows, db_object(stmt));
    sql_finalize(stmt);
    pthread_mutex_unlock(&db->lock);
    if (r == 0)
        *ret = TAKE(rows);
    return db_error(r);
}

int db_rows(struct db *db, json_t **ret, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    int r = db_rows_v(db, ret, sql, types, &args);
    va_end(args);
    return r;
}

static int db_first(json_t *rows, json_t **ret)
{
    json_t *row = json_array_get(rows, 0);
    if (row == NULL)
        return -ENOENT;
    *ret = json_incref(row);
    return 0;
}

int db_row(struct db *db, json_t **ret, const char *sql, const char *types, ...)
{
    AUTO(json_release) json_t *rows = NULL;
    va_list args;
    va_start(args, types);
    int r = db_rows_v(db, &rows, sql, types, &args);
    va_end(args);
    return r < 0 ? r : db_first(rows, ret);
}

int db_int(struct db *db, int64_t *ret, const char *sql, const char *types, ...)
{
    AUTO(json_release) json_t *rows = NULL;
    va_list args;
    va_start(args, types);
    int r = db_rows_v(db, &rows, sql, types, &args);
    va_end(args);
    if (r < 0)
        return r;
    json_t *row = json_array_get(rows, 0);
    void *at = row == NULL ? NULL : json_object_iter(row);
    if (at == NULL)
        return -ENOENT;
    *ret = json_integer_value(json_object_iter_value(at));
    return 0;
}

/* --- transactions --- */

int db_begin(struct db *db, struct db **ret)
{
    pthread_mutex_lock(&db->lock);
    if (db->depth == 0) {
        db->failed = false;
        int r = db_error(sql_begin(db->sql, NULL));
        if (r < 0) {
            pthread_mutex_unlock(&db->lock);
            return r;
        }
    }
    db->depth++;
    *ret = db;
    return 0;
}

static int db_finish(struct db *db, bool commit)
{
    int r = 0;
    if (!commit)
        db->failed = true;
    if (--db->depth == 0) {
        r = db->failed ? -ECANCELED : db_error(sql_commit(db->sql, NULL));
        if (r < 0 && sql_in_transaction(db->sql))
            sql_rollback(db->sql);
        db_tidy(db);
    }
    pthread_mutex_unlock(&db->lock);
    return r;
}

int db_commit(struct db **tx)
{
    struct db *db = TAKE(*tx);
    return db_finish(db, true);
}

void db_end(struct db **tx)
{
    if (*tx != NULL)
        (void)db_finish(*tx, false); /* rolled back: there is nothing more to say */
}
