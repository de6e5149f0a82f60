/*
 * Which asset answers a path: html_handling and not_found_handling of static assets.
 *
 * Paths are decoded, begin with '/', and are compared bytewise with the manifest's. Pure functions, any
 * thread; results live in the arena.
 */
#pragma once

#include "core/arena.h"

enum assets_html { ASSETS_AUTO_SLASH, ASSETS_FORCE_SLASH, ASSETS_DROP_SLASH, ASSETS_HTML_NONE };
enum assets_missing { ASSETS_MISSING_NONE, ASSETS_MISSING_SPA, ASSETS_MISSING_PAGE };

enum assets_html assets_html_of(struct slice name);       /* unknown: auto-trailing-slash */
enum assets_missing assets_missing_of(struct slice name); /* unknown: none */

struct assets_tree {
    bool (*exists)(const void *arg, struct slice path);
    const void *arg;
    enum assets_html html;
    enum assets_missing missing;
};

enum assets_what { ASSETS_NOTHING, ASSETS_FILE, ASSETS_REDIRECT };

struct assets_intent {
    enum assets_what what;
    int status;        /* of a file: 200 or 404 */
    struct slice path; /* file in the manifest, or path to go to (decoded) */
};

/* -ENOMEM only. */
NODISCARD int assets_resolve(struct arena *arena, const struct assets_tree *tree, struct slice path,
                             struct assets_intent *ret);

/* decodeURIComponent for each segment (kept as it is when that fails), runs of '/' collapsed. */
NODISCARD int assets_decode(struct arena *arena, struct slice path, struct slice *ret);
/* encodeURIComponent for each segment. */
NODISCARD int assets_encode(struct arena *arena, struct slice path, struct slice *ret);
