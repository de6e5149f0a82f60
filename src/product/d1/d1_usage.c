#include "product/d1/d1_usage.h"

#include "core/clock.h"
#include "core/map.h"
#include "product/d1/d1.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

enum {
    USAGE_TEXTS_MAX = 512, /* between two writings */
    USAGE_WRITE_US = 30 * 1000 * 1000,
    USAGE_HOURS = 31 * 24,
    USAGE_ROWS_MAX = 20000,
    USAGE_HOUR_MS = 3600 * 1000
};

struct d1_usage {
    char path[D1_PATH_MAX];
    struct map uses; /* text -> struct d1_use, owned */
    unsigned n_uses;
    int64_t hour, since_us; /* of what is collected */
};

struct d1_usage *d1_usage_create(const char *dir)
{
    struct d1_usage *u = mem_new(sizeof(*u));
    snprintf(u->path, sizeof(u->path), "%s/usage.sqlite", dir);
    return u;
}

/* --- the file --- */

/* Figures are worth no quarantine: a file that cannot be read is made anew. */
static int usage_open(struct d1_usage *u, struct sql **ret, struct err *err)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    int r = sql_open_logged(u->path, SQL_WRITE, NULL, ret, err);
    if (r == -EUCLEAN) {
        for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
            char name[D1_PATH_MAX + 8];
            snprintf(name, sizeof(name), "%s%s", u->path, endings[i]);
            (void)unlink(name); /* opening says what is wrong */
        }
        r = sql_open_logged(u->path, SQL_WRITE, NULL, ret, err);
    }
    if (r < 0)
        return r;
    r = sql_run(sql_cached(*ret, "CREATE TABLE IF NOT EXISTS usage (hour INTEGER, query TEXT, "
                                 "writes INTEGER, runs INTEGER, us INTEGER, read INTEGER, "
                                 "written INTEGER, returned INTEGER, "
                                 "PRIMARY KEY (hour, query, writes)) WITHOUT ROWID"),
                err);
    if (r < 0)
        sql_release(ret);
    return r;
}

static int usage_write_one(struct sql *db, int64_t hour, struct slice text,
                           const struct d1_use *use)
{
    struct sql_stmt *s = sql_cached(
        db, "INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET "
            "runs = runs + ?4, us = us + ?5, read = read + ?6, written = written + ?7, "
            "returned = returned + ?8");
    const uint64_t figures[] = {use->writes, use->runs,    use->us,
                                use->read,   use->written, use->returned};
    sql_bind_int(s, 1, hour);
    sql_bind_text(s, 2, text);
    for (size_t i = 0; i < ARRAY_LEN(figures); i++)
        sql_bind_int(s, (int)i + 3, (int64_t)figures[i]);
    return sql_run(s, NULL);
}

static int usage_forget(struct sql *db, int64_t hour)
{
    struct sql_stmt *s = sql_cached(
        db, "DELETE FROM usage WHERE hour < max(?1, (SELECT coalesce(max(hour), 0) FROM (SELECT "
            "hour FROM usage ORDER BY hour DESC LIMIT 1 OFFSET ?2)))");
    sql_bind_int(s, 1, hour - USAGE_HOURS);
    sql_bind_int(s, 2, USAGE_ROWS_MAX);
    return sql_run(s, NULL);
}

static int usage_write_all(struct d1_usage *u, struct sql *db)
{
    size_t at = 0;
    struct slice text;
    void *use;
    int r = sql_begin(db, NULL);
    while (r == 0 && map_next(&u->uses, &at, &text, &use))
        r = usage_write_one(db, u->hour, text, use);
    if (r == 0)
        r = usage_forget(db, u->hour);
    if (r == 0)
        r = sql_commit(db, NULL);
    sql_rollback(db);
    sql_checkpoint(db);
    return r;
}

static void usage_clear(struct d1_usage *u)
{
    size_t at = 0;
    struct slice text;
    void *use;
    while (map_next(&u->uses, &at, &text, &use))
        mem_release(&use);
    map_done(&u->uses);
    u->uses = (struct map){0};
    u->n_uses = 0;
}

/* What cannot be written is dropped: figures must not fill the memory of a keeper whose disk is full. */
static void usage_write(struct d1_usage *u)
{
    AUTO(sql_release) struct sql *db = NULL;
    if (u->n_uses == 0)
        return;
    if (usage_open(u, &db, NULL) == 0)
        (void)usage_write_all(u, db);
    usage_clear(u);
}

void d1_usage_destroy(struct d1_usage *u)
{
    if (u == NULL)
        return;
    usage_write(u);
    mem_release(&u);
}

void d1_usage_tidy(struct d1_usage *u)
{
    if (u->n_uses > 0 && clock_boot_us() - u->since_us > USAGE_WRITE_US)
        usage_write(u);
}

/* --- collecting --- */

static struct d1_use *usage_of(struct d1_usage *u, struct slice sql)
{
    struct d1_use *use = map_get(&u->uses, sql);
    if (use != NULL)
        return use;
    if (u->n_uses == USAGE_TEXTS_MAX && sql.len > 0)
        return usage_of(u, SLICE(""));
    if (u->n_uses++ == 0)
        u->since_us = clock_boot_us();
    use = mem_new(sizeof(*use));
    map_put(&u->uses, sql, use);
    return use;
}

