/* The cache: what HTTP says about storing and reusing, and the store with its limits, on a directory of its own. */
#include "core/file.h"
#include "product/cache/cache_policy.h"
#include "product/cache/cache_store.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NOW_S = 1700000000 };
#define NOW_MS (INT64_C(1000) * NOW_S) /* Tue, 14 Nov 2023 22:13:20 GMT */

static int64_t ttl(const char *headers)
{
    struct cache_rules rules;
    cache_rules_of(slice_of(headers), NOW_MS, &rules);
    return rules.ttl_s;
}

static void test_freshness(void **state)
{
    static const struct {
        const char *headers;
        int64_t ttl_s;
    } rows[] = {
        {"", -1},
        {"cache-control: public\r\n", -1},
        {"cache-control: max-age=60\r\n", 60},
        {"cache-control: Max-Age=\"60\"\r\n", 60},
        {"cache-control: max-age=60, s-maxage=5\r\n", 5},
        {"cache-control: s-maxage=5\r\ncache-control: max-age=60\r\n", 5},
        {"cache-control: max-age=abc\r\n", 0},
        {"cache-control: max-age=\r\n", 0},
        {"cache-control: max-age=99999999999999999999\r\n", CACHE_TTL_MAX_S},
        {"expires: Tue, 14 Nov 2023 22:14:20 GMT\r\n", 60},
        {"expires: Tue, 14 Nov 2023 22:12:20 GMT\r\n", 0},
        {"expires: 0\r\n", 0},
        {"date: Tue, 14 Nov 2023 22:13:50 GMT\r\nexpires: Tue, 14 Nov 2023 22:14:20 GMT\r\n", 30},
        {"cache-control: max-age=7\r\nexpires: Tue, 14 Nov 2023 22:14:20 GMT\r\n", 7},
        {"cache-control: x=\"max-age=5\"\r\n", -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (ttl(rows[i].headers) != rows[i].ttl_s)
            fail_msg("%s: %lld", rows[i].headers, (long long)ttl(rows[i].headers));
}

static void test_directives(void **state)
{
    struct cache_rules r;
    (void)state;
    cache_rules_of(SLICE("cache-control: private=\"Set-Cookie\", stale-if-error=9\r\nset-cookie: "
                         "a\r\nage: 4\r\n"),
                   NOW_MS, &r);
    EXPECT(r.cookie_private && r.has_cookie && !r.is_private && r.stale_if_error_s == 9);
    EXPECT_EQ(r.age_s, 4);
    cache_rules_of(SLICE("cache-control: no-store, private, no-cache, proxy-revalidate\r\n"),
                   NOW_MS, &r);
    EXPECT(r.no_store && r.is_private && r.no_cache && r.must_revalidate);
    EXPECT(cache_request_refuses(SLICE("pragma: no-cache\r\n")));
    EXPECT(cache_request_refuses(SLICE("cache-control: a, max-age=0\r\n")));
    EXPECT(!cache_request_refuses(SLICE("cache-control: max-age=10\r\n")));
}

static void test_ranges(void **state)
{
    static const struct {
        const char *range;
        int result;
        int64_t from, to;
    } rows[] = {
        {"bytes=0-0", 1, 0, 1},      {"bytes=2-", 1, 2, 10},   {"bytes=-4", 1, 6, 10},
        {"bytes=-40", 1, 0, 10},     {"bytes=5-99", 1, 5, 10}, {"bytes=10-", -ERANGE, 0, 0},
        {"bytes=-0", -ERANGE, 0, 0}, {"bytes=4-2", 0, 0, 0},   {"bytes=a-b", 0, 0, 0},
        {"bytes=1-2,4-5", 0, 0, 0},  {"lines=1-2", 0, 0, 0},   {"bytes", 0, 0, 0},
        {"bytes= 1 - 2 ", 1, 1, 3},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_done) struct buf request = {0};
        int64_t from = 0, to = 0;
        buf_printf(&request, "range: %s\r\n", rows[i].range);
        EXPECT_EQ(cache_range(buf_slice(&request), SLICE_NONE, 10, &from, &to), rows[i].result);
        EXPECT_EQ(from, rows[i].from);
        EXPECT_EQ(to, rows[i].to);
    }
    int64_t from, to;
    struct slice part = SLICE("range: bytes=1-2\r\nif-range: \"a\"\r\n");
    EXPECT_EQ(cache_range(part, SLICE("etag: \"a\"\r\n"), 10, &from, &to), 1);
    EXPECT_EQ(cache_range(part, SLICE("etag: \"b\"\r\n"), 10, &from, &to), 0);
}

static void test_vary(void **state)
{
    AUTO(buf_done) struct buf vary = {0};
    (void)state;
    EXPECT_EQ(cache_vary_of(SLICE("vary: X-A, accept\r\n"), SLICE("x-a: 1\r\nx-a: 2\r\n"), &vary),
              0);
    EXPECT(slice_eq(buf_slice(&vary), SLICE("x-a: 1, 2\naccept: \n")));
    EXPECT(cache_vary_matches(buf_slice(&vary), SLICE("x-a: 1, 2\r\n")));
    EXPECT(!cache_vary_matches(buf_slice(&vary), SLICE("x-a: 1\r\n")));
    EXPECT(!cache_vary_matches(buf_slice(&vary), SLICE("x-a: 1, 2\r\naccept: x\r\n")));
    EXPECT_EQ(cache_vary_of(SLICE("vary: a, *\r\n"), SLICE_NONE, &vary), -EINVAL);
}

static void test_renewed_headers(void **state)
{
    AUTO(buf_done) struct buf out = {0};
    (void)state;
    cache_headers_renew(SLICE("etag: \"a\"\r\ncontent-type: text/x\r\nx-a: 1\r\n"),
                        SLICE("etag: \"b\"\r\ncontent-type: other\r\ncontent-length: 0\r\n"), &out);
    EXPECT(slice_eq(buf_slice(&out), SLICE("content-type: text/x\r\nx-a: 1\r\netag: \"b\"\r\n")));
}

/* --- the store --- */

static struct {
    char dir[64];
    struct loop *loop;
    struct work_pool *pool;
    struct cache *cache;
} f;

static void turns(void)
{
    for (int i = 0; i < 50; i++)
        loop_turn(f.loop, 2);
}

static void open_store(const struct cache_limits *limits)
{
    f.loop = loop_create();
    f.pool = work_pool_create(f.loop, 1);
    f.cache = cache_create(f.loop, f.pool, open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), limits);
    while (!cache_is_ready(f.cache))
        loop_turn(f.loop, 10);
}

