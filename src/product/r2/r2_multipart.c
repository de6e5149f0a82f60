/*
 * Multipart uploads in the keeper. Parts are blobs; completing writes rows of `pieces`, no bytes.
 *
 *     OPEN --complete--> COMPLETED      a row stays a week, so that a second abort can be told from an
 *       \---abort------> ABORTED        upload that never was
 */
#include "product/r2/r2_rules.h"

#include "core/clock.h"
#include "core/digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { R2_UPLOAD_OPEN, R2_UPLOAD_COMPLETED, R2_UPLOAD_ABORTED };

static int r2_upload_state(struct r2_store *store, struct slice key, struct slice upload,
                           struct buf *ret_sealed, struct err *err)
{
    struct sql_stmt *s =
        sql_cached(store->db, "SELECT state, sealed FROM uploads WHERE id = ? AND key = ?");
    sql_bind_text(s, 1, upload);
    sql_bind_text(s, 2, key);
    int r = sql_step(s, err);
    int state = r == 1 ? (int)sql_column_int(s, 0) : 0;
    if (r == 1 && ret_sealed != NULL)
        buf_append_slice(ret_sealed, sql_column_bytes(s, 1));
    sql_reset(s);
    return r < 0 ? r : r == 0 ? r2_fail(err, -ENOENT, 10024) : state;
}

int r2_upload_find(struct keeper_call *call, struct slice key, struct slice upload,
                   struct buf *ret_sealed)
{
    int r = r2_upload_state(r2_of(call), key, upload, ret_sealed, &call->err);
    return r > 0 ? r2_fail(&call->err, -ENOENT, 10024) : r;
}

static int r2_upload_set(struct keeper_call *call, struct slice upload, int state)
{
    struct sql_stmt *s = sql_cached(r2_of(call)->db, "UPDATE uploads SET state = ? WHERE id = ?");
    sql_bind_int(s, 1, state);
    sql_bind_text(s, 2, upload);
    return sql_run(s, &call->err);
}

/* --- create --- */

static int r2_upload_insert(struct keeper_call *call, struct slice key, const char *id,
                            const json_t *options)
{
    AUTO(buf_done) struct buf http = {0};
    AUTO(buf_done) struct buf custom = {0};
    AUTO(buf_done) struct buf sums = {0};
    AUTO(r2_seal_done) struct r2_seal seal = {0};
    int r = r2_metadata(options, &http, &custom, &call->err);
    if (r == 0)
        r = r2_seal_make(options, id, &seal, &call->err);
    if (r < 0)
        return r;
    const json_t *checksum = json_object_get(options, "checksum");
    if (checksum != NULL)
        json_print(&sums, checksum);
    struct sql_stmt *s =
        sql_cached(r2_of(call)->db, "INSERT INTO uploads(id, key, http, custom, class, created, "
                                    "sealed, sums, state) VALUES(?, ?, ?, ?, ?, ?, ?, ?, 0)");
    sql_bind_text(s, 1, slice_of(id));
    sql_bind_text(s, 2, key);
    sql_bind_text(s, 3, buf_slice(&http));
    sql_bind_text(s, 4, buf_slice(&custom));
    sql_bind_text(s, 5, slice_of(r2_class_for(r2_of(call), options)));
    sql_bind_int(s, 6, clock_wall_ms());
    sql_bind_text(s, 7, slice_of(seal.text));
    sql_bind_text(s, 8, checksum == NULL ? SLICE("{}") : buf_slice(&sums));
    r = sql_run(s, &call->err);
    sql_clear(s);
    return r;
}

void r2_op_multipart_create(struct keeper_call *call)
{
    struct msg_r2_multipart_create m;
    AUTO(json_release) json_t *options = NULL;
    char id[ID_HEX_SIZE];
    if (msg_r2_multipart_create_unpack(call->args, &m) < 0 ||
        json_parse(m.options.len == 0 ? SLICE("{}") : m.options, &options, NULL) < 0) {
        call->result = r2_fail(&call->err, -EINVAL, 10029);
        return;
    }
    call->result = m.key.len > R2_KEY_MAX ? r2_fail(&call->err, -EINVAL, 10020)
                                          : r2_upload_insert(call, m.key, id_hex(id), options);
    if (call->result < 0)
        return;
    buf_append_slice(&call->json, SLICE("{\"key\":"));
    json_quote(&call->json, m.key);
    buf_printf(&call->json, ",\"uploadId\":\"%s\"}", id);
}

