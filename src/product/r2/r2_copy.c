/*
 * Copies within the account, for S3: an object becomes another one, or a part of an upload.
 *
 * A copied object shares its bytes: each blob gets a second name (a hard link), so that neither object knows
 * of the other. A part is copied byte by byte, since its etag is the MD5 of its range.
 */
#include "product/r2/r2_rules.h"

#include "core/clock.h"
#include "core/digest.h"
#include "core/file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { R2_COPY_PIECE = 256 * 1024 };

struct r2_copy {
    struct keeper_call *call;
    struct slice key;
    const json_t *options;
    char path[R2_PATH_MAX]; /* of the bucket it comes from */
    struct sql *from;       /* owned unless it is the call's own */
    struct r2_row source;
    struct buf http, custom;
    char version[BLOB_ID_SIZE];
    char blob[BLOB_ID_SIZE]; /* that is being written */
    uint64_t at;
    int fd; /* the part that is being written */
    struct digest *md5;
    struct r2_seal from_seal, seal; /* of the source, of what is made */
    uint64_t written;               /* bytes in the blob that is being written */
};

static void r2_copy_done(struct r2_copy *c)
{
    if (c->from != NULL && c->from != r2_of(c->call)->db)
        sql_close(c->from);
    buf_done(&c->http);
    buf_done(&c->custom);
    fd_release(&c->fd);
    digest_release(&c->md5);
    r2_seal_done(&c->from_seal);
    r2_seal_done(&c->seal);
}

static int r2_copy_unseal(struct r2_copy *c)
{
    json_t *key = json_object_get(c->options, "sourceSsecKey");
    AUTO(json_release) json_t *options = json_object();
    if (key != NULL)
        json_object_set(options, "ssecKey", key);
    return r2_seal_open(c->source.sealed, options, &c->from_seal, &c->call->err);
}

/* --- where it comes from --- */

static int r2_copy_open(struct r2_copy *c)
{
    struct r2_store *store = r2_of(c->call);
    const char *bucket = json_str(c->options, "bucket", "");
    size_t own = strlen(store->path) - strlen(strrchr(store->path, '/'));
    if (strcmp(bucket, store->path + own + 1) == 0) {
        c->from = store->db;
        snprintf(c->path, sizeof(c->path), "%s", store->path);
        return 0;
    }
    if (*bucket == '\0' || *bucket == '.' || strchr(bucket, '/') != NULL ||
        snprintf(c->path, sizeof(c->path), "%.*s/%s", (int)own, store->path, bucket) >=
            (int)sizeof(c->path))
        return r2_fail(&c->call->err, -EINVAL, 10020);
    return r2_index_open(c->path, false, &c->from, &c->call->err);
}

/* The row may be the one that is replaced, so nothing of it is borrowed from the statement. */
static int r2_copy_keep(struct r2_copy *c, struct r2_row *row)
{
    struct slice *fields[] = {&row->key,           &row->version, &row->etag,
                              &row->http,          &row->custom,  &row->checksums,
                              &row->storage_class, &row->content, &row->sealed};
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(fields) && r == 0; i++)
        r = arena_copy(c->call->arena, fields[i]->ptr, fields[i]->len, fields[i]);
    return r < 0 ? r2_fail(&c->call->err, r, 10001) : 0;
}

static int r2_copy_find(struct r2_copy *c)
{
    const char *key = json_str(c->options, "key", "");
    int r = r2_find(c->from, slice_of(key), true, &c->source, &c->call->err);
    if (r == -ENOENT)
        return r2_fail(&c->call->err, r, 10007);
    if (r == 0)
        r = r2_copy_keep(c, &c->source);
    r2_row_done(&c->source);
    if (r == 0)
        r = r2_copy_unseal(c);
    if (r < 0)
        return r;
    return r2_condition_of(json_object_get(c->options, "sourceIf"), &c->source) != R2_HOLDS;
}

/* --- an object --- */

static void r2_copy_made(struct r2_copy *c, const char *id)
{
    struct r2_store *store = r2_of(c->call);
    buf_append(&store->settle, id, BLOB_ID_SIZE);
    buf_append(&store->made, id, BLOB_ID_SIZE);
    store->unnamed = true;
}

/* Shared bytes are those of a blob that is not encrypted and shall not be. */
static bool r2_copy_shares(const struct r2_copy *c)
{
    return !c->from_seal.on && !c->seal.on;
}

static int r2_copy_piece(void *arg, const struct r2_piece *piece);

