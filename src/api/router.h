/*
 * From method and raw path to a route. Segments are matched before they are decoded, so that an encoded
 * slash never splits one. Pure functions over the constant tables.
 */
#pragma once

#include "api/request.h"

enum router_result { ROUTER_FOUND, ROUTER_NO_PATH, ROUTER_NO_METHOD };

extern const char router_base[]; /* "/client/v4" */

/* Cuts the target into path (below the base; a trailing slash is dropped unless the rest of the path is a
 * parameter) and query. -ENOENT when it is not below the base, -EBADMSG when it is no path. */
NODISCARD int router_split(struct slice target, struct slice *ret_path, struct slice *ret_query);
/* Sets req->route and req->params. A literal segment beats a parameter, that beats a rest. HEAD finds GET.
 * *ret_bad is -EBADMSG when a parameter is wrongly encoded. */
enum router_result router_match(struct api_request *req, int *ret_bad);
