/*
 * Export of whole databases, bookmarks. Imports: d1_import_api.c.
 *
 * An export's address, which carries its own right, streams straight from the keeper when it is fetched.
 */
#include "api/jwt.h"
#include "core/clock.h"
#include "core/digest.h"
#include "product/d1/d1_api_impl.h"

#include <errno.h>

int d1_bookmark(struct api_request *req, const char *store, char ret[D1_BOOKMARK_SIZE],
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
