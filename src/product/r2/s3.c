/*
 * S3: which request is one, which operation it is, and how errors look.
 */
#include "product/r2/s3_impl.h"

#include "api/text.h"
#include "net/http.h"

#include <errno.h>
#include <stdlib.h>

#define S3_AREA "workers_r2_storage"
#define S3_BODY_MAX ((uint64_t)5 * 1024 * 1024 * 1024 + 64 * 1024 * 1024) /* with chunk framing */

/* --- what operations are made of --- */

struct slice s3_header(const struct s3 *s, const char *name)
{
    return api_header(s->req, name);
}

bool s3_has_header(const struct s3 *s, const char *wanted)
{
    struct slice block = s->req->headers, name, value;
    while (http_header_next(&block, &name, &value)) {
        if (slice_eq(name, slice_of(wanted)))
            return true;
    }
    return false;
}

const char *s3_query(const struct s3 *s, const char *name)
{
    return api_query(s->req, name, NULL);
}

int s3_xml(struct s3 *s, struct buf *out)
{
    return api_raw(s->req, 200, "application/xml", buf_slice(out));
}

int s3_empty(struct s3 *s, int status)
{
    s->req->answer.kind = API_ANSWER_RAW;
    s->req->answer.status = status;
    return 0;
}

void s3_answer_header(struct s3 *s, const char *name, const char *value)
{
    api_answer_header(s->req, name, slice_of(value));
}

int s3_call(struct s3 *s, struct store_call *call, struct store_reply *ret)
{
    struct err err = {0};
    int r = store_call(s->req, call, ret, &err);
    return r < 0 ? s3_fail_err(s, r, &err) : 0;
}

/* --- which operation --- */

enum s3_scope { S3_SERVICE, S3_BUCKET, S3_OBJECT };

static const struct s3_operation {
    const char *method;
    enum s3_scope scope;
    const char *query;  /* must be there; "" = any */
    const char *header; /* likewise */
    int (*run)(struct s3 *s);
    bool edits, body; /* body: of up to S3_BODY_MAX */
} s3_operations[] = {
    {"GET", S3_SERVICE, "", "", s3_list_buckets, false, false},
    {"GET", S3_BUCKET, "location", "", s3_bucket_location, false, false},
    {"GET", S3_BUCKET, "versioning", "", s3_bucket_versioning, false, false},
    {"GET", S3_BUCKET, "encryption", "", s3_bucket_encryption, false, false},
    {"GET", S3_BUCKET, "cors", "", s3_cors_get, false, false},
    {"PUT", S3_BUCKET, "cors", "", s3_cors_put, true, false},
    {"DELETE", S3_BUCKET, "cors", "", s3_cors_delete, true, false},
    {"GET", S3_BUCKET, "lifecycle", "", s3_lifecycle_get, false, false},
    {"PUT", S3_BUCKET, "lifecycle", "", s3_lifecycle_put, true, false},
    {"DELETE", S3_BUCKET, "lifecycle", "", s3_lifecycle_delete, true, false},
    {"OPTIONS", S3_BUCKET, "", "", s3_preflight, false, false},
    {"OPTIONS", S3_OBJECT, "", "", s3_preflight, false, false},
    {"GET", S3_BUCKET, "uploads", "", s3_list_uploads, false, false},
    {"GET", S3_BUCKET, "versions", "", s3_list_versions, false, false},
    {"GET", S3_BUCKET, "list-type", "", s3_list_v2, false, false},
    {"GET", S3_BUCKET, "", "", s3_list_v1, false, false},
    {"HEAD", S3_BUCKET, "", "", s3_bucket_head, false, false},
    {"PUT", S3_BUCKET, "", "", s3_bucket_create, true, false},
    {"DELETE", S3_BUCKET, "", "", s3_bucket_delete, true, false},
    {"POST", S3_BUCKET, "delete", "", s3_delete_objects, true, false},
    {"GET", S3_OBJECT, "uploadId", "", s3_multipart_parts, false, false},
    {"GET", S3_OBJECT, "", "", s3_object_get, false, false},
    {"HEAD", S3_OBJECT, "", "", s3_object_get, false, false},
    {"PUT", S3_OBJECT, "partNumber", "x-amz-copy-source", s3_multipart_part_copy, true, false},
    {"PUT", S3_OBJECT, "partNumber", "", s3_multipart_part, true, true},
    {"PUT", S3_OBJECT, "", "x-amz-copy-source", s3_object_copy, true, false},
    {"PUT", S3_OBJECT, "", "", s3_object_put, true, true},
    {"DELETE", S3_OBJECT, "uploadId", "", s3_multipart_abort, true, false},
    {"DELETE", S3_OBJECT, "", "", s3_object_delete, true, false},
    {"POST", S3_OBJECT, "uploads", "", s3_multipart_create, true, false},
    {"POST", S3_OBJECT, "uploadId", "", s3_multipart_complete, true, false},
    {"POST", S3_OBJECT, "", "", s3_object_put, true, true}, /* as R2 does */
};

