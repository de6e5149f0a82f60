#include "store_test.h"

#include "store/sql.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sql *db;
static const char *dir;

static int setup(void **state)
{
    (void)state;
    dir = store_test_dir();
    char path[128];
    snprintf(path, sizeof(path), "%s/db.sqlite", dir);
    return sql_open(path, SQL_WRITE | SQL_TENANT, &db, NULL);
}

static int teardown(void **state)
{
    (void)state;
    sql_close(db);
    store_test_remove(dir);
    return 0;
}

static int run(const char *text, struct err *err)
{
    struct slice rest = slice_of(text);
    while (rest.len > 0) {
        AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
        int r = sql_prepare(db, rest, &s, &rest, err);
        if (r == 0 && s != NULL)
            r = sql_run(s, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void test_errors(void **state)
{
    (void)state;
    struct err err = {0};
    assert_true(run("x", &err) < 0);
    assert_string_equal(err.text, "near \"x\": syntax error at offset 0: SQLITE_ERROR");
    assert_true(run("SELECT * FROM nope", &err) < 0);
    assert_string_equal(err.text, "no such table: nope: SQLITE_ERROR");
    assert_int_equal(run("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE)", &err), 0);
    assert_int_equal(run("INSERT INTO t VALUES(1,'x')", &err), 0);
    assert_int_equal(run("INSERT INTO t VALUES(2,'x')", &err), -EEXIST);
    assert_string_equal(
        err.text,
        "UNIQUE constraint failed: t.b: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)");
}

static void test_guard(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "ATTACH '/tmp/x' AS y",
        "PRAGMA journal_mode=DELETE",
        "PRAGMA writable_schema=1",
        "SELECT sqlite_version()",
        "SELECT load_extension('x')",
        "CREATE TABLE _cf_X(a)",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "VACUUM INTO '/tmp/x'",
        "SELECT * FROM dbstat",
        "PRAGMA user_version=7",
        "PRAGMA synchronous=OFF",
        "CREATE VIRTUAL TABLE v USING dbstat(main)",
        "SELECT fts3_tokenizer('x')",
        "PRAGMA wal_checkpoint",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct err err = {0};
        if (run(refused[i], &err) >= 0)
            fail_msg("allowed: %s", refused[i]);
    }
    static const char *const allowed[] = {
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b)",
        "CREATE INDEX i ON t(b)",
        "PRAGMA table_info(t)",
        "CREATE VIRTUAL TABLE f USING fts5(body)",
        "INSERT INTO f VALUES('hello world')",
        "SELECT highlight(f,0,'[',']'), bm25(f) FROM f('hello') ORDER BY rank",
        "ALTER TABLE t RENAME COLUMN b TO c",
        "ALTER TABLE t ADD COLUMN d",
        "ALTER TABLE t DROP COLUMN d",
        "SELECT json_extract('{\"a\":1}','$.a'), sqrt(2)",
        "SELECT * FROM json_each('[1,2]')",
        "SELECT name FROM pragma_table_info('t')",
        "PRAGMA foreign_keys=ON",
        "PRAGMA quick_check",
        "DROP TABLE f",
        "EXPLAIN QUERY PLAN SELECT * FROM t",
        "ANALYZE",
        "REINDEX",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c LIMIT 5",
    };
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        struct err err = {0};
        if (run(allowed[i], &err) < 0)
            fail_msg("refused: %s: %s", allowed[i], err.text);
    }
}

static void test_transactions(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(run("CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t(b)", &err),
                     0);
    uint32_t before = sql_txn_number(db);
    assert_int_equal(sql_begin(db, &err), 0);
    assert_int_equal(sql_mark(db), 0);
    assert_int_equal(run("INSERT INTO t VALUES(1,1)", &err), 0);
    assert_int_equal(sql_keep(db), 0);
    assert_int_equal(sql_mark(db), 0);
    assert_int_equal(run("INSERT INTO t VALUES(2,2)", &err), 0);
    sql_undo(db);
    assert_int_equal(sql_commit(db, &err), 0);
    assert_int_equal(sql_txn_number(db), before + 1);
    struct sql_stmt *s = sql_cached(db, "SELECT count(*) FROM t");
    assert_int_equal(sql_step(s, &err), 1);
    assert_int_equal(sql_column_int(s, 0), 1);
    sql_reset(s);
}

/* Text, rows given, rows read and written as upstream's SQLite counts them. */
static void test_counts(void **state)
{
    static const struct {
        const char *text;
        unsigned read, written;
    } rows[] = {
        {"CREATE TABLE a(id INTEGER PRIMARY KEY, b TEXT, c INT)", 1, 2},
        {"CREATE INDEX ab ON a(b)", 2, 1},
        {"INSERT INTO a VALUES (1,'x',1),(2,'y',2),(3,'z',3),(4,'x',4),(5,'x',5)", 5, 10},
        {"SELECT * FROM a", 5, 0},
        {"SELECT * FROM a WHERE id=99", 1, 0},
        {"SELECT * FROM a WHERE b='x'", 4, 0},
        {"SELECT * FROM a WHERE b='x' AND c=4", 4, 0},
        {"SELECT * FROM a WHERE c=4", 5, 0},
        {"SELECT * FROM a ORDER BY c", 10, 0},
        {"SELECT count(*) FROM a", 5, 0},
        {"SELECT * FROM a WHERE id IN (1,2,99)", 6, 0},
        {"UPDATE a SET c=c+1 WHERE id=1", 1, 1},
        {"UPDATE a SET b='w' WHERE id=1", 1, 2},
        {"DELETE FROM a WHERE id=5", 1, 1},
        {"INSERT INTO a(b) VALUES('n') RETURNING *", 1, 2},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
        struct slice rest;
        struct err err = {0};
        unsigned n = 0;
        int r;
        assert_int_equal(sql_prepare(db, slice_of(rows[i].text), &s, &rest, &err), 0);
        sql_counts_start(s);
        while ((r = sql_step(s, &err)) == 1)
            n++;
        assert_int_equal(r, 0);
        if (sql_rows_read(s, n) != rows[i].read ||
            (!sql_readonly(s) && sql_rows_written(s) != rows[i].written))
            fail_msg("%s: %u read", rows[i].text, (unsigned)sql_rows_read(s, n));
    }
}

