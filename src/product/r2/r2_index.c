/*
 * The index of a bucket: rows, objects as JSON, listings.
 */
#include "product/r2/r2.h"

#include "core/base64.h"
#include "product/r2/r2_seal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { R2_READY_TRIES = 400, R2_READY_PAUSE_US = 5000 };

#define R2_COLUMNS                                                                                 \
    "key, version, size, etag, uploaded, http, custom, checksums, class, content IS NOT NULL, "    \
    "sealed"

static const char *const r2_schema[] = {
    "CREATE TABLE IF NOT EXISTS objects(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, version "
    "TEXT NOT NULL, "
    "size INTEGER NOT NULL, etag TEXT NOT NULL, uploaded INTEGER NOT NULL, http TEXT NOT NULL, "
    "custom TEXT NOT NULL, "
    "checksums TEXT NOT NULL, class TEXT NOT NULL, content BLOB)",
    "CREATE TABLE IF NOT EXISTS garbage(version TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT "
    "ROWID",
    "CREATE TABLE IF NOT EXISTS uploads(id TEXT PRIMARY KEY, key TEXT NOT NULL, http TEXT NOT "
    "NULL, "
    "custom TEXT NOT NULL, class TEXT NOT NULL, created INTEGER NOT NULL, state INTEGER NOT NULL) "
    "WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS uploads_key ON uploads(key, id)",
    "CREATE TABLE IF NOT EXISTS parts(upload TEXT NOT NULL, number INTEGER NOT NULL, blob TEXT NOT "
    "NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, uploaded INTEGER NOT NULL, PRIMARY "
    "KEY(upload, "
    "number)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS parts_blob ON parts(blob)",
    "CREATE TABLE IF NOT EXISTS pieces(version TEXT NOT NULL, at INTEGER NOT NULL, blob TEXT NOT "
    "NULL, size INTEGER NOT NULL, PRIMARY KEY(version, at)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS pieces_blob ON pieces(blob)",
    "CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY, queue TEXT NOT NULL, body TEXT NOT "
    "NULL)",
};

/* Columns that came later; a bucket that was made before gets them. */
static const struct {
    const char *known, *add;
} r2_later[] = {
#define R2_LATER(table, column, type)                                                              \
    {                                                                                              \
        "SELECT 1 FROM pragma_table_info('" table "') WHERE name = '" column "'",                  \
            "ALTER TABLE " table " ADD COLUMN " column " " type                                    \
    }
    R2_LATER("objects", "sealed", "TEXT NOT NULL DEFAULT ''"),
    R2_LATER("uploads", "sealed", "TEXT NOT NULL DEFAULT ''"),
    R2_LATER("uploads", "sums", "TEXT NOT NULL DEFAULT '{}'"),
    R2_LATER("parts", "sums", "TEXT NOT NULL DEFAULT '{}'"),
    R2_LATER("pieces", "sums", "TEXT NOT NULL DEFAULT '{}'"),
#undef R2_LATER
};

static int r2_index_columns(struct sql *db, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(r2_later) && r >= 0; i++) {
        struct sql_stmt *s = sql_cached(db, r2_later[i].known);
        r = sql_step(s, err);
        sql_reset(s);
        if (r == 0)
            r = sql_run(sql_cached(db, r2_later[i].add), err);
    }
    return MIN(r, 0);
}

/* A reader that comes before the keeper has made the tables waits a moment. */
static int r2_index_ready(struct sql *db, struct err *err)
{
    struct sql_stmt *s =
        sql_cached(db, "SELECT (SELECT count(*) FROM pragma_table_info('objects') WHERE name = "
                       "'sealed') + (SELECT count(*) FROM sqlite_schema WHERE name = 'outbox')");
    for (unsigned i = 0; i < R2_READY_TRIES; i++) {
        bool ready = sql_step(s, err) == 1 && sql_column_int(s, 0) == 2;
        sql_reset(s);
        if (ready)
            return 0;
        usleep(R2_READY_PAUSE_US);
    }
    return err_set(err, -EAGAIN, 0, "the bucket is not there yet");
}

int r2_index_open(const char *dir, bool write, struct sql **ret, struct err *err)
{
    char path[R2_PATH_MAX];
    AUTO(sql_release) struct sql *db = NULL;
    snprintf(path, sizeof(path), "%s/index.sqlite", dir);
    int r = sql_open(path, write ? SQL_WRITE : 0, &db, err);
    for (size_t i = 0; r == 0 && write && i < ARRAY_LEN(r2_schema); i++)
        r = sql_run(sql_cached(db, r2_schema[i]), err);
    if (r == 0 && write)
        r = r2_index_columns(db, err);
    if (r == 0 && !write)
        r = r2_index_ready(db, err);
    if (r < 0)
        return r;
    *ret = TAKE(db);
    return 0;
}

