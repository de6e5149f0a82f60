/*
 * How many rows a statement read and wrote, as upstream's SQLite counts them.
 *
 * Upstream patches SQLite so that each opcode that moves a cursor counts. The system's library counts the steps of full
 * scans and the opcodes run, nothing else. So the program of a statement is read once (EXPLAIN): which cursor moves
 * stand outside loops, which inside, and what kind each loop is. From the library's numbers, the rows given and the rows
 * changed follows how often each ran. That is exact for scans, lookups, ranges, sorts, joins by key and writes; where
 * conditions drop rows of a range after they were read, the number is worked out from the opcodes run.
 *
 * Rows written: each row counts once, and once more for each index that gets an entry; removing entries is free.
 */
#include "store/sql_impl.h"

#include <stdlib.h>

enum { COST_LOOPS = 12, COST_MOVES = 48, COST_HEAD = 3 };

enum cost_loop_kind {
    COST_SCAN,   /* the library counts its steps */
    COST_RANGE,  /* a stretch of an index or of the rowids */
    COST_SORTER, /* gives rows in order */
    COST_TURNS   /* one turn for each row of VALUES or of a SELECT that is inserted */
};

struct cost_loop {
    int first, last;
    enum cost_loop_kind kind;
    bool gives; /* result rows come from here */
    bool
        bounded; /* ends by a comparison, or by asking in vain: the step behind the last row counts too */
    int skip; /* opcodes of a turn that a condition cut short; 0 = none can */
};

struct sql_cost {
    struct cost_loop loops[COST_LOOPS];
    int n_loops;
    int move_at[COST_MOVES];
    int n_moves;
    int n_ops;
    int idle_until; /* opcodes up to here look for violated keys, where there were some before */
    int n_inserts;  /* opcodes that write rows: what a change of the schema writes */
    bool counts;    /* the number of a table's entries is the result */
    bool schema;    /* the schema is read again */
    bool virtual;   /* a virtual table writes through statements of its own */
};

/* One line of EXPLAIN; `name` is borrowed. */
struct cost_op {
    const char *name;
    int at, p2, p3, p5;
};

static bool cost_is(const struct cost_op *op, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(op->name, *names) == 0)
            return true;
    }
    return false;
}

static const char *const cost_moves[] = {"Rewind",    "Last",      "Sort",   "SorterSort",
                                         "SeekGE",    "SeekGT",    "SeekLE", "SeekLT",
                                         "SeekRowid", "NotExists", NULL};
static const char *const cost_steps[] = {"Next", "Prev", "VNext", "SorterNext", NULL};
static const char *const cost_ends[] = {"IdxGT", "IdxGE", "IdxLT", "IdxLE", "Gt",
                                        "Ge",    "Lt",    "Le",    NULL};
static const char *const cost_sorter[] = {"SorterNext", NULL};
static const char *const cost_vnext[] = {"VNext", NULL};
static const char *const cost_goto[] = {"Goto", NULL};
static const char *const cost_result[] = {"ResultRow", NULL};
static const char *const cost_count[] = {"Count", NULL};
static const char *const cost_insert[] = {"Insert", NULL};
static const char *const cost_schema[] = {"ParseSchema", NULL};
static const char *const cost_idle[] = {"FkIfZero", NULL};
static const char *const cost_virtual[] = {"VUpdate", NULL};

static void cost_add_loop(struct sql_cost *c, const struct cost_op *op)
{
    if (c->n_loops == COST_LOOPS)
        return;
    enum cost_loop_kind kind = cost_is(op, cost_sorter)                    ? COST_SORTER
                               : cost_is(op, cost_goto)                    ? COST_TURNS
                               : op->p5 == SQLITE_STMTSTATUS_FULLSCAN_STEP ? COST_SCAN
                                                                           : COST_RANGE;
    c->loops[c->n_loops++] = (struct cost_loop){
        .first = op->p2, .last = op->at, .kind = kind, .bounded = cost_is(op, cost_vnext)};
}

