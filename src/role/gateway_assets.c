/*
 * Back of a call: static assets. Which file answers is decided in product/assets; here files are opened
 * and sent, straight from the descriptor to the client where the front can do that.
 */
#include "role/gateway.h"

#include "core/file.h"
#include "core/log.h"
#include "product/assets/assets_path.h"
#include "product/assets/assets_rules.h"
#include "product/assets/assets_type.h"
#include "product/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANIFEST_MAX = 64 * 1024 * 1024, HASH_MAX = 128 };

struct asset {
    const char *hash, *type; /* in the manifest */
    int64_t size;
};

struct assets {
    struct gateway *gateway;
    json_t *config, *manifest;
    struct assets_tree tree;
    struct assets_rules *rules;
    bool worker_first;
};

static bool asset_exists(const void *arg, struct slice path)
{
    const struct assets *a = arg;

    return json_object_getn(a->manifest, path.ptr, path.len) != NULL;
}

static bool asset_get(const struct assets *a, struct slice path, struct asset *ret)
{
    const json_t *entry = json_object_getn(a->manifest, path.ptr, path.len);

    if (entry == NULL)
        return false;
    *ret = (struct asset){json_str(entry, "hash", ""), json_str(entry, "type", ""),
                          json_int(entry, "size", 0)};
    return true;
}

static json_t *manifest_load(struct gateway *g, const char *path)
{
    AUTO(buf_done) struct buf text = {0};
    json_t *manifest = NULL;
    struct err err = {0};

    if (strncmp(path, "workers/", 8) == 0)
        path += 8;
    int r = file_read(g->workers_fd, path, MANIFEST_MAX, &text);
    if (r == 0)
        r = json_parse(buf_slice(&text), &manifest, &err);
    if (r < 0) {
        LOG(LOG_ERROR, "assets_manifest", F("path", "%s", path), F("error", "%s", strerror(-r)));
        return json_object();
    }
    return manifest;
}

struct assets *assets_load(struct gateway *g, const json_t *config)
{
    struct assets *a = mem_new(sizeof(*a));

    a->gateway = g;
    a->config = json_deep_copy(config);
    a->manifest = manifest_load(g, json_str(config, "manifest", ""));
    a->tree = (struct assets_tree){
        .exists = asset_exists,
        .arg = a,
        .html = assets_html_of(slice_of(json_str(config, "html_handling", ""))),
        .missing = assets_missing_of(slice_of(json_str(config, "not_found_handling", ""))),
    };
    a->rules = assets_rules_parse(slice_of(json_str(config, "headers", "")),
                                  slice_of(json_str(config, "redirects", "")));
    a->worker_first = json_is_true(json_object_get(config, "run_worker_first"));
    return a;
}

void assets_destroy(struct assets *a)
{
    if (a == NULL)
        return;
    json_release(&a->config);
    json_release(&a->manifest);
    assets_rules_destroy(a->rules);
    mem_release(&a);
}

/* What a request leads to, before any file is opened. */
struct decision {
    struct assets_redirect redirect;
    struct assets_intent intent;
    struct slice path, query; /* raw */
    struct slice host;
    bool rewritten;
};

static struct slice host_of(struct slice url)
{
    ssize_t at = slice_find_slice(url, SLICE("://"));
    struct slice host = at < 0 ? SLICE_NONE : slice_skip(url, (size_t)at + 3);

    host = slice_cut(&host, '/');
    return slice_cut(&host, ':');
}

static int decide(const struct assets *a, struct arena *arena, const struct call_request *r,
                  bool with_missing, struct decision *d)
{
    struct assets_tree tree = a->tree;
    struct slice decoded;

    *d = (struct decision){.query = r->path, .host = host_of(r->url)};
    d->path = slice_cut(&d->query, '?');
    int e = assets_redirect_match(arena, a->rules, d->host, d->path, d->query, &d->redirect);
    if (e < 0 || (d->redirect.status != 0 && d->redirect.status != 200))
        return e;
    if (d->redirect.status == 200) {
        d->rewritten = true;
        d->query = d->redirect.location;
        d->path = slice_cut(&d->query, '?');
    }
    if (!with_missing)
        tree.missing = ASSETS_MISSING_NONE;
    e = assets_decode(arena, d->path, &decoded);
    return e < 0 ? e : assets_resolve(arena, &tree, decoded, &d->intent);
}

