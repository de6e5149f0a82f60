/*
 * Import and export of whole databases, bookmarks.
 *
 * An import is: init (we hand out an address that carries its own right) -> upload (a file beside
 * control.db's spool) -> ingest (all statements as one transaction). Ingest answers when it is done, so
 * nobody has to poll; poll answers for clients that ask anyway. An export's address streams straight
 * from the keeper when it is fetched.
 */
#include "api/jwt.h"
#include "core/clock.h"
#include "core/digest.h"
#include "core/file.h"
#include "product/d1/d1_api_impl.h"

#include <errno.h>
#include <fcntl.h>

enum { D1_TICKET_S = 3600, D1_BOOKMARK_SIZE = 64 };

/* Four groups of hex digits; the first is the number of transactions, so bookmarks sort by age. */
static int d1_bookmark(struct api_request *req, const char *store, char ret[D1_BOOKMARK_SIZE],
                       struct err *err)
{
    AUTO(store_reply_done) struct store_reply reply = {0};
    int r = store_simple(req, OP_store_info, slice_of(store), &reply, err);
    if (r < 0)
        return r;
    const char *given = json_str(reply.json, "bookmark", NULL);
    if (given != NULL) {
        snprintf(ret, D1_BOOKMARK_SIZE, "%s", given);
        return 0;
    }
    uint8_t sum[DIGEST_MAX];
    char hex[ID_HEX_SIZE];
    digest_of(DIGEST_MD5, slice_of(store), sum);
    snprintf(ret, D1_BOOKMARK_SIZE, "%08llx-%08x-%08x-%s",
             (unsigned long long)json_int(reply.json, "txn", 0), 0u, 0u, hex_encode(sum, 16, hex));
    return 0;
}

static bool d1_is_etag(const char *etag)
{
    return id_is_hex(slice_of(etag), 32);
}

static const char *d1_import_path(struct api_request *req, const char *filename)
{
    return arena_printf(&req->arena, "%s/d1-%s", req->api->spool_path, filename);
}

/* --- import --- */

static int d1_import_init(struct api_request *req, const char *uuid, const char *etag,
                          struct err *err)
{
    if (!d1_is_etag(etag))
        return err_set(err, -EINVAL, API_ERR_INPUT, "etag must be the MD5 of the file in hex");
    char id[ID_HEX_SIZE];
    const char *filename = arena_printf(&req->arena, "%s.%s.sql", id_hex(id), etag);
    int r = db_run(req->api->db,
                   "INSERT INTO d1_imports (filename, uuid, etag, at_ms) VALUES (?,?,?,?)", "sssl",
                   filename, uuid, etag, clock_wall_ms());
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the import cannot be stored");
    AUTO(json_release) json_t *claims = json_pack("{s:s, s:s}", "file", filename, "etag", etag);
    const char *ticket = jwt_make(req, "d1-upload", D1_TICKET_S, claims);
    const char *url =
        arena_printf(&req->arena, "%s/client/v4/d1-upload/%s", api_origin(req), ticket);
    return api_ok(req, json_pack("{s:b, s:s, s:s, s:s}", "success", 1, "type", "import", "filename",
                                 filename, "upload_url", url));
}

bool d1_api_upload_guard(struct api_request *req)
{
    AUTO(json_release) json_t *claims = NULL;
    return jwt_check(req, "d1-upload", api_param_slice(req, "ticket"), &claims) == 0;
}

int d1_api_upload(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *claims = NULL;
    struct slice body;
    if (jwt_check(req, "d1-upload", api_param_slice(req, "ticket"), &claims) < 0)
        return err_set(err, -EACCES, API_ERR_AUTH, "this upload address is not valid any more");
    int r = api_body(req, &body, err);
    if (r < 0)
        return r;
    uint8_t sum[DIGEST_MAX];
    char hex[ID_HEX_SIZE];
    digest_of(DIGEST_MD5, body, sum);
    hex_encode(sum, 16, hex);
    if (strcmp(hex, json_str(claims, "etag", "")) != 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "the file's MD5 is %s, not the one announced",
                       hex);
    r = file_replace(AT_FDCWD, d1_import_path(req, json_str(claims, "file", "")), body, 0600);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the file cannot be stored");
    api_answer_header(req, "etag", slice_of(arena_printf(&req->arena, "\"%s\"", hex)));
    return api_ok(req, NULL);
}

