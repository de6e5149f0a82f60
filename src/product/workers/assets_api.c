/*
 * Static assets: sessions, uploads, completion tokens.
 *
 * A session is a row with its manifest; its token names it. Contents lie in assets/<hh>/<hash>, shared by
 * all scripts, so a file that is there already is never asked for. The hash is the client's and opaque: it
 * also covers the file's extension, so type and content belong together. Whoever uploads the last missing
 * file of a session gets the completion token; repeated and reordered uploads are harmless.
 */
#include "api/jwt.h"
#include "core/base64.h"
#include "core/file.h"
#include "product/workers/workers_api_impl.h"

#include <errno.h>
#include <sys/stat.h>

enum {
    ASSETS_FILES_MAX = 20000,
    ASSETS_FILE_MAX = 25 * 1024 * 1024,
    ASSETS_BUCKET_FILES = 100,
    ASSETS_BUCKET_BYTES = 40 * 1024 * 1024,
    ASSETS_TOKEN_S = 3600,
    ASSETS_ERR = 10304,
    ASSETS_ERR_TOKEN = 10305
};

static bool asset_hash_ok(const char *hash)
{
    return id_is_hex(slice_of(hash), 32);
}

static const char *asset_path(struct api_request *req, const char *hash)
{
    return arena_printf(&req->arena, "assets/%.2s/%s", hash, hash);
}

static bool asset_exists(struct api_request *req, const char *hash)
{
    struct stat st;
    int64_t n = 0;
    return fstatat(req->api->data_fd, asset_path(req, hash), &st, 0) == 0 &&
           db_int(req->api->db, &n, "SELECT 1 FROM worker_assets WHERE hash = ?", "s", hash) == 0;
}

/* --- sessions --- */

static int session_check(const json_t *manifest, struct err *err)
{
    const char *path;
    json_t *entry;
    if (!json_is_object(manifest))
        return err_set(err, -EINVAL, ASSETS_ERR, "manifest must be an object");
    if (json_object_size(manifest) > ASSETS_FILES_MAX)
        return err_set(err, -EINVAL, ASSETS_ERR, "more than %d files", ASSETS_FILES_MAX);
    json_object_foreach((json_t *)manifest, path, entry)
    {
        int64_t size = json_int(entry, "size", -1);
        if (path[0] != '/')
            return err_set(err, -EINVAL, ASSETS_ERR, "the path \"%s\" does not begin with /", path);
        if (!asset_hash_ok(json_str(entry, "hash", "")))
            return err_set(err, -EINVAL, ASSETS_ERR, "the hash of %s is not 32 hex digits", path);
        if (size < 0 || size > ASSETS_FILE_MAX)
            return err_set(err, -E2BIG, ASSETS_ERR, "%s has %lld bytes; the most are %d", path,
                           (long long)size, ASSETS_FILE_MAX);
    }
    return 0;
}

/* Hashes that are not here yet, in buckets of bounded size. */
static json_t *session_buckets(struct api_request *req, const json_t *manifest)
{
    json_t *buckets = json_array(), *bucket = NULL, *entry;
    AUTO(json_release) json_t *seen = json_object();
    int64_t bytes = 0;
    const char *path;
    json_object_foreach((json_t *)manifest, path, entry)
    {
        const char *hash = json_str(entry, "hash", "");
        if (json_object_get(seen, hash) != NULL || asset_exists(req, hash))
            continue;
        json_object_set_new(seen, hash, json_true());
        bytes += json_int(entry, "size", 0);
        if (bucket == NULL || json_array_size(bucket) == ASSETS_BUCKET_FILES ||
            bytes > ASSETS_BUCKET_BYTES) {
            bucket = json_array();
            json_array_append_new(buckets, bucket);
            bytes = json_int(entry, "size", 0);
        }
        json_array_append_new(bucket, json_string(hash));
    }
    return buckets;
}

static const char *assets_token(struct api_request *req, const char *use, const char *session)
{
    AUTO(json_release)
    json_t *claims =
        json_pack("{s:s, s:b, s:i}", "session", session, "wrangler_single_asset_uploads", 1,
                  "edge_kv_upload_concurrency", 10);
    return jwt_make(req, use, ASSETS_TOKEN_S, claims);
}

int assets_api_session(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    char id[ID_HEX_SIZE];
    int r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = script_name_check(script_param(req), err);
    const json_t *manifest = json_object_get(body, "manifest");
    if (r == 0)
        r = session_check(manifest, err);
    if (r < 0)
        return r;
    r = db_run(req->api->db,
               "INSERT INTO worker_asset_sessions (id, script, manifest, at_ms) VALUES (?,?,?,?)",
               "ssjl", id_hex(id), script_param(req), manifest, workers_now());
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the session cannot be stored");
    json_t *buckets = session_buckets(req, manifest);
    bool complete = json_array_size(buckets) == 0;
    const char *jwt = assets_token(req, complete ? "assets-complete" : "assets-session", id);
    return api_ok(req, json_pack("{s:s, s:o}", "jwt", jwt, "buckets", buckets));
}

/* --- uploads --- */

static int session_claims(struct api_request *req, json_t **ret)
{
    struct slice value = api_header(req, "authorization");
    (void)slice_cut(&value, ' ');
    return jwt_check(req, "assets-session", slice_trim(value), ret);
}

bool assets_api_guard(struct api_request *req)
{
    AUTO(json_release) json_t *claims = NULL;
    return session_claims(req, &claims) == 0;
}