enum first { FIRST_ASK, FIRST_ASSETS, FIRST_WORKER };

/* Rules of run_worker_first: exceptions ("!...") before the others. */
static enum first static_routing(const struct assets *a, struct slice path)
{
    const json_t *globs = json_object_get(a->config, "run_worker_first");
    size_t i;
    json_t *glob;

    path = slice_cut(&path, '?');
    for (int exceptions = 1; exceptions >= 0; exceptions--)
        json_array_foreach(globs, i, glob)
        {
            struct slice text = slice_of(json_is_string(glob) ? json_string_value(glob) : "");
            bool exception = slice_starts(text, SLICE("!"));
            if (exception == exceptions && assets_glob_match(slice_skip(text, exception), path))
                return exception ? FIRST_ASSETS : FIRST_WORKER;
        }
    return FIRST_ASK;
}

bool assets_take(const struct assets *a, const struct call_request *r, bool has_worker)
{
    AUTO(arena_done) struct arena arena = {0};
    struct decision d;

    if (!has_worker)
        return true;
    if (a->worker_first)
        return false;
    bool routed = json_is_array(json_object_get(a->config, "run_worker_first"));
    enum first first = routed ? static_routing(a, r->path) : FIRST_ASK;
    if (first != FIRST_ASK)
        return first == FIRST_ASSETS;
    if (decide(a, &arena, r, routed || r->navigate, &d) < 0)
        return false;
    bool redirects = d.redirect.status != 0 && d.redirect.status != 200;
    return redirects || d.intent.what != ASSETS_NOTHING;
}

/* --- sending --- */

