/*
 * S3: multipart uploads.
 */
#include "product/r2/r2_http.h"
#include "product/r2/s3_impl.h"

#include "api/text.h"

#include <errno.h>

static const char *s3_upload(struct s3 *s)
{
    const char *id = s3_query(s, "uploadId");
    return id == NULL ? "" : id;
}

static int s3_part_number(struct s3 *s, uint32_t *ret)
{
    uint64_t n = 0;
    if (slice_to_u64(slice_of(s3_query(s, "partNumber")), &n) < 0 || n < 1 || n > S3_PARTS_MAX)
        return s3_fail_text(s, S3_INVALID_ARGUMENT,
                            "Part number must be an integer between 1 and 10000, inclusive.");
    *ret = (uint32_t)n;
    return 0;
}

int s3_multipart_create(struct s3 *s)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(buf_done) struct buf out = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_multipart_create};
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release) json_t *options = s3_put_options(s);
    int r = s3_put_check(s);
    if (r == 0)
        r = s3_checksum_begin(s, options);
    if (r == 0)
        r = s3_ssec(s, "x-amz-", "ssecKey", options);
    if (r < 0)
        return r;
    json_print(&text, options);
    struct msg_r2_multipart_create m = {.binding = BINDING_NONE,
                                        .store = slice_of(s->store),
                                        .key = s->key,
                                        .options = buf_slice(&text)};
    msg_r2_multipart_create_pack(&call.args, &m);
    r = s3_call(s, &call, &reply);
    if (r < 0)
        return r;
    s3_ssec_answer(s);
    buf_printf(&out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?><InitiateMultipartUploadResult" S3_XMLNS
               ">");
    s3_xml_element(&out, "Bucket", s->bucket);
    s3_xml_element(&out, "Key", json_str(reply.json, "key", ""));
    s3_xml_element(&out, "UploadId", json_str(reply.json, "uploadId", ""));
    buf_append_slice(&out, SLICE("</InitiateMultipartUploadResult>"));
    return s3_xml(s, &out);
}

int s3_multipart_part(struct s3 *s)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done)
    struct store_call call = {
        .op = OP_r2_multipart_part, .has_body = true, .by_file = true, .body = s->body};
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release) json_t *options = json_object();
    struct msg_r2_multipart_part m = {.binding = BINDING_NONE,
                                      .store = slice_of(s->store),
                                      .key = s->key,
                                      .upload = slice_of(s3_upload(s)),
                                      .size = (int64_t)s->body.len};
    int r = s3_part_number(s, &m.number);
    if (r == 0)
        r = s3_checksums(s, options);
    if (r == 0)
        r = s3_ssec(s, "x-amz-", "ssecKey", options);
    if (r < 0)
        return r;
    json_print(&text, options);
    m.options = buf_slice(&text);
    msg_r2_multipart_part_pack(&call.args, &m);
    r = s3_call(s, &call, &reply);
    if (r < 0)
        return r;
    s3_answer_header(s, "etag",
                     arena_printf(&s->req->arena, "\"%s\"", json_str(reply.json, "etag", "")));
    s3_ssec_answer(s);
    return s3_empty(s, 200);
}

/* The range of a copied part must be one, and lie in the source. */
static int s3_copy_range(struct s3 *s, json_t *options)
{
    struct slice text = s3_header(s, "x-amz-copy-source-range");
    json_t *range = s3_range(text);
    if (text.len == 0)
        return 0;
    if (r2_http_range_kind(text) == R2_RANGE_BACKWARDS)
        return s3_fail_text(s, S3_INVALID_ARGUMENT, "x-amz-copy-source-range must be positive.");
    if (range == NULL || json_object_get(range, "length") == NULL) {
        json_decref(range);
        return s3_fail_text(s, S3_INVALID_ARGUMENT, "Invalid x-amz-copy-source-range: %.*s",
                            SLICE_ARG(text));
    }
    json_object_set_new(options, "range", range);
    json_object_set_new(options, "whole", json_true());
    return 0;
}

int s3_multipart_part_copy(struct s3 *s)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(buf_done) struct buf out = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_copy};
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release) json_t *options = s3_copy_source(s);
    uint32_t number;
    if (options == NULL)
        return -ECANCELED;
    int r = s3_part_number(s, &number);
    if (r == 0)
        r = s3_copy_range(s, options);
    if (r == 0)
        r = s3_ssec(s, "x-amz-", "ssecKey", options);
    if (r < 0)
        return r;
    json_object_set_new(options, "upload", json_string(s3_upload(s)));
    json_object_set_new(options, "part", json_integer(number));
    json_print(&text, options);
    struct msg_r2_copy m = {
        .store = slice_of(s->store), .key = s->key, .options = buf_slice(&text)};
    msg_r2_copy_pack(&call.args, &m);
    r = s3_call(s, &call, &reply);
    if (r < 0)
        return r;
    if (reply.result != 0)
        return s3_fail(s, S3_PRECONDITION_FAILED);
    buf_printf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CopyPartResult" S3_XMLNS ">");
    s3_xml_etag(&out, json_str(reply.json, "etag", ""));
    s3_xml_time(&out, "LastModified", json_int(reply.json, "uploaded", 0));
    buf_append_slice(&out, SLICE("</CopyPartResult>"));
    s3_ssec_answer(s);
    return s3_xml(s, &out);
}

