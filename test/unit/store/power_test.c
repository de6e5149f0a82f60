/*
 * Power cuts under the durable log: no acknowledged commit is lost, the others are there wholly or not at all.
 *
 * A seed is a workload over several databases with one log: commits, large ones, roll-backs, checkpoints, closing and opening,
 * a full disk. At some write or sync everything stops; after the recovery each database must pass its
 * integrity check and be in the state after one of its commits, not before the last that was acknowledged.
 * Then it goes on from there, a few times. Instead of the power only the process may end.
 *
 *     power_test [seeds [first]]
 */
#include "power_disk.h"
#include "store/log.h"
#include "store/sql.h"
#include "store/sql_vfs.h"

#include "core/map.h"

#include <errno.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { DATABASES = 4, COMMITS_MAX = 400, ROUNDS = 3, SEEDS = 600, SEGMENT = 1024 * 1024 };

struct database {
    struct sql *db;
    char name[32];
    unsigned n_committed; /* the last that was begun to be committed */
    unsigned n_acked;
    bool in_flight;
    uint64_t sums[COMMITS_MAX + 1]; /* content after each commit */
};

struct commit {
    struct log_append append;
    struct database *d;
    unsigned n;
};

static struct {
    struct log *log;
    struct database databases[DATABASES];
    char boot[32];
    unsigned n_boots;
    bool lost; /* what must not happen has happened */
    char what[200];
} f;

static void failed(const struct database *d, const char *what)
{
    if (!f.lost)
        snprintf(f.what, sizeof(f.what), "%s: %s (commit %u, acknowledged %u)", d->name, what,
                 d->n_committed, d->n_acked);
    f.lost = true;
}

/* --- one database --- */

