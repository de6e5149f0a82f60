/*
 * S3: listings of objects and of uploads.
 */
#include "product/r2/s3_impl.h"

#include "api/text.h"
#include "core/base64.h"

struct s3_listing {
    struct s3 *s;
    const char *prefix, *delimiter, *after;
    int64_t limit;
    bool encode;
    json_t *found; /* owned: the keeper's answer */
    struct buf out;
};

static void s3_listing_done(struct s3_listing *l)
{
    json_release(&l->found);
    buf_done(&l->out);
}

static const char *s3_or(struct s3 *s, const char *name, const char *fallback)
{
    const char *value = s3_query(s, name);
    return value == NULL ? fallback : value;
}

static int s3_listing_start(struct s3_listing *l, const char *limit_name)
{
    struct s3 *s = l->s;
    uint64_t limit = S3_KEYS_MAX;
    const char *encoding = s3_or(s, "encoding-type", "");
    l->prefix = s3_or(s, "prefix", "");
    l->delimiter = s3_or(s, "delimiter", "");
    l->encode = strcmp(encoding, "url") == 0;
    const char *text = s3_or(s, limit_name, "");
    if ((*text != '\0' && slice_to_u64(slice_of(text), &limit) < 0) ||
        (*encoding != '\0' && !l->encode))
        return s3_fail(s, S3_INVALID_ARGUMENT);
    l->limit = (int64_t)MIN(limit, (uint64_t)S3_KEYS_MAX);
    return 0;
}

static void s3_listing_text(struct s3_listing *l, const char *name, const char *value)
{
    if (!l->encode) {
        s3_xml_element(&l->out, name, value);
        return;
    }
    buf_printf(&l->out, "<%s>", name);
    struct slice rest = slice_of(value);
    do { /* slashes stay, as with AWS; R2 is said to encode them: clients decode either */
        text_percent_encode(&l->out, slice_cut(&rest, '/'));
        if (rest.ptr != NULL)
            buf_append_char(&l->out, '/');
    } while (rest.ptr != NULL);
    buf_printf(&l->out, "</%s>", name);
}

static void s3_listing_options(struct s3_listing *l)
{
    if (*l->delimiter != '\0')
        s3_listing_text(l, "Delimiter", l->delimiter);
    if (l->encode)
        s3_xml_element(&l->out, "EncodingType", "url");
}

static void s3_listing_prefixes(struct s3_listing *l)
{
    size_t i;
    json_t *prefix;
    json_array_foreach(json_object_get(l->found, "delimitedPrefixes"), i, prefix)
    {
        buf_append_slice(&l->out, SLICE("<CommonPrefixes>"));
        s3_listing_text(l, "Prefix", json_string_value(prefix));
        buf_append_slice(&l->out, SLICE("</CommonPrefixes>"));
    }
}

/* --- objects --- */

/* What comes after a group comes after all of it: 0xff is in no key. */
static void s3_list_after(struct s3_listing *l, json_t *options)
{
    AUTO(buf_done) struct buf behind = {0};
    AUTO(buf_done) struct buf cursor = {0};
    struct slice after = slice_of(l->after), delimiter = slice_of(l->delimiter);
    bool group = delimiter.len > 0 && after.len > strlen(l->prefix) &&
                 slice_starts(after, slice_of(l->prefix)) && slice_ends(after, delimiter);
    if (!group) {
        json_object_set_new(options, "startAfter", api_text(after));
        return;
    }
    buf_append_slice(&behind, after);
    buf_append_char(&behind, (char)0xff);
    base64_encode(&cursor, buf_slice(&behind), BASE64_STANDARD);
    json_object_set_new(options, "cursor", api_text(buf_slice(&cursor)));
}

static int s3_list_call(struct s3_listing *l, const char *cursor)
{
    struct s3 *s = l->s;
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done)
    struct store_call call = {.op = OP_r2_list, .reply_max = 64 * 1024 * 1024};
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release)
    json_t *options =
        json_pack("{s:o, s:o, s:I}", "prefix", api_text(slice_of(l->prefix)), "delimiter",
                  api_text(slice_of(l->delimiter)), "limit", (json_int_t)MAX(l->limit, 1));
    if (cursor != NULL)
        json_object_set_new(options, "cursor", api_text(slice_of(cursor)));
    else if (*l->after != '\0')
        s3_list_after(l, options);
    json_print(&text, options);
    struct msg_r2_list m = {.store = slice_of(s->store), .options = buf_slice(&text)};
    msg_r2_list_pack(&call.args, &m);
    int r = s3_call(s, &call, &reply);
    if (r < 0)
        return r;
    if (reply.json == NULL && json_parse(reply.body, &reply.json, NULL) < 0)
        return s3_fail(s, S3_INTERNAL);
    l->found = l->limit == 0 ? json_object() : TAKE(reply.json);
    return 0;
}

