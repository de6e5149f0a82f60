/*
 * Paths of static assets. The first byte chooses the handling; the path is decoded and resolved in a small
 * tree. Files are files of the tree, and a redirect leads to one at once.
 */
#include "fuzz.h"
#include "product/assets/assets_path.h"
#include "product/assets/assets_type.h"

static const char *const files[] = {
    "/index.html",      "/file.html",     "/folder/index.html", "/both.html",
    "/both/index.html", "/bin",           "/404.html",          "/folder/404.html",
    "/a b.html",        "/pair",          "/pair.html",         "/.html",
    "/index",           "/\xc3\xa9.html",
};

static bool exists(const void *arg, struct slice path)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (slice_eq(path, slice_of(files[i])))
            return true;
    }
    return false;
}

static void check_intent(struct arena *arena, const struct assets_tree *tree, struct slice path)
{
    struct assets_intent intent, there;

    CHECK(assets_resolve(arena, tree, path, &intent) == 0);
    if (intent.what == ASSETS_FILE) {
        CHECK(exists(NULL, intent.path) && assets_type_of(intent.path).len > 0);
        CHECK(intent.status == 200 || intent.status == 404);
    } else if (intent.what == ASSETS_REDIRECT) {
        CHECK(intent.path.len > 0 && !slice_eq(intent.path, path));
        CHECK(assets_resolve(arena, tree, intent.path, &there) == 0);
        CHECK(there.what == ASSETS_FILE && there.status == 200);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_done) struct arena arena = {0};
    struct slice raw, decoded, encoded, again;

    if (size == 0)
        return 0;
    raw = slice_from(data + 1, size - 1);
    struct assets_tree tree = {
        .exists = exists,
        .html = (enum assets_html)(data[0] % (ASSETS_HTML_NONE + 1)),
        .missing = (enum assets_missing)((data[0] >> 2) % (ASSETS_MISSING_PAGE + 1))};
    CHECK(assets_decode(&arena, raw, &decoded) == 0);
    CHECK(assets_encode(&arena, decoded, &encoded) == 0);
    for (size_t i = 0; i < encoded.len; i++)
        CHECK(encoded.ptr[i] > 0x20 && encoded.ptr[i] < 0x7f);
    CHECK(decoded.len <= raw.len);
    CHECK(assets_decode(&arena, encoded, &again) == 0); /* bytes that are no UTF-8 stay escaped */
    check_intent(&arena, &tree, decoded);
    return 0;
}
