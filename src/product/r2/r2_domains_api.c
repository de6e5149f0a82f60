/*
 * REST routes of public addresses: the managed one (pub-<id>.r2.<domain>), and custom domains. The gateway serves them by
 * the table that names them (product/workers).
 */
#include "product/r2/r2_config.h"
#include "product/r2/s3_impl.h"

#include "core/clock.h"

#include <errno.h>

enum { R2_ERR_NO_DOMAIN = 10055, R2_ERR_DOMAIN_TAKEN = 10056 };

static int r2_domains_bucket(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    return r2_bucket_find(req, api_param(req, "bucket"), &row, err);
}

static int r2_publish(struct api_request *req, struct err *err)
{
    return req->api->publish == NULL ? 0 : req->api->publish(req, err);
}

/* --- the managed address --- */

/* A bucket's id is made when it is first asked for. */
static int r2_managed_row(struct api_request *req, json_t **ret, struct err *err)
{
    char id[ID_HEX_SIZE];
    const char *bucket = api_param(req, "bucket");
    int r = r2_domains_bucket(req, err);
    if (r < 0)
        return r;
    r = db_run(req->api->db, "INSERT OR IGNORE INTO r2_public(bucket, id, enabled) VALUES(?,?,0)",
               "ss", bucket, id_hex(id));
    if (r >= 0)
        r = db_row(req->api->db, ret,
                   "SELECT id AS \"bucketId\", 'pub-' || id || '.r2.' || ? AS domain, enabled AS "
                   "\"enabled:bool\" FROM r2_public WHERE bucket = ?",
                   "ss", req->api->domain, bucket);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the bucket's address cannot be read") : 0;
}

int r2_api_managed_get(struct api_request *req, struct err *err)
{
    json_t *row = NULL;
    int r = r2_managed_row(req, &row, err);
    return r < 0 ? r : api_ok(req, row);
}

int r2_api_managed_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL, *old = NULL;
    json_t *row = NULL;
    int r = api_json_object(req, false, &body, err);
    if (r == 0 && !json_is_boolean(json_object_get(body, "enabled")))
        r = err_set(err, -EINVAL, API_ERR_INPUT, "enabled must be true or false");
    if (r == 0)
        r = r2_managed_row(req, &old, err);
    if (r < 0)
        return r;
    r = db_run(req->api->db, "UPDATE r2_public SET enabled = ? WHERE bucket = ?", "is",
               json_bool(body, "enabled", false), api_param(req, "bucket"));
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the bucket's address cannot be stored");
    r = r2_publish(req, err);
    if (r == 0)
        r = r2_managed_row(req, &row, err);
    return r < 0 ? r : api_ok(req, row);
}

/* --- custom domains --- */

#define R2_DOMAIN_COLUMNS                                                                          \
    "hostname AS domain, enabled AS \"enabled:bool\", min_tls AS \"minTLS\", zone_id AS "          \
    "\"zoneId\", zone_name AS \"zoneName\", '{\"ownership\":\"active\",\"ssl\":\"active\"}' AS "   \
    "\"status:json\""

static bool r2_domain_ok(const char *host)
{
    size_t n = strlen(host);
    return n > 0 && n < 254 && host[0] != '.' && host[n - 1] != '.' &&
           strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == n;
}

static int r2_domain_row(struct api_request *req, const char *domain, json_t **ret, struct err *err)
{
    int r = db_row(req->api->db, ret,
                   "SELECT " R2_DOMAIN_COLUMNS " FROM r2_domains WHERE bucket = ? AND hostname = ?",
                   "ss", api_param(req, "bucket"), domain);
    return r < 0 ? err_set(err, r, R2_ERR_NO_DOMAIN, "The bucket has no such custom domain.") : 0;
}

static int r2_domain_answer(struct api_request *req, const char *domain, struct err *err)
{
    json_t *row = NULL;
    int r = r2_publish(req, err);
    if (r == 0)
        r = r2_domain_row(req, domain, &row, err);
    return r < 0 ? r : api_ok(req, row);
}

static const char *r2_zone_name(struct api_request *req, const char *id)
{
    AUTO(json_release) json_t *zone = NULL;
    int r = db_row(req->api->db, &zone, "SELECT name FROM zones WHERE id = ?", "s", id);
    return r < 0 ? "" : arena_printf(&req->arena, "%s", json_str(zone, "name", ""));
}

int r2_api_domains_list(struct api_request *req, struct err *err)
{
    json_t *rows = NULL;
    int r = r2_domains_bucket(req, err);
    if (r < 0)
        return r;
    r = db_rows(req->api->db, &rows,
                "SELECT " R2_DOMAIN_COLUMNS " FROM r2_domains WHERE bucket = ? ORDER BY hostname",
                "s", api_param(req, "bucket"));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the domains cannot be read")
                 : api_ok(req, json_pack("{s:o}", "domains", rows));
}

int r2_api_domains_add(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = r2_domains_bucket(req, err);
    if (r == 0)
        r = api_json_object(req, false, &body, err);
    if (r < 0)
        return r;
    const char *domain = json_str(body, "domain", ""), *zone = json_str(body, "zoneId", "");
    if (!r2_domain_ok(domain))
        return err_set(err, -EINVAL, API_ERR_INPUT, "\"%s\" is not a host name", domain);
    r = db_run(req->api->db,
               "INSERT INTO r2_domains(hostname, bucket, zone_id, zone_name, min_tls, enabled, "
               "created_ms) VALUES(?,?,?,?,?,?,?)",
               "sssssil", domain, api_param(req, "bucket"), zone, r2_zone_name(req, zone),
               json_str(body, "minTLS", "1.0"), json_bool(body, "enabled", true), clock_wall_ms());
    if (r == -EEXIST)
        return err_set(err, r, R2_ERR_DOMAIN_TAKEN, "The domain belongs to a bucket already.");
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the domain cannot be stored")
                 : r2_domain_answer(req, domain, err);
}

int r2_api_domain_get(struct api_request *req, struct err *err)
{
    json_t *row = NULL;
    int r = r2_domain_row(req, api_param(req, "domain"), &row, err);
    return r < 0 ? r : api_ok(req, row);
}

int r2_api_domain_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL, *row = NULL;
    const char *domain = api_param(req, "domain");
    int r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = r2_domain_row(req, domain, &row, err);
    if (r < 0)
        return r;
    r = db_run(req->api->db, "UPDATE r2_domains SET min_tls = ?, enabled = ? WHERE hostname = ?",
               "sis", json_str(body, "minTLS", json_str(row, "minTLS", "1.0")),
               json_bool(body, "enabled", json_bool(row, "enabled", true)), domain);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the domain cannot be stored")
                 : r2_domain_answer(req, domain, err);
}

int r2_api_domain_delete(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    const char *domain = api_param(req, "domain");
    int r = r2_domain_row(req, domain, &row, err);
    if (r < 0)
        return r;
    r = db_run(req->api->db, "DELETE FROM r2_domains WHERE hostname = ?", "s", domain);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the domain cannot be removed");
    r = r2_publish(req, err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "domain", domain));
}

void r2_domains_drop(struct api_request *req, const char *bucket)
{
    struct err err = {0};
    int r = db_run(req->api->db, "DELETE FROM r2_public WHERE bucket = ?", "s", bucket);
    int n = db_run(req->api->db, "DELETE FROM r2_domains WHERE bucket = ?", "s", bucket);
    if (r > 0 || n > 0)
        (void)r2_publish(req, &err); /* else with the next change: the bucket is gone anyway */
}
