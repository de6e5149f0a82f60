/*
 * JSON string escaping shared by json.c and log.c; private to core/.
 */
#pragma once

#include "core/slice.h"

enum { TEXT_ESCAPE_MAX = 6 }; /* most bytes that one input byte becomes */

/* Writes the escaped form of as many leading characters of *rest as fit into out, drops them from
 * *rest and returns the bytes written. Bytes that are not UTF-8 become U+FFFD. */
size_t text_escape(struct slice *rest, char *out, size_t size);
