/*
 * Copies within the account, for S3: an object becomes another one, or a part of an upload.
 *
 * A copied object shares its bytes: each blob gets a second name (a hard link), so that neither object knows
 * of the other. A part is copied byte by byte, since its etag is the MD5 of its range.
 */
#include "product/r2/r2_keeper.h"

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
    uint64_t at;
    int fd; /* the part that is being written */
    struct digest *md5;
};

static void r2_copy_done(struct r2_copy *c)
{
    if (c->from != NULL && c->from != r2_of(c->call)->db)
        sql_close(c->from);
    buf_done(&c->http);
    buf_done(&c->custom);
    fd_release(&c->fd);
    digest_release(&c->md5);
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
    struct slice *fields[] = {&row->key,    &row->version,   &row->etag,          &row->http,
                              &row->custom, &row->checksums, &row->storage_class, &row->content};
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

static int r2_copy_link(void *arg, const struct r2_piece *piece)
{
    struct r2_copy *c = arg;
    struct r2_store *store = r2_of(c->call);
    char id[BLOB_ID_SIZE];
    int r = blob_link(c->path, piece->blob, store->path, id);
    if (r < 0)
        return r2_fail(&c->call->err, r, 10001);
    r2_copy_made(c, id);
    struct sql_stmt *s = sql_cached(store->db, "INSERT INTO pieces VALUES(?, ?, ?, ?)");
    sql_bind_text(s, 1, slice_of(c->version));
    sql_bind_int(s, 2, (int64_t)c->at);
    sql_bind_text(s, 3, slice_of(id));
    sql_bind_int(s, 4, (int64_t)piece->length);
    c->at += piece->length;
    r = sql_run(s, &c->call->err);
    sql_clear(s);
    return r;
}

/* Names the bytes anew; sets the version. */
static int r2_copy_bytes(struct r2_copy *c)
{
    const struct r2_row *source = &c->source;
    struct r2_span all = {.length = (uint64_t)source->size};
    id_hex(c->version);
    if (source->is_inline || source->size == 0)
        return 0;
    if (r2_is_pieced(source))
        return r2_pieces(c->from, source->version, &all, r2_copy_link, c);
    char blob[BLOB_ID_SIZE];
    int r = slice_to_cstr(source->version, blob, sizeof(blob));
    if (r == 0)
        r = blob_link(c->path, blob, r2_of(c->call)->path, c->version);
    if (r < 0)
        return r2_fail(&c->call->err, r, 10001);
    r2_copy_made(c, c->version);
    return 0;
}

static int r2_copy_object(struct r2_copy *c)
{
    bool replace = json_bool(c->options, "replace", false);
    int r = replace ? r2_metadata(c->options, &c->http, &c->custom, &c->call->err) : 0;
    if (r == 0)
        r = r2_replace(c->call, c->key, json_object_get(c->options, "onlyIf"));
    if (r == 0)
        r = r2_copy_bytes(c);
    if (r != 0)
        return r;
    struct r2_row row = c->source;
    row.key = c->key;
    row.version = slice_of(c->version);
    row.uploaded_ms = clock_wall_ms();
    row.http = replace ? buf_slice(&c->http) : row.http;
    row.custom = replace ? buf_slice(&c->custom) : row.custom;
    const char *class = json_str(c->options, "storageClass", NULL);
    if (class != NULL)
        row.storage_class = slice_of(class);
    return r2_insert(c->call, &row);
}

/* --- a part --- */

static int r2_copy_append(struct r2_copy *c, struct slice bytes)
{
    digest_update(c->md5, bytes);
    return file_write_all(c->fd, bytes);
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
        int r = r2_copy_append(c, slice_from(bytes, (size_t)n));
        if (r < 0)
            return r;
        at += (uint64_t)n;
    }
    return 0;
}

static int r2_copy_range(struct r2_copy *c, const struct r2_span *span)
{
    const struct r2_row *source = &c->source;
    if (source->is_inline)
        return r2_copy_append(c, slice_from(source->content.ptr + span->offset, span->length));
    if (r2_is_pieced(source))
        return r2_pieces(c->from, source->version, span, r2_copy_piece, c);
    struct r2_piece one = {.offset = span->offset, .length = span->length};
    int r = slice_to_cstr(source->version, one.blob, sizeof(one.blob));
    return r < 0 ? r : r2_copy_piece(c, &one);
}

static int r2_copy_part_write(struct r2_copy *c, const struct r2_span *span, char etag[ID_HEX_SIZE])
{
    uint8_t sum[DIGEST_MAX];
    c->fd = blob_spool(r2_of(c->call)->path, c->version);
    if (c->fd < 0)
        return r2_fail(&c->call->err, c->fd, 10001);
    r2_copy_made(c, c->version);
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
    int r = r2_upload_find(c->call, c->key, upload);
    if (r == 0)
        r = r2_range_of(json_object_get(c->options, "range"), (uint64_t)c->source.size, &span,
                        &c->call->err);
    if (r == 0)
        r = r2_copy_part_write(c, &span, etag);
    return r < 0 ? r
                 : r2_part_store(c->call, upload, (uint32_t)number, c->version,
                                 (int64_t)span.length, etag);
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