/* A bomb ends when it needs too much memory, or when somebody gives it up; the connection goes on. */
static void test_bombs(void **state)
{
    static const char bomb[] =
        "WITH RECURSIVE c(x) AS (SELECT randomblob(100000) UNION ALL SELECT "
        "randomblob(100000) FROM c) SELECT count(*) FROM (SELECT x FROM c ORDER BY x)";
    (void)state;
    struct err err = {0};
    sql_deadline(db, INT64_MAX);
    assert_int_equal(run(bomb, &err), -ETIMEDOUT);
    assert_string_equal(err.text, "D1 DB exceeded its memory limit and was reset.");
    atomic_bool canceled = true;
    sql_cancel_by(db, &canceled);
    assert_int_equal(run(bomb, &err), -ECANCELED);
    sql_cancel_by(db, NULL);
    assert_int_equal(run("SELECT 1", &err), 0);
    assert_int_equal(run("SELECT zeroblob(3000000)", &err), -E2BIG);
    sql_deadline(db, 0);
}

static void test_reader(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(run("CREATE TABLE t(a)", &err), 0);
    char path[128];
    snprintf(path, sizeof(path), "%s/db.sqlite", dir);
    struct sql *reader;
    assert_int_equal(sql_open(path, SQL_TENANT, &reader, &err), 0);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(run("INSERT INTO t VALUES(1)", &err), 0);
        struct sql_stmt *s = sql_cached(reader, "SELECT count(*) FROM t");
        assert_int_equal(sql_step(s, &err), 1);
        assert_int_equal(sql_column_int(s, 0), i);
        sql_reset(s);
        sql_checkpoint(db);
    }
    AUTO(sql_stmt_release) struct sql_stmt *w = NULL;
    struct slice rest;
    assert_int_equal(sql_prepare(reader, SLICE("INSERT INTO t VALUES(2)"), &w, &rest, &err), 0);
    assert_false(sql_in_place(w));
    assert_int_equal(sql_run(w, &err), -EACCES);
    AUTO(sql_stmt_release) struct sql_stmt *c = NULL;
    assert_int_equal(sql_prepare(reader, SLICE("SELECT last_insert_rowid()"), &c, &rest, &err), 0);
    assert_false(sql_in_place(c));
    sql_stmt_release(&w);
    sql_stmt_release(&c);
    sql_close(reader);
}

static void test_deadline(void **state)
{
    (void)state;
    struct err err = {0};
    sql_deadline(db, 1);
    int r = run(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT sum(x) FROM c", &err);
    assert_int_equal(r, -ETIMEDOUT);
    sql_deadline(db, 0);
    assert_int_equal(run("SELECT 1", &err), 0);
}

/* --- databases of Durable Objects --- */

/* In another process: locks of one process never meet. 0 = it could be opened. */
static int open_elsewhere(const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct sql *other;
        int r = sql_open(path, SQL_WRITE | SQL_OBJECT, &other, NULL);
        _exit(-r);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void test_object(void **state)
{
    (void)state;
    char path[128];
    struct err err = {0};
    sql_close(db);
    db = NULL;
    snprintf(path, sizeof(path), "%s/object.sqlite", dir);
    assert_int_equal(sql_open(path, SQL_WRITE | SQL_TENANT | SQL_OBJECT, &db, &err), 0);
    assert_int_equal(open_elsewhere(path), -EAGAIN);

    assert_int_equal(sql_begin(db, &err), 0);
    assert_int_equal(run("CREATE TABLE t(a); INSERT INTO t VALUES (1)", &err), 0);
    assert_int_equal(sql_commit(db, &err), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sql_begin(db, &err), 0);
        assert_int_equal(run("INSERT INTO t VALUES (2)", &err), 0);
        assert_int_equal(sql_commit(db, &err), 0);
    }
    sql_close(db);
    assert_int_equal(open_elsewhere(path), 0);

    assert_int_equal(sql_open(path, SQL_WRITE | SQL_TENANT | SQL_OBJECT, &db, &err), 0);
    struct sql_stmt *s = sql_cached(db, "SELECT sum(a) FROM t");
    assert_int_equal(sql_step(s, &err), 1);
    assert_int_equal(sql_column_int(s, 0), 201);
    sql_reset(s);
    sql_checkpoint(db);
    assert_int_equal(sql_object_wipe(db, &err), 0);
    assert_false(sql_has_table(db, "t"));
    assert_int_equal(run("ATTACH 'x' AS y", &err), -EACCES);
}

int sql_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guard, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bombs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_object, setup, teardown),
    };
    return cmocka_run_group_tests_name("sql", tests, NULL, NULL);
}