/* Subresources that would otherwise pass for the plain operation. R2 answers some as for a bucket without the setting. */
static const struct s3_subresource {
    const char *query, *name;
    enum s3_error unset; /* of GET of a bucket; S3_NOT_IMPLEMENTED = as of everything else */
} s3_unserved[] = {
    {"accelerate", "AccelerateConfiguration", S3_NOT_IMPLEMENTED},
    {"acl", "Acl", S3_NOT_IMPLEMENTED},
    {"analytics", "AnalyticsConfiguration", S3_NOT_IMPLEMENTED},
    {"attributes", "Attributes", S3_NOT_IMPLEMENTED},
    {"intelligent-tiering", "IntelligentTieringConfiguration", S3_NOT_IMPLEMENTED},
    {"inventory", "InventoryConfiguration", S3_NOT_IMPLEMENTED},
    {"legal-hold", "LegalHold", S3_NOT_IMPLEMENTED},
    {"logging", "Logging", S3_NOT_IMPLEMENTED},
    {"metrics", "MetricsConfiguration", S3_NOT_IMPLEMENTED},
    {"notification", "NotificationConfiguration", S3_NOT_IMPLEMENTED},
    {"object-lock", "ObjectLockConfiguration", S3_NO_SUCH_LOCK},
    {"ownershipControls", "OwnershipControls", S3_NOT_IMPLEMENTED},
    {"policy", "Policy", S3_NOT_IMPLEMENTED},
    {"policyStatus", "PolicyStatus", S3_NOT_IMPLEMENTED},
    {"publicAccessBlock", "PublicAccessBlock", S3_NOT_IMPLEMENTED},
    {"replication", "Replication", S3_NO_SUCH_REPLICATION},
    {"requestPayment", "RequestPayment", S3_NOT_IMPLEMENTED},
    {"restore", "Restoration", S3_NOT_IMPLEMENTED},
    {"retention", "Retention", S3_NOT_IMPLEMENTED},
    {"select", "Selection", S3_NOT_IMPLEMENTED},
    {"tagging", "Tagging", S3_NO_SUCH_TAGS},
    {"torrent", "Torrent", S3_NOT_IMPLEMENTED},
    {"website", "Website", S3_NOT_IMPLEMENTED},
};

static int s3_fail_unserved(struct s3 *s, const struct s3_subresource *sub, bool on_object)
{
    static const char *const verbs[][2] = {
        {"GET", "Get"}, {"HEAD", "Get"}, {"DELETE", "Delete"}, {"", "Put"}};
    bool get = slice_eq(s->req->method, SLICE("GET"));
    size_t i = 0;
    if (get && !on_object && sub->unset != S3_NOT_IMPLEMENTED)
        return s3_fail(s, sub->unset);
    while (*verbs[i][0] != '\0' && !slice_eq(s->req->method, slice_of(verbs[i][0])))
        i++;
    return s3_fail_text(s, S3_NOT_IMPLEMENTED, "%s%s%s not implemented", verbs[i][1],
                        on_object ? "Object" : "Bucket", sub->name);
}

/* Subresources of which some methods are served: a method that is not must not become the bucket's own, or a wish to
 * remove a setting would remove the bucket. */
