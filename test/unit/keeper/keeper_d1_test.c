/* D1 through the keeper: units, errors, types, limits, groups, export. */
#include "keeper_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STORE SLICE("d1/one")

static struct answer *run(struct keeper_fixture *f, const char *body)
{
    PACK(&args, d1_run, .binding = 2);
    return call(&f->isolate, OP_d1_run, &args, slice_of(body));
}

static struct answer *rest(struct keeper_fixture *f, const char *body, uint32_t flags)
{
    PACK(&args, d1_run, .binding = UINT32_MAX, .store = STORE, .flags = flags);
    return call(&f->control, OP_d1_run, &args, slice_of(body));
}

static void expect_error(struct answer *a, const char *text)
{
    assert_true(a->result < 0);
    assert_string_equal(buf_cstr(&a->text), text);
}

/* Everything in front of the meta object. */
static void expect_results(struct answer *a, const char *start)
{
    if (a->result < 0)
        fail_msg("%s", buf_cstr(&a->text));
    struct slice json = json_of(a);
    if (!slice_starts(json, slice_of(start)))
        fail_msg("got %.*s", SLICE_ARG(json));
}

static void test_run(void **state)
{
    struct keeper_fixture *f = *state;
    expect_results(
        run(f, "[{\"sql\":\"CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c)\"}]"),
        "[{\"results\":[],\"success\":true");
    struct answer *a =
        run(f, "[{\"sql\":\"INSERT INTO t VALUES(?,?,?)\",\"params\":[1,\"x\\\"\",[1,2,255]]}]");
    expect_results(a, "[{\"results\":[]");
    assert_non_null(
        strstr(buf_cstr(&a->json), "\"changes\":1,\"last_row_id\":1,\"changed_db\":true"));
    assert_non_null(strstr(buf_cstr(&a->json), "\"rows_written\":2"));
    expect_results(run(f, "[{\"sql\":\"INSERT INTO t VALUES(?,?,?) RETURNING a, c AS "
                          "d\",\"params\":[2,\"y\",1.5]}]"),
                   "[{\"results\":[{\"a\":2,\"d\":1.5}]");
    expect_results(rest(f, "[{\"sql\":\"SELECT * FROM t; SELECT 1 AS a, 2 AS a\"}]", 0),
                   "[{\"results\":[{\"a\":1,\"b\":\"x\\\"\",\"c\":[1,2,255]},{\"a\":2,\"b\":\"y\","
                   "\"c\":1.5}]");
    expect_results(rest(f, "[{\"sql\":\"SELECT 1 AS a, 2 AS a\"}]", 0),
                   "[{\"results\":[{\"a\":2}]");
    expect_results(rest(f, "[{\"sql\":\"SELECT 1 AS a, 2 AS a\"}]", 1),
                   "[{\"results\":{\"columns\":[\"a\",\"a\"],\"rows\":[[1,2]]}");
    expect_results(
        rest(f, "[{\"sql\":\"SELECT 9007199254740993 AS a, -1 AS b, 1e300 AS c, NULL AS d\"}]", 0),
        "[{\"results\":[{\"a\":9007199254740993,\"b\":-1,\"c\":1.0000000000000001e+300,\"d\":null}"
        "]");
}

static void test_errors(void **state)
{
    struct keeper_fixture *f = *state;
    expect_error(run(f, "[{\"sql\":\"x\"}]"), "near \"x\": syntax error at offset 0: SQLITE_ERROR");
    expect_error(run(f, "[{\"sql\":\"SELECT * FROM x\"}]"), "no such table: x: SQLITE_ERROR");
    expect_error(run(f, "[{\"sql\":\"\"}]"), "No SQL statements detected.");
    expect_error(run(f, "[{\"sql\":\"SELECT 1; SELECT 2\"}]"),
                 "A prepared SQL statement must contain only one statement.");
    expect_error(run(f, "[{\"sql\":\"SELECT ?\",\"params\":[]}]"),
                 "Wrong number of parameter bindings for SQL query.");
    expect_error(run(f, "[{\"sql\":\"PRAGMA journal_mode=DELETE\"}]"),
                 "not authorized: SQLITE_AUTH");
    struct answer *a = run(f, "[{\"sql\":\"BEGIN\"}]");
    assert_true(slice_starts(buf_slice(&a->text), SLICE("To execute a transaction, please use")));
    a = run(f, "[{\"sql\":\"SELECT 1\"},{\"sql\":\"SELECT nope\"}]");
    expect_error(a, "no such column: nope at offset 7: SQLITE_ERROR");
    assert_string_equal(buf_cstr(&a->json), "{\"index\":1}");
    assert_true(run(f, "{\"sql\":1}")->result < 0);
    assert_true(run(f, "[")->result < 0);
}

