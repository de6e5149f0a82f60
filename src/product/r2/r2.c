/*
 * R2 in the keeper: puts, deletes, and reads of the REST API.
 */
#include "product/r2/r2_rules.h"

#include "core/clock.h"
#include "core/digest.h"
#include "core/id.h"
#include "store/blob.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    R2_SWEEP_S = 5,
    R2_GARBAGE_MS = 60 * 1000, /* how long a deleted blob stays readable */
    R2_GARBAGE_BATCH = 500,
    R2_UPLOAD_MS = 7 * 24 * 3600 * 1000, /* then an upload that was not completed goes */
    R2_UPLOADS_BATCH = 20,
    R2_READ_PIECE = 256 * 1024
};

struct r2_store *r2_of(struct keeper_call *call)
{
    return call->store->open;
}

/* --- checksums --- */

struct r2_algorithm {
    const char *option, *name;
    enum digest_kind kind;
};

static const struct r2_algorithm r2_algorithms[] = {
    {"md5", "MD5", DIGEST_MD5},           {"sha1", "SHA-1", DIGEST_SHA1},
    {"sha256", "SHA-256", DIGEST_SHA256}, {"sha384", "SHA-384", DIGEST_SHA384},
    {"sha512", "SHA-512", DIGEST_SHA512},
};

/* Checksums of S3 that control has verified; kept beside the others. */
static const char *const r2_foreign[] = {"crc32", "crc32c", "crc64nvme"};

static int r2_digest_body(struct keeper_call *call, enum digest_kind kind, uint8_t *ret)
{
    if (call->spool_fd < 0) {
        digest_of(kind, call->body, ret);
        return 0;
    }
    if (kind == DIGEST_MD5) {
        memcpy(ret, call->md5, KEEPER_MD5_SIZE);
        return 0;
    }
    AUTO(digest_release) struct digest *d = digest_create(kind);
    AUTO(mem_release) char *piece = mem_new(R2_READ_PIECE);
    ssize_t n;
    for (off_t at = 0; (n = pread(call->spool_fd, piece, R2_READ_PIECE, at)) > 0; at += n) {
        if (call->veil != NULL)
            call->veil(call, call->spool_id, (uint64_t)at, piece, (size_t)n);
        digest_update(d, slice_from(piece, (size_t)n));
    }
    digest_value(d, ret);
    return n < 0 ? -errno : 0;
}

int r2_checksums(struct keeper_call *call, const json_t *options, struct buf *out,
                 char etag[ID_HEX_SIZE])
{
    uint8_t sum[DIGEST_MAX];
    char hex[2 * DIGEST_MAX + 1];
    int r = r2_digest_body(call, DIGEST_MD5, sum);
    if (r < 0)
        return r2_fail(&call->err, r, 10001);
    hex_encode(sum, KEEPER_MD5_SIZE, etag);
    buf_printf(out, "{\"md5\":\"%s\"", etag);
    for (size_t i = 0; i < ARRAY_LEN(r2_algorithms); i++) {
        const struct r2_algorithm *a = &r2_algorithms[i];
        const char *given = json_str(options, a->option, NULL);
        if (given == NULL)
            continue;
        r = r2_digest_body(call, a->kind, sum);
        if (r < 0)
            return r2_fail(&call->err, r, 10001);
        hex_encode(sum, digest_size(a->kind), hex);
        if (!slice_eq_nocase(slice_of(given), slice_of(hex)))
            return err_set(&call->err, -EINVAL, 10037,
                           "The %s checksum you specified did not match what we received.\n"
                           "You provided a %s checksum with value: %s\nActual %s was: %s (10037)",
                           a->name, a->name, given, a->name, hex);
        if (a->kind != DIGEST_MD5)
            buf_printf(out, ",\"%s\":\"%s\"", a->option, hex);
    }
    for (size_t i = 0; i < ARRAY_LEN(r2_foreign); i++) {
        const char *given = json_str(options, r2_foreign[i], NULL);
        if (given != NULL && id_is_hex(slice_of(given), strlen(given)))
            buf_printf(out, ",\"%s\":\"%s\"", r2_foreign[i], given);
    }
    buf_append_char(out, '}');
    return 0;
}

/* --- put --- */

struct r2_put {
    struct msg_r2_put m;
    json_t *options;
    struct buf http, custom, checksums;
    char etag[ID_HEX_SIZE], version[BLOB_ID_SIZE];
    int64_t uploaded_ms;
};

