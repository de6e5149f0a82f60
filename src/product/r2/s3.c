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

static const struct s3_error_row {
    const char *code;
    int status;
    const char *text;
} s3_errors[] = {
    [S3_ACCESS_DENIED] = {"AccessDenied", 403, "Access Denied"},
    [S3_BAD_DIGEST] = {"BadDigest", 400,
                       "The checksum you specified did not match what we received."},
    [S3_BUCKET_EXISTS] = {"BucketAlreadyOwnedByYou", 409,
                          "The bucket you tried to create already exists, and you own it."},
    [S3_BUCKET_NOT_EMPTY] = {"BucketNotEmpty", 409, "The bucket you tried to delete is not empty."},
    [S3_CORS_BAD] = {"BadRequest", 400, "Insufficient information. Origin request header needed."},
    [S3_CORS_FORBIDDEN] = {"AccessForbidden", 403,
                           "CORSResponse: This CORS request is not allowed."},
    [S3_ENTITY_TOO_LARGE] = {"EntityTooLarge", 400,
                             "Your proposed upload exceeds the maximum allowed object size."},
    [S3_ENTITY_TOO_SMALL] = {"EntityTooSmall", 400,
                             "Your proposed upload is smaller than the minimum allowed object "
                             "size."},
    [S3_EXPIRED] = {"ExpiredRequest", 403, "Request has expired"},
    [S3_INCOMPLETE_BODY] = {"IncompleteBody", 400,
                            "The request body terminated unexpectedly or is not framed as its "
                            "headers say."},
    [S3_INTERNAL] = {"InternalError", 500, "We encountered an internal error. Please try again."},
    [S3_INVALID_ACCESS_KEY] = {"InvalidAccessKeyId", 403,
                               "The access key ID you provided does not exist in our records."},
    [S3_INVALID_ARGUMENT] = {"InvalidArgument", 400, "Invalid Argument"},
    [S3_INVALID_BUCKET_NAME] = {"InvalidBucketName", 400,
                                "The specified bucket name is not valid."},
    [S3_INVALID_DIGEST] = {"InvalidDigest", 400, "A checksum header is not valid."},
    [S3_INVALID_PART] = {"InvalidPart", 400,
                         "One or more of the specified parts could not be found."},
    [S3_INVALID_PART_ORDER] = {"InvalidPartOrder", 400,
                               "The list of parts was not in ascending order."},
    [S3_INVALID_RANGE] = {"InvalidRange", 416, "The requested range is not satisfiable"},
    [S3_INVALID_REQUEST] = {"InvalidRequest", 400, "The request is not valid."},
    [S3_INVALID_TOKEN] = {"InvalidArgument", 400, "The continuation token is not valid."},
    [S3_KEY_TOO_LONG] = {"KeyTooLongError", 400, "Your key is too long."},
    [S3_LOCKED] = {"ObjectLockedByBucketPolicy", 403,
                   "The object is locked by the bucket's lock rules."},
    [S3_MALFORMED_AUTH] = {"AuthorizationHeaderMalformed", 400,
                           "The authorization that you provided is not valid."},
    [S3_MALFORMED_XML] = {"MalformedXML", 400, "The XML you provided was not well-formed."},
    [S3_METADATA_TOO_LARGE] = {"MetadataTooLarge", 400,
                               "Your metadata headers exceed the maximum allowed metadata size."},
    [S3_METHOD_NOT_ALLOWED] = {"MethodNotAllowed", 405,
                               "The specified method is not allowed against this resource."},
    [S3_MISSING_LENGTH] = {"MissingContentLength", 411,
                           "You must provide the Content-Length HTTP header."},
    [S3_NO_SPACE] = {"ServiceUnavailable", 503,
                     "There is no space left to store this. Free space on the server's disk."},
    [S3_NO_SUCH_BUCKET] = {"NoSuchBucket", 404, "The specified bucket does not exist."},
    [S3_NO_SUCH_CORS] = {"NoSuchCORSConfiguration", 404, "The CORS configuration does not exist."},
    [S3_NO_SUCH_KEY] = {"NoSuchKey", 404, "The specified key does not exist."},
    [S3_NO_SUCH_LIFECYCLE] = {"NoSuchLifecycleConfiguration", 404,
                              "The lifecycle configuration does not exist."},
    [S3_NO_SUCH_UPLOAD] = {"NoSuchUpload", 404, "The specified multipart upload does not exist."},
    [S3_NOT_IMPLEMENTED] = {"NotImplemented", 501, "This operation is not implemented."},
    [S3_PART_LENGTHS] = {"InvalidPart", 400, "All non-trailing parts must have the same length."},
    [S3_PRECONDITION_FAILED] = {"PreconditionFailed", 412,
                                "At least one of the pre-conditions you specified did not hold."},
    [S3_SEALED] = {"InvalidRequest", 400,
                   "The object was stored using a form of Server Side Encryption. The correct "
                   "parameters must be provided to retrieve the object."},
    [S3_SEAL_KEY] = {"InvalidRequest", 400,
                     "The encryption key is missing, malformed, not applicable, or not the one "
                     "that the object was stored with."},
    [S3_SHA256_MISMATCH] = {"XAmzContentSHA256Mismatch", 400,
                            "The provided x-amz-content-sha256 header does not match what was "
                            "computed."},
    [S3_SIGNATURE] = {"SignatureDoesNotMatch", 403,
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your secret access key and signing method."},
    [S3_TIME_SKEWED] = {"RequestTimeTooSkewed", 403,
                        "The difference between the request time and the server's time is too "
                        "large."},
};

static const struct {
    int code;
    enum s3_error error;
} s3_numbers[] = {
    {10004, S3_BUCKET_EXISTS},
    {10005, S3_INVALID_BUCKET_NAME},
    {10006, S3_NO_SUCH_BUCKET},
    {10007, S3_NO_SUCH_KEY},
    {10008, S3_BUCKET_NOT_EMPTY},
    {10011, S3_ENTITY_TOO_SMALL},
    {10012, S3_METADATA_TOO_LARGE},
    {10020, S3_KEY_TOO_LONG},
    {10024, S3_NO_SUCH_UPLOAD},
    {10025, S3_INVALID_PART},
    {10029, S3_INVALID_ARGUMENT},
    {10037, S3_BAD_DIGEST},
    {10069, S3_LOCKED},
    {10090, S3_SEALED},
    {10091, S3_SEAL_KEY},
    {10092, S3_SEAL_KEY},
    {10039, S3_INVALID_RANGE},
    {10048, S3_PART_LENGTHS},
    {100100, S3_ENTITY_TOO_LARGE},
};

const char *s3_error_code(enum s3_error error)
{
    return s3_errors[error].code;
}

const char *s3_error_text(enum s3_error error)
{
    return s3_errors[error].text;
}

int s3_fail(struct s3 *s, enum s3_error error)
{
    const struct s3_error_row *row = &s3_errors[error];
    AUTO(buf_done) struct buf out = {0};
    buf_printf(
        &out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>%s</Code><Message>%s</Message>",
        row->code, row->text);
    buf_append_slice(&out, SLICE("<Resource>"));
    s3_xml_text(&out, s->path);
    buf_printf(&out, "</Resource><RequestId>%s</RequestId></Error>", s->req->id);
    bool head = slice_eq(s->req->method, SLICE("HEAD"));
    api_raw(s->req, row->status, "application/xml", head ? SLICE("") : buf_slice(&out));
    return -ECANCELED;
}

/* The number in parentheses that ends the keeper's sentences, else the error's own. */
static int s3_number(const struct err *err)
{
    const char *open = strrchr(err->text, '(');
    char *end = NULL;
    long n = open == NULL ? 0 : strtol(open + 1, &end, 10);
    return n > 0 && n < INT32_MAX && strcmp(end, ")") == 0 ? (int)n : err->code;
}

enum s3_error s3_error_of(int r, const struct err *err)
{
    int number = s3_number(err);
    for (size_t i = 0; i < ARRAY_LEN(s3_numbers); i++) {
        if (s3_numbers[i].code == number)
            return s3_numbers[i].error;
    }
    return r == -ENOENT ? S3_NO_SUCH_BUCKET : r == -ENOSPC ? S3_NO_SPACE : S3_INTERNAL;
}

int s3_fail_err(struct s3 *s, int r, const struct err *err)
{
    return s3_fail(s, s3_error_of(r, err));
}

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
    {"PUT", S3_OBJECT, "uploadId", "x-amz-copy-source", s3_multipart_part_copy, true, false},
    {"PUT", S3_OBJECT, "uploadId", "", s3_multipart_part, true, true},
    {"PUT", S3_OBJECT, "", "x-amz-copy-source", s3_object_copy, true, false},
    {"PUT", S3_OBJECT, "", "", s3_object_put, true, true},
    {"DELETE", S3_OBJECT, "uploadId", "", s3_multipart_abort, true, false},
    {"DELETE", S3_OBJECT, "", "", s3_object_delete, true, false},
    {"POST", S3_OBJECT, "uploads", "", s3_multipart_create, true, false},
    {"POST", S3_OBJECT, "uploadId", "", s3_multipart_complete, true, false},
};

/* Subresources that would otherwise pass for the plain operation. */
static const char *const s3_unserved[] = {
    "accelerate",
    "acl",
    "analytics",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "tagging",
    "torrent",
    "versioning",
    "website",
    "attributes",
    "select",
    "policyStatus",
};

/* Subresources of which some methods are served: a method that is not must not become the bucket's own, or a wish to
 * remove a setting would remove the bucket. */
static const char *const s3_partly[] = {"cors",      "delete",   "encryption", "lifecycle",
                                        "list-type", "location", "uploads",    "versions"};

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
        if (s3_query(s, s3_unserved[i]) != NULL) {
            s3_fail(s, S3_NOT_IMPLEMENTED);
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
    s3_fail(s, S3_METHOD_NOT_ALLOWED);
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