static int asset_open(const struct assets *a, const struct asset *asset)
{
    char path[HASH_MAX + 8];

    if (strlen(asset->hash) < 3 || strlen(asset->hash) > HASH_MAX ||
        strchr(asset->hash, '/') != NULL)
        return -EINVAL;
    snprintf(path, sizeof(path), "%.2s/%s", asset->hash, asset->hash);
    int fd = openat(a->gateway->assets_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static void answer_plain(struct call *c, int status, struct slice headers, struct slice text)
{
    bool head = slice_eq(c->request.method, SLICE("HEAD"));

    call_respond(c, &(struct call_head){.status = status,
                                        .headers = headers,
                                        .content_length = (int64_t)text.len,
                                        .end = head || text.len == 0});
    if (!head && text.len != 0)
        call_response_data(c, text, true);
}

static void answer_redirect(struct call *c, const struct assets *a, const struct decision *d,
                            int status, struct slice location)
{
    AUTO(buf_done) struct buf headers = {0};

    if (!http_value_ok(location)) {
        call_fail(c, 500, "A redirect of this version leads to an address that is none.");
        return;
    }
    http_header_add(&headers, SLICE("location"), location);
    assets_headers_apply(a->rules, d->host, d->path, &headers);
    answer_plain(c, status, buf_slice(&headers), SLICE_NONE);
}

static bool etag_matches(struct slice headers, const char *hash)
{
    struct slice value;

    if (!http_header_get(headers, SLICE("if-none-match"), &value))
        return false;
    if (slice_starts(value, SLICE("W/")))
        value = slice_skip(value, 2);
    return value.len == strlen(hash) + 2 && value.ptr[0] == '"' &&
           memcmp(value.ptr + 1, hash, strlen(hash)) == 0;
}

static void file_headers(const struct assets *a, const struct call_request *r,
                         const struct decision *d, const struct asset *asset, struct buf *out)
{
    struct slice unused;

    buf_printf(out, "etag: \"%s\"\r\n", asset->hash);
    http_header_add(out, SLICE("content-type"),
                    asset->type[0] != '\0' && http_value_ok(slice_of(asset->type))
                        ? slice_of(asset->type)
                        : assets_type_of(d->intent.path));
    if (!http_header_get(r->headers, SLICE("authorization"), &unused) &&
        !http_header_get(r->headers, SLICE("range"), &unused))
        buf_append_slice(out, SLICE("cache-control: public, max-age=0, must-revalidate\r\n"));
    buf_append_slice(out, SLICE("cf-cache-status: HIT\r\n"));
    assets_headers_apply(a->rules, d->host, d->path, out);
}

static void answer_file(struct call *c, const struct assets *a, const struct decision *d)
{
    AUTO(buf_done) struct buf headers = {0};
    AUTO(fd_release) int fd = -1;
    struct asset asset;

    CHECK(asset_get(a, d->intent.path, &asset));
    file_headers(a, &c->request, d, &asset, &headers);
    struct call_head head = {.status = d->intent.status, .headers = buf_slice(&headers)};
    if (head.status == 200 && etag_matches(c->request.headers, asset.hash)) {
        head.status = 304;
        head.content_length = -1;
        head.end = true;
        call_respond(c, &head);
        return;
    }
    fd = asset_open(a, &asset);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        LOG(LOG_ERROR, "asset_missing", F("hash", "%s", asset.hash));
        call_fail(c, 500, "The content of a static asset is missing.");
        return;
    }
    head.content_length = st.st_size;
    head.end = st.st_size == 0 || slice_eq(c->request.method, SLICE("HEAD"));
    if (head.end)
        call_respond(c, &head);
    else
        file_answer(c, TAKE_FD(fd), 0, &head);
}

/* Where a path should be asked for when it is not written in its canonical form. */
static int canonical(struct arena *arena, const struct decision *d, struct slice *ret)
{
    struct slice target = d->intent.path, encoded;

    if (d->intent.what == ASSETS_FILE) {
        int r = assets_decode(arena, d->path, &target);
        if (r < 0)
            return r;
    }
    int r = assets_encode(arena, target, &encoded);
    if (r < 0)
        return r;
    char *text = d->query.len == 0
                     ? arena_printf(arena, "%.*s", SLICE_ARG(encoded))
                     : arena_printf(arena, "%.*s?%.*s", SLICE_ARG(encoded), SLICE_ARG(d->query));
    if (text == NULL)
        return -ENOMEM;
    *ret = slice_of(text);
    return d->intent.what == ASSETS_REDIRECT || !slice_eq(encoded, d->path);
}

void assets_start(struct call *c)
{
    const struct assets *a = worker_assets(c->worker);
    AUTO(arena_done) struct arena arena = {0};
    struct decision d;
    struct slice location;

    if (decide(a, &arena, &c->request, true, &d) < 0) {
        call_fail(c, 500, "No memory for the rules of static assets.");
        return;
    }
    if (d.redirect.status != 0 && d.redirect.status != 200) {
        answer_redirect(c, a, &d, d.redirect.status, d.redirect.location);
        return;
    }
    if (d.intent.what == ASSETS_NOTHING) {
        answer_plain(c, 404, SLICE_NONE, SLICE_NONE);
        return;
    }
    if (!slice_eq(c->request.method, SLICE("GET")) && !slice_eq(c->request.method, SLICE("HEAD"))) {
        answer_plain(c, 405, SLICE("allow: GET, HEAD\r\n"), SLICE_NONE);
        return;
    }
    int r = d.rewritten ? 0 : canonical(&arena, &d, &location);
    if (r < 0)
        call_fail(c, 500, "No memory for the rules of static assets.");
    else if (r > 0)
        answer_redirect(c, a, &d, 307, location);
    else
        answer_file(c, a, &d);
}
