/*
 * Live tails: made here, read over a WebSocket that role/control_tail.c serves. The address itself is the
 * right to read, so it holds a secret.
 */
#include "core/clock.h"
#include "product/workers/workers_api_impl.h"

#include <errno.h>

enum { TAIL_LIFE_MS = 6 * 3600 * 1000, TAIL_FILTERS_MAX = 32 };

static int tail_insert(struct api_request *req, const char *script, const json_t *filters,
                       struct err *err)
{
    char id[ID_HEX_SIZE], secret[ID_HEX_SIZE], expires[CLOCK_TEXT_SIZE];
    int64_t until = workers_now() + TAIL_LIFE_MS;
    if (json_array_size(filters) > TAIL_FILTERS_MAX)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "more than %d filters", TAIL_FILTERS_MAX);
    int r = db_run(
        req->api->db,
        "INSERT INTO worker_tails (id, script, secret, filters, client_ip, expires_ms) VALUES "
        "(?,?,?,?,?,?)",
        "sssjSl", id_hex(id), script, id_hex(secret), filters, req->remote_ip, until);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the tail cannot be stored");
    const char *origin = api_origin(req);
    const char *host = strstr(origin, "://");
    const char *url = arena_printf(&req->arena, "%s%s/tail/%s/%s", req->tls ? "wss" : "ws",
                                   host == NULL ? "" : host, id, secret);
    return api_ok(req, json_pack("{s:s, s:s, s:s}", "id", id, "url", url, "expires_at",
                                 clock_rfc3339(until, expires)));
}

int tails_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *body = NULL;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = api_json_object(req, true, &body, err);
    return r < 0 ? r
                 : tail_insert(req, json_str(script, "name", ""), json_object_get(body, "filters"),
                               err);
}

int tails_api_list(struct api_request *req, struct err *err)
{
    json_t *rows = NULL;
    int r = db_rows(
        req->api->db, &rows,
        "SELECT id, expires_ms AS \"expires_at:time\" FROM worker_tails WHERE script = ? AND "
        "expires_ms > ?",
        "sl", script_param(req), workers_now());
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the tails cannot be read")
                 : api_ok_all(req, rows);
}

int tails_api_delete(struct api_request *req, struct err *err)
{
    int r = db_run(req->api->db, "DELETE FROM worker_tails WHERE script = ? AND id = ?", "ss",
                   script_param(req), api_param(req, "tail"));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the tail cannot be removed")
                 : api_ok(req, NULL);
}
