/*
 * Character classes and field names that the HTTP parsers of this folder share. Pure functions.
 */
#pragma once

#include "core/slice.h"

enum { HTTP_AUTHORITY_MAX = 512 }; /* host and port, bytes */

/* Fields with a meaning for the connection; everything else is OTHER. */
enum http_field {
    HTTP_FIELD_OTHER,
    HTTP_FIELD_HOST,
    HTTP_FIELD_CONTENT_LENGTH,
    HTTP_FIELD_TRANSFER_ENCODING,
    HTTP_FIELD_CONNECTION,
    HTTP_FIELD_UPGRADE,
    HTTP_FIELD_EXPECT,
    HTTP_FIELD_HOP /* belongs to this connection and is dropped */
};

/* The byte in lower case, or 0 when it is not part of a token (RFC 9110 section 5.6.2). */
extern const uint8_t http_token_lower[256];

enum http_field http_field_of(struct slice name); /* name in lower case, not empty */
bool http_field_is_framing(struct slice name);    /* name in lower case: never in a header block */
/* Splits a list value at commas; false at its end. */
bool http_list_next(struct slice *list, struct slice *ret_member);
bool http_authority_ok(struct slice authority);

static inline bool http_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline bool http_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool http_is_alnum(char c)
{
    return http_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool http_is_hex(char c)
{
    return http_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline char http_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
