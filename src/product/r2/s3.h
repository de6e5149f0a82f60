/*
 * The S3 API of R2, on the port of the control API: at the host <account>.r2.<domain> (buckets in the path, or
 * as the first label of the host) and below the path /s3.
 *
 * The access key is a token's id, the secret the SHA-256 of the token's text as hex, which is what Cloudflare
 * makes of a token too. Requests are signed with Signature Version 4.
 * https://developers.cloudflare.com/r2/api/s3/api/
 */
#pragma once

#include "api/request.h"

/* Is this request one of S3's? Pure. */
bool s3_is(const struct api *api, struct slice authority, struct slice target);
/* struct api.front */
bool s3_front(struct api_request *req);
