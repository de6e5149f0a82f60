/*
 * What HTTP says about reading an object, as options of r2_get; for S3 and for public addresses. Pure, any thread.
 */
#pragma once

#include "core/json.h"

/* Conditions of a header block, whose names begin with `prefix` ("" or "x-amz-copy-source-"); NULL when there are none. */
json_t *r2_http_condition(struct slice headers, const char *prefix);
enum r2_range_kind {
    R2_RANGE_NONE,   /* no field */
    R2_RANGE_PART,   /* "bytes=1-2" */
    R2_RANGE_REST,   /* "bytes=1-" */
    R2_RANGE_SUFFIX, /* "bytes=-2" */
    R2_RANGE_BACKWARDS,
    R2_RANGE_MALFORMED /* several ranges too */
};
enum r2_range_kind r2_http_range_kind(struct slice text);
/* NULL unless it is one of the three that are a range. */
json_t *r2_http_range(struct slice text);
/* The key that a path names: without the first slash, decoded. -EINVAL. */
NODISCARD int r2_http_key(struct slice path, struct buf *ret);
/* Header fields of an object's httpMetadata, and its etag, time and length of a range, if it has one. */
void r2_http_fields(const json_t *object, struct buf *out);
