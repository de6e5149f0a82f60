/*
 * S3: objects. Conditions and ranges are evaluated by the keeper, the same way as for Workers.
 */
#include "product/r2/r2_http.h"
#include "product/r2/s3_impl.h"

#include "api/text.h"
#include "core/clock.h"
#include "net/http.h"

#include <errno.h>

static const struct s3_field {
    const char *header, *member, *override;
} s3_fields[] = {
    {"content-type", "contentType", "response-content-type"},
    {"content-language", "contentLanguage", "response-content-language"},
    {"content-disposition", "contentDisposition", "response-content-disposition"},
    {"content-encoding", "contentEncoding", "response-content-encoding"},
    {"cache-control", "cacheControl", "response-cache-control"},
};

const char *s3_class(const json_t *object)
{
    return strcmp(json_str(object, "storageClass", "Standard"), "Standard") == 0 ? "STANDARD"
                                                                                 : "STANDARD_IA";
}

/* --- what headers say --- */

/* aws-chunked is framing, not an encoding of the content. */
static struct slice s3_field_value(struct s3 *s, const struct s3_field *field)
{
    struct slice value = s3_header(s, field->header);
    if (strcmp(field->header, "content-encoding") != 0 ||
        slice_find_slice(value, SLICE("aws-chunked")) < 0)
        return value;
    AUTO(buf_done) struct buf kept = {0};
    while (value.len > 0) {
        struct slice one = slice_trim(slice_cut(&value, ','));
        if (one.len == 0 || slice_eq(one, SLICE("aws-chunked")))
            continue;
        buf_append_slice(&kept, buf_len(&kept) > 0 ? SLICE(", ") : SLICE(""));
        buf_append_slice(&kept, one);
    }
    struct slice copy = {0};
    return arena_copy(&s->req->arena, buf_slice(&kept).ptr, buf_len(&kept), &copy) < 0 ? SLICE("")
                                                                                       : copy;
}

static json_t *s3_custom(struct s3 *s)
{
    json_t *custom = json_object();
    struct slice block = s->req->headers, name, value;
    while (http_header_next(&block, &name, &value)) {
        if (!slice_starts(name, SLICE("x-amz-meta-")))
            continue;
        name = slice_skip(name, 11);
        json_object_setn_new(custom, name.ptr, name.len, s3_text_decode(s, value));
    }
    return custom;
}

json_t *s3_put_options(struct s3 *s)
{
    json_t *http = json_object();
    json_t *options = json_pack("{s:o, s:o}", "httpMetadata", http, "customMetadata", s3_custom(s));
    int64_t expires_ms;
    for (size_t i = 0; i < ARRAY_LEN(s3_fields); i++) {
        struct slice value = s3_field_value(s, &s3_fields[i]);
        if (value.len > 0)
            json_object_set_new(http, s3_fields[i].member, api_text(value));
    }
    if (clock_parse_http_date(s3_header(s, "expires"), &expires_ms) == 0)
        json_object_set_new(http, "cacheExpiry", json_integer(expires_ms));
    struct slice class = s3_header(s, "x-amz-storage-class");
    if (class.len > 0)
        json_object_set_new(
            options, "storageClass",
            json_string(slice_eq(class, SLICE("STANDARD")) ? "Standard" : "InfrequentAccess"));
    return options;
}

json_t *s3_condition(struct s3 *s, const char *prefix)
{
    return r2_http_condition(s->req->headers, prefix);
}

json_t *s3_range(struct slice text)
{
    return r2_http_range(text);
}

/* --- get --- */