static void r2_put_done(struct r2_put *p)
{
    json_release(&p->options);
    buf_done(&p->http);
    buf_done(&p->custom);
    buf_done(&p->checksums);
}

static int r2_metadata_one(const json_t *options, const char *name, struct buf *out,
                           struct err *err)
{
    const json_t *v = json_object_get(options, name);
    if (v == NULL || json_is_null(v)) {
        buf_append_slice(out, SLICE("{}"));
        return 0;
    }
    if (!json_is_object(v))
        return r2_fail(err, -EINVAL, 10029);
    json_print(out, v);
    return 0;
}

static size_t r2_custom_size(const json_t *options)
{
    json_t *custom = json_object_get(options, "customMetadata"), *value;
    const char *key;
    size_t n = 0;
    json_object_foreach(custom, key, value)
    {
        n += strlen(key) + json_string_length(value);
    }
    return n;
}

int r2_metadata(const json_t *options, struct buf *http, struct buf *custom, struct err *err)
{
    int r = r2_metadata_one(options, "httpMetadata", http, err);
    if (r == 0)
        r = r2_metadata_one(options, "customMetadata", custom, err);
    if (r == 0 && r2_custom_size(options) > R2_CUSTOM_MAX)
        r = r2_fail(err, -E2BIG, 10012);
    return r;
}

static int r2_put_check(struct keeper_call *call, struct r2_put *p)
{
    struct err *err = &call->err;
    if (msg_r2_put_unpack(call->args, &p->m) < 0 || p->m.options.len > R2_OPTIONS_MAX)
        return r2_fail(err, -EBADMSG, 10029);
    if (p->m.key.len > R2_KEY_MAX)
        return r2_fail(err, -EINVAL, 10020);
    if (p->m.size >= 0 && (uint64_t)p->m.size != call->body_size)
        return err_set(err, -EINVAL, 10001, "The body has %llu bytes instead of %lld. (10001)",
                       (unsigned long long)call->body_size, (long long)p->m.size);
    if (json_parse(p->m.options.len == 0 ? SLICE("{}") : p->m.options, &p->options, NULL) < 0)
        return r2_fail(err, -EINVAL, 10029);
    int r = r2_metadata(p->options, &p->http, &p->custom, err);
    if (r < 0)
        return r;
    return r2_checksums(call, p->options, &p->checksums, p->etag);
}

int r2_discard(struct r2_store *store, struct slice version, struct err *err)
{
    struct sql_stmt *s = sql_cached(store->db, "INSERT OR REPLACE INTO garbage VALUES(?, ?)");
    sql_bind_text(s, 1, version);
    sql_bind_int(s, 2, clock_wall_ms());
    return sql_run(s, err);
}

int r2_replace(struct keeper_call *call, struct slice key, const json_t *options)
{
    struct r2_row row = {0};
    const json_t *only_if = json_object_get(options, "onlyIf");
    int r = r2_find(r2_of(call)->db, key, false, &row, &call->err);
    if (r < 0 && r != -ENOENT)
        return r;
    bool present = r == 0;
    r = 0;
    if (!present && json_bool(options, "strict", false) &&
        json_object_get(only_if, "etagMatches") != NULL)
        r = r2_fail(&call->err, -ENOENT, 10007);
    else if (r2_condition_of(only_if, present ? &row : NULL) != R2_HOLDS)
        r = 1;
    else if (present && r2_is_locked(r2_of(call), key, row.uploaded_ms))
        r = r2_fail(&call->err, -EACCES, R2_ERR_LOCKED);
    else if (present && !row.is_inline)
        r = r2_discard(r2_of(call), row.version, &call->err);
    r2_row_done(&row);
    return r;
}