/* --- parts --- */

static int r2_part_discard(struct keeper_call *call, struct slice upload, uint32_t number)
{
    struct sql_stmt *s =
        sql_cached(r2_of(call)->db, "INSERT OR REPLACE INTO garbage SELECT blob, ?3 FROM parts "
                                    "WHERE upload = ?1 AND number = ?2 AND blob <> ''");
    sql_bind_text(s, 1, upload);
    sql_bind_int(s, 2, number);
    sql_bind_int(s, 3, clock_wall_ms());
    return sql_run(s, &call->err);
}

int r2_part_store(struct keeper_call *call, struct slice upload, uint32_t number,
                  const struct r2_part_row *part)
{
    int64_t now = clock_wall_ms();
    int r = r2_part_discard(call, upload, number);
    if (r < 0)
        return r;
    struct sql_stmt *s = sql_cached(
        r2_of(call)->db, "INSERT OR REPLACE INTO parts(upload, number, blob, size, etag, "
                         "uploaded, sums) VALUES(?, ?, ?, ?, ?, ?, ?)");
    sql_bind_text(s, 1, upload);
    sql_bind_int(s, 2, number);
    sql_bind_text(s, 3, slice_of(part->blob));
    sql_bind_int(s, 4, part->size);
    sql_bind_text(s, 5, slice_of(part->etag));
    sql_bind_int(s, 6, now);
    sql_bind_text(s, 7, part->sums);
    r = sql_run(s, &call->err);
    sql_clear(s);
    if (r == 0)
        buf_printf(&call->json, "{\"partNumber\":%u,\"etag\":\"%s\",\"uploaded\":%lld}", number,
                   part->etag, (long long)now);
    return r;
}

int r2_part_prepare(struct keeper_call *call)
{
    struct msg_r2_multipart_part m;
    struct r2_seal seal;
    char salt[ID_HEX_SIZE];
    AUTO(json_release) json_t *options = NULL;
    if (msg_r2_multipart_part_unpack(call->args, &m) < 0 || !id_is_hex(m.upload, R2_SALT_LEN) ||
        slice_to_cstr(m.upload, salt, sizeof(salt)) < 0 ||
        json_parse(m.options, &options, NULL) < 0)
        return 0; /* which the operation says */
    int r = r2_seal_make(options, salt, &seal, &call->err);
    if (r == 0)
        r2_veil(call, &seal);
    return r;
}

/* Has the part been encrypted as the upload wants it? */
static int r2_part_unseal(struct keeper_call *call, const struct msg_r2_multipart_part *m,
                          const json_t *options)
{
    AUTO(buf_done) struct buf sealed = {0};
    AUTO(r2_seal_done) struct r2_seal seal = {0};
    int r = r2_upload_find(call, m->key, m->upload, &sealed);
    return r < 0 ? r : r2_seal_open(buf_slice(&sealed), options, &seal, &call->err);
}

static int r2_part_take(struct keeper_call *call, const struct msg_r2_multipart_part *m,
                        const json_t *options)
{
    AUTO(buf_done) struct buf sums = {0};
    char etag[ID_HEX_SIZE];
    int r = r2_part_unseal(call, m, options);
    if (r == 0)
        r = r2_checksums(call, options, &sums, etag);
    if (r < 0)
        return r;
    bool empty = call->spool_fd < 0;
    struct r2_part_row part = {.blob = empty ? "" : call->spool_id,
                               .size = (int64_t)call->body_size,
                               .etag = etag,
                               .sums = buf_slice(&sums)};
    r = r2_part_store(call, m->upload, m->number, &part);
    if (r == 0 && !empty)
        r2_keep_spool(call);
    return r;
}

void r2_op_multipart_part(struct keeper_call *call)
{
    struct msg_r2_multipart_part m;
    AUTO(json_release) json_t *options = NULL;
    if (msg_r2_multipart_part_unpack(call->args, &m) < 0 ||
        json_parse(m.options.len == 0 ? SLICE("{}") : m.options, &options, NULL) < 0 ||
        m.number < 1 || m.number > R2_PARTS_MAX) {
        call->result = r2_fail(&call->err, -EINVAL, 10029);
        return;
    }
    if (m.size >= 0 && (uint64_t)m.size != call->body_size) {
        call->result =
            err_set(&call->err, -EINVAL, 10001, "The body has %llu bytes instead of %lld. (10001)",
                    (unsigned long long)call->body_size, (long long)m.size);
        return;
    }
    call->result = r2_part_take(call, &m, options);
}

