/*
 * R2: a bucket is an index (SQLite) and blob files. r2.c, r2_multipart.c and r2_copy.c run in the keeper,
 * r2_js.c and r2.js in isolates, r2_index.c and r2_condition.c in both; r2_api.c and s3_*.c in control.
 *
 * Objects of at most R2_INLINE_MAX bytes lie in their index row: one fsync stores them. Larger ones are
 * blobs (store/blob.h) named by the object's version. An object that came in parts is a list of blobs, the
 * rows of `pieces` under its version; its etag, and no other, has a hyphen. What is replaced or deleted goes to the table
 * `garbage` in the same transaction, and its file a while later, so that whoever reads it can finish.
 *
 * Surface and error texts: developers.cloudflare.com/r2/api/workers.
 */
#pragma once

#include "core/json.h"
#include "product/keeper.h"
#include "product/product.h"
#include "store/sql.h"

enum {
    R2_N_OPS = 11,
    R2_KEY_MAX = 1024,
    R2_KEYS_MAX = 1000,
    R2_LIST_MAX = 1000,
    R2_CUSTOM_MAX = 8192,
    R2_INLINE_MAX = 16 * 1024,
    R2_PATH_MAX = 512,
    R2_PARTS_MAX = 10000,
    R2_OPTIONS_MAX = 64 * 1024
};
#define R2_OBJECT_MAX (5ull * 1024 * 1024 * 1024 - 5ull * 1024 * 1024)
#define R2_PART_MAX (5ull * 1024 * 1024 * 1024)
#define R2_PARTED_MAX (5ull * 1024 * 1024 * 1024 * 1024 - 5ull * 1024 * 1024 * 1024)
#define R2_PART_MIN (5 * 1024 * 1024) /* all but the last */

extern const struct product product_r2;
extern const struct keeper_op r2_ops[R2_N_OPS];
extern const struct keeper_engine r2_engine;

/* --- r2_index.c --- */

/* One object as its row says; slices until r2_row_done(). */
struct r2_row {
    struct slice key, version, etag, http, custom, checksums, storage_class, content,
        sealed; /* as r2_seal.h has it */
    int64_t size, uploaded_ms;
    bool is_inline;
    struct sql_stmt *stmt;
};

struct r2_span {
    bool given;
    uint64_t offset, length;
};

/* Opens the index in a bucket's directory; with `write` makes what is missing. */
NODISCARD int r2_index_open(const char *dir, bool write, struct sql **ret, struct err *err);
/* -ENOENT when absent. */
NODISCARD int r2_find(struct sql *db, struct slice key, bool with_content, struct r2_row *ret,
                      struct err *err);
void r2_row_done(struct r2_row *row);
bool r2_is_pieced(const struct r2_row *row);

/* Where some bytes of an object lie. */
struct r2_piece {
    char blob[33];
    uint64_t offset, length; /* within the blob */
};
/* The pieces of [span->offset, + span->length) of a version, in order; each() ends the walk with less than 0. */
NODISCARD int r2_pieces(struct sql *db, struct slice version, const struct r2_span *span,
                        int (*each)(void *arg, const struct r2_piece *piece), void *arg);
/* The n-th piece (from 1) of an object that came in parts, and its checksums as JSON; -ENOENT. */
NODISCARD int r2_piece_nth(struct sql *db, struct slice version, unsigned n, struct r2_span *ret,
                           struct buf *ret_sums);
/* Appends the object as product/messages_data.h describes it. */
void r2_object_json(struct buf *out, const struct r2_row *row, const struct r2_span *span);
/* options: {prefix, delimiter, cursor, startAfter, limit}. Appends {objects, truncated, cursor, delimitedPrefixes}. */
NODISCARD int r2_list_json(struct sql *db, const json_t *options, struct buf *out, struct err *err);

/* --- r2_condition.c --- */

/* options.onlyIf: {etagMatches, etagDoesNotMatch: [{v, w}], uploadedBefore, uploadedAfter (ms),
 * secondsGranularity}. row NULL: there is no object. */
enum r2_condition {
    R2_HOLDS,
    R2_PRECONDITION_FAILED, /* etagMatches or uploadedBefore: status 412 */
    R2_NOT_MODIFIED         /* etagDoesNotMatch or uploadedAfter: 304 for reads */
};
enum r2_condition r2_condition_of(const json_t *only_if, const struct r2_row *row);
/* options.range: {offset, length} or {suffix, some}; some: an empty object has no suffix. -EINVAL with error 10039. */
NODISCARD int r2_range_of(const json_t *range, uint64_t size, struct r2_span *ret, struct err *err);

/* Numbers of our own, where upstream's are not known. */
enum { R2_ERR_LOCKED = 10069, R2_ERR_SEALED = 10090, R2_ERR_SEAL_KEY, R2_ERR_NOT_SEALED };
/* Text "message (code)". */
int r2_fail(struct err *err, int r, int code);
