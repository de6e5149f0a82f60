#include "api/audit.h"

#include "core/clock.h"
#include "core/log.h"

const char *const audit_schema[] = {
    "CREATE TABLE IF NOT EXISTS audit (id TEXT PRIMARY KEY, when_ms INTEGER NOT NULL, actor_id "
    "TEXT, "
    "actor TEXT, ip TEXT, method TEXT NOT NULL, route TEXT NOT NULL, path TEXT NOT NULL, status "
    "INTEGER NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS audit_when ON audit (when_ms)",
    NULL,
};

void audit_request(struct api_request *req)
{
    const struct api_route *route = req->route;
    bool reads = slice_eq(req->method, SLICE("GET")) || slice_eq(req->method, SLICE("HEAD")) ||
                 (route->flags & (API_READS | API_NO_AUDIT)) != 0;
    if (reads)
        return;
    char id[ID_UUID_SIZE];
    int r =
        db_run(req->api->db,
               "INSERT INTO audit (id, when_ms, actor_id, actor, ip, method, route, path, status) "
               "VALUES (?,?,?,?,?,?,?,?,?)",
               "slssSSsSi", id_uuid(id), clock_wall_ms(), req->who.token_id, req->who.name,
               req->remote_ip, req->method, route->path, req->path, req->answer.status);
    if (r < 0)
        LOG(LOG_ERROR, "audit_lost", F("route", "%s", route->path), F("error", "%d", r));
}

int audit_api_list(struct api_request *req, struct err *err)
{
    return api_ok_page(
        req, err,
        "SELECT id, when_ms AS \"when:time\", json_object('type', lower(method) || ' ' "
        "|| route, 'result', json(iif(status < 400, 'true', 'false')), 'status', "
        "status) AS \"action:json\", json_object('type', 'token', 'id', actor_id, "
        "'name', actor, 'ip', ip) AS \"actor:json\", json_object('type', route, 'id', "
        "path) AS \"resource:json\", 'API' AS interface FROM audit ORDER BY when_ms "
        "DESC",
        NULL);
}
