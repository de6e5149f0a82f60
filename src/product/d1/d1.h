/*
 * D1: a database is one SQLite file. d1.c and d1_export.c run in the keeper, d1_js.c and d1.js in isolates,
 * d1_rows.c in both.
 *
 * Surface and error texts: developers.cloudflare.com/d1/worker-api.
 */
#pragma once

#include "product/d1/d1_usage.h"
#include "product/keeper.h"
#include "product/product.h"
#include "store/history.h"
#include "store/sql.h"

enum {
    D1_N_OPS = 6,
    D1_PATH_MAX = 512,
    D1_BOOKMARK_SIZE = 64,
    D1_ANSWER_MAX = 128 * 1024 * 1024, /* bytes of results */
    D1_TIME_LIMIT_US = 30 * 1000 * 1000,
    D1_LONG_LIMIT_US = 600 * 1000 * 1000,
    D1_BRIEF_LIMIT_US = 100 * 1000
};

extern const struct product product_d1;
extern const struct keeper_op d1_ops[D1_N_OPS];
extern const struct keeper_engine d1_engine;

/* --- d1_rows.c --- */

enum d1_shape {
    D1_OBJECTS, /* [{"a":1}] */
    D1_COLUMNS, /* {"columns":["a"],"rows":[[1]]} */
    D1_FIRST    /* {"a":1} or null */
};

/* The columns of a statement, ready to be written. */
struct d1_names {
    struct buf
        text; /* `"a":`, `"b":` one after the other; empty where a later column has the name */
    unsigned n;
    uint32_t ends[128]; /* where each ends in text */
};
void d1_names_of(const struct sql_stmt *s, struct d1_names *ret);
void d1_names_done(struct d1_names *names);

/* Runs the bound statement and appends its rows; counts them in *ret_rows. Leaves it reset. */
NODISCARD int d1_rows_json(struct sql_stmt *s, const struct d1_names *names, enum d1_shape shape,
                           struct buf *out, uint64_t *ret_rows, struct err *err);
void d1_append_double(struct buf *out, double v);
/* How old a state is: four groups of hex digits; the first grows with each transaction. */
void d1_bookmark_of(struct sql *db, const char *store, char ret[D1_BOOKMARK_SIZE]);
void d1_bookmark_make(uint64_t number, const char *store, char ret[D1_BOOKMARK_SIZE]);
/* Its number. -EINVAL when it is no bookmark of that store. */
NODISCARD int d1_bookmark_number(struct slice bookmark, const char *store, uint64_t *ret);

#define D1_WRONG_BINDINGS "Wrong number of parameter bindings for SQL query."
#define D1_NO_STATEMENT "No SQL statements detected."
#define D1_ONE_STATEMENT "A prepared SQL statement must contain only one statement."

/* --- keeper --- */

struct d1_store {
    struct sql *db;
    struct history *history; /* NULL when it cannot be kept */
    struct d1_usage *usage;  /* owned */
    char name[KEEPER_NAME_MAX];
};

/* Statements of a message's body, parsed: [{sql, params}]. One unit; results appended to call->json. */
void d1_op_run(struct keeper_call *call);
/* The body of d1_run, for its fuzzer: checks it as the op does and runs it; of the store only `db` is needed. */
NODISCARD int d1_run_json(struct d1_store *store, struct slice body, unsigned flags,
                          struct buf *out, struct err *err);
/* Besides those of product/messages_data.h: each sql must hold one statement; give up after 0.1 s. */
enum { D1_FLAG_ONE = 1 << 16, D1_FLAG_BRIEF = 1 << 17 };
void d1_op_export(struct keeper_call *call);
/* --- d1_travel.c --- */
void d1_op_at(struct keeper_call *call);
void d1_op_restore(struct keeper_call *call);