static void close_store(void)
{
    turns();
    work_pool_destroy(f.pool);
    turns();
    cache_destroy(f.cache);
    loop_destroy(f.loop);
}

static const struct cache_limits wide = {1 << 20, 1 << 20, 1 << 20, 100};

static struct cache_key key_of(const char *partition, const char *url)
{
    return (struct cache_key){slice_of(partition), SLICE_NONE, slice_of(url)};
}

static void put(const char *partition, const char *url, const char *vary, size_t size, char fill)
{
    struct cache_key key = key_of(partition, url);
    struct cache_meta meta = {.status = 200, .time_ms = 5, .expires_ms = 10};
    char bytes[1024];
    struct cache_put *p =
        cache_put_begin(f.cache, &key, &meta, SLICE("x-a: 1\r\ncache-tag: t\r\n"), slice_of(vary));
    assert_non_null(p);
    memset(bytes, fill, sizeof(bytes));
    for (size_t at = 0; at < size; at += sizeof(bytes))
        EXPECT_EQ(cache_put_write(p, slice_from(bytes, MIN(size - at, sizeof(bytes)))), 0);
    cache_put_commit(p);
}

/* The body's first byte, 0 for a miss, '-' for an empty body. */
static char look(const char *partition, const char *url, const char *request)
{
    struct cache_key key = key_of(partition, url);
    AUTO(cache_entry_release) struct cache_entry *e = cache_find(f.cache, &key, slice_of(request));
    char byte = '-';
    int64_t offset;
    if (e == NULL)
        return 0;
    EXPECT(slice_starts(buf_slice(&e->headers), SLICE("x-a: 1\r\n")));
    AUTO(fd_release) int fd = cache_entry_open(e, &offset);
    EXPECT(fd >= 0);
    if (e->size > 0)
        EXPECT_EQ(pread(fd, &byte, 1, offset), 1);
    if (e->has_body && e->size > 0)
        EXPECT_EQ(buf_slice(&e->body).ptr[0], byte);
    return byte;
}

