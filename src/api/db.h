/*
 * Control's database: one SQLite file, one connection, rows as JSON objects.
 *
 * Every call blocks, so it runs on the work pool; calls of several threads wait for each other. A
 * change is on disk when db_run() or db_commit() returns.
 *
 * `types` names the parameters that follow, a letter each: s const char * (NULL is NULL), S struct slice
 * (text), i int, l int64_t, j const json_t * (stored as JSON text).
 *
 * A column alias may end in a conversion: "x:json" (parsed), "x:bool", "x:time" (milliseconds to RFC 3339);
 * the member is then called "x". NULL columns are left out, except for json ones of value null.
 *
 * Errors: -ENOENT no row, -EEXIST a unique value is taken, -EIO everything else.
 */
#pragma once

#include "core/json.h"

#include <stdarg.h>

struct db;

NODISCARD int db_open(const char *path, struct db **ret, struct err *err);
void db_close(struct db *db); /* accepts NULL */
/* Makes `path` a copy of all that is committed. */
NODISCARD int db_copy(struct db *db, const char *path, struct err *err);
void db_release(struct db **db);

/* Returns the number of changed rows. */
NODISCARD int db_run(struct db *db, const char *sql, const char *types, ...);
/* An array of objects; a new reference. */
NODISCARD int db_rows(struct db *db, json_t **ret, const char *sql, const char *types, ...);
NODISCARD int db_rows_v(struct db *db, json_t **ret, const char *sql, const char *types,
                        va_list *args);
/* The first row; a new reference. */
NODISCARD int db_row(struct db *db, json_t **ret, const char *sql, const char *types, ...);
/* The first column of the first row; fallback when there is none. */
NODISCARD int db_int(struct db *db, int64_t *ret, const char *sql, const char *types, ...);

/* A transaction holds the database for this thread; db_end() in AUTO() rolls back what was not committed.
 *     AUTO(db_end) struct db *tx = NULL;
 *     r = db_begin(db, &tx); ... return db_commit(&tx); */
NODISCARD int db_begin(struct db *db, struct db **ret);
NODISCARD int db_commit(struct db **tx);
void db_end(struct db **tx);