int r2_insert(struct keeper_call *call, const struct r2_row *row, int action)
{
    struct sql_stmt *s =
        sql_cached(r2_of(call)->db,
                   "INSERT INTO objects(key, version, size, etag, uploaded, http, custom, "
                   "checksums, class, content, sealed) "
                   "VALUES(?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(key) DO UPDATE SET "
                   "version=excluded.version, size=excluded.size, "
                   "etag=excluded.etag, uploaded=excluded.uploaded, http=excluded.http, "
                   "custom=excluded.custom, "
                   "checksums=excluded.checksums, class=excluded.class, content=excluded.content, "
                   "sealed=excluded.sealed");
    sql_bind_text(s, 1, row->key);
    sql_bind_text(s, 2, row->version);
    sql_bind_int(s, 3, row->size);
    sql_bind_text(s, 4, row->etag);
    sql_bind_int(s, 5, row->uploaded_ms);
    sql_bind_text(s, 6, row->http);
    sql_bind_text(s, 7, row->custom);
    sql_bind_text(s, 8, row->checksums);
    sql_bind_text(s, 9, row->storage_class);
    if (row->is_inline)
        sql_bind_blob(s, 10, row->content);
    else
        sql_bind_null(s, 10);
    sql_bind_text(s, 11, row->sealed);
    int r = sql_run(s, &call->err);
    sql_clear(s);
    if (r == 0)
        r = r2_notify(r2_of(call), (enum r2_action)action, row, &call->err);
    if (r == 0)
        r2_object_json(&call->json, row, NULL);
    return r;
}

static void r2_veil_apply(const struct keeper_call *call, const char *id, uint64_t offset,
                          char *bytes, size_t n)
{
    r2_seal_apply(call->veil_arg, id, offset, bytes, n);
}

void r2_veil(struct keeper_call *call, const struct r2_seal *seal)
{
    struct r2_seal *kept = seal->on ? arena_alloc(call->arena, sizeof(*kept)) : NULL;
    call->veil = NULL;
    if (!seal->on)
        return;
    CHECK(kept != NULL); /* the first thing in this arena, and small */
    *kept = *seal;
    call->veil = r2_veil_apply;
    call->veil_arg = kept;
}

static int r2_put_prepare(struct keeper_call *call)
{
    struct msg_r2_put m;
    struct r2_seal seal;
    char salt[ID_HEX_SIZE];
    AUTO(json_release) json_t *options = NULL;
    if (msg_r2_put_unpack(call->args, &m) < 0 || json_parse(m.options, &options, NULL) < 0)
        return 0; /* which the operation says */
    int r = r2_seal_make(options, id_hex(salt), &seal, &call->err);
    if (r == 0)
        r2_veil(call, &seal);
    return r;
}

/* The seal of the body: that of its spooled bytes, or a new one for those in memory, which it encrypts. */
static int r2_put_seal(struct keeper_call *call, const json_t *options, const char *version,
                       struct r2_seal *ret)
{
    char salt[ID_HEX_SIZE];
    if (call->veil != NULL)
        *ret = *(const struct r2_seal *)call->veil_arg;
    if (call->spool_fd >= 0)
        return 0;
    int r = r2_seal_make(options, id_hex(salt), ret, &call->err);
    if (r < 0 || !ret->on)
        return r;
    struct slice copy;
    r = arena_copy(call->arena, call->body.ptr, call->body.len, &copy);
    if (r < 0)
        return r2_fail(&call->err, r, 10001);
    r2_seal_apply(ret, version, 0, (char *)copy.ptr, copy.len);
    call->body = copy;
    return 0;
}

void r2_keep_spool(struct keeper_call *call)
{
    buf_append(&r2_of(call)->settle, call->spool_id, BLOB_ID_SIZE);
    r2_of(call)->unnamed |= !call->spool_named;
    call->spool_kept = true;
}

static void r2_op_put(struct keeper_call *call)
{
    AUTO(r2_put_done) struct r2_put p = {.uploaded_ms = clock_wall_ms()};
    int r = r2_put_check(call, &p);
    if (r == 0)
        r = r2_replace(call, p.m.key, p.options);
    if (call->spool_fd < 0)
        id_hex(p.version);
    else
        memcpy(p.version, call->spool_id, sizeof(p.version));
    struct r2_seal seal = {0};
    if (r == 0)
        r = r2_put_seal(call, p.options, p.version, &seal);
    call->result = r;
    if (r != 0)
        return;
    struct r2_row row = {
        .key = p.m.key,
        .version = slice_of(p.version),
        .size = (int64_t)call->body_size,
        .etag = slice_of(p.etag),
        .uploaded_ms = p.uploaded_ms,
        .http = buf_slice(&p.http),
        .custom = buf_slice(&p.custom),
        .checksums = buf_slice(&p.checksums),
        .storage_class = slice_of(r2_class_for(r2_of(call), p.options)),
        .is_inline = call->spool_fd < 0,
        .content = call->body,
        .sealed = slice_of(seal.text),
    };
    call->result = r2_insert(call, &row, R2_PUT_OBJECT);
    if (call->result == 0 && call->spool_fd >= 0)
        r2_keep_spool(call);
}