static void test_units(void **state)
{
    struct keeper_fixture *f = *state;
    expect_results(rest(f,
                        "[{\"sql\":\"CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p "
                        "REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)\"}]",
                        0),
                   "[");
    /* A batch is one transaction. */
    assert_true(
        run(f, "[{\"sql\":\"INSERT INTO p VALUES(1)\"},{\"sql\":\"INSERT INTO p VALUES(1)\"}]")
            ->result < 0);
    expect_results(rest(f, "[{\"sql\":\"SELECT count(*) AS n FROM p\"}]", 0),
                   "[{\"results\":[{\"n\":0}]");
    /* Constraints that are checked at the commit fail their own unit and say so, also in a group. */
    static struct answer answers[3];
    static const char *const units[] = {"[{\"sql\":\"INSERT INTO p VALUES(10)\"}]",
                                        "[{\"sql\":\"INSERT INTO c VALUES(99)\"}]",
                                        "[{\"sql\":\"INSERT INTO p VALUES(11)\"}]"};
    for (int i = 0; i < 3; i++) {
        PACK(&args, d1_run, .binding = 2);
        call_start(&f->isolate, OP_d1_run, &args, slice_of(units[i]), &answers[i]);
    }
    for (int i = 0; i < 3; i++)
        answer_wait(&f->isolate, &answers[i]);
    assert_int_equal(answers[0].result, 0);
    expect_error(&answers[1], "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: "
                              "SQLITE_CONSTRAINT_FOREIGNKEY)");
    assert_int_equal(answers[2].result, 0);
    for (int i = 0; i < 3; i++) {
        answer_done(&answers[i]);
        answers[i] = (struct answer){0};
    }
    expect_results(rest(f, "[{\"sql\":\"SELECT count(*) AS n FROM p\"}]", 0),
                   "[{\"results\":[{\"n\":2}]");
    expect_results(rest(f,
                        "[{\"sql\":\"PRAGMA defer_foreign_keys=on; INSERT INTO c VALUES(77); "
                        "INSERT INTO p VALUES(77)\"}]",
                        0),
                   "[");
}

static void test_large_answer(void **state)
{
    struct keeper_fixture *f = *state;
    struct answer *a = rest(f,
                            "[{\"sql\":\"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 "
                            "FROM c WHERE x<200000) SELECT x, 'some text' AS t FROM c\"}]",
                            0);
    assert_int_equal(a->result, 0);
    assert_int_equal(buf_len(&a->json), 0);
    AUTO(json_release) json_t *parsed = NULL;
    assert_int_equal(json_parse(buf_slice(&a->body), &parsed, NULL), 0);
    assert_int_equal(json_array_size(json_object_get(json_array_get(parsed, 0), "results")),
                     200000);
}

