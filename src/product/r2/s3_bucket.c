/*
 * S3: buckets, and the deletion of many objects.
 */
#include "product/r2/s3_impl.h"

/* A header of R2's own goes before the parameter. */
static const char *s3_buckets_option(struct s3 *s, const char *header, const char *name)
{
    struct slice value = s3_header(s, header);
    const char *given = s3_query(s, name);
    return value.len > 0 ? arena_printf(&s->req->arena, "%.*s", SLICE_ARG(value)) : given;
}

/* Rows of one page; one more when there is a next one. */
static int s3_buckets_rows(struct s3 *s, uint64_t limit, json_t **ret)
{
    const char *prefix = s3_buckets_option(s, "cf-prefix", "prefix");
    const char *token = s3_buckets_option(s, "cf-continuation-token", "continuation-token");
    const char *after = s3_buckets_option(s, "cf-start-after", "start-after");
    if (token != NULL)
        after = token;
    int r = db_rows(
        s->req->api->db, ret,
        "SELECT name, created_ms AS \"created:time\" FROM r2_buckets WHERE name > ? AND "
        "substr(name, 1, length(?2)) = ?2 ORDER BY name LIMIT ?",
        "ssl", after == NULL ? "" : after, prefix == NULL ? "" : prefix, (int64_t)limit + 1);
    return r < 0 ? s3_fail(s, S3_INTERNAL) : 0;
}

int s3_list_buckets(struct s3 *s)
{
    AUTO(json_release) json_t *rows = NULL;
    AUTO(buf_done) struct buf out = {0};
    size_t i;
    json_t *row;
    uint64_t limit = S3_KEYS_MAX;
    const char *max = s3_buckets_option(s, "cf-max-keys", "max-keys");
    if (max == NULL)
        max = s3_query(s, "max-buckets");
    if (max != NULL && (slice_to_u64(slice_of(max), &limit) < 0 || limit == 0))
        return s3_fail(s, S3_INVALID_ARGUMENT);
    limit = MIN(limit, (uint64_t)S3_KEYS_MAX);
    int r = s3_buckets_rows(s, limit, &rows);
    if (r < 0)
        return r;
    bool more = json_array_size(rows) > limit;
    if (more)
        json_array_remove(rows, limit);
    buf_printf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListAllMyBucketsResult" S3_XMLNS
                     "><Buckets>");
    json_array_foreach(rows, i, row)
    {
        buf_append_slice(&out, SLICE("<Bucket>"));
        s3_xml_element(&out, "CreationDate", json_str(row, "created", ""));
        s3_xml_element(&out, "Name", json_str(row, "name", ""));
        buf_append_slice(&out, SLICE("</Bucket>"));
    }
    buf_printf(&out, "</Buckets><Owner><ID>%s</ID><DisplayName>%s</DisplayName></Owner>",
               s->req->api->account, s->req->api->account);
    if (more) {
        const char *last = json_str(json_array_get(rows, limit - 1), "name", "");
        s3_xml_element(&out, "ContinuationToken", last);
        s3_xml_element(&out, "NextContinuationToken", last);
        s3_answer_header(s, "cf-next-continuation-token", last);
        s3_answer_header(s, "cf-is-truncated", "true");
    }
    s3_xml_element(&out, "IsTruncated", more ? "true" : "false");
    buf_append_slice(&out, SLICE("</ListAllMyBucketsResult>"));
    return s3_xml(s, &out);
}

int s3_bucket_create(struct s3 *s)
{
    struct err err = {0};
    const char *name;
    AUTO(json_release) json_t *body = json_pack("{s:s}", "name", s->bucket);
    if (body == NULL)
        return s3_fail(s, S3_INVALID_BUCKET_NAME);
    int r = r2_bucket_make(s->req, body, &name, &err);
    if (r < 0)
        return s3_fail_err(s, r, &err);
    s3_answer_header(s, "location", arena_printf(&s->req->arena, "/%s", name));
    return s3_empty(s, 200);
}

int s3_bucket_head(struct s3 *s)
{
    s3_answer_header(s, "x-amz-bucket-region", "auto");
    return s3_empty(s, 200);
}

int s3_bucket_delete(struct s3 *s)
{
    struct err err = {0};
    int r = r2_bucket_drop(s->req, s->bucket, &err);
    return r < 0 ? s3_fail_err(s, r, &err) : s3_empty(s, 204);
}

