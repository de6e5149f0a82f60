#include "core/json.h"
#include "core/log.h"
#include "core_test.h"

#include <stdlib.h>

static struct {
    int saved_stderr, fds[2];
    char text[16384];
} f;

static int setup(UNUSED void **state)
{
    f.saved_stderr = dup(STDERR_FILENO);
    log_init("tester", LOG_INFO);
    return pipe2(f.fds, O_NONBLOCK) < 0 || dup2(f.fds[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    dup2(f.saved_stderr, STDERR_FILENO);
    close(f.saved_stderr);
    close(f.fds[0]);
    close(f.fds[1]);
    return 0;
}

/* What was logged since; the text is zero-terminated. */
static struct slice logged(void)
{
    ssize_t n = read(f.fds[0], f.text, sizeof(f.text) - 1);
    f.text[n < 0 ? 0 : n] = '\0';
    return slice_of(f.text);
}

static json_t *logged_line(void)
{
    json_t *v = NULL;
    struct slice line = logged();
    if (!slice_ends(line, SLICE("\n")) || slice_find(line, '\n') != (ssize_t)line.len - 1)
        return NULL;
    return json_parse(line, &v, NULL) < 0 ? NULL : v;
}

static void writes_one_json_line(UNUSED void **state)
{
    LOG(LOG_WARN, "listening", F("address", "%s:%d", "127.0.0.1", 80), F("quote", "a\"b\n\xff"));
    AUTO(json_release) json_t *v = logged_line();
    EXPECT(v != NULL);
    assert_string_equal(json_str(v, "level", ""), "warn");
    assert_string_equal(json_str(v, "role", ""), "tester");
    assert_string_equal(json_str(v, "event", ""), "listening");
    assert_string_equal(json_str(v, "address", ""), "127.0.0.1:80");
    assert_string_equal(json_str(v, "quote", ""), "a\"b\n\xef\xbf\xbd");
    EXPECT_EQ(strlen(json_str(v, "time", "")), 24);
}

static void keeps_quiet_below_its_level(UNUSED void **state)
{
    LOG(LOG_DEBUG, "unseen", F("a", "b"));
    EXPECT_EQ(logged().len, 0);
    LOG(LOG_INFO, "seen");
    EXPECT(logged().len > 0);
}

static void cuts_long_lines_and_says_so(UNUSED void **state)
{
    LOG(LOG_ERROR, "long", F("a", "%03000d", 1));
    AUTO(json_release) json_t *one = logged_line();
    EXPECT(one != NULL && json_bool(one, "cut", false));

    log_begin(LOG_ERROR, "long");
    for (int i = 0; i < 1000; i++)
        log_field("name", "%0*d\x01", i % 90, i);
    log_end();
    struct slice line = logged();
    EXPECT(line.len <= 4096 && slice_ends(line, SLICE(",\"cut\":true}\n")));

    log_begin(LOG_ERROR, "full of escapes");
    log_field("a", "%s", "short");
    char controls[2000];
    memset(controls, 1, sizeof(controls));
    log_field("b", "%.*s", (int)sizeof(controls), controls);
    log_field("c", "%s", "no room");
    log_end();
    AUTO(json_release) json_t *two = logged_line();
    EXPECT(two != NULL && json_bool(two, "cut", false));
    assert_string_equal(json_str(two, "a", ""), "short");
}

static void survives_a_closed_stderr(UNUSED void **state)
{
    close(STDERR_FILENO);
    LOG(LOG_ERROR, "nobody reads this", F("a", "b"));
    EXPECT_EQ(logged().len, 0);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int log_tests(void)
{
    static const struct CMUnitTest tests[] = {
        LOG_TEST(writes_one_json_line),
        LOG_TEST(keeps_quiet_below_its_level),
        LOG_TEST(cuts_long_lines_and_says_so),
        LOG_TEST(survives_a_closed_stderr),
    };
    return RUN("log", tests);
}