static json_t *d1_import_answer(const char *bookmark, json_t *result)
{
    return json_pack("{s:b, s:s, s:s, s:s, s:[s], s:o}", "success", 1, "type", "import", "status",
                     "complete", "at_bookmark", bookmark, "messages", "Import complete", "result",
                     result);
}

/* The statement results in one number and one meta object: sums of what the parts did. */
static json_t *d1_import_result(const json_t *results, const char *bookmark)
{
    static const char *const sums[] = {"changes", "rows_read", "rows_written", "duration"};
    size_t n = json_array_size(results);
    json_t *meta = json_deep_copy(json_object_get(json_array_get(results, n - 1), "meta"));
    if (meta == NULL)
        meta = json_object();
    for (size_t k = 0; k < ARRAY_LEN(sums); k++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += json_number_value(
                json_object_get(json_object_get(json_array_get(results, i), "meta"), sums[k]));
        json_object_set_new(meta, sums[k], k == 3 ? json_real(sum) : json_integer((json_int_t)sum));
    }
    return json_pack("{s:I, s:s, s:o}", "num_queries", (json_int_t)n, "final_bookmark", bookmark,
                     "meta", meta);
}

static int d1_import_run(struct api_request *req, const char *store, const char *path,
                         struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(json_release) json_t *results = NULL;
    AUTO(json_release) json_t *statements = NULL;
    char bookmark[D1_BOOKMARK_SIZE];
    int r = file_read(AT_FDCWD, path, D1_IMPORT_MAX, &text);
    if (r < 0)
        return err_set(err, r, API_ERR_INPUT, "the file was not uploaded");
    statements = json_pack("[{s:s%}]", "sql", buf_cstr(&text), buf_len(&text));
    if (statements == NULL)
        return err_set(err, -EINVAL, D1_ERR_SQL, "the file is not UTF-8 text");
    r = d1_run(req, store, statements, D1_NO_RESULTS, &results, err);
    if (r == 0)
        r = d1_bookmark(req, store, bookmark, err);
    if (r < 0)
        return r;
    return api_ok(req, d1_import_answer(bookmark, d1_import_result(results, bookmark)));
}

static int d1_import_ingest(struct api_request *req, const char *store, const char *filename,
                            struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    int r =
        db_row(req->api->db, &row, "SELECT etag FROM d1_imports WHERE filename = ? AND uuid = ?",
               "ss", filename, store + strlen("d1/"));
    if (r < 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "no import of the file \"%s\" was begun",
                       filename);
    const char *path = d1_import_path(req, filename);
    r = d1_import_run(req, store, path, err);
    /* Whatever came of it, the next attempt uploads again. */
    int removed = file_remove_tree(AT_FDCWD, path);
    int forgot = db_run(req->api->db, "DELETE FROM d1_imports WHERE filename = ?", "s", filename);
    return r < 0 ? r : removed < 0 ? removed : MIN(forgot, 0);
}

int d1_api_import(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    char store[STORE_NAME_MAX], bookmark[D1_BOOKMARK_SIZE];
    int r = d1_store_name(req, store, err);
    if (r == 0)
        r = api_json_object(req, false, &body, err);
    if (r < 0)
        return r;
    const char *action = json_str(body, "action", "");
    if (strcmp(action, "init") == 0)
        return d1_import_init(req, store + strlen("d1/"), json_str(body, "etag", ""), err);
    if (strcmp(action, "ingest") == 0)
        return d1_import_ingest(req, store, json_str(body, "filename", ""), err);
    if (strcmp(action, "poll") != 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "action must be init, ingest or poll");
    r = d1_bookmark(req, store, bookmark, err);
    if (r < 0)
        return r;
    json_t *result =
        json_pack("{s:i, s:s, s:{}}", "num_queries", 0, "final_bookmark", bookmark, "meta");
    return api_ok(req, d1_import_answer(bookmark, result));
}

/* --- export --- */

int d1_api_export(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    AUTO(json_release) json_t *row = NULL;
    char store[STORE_NAME_MAX], bookmark[D1_BOOKMARK_SIZE];
    int r = d1_find(req, &row, err);
    if (r == 0)
        r = d1_store_name(req, store, err);
    if (r == 0)
        r = api_json_object(req, true, &body, err);
    if (r == 0)
        r = d1_bookmark(req, store, bookmark, err);
    if (r < 0)
        return r;
    json_t *options = json_object_get(body, "dump_options");
    AUTO(json_release)
    json_t *claims = json_pack("{s:s, s:O*}", "store", store, "options", options);
    const char *ticket = jwt_make(req, "d1-download", D1_TICKET_S, claims);
    const char *filename = arena_printf(&req->arena, "%s.sql", json_str(row, "name", "database"));
    const char *url = arena_printf(&req->arena, "%s/client/v4/d1-download/%s/%s", api_origin(req),
                                   ticket, filename);
    return api_ok(req, json_pack("{s:b, s:s, s:s, s:s, s:[], s:{s:s, s:s}}", "success", 1, "type",
                                 "export", "status", "complete", "at_bookmark", bookmark,
                                 "messages", "result", "filename", filename, "signed_url", url));
}