static void r2_row_read(struct sql_stmt *s, struct r2_row *ret)
{
    *ret = (struct r2_row){
        .key = sql_column_bytes(s, 0),
        .version = sql_column_bytes(s, 1),
        .size = sql_column_int(s, 2),
        .etag = sql_column_bytes(s, 3),
        .uploaded_ms = sql_column_int(s, 4),
        .http = sql_column_bytes(s, 5),
        .custom = sql_column_bytes(s, 6),
        .checksums = sql_column_bytes(s, 7),
        .storage_class = sql_column_bytes(s, 8),
        .is_inline = sql_column_int(s, 9) != 0,
        .sealed = sql_column_bytes(s, 10),
        .stmt = s,
    };
}

int r2_find(struct sql *db, struct slice key, bool with_content, struct r2_row *ret,
            struct err *err)
{
    struct sql_stmt *s =
        sql_cached(db, with_content ? "SELECT " R2_COLUMNS ", content FROM objects WHERE key = ?"
                                    : "SELECT " R2_COLUMNS " FROM objects WHERE key = ?");
    sql_bind_text(s, 1, key);
    int r = sql_step(s, err);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    r2_row_read(s, ret);
    if (with_content && ret->is_inline)
        ret->content = sql_column_bytes(s, 11);
    return 0;
}

bool r2_is_pieced(const struct r2_row *row)
{
    return slice_find(row->etag, '-') >= 0;
}

int r2_pieces(struct sql *db, struct slice version, const struct r2_span *span,
              int (*each)(void *arg, const struct r2_piece *piece), void *arg)
{
    struct sql_stmt *s = sql_cached(
        db,
        "SELECT blob, at, size FROM pieces WHERE version = ?1 AND at < ?3 AND at >= "
        "coalesce((SELECT max(at) FROM pieces WHERE version = ?1 AND at <= ?2), 0) ORDER BY at");
    uint64_t end = span->offset + span->length;
    int r;
    sql_bind_text(s, 1, version);
    sql_bind_int(s, 2, (int64_t)span->offset);
    sql_bind_int(s, 3, (int64_t)end);
    while ((r = sql_step(s, NULL)) == 1) {
        struct r2_piece piece;
        uint64_t at = (uint64_t)sql_column_int(s, 1), size = (uint64_t)sql_column_int(s, 2);
        uint64_t from = MAX(at, span->offset), to = MIN(at + size, end);
        piece.offset = from - at;
        piece.length = to > from ? to - from : 0;
        r = slice_to_cstr(sql_column_bytes(s, 0), piece.blob, sizeof(piece.blob));
        if (r == 0)
            r = each(arg, &piece);
        if (r < 0)
            break;
    }
    sql_reset(s);
    return r;
}

void r2_row_done(struct r2_row *row)
{
    if (row->stmt != NULL)
        sql_reset(row->stmt);
    row->stmt = NULL;
}

void r2_object_json(struct buf *out, const struct r2_row *row, const struct r2_span *span)
{
    buf_append_slice(out, SLICE("{\"key\":"));
    json_quote(out, row->key);
    buf_printf(
        out,
        ",\"version\":\"%.*s\",\"size\":%lld,\"etag\":\"%.*s\",\"uploaded\":%lld,\"httpMetadata\":",
        SLICE_ARG(row->version), (long long)row->size, SLICE_ARG(row->etag),
        (long long)row->uploaded_ms);
    buf_append_slice(out, row->http);
    buf_append_slice(out, SLICE(",\"customMetadata\":"));
    buf_append_slice(out, row->custom);
    buf_append_slice(out, SLICE(",\"checksums\":"));
    buf_append_slice(out, row->checksums);
    buf_append_slice(out, SLICE(",\"storageClass\":"));
    json_quote(out, row->storage_class);
    if (span != NULL && span->given)
        buf_printf(out, ",\"range\":{\"offset\":%llu,\"length\":%llu}",
                   (unsigned long long)span->offset, (unsigned long long)span->length);
    if (row->sealed.len == R2_SEAL_LEN)
        buf_printf(out, ",\"ssecKeyMd5\":\"%.32s\"", row->sealed.ptr + R2_SEAL_LEN - 32);
    buf_append_char(out, '}');
}