static void s3_get_metadata(struct s3 *s, const json_t *o)
{
    const json_t *http = json_object_get(o, "httpMetadata");
    json_t *custom = json_object_get(o, "customMetadata"), *value;
    const char *key;
    char text[CLOCK_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(s3_fields); i++) {
        const char *field = s3_query(s, s3_fields[i].override);
        if (field == NULL)
            field = json_str(http, s3_fields[i].member, NULL);
        if (field == NULL && i == 0)
            field = "binary/octet-stream";
        if (field != NULL)
            s3_answer_header(s, s3_fields[i].header, field);
    }
    int64_t expires_ms = json_int(http, "cacheExpiry", 0);
    if (s3_query(s, "response-expires") != NULL)
        s3_answer_header(s, "expires", s3_query(s, "response-expires"));
    else if (expires_ms != 0)
        s3_answer_header(s, "expires", clock_http_date(expires_ms, text));
    size_t missing = 0;
    json_object_foreach(custom, key, value)
    {
        const char *name = arena_printf(&s->req->arena, "x-amz-meta-%s", key);
        if (name != NULL && http_name_ok(slice_of(name)))
            s3_answer_header(s, name, s3_text_encode(s, json_string_value(value)));
        else
            missing++;
    }
    if (missing > 0)
        s3_answer_header(s, "x-amz-missing-meta", arena_printf(&s->req->arena, "%zu", missing));
}

static void s3_get_headers(struct s3 *s, const json_t *o)
{
    char text[CLOCK_TEXT_SIZE];
    s3_answer_header(s, "etag", arena_printf(&s->req->arena, "\"%s\"", json_str(o, "etag", "")));
    s3_answer_header(s, "last-modified", clock_http_date(json_int(o, "uploaded", 0), text));
    s3_answer_header(s, "accept-ranges", "bytes");
    if (strcmp(s3_class(o), "STANDARD") != 0)
        s3_answer_header(s, "x-amz-storage-class", s3_class(o));
    const char *etag = json_str(o, "etag", ""), *parts = strchr(etag, '-');
    if (parts != NULL && s3_query(s, "partNumber") != NULL)
        s3_answer_header(s, "x-amz-mp-parts-count", parts + 1);
    s3_ssec_answer(s);
}

static int s3_get_answer(struct s3 *s, struct store_reply *reply, bool head)
{
    const json_t *o = reply->json, *range = json_object_get(o, "range");
    int64_t size = json_int(o, "size", 0), length = json_int(range, "length", size);
    int64_t offset = json_int(range, "offset", 0);
    s3_get_headers(s, o);
    if (reply->result == 2)
        return s3_empty(s, 304);
    if (reply->result != 0)
        return s3_fail(s, S3_PRECONDITION_FAILED);
    s3_get_metadata(s, o);
    bool part = s3_query(s, "partNumber") != NULL;
    if ((range == NULL || part) &&
        slice_eq_nocase(s3_header(s, "x-amz-checksum-mode"), SLICE("enabled")))
        s3_checksums_show(s, json_object_get(o, "checksums"), NULL);
    if (range != NULL)
        s3_answer_header(s, "content-range",
                         arena_printf(&s->req->arena, "bytes %lld-%lld/%lld", (long long)offset,
                                      (long long)(offset + length - 1), (long long)size));
    if (head || length == 0) {
        s3_empty(s, range != NULL ? 206 : 200);
        s->req->answer.stream_length = head ? length : 0;
        return 0;
    }
    if (reply->fd > 0)
        api_file(s->req, TAKE_FD(reply->fd), offset, length);
    else
        api_streamed(s->req, TAKE(reply->stream), length);
    s->req->answer.status = range != NULL ? 206 : 200;
    return 0;
}

static int s3_range_check(struct s3 *s)
{
    enum r2_range_kind kind = r2_http_range_kind(s3_header(s, "range"));
    if (kind == R2_RANGE_BACKWARDS)
        return s3_fail_text(s, S3_INVALID_ARGUMENT, "range must be positive.");
    if (kind == R2_RANGE_MALFORMED)
        return s3_fail_text(s, S3_INVALID_ARGUMENT,
                            "The range is not valid: it has the form 'bytes=first-last', "
                            "'bytes=first-', or 'bytes=-suffix'.'");
    return 0;
}

/* One part, or a range. */
static int s3_get_part(struct s3 *s, json_t *options)
{
    const char *part = s3_query(s, "partNumber");
    uint64_t number;
    int r = s3_range_check(s);
    if (r < 0)
        return r;
    json_t *range = s3_range(s3_header(s, "range"));
    if (part == NULL) {
        if (range != NULL)
            json_object_set_new(options, "range", range);
        return 0;
    }
    bool ok = slice_to_u64(slice_of(part), &number) == 0 && number >= 1 && number <= S3_PARTS_MAX;
    if (range != NULL || !ok) {
        json_decref(range);
        return s3_fail(s, S3_INVALID_ARGUMENT);
    }
    json_object_set_new(options, "part", json_integer((json_int_t)number));
    return 0;
}