int d1_api_download(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *claims = NULL;
    AUTO(buf_done) struct buf options = {0};
    AUTO(store_call_done)
    struct store_call call = {.op = OP_d1_export, .stream = true, .code = D1_ERR_SQL};
    AUTO(store_reply_done) struct store_reply reply = {0};
    if (jwt_check(req, "d1-download", api_param_slice(req, "ticket"), &claims) < 0)
        return err_set(err, -EACCES, API_ERR_AUTH, "this download address is not valid any more");
    json_t *wanted = json_object_get(claims, "options");
    if (wanted == NULL)
        buf_append_slice(&options, SLICE("{}"));
    else
        json_print(&options, wanted);
    struct msg_d1_export m = {.store = slice_of(json_str(claims, "store", "")),
                              .options = buf_slice(&options)};
    msg_d1_export_pack(&call.args, &m);
    int r = store_call(req, &call, &reply, err);
    if (r < 0)
        return r;
    api_answer_header(req, "content-type", SLICE("application/sql"));
    return api_streamed(req, TAKE(reply.stream), -1);
}

/* --- bookmarks --- */

/* The bookmark of a moment, an RFC 3339 text. */
static int d1_bookmark_at(struct api_request *req, const char *store, const char *timestamp,
                          const char **ret, struct err *err)
{
    AUTO(store_call_done) struct store_call call = {.op = OP_d1_at, .code = D1_ERR_SQL};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct msg_d1_at m = {.store = slice_of(store)};
    int found = db_int(req->api->db, &m.time_ms,
                       "SELECT CAST((julianday(?1) - 2440587.5) * 86400000 + 0.5 AS INTEGER) WHERE "
                       "julianday(?1) IS NOT NULL AND ?1 LIKE '____-__-__%'",
                       "s", timestamp);
    if (found < 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "timestamp must be like 2026-01-31T12:00:00Z");
    msg_d1_at_pack(&call.args, &m);
    int r = store_call(req, &call, &reply, err);
    if (r < 0)
        return r == -ENOENT ? -EINVAL : r;
    *ret = arena_printf(&req->arena, "%s", json_str(reply.json, "bookmark", ""));
    return 0;
}

int d1_api_bookmark(struct api_request *req, struct err *err)
{
    char store[STORE_NAME_MAX], now[D1_BOOKMARK_SIZE];
    const char *timestamp = api_query(req, "timestamp", NULL), *bookmark = now;
    int r = d1_store_name(req, store, err);
    if (r == 0)
        r = timestamp == NULL ? d1_bookmark(req, store, now, err)
                              : d1_bookmark_at(req, store, timestamp, &bookmark, err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "bookmark", bookmark));
}

int d1_api_restore(struct api_request *req, struct err *err)
{
    AUTO(store_call_done) struct store_call call = {.op = OP_d1_restore, .code = D1_ERR_SQL};
    AUTO(store_reply_done) struct store_reply reply = {0};
    char store[STORE_NAME_MAX];
    const char *bookmark = api_query(req, "bookmark", NULL),
               *timestamp = api_query(req, "timestamp", NULL);
    int r = d1_store_name(req, store, err);
    if (r == 0 && bookmark == NULL && timestamp == NULL)
        r = err_set(err, -EINVAL, API_ERR_INPUT, "bookmark or timestamp must be given");
    if (r == 0 && bookmark == NULL)
        r = d1_bookmark_at(req, store, timestamp, &bookmark, err);
    if (r < 0)
        return r;
    struct msg_d1_restore m = {.store = slice_of(store), .bookmark = slice_of(bookmark)};
    msg_d1_restore_pack(&call.args, &m);
    r = store_call(req, &call, &reply, err);
    if (r < 0)
        return r == -ENOENT ? -EINVAL : r;
    json_object_set_new(reply.json, "message",
                        json_string(arena_printf(
                            &req->arena, "the database is as it was at bookmark %s", bookmark)));
    return api_ok(req, json_incref(reply.json));
}
