/* Static assets: which file answers a path, with the tables of the original's documentation. */
#include "product/assets/assets_path.h"
#include "product/assets/assets_rules.h"
#include "product/assets/assets_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const tree_files[] = {"/index.html", "/file.html",       "/folder/index.html",
                                         "/both.html",  "/both/index.html", "/bin",
                                         "/404.html",   "/folder/404.html", "/a b.html",
                                         "/pair",       "/pair.html",       NULL};

static bool exists(const void *arg, struct slice path)
{
    for (const char *const *f = arg; *f != NULL; f++)
        if (slice_eq(path, slice_of(*f)))
            return true;
    return false;
}

/* "S /file" serves, "> /path" redirects, "4 /404.html" is a not-found page, "-" is nothing. */
static void expect(const char *html, const char *missing, const char *path, const char *want)
{
    AUTO(arena_done) struct arena arena = {0};
    struct assets_tree tree = {exists, tree_files, assets_html_of(slice_of(html)),
                               assets_missing_of(slice_of(missing))};
    struct assets_intent got;
    char text[128];

    assert_int_equal(assets_resolve(&arena, &tree, slice_of(path), &got), 0);
    if (got.what == ASSETS_NOTHING)
        snprintf(text, sizeof(text), "-");
    else
        snprintf(text, sizeof(text), "%s %.*s",
                 got.what == ASSETS_REDIRECT ? ">"
                 : got.status == 404         ? "4"
                                             : "S",
                 SLICE_ARG(got.path));
    if (strcmp(text, want) != 0)
        fail_msg("%s %s: got \"%s\", want \"%s\"", html, path, text, want);
}

