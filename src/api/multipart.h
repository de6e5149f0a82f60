/*
 * multipart/form-data (RFC 7578) from a whole body: parts point into it. Pure functions; input is hostile.
 *
 * The boundary is taken from the content type, or, when that does not name one, from the body's first line
 * ("--" and the delimiter): one SDK sends such bodies under another content type.
 */
#pragma once

#include "core/arena.h"
#include "core/json.h"

enum {
    MULTIPART_PARTS_MAX = 4096,
    MULTIPART_HEAD_MAX = 16 * 1024, /* header lines of one part, bytes */
    MULTIPART_BOUNDARY_MAX = 200,
    MULTIPART_PATH_MAX = 8 /* nesting of flattened names: a[b][c] */
};

struct multipart_part {
    struct slice name;     /* unescaped, zero-terminated, in the arena */
    struct slice filename; /* ptr NULL: none */
    struct slice type;     /* content type without surrounding blanks, "" when absent */
    struct slice content;  /* points into the body */
};

struct multipart {
    struct multipart_part *parts; /* in the arena */
    size_t n;
};

/* Does the body look like multipart, whatever the content type says? */
bool multipart_is(struct slice content_type, struct slice body);
/* -EBADMSG with a sentence, -E2BIG over a limit, -ENOMEM. */
NODISCARD int multipart_parse(struct arena *arena, struct slice content_type, struct slice body,
                              struct multipart *ret, struct err *err);
/* NULL when absent. */
const struct multipart_part *multipart_find(const struct multipart *m, const char *name);
/*
 * Rebuilds an object from fields called root[key], root[list][][key]…: an empty segment opens a new element
 * when the key repeats in the current one. *ret is NULL when there is no such field.
 */
NODISCARD int multipart_unflatten(const struct multipart *m, const char *root, json_t **ret,
                                  struct err *err);