/* The whole of a blob becomes a blob of our own. */
static int r2_copy_blob(struct r2_copy *c, const struct r2_piece *whole, char id[BLOB_ID_SIZE])
{
    struct r2_store *store = r2_of(c->call);
    if (r2_copy_shares(c)) {
        int r = blob_link(c->path, whole->blob, store->path, id);
        if (r == 0)
            r2_copy_made(c, id);
        return r;
    }
    fd_release(&c->fd);
    c->written = 0;
    c->fd = blob_spool(store->path, id);
    if (c->fd < 0)
        return c->fd;
    r2_copy_made(c, id);
    memcpy(c->blob, id, BLOB_ID_SIZE);
    int r = r2_copy_piece(c, whole);
    return r < 0 ? r : blob_sync_content(c->fd);
}

static int r2_copy_link(void *arg, const struct r2_piece *piece)
{
    struct r2_copy *c = arg;
    struct r2_store *store = r2_of(c->call);
    char id[BLOB_ID_SIZE];
    int r = r2_copy_blob(c, piece, id);
    if (r < 0)
        return r2_fail(&c->call->err, r, 10001);
    struct sql_stmt *s =
        sql_cached(store->db, "INSERT INTO pieces(version, at, blob, size) VALUES(?, ?, ?, ?)");
    sql_bind_text(s, 1, slice_of(c->version));
    sql_bind_int(s, 2, (int64_t)c->at);
    sql_bind_text(s, 3, slice_of(id));
    sql_bind_int(s, 4, (int64_t)piece->length);
    c->at += piece->length;
    r = sql_run(s, &c->call->err);
    sql_clear(s);
    return r;
}

/* Content in the row: decrypted with its own version, encrypted with the new one. */
static void r2_copy_inline(struct r2_copy *c)
{
    char *bytes = (char *)c->source.content.ptr; /* a copy in the arena */
    char old[BLOB_ID_SIZE];
    if (slice_to_cstr(c->source.version, old, sizeof(old)) == 0)
        r2_seal_apply(&c->from_seal, old, 0, bytes, c->source.content.len);
    r2_seal_apply(&c->seal, c->version, 0, bytes, c->source.content.len);
}

/* Names the bytes anew; sets the version. */
static int r2_copy_bytes(struct r2_copy *c)
{
    const struct r2_row *source = &c->source;
    struct r2_span all = {.length = (uint64_t)source->size};
    id_hex(c->version);
    if (source->is_inline)
        r2_copy_inline(c);
    if (source->is_inline || source->size == 0)
        return 0;
    if (r2_is_pieced(source))
        return r2_pieces(c->from, source->version, &all, r2_copy_link, c);
    struct r2_piece whole = {.length = (uint64_t)source->size};
    int r = slice_to_cstr(source->version, whole.blob, sizeof(whole.blob));
    if (r == 0)
        r = r2_copy_blob(c, &whole, c->version);
    return r < 0 ? r2_fail(&c->call->err, r, 10001) : 0;
}

/* The copy's metadata: the source's, or (replace) the request's, or (merge) the source's with the request's on top. */
static int r2_copy_metadata(struct r2_copy *c)
{
    AUTO(json_release) json_t *custom = NULL;
    AUTO(json_release) json_t *http = NULL;
    if (json_bool(c->options, "replace", false))
        return r2_metadata(c->options, &c->http, &c->custom, &c->call->err);
    if (!json_bool(c->options, "merge", false)) {
        buf_append_slice(&c->http, c->source.http);
        buf_append_slice(&c->custom, c->source.custom);
        return 0;
    }
    if (json_parse(c->source.http, &http, NULL) < 0 ||
        json_parse(c->source.custom, &custom, NULL) < 0)
        return r2_fail(&c->call->err, -EIO, 10001);
    json_object_update(http, json_object_get(c->options, "httpMetadata"));
    json_object_update(custom, json_object_get(c->options, "customMetadata"));
    AUTO(json_release)
    json_t *all = json_pack("{s:O, s:O}", "httpMetadata", http, "customMetadata", custom);
    return r2_metadata(all, &c->http, &c->custom, &c->call->err);
}

static int r2_copy_object(struct r2_copy *c)
{
    char salt[ID_HEX_SIZE];
    int r = r2_copy_metadata(c);
    if (r == 0)
        r = r2_seal_make(c->options, id_hex(salt), &c->seal, &c->call->err);
    if (r == 0)
        r = r2_replace(c->call, c->key, c->options);
    if (r == 0)
        r = r2_copy_bytes(c);
    if (r != 0)
        return r;
    struct r2_row row = c->source;
    row.key = c->key;
    row.version = slice_of(c->version);
    row.uploaded_ms = clock_wall_ms();
    row.http = buf_slice(&c->http);
    row.custom = buf_slice(&c->custom);
    row.sealed = slice_of(c->seal.text);
    const char *class = json_str(c->options, "storageClass", NULL);
    if (class != NULL)
        row.storage_class = slice_of(class);
    return r2_insert(c->call, &row, R2_COPY_OBJECT);
}

/* --- a part --- */

