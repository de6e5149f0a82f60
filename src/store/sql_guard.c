/*
 * What tenants' SQL may name, as tables: functions, pragmas, virtual table modules.
 *
 * The lists follow the platform's documentation of SQLite in Durable Objects and D1. SQLite calls the
 * authorizer while it compiles a statement, also for statements that FTS5 compiles for itself.
 */
#include "store/sql_impl.h"

#include "core/clock.h"

#include <stdlib.h>
#include <strings.h>

static const char *const guard_functions[] = {
    /* sorted */
    "->",
    "->>",
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg",
    "bm25",
    "ceil",
    "ceiling",
    "changes",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "cos",
    "cosh",
    "count",
    "cume_dist",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "degrees",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "format",
    "fts5_decode",
    "glob",
    "group_concat",
    "hex",
    "highlight",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_each",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_patch",
    "json_pretty",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_tree",
    "json_type",
    "json_valid",
    "jsonb",
    "jsonb_array",
    "jsonb_extract",
    "jsonb_group_array",
    "jsonb_group_object",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_patch",
    "jsonb_remove",
    "jsonb_replace",
    "jsonb_set",
    "julianday",
    "lag",
    "last_insert_rowid",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "match",
    "max",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "pi",
    "pow",
    "power",
    "printf",
    "quote",
    "radians",
    "random",
    "randomblob",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtreecheck",
    "rtrim",
    "sign",
    "sin",
    "sinh",
    "snippet",
    "soundex",
    "sqlite_drop_column",
    "sqlite_rename_column",
    "sqlite_rename_quotefix",
    "sqlite_rename_table",
    "sqlite_rename_test",
    "sqrt",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "subtype",
    "sum",
    "tan",
    "tanh",
    "time",
    "timediff",
    "total",
    "total_changes",
    "trim",
    "trunc",
    "typeof",
    "unhex",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
    "zeroblob",
};

static const char *const guard_counters[] = {"changes", "last_insert_rowid", "total_changes"};

static const char *const guard_pragmas[] = {
    /* sorted */
    "case_sensitive_like",
    "data_version",
    "defer_foreign_keys",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "ignore_check_constraints",
    "index_info",
    "index_list",
    "index_xinfo",
    "legacy_alter_table",
    "optimize",
    "page_count",
    "page_size",
    "quick_check",
    "recursive_triggers",
    "reverse_unordered_selects",
    "table_info",
    "table_list",
    "table_xinfo",
};

/* Reading their value is fine, setting it is not. */
static const char *const guard_pragmas_read[] = {"data_version", "page_count", "page_size"};

static const char *const guard_modules[] = {"fts5", "fts5vocab", "rtree", "rtree_i32"};

static const char *const guard_hidden_tables[] = {
    "bytecode", "dbstat", "sqlite_dbpage", "sqlite_stmt", "tables_used",
};

static int guard_compare(const void *key, const void *element)
{
    return strcasecmp(key, *(const char *const *)element);
}

#define GUARD_HAS(list, name)                                                                      \
    (bsearch((name), (list), ARRAY_LEN(list), sizeof((list)[0]), guard_compare) != NULL)

static const char guard_transaction[] =
    "To execute a transaction, please use the state.storage.transaction() or "
    "state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT "
    "statements. "
    "The JavaScript API is safer because it will automatically roll back on exceptions, and "
    "because it "
    "interacts correctly with Durable Objects' automatic atomic write coalescing.";

static bool guard_reserved(const char *name)
{
    return name != NULL && strncasecmp(name, "_cf_", 4) == 0;
}

static int guard_function(struct sql *db, const char *name)
{
    if (name == NULL || !GUARD_HAS(guard_functions, name))
        return SQLITE_DENY;
    if (GUARD_HAS(guard_counters, name))
        db->counters = true;
    return SQLITE_OK;
}

static int guard_pragma(const char *name, const char *value)
{
    if (!GUARD_HAS(guard_pragmas, name))
        return SQLITE_DENY;
    if (value != NULL && GUARD_HAS(guard_pragmas_read, name))
        return SQLITE_DENY;
    return guard_reserved(value) ? SQLITE_DENY : SQLITE_OK;
}

static int guard_authorize(void *arg, int action, const char *a, const char *b,
                           const char *database, const char *trigger)
{
    struct sql *db = arg;
    (void)database;
    (void)trigger;
    if (db->ours)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return SQLITE_DENY;
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        db->refusal = guard_transaction;
        return SQLITE_DENY;
    case SQLITE_FUNCTION:
        return guard_function(db, b);
    case SQLITE_PRAGMA:
        return guard_pragma(a, b);
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE:
        return !guard_reserved(a) && b != NULL && GUARD_HAS(guard_modules, b) ? SQLITE_OK
                                                                              : SQLITE_DENY;
    case SQLITE_READ:
        return guard_reserved(a) || GUARD_HAS(guard_hidden_tables, a) ? SQLITE_DENY : SQLITE_OK;
    default:
        return guard_reserved(a) || guard_reserved(b) ? SQLITE_DENY : SQLITE_OK;
    }
}

enum { GUARD_WRITER_MEMORY_MAX = 512 * 1024 * 1024, GUARD_READER_MEMORY_MAX = 96 * 1024 * 1024 };

/* What SQLite allocated since the statement began counts for all connections of the process: whoever runs long while
 * memory grows ends; short statements of neighbours do not come here at all. */
static bool guard_memory_grew(const struct sql *db)
{
    int64_t most = db->flags & SQL_WRITE ? GUARD_WRITER_MEMORY_MAX : GUARD_READER_MEMORY_MAX;
    return sqlite3_memory_used() - db->memory_before > most;
}

static int guard_progress(void *arg)
{
    struct sql *db = arg;
    if (db->canceled != NULL && atomic_load_explicit(db->canceled, memory_order_relaxed))
        return 1;
    if (db->deadline_us == 0)
        return 0;
    if (guard_memory_grew(db)) {
        db->refusal = db->flags & SQL_OBJECT
                          ? "Durable Object exceeded its memory limit and was reset."
                          : "D1 DB exceeded its memory limit and was reset.";
        return 1;
    }
    return clock_boot_us() > db->deadline_us;
}

struct guard_limit {
    int id, value;
};

static const struct guard_limit guard_limits[] = {
    {SQLITE_LIMIT_LENGTH, SQL_VALUE_MAX},
    {SQLITE_LIMIT_COLUMN, 100},
    {SQLITE_LIMIT_EXPR_DEPTH, 100},
    {SQLITE_LIMIT_COMPOUND_SELECT, 5},
    {SQLITE_LIMIT_VDBE_OP, 25000},
    {SQLITE_LIMIT_FUNCTION_ARG, 127},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50},
    {SQLITE_LIMIT_VARIABLE_NUMBER, SQL_PARAMETERS_MAX},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 10},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

enum { GUARD_PROGRESS_OPS = 20000 };

void sql_guard_install(struct sql *db)
{
    for (size_t i = 0; i < ARRAY_LEN(guard_limits); i++)
        sqlite3_limit(db->db, guard_limits[i].id, guard_limits[i].value);
    sqlite3_set_authorizer(db->db, guard_authorize, db);
    sqlite3_progress_handler(db->db, GUARD_PROGRESS_OPS, guard_progress, db);
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, NULL);
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
}