static void paths_follow_html_handling(void **state UNUSED)
{
    static const struct {
        const char *html, *path, *want;
    } rows[] = {
        {"auto-trailing-slash", "/", "S /index.html"},
        {"auto-trailing-slash", "/index.html", "> /"},
        {"auto-trailing-slash", "/index", "> /"},
        {"auto-trailing-slash", "/file", "S /file.html"},
        {"auto-trailing-slash", "/file.html", "> /file"},
        {"auto-trailing-slash", "/file/", "> /file"},
        {"auto-trailing-slash", "/file/index", "> /file"},
        {"auto-trailing-slash", "/folder", "> /folder/"},
        {"auto-trailing-slash", "/folder/", "S /folder/index.html"},
        {"auto-trailing-slash", "/folder/index.html", "> /folder/"},
        {"auto-trailing-slash", "/folder/index", "> /folder/"},
        {"auto-trailing-slash", "/folder.html", "> /folder/"},
        {"auto-trailing-slash", "/both", "S /both.html"},
        {"auto-trailing-slash", "/both/", "S /both/index.html"},
        {"auto-trailing-slash", "/bin", "S /bin"},
        {"auto-trailing-slash", "/bin/", "-"},
        {"auto-trailing-slash", "/none", "-"},
        {"auto-trailing-slash", "/pair", "S /pair"},
        {"auto-trailing-slash", "/pair.html", "S /pair.html"},
        {"force-trailing-slash", "/file", "> /file/"},
        {"force-trailing-slash", "/file/", "S /file.html"},
        {"force-trailing-slash", "/file.html", "> /file/"},
        {"force-trailing-slash", "/folder", "> /folder/"},
        {"force-trailing-slash", "/folder/", "S /folder/index.html"},
        {"force-trailing-slash", "/index.html", "> /"},
        {"drop-trailing-slash", "/", "S /index.html"},
        {"drop-trailing-slash", "/index.html", "> /"},
        {"drop-trailing-slash", "/file", "S /file.html"},
        {"drop-trailing-slash", "/file/", "> /file"},
        {"drop-trailing-slash", "/file.html", "> /file"},
        {"drop-trailing-slash", "/folder", "S /folder/index.html"},
        {"drop-trailing-slash", "/folder/", "> /folder"},
        {"drop-trailing-slash", "/folder/index.html", "> /folder"},
        {"none", "/", "-"},
        {"none", "/file", "-"},
        {"none", "/file.html", "S /file.html"},
        {"none", "/index.html", "S /index.html"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect(rows[i].html, "none", rows[i].path, rows[i].want);
}

static void missing_pages(void **state UNUSED)
{
    expect("auto-trailing-slash", "single-page-application", "/deep/route", "S /index.html");
    expect("auto-trailing-slash", "404-page", "/none", "4 /404.html");
    expect("auto-trailing-slash", "404-page", "/folder/none/x", "4 /folder/404.html");
}

static void paths_are_decoded_and_encoded(void **state UNUSED)
{
    AUTO(arena_done) struct arena arena = {0};
    static const struct {
        const char *raw, *decoded, *encoded;
    } rows[] = {
        {"/a%20b", "/a b", "/a%20b"},
        {"//x///y", "/x/y", "/x/y"},
        {"/%C3%A9", "/\xc3\xa9", "/%C3%A9"},
        {"/%ff", "/%ff", "/%25ff"},
        {"/%zz", "/%zz", "/%25zz"},
        {"/a+b", "/a+b", "/a%2Bb"},
        {"/%", "/%", "/%25"},
        {"/", "/", "/"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice decoded, encoded;
        assert_int_equal(assets_decode(&arena, slice_of(rows[i].raw), &decoded), 0);
        assert_string_equal(decoded.ptr, rows[i].decoded);
        assert_int_equal(assets_encode(&arena, decoded, &encoded), 0);
        assert_string_equal(encoded.ptr, rows[i].encoded);
    }
}

static void redirects_match(void **state UNUSED)
{
    static const char text[] = "# comment\n/old /new 301\n/d /e\n/blog/* /news/:splat 302\n"
                               "/u/:id/p/:page /people/:id?page=:page 307\n/app/* /index.html "
                               "200\n/w/* /files/:splat 200\n"
                               "/bad /x 999\nhttps://old.example.com/* "
                               "https://new.example.com/:splat 301\n/old /later 302\n";
    static const struct {
        const char *host, *path, *query, *location;
        int status;
    } rows[] = {
        {"h", "/old", "", "/new", 301},
        {"h", "/old", "q=1", "/new?q=1", 301},
        {"h", "/d", "", "/e", 302},
        {"h", "/blog/2020/x", "", "/news/2020/x", 302},
        {"h", "/u/7/p/2", "z=1", "/people/7?page=2", 307},
        {"h", "/app/x", "", NULL, 0},
        {"h", "/w/a/b", "", "/files/a/b", 200},
        {"h", "/bad", "", NULL, 0},
        {"old.example.com", "/y", "", "https://new.example.com/y", 301},
    };
    struct assets_rules *rules = assets_rules_parse(SLICE_NONE, slice_of(text));
    AUTO(arena_done) struct arena arena = {0};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct assets_redirect got;
        assert_int_equal(assets_redirect_match(&arena, rules, slice_of(rows[i].host),
                                               slice_of(rows[i].path), slice_of(rows[i].query),
                                               &got),
                         0);
        assert_int_equal(got.status, rows[i].status);
        if (rows[i].location != NULL)
            assert_string_equal(got.location.ptr, rows[i].location);
    }
    assets_rules_destroy(rules);
}

static void headers_are_set_appended_and_removed(void **state UNUSED)
{
    static const char text[] =
        "/*\n  X-A: one\n  Cache-Control: no-store\n/s/*\n  X-A: two\n  X-Path: :splat\n  ! ETag\n";
    struct assets_rules *rules = assets_rules_parse(slice_of(text), SLICE_NONE);
    AUTO(buf_done) struct buf block = {0};

    buf_append_slice(&block, SLICE("etag: \"1\"\r\ncache-control: public\r\n"));
    assets_headers_apply(rules, SLICE("h"), SLICE("/s/q"), &block);
    assert_string_equal(buf_cstr(&block),
                        "x-a: one\r\ncache-control: no-store\r\nx-a: two\r\nx-path: q\r\n");
    assets_rules_destroy(rules);
}

static void globs_and_types(void **state UNUSED)
{
    assert_true(assets_glob_match(SLICE("/api/*"), SLICE("/api/x/y")));
    assert_true(assets_glob_match(SLICE("/*.js"), SLICE("/a/b.js")));
    assert_false(assets_glob_match(SLICE("/api/*"), SLICE("/ap")));
    assert_true(slice_eq(assets_type_of(SLICE("/x/y.HTML")), SLICE("text/html; charset=utf-8")));
    assert_true(slice_eq(assets_type_of(SLICE("/x.d/y")), SLICE("application/octet-stream")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_follow_html_handling),           cmocka_unit_test(missing_pages),
        cmocka_unit_test(paths_are_decoded_and_encoded),        cmocka_unit_test(redirects_match),
        cmocka_unit_test(headers_are_set_appended_and_removed), cmocka_unit_test(globs_and_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