/* `id` is the blob that the bytes come from. */
static int r2_copy_append(struct r2_copy *c, const char *id, uint64_t offset, char *bytes, size_t n)
{
    r2_seal_apply(&c->from_seal, id, offset, bytes, n);
    if (c->md5 != NULL)
        digest_update(c->md5, slice_from(bytes, n));
    r2_seal_apply(&c->seal, c->blob, c->written, bytes, n);
    c->written += n;
    return file_write_all(c->fd, slice_from(bytes, n));
}

static int r2_copy_piece(void *arg, const struct r2_piece *piece)
{
    struct r2_copy *c = arg;
    AUTO(fd_release) int fd = blob_open(c->path, piece->blob);
    AUTO(mem_release) char *bytes = mem_new(R2_COPY_PIECE);
    if (fd < 0)
        return fd;
    for (uint64_t at = 0; at < piece->length;) {
        size_t want = (size_t)MIN((uint64_t)R2_COPY_PIECE, piece->length - at);
        ssize_t n = pread(fd, bytes, want, (off_t)(piece->offset + at));
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        int r = r2_copy_append(c, piece->blob, piece->offset + at, bytes, (size_t)n);
        if (r < 0)
            return r;
        at += (uint64_t)n;
    }
    return 0;
}

static int r2_copy_range(struct r2_copy *c, const struct r2_span *span)
{
    const struct r2_row *source = &c->source;
    if (r2_is_pieced(source))
        return r2_pieces(c->from, source->version, span, r2_copy_piece, c);
    struct r2_piece one = {.offset = span->offset, .length = span->length};
    int r = slice_to_cstr(source->version, one.blob, sizeof(one.blob));
    if (r == 0 && source->is_inline)
        return r2_copy_append(c, one.blob, span->offset, (char *)source->content.ptr + span->offset,
                              span->length);
    return r < 0 ? r : r2_copy_piece(c, &one);
}

static int r2_copy_part_write(struct r2_copy *c, const struct r2_span *span, char etag[ID_HEX_SIZE])
{
    uint8_t sum[DIGEST_MAX];
    c->fd = blob_spool(r2_of(c->call)->path, c->version);
    if (c->fd < 0)
        return r2_fail(&c->call->err, c->fd, 10001);
    r2_copy_made(c, c->version);
    memcpy(c->blob, c->version, BLOB_ID_SIZE);
    c->md5 = digest_create(DIGEST_MD5);
    int r = r2_copy_range(c, span);
    if (r == 0)
        r = blob_sync_content(c->fd);
    if (r < 0)
        return r2_fail(&c->call->err, r, 10001);
    digest_value(c->md5, sum);
    hex_encode(sum, KEEPER_MD5_SIZE, etag);
    return 0;
}

static int r2_copy_part(struct r2_copy *c, struct slice upload)
{
    char etag[ID_HEX_SIZE];
    struct r2_span span;
    int64_t number = json_int(c->options, "part", 0);
    if (number < 1 || number > R2_PARTS_MAX)
        return r2_fail(&c->call->err, -EINVAL, 10029);
    AUTO(buf_done) struct buf sealed = {0};
    int r = r2_upload_find(c->call, c->key, upload, &sealed);
    if (r == 0)
        r = r2_seal_open(buf_slice(&sealed), c->options, &c->seal, &c->call->err);
    if (r == 0)
        r = r2_range_of(json_object_get(c->options, "range"), (uint64_t)c->source.size, &span,
                        &c->call->err);
    /* A range that was asked for as it is must not be cut short. */
    if (r == 0 && json_bool(c->options, "whole", false) &&
        span.length != (uint64_t)json_number_value(
                           json_object_get(json_object_get(c->options, "range"), "length")))
        r = r2_fail(&c->call->err, -EINVAL, 10039);
    if (r == 0)
        r = r2_copy_part_write(c, &span, etag);
    struct r2_part_row part = {
        .blob = c->version, .size = (int64_t)span.length, .etag = etag, .sums = SLICE("{}")};
    return r < 0 ? r : r2_part_store(c->call, upload, (uint32_t)number, &part);
}

static int r2_copy_run(struct r2_copy *c)
{
    const char *upload = json_str(c->options, "upload", NULL);
    int r = r2_copy_open(c);
    if (r == 0)
        r = r2_copy_find(c);
    if (r != 0)
        return r;
    if (upload != NULL)
        return r2_copy_part(c, slice_of(upload));
    return r2_copy_object(c);
}

void r2_op_copy(struct keeper_call *call)
{
    struct msg_r2_copy m;
    AUTO(json_release) json_t *options = NULL;
    if (msg_r2_copy_unpack(call->args, &m) < 0 || json_parse(m.options, &options, NULL) < 0) {
        call->result = r2_fail(&call->err, -EINVAL, 10029);
        return;
    }
    AUTO(r2_copy_done)
    struct r2_copy c = {.call = call, .key = m.key, .options = options, .fd = -1};
    call->result = r2_copy_run(&c);
}