int r2_piece_nth(struct sql *db, struct slice version, unsigned n, struct r2_span *ret,
                 struct buf *ret_sums)
{
    struct sql_stmt *s = sql_cached(
        db, "SELECT at, size, sums FROM pieces WHERE version = ? ORDER BY at LIMIT 1 OFFSET ?");
    sql_bind_text(s, 1, version);
    sql_bind_int(s, 2, (int64_t)n - 1);
    int r = sql_step(s, NULL);
    if (r == 1) {
        *ret = (struct r2_span){.given = true,
                                .offset = (uint64_t)sql_column_int(s, 0),
                                .length = (uint64_t)sql_column_int(s, 1)};
        buf_append_slice(ret_sums, sql_column_bytes(s, 2));
    }
    sql_reset(s);
    return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

/* --- listing --- */

/* Stands for "behind the empty key" in a cursor, where nothing means "from the beginning". */
#define R2_AFTER_EMPTY SLICE("\0")

struct r2_listing {
    struct sql *db;
    struct slice prefix, delimiter;
    struct buf after; /* keys greater than this come next */
    struct buf end;   /* and smaller than this */
    struct buf objects, prefixes;
    size_t n, limit, n_objects, n_prefixes;
};

static struct slice r2_option(const json_t *options, const char *name)
{
    const json_t *v = json_object_get(options, name);
    return json_is_string(v) ? slice_from(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

/* Behind every key that begins with `s`: UTF-8 has no byte 0xff. */
static void r2_behind(struct buf *out, struct slice s)
{
    buf_clear(out);
    buf_append_slice(out, s);
    buf_append_char(out, (char)0xff);
}

static struct slice r2_list_group(const struct r2_listing *l, struct slice key)
{
    struct slice rest = slice_skip(key, l->prefix.len);
    ssize_t at = l->delimiter.len == 0 ? -1 : slice_find_slice(rest, l->delimiter);
    return at < 0 ? SLICE_NONE : slice_from(key.ptr, l->prefix.len + (size_t)at + l->delimiter.len);
}

/* One row; true when the walk has to begin anew behind a group. */
static bool r2_list_take(struct r2_listing *l, const struct r2_row *row)
{
    struct slice group = r2_list_group(l, row->key);
    l->n++;
    if (group.ptr == NULL) {
        if (l->n_objects++ > 0)
            buf_append_char(&l->objects, ',');
        r2_object_json(&l->objects, row, NULL);
        buf_clear(&l->after);
        buf_append_slice(&l->after, row->key.len > 0 ? row->key : R2_AFTER_EMPTY);
        return false;
    }
    if (l->n_prefixes++ > 0)
        buf_append_char(&l->prefixes, ',');
    json_quote(&l->prefixes, group);
    r2_behind(&l->after, group);
    return true;
}

/* Only a walk from the beginning meets the empty key. */
static struct sql_stmt *r2_list_rows(struct r2_listing *l)
{
#define R2_LIST_ROWS(than)                                                                         \
    "SELECT " R2_COLUMNS " FROM objects WHERE key " than " ?1 AND key >= ?2 AND key < ?3 "         \
    "ORDER BY key"
    return buf_slice(&l->after).len == 0 ? sql_cached(l->db, R2_LIST_ROWS(">="))
                                         : sql_cached(l->db, R2_LIST_ROWS(">"));
}

/* 1 when there is more behind the limit. */
static int r2_list_walk(struct r2_listing *l, struct err *err)
{
    bool again = true;
    int r = 1;
    while (again) {
        struct sql_stmt *s = r2_list_rows(l);
        AUTO(buf_done) struct buf after = {0};
        buf_append_slice(&after, buf_slice(&l->after));
        sql_bind_text(s, 1, buf_slice(&after));
        sql_bind_text(s, 2, l->prefix);
        sql_bind_text(s, 3, buf_slice(&l->end));
        again = false;
        while (!again && (r = sql_step(s, err)) == 1 && l->n < l->limit) {
            struct r2_row row;
            r2_row_read(s, &row);
            again = r2_list_take(l, &row);
        }
        sql_reset(s);
        sql_clear(s);
    }
    return r;
}

static int r2_list_start(struct r2_listing *l, const json_t *options, struct err *err)
{
    AUTO(arena_done) struct arena arena = {0};
    int64_t limit = json_int(options, "limit", R2_LIST_MAX);
    if (limit < 1 || limit > R2_LIST_MAX)
        return r2_fail(err, -EINVAL, 10022);
    l->limit = (size_t)limit;
    l->prefix = r2_option(options, "prefix");
    l->delimiter = r2_option(options, "delimiter");
    r2_behind(&l->end, l->prefix);
    struct slice cursor = r2_option(options, "cursor"), after = r2_option(options, "startAfter");
    if (cursor.len > 0 && base64_decode(&arena, cursor, BASE64_STANDARD, &after) < 0)
        return err_set(err, -EINVAL, 10001, "The cursor is not valid. (10001)");
    buf_append_slice(&l->after, after);
    return 0;
}

static void r2_listing_done(struct r2_listing *l)
{
    buf_done(&l->after);
    buf_done(&l->end);
    buf_done(&l->objects);
    buf_done(&l->prefixes);
}

int r2_list_json(struct sql *db, const json_t *options, struct buf *out, struct err *err)
{
    AUTO(r2_listing_done) struct r2_listing l = {.db = db};
    int r = r2_list_start(&l, options, err);
    if (r == 0)
        r = r2_list_walk(&l, err);
    if (r < 0)
        return r;
    buf_append_slice(out, SLICE("{\"objects\":["));
    buf_append_slice(out, buf_slice(&l.objects));
    buf_append_slice(out, SLICE("],\"delimitedPrefixes\":["));
    buf_append_slice(out, buf_slice(&l.prefixes));
    buf_append_slice(out, r == 1 ? SLICE("],\"truncated\":true,\"cursor\":\"")
                                 : SLICE("],\"truncated\":false}"));
    if (r == 1) {
        base64_encode(out, buf_slice(&l.after), BASE64_STANDARD);
        buf_append_slice(out, SLICE("\"}"));
    }
    return 0;
}