/* --- complete --- */

static json_t *s3_unquoted(struct slice etag)
{
    etag = slice_trim(etag);
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        etag = slice_from(etag.ptr + 1, etag.len - 2);
    return api_text(etag);
}

/* <CompleteMultipartUpload><Part><PartNumber/><ETag/></Part>…</CompleteMultipartUpload> */
static int s3_complete_read(struct s3 *s, json_t *parts)
{
    AUTO(s3_xml_done) struct s3_xml_reader x = {.rest = s->body};
    AUTO(json_release) json_t *part = json_object();
    int64_t last = 0;
    int r;
    while ((r = s3_xml_next(&x)) == 1) {
        struct slice text = buf_slice(&x.text);
        uint64_t number = 0;
        if (!slice_eq(x.open[0], SLICE("CompleteMultipartUpload")) ||
            json_array_size(parts) > S3_PARTS_MAX)
            return s3_fail(s, S3_MALFORMED_XML);
        if (x.depth == 3 && slice_eq(x.name, SLICE("ETag")))
            json_object_set_new(part, "etag", s3_unquoted(text));
        if (x.depth == 3 && slice_starts(x.name, SLICE("Checksum"))) {
            if (json_object_get(part, "sums") == NULL)
                json_object_set_new(part, "sums", json_object());
            s3_checksum_element(s, x.name, text, json_object_get(part, "sums"));
        }
        if (x.depth == 3 && slice_eq(x.name, SLICE("PartNumber"))) {
            if (slice_to_u64(slice_trim(text), &number) < 0)
                return s3_fail(s, S3_MALFORMED_XML);
            if (number < 1 || number > S3_PARTS_MAX)
                return s3_fail(s, S3_INVALID_PART);
            json_object_set_new(part, "partNumber", json_integer((json_int_t)number));
        }
        if (x.depth != 2 || !slice_eq(x.name, SLICE("Part")))
            continue;
        int64_t part_number = json_int(part, "partNumber", 0);
        if (part_number == 0)
            return s3_fail(s, S3_MALFORMED_XML);
        if (part_number < last)
            return s3_fail(s, S3_INVALID_PART_ORDER);
        /* Said again by a client that has sent it again: the last word holds. */
        if (part_number == last)
            json_array_remove(parts, json_array_size(parts) - 1);
        last = part_number;
        json_array_append(parts, part);
        json_release(&part);
        part = json_object();
    }
    return r < 0 || json_array_size(parts) == 0 ? s3_fail(s, S3_MALFORMED_XML) : 0;
}

static int s3_complete_call(struct s3 *s, const json_t *parts, struct store_reply *ret)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(buf_done) struct buf more = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_multipart_complete};
    AUTO(json_release) json_t *options = json_object();
    json_t *only_if = s3_condition(s, "");
    if (only_if != NULL)
        json_object_set_new(options, "onlyIf", only_if);
    json_object_set_new(options, "again", json_true());
    json_object_set_new(options, "strict", json_true());
    json_object_set_new(options, "sealed", json_true());
    int bad = s3_ssec(s, "x-amz-", "ssecKey", options);
    if (bad < 0)
        return bad;
    s3_checksum_claim(s, options);
    json_print(&text, parts);
    json_print(&more, options);
    struct msg_r2_multipart_complete m = {.binding = BINDING_NONE,
                                          .store = slice_of(s->store),
                                          .key = s->key,
                                          .upload = slice_of(s3_upload(s)),
                                          .parts = buf_slice(&text),
                                          .options = buf_slice(&more)};
    msg_r2_multipart_complete_pack(&call.args, &m);
    int r = s3_call(s, &call, ret);
    if (r < 0)
        return r;
    return ret->result != 0 ? s3_fail(s, S3_PRECONDITION_FAILED) : 0;
}