static void test_export(void **state)
{
    struct keeper_fixture *f = *state;
    expect_results(rest(f,
                        "[{\"sql\":\"CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT, c "
                        "REAL); CREATE INDEX i ON t(b);"
                        "INSERT INTO t(b,c) VALUES('it''s',1.0),(NULL,0.5); CREATE VIRTUAL TABLE f "
                        "USING fts5(body);"
                        "INSERT INTO f VALUES('hello world'); CREATE VIEW v AS SELECT a FROM t\"}]",
                        0),
                   "[");
    PACK(&args, d1_export, .store = STORE, .options = SLICE("{}"));
    struct answer *a = call(&f->control, OP_d1_export, &args, SLICE_NONE);
    assert_int_equal(a->result, 0);
    char *dump = strdup(buf_cstr(&a->body));
    assert_non_null(strstr(dump, "INSERT INTO \"t\" (\"a\",\"b\",\"c\") VALUES(1,'it''s',1.0);\n"));
    assert_null(strstr(dump, "f_data"));
    /* The text builds the same database. */
    PACK(&args, store_drop, .store = STORE);
    assert_int_equal(call(&f->control, OP_store_drop, &args, SLICE_NONE)->result, 0);
    PACK(&args, store_make, .store = STORE);
    assert_int_equal(call(&f->control, OP_store_make, &args, SLICE_NONE)->result, 0);
    AUTO(buf_done) struct buf body = {0};
    buf_append_slice(&body, SLICE("[{\"sql\":"));
    json_quote(&body, slice_of(dump));
    buf_append_slice(&body, SLICE("}]"));
    expect_results(rest(f, buf_cstr(&body), 2), "[{\"num_queries\":10,\"success\":true");
    PACK(&args, d1_export, .store = STORE, .options = SLICE("{}"));
    a = call(&f->control, OP_d1_export, &args, SLICE_NONE);
    assert_string_equal(buf_cstr(&a->body), dump);
    PACK(&args, d1_export, .store = STORE,
         .options = SLICE("{\"no_data\":true,\"tables\":[\"t\"]}"));
    a = call(&f->control, OP_d1_export, &args, SLICE_NONE);
    assert_null(strstr(buf_cstr(&a->body), "INSERT"));
    free(dump);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static void test_group(void **state)
{
    struct keeper_fixture *f = *state;
    enum { N = 1000, ALONE = 20 };
    static struct answer answers[N];
    run(f, "[{\"sql\":\"CREATE TABLE t(a INTEGER PRIMARY KEY, b)\"}]");
    int64_t start = now_us();
    for (int i = 0; i < ALONE; i++)
        assert_int_equal(
            run(f, "[{\"sql\":\"INSERT INTO t(b) VALUES(?)\",\"params\":[\"value\"]}]")->result, 0);
    double alone = (double)(now_us() - start) / ALONE;
    start = now_us();
    for (int i = 0; i < N; i++) {
        PACK(&args, d1_run, .binding = 2);
        call_start(&f->isolate, OP_d1_run, &args,
                   SLICE("[{\"sql\":\"INSERT INTO t(b) VALUES(?)\",\"params\":[\"value\"]}]"),
                   &answers[i]);
    }
    for (int i = 0; i < N; i++) {
        answer_wait(&f->isolate, &answers[i]);
        assert_int_equal(answers[i].result, 0);
        answer_done(&answers[i]);
        answers[i] = (struct answer){0};
    }
    print_message("d1 insert: alone %.0f us, grouped %.1f us each\n", alone,
                  (double)(now_us() - start) / N);
    PACK(&args, store_info, .store = STORE);
    struct answer *a = call(&f->control, OP_store_info, &args, SLICE_NONE);
    assert_int_equal(a->result, 0);
    assert_non_null(strstr(buf_cstr(&a->json), "\"num_tables\":1"));
}

static struct answer *report(struct keeper_fixture *f, const char *body)
{
    PACK(&args, d1_usage, .binding = 2);
    return call(&f->isolate, OP_d1_usage, &args, slice_of(body));
}

static struct answer *figures(struct keeper_fixture *f, const char *order)
{
    PACK(&args, d1_figures, .store = STORE, .to_hour = INT32_MAX, .order = slice_of(order),
         .limit = 10);
    return call(&f->control, OP_d1_figures, &args, SLICE_NONE);
}

static void test_figures(void **state)
{
    struct keeper_fixture *f = *state;
    run(f, "[{\"sql\":\"CREATE TABLE t(a)\"}]");
    run(f, "[{\"sql\":\"INSERT INTO t VALUES(1), (2)\"}]");
    assert_int_equal(report(f, "[[\"SELECT * FROM t\",3,1500,6,6],[\"x\",-5,0,-1,0]]")->result, 0);
    struct answer *a = figures(f, "sum_rowsRead_DESC");
    assert_int_equal(a->result, 0);
    const char *wanted = "[{\"query\":\"SELECT * FROM t\",\"key\":6,\"count\":3,"
                         "\"queryDurationMs\":1.5,\"rowsRead\":6,\"rowsWritten\":0,"
                         "\"rowsReturned\":6},";
    assert_memory_equal(json_of(a).ptr, wanted, strlen(wanted));
    a = figures(f, "");
    assert_non_null(strstr(buf_cstr(&a->json), "\"readQueries\":3,\"writeQueries\":2"));
    expect_error(figures(f, "rowid; DROP TABLE usage"),
                 "\"rowid; DROP TABLE usage\" is no order of queries");
    for (const char *const *bad =
             (const char *const[]){"", "{}x", "[1]", "[[1]]", "[[null,1,1,1,1]]", NULL};
         *bad != NULL; bad++)
        expect_error(report(f, *bad), "malformed message");
}

int keeper_d1_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_run, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_errors, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_units, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_large_answer, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_export, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_figures, keeper_setup, keeper_teardown),
        cmocka_unit_test_setup_teardown(test_group, keeper_setup, keeper_teardown),
    };
    return cmocka_run_group_tests_name("keeper d1", tests, NULL, NULL);
}