int s3_object_get(struct s3 *s)
{
    bool head = slice_eq(s->req->method, SLICE("HEAD"));
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_get, .stream = !head};
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release) json_t *options = json_pack("{s:b, s:b}", "head", head, "pass", 1);
    json_t *only_if = s3_condition(s, "");
    if (only_if != NULL)
        json_object_set_new(options, "onlyIf", only_if);
    int r = s3_get_part(s, options);
    if (r == 0)
        r = s3_ssec(s, "x-amz-", "ssecKey", options);
    if (r < 0)
        return r;
    json_print(&text, options);
    struct msg_r2_get m = {.store = slice_of(s->store), .key = s->key, .options = buf_slice(&text)};
    msg_r2_get_pack(&call.args, &m);
    r = s3_call(s, &call, &reply);
    return r < 0 ? r : s3_get_answer(s, &reply, head);
}

/* --- put --- */

static bool s3_one_of(struct slice value, const char *const *known, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(value, slice_of(known[i])))
            return true;
    }
    return false;
}

/* Headers that ask for what is not there; a promise kept silently would be none. */
int s3_put_check(struct s3 *s)
{
    static const char *const classes[] = {"", "STANDARD", "STANDARD_IA"};
    static const char *const acls[] = {"",
                                       "private",
                                       "public-read",
                                       "public-read-write",
                                       "authenticated-read",
                                       "aws-exec-read",
                                       "bucket-owner-read",
                                       "bucket-owner-full-control"};
    struct slice class = s3_header(s, "x-amz-storage-class"), acl = s3_header(s, "x-amz-acl");
    struct slice tags = s3_header(s, "x-amz-tagging");
    if (!s3_one_of(class, classes, ARRAY_LEN(classes)))
        return s3_fail(s, S3_INVALID_STORAGE_CLASS);
    if (!s3_one_of(acl, acls, ARRAY_LEN(acls)))
        return s3_fail_text(s, S3_NOT_IMPLEMENTED,
                            "Header 'x-amz-acl' with value '%.*s' not implemented", SLICE_ARG(acl));
    if (tags.len > 0)
        return s3_fail_text(s, S3_NOT_IMPLEMENTED,
                            "Header 'x-amz-tagging' with value '%.*s' not implemented",
                            SLICE_ARG(tags));
    return 0;
}

int s3_object_put(struct s3 *s)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done)
    struct store_call call = {.op = OP_r2_put, .has_body = true, .by_file = true, .body = s->body};
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release) json_t *options = s3_put_options(s);
    json_t *only_if = s3_condition(s, "");
    if (only_if != NULL)
        json_object_set_new(options, "onlyIf", only_if);
    json_object_set_new(options, "strict", json_true());
    int r = s3_put_check(s);
    if (r == 0)
        r = s3_checksums(s, options);
    if (r == 0)
        r = s3_ssec(s, "x-amz-", "ssecKey", options);
    if (r < 0)
        return r;
    json_print(&text, options);
    struct msg_r2_put m = {.binding = BINDING_NONE,
                           .store = slice_of(s->store),
                           .key = s->key,
                           .options = buf_slice(&text),
                           .size = (int64_t)s->body.len};
    msg_r2_put_pack(&call.args, &m);
    r = s3_call(s, &call, &reply);
    if (r < 0)
        return r;
    if (reply.result != 0)
        return s3_fail(s, S3_PRECONDITION_FAILED);
    s3_answer_header(s, "etag",
                     arena_printf(&s->req->arena, "\"%s\"", json_str(reply.json, "etag", "")));
    s3_ssec_answer(s);
    return s3_empty(s, 200);
}

/* --- copy --- */