/* The session of the request's own bearer token. */
static int session_of_request(struct api_request *req, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *claims = NULL;
    if (session_claims(req, &claims) < 0) {
        req->answer.status = 401;
        return err_set(err, -EACCES, ASSETS_ERR_TOKEN,
                       "the upload session is not valid or has expired");
    }
    int r =
        db_row(req->api->db, ret,
               "SELECT id, manifest AS \"manifest:json\" FROM worker_asset_sessions WHERE id = ?",
               "s", json_str(claims, "session", ""));
    return r < 0 ? err_set(err, -EINVAL, ASSETS_ERR, "the upload session is over") : 0;
}

static const json_t *session_entry(const json_t *session, const char *hash)
{
    const char *path;
    json_t *entry;
    json_object_foreach(json_object_get(session, "manifest"), path, entry)
    {
        if (strcmp(json_str(entry, "hash", ""), hash) == 0)
            return entry;
    }
    return NULL;
}

static int asset_store(struct api_request *req, const json_t *session, const char *hash,
                       struct slice type, struct slice content, struct err *err)
{
    const json_t *entry = asset_hash_ok(hash) ? session_entry(session, hash) : NULL;
    if (entry == NULL)
        return err_set(err, -EINVAL, ASSETS_ERR, "\"%s\" is not a hash of this session", hash);
    if ((int64_t)content.len != json_int(entry, "size", -1))
        return err_set(err, -EINVAL, ASSETS_ERR,
                       "the file %s has %zu bytes, not the %lld announced", hash, content.len,
                       (long long)json_int(entry, "size", -1));
    if (slice_eq(type, SLICE("application/null")))
        type = (struct slice){"", 0};
    char dir[16];
    snprintf(dir, sizeof(dir), "assets/%.2s", hash);
    int r = file_make_dirs(req->api->data_fd, dir, 0755);
    if (r == 0)
        r = file_replace(req->api->data_fd, asset_path(req, hash), content, 0644);
    if (r == 0)
        r = db_run(req->api->db,
                   "INSERT INTO worker_assets (hash, size, type) VALUES (?,?,?) ON CONFLICT (hash) "
                   "DO UPDATE "
                   "SET type = excluded.type",
                   "slS", hash, (int64_t)content.len, type);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the file %s cannot be stored", hash) : 0;
}

/* 201 and the completion token for the upload that made the session whole. */
static int session_answer(struct api_request *req, const json_t *session)
{
    AUTO(json_release) json_t *missing = session_buckets(req, json_object_get(session, "manifest"));
    if (json_array_size(missing) > 0)
        return api_ok(req, json_object());
    const char *jwt = assets_token(req, "assets-complete", json_str(session, "id", ""));
    return api_ok_status(req, 201, json_pack("{s:s}", "jwt", jwt));
}

int assets_api_single(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *session = NULL;
    struct slice body;
    int r = session_of_request(req, &session, err);
    if (r == 0)
        r = api_body(req, &body, err);
    if (r == 0)
        r = asset_store(req, session, api_param(req, "hash"), api_header(req, "content-type"), body,
                        err);
    return r < 0 ? r : session_answer(req, session);
}

static int asset_store_part(struct api_request *req, const json_t *session,
                            const struct multipart_part *part, struct err *err)
{
    struct slice content;
    int r = base64_decode(&req->arena, slice_trim(part->content), BASE64_STANDARD, &content);
    if (r < 0)
        return err_set(err, -EINVAL, ASSETS_ERR, "the file %s is not base64", part->name.ptr);
    return asset_store(req, session, part->name.ptr, part->type, content, err);
}

int assets_api_bulk(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *session = NULL;
    struct multipart form;
    struct slice body = SLICE_NONE;
    struct err why = {0};
    int r = session_of_request(req, &session, err);
    if (r == 0)
        r = api_body(req, &body, err);
    if (r < 0)
        return r;
    if (!api_query_bool(req, "base64", false))
        return err_set(err, -EINVAL, ASSETS_ERR, "uploads of several files need base64=true");
    r = multipart_parse(&req->arena, api_header(req, "content-type"), body, &form, &why);
    if (r < 0)
        return err_set(err, -EINVAL, WORKER_ERR_BODY, "the form is broken: %s", why.text);
    for (size_t i = 0; r == 0 && i < form.n; i++)
        r = asset_store_part(req, session, &form.parts[i], err);
    return r < 0 ? r : session_answer(req, session);
}

/* --- what a version takes --- */

static int manifest_add_types(struct api_request *req, json_t *manifest, struct err *err)
{
    const char *path;
    json_t *entry;
    json_object_foreach(manifest, path, entry)
    {
        AUTO(json_release) json_t *row = NULL;
        int r = db_row(req->api->db, &row, "SELECT type FROM worker_assets WHERE hash = ?", "s",
                       json_str(entry, "hash", ""));
        if (r < 0)
            return err_set(err, -EINVAL, ASSETS_ERR, "the file %s was not uploaded", path);
        json_object_set(entry, "type", json_object_get(row, "type"));
    }
    return 0;
}

int assets_manifest(struct api_request *req, const char *jwt, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *claims = NULL, *session = NULL;
    if (jwt_check(req, "assets-complete", slice_of(jwt), &claims) < 0)
        return err_set(err, -EINVAL, ASSETS_ERR_TOKEN,
                       "assets.jwt is not a valid completion token");
    int r = db_row(req->api->db, &session,
                   "SELECT manifest AS \"manifest:json\" FROM worker_asset_sessions WHERE id = ?",
                   "s", json_str(claims, "session", ""));
    if (r < 0)
        return err_set(err, -EINVAL, ASSETS_ERR_TOKEN, "the upload session is over");
    json_t *manifest = json_object_get(session, "manifest");
    r = manifest_add_types(req, manifest, err);
    if (r == 0)
        *ret = json_incref(manifest);
    return r;
}
