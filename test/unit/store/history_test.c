/*
 * A history gives back every state that it saw, and none that it did not.
 */
#include "store_test.h"

#include "core/buf.h"
#include "core/file.h"
#include "store/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATES = 120 };

static struct {
    struct sql *db;
    struct history *h;
    const char *dir;
    char path[128], history[128], built[128];
    char states[STATES][80]; /* by number */
    unsigned seed;
} f;

static void open_all(void)
{
    assert_int_equal(sql_open(f.path, SQL_WRITE, &f.db, NULL), 0);
    assert_int_equal(history_open(f.history, f.db, &f.h, NULL), 0);
}

static void close_all(void)
{
    sql_close(f.db);
    history_close(f.h);
    f.db = NULL;
    f.h = NULL;
}

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    f.dir = store_test_dir();
    snprintf(f.path, sizeof(f.path), "%s/db.sqlite", f.dir);
    snprintf(f.history, sizeof(f.history), "%s/history", f.dir);
    snprintf(f.built, sizeof(f.built), "%s/built.sqlite", f.dir);
    f.seed = 7;
    open_all();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_all();
    store_test_remove(f.dir);
    return 0;
}

static void run(struct sql *db, const char *text)
{
    AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
    struct slice rest;
    assert_int_equal(sql_prepare(db, slice_of(text), &s, &rest, NULL), 0);
    assert_int_equal(sql_run(s, NULL), 0);
}

/* What is in a database, in one line. */
static void describe(struct sql *db, char ret[80])
{
    AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
    struct slice rest;
    assert_int_equal(sql_prepare(db,
                                 SLICE("SELECT count(*) || ' ' || coalesce(sum(id), 0) || ' ' || "
                                       "coalesce(sum(length(b)), 0) "
                                       "|| ' ' || coalesce(max(hex(substr(b, 5, 8))), '') FROM t"),
                                 &s, &rest, NULL),
                     0);
    assert_int_equal(sql_step(s, NULL), 1);
    assert_int_equal(slice_to_cstr(sql_column_bytes(s, 0), ret, 80), 0);
}

static unsigned any(unsigned n)
{
    f.seed = f.seed * 1103515245u + 12345u;
    return (f.seed >> 16) % n;
}

static void commit(const char *text)
{
    assert_int_equal(sql_begin(f.db, NULL), 0);
    run(f.db, text);
    assert_int_equal(sql_commit(f.db, NULL), 0);
    describe(f.db, f.states[sql_txn_number(f.db)]);
}

static void change(void)
{
    char text[160];
    unsigned size = any(4) == 0 ? any(400000) : any(300);
    if (any(4) == 0)
        snprintf(text, sizeof(text), "DELETE FROM t WHERE id %% 7 = %u", any(7));
    else
        snprintf(text, sizeof(text),
                 "INSERT INTO t(b) VALUES(randomblob(%u)), ('x'), (zeroblob(9))", 12 + size);
    commit(text);
}

/* The state with that number is what it was, or is not kept (r). */
static void expect_state(uint64_t number, int r)
{
    char got[80];
    struct sql *db;
    assert_int_equal(history_build(f.h, number, f.built, NULL), r);
    if (r < 0)
        return;
    assert_int_equal(sql_open(f.built, SQL_WRITE, &db, NULL), 0);
    assert_int_equal(sql_txn_number(db), number);
    describe(db, got);
    sql_close(db);
    if (strcmp(got, f.states[number]) != 0)
        fail_msg("state %u: %s, was %s", (unsigned)number, got, f.states[number]);
}

static void begin(void)
{
    commit("CREATE TABLE t(id INTEGER PRIMARY KEY, b)");
}

static void test_every_state(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 100; i++) {
        change();
        if (any(3) == 0)
            history_settle(f.h);
        if (any(5) == 0)
            history_tidy(f.h); /* makes new bases on the way */
        if (any(10) == 0)
            sql_checkpoint(f.db);
        if (any(20) == 0) {
            close_all();
            open_all();
        }
    }
    assert_int_equal(history_last(f.h), 101);
    for (uint64_t n = 1; n <= 101; n++)
        expect_state(n, 0);
    expect_state(102, -ENOENT);
}

static void test_restore_can_be_undone(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 10; i++)
        change();
    char got[80];
    uint64_t before = sql_txn_number(f.db);
    assert_int_equal(history_restore(f.h, 4, NULL), 0);
    describe(f.db, got);
    assert_string_equal(got, f.states[4]);
    assert_true(sql_txn_number(f.db) > before);
    run(f.db, "PRAGMA integrity_check");
    assert_int_equal(history_restore(f.h, before, NULL), 0);
    describe(f.db, got);
    assert_string_equal(got, f.states[before]);
    change();
    expect_state(sql_txn_number(f.db), 0);
    expect_state(before, 0);
}

static void test_by_time(void **state)
{
    uint64_t number;
    (void)state;
    begin();
    change();
    history_settle(f.h);
    assert_int_equal(history_at(f.h, INT64_MAX, &number, NULL), 0);
    assert_int_equal(number, 2);
    assert_int_equal(history_at(f.h, 1000, &number, NULL), -ENOENT);
}

/* The newest log, cut by so many bytes. */
static void tear(off_t n)
{
    char newest[256] = "";
    DIR *d = opendir(f.history);
    struct dirent *e;
    struct stat st;
    while ((e = readdir(d)) != NULL) {
        if (strstr(e->d_name, ".log") != NULL && strcmp(e->d_name, newest) > 0)
            snprintf(newest, sizeof(newest), "%s", e->d_name);
    }
    closedir(d);
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", f.history, newest);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - n), 0);
}

/* What was lost is unknown, never wrong; what came before and after is there. */
static void test_torn(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 5; i++)
        change();
    close_all();
    tear(5);
    open_all();
    change();
    for (uint64_t n = 1; n <= 5; n++)
        expect_state(n, 0);
    expect_state(6, 0); /* the new base */
    expect_state(7, 0);
    close_all();
    tear(5);
    open_all();
    change();
    change();
    expect_state(7, 0);
    expect_state(9, 0);
}

/* A power cut may take back commits that were told: the history forgets them too. */
static void test_never_ahead(void **state)
{
    (void)state;
    char copy[160];
    snprintf(copy, sizeof(copy), "%s/copy.sqlite", f.dir);
    begin();
    change();
    assert_int_equal(sql_copy(f.db, copy, NULL), 0);
    change();
    change();
    close_all();
    char log[160];
    snprintf(log, sizeof(log), "%s-wal", f.path);
    assert_int_equal(rename(copy, f.path), 0);
    assert_int_equal(unlink(log), 0);
    open_all();
    assert_int_equal(history_last(f.h), 2);
    expect_state(3, -ENOENT);
    change();
    for (uint64_t n = 1; n <= 3; n++)
        expect_state(n, 0);
}

int history_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restore_can_be_undone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_by_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_ahead, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
