/*
 * Temporary credentials: the session token says, signed by us, what it allows and whose key it stands for; the
 * secret is its SHA-256. The rights are at most those that the parent token has when they are used.
 * https://developers.cloudflare.com/r2/api/s3/tokens/#temporary-access-credentials
 */
#include "product/r2/s3_impl.h"

#include "api/jwt.h"

#include <errno.h>

enum { S3_TTL_MAX_S = 7 * 24 * 3600 };

#define S3_USE "r2-temporary"

static const struct s3_permission {
    const char *name;
    bool edits, buckets; /* buckets: operations on buckets too */
} s3_permissions[] = {
    {"admin-read-write", true, true},
    {"admin-read-only", false, true},
    {"object-read-write", true, false},
    {"object-read-only", false, false},
};

static const struct s3_permission *s3_permission_of(const json_t *claims)
{
    const char *name = json_str(claims, "permission", "");
    for (size_t i = 0; i < ARRAY_LEN(s3_permissions); i++) {
        if (strcmp(s3_permissions[i].name, name) == 0)
            return &s3_permissions[i];
    }
    return NULL;
}

/* Who asks may lend a key that is valid; what it allows is bounded by that key's own rights. */
int s3_api_temporary(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    AUTO(json_release) json_t *row = NULL;
    struct api_principal parent;
    char secret[TOKEN_SECRET_SIZE], session_secret[S3_SIGNATURE_SIZE];
    int r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = r2_bucket_find(req, json_str(body, "bucket", ""), &row, err);
    if (r < 0)
        return r;
    int64_t ttl_s = json_int(body, "ttlSeconds", 0);
    const char *id = json_str(body, "parentAccessKeyId", "");
    if (s3_permission_of(body) == NULL || ttl_s < 1 || ttl_s > S3_TTL_MAX_S)
        return err_set(err, -EINVAL, API_ERR_INPUT,
                       "permission or ttlSeconds is not valid: 1 to %d seconds", S3_TTL_MAX_S);
    if (tokens_secret(req->api->tokens, slice_of(id), req->remote_ip, &parent, secret) < 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "parentAccessKeyId is no valid access key");
    secret_wipe(secret, sizeof(secret));
    const char *token = jwt_make(req, S3_USE, ttl_s, body);
    if (token == NULL)
        return err_set(err, -ENOMEM, API_ERR_INTERNAL, "no memory");
    s3_sha256_hex(slice_of(token), session_secret);
    return api_ok(req, json_pack("{s:s, s:s, s:s}", "accessKeyId", id, "secretAccessKey",
                                 session_secret, "sessionToken", token));
}

static bool s3_session_token(struct s3 *s, struct slice *ret)
{
    const char *query = s3_query(s, "X-Amz-Security-Token");
    *ret = query != NULL ? slice_of(query) : s3_header(s, "x-amz-security-token");
    return ret->len > 0;
}

int s3_session_secret(struct s3 *s, struct slice key_id, char io_secret[TOKEN_SECRET_SIZE])
{
    struct slice token;
    if (!s3_session_token(s, &token))
        return 0;
    if (jwt_check(s->req, S3_USE, token, &s->session) < 0 ||
        !slice_eq(slice_of(json_str(s->session, "parentAccessKeyId", "")), key_id))
        return s3_fail(s, S3_ACCESS_DENIED);
    s3_sha256_hex(token, io_secret);
    return 0;
}

bool s3_session_covers(const struct s3 *s, const char *bucket, struct slice key)
{
    const json_t *prefixes = json_object_get(s->session, "prefixes");
    const json_t *objects = json_object_get(s->session, "objects");
    size_t i;
    json_t *one;
    if (s->session == NULL)
        return true;
    if (strcmp(json_str(s->session, "bucket", ""), bucket) != 0)
        return false;
    if (json_array_size(prefixes) == 0 && json_array_size(objects) == 0)
        return true;
    json_array_foreach(prefixes, i, one)
    {
        if (json_is_string(one) && slice_starts(key, slice_of(json_string_value(one))))
            return true;
    }
    json_array_foreach(objects, i, one)
    {
        if (json_is_string(one) && slice_eq(key, slice_of(json_string_value(one))))
            return true;
    }
    return false;
}

bool s3_session_allows(const struct s3 *s, bool edits, bool on_bucket)
{
    const struct s3_permission *p = s3_permission_of(s->session);
    if (s->session == NULL)
        return true;
    return p != NULL && strcmp(json_str(s->session, "bucket", ""), s->bucket) == 0 &&
           (p->edits || !edits) && (p->buckets || !on_bucket);
}