static int run(struct sql *db, const char *text)
{
    struct slice rest = slice_of(text);
    while (rest.len > 0) {
        AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
        int r = sql_prepare(db, rest, &s, &rest, NULL);
        if (r == 0 && s != NULL)
            r = sql_run(s, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static int number(struct sql *db, const char *text, uint64_t *ret)
{
    AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
    struct slice rest;
    int r = sql_prepare(db, slice_of(text), &s, &rest, NULL);
    if (r < 0)
        return r;
    r = sql_step(s, NULL);
    if (r == 1)
        *ret = (uint64_t)sql_column_int(s, 0);
    sql_reset(s);
    return r == 1 ? 0 : r < 0 ? r : -ENOENT;
}

#define CONTENT "SELECT coalesce(sum((k * 31 + length(v)) * (k + 7)), 0) FROM t"

static void acknowledged(struct log_append *append)
{
    struct commit *c = CONTAINER_OF(append, struct commit, append);
    c->d->in_flight = false;
    if (append->outcome == LOG_OK && c->n > c->d->n_acked)
        c->d->n_acked = c->n;
    free(c);
}

/* Hands what was committed to the log; it is acknowledged at some later flush. */
static void send(struct database *d)
{
    struct commit *c = calloc(1, sizeof(*c));
    c->d = d;
    c->n = d->n_committed;
    c->append.done = acknowledged;
    d->in_flight = true;
    sql_log_take(d->db, &c->append.records, &c->append.reserved);
    log_append(f.log, &c->append);
}

static int database_open(struct database *d)
{
    char path[64];
    snprintf(path, sizeof(path), "/data/%s", d->name);
    struct sql_logging logging = {
        .log = f.log, .name = slice_of(d->name), .epoch = log_epoch(f.log)};
    return sql_open_logged(path, SQL_WRITE, &logging, &d->db, NULL);
}

static void database_change(struct database *d, unsigned n)
{
    char text[300];
    uint64_t size = power_random(20) == 0 ? 20000 + power_random(60000) : power_random(900);
    switch (power_random(8)) {
    case 0:
        snprintf(text, sizeof(text), "DELETE FROM t WHERE k %% 3 = %u", n % 3);
        break;
    case 1:
        snprintf(text, sizeof(text),
                 "INSERT OR REPLACE INTO t SELECT x, zeroblob(%u) FROM (WITH RECURSIVE c(x) AS "
                 "(SELECT 1 "
                 "UNION ALL SELECT x+1 FROM c LIMIT 60) SELECT x FROM c)",
                 (unsigned)(n % 97) * 7);
        break;
    default:
        snprintf(text, sizeof(text), "INSERT OR REPLACE INTO t VALUES(%u, randomblob(%u))",
                 (unsigned)power_random(200), (unsigned)size);
    }
    (void)run(d->db, text); /* a full disk: the commit will say so */
}

static void database_commit(struct database *d)
{
    char text[100];
    unsigned n = d->n_committed + 1;
    if (n > COMMITS_MAX || sql_begin(d->db, NULL) < 0)
        return;
    database_change(d, n);
    snprintf(text, sizeof(text), "UPDATE c SET n = %u", n);
    uint64_t sum;
    if (power_random(12) == 0 || run(d->db, text) < 0 || number(d->db, CONTENT, &sum) < 0) {
        sql_rollback(d->db);
        return;
    }
    d->sums[n] = sum;
    if (sql_commit(d->db, NULL) < 0) {
        /* With the power gone nobody knows whether the last write was the one that counts. */
        if (power.dead)
            d->n_committed = n;
        sql_rollback(d->db);
        return;
    }
    d->n_committed = n;
    send(d);
}

static void database_make(struct database *d)
{
    if (database_open(d) < 0)
        return;
    if (sql_has_table(d->db, "c"))
        return;
    (void)(sql_begin(d->db, NULL) == 0 &&
           run(d->db, "CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE INDEX i ON t(length(v)); "
                      "CREATE TABLE c(n); INSERT INTO c VALUES(0)") == 0 &&
           sql_commit(d->db, NULL) == 0);
}

/* --- after the recovery --- */

static bool intact(struct sql *db)
{
    AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
    struct slice rest;
    bool fine = sql_prepare(db, SLICE("PRAGMA integrity_check"), &s, &rest, NULL) == 0 &&
                sql_step(s, NULL) == 1 && slice_eq(sql_column_bytes(s, 0), SLICE("ok"));
    if (s != NULL)
        sql_reset(s);
    return fine;
}

static void database_check(struct database *d)
{
    uint64_t n = 0, sum = 0;
    if (d->db == NULL || !intact(d->db)) {
        failed(d, d->db == NULL ? "cannot be opened" : "integrity check");
        return;
    }
    if (!sql_has_table(d->db, "c")) {
        if (d->n_acked > 0)
            failed(d, "everything is lost");
        d->n_committed = 0;
        return;
    }
    if (number(d->db, "SELECT n FROM c", &n) < 0 || number(d->db, CONTENT, &sum) < 0)
        failed(d, "cannot be read");
    else if (n < d->n_acked)
        failed(d, "an acknowledged commit is lost");
    else if (n > d->n_committed || sum != d->sums[n])
        failed(d, "half a commit");
    d->n_committed = (unsigned)n;
}

/* --- a seed --- */

static enum log_outcome no_fault(void *arg, const struct log *log)
{
    (void)arg;
    (void)log;
    return LOG_OK;
}

static int begin(void)
{
    snprintf(f.boot, sizeof(f.boot), "boot%u", f.n_boots);
    struct log_options options = {.disk = &power_disk,
                                  .root = "/data",
                                  .boot = f.boot,
                                  .size_max = 8 * SEGMENT,
                                  .segment_size = SEGMENT,
                                  .fault = no_fault};
    return log_open(&options, &f.log, NULL);
}

static void end(void)
{
    for (size_t i = 0; i < DATABASES; i++) {
        sql_close(f.databases[i].db);
        f.databases[i].db = NULL;
    }
    log_close(f.log);
    f.log = NULL;
}

/* Closing is part of what may be interrupted, but what it would do later must not happen. */
static void stop(bool power_goes)
{
    power.dead = true;
    end();
    if (power_goes) {
        f.n_boots++;
        power_cut();
    } else {
        power_restart();
    }
    for (size_t i = 0; i < DATABASES; i++)
        f.databases[i].in_flight = false;
}

static void step(void)
{
    struct database *d = &f.databases[power_random(DATABASES)];
    if (d->db == NULL) {
        database_make(d);
        return;
    }
    switch (power_random(16)) {
    case 0:
    case 1:
    case 2:
        log_flush(f.log);
        break;
    case 3:
        if (!d->in_flight)
            sql_checkpoint(d->db);
        break;
    case 4:
        if (!d->in_flight && power_random(3) == 0) {
            sql_close(d->db);
            d->db = NULL;
        }
        break;
    case 5:
        power.full = power_random(4) == 0;
        break;
    default:
        database_commit(d);
    }
}

/* With a cut somewhere in between, too. */
static bool recover(void)
{
    bool again = power_random(3) == 0;
    power.cut_at = again ? power.n_events + 1 + power_random(12) : 0;
    if (begin() < 0 || power.dead) {
        if (!power.dead)
            return false;
        stop(power_random(2) == 0);
        if (begin() < 0)
            return false;
    }
    power.cut_at = 0;
    for (size_t i = 0; i < DATABASES; i++) {
        (void)database_open(&f.databases[i]);
        database_check(&f.databases[i]);
    }
    return true;
}

static void seed_run(uint64_t seed)
{
    memset(&f, 0, sizeof(f));
    power_clear();
    power.random = seed * 0x9e3779b97f4a7c15u + 1;
    power.n_events = power.cut_at = 0;
    power.dead = power.full = false;
    for (size_t i = 0; i < DATABASES; i++)
        snprintf(f.databases[i].name, sizeof(f.databases[i].name), "d1/%zu", i);
    if (begin() < 0) {
        f.lost = true;
        return;
    }
    for (unsigned round = 0; round < ROUNDS && !f.lost; round++) {
        power.cut_at = power.n_events + 1 + power_random(power_random(2) == 0 ? 40 : 600);
        for (unsigned i = 0; i < 200 && !power.dead; i++)
            step();
        stop(power_random(3) != 0);
        if (!recover()) {
            snprintf(f.what, sizeof(f.what), "the log cannot be opened");
            f.lost = true;
        }
    }
    stop(true);
}

static unsigned n_seeds = SEEDS;
static uint64_t first_seed = 1;

static void test_power(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + n_seeds; seed++) {
        seed_run(seed);
        if (f.lost)
            fail_msg("seed %llu: %s", (unsigned long long)seed, f.what);
    }
}

static unsigned caught(unsigned n)
{
    unsigned n_lost = 0;
    for (uint64_t seed = 1; seed <= n; seed++) {
        seed_run(seed);
        n_lost += f.lost;
    }
    return n_lost;
}

/* The test can fail. */
static void test_broken(void **state)
{
    (void)state;
    power.log_unsynced = true;
    assert_true(caught(30) > 0);
    power.log_unsynced = false;
    power.database_unsynced = true;
    assert_true(caught(200) > 0);
    power.database_unsynced = false;
    assert_int_equal(caught(30), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_power), cmocka_unit_test(test_broken)};
    if (argc > 1)
        n_seeds = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        first_seed = strtoull(argv[2], NULL, 10);
    power_register();
    sql_vfs_base("power");
    return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