/* --- complete --- */

struct r2_part {
    uint32_t number;
    char blob[BLOB_ID_SIZE];
    int64_t size;
    uint8_t md5[KEEPER_MD5_SIZE];
    struct slice sums; /* in the call's arena */
};

struct r2_complete {
    struct msg_r2_multipart_complete m;
    json_t *options;
    struct r2_part *parts;
    size_t n;
    int64_t size;
    char version[ID_HEX_SIZE];
};

static int r2_part_order(const void *a, const void *b)
{
    const struct r2_part *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Do the checksums that the client names with a part agree with what was stored? */
static bool r2_part_agrees(const json_t *named, struct slice sums)
{
    AUTO(json_release) json_t *stored = NULL;
    json_t *wanted = json_object_get(named, "sums"), *value;
    const char *name;
    if (json_object_size(wanted) == 0)
        return true;
    if (json_parse(sums, &stored, NULL) < 0)
        return false;
    json_object_foreach(wanted, name, value)
    {
        if (!json_equal(json_object_get(stored, name), value))
            return false;
    }
    return true;
}

/* The row of a part that the client names; 10025 when there is none with this etag. */
static int r2_part_find(struct keeper_call *call, struct slice upload, const json_t *named,
                        struct r2_part *ret)
{
    struct sql_stmt *s = sql_cached(
        r2_of(call)->db,
        "SELECT blob, size, sums FROM parts WHERE upload = ? AND number = ? AND etag = ?");
    struct slice etag = slice_of(json_str(named, "etag", ""));
    int64_t number = json_int(named, "partNumber", 0);
    sql_bind_text(s, 1, upload);
    sql_bind_int(s, 2, number);
    sql_bind_text(s, 3, etag);
    int r = sql_step(s, &call->err);
    if (r == 1) {
        ret->number = (uint32_t)number;
        ret->size = sql_column_int(s, 1);
        r = slice_to_cstr(sql_column_bytes(s, 0), ret->blob, sizeof(ret->blob));
        if (r == 0)
            r = hex_decode(etag, ret->md5, sizeof(ret->md5));
        struct slice sums = sql_column_bytes(s, 2);
        if (r == 0)
            r = arena_copy(call->arena, sums.ptr, sums.len, &ret->sums);
        if (r == 0 && !r2_part_agrees(named, ret->sums))
            r = r2_fail(&call->err, -EINVAL, 10025);
    } else if (r == 0) {
        r = r2_fail(&call->err, -EINVAL, 10025);
    }
    sql_reset(s);
    return r;
}

static int r2_parts_collect(struct keeper_call *call, struct r2_complete *c)
{
    AUTO(json_release) json_t *named = NULL;
    if (json_parse(c->m.parts, &named, NULL) < 0 || !json_is_array(named) ||
        json_array_size(named) == 0 || json_array_size(named) > R2_PARTS_MAX)
        return r2_fail(&call->err, -EINVAL, 10025);
    c->n = json_array_size(named);
    c->parts = arena_alloc(call->arena, c->n * sizeof(*c->parts));
    if (c->parts == NULL)
        return r2_fail(&call->err, -ENOMEM, 10001);
    for (size_t i = 0; i < c->n; i++) {
        int r = r2_part_find(call, c->m.upload, json_array_get(named, i), &c->parts[i]);
        if (r < 0)
            return r;
    }
    qsort(c->parts, c->n, sizeof(*c->parts), r2_part_order);
    return 0;
}

/* All but the last are of one size, at least 5 MiB; the last is not larger. */
static int r2_parts_check(struct keeper_call *call, struct r2_complete *c)
{
    const struct r2_part *p = c->parts;
    c->size = 0;
    for (size_t i = 0; i < c->n; i++) {
        bool last = i + 1 == c->n;
        c->size += p[i].size;
        if (i > 0 && p[i].number == p[i - 1].number)
            return r2_fail(&call->err, -EINVAL, 10025);
        if (!last && p[i].size < R2_PART_MIN)
            return r2_fail(&call->err, -EINVAL, 10011);
        if (last ? p[i].size > p[0].size : p[i].size != p[0].size)
            return r2_fail(&call->err, -EINVAL, 10048);
    }
    return (uint64_t)c->size > R2_PARTED_MAX ? r2_fail(&call->err, -E2BIG, 100100) : 0;
}

static int r2_pieces_insert(struct keeper_call *call, const struct r2_complete *c)
{
    struct sql_stmt *s =
        sql_cached(r2_of(call)->db, "INSERT INTO pieces(version, at, blob, size, sums) "
                                    "VALUES(?, ?, ?, ?, ?)");
    int64_t at = 0;
    int r = 0;
    for (size_t i = 0; i < c->n && r == 0; i++) {
        const struct r2_part *p = &c->parts[i];
        if (p->size == 0)
            continue;
        sql_bind_text(s, 1, slice_of(c->version));
        sql_bind_int(s, 2, at);
        sql_bind_text(s, 3, slice_of(p->blob));
        sql_bind_int(s, 4, p->size);
        sql_bind_text(s, 5, p->sums);
        r = sql_run(s, &call->err);
        at += p->size;
    }
    sql_clear(s);
    return r;
}

/* Parts that became pieces of `version` live on; the others go. */
static int r2_parts_drop(struct r2_store *store, struct slice upload, struct slice version,
                         struct err *err)
{
    struct sql_stmt *s = sql_cached(
        store->db,
        "INSERT OR REPLACE INTO garbage SELECT blob, ?3 FROM parts WHERE upload = ?1 AND "
        "blob <> '' AND blob NOT IN (SELECT blob FROM pieces WHERE version = ?2)");
    sql_bind_text(s, 1, upload);
    sql_bind_text(s, 2, version);
    sql_bind_int(s, 3, clock_wall_ms());
    int r = sql_run(s, err);
    if (r < 0)
        return r;
    s = sql_cached(store->db, "DELETE FROM parts WHERE upload = ?");
    sql_bind_text(s, 1, upload);
    return sql_run(s, err);
}

static void r2_parts_etag(const struct r2_complete *c, char *ret, size_t size)
{
    AUTO(digest_release) struct digest *d = digest_create(DIGEST_MD5);
    uint8_t sum[DIGEST_MAX];
    char hex[ID_HEX_SIZE];
    for (size_t i = 0; i < c->n; i++)
        digest_update(d, slice_from(c->parts[i].md5, sizeof(c->parts[i].md5)));
    digest_value(d, sum);
    snprintf(ret, size, "%s-%zu", hex_encode(sum, KEEPER_MD5_SIZE, hex), c->n);
}

static int r2_complete_sums(struct keeper_call *call, const struct r2_complete *c,
                            struct slice upload, struct buf *ret)
{
    AUTO(json_release) json_t *kind = NULL;
    struct r2_part_sum *parts = arena_alloc(call->arena, c->n * sizeof(*parts));
    if (parts == NULL || json_parse(upload, &kind, NULL) < 0)
        return r2_fail(&call->err, -EIO, 10001);
    for (size_t i = 0; i < c->n; i++)
        parts[i] = (struct r2_part_sum){c->parts[i].sums, c->parts[i].size};
    const json_t *claimed = json_object_get(c->options, "checksum");
    if (json_object_size(kind) == 0 && claimed != NULL)
        return r2_sums_combine(claimed, parts, c->n, json_str(claimed, "value", NULL), ret,
                               &call->err);
    return r2_sums_combine(kind, parts, c->n, json_str(claimed, "value", NULL), ret, &call->err);
}

static int r2_complete_insert(struct keeper_call *call, struct r2_complete *c)
{
    AUTO(buf_done) struct buf sums = {0};
    char etag[ID_HEX_SIZE + 16];
    r2_parts_etag(c, etag, sizeof(etag));
    struct sql_stmt *s = sql_cached(
        r2_of(call)->db, "SELECT http, custom, class, sealed, sums FROM uploads WHERE id = ?");
    sql_bind_text(s, 1, c->m.upload);
    int r = sql_step(s, &call->err);
    int sum = r == 1 ? r2_complete_sums(call, c, sql_column_bytes(s, 4), &sums) : 0;
    if (sum < 0)
        r = sum;
    if (r == 1) {
        struct r2_row row = {
            .key = c->m.key,
            .version = slice_of(c->version),
            .size = c->size,
            .etag = slice_of(etag),
            .uploaded_ms = clock_wall_ms(),
            .http = sql_column_bytes(s, 0),
            .custom = sql_column_bytes(s, 1),
            .checksums = buf_slice(&sums),
            .storage_class = sql_column_bytes(s, 2),
            .sealed = sql_column_bytes(s, 3),
        };
        r = r2_insert(call, &row, R2_COMPLETE_UPLOAD);
    }
    sql_reset(s);
    return r;
}

/* A client that did not hear the answer asks again: the object is there, with the etag of these parts. */
static int r2_complete_again(struct keeper_call *call, struct r2_complete *c)
{
    AUTO(json_release) json_t *named = NULL;
    char etag[ID_HEX_SIZE + 16];
    struct r2_row row = {0};
    int r = json_parse(c->m.parts, &named, NULL);
    c->n = json_array_size(named);
    c->parts = arena_alloc(call->arena, (c->n + 1) * sizeof(*c->parts));
    if (r < 0 || c->n == 0 || c->parts == NULL)
        return r2_fail(&call->err, -ENOENT, 10024);
    for (size_t i = 0; i < c->n && r == 0; i++)
        r = hex_decode(slice_of(json_str(json_array_get(named, i), "etag", "")), c->parts[i].md5,
                       sizeof(c->parts[i].md5));
    r2_parts_etag(c, etag, sizeof(etag));
    if (r == 0)
        r = r2_find(r2_of(call)->db, c->m.key, false, &row, &call->err);
    if (r < 0 || !slice_eq(row.etag, slice_of(etag)))
        r = r2_fail(&call->err, -ENOENT, 10024);
    else
        r2_object_json(&call->json, &row, NULL);
    r2_row_done(&row);
    return r;
}

static int r2_complete_run(struct keeper_call *call, struct r2_complete *c)
{
    AUTO(buf_done) struct buf sealed = {0};
    AUTO(r2_seal_done) struct r2_seal seal = {0};
    int r = r2_upload_state(r2_of(call), c->m.key, c->m.upload, &sealed, &call->err);
    if (r == R2_UPLOAD_COMPLETED && json_bool(c->options, "again", false))
        return r2_complete_again(call, c);
    if (r > 0)
        r = r2_fail(&call->err, -ENOENT, 10024);
    if (r == 0 &&
        json_bool(c->options, "sealed", false)) /* S3 says the key again, Workers do not */
        r = r2_seal_open(buf_slice(&sealed), c->options, &seal, &call->err);
    if (r == 0)
        r = r2_parts_collect(call, c);
    if (r == 0)
        r = r2_parts_check(call, c);
    if (r == 0)
        r = r2_replace(call, c->m.key, c->options);
    if (r != 0)
        return r;
    id_hex(c->version);
    r = r2_pieces_insert(call, c);
    if (r == 0)
        r = r2_parts_drop(r2_of(call), c->m.upload, slice_of(c->version), &call->err);
    if (r == 0)
        r = r2_complete_insert(call, c);
    return r < 0 ? r : r2_upload_set(call, c->m.upload, R2_UPLOAD_COMPLETED);
}

void r2_op_multipart_complete(struct keeper_call *call)
{
    struct r2_complete c = {0};
    AUTO(json_release) json_t *options = NULL;
    if (msg_r2_multipart_complete_unpack(call->args, &c.m) < 0 ||
        json_parse(c.m.options.len == 0 ? SLICE("{}") : c.m.options, &options, NULL) < 0) {
        call->result = r2_fail(&call->err, -EINVAL, 10029);
        return;
    }
    c.options = options;
    call->result = r2_complete_run(call, &c);
}

/* --- abort, expiry --- */

void r2_op_multipart_abort(struct keeper_call *call)
{
    struct msg_r2_multipart_abort m;
    if (msg_r2_multipart_abort_unpack(call->args, &m) < 0) {
        call->result = r2_fail(&call->err, -EINVAL, 10029);
        return;
    }
    int r = r2_upload_state(r2_of(call), m.key, m.upload, NULL, &call->err);
    if (r == R2_UPLOAD_OPEN) {
        r = r2_parts_drop(r2_of(call), m.upload, SLICE(""), &call->err);
        if (r == 0)
            r = r2_upload_set(call, m.upload, R2_UPLOAD_ABORTED);
    }
    call->result = MIN(r, 0);
}

static int r2_expire_one(struct r2_store *store, struct slice upload)
{
    int r = r2_parts_drop(store, upload, SLICE(""), NULL);
    if (r < 0)
        return r;
    struct sql_stmt *s = sql_cached(store->db, "DELETE FROM uploads WHERE id = ?");
    sql_bind_text(s, 1, upload);
    return sql_run(s, NULL);
}

int r2_uploads_drop(struct r2_store *store, struct sql_stmt *s)
{
    AUTO(buf_done) struct buf ids = {0};
    int r;
    while ((r = sql_step(s, NULL)) == 1)
        buf_append_slice(&ids, sql_column_bytes(s, 0));
    sql_reset(s);
    for (struct slice at = buf_slice(&ids); at.len > 0 && r == 0;
         at = slice_skip(at, ID_HEX_SIZE - 1))
        r = r2_expire_one(store, slice_from(at.ptr, ID_HEX_SIZE - 1));
    return r;
}

void r2_multipart_expire(struct r2_store *store, int64_t before_ms, int most)
{
    struct sql_stmt *s = sql_cached(store->db, "SELECT id FROM uploads WHERE created < ? LIMIT ?");
    sql_bind_int(s, 1, before_ms);
    sql_bind_int(s, 2, most);
    bool any = sql_step(s, NULL) == 1;
    sql_reset(s);
    if (!any || sql_begin(store->db, NULL) < 0)
        return;
    if (r2_uploads_drop(store, s) < 0 || sql_commit(store->db, NULL) < 0)
        sql_rollback(store->db);
}

/* --- listings, for S3 --- */

static void r2_list_begin(struct buf *out, size_t *n)
{
    if ((*n)++ > 0)
        buf_append_char(out, ',');
}

static int r2_list_parts(struct keeper_call *call, const json_t *options)
{
    struct slice upload = slice_of(json_str(options, "upload", ""));
    int64_t limit = json_int(options, "limit", R2_LIST_MAX);
    int r = r2_upload_find(call, slice_of(json_str(options, "key", "")), upload, NULL);
    if (r < 0)
        return r;
    struct sql_stmt *s = sql_cached(
        r2_of(call)->db, "SELECT number, etag, size, uploaded, sums FROM parts WHERE upload = "
                         "? AND number > ? ORDER BY number LIMIT ?");
    size_t n = 0;
    sql_bind_text(s, 1, upload);
    sql_bind_int(s, 2, json_int(options, "after", 0));
    sql_bind_int(s, 3, limit + 1);
    buf_append_slice(&call->json, SLICE("{\"parts\":["));
    while ((r = sql_step(s, &call->err)) == 1 && n < (size_t)limit) {
        r2_list_begin(&call->json, &n);
        buf_printf(
            &call->json,
            "{\"partNumber\":%lld,\"etag\":\"%.*s\",\"size\":%lld,\"uploaded\":%lld,\"sums\":%.*s}",
            (long long)sql_column_int(s, 0), SLICE_ARG(sql_column_bytes(s, 1)),
            (long long)sql_column_int(s, 2), (long long)sql_column_int(s, 3),
            SLICE_ARG(sql_column_bytes(s, 4)));
    }
    sql_reset(s);
    buf_printf(&call->json, "],\"truncated\":%s}", r == 1 ? "true" : "false");
    return MIN(r, 0);
}

struct r2_uploads {
    struct slice prefix, delimiter;
    struct buf uploads, prefixes, group, next_key, next_upload;
    size_t n_uploads, n_prefixes, limit;
};

static void r2_uploads_done(struct r2_uploads *l)
{
    struct buf *bufs[] = {&l->uploads, &l->prefixes, &l->group, &l->next_key, &l->next_upload};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_done(bufs[i]);
}

/* False when the page is full. */
static bool r2_uploads_take(struct r2_uploads *l, struct sql_stmt *s)
{
    struct slice id = sql_column_bytes(s, 0), key = sql_column_bytes(s, 1);
    struct slice rest = slice_skip(key, l->prefix.len);
    ssize_t at = l->delimiter.len == 0 ? -1 : slice_find_slice(rest, l->delimiter);
    struct slice group = slice_from(key.ptr, l->prefix.len + (size_t)MAX(at, 0) + l->delimiter.len);
    if (at >= 0 && l->n_prefixes > 0 && slice_eq(group, buf_slice(&l->group)))
        return true;
    if (l->n_uploads + l->n_prefixes == l->limit)
        return false;
    buf_clear(&l->next_key);
    buf_clear(&l->next_upload);
    buf_append_slice(&l->next_key, key);
    buf_append_slice(&l->next_upload, id);
    if (at >= 0) {
        r2_list_begin(&l->prefixes, &l->n_prefixes);
        json_quote(&l->prefixes, group);
        buf_clear(&l->group);
        buf_append_slice(&l->group, group);
        return true;
    }
    r2_list_begin(&l->uploads, &l->n_uploads);
    buf_append_slice(&l->uploads, SLICE("{\"key\":"));
    json_quote(&l->uploads, key);
    buf_printf(&l->uploads,
               ",\"uploadId\":\"%.*s\",\"created\":%lld,\"storageClass\":", SLICE_ARG(id),
               (long long)sql_column_int(s, 2));
    json_quote(&l->uploads, sql_column_bytes(s, 3));
    buf_append_char(&l->uploads, '}');
    return true;
}

static int r2_uploads_walk(struct keeper_call *call, const json_t *options, struct r2_uploads *l,
                           bool *ret_truncated)
{
    AUTO(buf_done) struct buf end = {0};
    struct slice marker = slice_of(json_str(options, "keyMarker", ""));
    struct sql_stmt *s =
        sql_cached(r2_of(call)->db,
                   "SELECT id, key, created, class FROM uploads WHERE state = 0 AND key >= ?1 AND "
                   "key < ?2 AND (key, id) > (?3, ?4) ORDER BY key, id");
    buf_append_slice(&end, l->prefix);
    buf_append_char(&end, (char)0xff);
    sql_bind_text(s, 1, l->prefix);
    sql_bind_text(s, 2, buf_slice(&end));
    sql_bind_text(s, 3, marker);
    /* Without an upload's id the whole key is passed over: no id is greater than "g". */
    const char *upload = json_str(options, "uploadMarker", "");
    sql_bind_text(s, 4, slice_of(*upload == '\0' && marker.len > 0 ? "g" : upload));
    int r;
    while ((r = sql_step(s, &call->err)) == 1 && r2_uploads_take(l, s))
        ;
    sql_reset(s);
    sql_clear(s);
    *ret_truncated = r == 1;
    return MIN(r, 0);
}

static int r2_list_uploads(struct keeper_call *call, const json_t *options)
{
    AUTO(r2_uploads_done)
    struct r2_uploads l = {
        .prefix = slice_of(json_str(options, "prefix", "")),
        .delimiter = slice_of(json_str(options, "delimiter", "")),
        .limit = (size_t)json_int(options, "limit", R2_LIST_MAX),
    };
    bool truncated = false;
    int r = r2_uploads_walk(call, options, &l, &truncated);
    if (r < 0)
        return r;
    buf_printf(&call->json, "{\"truncated\":%s,\"uploads\":[", truncated ? "true" : "false");
    buf_append_slice(&call->json, buf_slice(&l.uploads));
    buf_append_slice(&call->json, SLICE("],\"delimitedPrefixes\":["));
    buf_append_slice(&call->json, buf_slice(&l.prefixes));
    buf_append_slice(&call->json, SLICE("],\"nextKey\":"));
    json_quote(&call->json, buf_slice(&l.next_key));
    buf_append_slice(&call->json, SLICE(",\"nextUpload\":"));
    json_quote(&call->json, buf_slice(&l.next_upload));
    buf_append_char(&call->json, '}');
    return 0;
}

void r2_op_multipart_list(struct keeper_call *call)
{
    struct msg_r2_multipart_list m;
    AUTO(json_release) json_t *options = NULL;
    if (msg_r2_multipart_list_unpack(call->args, &m) < 0 ||
        json_parse(m.options, &options, NULL) < 0) {
        call->result = r2_fail(&call->err, -EINVAL, 10029);
        return;
    }
    call->result = json_object_get(options, "upload") != NULL ? r2_list_parts(call, options)
                                                              : r2_list_uploads(call, options);
}
