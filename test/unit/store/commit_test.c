/*
 * What sql_on_commit() tells is enough to make the same file elsewhere.
 */
#include "store_test.h"

#include "core/buf.h"
#include "core/file.h"
#include "store/sql.h"

#include <fcntl.h>
#include <string.h>

static struct {
    struct sql *db;
    const char *dir;
    char path[128];
    struct buf copy; /* the file as told */
    uint64_t tx, sequence;
    unsigned n_pieces;
    bool over;
} f;

static void committed(void *arg, const struct sql_commit *c)
{
    (void)arg;
    assert_int_equal(c->first, f.over);
    f.over = c->last;
    f.n_pieces++;
    for (size_t i = 0; i < c->n_pages; i++) {
        size_t at = (size_t)(c->pages[i].number - 1) * c->page_size;
        while (buf_len(&f.copy) < at + c->page_size)
            buf_append_char(&f.copy, 0);
        memcpy(f.copy.data + f.copy.start + at, c->pages[i].bytes, c->page_size);
    }
    f.sequence = c->sequence;
    if (!c->last)
        return;
    f.tx = c->tx;
    f.copy.end = f.copy.start + (size_t)c->pages_after * c->page_size;
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    f.over = true;
    f.dir = store_test_dir();
    snprintf(f.path, sizeof(f.path), "%s/db.sqlite", f.dir);
    int r = sql_open(f.path, SQL_WRITE, &f.db, NULL);
    if (r == 0)
        sql_on_commit(f.db, committed, NULL);
    return r;
}

static int teardown(void **state)
{
    (void)state;
    sql_close(f.db);
    buf_done(&f.copy);
    store_test_remove(f.dir);
    return 0;
}

static void run(const char *text)
{
    struct slice rest = slice_of(text);
    while (rest.len > 0) {
        AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
        struct err err = {0};
        int r = sql_prepare(f.db, rest, &s, &rest, &err);
        if (r == 0 && s != NULL)
            r = sql_run(s, &err);
        if (r < 0)
            fail_msg("%s: %s", text, err.text);
    }
}

static void commit(const char *text)
{
    assert_int_equal(sql_begin(f.db, NULL), 0);
    run(text);
    assert_int_equal(sql_commit(f.db, NULL), 0);
    assert_true(f.over);
    assert_int_equal(f.tx, sql_txn_number(f.db));
}

static void same_file(void)
{
    AUTO(buf_done) struct buf file = {0};
    sql_checkpoint(f.db);
    assert_int_equal(file_read(AT_FDCWD, f.path, 1 << 28, &file), 0);
    assert_int_equal(buf_len(&file), buf_len(&f.copy));
    assert_memory_equal(buf_slice(&file).ptr, buf_slice(&f.copy).ptr, buf_len(&file));
}

#define SERIES(n) "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT " #n ") "

static void test_pages(void **state)
{
    (void)state;
    commit("CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t(b)");
    same_file();
    commit("INSERT INTO t VALUES(1, 'x')");
    /* Outside a transaction of ours, and one that is taken back: its frames lie where the next ones go. */
    run("INSERT INTO t VALUES(2, 'y')");
    assert_int_equal(sql_begin(f.db, NULL), 0);
    run("INSERT INTO t(b) " SERIES(2000) "SELECT hex(randomblob(200)) FROM c");
    sql_rollback(f.db);
    commit("UPDATE t SET b = 'z'");
    same_file();
    uint64_t before = f.sequence;
    assert_int_equal(sql_begin(f.db, NULL), 0);
    assert_int_equal(sql_commit(f.db, NULL), 0); /* nothing was written */
    assert_int_equal(f.sequence, before);
}

/* More than the page cache holds: pages are written before the commit, and again at the commit. */
static void test_large(void **state)
{
    (void)state;
    run("PRAGMA cache_size=20");
    commit("CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t(b)");
    f.n_pieces = 0;
    commit("INSERT INTO t(b) " SERIES(20000) "SELECT hex(randomblob(100)) FROM c");
    assert_true(f.n_pieces > 1);
    commit("DELETE FROM t WHERE a % 3 = 0; INSERT INTO t(b) " SERIES(5) "SELECT x FROM c");
    assert_int_equal(sql_begin(f.db, NULL), 0);
    assert_int_equal(sql_mark(f.db), 0);
    run("UPDATE t SET b = hex(randomblob(100))");
    sql_undo(f.db);
    run("UPDATE t SET b = 'one' WHERE a < 100");
    assert_int_equal(sql_commit(f.db, NULL), 0);
    same_file();
    run("VACUUM");
    same_file();
}

int commit_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large, setup, teardown),
    };
    return cmocka_run_group_tests_name("commit", tests, NULL, NULL);
}