/* element: "Contents", or "Version" of an object that has one, as all have. */
static void s3_list_contents(struct s3_listing *l, const char *element, bool owner)
{
    size_t i;
    json_t *o;
    const char *account = l->s->req->api->account;
    bool version = strcmp(element, "Version") == 0;
    json_array_foreach(json_object_get(l->found, "objects"), i, o)
    {
        buf_printf(&l->out, "<%s>", element);
        s3_listing_text(l, "Key", json_str(o, "key", ""));
        if (version)
            buf_append_slice(&l->out,
                             SLICE("<VersionId>null</VersionId><IsLatest>true</IsLatest>"));
        s3_xml_number(&l->out, "Size", json_int(o, "size", 0));
        s3_xml_time(&l->out, "LastModified", json_int(o, "uploaded", 0));
        s3_xml_etag(&l->out, json_str(o, "etag", ""));
        s3_xml_element(&l->out, "StorageClass", s3_class(o));
        if (owner)
            buf_printf(&l->out, "<Owner><ID>%s</ID><DisplayName>%s</DisplayName></Owner>", account,
                       account);
        buf_printf(&l->out, "</%s>", element);
    }
}

/* Clients decode the prefix of the second version of this listing, and of no other. */
static void s3_list_head(struct s3_listing *l, const char *root, bool encodes_prefix)
{
    buf_printf(&l->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><%s" S3_XMLNS ">", root);
    s3_xml_element(&l->out, "Name", l->s->bucket);
    if (encodes_prefix)
        s3_listing_text(l, "Prefix", l->prefix);
    else
        s3_xml_element(&l->out, "Prefix", l->prefix);
    s3_xml_number(&l->out, "MaxKeys", l->limit);
    s3_xml_element(&l->out, "IsTruncated",
                   json_bool(l->found, "truncated", false) ? "true" : "false");
    s3_listing_options(l);
}

static int s3_list_end(struct s3_listing *l, const char *root)
{
    s3_listing_prefixes(l);
    buf_printf(&l->out, "</%s>", root);
    return s3_xml(l->s, &l->out);
}

int s3_list_v2(struct s3 *s)
{
    AUTO(s3_listing_done) struct s3_listing l = {.s = s, .after = s3_or(s, "start-after", "")};
    const char *token = s3_query(s, "continuation-token");
    int r = strcmp(s3_or(s, "list-type", ""), "2") != 0 ? s3_fail(s, S3_INVALID_ARGUMENT)
                                                        : s3_listing_start(&l, "max-keys");
    if (r == 0)
        r = s3_list_call(&l, token);
    if (r < 0)
        return r;
    s3_list_head(&l, "ListBucketResult", true);
    s3_xml_number(&l.out, "KeyCount",
                  (int64_t)(json_array_size(json_object_get(l.found, "objects")) +
                            json_array_size(json_object_get(l.found, "delimitedPrefixes"))));
    if (*l.after != '\0')
        s3_listing_text(&l, "StartAfter", l.after);
    if (token != NULL)
        s3_xml_element(&l.out, "ContinuationToken", token);
    if (json_bool(l.found, "truncated", false))
        s3_xml_element(&l.out, "NextContinuationToken", json_str(l.found, "cursor", ""));
    s3_list_contents(&l, "Contents", strcmp(s3_or(s, "fetch-owner", ""), "true") == 0);
    return s3_list_end(&l, "ListBucketResult");
}

/* The last entry of a page, from the cursor behind it. */
static void s3_list_next_marker(struct s3_listing *l, const char *element)
{
    struct slice last;
    if (base64_decode(&l->s->req->arena, slice_of(json_str(l->found, "cursor", "")),
                      BASE64_STANDARD, &last) < 0 ||
        last.len == 0)
        return;
    if ((unsigned char)last.ptr[last.len - 1] == 0xff)
        last.len--;
    const char *text = arena_printf(&l->s->req->arena, "%.*s", SLICE_ARG(last));
    if (text != NULL)
        s3_listing_text(l, element, text);
}

int s3_list_v1(struct s3 *s)
{
    AUTO(s3_listing_done) struct s3_listing l = {.s = s, .after = s3_or(s, "marker", "")};
    int r = s3_query(s, "continuation-token") != NULL
                ? s3_fail_text(s, S3_INVALID_ARGUMENT,
                               "continuation-token not supported in ListObjects")
                : s3_listing_start(&l, "max-keys");
    if (r == 0)
        r = s3_list_call(&l, NULL);
    if (r < 0)
        return r;
    s3_list_head(&l, "ListBucketResult", false);
    s3_listing_text(&l, "Marker", l.after);
    if (json_bool(l.found, "truncated", false))
        s3_list_next_marker(&l, "NextMarker");
    s3_list_contents(&l, "Contents", true);
    return s3_list_end(&l, "ListBucketResult");
}

/* Of a bucket without versioning, which each is: every object has the one version "null". */
int s3_list_versions(struct s3 *s)
{
    AUTO(s3_listing_done) struct s3_listing l = {.s = s, .after = s3_or(s, "key-marker", "")};
    int r = s3_listing_start(&l, "max-keys");
    if (r == 0)
        r = s3_list_call(&l, NULL);
    if (r < 0)
        return r;
    s3_list_head(&l, "ListVersionsResult", true);
    s3_listing_text(&l, "KeyMarker", l.after);
    s3_xml_element(&l.out, "VersionIdMarker", s3_or(s, "version-id-marker", ""));
    if (json_bool(l.found, "truncated", false)) {
        s3_list_next_marker(&l, "NextKeyMarker");
        s3_xml_element(&l.out, "NextVersionIdMarker", "null");
    }
    s3_list_contents(&l, "Version", true);
    return s3_list_end(&l, "ListVersionsResult");
}

/* --- uploads --- */

static int s3_uploads_call(struct s3_listing *l, const char *upload)
{
    struct s3 *s = l->s;
    AUTO(buf_done) struct buf text = {0};
    AUTO(store_call_done)
    struct store_call call = {.op = OP_r2_multipart_list, .reply_max = 16 * 1024 * 1024};
    AUTO(store_reply_done) struct store_reply reply = {0};
    AUTO(json_release)
    json_t *options =
        json_pack("{s:o, s:o, s:o, s:o, s:I}", "prefix", api_text(slice_of(l->prefix)), "delimiter",
                  api_text(slice_of(l->delimiter)), "keyMarker", api_text(slice_of(l->after)),
                  "uploadMarker", api_text(slice_of(upload)), "limit", (json_int_t)l->limit);
    json_print(&text, options);
    struct msg_r2_multipart_list m = {.store = slice_of(s->store), .options = buf_slice(&text)};
    msg_r2_multipart_list_pack(&call.args, &m);
    int r = s3_call(s, &call, &reply);
    if (r < 0)
        return r;
    if (reply.json == NULL && json_parse(reply.body, &reply.json, NULL) < 0)
        return s3_fail(s, S3_INTERNAL);
    l->found = TAKE(reply.json);
    return 0;
}

static void s3_uploads_rows(struct s3_listing *l)
{
    size_t i;
    json_t *o;
    const char *account = l->s->req->api->account;
    json_array_foreach(json_object_get(l->found, "uploads"), i, o)
    {
        buf_append_slice(&l->out, SLICE("<Upload>"));
        s3_listing_text(l, "Key", json_str(o, "key", ""));
        s3_xml_element(&l->out, "UploadId", json_str(o, "uploadId", ""));
        s3_xml_time(&l->out, "Initiated", json_int(o, "created", 0));
        s3_xml_element(&l->out, "StorageClass", s3_class(o));
        buf_printf(&l->out,
                   "<Owner><ID>%s</ID><DisplayName>%s</DisplayName></Owner><Initiator><ID>%s</ID>"
                   "<DisplayName>%s</DisplayName></Initiator></Upload>",
                   account, account, account, account);
    }
}

int s3_list_uploads(struct s3 *s)
{
    AUTO(s3_listing_done) struct s3_listing l = {.s = s, .after = s3_or(s, "key-marker", "")};
    const char *upload = s3_or(s, "upload-id-marker", "");
    int r = s3_listing_start(&l, "max-uploads");
    if (r == 0)
        r = s3_uploads_call(&l, upload);
    if (r < 0)
        return r;
    bool more = json_bool(l.found, "truncated", false);
    buf_printf(&l.out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListMultipartUploadsResult" S3_XMLNS
               ">");
    s3_xml_element(&l.out, "Bucket", s->bucket);
    s3_listing_text(&l, "KeyMarker", l.after);
    s3_xml_element(&l.out, "UploadIdMarker", upload);
    s3_listing_text(&l, "Prefix", l.prefix);
    s3_listing_options(&l);
    if (more) {
        s3_listing_text(&l, "NextKeyMarker", json_str(l.found, "nextKey", ""));
        s3_xml_element(&l.out, "NextUploadIdMarker", json_str(l.found, "nextUpload", ""));
    }
    s3_xml_number(&l.out, "MaxUploads", l.limit);
    s3_xml_element(&l.out, "IsTruncated", more ? "true" : "false");
    s3_uploads_rows(&l);
    s3_listing_prefixes(&l);
    buf_append_slice(&l.out, SLICE("</ListMultipartUploadsResult>"));
    return s3_xml(s, &l.out);
}