static const char *const s3_partly[] = {"cors",      "delete",    "encryption",
                                        "lifecycle", "list-type", "location",
                                        "uploads",   "versions",  "versioning"};

static bool s3_mistaken(const struct s3 *s, const struct s3_operation *op)
{
    if (op->scope != S3_BUCKET || *op->query != '\0' || !op->edits)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(s3_partly); i++) {
        if (s3_query(s, s3_partly[i]) != NULL)
            return true;
    }
    return false;
}

static bool s3_operation_is(const struct s3 *s, const struct s3_operation *op, enum s3_scope scope)
{
    return op->scope == scope && slice_eq(s->req->method, slice_of(op->method)) &&
           (*op->query == '\0' || s3_query(s, op->query) != NULL) &&
           (*op->header == '\0' || s3_header(s, op->header).len > 0);
}

static const struct s3_operation *s3_operation_of(struct s3 *s)
{
    enum s3_scope scope = *s->bucket == '\0' ? S3_SERVICE : s->key.len == 0 ? S3_BUCKET : S3_OBJECT;
    for (size_t i = 0; i < ARRAY_LEN(s3_unserved); i++) {
        if (scope != S3_SERVICE && s3_query(s, s3_unserved[i].query) != NULL) {
            s3_fail_unserved(s, &s3_unserved[i], scope == S3_OBJECT);
            return NULL;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(s3_operations); i++) {
        if (!s3_operation_is(s, &s3_operations[i], scope))
            continue;
        if (!s3_mistaken(s, &s3_operations[i]))
            return &s3_operations[i];
        s3_fail(s, S3_NOT_IMPLEMENTED);
        return NULL;
    }
    s3_fail(s, S3_NO_ROUTE);
    return NULL;
}

/* --- addresses --- */

/* The bucket in the host ("" = it is in the path); false when the host is not S3's. */
static bool s3_host(const struct api *api, struct slice authority, struct slice *ret_bucket)
{
    char base[300];
    struct slice host = authority;
    ssize_t colon = slice_find(host, ':');
    if (colon >= 0)
        host.len = (size_t)colon;
    snprintf(base, sizeof(base), "%s.r2.%s", api->account, api->domain);
    if (!slice_ends(host, slice_of(base)))
        return false;
    host.len -= strlen(base);
    if (host.len == 0) {
        *ret_bucket = SLICE("");
        return true;
    }
    *ret_bucket = slice_from(host.ptr, host.len - 1);
    return host.len > 1 && host.ptr[host.len - 1] == '.';
}

static bool s3_in_path(struct slice path)
{
    return slice_eq(path, SLICE("/s3")) || slice_starts(path, SLICE("/s3/"));
}

bool s3_is(const struct api *api, struct slice authority, struct slice target)
{
    struct slice bucket, rest = target;
    return s3_host(api, authority, &bucket) || s3_in_path(slice_cut(&rest, '?'));
}

static int s3_split(struct s3 *s)
{
    struct api_request *req = s->req;
    struct slice bucket, path = s->path;
    if (!s3_host(req->api, req->authority, &bucket)) {
        path = slice_skip(path, 3);
        bucket = SLICE("");
    }
    path = slice_skip(path, 1);
    if (bucket.len == 0) {
        bucket = slice_cut(&path, '/');
        if (path.ptr == NULL)
            path = SLICE("");
    }
    s->bucket = arena_printf(&req->arena, "%.*s", SLICE_ARG(bucket));
    s->store = arena_printf(&req->arena, "r2/%.*s", SLICE_ARG(bucket));
    if (s->bucket == NULL || s->store == NULL)
        return s3_fail(s, S3_INTERNAL);
    return text_percent_decode(&req->arena, path, false, &s->key) < 0
               ? s3_fail(s, S3_INVALID_ARGUMENT)
               : 0;
}

/* --- the two halves of a request --- */

/* Keys that come in the body or as the source of a copy are checked where they are read. */
static int s3_check_session(struct s3 *s, const struct s3_operation *op)
{
    bool lists = op->run == s3_list_v1 || op->run == s3_list_v2 || op->run == s3_list_versions ||
                 op->run == s3_list_uploads;
    bool on_bucket =
        op->scope == S3_SERVICE || op->run == s3_bucket_create || op->run == s3_bucket_delete;
    struct slice key = lists ? slice_of(api_query(s->req, "prefix", "")) : s->key;
    bool keyed = lists || op->scope == S3_OBJECT;
    bool ok = s3_session_allows(s, op->edits, on_bucket) &&
              (!keyed || s3_session_covers(s, s->bucket, key));
    return ok ? 0 : s3_fail(s, S3_ACCESS_DENIED);
}

/* Everything that the head decides. */
static int s3_open(struct s3 *s, const struct s3_operation **ret)
{
    struct api_request *req = s->req;
    struct slice rest = req->target;
    s->path = slice_cut(&rest, '?');
    req->path = s->path;
    req->query = rest.ptr == NULL ? SLICE("") : rest;
    bool preflight =
        slice_eq(req->method, SLICE("OPTIONS")); /* browsers send it without any right */
    int r = s3_split(s);
    if (r == 0 && !preflight)
        r = s3_sign_check(s);
    if (r < 0)
        return r;
    const struct s3_operation *op = s3_operation_of(s);
    if (op == NULL)
        return -ECANCELED;
    *ret = op;
    s->auth.payload = preflight ? SLICE("UNSIGNED-PAYLOAD") : s->auth.payload;
    if (preflight)
        return 0;
    if (op->body && !req->has_body && req->content_length < 0)
        return s3_fail(s, S3_MISSING_LENGTH);
    int area = permission_index(req->api->products, S3_AREA);
    if (!permission_has(&req->who.rights, area, op->edits ? API_EDIT : API_READ))
        return s3_fail(s, S3_ACCESS_DENIED);
    return s3_check_session(s, op);
}

static void s3_done(struct s3 *s)
{
    json_release(&s->session);
}

/* Buckets are rows of control.db, also for operations that would make the keeper say so. */
static int s3_check_bucket(struct s3 *s, const struct s3_operation *op)
{
    AUTO(json_release) json_t *row = NULL;
    struct err err = {0};
    if (op->scope == S3_SERVICE || op->run == s3_bucket_create)
        return 0;
    int r = r2_bucket_find(s->req, s->bucket, &row, &err);
    bool uploads = op->run == s3_object_put || op->run == s3_multipart_create;
    if (r == -ENOENT && uploads &&
        slice_eq(s3_header(s, "cf-create-bucket-if-missing"), SLICE("true"))) {
        AUTO(json_release) json_t *body = json_pack("{s:s}", "name", s->bucket);
        const char *name;
        r = body == NULL ? -EINVAL : r2_bucket_make(s->req, body, &name, &err);
        r = r == -EEXIST ? 0 : r;
    }
    return r < 0 ? s3_fail_err(s, r, &err) : 0;
}

static int s3_run(struct api_request *req, struct err *err)
{
    AUTO(s3_done) struct s3 s = {.req = req};
    const struct s3_operation *op = NULL;
    (void)err;
    int r = s3_open(&s, &op);
    if (r == 0)
        r = s3_check_bucket(&s, op);
    if (r == 0)
        r = s3_body_take(&s);
    if (r == 0 && op->run != s3_preflight)
        r = s3_cors_apply(&s);
    if (r == 0)
        (void)op->run(&s); /* has answered in any case */
    return 0;
}

bool s3_front(struct api_request *req)
{
    static const struct api_route small = {.method = "S3",
                                           .path = "/s3",
                                           .run = s3_run,
                                           .flags = API_PUBLIC | API_NO_AUDIT,
                                           .body_max = S3_XML_BODY_MAX};
    static const struct api_route large = {.method = "S3",
                                           .path = "/s3",
                                           .run = s3_run,
                                           .flags = API_PUBLIC | API_NO_AUDIT,
                                           .body_max = S3_BODY_MAX};
    AUTO(s3_done) struct s3 s = {.req = req};
    const struct s3_operation *op = NULL;
    if (!s3_is(req->api, req->authority, req->target))
        return false;
    api_answer_header(req, "x-amz-request-id", slice_of(req->id));
    if (s3_open(&s, &op) == 0)
        req->route = op->body ? &large : &small;
    return true;
}