/* --- delete --- */

int r2_remove(struct r2_store *store, struct slice key, int action, struct err *err)
{
    struct r2_row row = {0};
    int r = r2_find(store->db, key, false, &row, err);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (r2_is_locked(store, key, row.uploaded_ms))
        r = r2_fail(err, -EACCES, R2_ERR_LOCKED);
    else if (!row.is_inline)
        r = r2_discard(store, row.version, err);
    if (r == 0)
        r = r2_notify(store, (enum r2_action)action, &row, err);
    r2_row_done(&row);
    if (r < 0)
        return r;
    struct sql_stmt *s = sql_cached(store->db, "DELETE FROM objects WHERE key = ?");
    sql_bind_text(s, 1, key);
    return sql_run(s, err);
}

static void r2_op_delete(struct keeper_call *call)
{
    struct msg_r2_delete m;
    AUTO(json_release) json_t *keys = NULL;
    if (msg_r2_delete_unpack(call->args, &m) < 0 || json_parse(m.keys, &keys, NULL) < 0 ||
        !json_is_array(keys) || json_array_size(keys) > R2_KEYS_MAX) {
        call->result = r2_fail(&call->err, -EINVAL, 10020);
        return;
    }
    for (size_t i = 0; i < json_array_size(keys) && call->result >= 0; i++) {
        const json_t *key = json_array_get(keys, i);
        call->result = json_is_string(key) && json_string_length(key) <= R2_KEY_MAX
                           ? r2_remove(r2_of(call),
                                       slice_from(json_string_value(key), json_string_length(key)),
                                       R2_DELETE_OBJECT, &call->err)
                           : r2_fail(&call->err, -EINVAL, 10020);
    }
}

/* --- reads of control --- */

static int r2_get_piece(void *arg, const struct r2_piece *piece)
{
    struct keeper_call *call = arg;
    struct keeper_range *range = &call->reply_ranges[call->n_reply_ranges];
    if (call->n_reply_ranges == R2_PARTS_MAX)
        return -EIO;
    memcpy(range->id, piece->blob, sizeof(range->id));
    range->offset = piece->offset;
    range->length = piece->length;
    call->n_reply_ranges++;
    return 0;
}

static int r2_get_pieces(struct keeper_call *call, const struct r2_row *row,
                         const struct r2_span *span)
{
    call->n_reply_ranges = 0;
    call->reply_ranges = arena_alloc(call->arena, R2_PARTS_MAX * sizeof(*call->reply_ranges));
    if (call->reply_ranges == NULL)
        return r2_fail(&call->err, -ENOMEM, 10001);
    return r2_pieces(r2_of(call)->db, row->version, span, r2_get_piece, call);
}

/* A blob by itself, as a range: what is encrypted must know which blob it comes from. */
static int r2_get_sealed(struct keeper_call *call, const char *blob, const struct r2_span *span)
{
    call->reply_ranges = arena_alloc(call->arena, sizeof(*call->reply_ranges));
    if (call->reply_ranges == NULL)
        return r2_fail(&call->err, -ENOMEM, 10001);
    *call->reply_ranges = (struct keeper_range){.offset = span->offset, .length = span->length};
    memcpy(call->reply_ranges->id, blob, BLOB_ID_SIZE);
    call->n_reply_ranges = 1;
    return 0;
}

static int r2_get_body(struct keeper_call *call, const struct r2_row *row,
                       const struct r2_span *span, bool pass)
{
    if (row->is_inline) {
        size_t at = buf_len(&call->reply_body);
        char id[BLOB_ID_SIZE];
        buf_append(&call->reply_body, row->content.ptr + span->offset, span->length);
        if (call->veil != NULL && slice_to_cstr(row->version, id, sizeof(id)) == 0)
            call->veil(call, id, span->offset, call->reply_body.data + call->reply_body.start + at,
                       span->length);
        return 0;
    }
    if (span->length == 0)
        return 0;
    if (r2_is_pieced(row))
        return r2_get_pieces(call, row, span);
    char version[BLOB_ID_SIZE];
    int r = slice_to_cstr(row->version, version, sizeof(version));
    if (r == 0 && call->veil != NULL)
        return r2_get_sealed(call, version, span);
    int fd = r < 0 ? r : blob_open(call->store->path, version);
    if (fd < 0)
        return r2_fail(&call->err, fd, 10001);
    call->reply_fd = fd;
    call->reply_pass = pass;
    call->reply_offset = span->offset;
    call->reply_length = span->length;
    return 0;
}

