/*
 * Shared by the files of R2 in the keeper: r2.c (puts, reads, the engine), r2_multipart.c, r2_copy.c.
 */
#pragma once

#include "core/id.h"
#include "product/r2/r2.h"
#include "product/r2/r2_seal.h"
#include "store/blob.h"

struct r2_store {
    struct sql *db;
    char path[R2_PATH_MAX];
    struct buf settle; /* ids of BLOB_ID_SIZE bytes that the transaction under way has named */
    struct buf made;   /* those of them that an operation has made, not the keeper */
    size_t marked, made_marked; /* their lengths at the mark */
    bool unnamed;               /* one of them has a name that is not durable yet */
    json_t *settings;           /* owned: r2_rules.h; NULL = to be read */
};

struct r2_store *r2_of(struct keeper_call *call);
/* httpMetadata and customMetadata as JSON text, checked. */
NODISCARD int r2_metadata(const json_t *options, struct buf *http, struct buf *custom,
                          struct err *err);
/* Verifies the checksums among the options against the body; appends {"md5": hex, ...}; the etag is the MD5. */
NODISCARD int r2_checksums(struct keeper_call *call, const json_t *options, struct buf *out,
                           char etag[ID_HEX_SIZE]);
/* Discards the object that is there. 1 when the condition (NULL = none) does not hold; -EACCES when it is locked;
 * with options.strict -ENOENT when there must be one and is none. */
NODISCARD int r2_replace(struct keeper_call *call, struct slice key, const json_t *options);
/* The row becomes the object, and the answer; `action` is an enum r2_action. */
NODISCARD int r2_insert(struct keeper_call *call, const struct r2_row *row, int action);
/* Absent is fine; -EACCES when it is locked. */
NODISCARD int r2_remove(struct r2_store *store, struct slice key, int action, struct err *err);
/* What keeper_call.veil does for a seal, which lives in the call's arena. */
void r2_veil(struct keeper_call *call, const struct r2_seal *seal);
/* The files of a version, or one blob, go in a while. */
NODISCARD int r2_discard(struct r2_store *store, struct slice version, struct err *err);
/* The call's spooled body is now named by the index. */
void r2_keep_spool(struct keeper_call *call);

struct r2_part_sum {
    struct slice sums; /* JSON {algorithm: hex} */
    int64_t size;
};

/* r2_multipart.c */
void r2_op_multipart_create(struct keeper_call *call);
void r2_op_multipart_part(struct keeper_call *call);
void r2_op_multipart_complete(struct keeper_call *call);
void r2_op_multipart_abort(struct keeper_call *call);
void r2_op_multipart_list(struct keeper_call *call);
struct r2_part_row {
    const char *blob; /* "" without bytes */
    int64_t size;
    const char *etag;
    struct slice sums; /* JSON */
};
/* Takes the place of an earlier part of its number. */
NODISCARD int r2_part_store(struct keeper_call *call, struct slice upload, uint32_t number,
                            const struct r2_part_row *part);
/* 10024 unless this upload of this key is in progress. ret_sealed (NULL = not wanted) gets its seal. */
NODISCARD int r2_upload_find(struct keeper_call *call, struct slice key, struct slice upload,
                             struct buf *ret_sealed);
/* Drops the uploads whose ids a statement gives, inside of a transaction. */
NODISCARD int r2_uploads_drop(struct r2_store *store, struct sql_stmt *ids);
int r2_part_prepare(struct keeper_call *call); /* struct keeper_op.prepare */
/* Removes uploads that were begun before; outside of a transaction. */
void r2_multipart_expire(struct r2_store *store, int64_t before_ms, int most);

/* r2_sums.c */
/* The checksum of an upload of algorithm and type {algorithm, type}, of those of its parts: adds it to ret as the
 * object's. Nothing when a part has none. -EINVAL (10037) when it is not what `expected` says (NULL = nothing). */
NODISCARD int r2_sums_combine(const json_t *upload, const struct r2_part_sum *parts, size_t n,
                              const char *expected, struct buf *ret, struct err *err);

/* r2_copy.c */
void r2_op_copy(struct keeper_call *call);