static void cost_add(struct sql_cost *c, const struct cost_op *op)
{
    c->n_ops = op->at + 1;
    if (cost_is(op, cost_idle))
        c->idle_until = op->p2;
    if (op->at < c->idle_until)
        return;
    if (cost_is(op, cost_moves) && c->n_moves < COST_MOVES)
        c->move_at[c->n_moves++] = op->at;
    /* The program's last Goto leads to its beginning; it is no loop. */
    if (cost_is(op, cost_steps) || (cost_is(op, cost_goto) && op->p2 > 1 && op->p2 < op->at))
        cost_add_loop(c, op);
    c->counts |= cost_is(op, cost_count) && op->p3 == 0;
    c->n_inserts += cost_is(op, cost_insert);
    c->schema |= cost_is(op, cost_schema);
    c->virtual |= cost_is(op, cost_virtual);
}

/* What stands inside the loops, which are known by now. */
static void cost_look(struct sql_cost *c, const struct cost_op *op)
{
    for (int i = 0; i < c->n_loops; i++) {
        struct cost_loop *l = &c->loops[i];
        if (op->at < l->first || op->at >= l->last)
            continue;
        l->gives |= cost_is(op, cost_result);
        if (op->p2 > l->last && op->at < l->first + COST_HEAD && cost_is(op, cost_ends))
            l->bounded = true;
        else if (op->p2 == l->last && l->skip == 0)
            l->skip = op->at - l->first + 2;
    }
}

static int cost_explain(sqlite3_stmt *explain, struct sql_cost *c,
                        void (*use)(struct sql_cost *c, const struct cost_op *op))
{
    int rc;
    while ((rc = sqlite3_step(explain)) == SQLITE_ROW) {
        struct cost_op op = {.at = sqlite3_column_int(explain, 0),
                             .name = (const char *)sqlite3_column_text(explain, 1),
                             .p2 = sqlite3_column_int(explain, 3),
                             .p3 = sqlite3_column_int(explain, 4),
                             .p5 = sqlite3_column_int(explain, 6)};
        if (op.name != NULL)
            use(c, &op);
    }
    sqlite3_reset(explain);
    return rc;
}

/* Leaves a model without loops where the program cannot be shown: then only the library's numbers speak. */
static struct sql_cost *cost_of(struct sql_stmt *s)
{
    int compiled = sql_recompiled(s);
    if (s->cost != NULL && s->cost_of == compiled)
        return s->cost;
    mem_release(&s->cost);
    s->cost_of = compiled;
    s->cost = mem_new(sizeof(*s->cost));
    AUTO(buf_done) struct buf text = {0};
    sqlite3_stmt *explain = NULL;
    if (sqlite3_stmt_isexplain(s->stmt) || sqlite3_sql(s->stmt) == NULL)
        return s->cost;
    buf_append_slice(&text, SLICE("EXPLAIN "));
    buf_append_slice(&text, slice_of(sqlite3_sql(s->stmt)));
    bool ours = s->db->ours;
    s->db->ours = true;
    if (sqlite3_prepare_v2(s->db->db, buf_cstr(&text), -1, &explain, NULL) == SQLITE_OK &&
        cost_explain(explain, s->cost, cost_add) == SQLITE_DONE)
        cost_explain(explain, s->cost, cost_look);
    s->db->ours = ours;
    sqlite3_finalize(explain);
    return s->cost;
}

/* --- reading --- */

struct cost_facts {
    int64_t scanned, ops, given, changed;
    bool writes;
};

/* Steps of a range, from the opcodes run: each turn ran all of the body, or its beginning up to a condition. */
static int64_t cost_range_by_ops(const struct sql_cost *c, const struct cost_loop *l,
                                 const struct cost_facts *f)
{
    int64_t body = l->last - l->first + 1, left = f->ops - (c->n_ops - body);
    if (!l->gives || l->skip == 0)
        return l->gives ? f->given : left / body;
    left -= f->given * body;
    return f->given + (left > 0 ? left / l->skip : 0);
}