/* options.part is the number of a part, options.range any range. */
static int r2_get_span(struct keeper_call *call, const struct r2_row *row, const json_t *options,
                       struct r2_span *ret, struct buf *ret_sums)
{
    int64_t part = json_int(options, "part", 0);
    if (part == 0)
        return r2_range_of(json_object_get(options, "range"), (uint64_t)row->size, ret, &call->err);
    *ret = (struct r2_span){.length = (uint64_t)row->size};
    if (!r2_is_pieced(row))
        return part == 1 ? 0 : r2_fail(&call->err, -EINVAL, 10025);
    int r = r2_piece_nth(r2_of(call)->db, row->version, (unsigned)part, ret, ret_sums);
    return r == -ENOENT ? r2_fail(&call->err, -EINVAL, 10025) : r;
}

static int r2_get_unseal(struct keeper_call *call, const struct r2_row *row, const json_t *options)
{
    struct r2_seal seal;
    int r = r2_seal_open(row->sealed, options, &seal, &call->err);
    if (r == 0)
        r2_veil(call, &seal);
    return r;
}

/* The result is enum r2_condition; only what holds has a body. */
static int r2_get_row(struct keeper_call *call, const struct r2_row *row, const json_t *options)
{
    AUTO(buf_done) struct buf sums = {0};
    struct r2_span span = {0};
    enum r2_condition holds = r2_condition_of(json_object_get(options, "onlyIf"), row);
    int r = 0;
    if (holds == R2_HOLDS)
        r = r2_get_span(call, row, options, &span, &sums);
    if (r == 0)
        r = r2_get_unseal(call, row, options);
    if (r == 0 && holds == R2_HOLDS && !json_bool(options, "head", false))
        r = r2_get_body(call, row, &span, json_bool(options, "pass", false));
    if (r < 0)
        return r;
    struct r2_row shown = *row;
    if (buf_len(&sums) > 0)
        shown.checksums = buf_slice(&sums);
    r2_object_json(&call->json, &shown, &span);
    const json_t *cors = r2_setting(r2_of(call), "cors");
    if (json_bool(options, "cors", false) && cors != NULL) {
        call->json.end--; /* the last brace */
        buf_append_slice(&call->json, SLICE(",\"cors\":"));
        json_print(&call->json, cors);
        buf_append_char(&call->json, '}');
    }
    return (int)holds;
}

static void r2_op_get(struct keeper_call *call)
{
    struct msg_r2_get m;
    struct r2_row row = {0};
    AUTO(json_release) json_t *options = NULL;
    if (msg_r2_get_unpack(call->args, &m) < 0 ||
        json_parse(m.options.len == 0 ? SLICE("{}") : m.options, &options, NULL) < 0) {
        call->result = r2_fail(&call->err, -EINVAL, 10029);
        return;
    }
    int r = r2_find(r2_of(call)->db, m.key, true, &row, &call->err);
    call->result = r == -ENOENT ? r2_fail(&call->err, r, 10007)
                   : r < 0      ? r
                                : r2_get_row(call, &row, options);
    r2_row_done(&row);
}

static void r2_op_list(struct keeper_call *call)
{
    struct msg_r2_list m;
    AUTO(json_release) json_t *options = NULL;
    if (msg_r2_list_unpack(call->args, &m) < 0 ||
        json_parse(m.options.len == 0 ? SLICE("{}") : m.options, &options, NULL) < 0) {
        call->result = r2_fail(&call->err, -EINVAL, 10029);
        return;
    }
    call->result = r2_list_json(r2_of(call)->db, options, &call->json, &call->err);
}