int s3_bucket_location(struct s3 *s)
{
    AUTO(buf_done) struct buf out = {0};
    buf_printf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><LocationConstraint" S3_XMLNS
                     ">auto</LocationConstraint>");
    return s3_xml(s, &out);
}

/* No bucket has it: the configuration is empty. */
int s3_bucket_versioning(struct s3 *s)
{
    AUTO(buf_done) struct buf out = {0};
    buf_append_slice(
        &out,
        SLICE("<?xml version=\"1.0\" encoding=\"UTF-8\"?><VersioningConfiguration" S3_XMLNS "/>"));
    return s3_xml(s, &out);
}

/* Says what R2 says of every bucket. */
int s3_bucket_encryption(struct s3 *s)
{
    AUTO(buf_done) struct buf out = {0};
    buf_printf(
        &out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ServerSideEncryptionConfiguration" S3_XMLNS
        "><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
        "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled>"
        "</Rule></ServerSideEncryptionConfiguration>");
    return s3_xml(s, &out);
}

/* --- many objects --- */

/* <Delete><Object><Key/></Object>…<Quiet/></Delete> */
static int s3_delete_read(struct s3 *s, json_t *keys, bool *ret_quiet)
{
    AUTO(s3_xml_done) struct s3_xml_reader x = {.rest = s->body};
    int r;
    while ((r = s3_xml_next(&x)) == 1) {
        if (!slice_eq(x.open[0], SLICE("Delete")))
            return s3_fail(s, S3_MALFORMED_XML);
        struct slice text = buf_slice(&x.text);
        if (x.depth == 2 && slice_eq(x.name, SLICE("Quiet")))
            *ret_quiet = slice_eq(text, SLICE("true"));
        if (x.depth != 3 || !slice_eq(x.name, SLICE("Key")))
            continue;
        if (!s3_session_covers(s, s->bucket, text))
            return s3_fail(s, S3_ACCESS_DENIED);
        json_t *key = json_stringn(text.len == 0 ? "" : text.ptr, text.len);
        if (key == NULL || text.len == 0 || json_array_size(keys) == S3_KEYS_MAX) {
            json_decref(key);
            return s3_fail(s, S3_MALFORMED_XML);
        }
        json_array_append_new(keys, key);
    }
    return r < 0 || json_array_size(keys) == 0 ? s3_fail(s, S3_MALFORMED_XML) : 0;
}

static int s3_delete_keys(struct s3 *s, const json_t *keys)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done) struct store_call call = {.op = OP_r2_delete};
    AUTO(store_reply_done) struct store_reply reply = {0};
    json_print(&text, keys);
    struct msg_r2_delete m = {
        .binding = BINDING_NONE, .store = slice_of(s->store), .keys = buf_slice(&text)};
    msg_r2_delete_pack(&call.args, &m);
    return s3_call(s, &call, &reply);
}

int s3_delete_objects(struct s3 *s)
{
    AUTO(json_release) json_t *keys = json_array();
    AUTO(json_release) json_t *sums = json_object();
    AUTO(buf_done) struct buf out = {0};
    bool quiet = false;
    size_t i;
    json_t *key;
    int r = s3_checksums(s, sums);
    if (r == 0)
        r = s3_delete_read(s, keys, &quiet);
    if (r == 0)
        r = s3_delete_keys(s, keys);
    if (r < 0)
        return r;
    buf_printf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><DeleteResult" S3_XMLNS ">");
    json_array_foreach(keys, i, key)
    {
        if (quiet)
            break;
        buf_append_slice(&out, SLICE("<Deleted>"));
        s3_xml_element(&out, "Key", json_string_value(key));
        buf_append_slice(&out, SLICE("</Deleted>"));
    }
    buf_append_slice(&out, SLICE("</DeleteResult>"));
    return s3_xml(s, &out);
}

int s3_object_delete(struct s3 *s)
{
    AUTO(json_release) json_t *keys = json_pack("[o]", api_text(s->key));
    if (s3_has_header(s, "x-amz-mfa"))
        return s3_fail_text(s, S3_NOT_IMPLEMENTED, "Header 'x-amz-mfa' not implemented");
    int r = s3_delete_keys(s, keys);
    return r < 0 ? r : s3_empty(s, 204);
}
