/*
 * What HTTP says about reading an object, as options of r2_get; for S3 and for public addresses. Pure, any thread.
 */
#pragma once

#include "core/json.h"

/* Conditions of a header block, whose names begin with `prefix` ("" or "x-amz-copy-source-"); NULL when there are none. */
json_t *r2_http_condition(struct slice headers, const char *prefix);
/* "bytes=1-2", "bytes=1-", "bytes=-2"; anything else is no range: NULL. */
json_t *r2_http_range(struct slice text);
/* The key that a path names: without the first slash, decoded. -EINVAL. */
NODISCARD int r2_http_key(struct slice path, struct buf *ret);
/* Header fields of an object's httpMetadata, and its etag, time and length of a range, if it has one. */
void r2_http_fields(const json_t *object, struct buf *out);