const struct keeper_op r2_ops[R2_N_OPS] = {
    {.op = OP_r2_put,
     .writes = true,
     .isolates = true,
     .body = BODY_SPOOL,
     .body_max = R2_OBJECT_MAX,
     .memory_max = R2_INLINE_MAX,
     .prepare = r2_put_prepare,
     .run = r2_op_put},
    {.op = OP_r2_delete, .writes = true, .isolates = true, .run = r2_op_delete},
    {.op = OP_r2_get, .run = r2_op_get},
    {.op = OP_r2_list, .run = r2_op_list},
    {.op = OP_r2_multipart_create, .writes = true, .isolates = true, .run = r2_op_multipart_create},
    {.op = OP_r2_multipart_part,
     .writes = true,
     .isolates = true,
     .body = BODY_SPOOL,
     .body_max = R2_PART_MAX,
     .prepare = r2_part_prepare,
     .run = r2_op_multipart_part},
    {.op = OP_r2_multipart_complete,
     .writes = true,
     .isolates = true,
     .run = r2_op_multipart_complete},
    {.op = OP_r2_multipart_abort, .writes = true, .isolates = true, .run = r2_op_multipart_abort},
    {.op = OP_r2_multipart_list, .run = r2_op_multipart_list},
    {.op = OP_r2_copy, .writes = true, .run = r2_op_copy},
    {.op = OP_r2_setting, .writes = true, .run = r2_op_setting},
};

/* --- the engine --- */

static bool r2_knows(void *arg, const char *id)
{
    struct r2_store *store = arg;
    struct sql_stmt *s =
        sql_cached(store->db, "SELECT 1 FROM objects WHERE version = ?1 AND content IS NULL "
                              "UNION ALL SELECT 1 FROM garbage WHERE version = ?1 "
                              "UNION ALL SELECT 1 FROM pieces WHERE blob = ?1 "
                              "UNION ALL SELECT 1 FROM parts WHERE blob = ?1");
    sql_bind_text(s, 1, slice_of(id));
    bool known = sql_step(s, NULL) == 1;
    sql_reset(s);
    return known;
}

static void r2_engine_close(void *open)
{
    struct r2_store *store = open;
    sql_close(store->db);
    r2_settings_forget(store);
    buf_done(&store->settle);
    buf_done(&store->made);
    mem_release(&store);
}

static int r2_engine_prepare(struct r2_store *store, struct err *err)
{
    char blobs[R2_PATH_MAX + 16];
    struct stat st;
    snprintf(blobs, sizeof(blobs), "%s/blobs/ff", store->path);
    int r = stat(blobs, &st) == 0 ? 0 : blob_make(store->path);
    if (r < 0)
        return err_set(err, r, 0, "the bucket's directories cannot be made (%d)", r);
    r = r2_index_open(store->path, true, &store->db, err);
    if (r < 0)
        return r;
    r = blob_recover(store->path, r2_knows, store);
    return r < 0 ? err_set(err, r, 0, "the bucket's spool cannot be read (%d)", r) : 0;
}

static int r2_engine_open(const char *path, void **ret, struct err *err)
{
    struct r2_store *store = mem_new(sizeof(*store));
    snprintf(store->path, sizeof(store->path), "%s", path);
    int r = r2_engine_prepare(store, err);
    if (r < 0) {
        r2_engine_close(store);
        return r;
    }
    *ret = store;
    return 0;
}

static struct sql *r2_engine_sql(void *open)
{
    return ((struct r2_store *)open)->db;
}

static int r2_engine_begin(void *open)
{
    struct r2_store *store = open;
    buf_clear(&store->settle);
    buf_clear(&store->made);
    store->unnamed = false;
    return sql_begin(store->db, NULL);
}

/* First the names of the blobs are made durable, then the index that points to them. */
static int r2_engine_commit(void *open, struct err *err)
{
    struct r2_store *store = open;
    if (store->unnamed) {
        int r = blob_sync_names(store->path);
        if (r < 0)
            return r;
    }
    return sql_commit(store->db, err);
}

/* What operations made by themselves, beyond the first `keep` bytes of names. */
static void r2_unmake(struct r2_store *store, size_t keep)
{
    struct slice ids = slice_skip(buf_slice(&store->made), keep);
    for (; ids.len > 0; ids = slice_skip(ids, BLOB_ID_SIZE))
        (void)blob_remove(store->path, ids.ptr); /* else at the next start */
    store->made.end = store->made.start + keep;
}

static void r2_engine_rollback(void *open)
{
    struct r2_store *store = open;
    r2_unmake(store, 0);
    r2_settings_forget(store);
    buf_clear(&store->settle);
    sql_rollback(store->db);
}

static int r2_engine_mark(void *open)
{
    struct r2_store *store = open;
    store->marked = buf_len(&store->settle);
    store->made_marked = buf_len(&store->made);
    return sql_mark(store->db);
}

static int r2_engine_keep(void *open)
{
    return sql_keep(((struct r2_store *)open)->db);
}

