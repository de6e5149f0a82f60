/*
 * Signed capabilities in the form of JSON Web Tokens (RFC 7519, HS256): upload sessions, completion tokens,
 * addresses for downloads without credentials. Signed with the key of this data directory; the member `use`
 * keeps one kind from standing for another.
 */
#pragma once

#include "api/request.h"

enum { JWT_TEXT_MAX = 16 * 1024 };

/* Adds `use` and `exp`. In the request's arena; NULL without memory. */
const char *jwt_make(struct api_request *req, const char *use, int64_t ttl_s, json_t *claims);
/* -EACCES when it is not ours, not for this use, or expired. *ret: a new reference. */
NODISCARD int jwt_check(struct api_request *req, const char *use, struct slice text, json_t **ret);
