/*
 * Words shared by everything that speaks HTTP here: the header block, limits, the request head.
 *
 * A *header block* is one run of bytes in the form of HTTP/1.1 field lines, "name: value\r\n" each,
 * names in lower case, one space after the colon, no blanks around values, no framing fields
 * (connection, keep-alive, proxy-connection, te, trailer, transfer-encoding, upgrade) and never a
 * NUL, CR or LF inside a line. It crosses our wires unchanged, can be copied into an HTTP/1.1
 * message as it is, and is split only by who needs a single field. RFC 9110 section 5.
 */
#pragma once

#include "core/buf.h"
#include "core/err.h"

enum {
    HTTP_HEAD_MAX = 128 * 1024,  /* request line and fields together, bytes */
    HTTP_TARGET_MAX = 16 * 1024, /* request target, bytes */
    HTTP_FIELDS_MAX = 256,       /* field lines per message */
    HTTP_CHUNK_LINE_MAX = 1024,  /* a chunk-size line with its extensions, bytes */
    HTTP_TRAILER_MAX = 16 * 1024
};

/* Walks a header block: false at the end. Slices point into the block. */
bool http_header_next(struct slice *block, struct slice *ret_name, struct slice *ret_value);
/* The first value of a field (name in lower case); false when absent. */
bool http_header_get(struct slice block, struct slice name, struct slice *ret_value);
/* The block without content-length: itself, or what is put into `out`. *ret_length becomes its value unless it is known
 * (not negative) already. */
struct slice http_header_without_length(struct slice block, struct buf *out, int64_t *ret_length);
void http_header_add(struct buf *block, struct slice name, struct slice value);
/* Checks bytes from a less trusted process: exactly the form above. -EBADMSG otherwise. */
NODISCARD int http_header_check(struct slice block);
bool http_name_ok(struct slice name);   /* token of RFC 9110 section 5.6.2 */
bool http_value_ok(struct slice value); /* field-value of RFC 9110 section 5.5 */
/* "Not Found"; "" for codes without a registered phrase. */
const char *http_reason(int status);
/* True when a response to this method with this status never has a body (HEAD, 1xx, 204, 304). */
bool http_bodiless(struct slice method, int status);