void d1_usage_add(struct d1_usage *u, struct slice sql, const struct d1_use *add)
{
    int64_t hour = clock_wall_ms() / USAGE_HOUR_MS;
    if (hour != u->hour)
        usage_write(u);
    u->hour = hour;
    sql = slice_trim(sql);
    struct d1_use *use = usage_of(u, sql.len > D1_USAGE_TEXT_MAX ? SLICE("") : sql);
    use->runs += add->runs;
    use->us += add->us;
    use->read += add->read;
    use->written += add->written;
    use->returned += add->returned;
    use->writes |= add->writes;
}

static uint64_t usage_figure(const json_t *row, size_t i)
{
    json_int_t v = json_integer_value(json_array_get(row, i));
    return v < 0 ? 0 : MIN((uint64_t)v, (uint64_t)UINT32_MAX * 1024);
}

int d1_usage_report(struct d1_usage *u, struct slice json)
{
    AUTO(json_release) json_t *rows = NULL;
    size_t i;
    json_t *row;
    if (json_parse(json, &rows, NULL) < 0 || json_array_size(rows) > D1_USAGE_REPORT_MAX)
        return -EBADMSG;
    json_array_foreach(rows, i, row)
    {
        const json_t *sql = json_array_get(row, 0);
        if (!json_is_string(sql))
            return -EBADMSG;
        struct d1_use use = {.runs = usage_figure(row, 1),
                             .us = usage_figure(row, 2),
                             .read = usage_figure(row, 3),
                             .returned = usage_figure(row, 4)};
        d1_usage_add(u, slice_from(json_string_value(sql), json_string_length(sql)), &use);
    }
    return 0;
}

/* --- answering --- */

static const char usage_by_hour[] =
    "SELECT json_group_array(json_object('hour', hour, 'readQueries', reads, 'writeQueries', "
    "writing, 'rowsRead', read, 'rowsWritten', written)) FROM (SELECT hour, sum(iif(writes, 0, "
    "runs)) AS reads, sum(iif(writes, runs, 0)) AS writing, sum(read) AS read, sum(written) AS "
    "written FROM usage WHERE hour BETWEEN ?1 AND ?2 GROUP BY hour ORDER BY hour DESC LIMIT ?3)";

#define USAGE_BY_QUERY(key, direction)                                                             \
    "SELECT json_group_array(json_object('query', query, 'key', key, 'count', runs, "              \
    "'queryDurationMs', us / 1000.0, 'rowsRead', read, 'rowsWritten', written, 'rowsReturned', "   \
    "returned)) FROM (SELECT *, " key " AS key FROM (SELECT query, sum(runs) AS runs, sum(us) AS " \
    "us, sum(read) AS read, sum(written) AS written, sum(returned) AS returned FROM usage "        \
    "WHERE hour BETWEEN ?1 AND ?2 AND runs > 0 GROUP BY query) ORDER BY key " direction            \
    " LIMIT ?3)"
#define USAGE_ROW(name, key)                                                                       \
    {name "_DESC", USAGE_BY_QUERY(key, "DESC")},                                                   \
    {                                                                                              \
        name "_ASC", USAGE_BY_QUERY(key, "ASC")                                                    \
    }

static const struct usage_order {
    const char *name, *sql;
} usage_orders[] = {
    USAGE_ROW("sum_queryDurationMs", "us / 1000.0"),
    USAGE_ROW("sum_rowsRead", "read"),
    USAGE_ROW("sum_rowsWritten", "written"),
    USAGE_ROW("sum_rowsReturned", "returned"),
    USAGE_ROW("avg_queryDurationMs", "us / 1000.0 / runs"),
    USAGE_ROW("avg_rowsRead", "1.0 * read / runs"),
    USAGE_ROW("avg_rowsWritten", "1.0 * written / runs"),
    USAGE_ROW("avg_rowsReturned", "1.0 * returned / runs"),
    USAGE_ROW("count", "runs"),
};

static const char *usage_sql_of(struct slice order)
{
    if (order.len == 0)
        return usage_by_hour;
    for (size_t i = 0; i < ARRAY_LEN(usage_orders); i++) {
        if (slice_eq(order, slice_of(usage_orders[i].name)))
            return usage_orders[i].sql;
    }
    return NULL;
}

int d1_usage_answer(struct d1_usage *u, const struct d1_usage_question *q, struct buf *out,
                    struct err *err)
{
    AUTO(sql_release) struct sql *db = NULL;
    const char *sql = usage_sql_of(q->order);
    if (sql == NULL)
        return err_set(err, -EINVAL, 0, "\"%.*s\" is no order of queries", SLICE_ARG(q->order));
    usage_write(u);
    int r = usage_open(u, &db, err);
    if (r < 0)
        return r;
    struct sql_stmt *s = sql_cached(db, sql);
    sql_bind_int(s, 1, q->from_hour);
    sql_bind_int(s, 2, q->to_hour);
    sql_bind_int(s, 3, q->limit);
    r = sql_step(s, err);
    if (r == 1)
        buf_append_slice(out, sql_column_bytes(s, 0));
    sql_reset(s);
    return MIN(r, 0);
}
