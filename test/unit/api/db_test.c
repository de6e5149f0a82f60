#include "api_test.h"

#include <errno.h>
#include <sys/stat.h>

static struct api_fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    return db_run(f.api.db, "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER, j TEXT)", NULL) < 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static void test_types(void **state)
{
    (void)state;
    AUTO(json_release) json_t *j = json_pack("{s:i}", "a", 1);
    AUTO(json_release) json_t *row = NULL;
    int64_t n = 0;
    EXPECT_EQ(db_run(f.api.db, "INSERT INTO t VALUES (?,?,?)", "slj", "a", (int64_t)1 << 40, j), 1);
    EXPECT_EQ(db_run(f.api.db, "INSERT INTO t VALUES (?,?,?)", "Sis", SLICE("b"), 0, NULL), 1);
    EXPECT_EQ(db_run(f.api.db, "INSERT INTO t VALUES ('a', 1, NULL)", NULL), -EEXIST);
    EXPECT_EQ(db_row(f.api.db, &row,
                     "SELECT n, n > 0 AS \"b:bool\", j AS \"j:json\", 0 AS \"at:time\" FROM t "
                     "WHERE k = ?",
                     "s", "a"),
              0);
    EXPECT_EQ(json_int(row, "n", 0), (int64_t)1 << 40);
    EXPECT(json_bool(row, "b", false));
    EXPECT_EQ(json_int(json_object_get(row, "j"), "a", 0), 1);
    assert_string_equal(json_str(row, "at", ""), "1970-01-01T00:00:00.000Z");
    json_t *none = NULL;
    EXPECT_EQ(db_row(f.api.db, &none, "SELECT 1 FROM t WHERE k = 'zzz'", NULL), -ENOENT);
    EXPECT_EQ(db_int(f.api.db, &n, "SELECT count(*) FROM t", NULL), 0);
    EXPECT_EQ(n, 2);
    EXPECT_EQ(db_run(f.api.db, "UPDATE t SET n = 5", NULL), 2);
    EXPECT_EQ(db_run(f.api.db, "DELETE FROM t WHERE k = 'zzz'", NULL), 0);
}

static void test_transaction(void **state)
{
    (void)state;
    int64_t n = 0;
    {
        AUTO(db_end) struct db *tx = NULL;
        EXPECT_EQ(db_begin(f.api.db, &tx), 0);
        EXPECT_EQ(db_run(f.api.db, "INSERT INTO t VALUES ('x', 1, NULL)", NULL), 1);
    }
    EXPECT_EQ(db_int(f.api.db, &n, "SELECT count(*) FROM t WHERE k = 'x'", NULL), 0);
    EXPECT_EQ(n, 0);
    {
        AUTO(db_end) struct db *tx = NULL, *inner = NULL;
        EXPECT_EQ(db_begin(f.api.db, &tx), 0);
        EXPECT_EQ(db_run(f.api.db, "INSERT INTO t VALUES ('y', 1, NULL)", NULL), 1);
        EXPECT_EQ(db_begin(f.api.db, &inner), 0);
        EXPECT_EQ(db_commit(&inner), 0);
        EXPECT_EQ(db_commit(&tx), 0);
    }
    EXPECT_EQ(db_int(f.api.db, &n, "SELECT count(*) FROM t WHERE k = 'y'", NULL), 0);
    EXPECT_EQ(n, 1);
}

static void test_log_is_put_back(void **state)
{
    (void)state;
    struct stat st;
    char wal[128];
    AUTO(buf_done) struct buf text = {0};
    for (int i = 0; i < 64 * 1024; i++)
        buf_append_char(&text, 'x');
    for (int i = 0; i < 400; i++) /* 25 MiB in all */
        EXPECT_EQ(db_run(f.api.db, "UPDATE t SET j = ? WHERE k = 'y'", "S", buf_slice(&text)), 1);
    snprintf(wal, sizeof(wal), "%s-wal", f.path);
    EXPECT_EQ(stat(wal, &st), 0);
    EXPECT(st.st_size < 12 * 1024 * 1024);
}

static void test_survives_reopening(void **state)
{
    (void)state;
    AUTO(db_release) struct db *again = NULL;
    struct err err = {0};
    int64_t n = 0;
    db_close(f.api.db);
    f.api.db = NULL;
    EXPECT_EQ(db_open(f.path, &again, &err), 0);
    EXPECT_EQ(db_int(again, &n, "SELECT count(*) FROM t WHERE k = 'y'", NULL), 0);
    EXPECT_EQ(n, 1);
}

int db_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_transaction),
        cmocka_unit_test(test_log_is_put_back),
        cmocka_unit_test(test_survives_reopening),
    };
    return cmocka_run_group_tests_name("db", tests, setup, teardown);
}
