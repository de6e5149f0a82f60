/*
 * Percent encoding and query strings, as bytes from clients come. Pure functions.
 */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

/* -EBADMSG for "%" without two hex digits, -ENOMEM over the arena's limit. plus: "+" is a space. The copy is
 * zero-terminated. */
NODISCARD int text_percent_decode(struct arena *arena, struct slice in, bool plus,
                                  struct slice *ret);
/* Everything but unreserved characters. */
void text_percent_encode(struct buf *out, struct slice in);
/* Walks "a=b&c=d": false at the end; still encoded. */
bool text_query_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value);
/* Names of objects that become parts of file names: 1..max of [A-Za-z0-9_-.], not starting with a dot. */
bool text_is_name(struct slice s, size_t max);