static int64_t cost_steps_of(const struct sql_cost *c, const struct cost_loop *l,
                             const struct cost_facts *f)
{
    switch (l->kind) {
    case COST_SCAN:
        return f->scanned;
    case COST_SORTER:
        return MAX(f->given - 1, 0);
    case COST_TURNS:
        return f->writes ? MAX(f->changed - 1, 0) : 0;
    case COST_RANGE:
        break;
    }
    if (f->writes) /* rows of RETURNING come from a table that was filled before */
        return l->gives ? MAX(f->given - 1, 0) : f->changed;
    int64_t n = c->n_loops == 1 ? cost_range_by_ops(c, l, f) : f->given;
    return l->bounded ? n : MAX(n - (l->gives ? 1 : 0), 0);
}

/* The smallest loop around an opcode, or NULL. */
static const struct cost_loop *cost_loop_around(const struct sql_cost *c, int at)
{
    const struct cost_loop *found = NULL;
    for (int i = 0; i < c->n_loops; i++) {
        const struct cost_loop *l = &c->loops[i];
        if (at >= l->first && at <= l->last &&
            (found == NULL || l->last - l->first < found->last - found->first))
            found = l;
    }
    return found;
}

static int64_t cost_turns(const struct sql_cost *c, const struct cost_loop *l,
                          const struct cost_facts *f)
{
    int64_t steps = cost_steps_of(c, l, f);
    return l->kind == COST_RANGE && l->bounded ? MAX(steps, 1) : steps + 1;
}

uint64_t sql_rows_read(struct sql_stmt *s, uint64_t n_given)
{
    const struct sql_cost *c = cost_of(s);
    struct cost_facts f = {
        .scanned = sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0),
        .ops = sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_VM_STEP, 0),
        .given = (int64_t)n_given,
        .writes = !sql_readonly(s),
    };
    if (f.writes)
        f.changed = sqlite3_changes64(s->db->db);
    int64_t n = f.scanned + (c->counts ? MAX(s->only_int, 0) : 0);
    for (int i = 0; i < c->n_loops; i++) {
        const struct cost_loop *l = &c->loops[i];
        if (l->kind == COST_RANGE || l->kind == COST_SORTER)
            n += cost_steps_of(c, l, &f);
    }
    for (int i = 0; i < c->n_moves; i++) {
        const struct cost_loop *l = cost_loop_around(c, c->move_at[i]);
        n += l == NULL ? 1 : cost_turns(c, l, &f);
    }
    return (uint64_t)n;
}

/* --- writing --- */

/* The columns whose value changed; those past the 63rd share a bit. */
static uint64_t cost_changed_columns(sqlite3 *handle)
{
    uint64_t mask = 0;
    int n = sqlite3_preupdate_count(handle);
    for (int i = 0; i < n; i++) {
        sqlite3_value *a = NULL, *b = NULL;
        if (sqlite3_preupdate_old(handle, i, &a) != SQLITE_OK ||
            sqlite3_preupdate_new(handle, i, &b) != SQLITE_OK)
            continue;
        int size = sqlite3_value_bytes(a);
        bool same =
            sqlite3_value_type(a) == sqlite3_value_type(b) && size == sqlite3_value_bytes(b) &&
            (size == 0 || memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)size) == 0);
        if (!same)
            mask |= 1ull << MIN(i, 63);
    }
    return mask;
}

static struct sql_written *cost_written(struct sql *db, const char *table)
{
    for (unsigned i = db->n_written; i-- > 0;) {
        if (strcmp(db->written[i].table, table) == 0)
            return &db->written[i];
    }
    if (db->n_written == SQL_WRITTEN_TABLES || strlen(table) >= SQL_NAME_MAX)
        return NULL;
    struct sql_written *w = &db->written[db->n_written++];
    *w = (struct sql_written){0};
    memcpy(w->table, table, strlen(table) + 1);
    return w;
}

