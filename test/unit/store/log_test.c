/*
 * The log by itself: outcomes, damage, a full disk. That power cuts lose nothing: power_test.c.
 */
#include "store_test.h"

#include "core/file.h"
#include "store/log.h"
#include "store/log_record.h"
#include "store/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEGMENT = 1024 * 1024 };

static struct {
    const char *dir;
    struct log *log;
    struct sql *db;
    enum log_outcome fault;
    int64_t size_max;
} f;

static enum log_outcome fault(void *arg, const struct log *log)
{
    (void)arg;
    (void)log;
    return f.fault;
}

static void begin(const char *boot)
{
    struct log_options options = {.disk = &disk_system,
                                  .root = f.dir,
                                  .boot = boot,
                                  .size_max = f.size_max,
                                  .segment_size = SEGMENT,
                                  .fault = fault};
    struct err err = {0};
    if (log_open(&options, &f.log, &err) < 0)
        fail_msg("%s", err.text);
}

static void database(const char *name)
{
    char path[160];
    struct sql_logging logging = {.log = f.log, .name = slice_of(name), .epoch = log_epoch(f.log)};
    snprintf(path, sizeof(path), "%s/%s", f.dir, name);
    assert_int_equal(sql_open_logged(path, SQL_WRITE, &logging, &f.db, NULL), 0);
}

static int setup_empty(void **state)
{
    char path[100];
    (void)state;
    memset(&f, 0, sizeof(f));
    f.dir = store_test_dir();
    f.size_max = 4 * SEGMENT;
    snprintf(path, sizeof(path), "%s/log", f.dir);
    return mkdir(path, 0700);
}

static int setup(void **state)
{
    assert_int_equal(setup_empty(state), 0);
    begin("a");
    database("one.sqlite");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sql_close(f.db);
    log_close(f.log);
    store_test_remove(f.dir);
    return 0;
}

static int run(const char *text, struct err *err)
{
    AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
    struct slice rest;
    int r = sql_prepare(f.db, slice_of(text), &s, &rest, err);
    return r == 0 ? sql_run(s, err) : r;
}

static int commit(const char *text, struct err *err)
{
    struct buf records;
    int64_t reserved;
    int r = run(text, err);
    if (r < 0)
        return r;
    sql_log_take(f.db, &records, &reserved);
    return log_append_wait(f.log, &records, reserved);
}

static void test_outcomes(void **state)
{
    struct buf records, old = {0};
    int64_t reserved;
    (void)state;
    assert_int_equal(commit("CREATE TABLE t(a)", NULL), 0);
    assert_int_equal(run("INSERT INTO t VALUES(1)", NULL), 0);
    sql_log_take(f.db, &records, &reserved);
    buf_append_slice(&old, buf_slice(&records));
    assert_int_equal(log_append_wait(f.log, &records, reserved), 0);
    assert_int_equal(log_append_wait(f.log, &old, 0), -ESTALE); /* the same once more */
    f.fault = LOG_UNKNOWN;
    assert_int_equal(commit("INSERT INTO t VALUES(2)", NULL), -EIO);
    f.fault = LOG_UNAVAILABLE;
    assert_int_equal(commit("INSERT INTO t VALUES(3)", NULL), -ENOSPC);
    f.fault = LOG_OK;
    assert_int_equal(commit("INSERT INTO t VALUES(4)", NULL), -ESTALE); /* one is missing */
    sql_log_again(f.db, 0);
    assert_int_equal(commit("INSERT INTO t VALUES(5)", NULL), 0); /* everything */
}

/* In a process that ends without closing anything. */
static void damage_prepare(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        begin("a");
        database("one.sqlite");
        struct sql *one = f.db;
        int r = commit("CREATE TABLE t(a)", NULL);
        database("two.sqlite");
        r |= commit("CREATE TABLE t(a)", NULL);
        f.db = one;
        r |= commit("INSERT INTO t VALUES(7)", NULL);
        _exit(r == 0 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* One bit of the only record of a database is not what it was: it is named, the other one is whole. */
static void test_damage(void **state)
{
    char path[160], byte;
    struct err err = {0};
    (void)state;
    damage_prepare();
    snprintf(path, sizeof(path), "%s/log/0", f.dir);
    AUTO(fd_release) int fd = open(path, O_RDWR | O_CLOEXEC);
    AUTO(buf_done) struct buf all = {0};
    assert_int_equal(file_read(AT_FDCWD, path, 8 * SEGMENT, &all), 0);
    ssize_t at = slice_find_slice(buf_slice(&all), SLICE("two.sqlite"));
    assert_true(at > 0);
    at += 40; /* in the body */
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    begin("b");
    struct log_facts facts;
    log_facts(f.log, &facts);
    assert_int_equal(facts.quarantined, 1);
    snprintf(path, sizeof(path), "%s/two.sqlite", f.dir);
    assert_int_equal(sql_open(path, SQL_WRITE, &f.db, &err), -EUCLEAN);
    assert_non_null(strstr(err.text, "quarantined"));
    database("one.sqlite");
    assert_int_equal(run("INSERT INTO t VALUES(8)", NULL), 0);
    struct sql_stmt *s = sql_cached(f.db, "SELECT sum(a) FROM t");
    assert_int_equal(sql_step(s, NULL), 1);
    assert_int_equal(sql_column_int(s, 0), 15);
    sql_reset(s);
}

static void test_full(void **state)
{
    struct err err = {0};
    (void)state;
    assert_int_equal(commit("CREATE TABLE t(a)", NULL), 0);
    int r = 0;
    for (int i = 0; i < 100 && r == 0; i++)
        r = commit("INSERT INTO t VALUES(randomblob(200000))", &err);
    assert_int_equal(r, -ENOSPC);
    assert_non_null(strstr(err.text, "No space left"));
    sql_checkpoint(f.db); /* what the log holds can go */
    log_flush(f.log);
    err.text[0] = 0;
    r = 0;
    for (int i = 0; i < 4 && r == 0; i++)
        r = commit("INSERT INTO t VALUES(randomblob(20000))", &err);
    assert_string_equal(err.text, "");
    assert_int_equal(r, 0);
}

int log_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_outcomes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup_empty, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
