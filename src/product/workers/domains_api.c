/*
 * Custom domains: a host name that belongs to a script.
 */
#include "product/workers/workers_api_impl.h"

#include <errno.h>

enum { DOMAIN_ERR_MISSING = 10102, DOMAIN_ERR_NAME = 10103 };

#define DOMAIN_COLUMNS                                                                             \
    "d.id, hostname, service, 'production' AS environment, coalesce(z.id, '') AS zone_id, "        \
    "coalesce(z.name, zone_name) AS zone_name, d.id AS cert_id, 1 AS \"enabled:bool\""
#define DOMAIN_FROM " FROM worker_domains d LEFT JOIN zones z ON z.name = d.zone_name"

static bool domain_ok(const char *host)
{
    size_t n = strlen(host);
    return n > 0 && n < 254 && host[0] != '.' && host[n - 1] != '.' &&
           strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == n;
}

/* Last labels stand in for a zone that nobody made. */
static const char *domain_zone(struct api_request *req, const json_t *wanted)
{
    AUTO(json_release) json_t *row = NULL;
    const char *name = json_str(wanted, "zone_name", "");
    int r = db_row(req->api->db, &row, "SELECT name FROM zones WHERE id = ? OR name = ?", "ss",
                   json_str(wanted, "zone_id", ""), name);
    return r < 0 ? name : arena_printf(&req->arena, "%s", json_str(row, "name", ""));
}

static int domain_store(struct api_request *req, const json_t *wanted, const char *service,
                        char ret_id[ID_HEX_SIZE], struct err *err)
{
    const char *host = json_str(wanted, "hostname", "");
    if (!domain_ok(host))
        return err_set(err, -EINVAL, DOMAIN_ERR_NAME, "\"%s\" is not a host name", host);
    int r =
        db_run(req->api->db,
               "INSERT INTO worker_domains (id, hostname, service, zone_name, modified_ms) VALUES "
               "(?,?,?,?,?) ON CONFLICT (hostname) DO UPDATE SET service = excluded.service, "
               "zone_name = excluded.zone_name, modified_ms = excluded.modified_ms",
               "ssssl", id_hex(ret_id), host, service, domain_zone(req, wanted), workers_now());
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the domain cannot be stored") : 0;
}

static int domain_row(struct api_request *req, const char *hostname_or_id, json_t **ret)
{
    return db_row(req->api->db, ret,
                  "SELECT " DOMAIN_COLUMNS DOMAIN_FROM " WHERE d.hostname = ?1 OR d.id = ?1", "s",
                  hostname_or_id);
}

static int domains_body(struct api_request *req, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = api_json(req, &body, err);
    if (r < 0)
        return r;
    json_t *origins = json_is_array(body) ? body : json_object_get(body, "origins");
    if (!json_is_array(origins))
        return err_set(err, -EINVAL, WORKER_ERR_BODY, "the body must hold an array of domains");
    *ret = json_incref(origins);
    return 0;
}

/* What PUT records would change; nothing is changed here. */
int domains_api_changeset(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *wanted = NULL;
    json_t *added = json_array(), *updated = json_array(), *conflicting = json_array(), *domain;
    const char *script = script_param(req);
    size_t i;
    int r = domains_body(req, &wanted, err);
    json_array_foreach(wanted, i, domain)
    {
        AUTO(json_release) json_t *row = NULL;
        if (domain_row(req, json_str(domain, "hostname", ""), &row) < 0) {
            json_array_append(added, domain);
            continue;
        }
        bool mine = strcmp(json_str(row, "service", ""), script) == 0;
        json_object_set_new(row, "modified", json_boolean(!mine));
        json_array_append(mine ? updated : conflicting, row);
    }
    json_t *result = json_pack("{s:o, s:[], s:o, s:o}", "added", added, "removed", "updated",
                               updated, "conflicting", conflicting);
    if (r < 0) {
        json_decref(result);
        return r;
    }
    return api_ok(req, result);
}

int domains_api_records_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *wanted = NULL;
    AUTO(db_end) struct db *tx = NULL;
    char id[ID_HEX_SIZE];
    size_t i;
    json_t *domain;
    int r = script_find(req, script_param(req), &script, err);
    if (r == 0)
        r = domains_body(req, &wanted, err);
    if (r < 0)
        return r;
    const char *name = json_str(script, "name", "");
    r = db_begin(req->api->db, &tx);
    if (r == 0)
        r = db_run(req->api->db, "DELETE FROM worker_domains WHERE service = ?", "s", name);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the domains cannot be stored");
    json_array_foreach(wanted, i, domain)
    {
        r = domain_store(req, domain, name, id, err);
        if (r < 0)
            return r;
    }
    r = db_commit(&tx);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the domains cannot be stored");
    r = table_publish(req, err);
    return r < 0 ? r : domains_api_list(req, err);
}

int domains_api_list(struct api_request *req, struct err *err)
{
    json_t *rows = NULL;
    const char *host = api_query(req, "hostname", ""), *service = api_query(req, "service", "");
    const char *zone = api_query(req, "zone_id", ""), *zone_name = api_query(req, "zone_name", "");
    int r = db_rows(
        req->api->db, &rows,
        "SELECT " DOMAIN_COLUMNS DOMAIN_FROM " WHERE (?1 = '' OR hostname = ?1) AND (?2 = '' OR "
        "service = ?2) AND (?3 = '' OR z.id = ?3) AND (?4 = '' OR zone_name = ?4) ORDER BY "
        "hostname",
        "ssss", host, service, zone, zone_name);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the domains cannot be read")
                 : api_ok_all(req, rows);
}

int domains_api_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL, *script = NULL;
    json_t *row = NULL;
    char id[ID_HEX_SIZE];
    int r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = script_find(req, json_str(body, "service", ""), &script, err);
    if (r == 0)
        r = domain_store(req, body, json_str(script, "name", ""), id, err);
    if (r == 0)
        r = table_publish(req, err);
    if (r < 0)
        return r;
    r = domain_row(req, json_str(body, "hostname", ""), &row);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the domain cannot be read")
                 : api_ok(req, row);
}

int domains_api_info(struct api_request *req, struct err *err)
{
    json_t *row = NULL;
    int r = domain_row(req, api_param(req, "domain"), &row);
    return r < 0 ? err_set(err, r, DOMAIN_ERR_MISSING, "There is no such domain.")
                 : api_ok(req, row);
}

int domains_api_delete(struct api_request *req, struct err *err)
{
    const char *id = api_param(req, "domain");
    int r = db_run(req->api->db, "DELETE FROM worker_domains WHERE id = ?", "s", id);
    if (r <= 0)
        return err_set(err, r < 0 ? r : -ENOENT, DOMAIN_ERR_MISSING, "There is no such domain.");
    r = table_publish(req, err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "id", id));
}