void sql_preupdate(void *arg, sqlite3 *handle, int op, const char *database, const char *table,
                   sqlite3_int64 old_row, sqlite3_int64 new_row)
{
    struct sql *db = arg;
    (void)database;
    (void)old_row;
    (void)new_row;
    struct sql_written *w = cost_written(db, table);
    if (w == NULL) {
        db->written_elsewhere++;
        return;
    }
    if (op == SQLITE_INSERT)
        w->n_inserted++;
    else if (op == SQLITE_DELETE)
        w->n_deleted++;
    else {
        w->n_updated++;
        w->columns |= cost_changed_columns(handle);
    }
}

/* Entries that a new row makes besides itself, and whether it moves the table's sequence. */
static uint64_t cost_indexes(struct sql *db, const char *table, uint64_t *ret_sequence)
{
    struct sql_stmt *s = sql_cached(db, "SELECT count(*), (SELECT sql LIKE '%autoincrement%' FROM "
                                        "sqlite_schema WHERE type='table' AND name=?1) "
                                        "FROM sqlite_schema WHERE type='index' AND tbl_name=?1");
    sql_bind_text(s, 1, slice_of(table));
    uint64_t n = 0;
    if (sql_step(s, NULL) == 1) {
        n = (uint64_t)sql_column_int(s, 0);
        *ret_sequence = (uint64_t)sql_column_int(s, 1);
    }
    sql_reset(s);
    return n;
}

static uint64_t cost_indexes_of(struct sql *db, const char *table, uint64_t columns)
{
    struct sql_stmt *s = sql_cached(
        db, "SELECT count(DISTINCT l.name) FROM pragma_index_list(?1) AS l, "
            "pragma_index_xinfo(l.name) AS i "
            "WHERE l.origin <> 'pk' AND i.key AND (i.cid < 0 OR (?2 >> min(i.cid, 63)) & 1)");
    sql_bind_text(s, 1, slice_of(table));
    sql_bind_int(s, 2, (int64_t)columns);
    uint64_t n = sql_step(s, NULL) == 1 ? (uint64_t)sql_column_int(s, 0) : 0;
    sql_reset(s);
    return n;
}

/* Tables in which a virtual table keeps its data: its own rows are what counts. */
static bool cost_is_shadow(struct sql *db, const char *table)
{
    struct sql_stmt *s = sql_cached(
        db, "SELECT 1 FROM pragma_table_list WHERE schema='main' AND name=? AND type='shadow'");
    sql_bind_text(s, 1, slice_of(table));
    bool is = sql_step(s, NULL) == 1;
    sql_reset(s);
    return is;
}

uint64_t sql_rows_written(struct sql_stmt *s)
{
    struct sql *db = s->db;
    const struct sql_cost *c = cost_of(s);
    uint64_t n = db->written_elsewhere, deleted = 0, kept = 0;
    for (unsigned i = 0; i < db->n_written; i++) {
        const struct sql_written *w = &db->written[i];
        uint64_t sequence = 0;
        if (c->virtual && cost_is_shadow(db, w->table))
            continue;
        if (w->n_inserted > 0)
            n += w->n_inserted * (1 + cost_indexes(db, w->table, &sequence)) + sequence;
        if (w->n_updated > 0)
            n += w->n_updated * (1 + cost_indexes_of(db, w->table, w->columns));
        deleted += w->n_deleted;
        kept += w->n_inserted + w->n_updated;
    }
    /* Rows that REPLACE drops are no deletes; SQLite does not count them among the changes either. */
    uint64_t changed = (uint64_t)(sqlite3_total_changes64(db->db) - db->changes_before);
    if (c->virtual)
        return n + (uint64_t)sqlite3_changes64(db->db);
    if (c->schema && changed == 0)
        return n + (uint64_t)c->n_inserts;
    return n + MIN(deleted, changed > kept ? changed - kept : 0);
}

void sql_counts_start(struct sql_stmt *s)
{
    struct sql *db = s->db;
    (void)cost_of(
        s); /* now: afterwards the statement may not compile again, and EXPLAIN resets changes() */
    (void)sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    (void)sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    s->only_int = 0;
    db->n_written = 0;
    db->written_elsewhere = 0;
    db->changes_before = sqlite3_total_changes64(db->db);
}