int s3_multipart_complete(struct s3 *s)
{
    AUTO(buf_done) struct buf place = {0};
    AUTO(buf_done) struct buf out = {0};
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release) json_t *parts = json_array();
    int r = s3_complete_read(s, parts);
    if (r == 0)
        r = s3_complete_call(s, parts, &reply);
    if (r < 0)
        return r;
    buf_printf(&out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CompleteMultipartUploadResult" S3_XMLNS
               ">");
    text_percent_encode(&place, s->key);
    s3_xml_element(
        &out, "Location",
        arena_printf(&s->req->arena, "%s/%s/%s", api_origin(s->req), s->bucket, buf_cstr(&place)));
    s3_xml_element(&out, "Bucket", s->bucket);
    s3_xml_element(&out, "Key", json_str(reply.json, "key", ""));
    s3_xml_etag(&out, json_str(reply.json, "etag", ""));
    s3_checksums_show(s, json_object_get(reply.json, "checksums"), &out);
    buf_append_slice(&out, SLICE("</CompleteMultipartUploadResult>"));
    return s3_xml(s, &out);
}

int s3_multipart_abort(struct s3 *s)
{
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_multipart_abort};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct msg_r2_multipart_abort m = {.binding = BINDING_NONE,
                                       .store = slice_of(s->store),
                                       .key = s->key,
                                       .upload = slice_of(s3_upload(s))};
    msg_r2_multipart_abort_pack(&call.args, &m);
    int r = s3_call(s, &call, &reply);
    return r < 0 ? r : s3_empty(s, 204);
}

/* --- parts --- */

static int s3_parts_call(struct s3 *s, uint64_t after, uint64_t limit, struct store_reply *ret)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_multipart_list};
    AUTO(json_release)
    json_t *options =
        json_pack("{s:o, s:s, s:I, s:I}", "key", api_text(s->key), "upload", s3_upload(s), "after",
                  (json_int_t)after, "limit", (json_int_t)limit);
    json_print(&text, options);
    struct msg_r2_multipart_list m = {.store = slice_of(s->store), .options = buf_slice(&text)};
    msg_r2_multipart_list_pack(&call.args, &m);
    return s3_call(s, &call, ret);
}

/* Checksums of a part, without the type that belongs to an object. */
static void s3_part_sums(struct s3 *s, const json_t *sums, struct buf *out)
{
    AUTO(buf_done) struct buf all = {0};
    s3_checksums_show(s, sums, &all);
    struct slice text = buf_slice(&all);
    ssize_t type = slice_find_slice(text, SLICE("<ChecksumType>"));
    buf_append_slice(out, type < 0 ? text : slice_from(text.ptr, (size_t)type));
}

int s3_multipart_parts(struct s3 *s)
{
    AUTO(buf_done) struct buf out = {0};
    AUTO(store_reply_done) struct store_reply reply = {0};
    const char *marker = s3_query(s, "part-number-marker"), *max = s3_query(s, "max-parts");
    uint64_t after = 0, limit = S3_KEYS_MAX, last = 0;
    size_t i;
    json_t *part;
    if ((marker != NULL && slice_to_u64(slice_of(marker), &after) < 0) ||
        (max != NULL && slice_to_u64(slice_of(max), &limit) < 0) || after > S3_PARTS_MAX)
        return s3_fail(s, S3_INVALID_ARGUMENT);
    limit = MIN(limit, (uint64_t)S3_KEYS_MAX);
    int r = s3_parts_call(s, after, limit, &reply);
    if (r < 0)
        return r;
    buf_printf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListPartsResult" S3_XMLNS ">");
    s3_xml_element(&out, "Bucket", s->bucket);
    s3_xml_element(&out, "Key", arena_printf(&s->req->arena, "%.*s", SLICE_ARG(s->key)));
    s3_xml_element(&out, "UploadId", s3_upload(s));
    s3_xml_number(&out, "PartNumberMarker", (int64_t)after);
    s3_xml_number(&out, "MaxParts", (int64_t)limit);
    json_array_foreach(json_object_get(reply.json, "parts"), i, part)
    {
        last = (uint64_t)json_int(part, "partNumber", 0);
        buf_append_slice(&out, SLICE("<Part>"));
        s3_xml_number(&out, "PartNumber", (int64_t)last);
        s3_xml_time(&out, "LastModified", json_int(part, "uploaded", 0));
        s3_xml_etag(&out, json_str(part, "etag", ""));
        s3_xml_number(&out, "Size", json_int(part, "size", 0));
        s3_part_sums(s, json_object_get(part, "sums"), &out);
        buf_append_slice(&out, SLICE("</Part>"));
    }
    s3_xml_number(&out, "NextPartNumberMarker", (int64_t)last);
    s3_xml_element(&out, "IsTruncated",
                   json_bool(reply.json, "truncated", false) ? "true" : "false");
    buf_append_slice(&out, SLICE("</ListPartsResult>"));
    return s3_xml(s, &out);
}