json_t *s3_copy_source(struct s3 *s)
{
    struct slice source = s3_header(s, "x-amz-copy-source"), key;
    ssize_t version = slice_find_slice(source, SLICE("?versionId="));
    AUTO(json_release) json_t *row = NULL;
    struct err err = {0};
    if (version >= 0)
        source.len = (size_t)version;
    if (text_percent_decode(&s->req->arena, source, false, &key) < 0) {
        s3_fail(s, S3_INVALID_ARGUMENT);
        return NULL;
    }
    if (slice_starts(key, SLICE("/")))
        key = slice_skip(key, 1);
    struct slice bucket = slice_cut(&key, '/');
    const char *name = arena_printf(&s->req->arena, "%.*s", SLICE_ARG(bucket));
    if (name == NULL || key.len == 0) {
        s3_fail_text(s, S3_INVALID_ARGUMENT,
                     "The copy source must name a copy source bucket name and a key: bucket/key.");
        return NULL;
    }
    if (!s3_session_covers(s, name, key)) {
        s3_fail(s, S3_ACCESS_DENIED);
        return NULL;
    }
    int r = r2_bucket_find(s->req, name, &row, &err);
    if (r < 0) {
        s3_fail_err(s, r, &err);
        return NULL;
    }
    json_t *options = json_pack("{s:s, s:o}", "bucket", name, "key", api_text(key));
    json_t *only_if = s3_condition(s, "x-amz-copy-source-");
    if (only_if != NULL)
        json_object_set_new(options, "sourceIf", only_if);
    if (s3_ssec(s, "x-amz-copy-source-", "sourceSsecKey", options) < 0)
        json_release(&options);
    return options;
}

static int s3_copy_options(struct s3 *s, json_t *options)
{
    struct slice directive = s3_header(s, "x-amz-metadata-directive");
    bool replace = slice_eq(directive, SLICE("REPLACE")),
         merge = slice_eq(directive, SLICE("MERGE"));
    bool same = strcmp(json_str(options, "bucket", ""), s->bucket) == 0 &&
                slice_eq(slice_of(json_str(options, "key", "")), s->key);
    if (directive.len > 0 && !replace && !merge && !slice_eq(directive, SLICE("COPY")))
        return s3_fail(s, S3_INVALID_ARGUMENT);
    bool changes = replace || merge || s3_header(s, "x-amz-storage-class").len > 0 ||
                   s3_header(s, "x-amz-server-side-encryption-customer-algorithm").len > 0;
    if (same && !changes)
        return s3_fail(s, S3_INVALID_REQUEST);
    json_object_set_new(options, "replace", json_boolean(replace));
    json_object_set_new(options, "merge", json_boolean(merge));
    json_t *only_if = s3_condition(s, "cf-copy-destination-");
    if (only_if != NULL)
        json_object_set_new(options, "onlyIf", only_if);
    return s3_ssec(s, "x-amz-", "ssecKey", options);
}

int s3_object_copy(struct s3 *s)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(buf_done) struct buf out = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_copy};
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release) json_t *options = s3_copy_source(s);
    AUTO(json_release) json_t *put = s3_put_options(s);
    if (options == NULL)
        return -ECANCELED;
    json_object_update_missing(options, put);
    int bad = s3_put_check(s);
    if (bad == 0)
        bad = s3_copy_options(s, options);
    if (bad < 0)
        return bad;
    json_print(&text, options);
    struct msg_r2_copy m = {
        .store = slice_of(s->store), .key = s->key, .options = buf_slice(&text)};
    msg_r2_copy_pack(&call.args, &m);
    int r = s3_call(s, &call, &reply);
    if (r < 0)
        return r;
    if (reply.result != 0)
        return s3_fail(s, S3_PRECONDITION_FAILED);
    buf_printf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CopyObjectResult" S3_XMLNS ">");
    s3_xml_etag(&out, json_str(reply.json, "etag", ""));
    s3_xml_time(&out, "LastModified", json_int(reply.json, "uploaded", 0));
    s3_checksums_show(s, json_object_get(reply.json, "checksums"), &out);
    buf_append_slice(&out, SLICE("</CopyObjectResult>"));
    s3_ssec_answer(s);
    return s3_xml(s, &out);
}
