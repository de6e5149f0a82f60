/*
 * What HTTP says about storing and reusing responses: RFC 9111 (caching), RFC 5861 (stale), RFC 9110 sections 13
 * and 14 (conditions, ranges), and what the original adds (default times by status, private=Set-Cookie).
 *
 * Pure functions over header blocks (net/http.h), any thread. Times are ms of wall time or whole seconds.
 */
#pragma once

#include "net/http.h"

enum { CACHE_TTL_MAX_S = 365 * 24 * 3600 };

/* What a response says about itself. */
struct cache_rules {
    bool no_store, no_cache, is_private, is_public, must_revalidate;
    bool cookie_private;   /* private="Set-Cookie": it may be stored without that field */
    bool has_cookie;       /* Set-Cookie is there */
    int64_t ttl_s;         /* explicit freshness; -1: nothing is said */
    int64_t age_s;         /* how old it was when it came */
    int64_t stale_while_s; /* stale-while-revalidate */
    int64_t stale_if_error_s;
};

void cache_rules_of(struct slice headers, int64_t now_ms, struct cache_rules *ret);
/* The one of statuses that are stored without explicit freshness; -1 for others. */
int64_t cache_default_ttl(int status);
/* Request directives: no-cache, no-store, max-age=0 and Pragma. */
bool cache_request_refuses(struct slice request_headers);

/* "name: value\n" of each request field that Vary names: appended to out. -EINVAL for "*". */
NODISCARD int cache_vary_of(struct slice response_headers, struct slice request_headers,
                            struct buf *out);
/* Whether a request has the values of such a text. */
bool cache_vary_matches(struct slice vary, struct slice request_headers);

/* A 200 may be answered with 304: If-None-Match, else If-Modified-Since. */
bool cache_not_modified(struct slice request_headers, struct slice response_headers);
/* One range of a whole body. 0: all of it is wanted; 1: [*ret_from, *ret_to); -ERANGE: 416. */
int cache_range(struct slice request_headers, struct slice response_headers, int64_t size,
                int64_t *ret_from, int64_t *ret_to);
/* The headers of a stored response after a 304 has renewed it (RFC 9111 section 3.2). */
void cache_headers_renew(struct slice stored, struct slice fresh, struct buf *out);
/* Without the field of that name (lower case). */
void cache_headers_without(struct slice headers, struct slice name, struct buf *out);
/* Walks the members of a comma list; quoted strings are not cut. */
bool cache_list_next(struct slice *list, struct slice *ret);
