/*
 * `_headers`, `_redirects` and the globs of `run_worker_first`.
 *
 * Parsed once per version into tables; matching is a walk over them. Bad lines are skipped. Any thread.
 */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

enum {
    ASSETS_LINE_MAX = 2000,
    ASSETS_HEADER_RULES_MAX = 100,
    ASSETS_REDIRECTS_STATIC_MAX = 2000,
    ASSETS_REDIRECTS_DYNAMIC_MAX = 100,
    ASSETS_GLOBS_MAX = 100
};

struct assets_rules;

/* Texts may be empty. Never fails: what does not parse is left out. */
struct assets_rules *assets_rules_parse(struct slice headers, struct slice redirects);
void assets_rules_destroy(struct assets_rules *rules); /* accepts NULL */

struct assets_redirect {
    int status;            /* 0: no rule matched; 200: serve `location` in place */
    struct slice location; /* in the arena */
};

/* host and raw path of the request; query without '?', or nothing. -ENOMEM only. */
NODISCARD int assets_redirect_match(struct arena *arena, const struct assets_rules *rules,
                                    struct slice host, struct slice path, struct slice query,
                                    struct assets_redirect *ret);
/* Applies every matching header rule to a header block, in order. */
void assets_headers_apply(const struct assets_rules *rules, struct slice host, struct slice path,
                          struct buf *block);

/* '*' matches any run of characters; everything else itself. */
bool assets_glob_match(struct slice glob, struct slice path);