static void test_store(void **state)
{
    (void)state;
    open_store(&wide);
    put("a", "https://x/1", "", 100, 'a');
    put("b", "https://x/1", "", 300000, 'b');
    put("a", "https://x/2", "accept: x\n", 10, 'c');
    put("a", "https://x/2", "accept: y\n", 10, 'd');
    put("a", "https://x/3", "", 0, 'e');
    EXPECT_EQ(look("a", "https://x/1", ""), 'a');
    EXPECT_EQ(look("b", "https://x/1", ""), 'b');
    EXPECT_EQ(look("c", "https://x/1", ""), 0);
    EXPECT_EQ(look("a", "https://x/2", "accept: x\r\n"), 'c');
    EXPECT_EQ(look("a", "https://x/2", "accept: y\r\n"), 'd');
    EXPECT_EQ(look("a", "https://x/2", ""), 0);
    EXPECT_EQ(look("a", "https://x/3", ""), '-');
    put("a", "https://x/1", "", 100, 'z');
    EXPECT_EQ(look("a", "https://x/1", ""), 'z');
    close_store();

    open_store(&wide); /* as after a restart */
    struct cache_stats stats;
    cache_stats(f.cache, &stats);
    EXPECT_EQ(stats.entries, 5);
    EXPECT_EQ(look("a", "https://x/1", ""), 'z');
    EXPECT_EQ(look("b", "https://x/1", ""), 'b');
    EXPECT_EQ(look("a", "https://x/2", "accept: y\r\n"), 'd');
    struct cache_key key = key_of("a", "https://x/2");
    EXPECT(cache_remove(f.cache, &key));
    EXPECT(!cache_remove(f.cache, &key));
    EXPECT_EQ(look("a", "https://x/2", "accept: x\r\n"), 0);
    close_store();
}

static void test_limits(void **state)
{
    struct cache_limits limits = {
        .disk_max = 40000, .memory_max = 3000, .object_max = 20000, .entries_max = 3};
    struct cache_stats stats;
    char url[32];
    (void)state;
    open_store(&limits);
    for (char c = 'a'; c < 'h'; c++) {
        snprintf(url, sizeof(url), "https://x/%c", c);
        put("a", url, "", 2000, c);
        turns();
    }
    cache_stats(f.cache, &stats);
    EXPECT(stats.entries == 3 && stats.memory <= limits.memory_max);
    EXPECT_EQ(look("a", "https://x/a", ""), 0);
    EXPECT_EQ(look("a", "https://x/e", ""), 'e'); /* from the disk again */
    put("a", "https://x/h", "", 2000, 'h');
    EXPECT_EQ(look("a", "https://x/f", ""), 0); /* e was used after it */
    EXPECT_EQ(look("a", "https://x/e", ""), 'e');
    for (char c = 'm'; c < 'p'; c++) {
        snprintf(url, sizeof(url), "https://x/%c", c);
        put("a", url, "", 19000, c);
    }
    cache_stats(f.cache, &stats);
    EXPECT(stats.disk <= limits.disk_max);
    struct cache_key key = key_of("a", "https://x/large");
    struct cache_meta meta = {.status = 200};
    struct cache_put *p = cache_put_begin(f.cache, &key, &meta, SLICE_NONE, SLICE_NONE);
    EXPECT_EQ(cache_put_write(p, slice_from(url, sizeof(url))), 0);
    AUTO(buf_done) struct buf large = {0};
    memset(buf_reserve(&large, 20000), 'x', 20000);
    buf_added(&large, 20000);
    EXPECT_EQ(cache_put_write(p, buf_slice(&large)), -E2BIG);
    cache_put_drop(p);
    close_store();
}

static void test_renewal(void **state)
{
    (void)state;
    open_store(&wide);
    put("a", "https://x/r", "", 10, 'r');
    turns();
    struct cache_key key = key_of("a", "https://x/r");
    struct cache_entry *e = cache_find(f.cache, &key, SLICE_NONE);
    cache_entry_renew(e, &(struct cache_meta){.time_ms = 70, .expires_ms = 80},
                      SLICE("x-a: 1\r\nx-new: 1\r\n"));
    cache_entry_unref(e);
    close_store();
    open_store(&wide);
    e = cache_find(f.cache, &key, SLICE_NONE);
    assert_non_null(e);
    EXPECT(e->meta.expires_ms == 80 && e->meta.status == 200);
    EXPECT(slice_ends(buf_slice(&e->headers), SLICE("x-new: 1\r\n")));
    cache_entry_unref(e);
    close_store();
}

static int setup(void **state)
{
    (void)state;
    snprintf(f.dir, sizeof(f.dir), "/tmp/selvedge-cache-XXXXXX");
    return mkdtemp(f.dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(AT_FDCWD, f.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freshness),
        cmocka_unit_test(test_directives),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_vary),
        cmocka_unit_test(test_renewed_headers),
        cmocka_unit_test_setup_teardown(test_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewal, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
