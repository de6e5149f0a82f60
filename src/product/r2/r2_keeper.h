/*
 * Shared by the files of R2 in the keeper: r2.c (puts, reads, the engine), r2_multipart.c, r2_copy.c.
 */
#pragma once

#include "core/id.h"
#include "product/r2/r2.h"
#include "store/blob.h"

struct r2_store {
    struct sql *db;
    char path[R2_PATH_MAX];
    struct buf settle; /* ids of BLOB_ID_SIZE bytes that the transaction under way has named */
    struct buf made;   /* those of them that an operation has made, not the keeper */
    size_t marked, made_marked; /* their lengths at the mark */
    bool unnamed;               /* one of them has a name that is not durable yet */
};

struct r2_store *r2_of(struct keeper_call *call);
/* httpMetadata and customMetadata as JSON text, checked. */
NODISCARD int r2_metadata(const json_t *options, struct buf *http, struct buf *custom,
                          struct err *err);
/* Verifies the checksums among the options against the body; appends {"md5": hex, ...}; the etag is the MD5. */
NODISCARD int r2_checksums(struct keeper_call *call, const json_t *options, struct buf *out,
                           char etag[ID_HEX_SIZE]);
/* Discards the object that is there. 1 when the condition (NULL = none) does not hold. */
NODISCARD int r2_replace(struct keeper_call *call, struct slice key, const json_t *only_if);
/* The row becomes the object, and the answer. */
NODISCARD int r2_insert(struct keeper_call *call, const struct r2_row *row);
/* The files of a version, or one blob, go in a while. */
NODISCARD int r2_discard(struct r2_store *store, struct slice version, struct err *err);
/* The call's spooled body is now named by the index. */
void r2_keep_spool(struct keeper_call *call);

/* r2_multipart.c */
void r2_op_multipart_create(struct keeper_call *call);
void r2_op_multipart_part(struct keeper_call *call);
void r2_op_multipart_complete(struct keeper_call *call);
void r2_op_multipart_abort(struct keeper_call *call);
void r2_op_multipart_list(struct keeper_call *call);
/* A part of `size` bytes in `blob` ("" without bytes) takes the place of an earlier one of its number. */
NODISCARD int r2_part_store(struct keeper_call *call, struct slice upload, uint32_t number,
                            const char *blob, int64_t size, const char *etag);
/* 10024 unless this upload of this key is in progress. */
NODISCARD int r2_upload_find(struct keeper_call *call, struct slice key, struct slice upload);
/* Removes uploads that were begun before; outside of a transaction. */
void r2_multipart_expire(struct r2_store *store, int64_t before_ms, int most);

/* r2_copy.c */
void r2_op_copy(struct keeper_call *call);