static void r2_engine_undo(void *open)
{
    struct r2_store *store = open;
    store->settle.end = store->settle.start + store->marked;
    r2_unmake(store, store->made_marked);
    r2_settings_forget(store);
    sql_undo(store->db);
}

static bool r2_engine_unsettled(void *open)
{
    struct r2_store *store = open;
    return buf_len(&store->settle) > 0 || sql_unsettled(store->db);
}

static void r2_engine_settle(void *open)
{
    struct r2_store *store = open;
    struct slice ids = buf_slice(&store->settle);
    /* One that cannot be moved stays readable in the spool, and is moved at the next start. */
    for (; ids.len > 0; ids = slice_skip(ids, BLOB_ID_SIZE))
        (void)blob_settle(store->path, ids.ptr);
    buf_clear(&store->settle);
    sql_settle(store->db);
}

static int r2_sweep_piece(void *arg, const struct r2_piece *piece)
{
    return blob_remove(((struct r2_store *)arg)->path, piece->blob);
}

/* The blobs of one version of an object, or one blob by itself. */
static int r2_sweep_files(struct r2_store *store, const char *id)
{
    struct r2_span all = {.length = INT64_MAX};
    int r = r2_pieces(store->db, slice_of(id), &all, r2_sweep_piece, store);
    return r < 0 ? r : blob_remove(store->path, id);
}

/* Removes files first: a row without a file is removed again, a file without a row would stay. */
static void r2_sweep_garbage(struct r2_store *store)
{
    AUTO(buf_done) struct buf ids = {0};
    struct sql_stmt *s = sql_cached(store->db, "SELECT version FROM garbage WHERE at < ? LIMIT ?");
    sql_bind_int(s, 1, clock_wall_ms() - R2_GARBAGE_MS);
    sql_bind_int(s, 2, R2_GARBAGE_BATCH);
    while (sql_step(s, NULL) == 1) {
        char id[BLOB_ID_SIZE];
        if (slice_to_cstr(sql_column_bytes(s, 0), id, sizeof(id)) == 0 &&
            r2_sweep_files(store, id) == 0)
            buf_append(&ids, id, BLOB_ID_SIZE);
    }
    sql_reset(s);
    if (buf_len(&ids) == 0 || sql_begin(store->db, NULL) < 0)
        return;
    struct sql_stmt *d = sql_cached(store->db, "DELETE FROM garbage WHERE version = ?");
    struct sql_stmt *p = sql_cached(store->db, "DELETE FROM pieces WHERE version = ?");
    int r = 0;
    for (struct slice at = buf_slice(&ids); at.len > 0 && r == 0;
         at = slice_skip(at, BLOB_ID_SIZE)) {
        struct slice id = slice_from(at.ptr, BLOB_ID_SIZE - 1);
        sql_bind_text(d, 1, id);
        sql_bind_text(p, 1, id);
        r = sql_run(p, NULL);
        if (r == 0)
            r = sql_run(d, NULL);
    }
    if (r < 0 || sql_commit(store->db, NULL) < 0)
        sql_rollback(store->db);
}

static void r2_engine_sweep(void *open)
{
    struct r2_store *store = open;
    r2_sweep_garbage(store);
    r2_lifecycle_run(store);
    r2_multipart_expire(store, clock_wall_ms() - R2_UPLOAD_MS, R2_UPLOADS_BATCH);
    sql_tidy(store->db);
}

static void r2_engine_info(void *open, json_t *ret)
{
    struct r2_store *store = open;
    struct sql_stmt *s =
        sql_cached(store->db, "SELECT count(*), coalesce(sum(size), 0) FROM objects");
    if (sql_step(s, NULL) == 1) {
        json_object_set_new(ret, "objects", json_integer(sql_column_int(s, 0)));
        json_object_set_new(ret, "bytes", json_integer(sql_column_int(s, 1)));
    }
    sql_reset(s);
}

const struct keeper_engine r2_engine = {
    .open = r2_engine_open,
    .close = r2_engine_close,
    .sql = r2_engine_sql,
    .begin = r2_engine_begin,
    .commit = r2_engine_commit,
    .rollback = r2_engine_rollback,
    .mark = r2_engine_mark,
    .keep = r2_engine_keep,
    .undo = r2_engine_undo,
    .unsettled = r2_engine_unsettled,
    .settle = r2_engine_settle,
    .sweep = r2_engine_sweep,
    .sweep_s = R2_SWEEP_S,
    .info = r2_engine_info,
};
