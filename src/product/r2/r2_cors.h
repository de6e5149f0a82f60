/*
 * Cross-origin rules of a bucket, the same for S3 and for public addresses. Pure, any thread.
 * https://developers.cloudflare.com/r2/buckets/cors/
 */
#pragma once

#include "core/buf.h"
#include "core/json.h"

struct r2_cors_request {
    struct slice origin;  /* len 0: not a cross-origin request */
    struct slice method;  /* Access-Control-Request-Method, or the request's own */
    struct slice headers; /* Access-Control-Request-Headers */
    bool preflight;
};

/* cors: {rules: [{allowed: {origins, methods, headers}, exposeHeaders, maxAgeSeconds}]}. Appends the answer's header
 * fields; false when no rule allows the request. */
bool r2_cors_answer(const json_t *cors, const struct r2_cors_request *request, struct buf *out);
