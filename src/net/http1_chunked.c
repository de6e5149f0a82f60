/*
 * The chunked decoder: a state per part of the grammar, one byte at a time except in chunk data.
 *
 *     SIZE -> (EXTENSION) -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *                               \ size 0 -> TRAILER ... -> END
 */
#include "net/http1_chunked.h"

#include "net/http1_parse.h"
#include "net/http_token.h"

#include <errno.h>

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, END };

enum { CHUNK_DIGITS_MAX = 15 }; /* keeps the size below 2^60; nobody sends such a chunk */

static int http1_chunked_digit(struct http1_chunked *c, char byte)
{
    unsigned digit = (unsigned)(http_is_digit(byte) ? byte - '0' : http_lower(byte) - 'a' + 10);

    if (++c->n_digits > CHUNK_DIGITS_MAX)
        return -E2BIG;
    c->left = c->left * 16 + digit;
    return 0;
}

static int http1_chunked_size(struct http1_chunked *c, char byte)
{
    if (http_is_hex(byte))
        return http1_chunked_digit(c, byte);
    if (c->n_digits == 0)
        return -EBADMSG;
    if (byte == ';')
        c->state = EXTENSION;
    else if (byte == '\r')
        c->state = SIZE_LF;
    else
        return -EBADMSG;
    return 0;
}

static int http1_chunked_extension(struct http1_chunked *c, char byte)
{
    if (byte == '\r')
        c->state = SIZE_LF;
    else if (((uint8_t)byte < 0x20 && byte != '\t') || byte == 0x7f)
        return -EBADMSG;
    return 0;
}

/* One byte outside of chunk data and trailers. */
static int http1_chunked_byte(struct http1_chunked *c, char byte)
{
    switch (c->state) {
    case SIZE:
    case EXTENSION:
        if (++c->line_len > HTTP_CHUNK_LINE_MAX)
            return -E2BIG;
        return c->state == SIZE ? http1_chunked_size(c, byte) : http1_chunked_extension(c, byte);
    case SIZE_LF:
        c->state = c->left == 0 ? TRAILER : DATA;
        c->line_len = 0;
        c->n_digits = 0;
        return byte == '\n' ? 0 : -EBADMSG;
    case DATA_CR:
        c->state = DATA_LF;
        return byte == '\r' ? 0 : -EBADMSG;
    default:
        c->state = SIZE;
        return byte == '\n' ? 0 : -EBADMSG;
    }
}

static int http1_chunked_data(struct http1_chunked *c, struct slice *in, struct slice *ret_data)
{
    size_t n = MIN(in->len, c->left);

    *ret_data = slice_from(in->ptr, n);
    *in = slice_skip(*in, n);
    c->left -= n;
    if (c->left == 0)
        c->state = DATA_CR;
    return HTTP1_CHUNKED_DATA;
}

/* A complete line, without its CRLF, is in c->line. */
static int http1_chunked_trailer_line(struct http1_chunked *c)
{
    char out[HTTP_TRAILER_MAX + 8];
    struct slice line = buf_slice(&c->line);

    if (line.len == 0) {
        c->state = END;
        return 0;
    }
    if (++c->n_trailers > HTTP_FIELDS_MAX)
        return -E2BIG;

    ssize_t r = http1_field_parse(line, out);
    buf_clear(&c->line);
    return r < 0 ? (int)r : 0;
}

static int http1_chunked_trailer(struct http1_chunked *c, char byte)
{
    if (++c->trailer_len > HTTP_TRAILER_MAX)
        return -E2BIG;
    if (c->saw_cr) {
        c->saw_cr = false;
        return byte == '\n' ? http1_chunked_trailer_line(c) : -EBADMSG;
    }
    if (byte == '\n')
        return -EBADMSG;
    if (byte == '\r')
        c->saw_cr = true;
    else
        buf_append_char(&c->line, byte);
    return 0;
}

int http1_chunked_next(struct http1_chunked *c, struct slice *in, struct slice *ret_data)
{
    while (c->state != END && in->len > 0) {
        if (c->state == DATA)
            return http1_chunked_data(c, in, ret_data);

        char byte = in->ptr[0];
        *in = slice_skip(*in, 1);
        int r = c->state == TRAILER ? http1_chunked_trailer(c, byte) : http1_chunked_byte(c, byte);
        if (r < 0)
            return r;
    }
    return c->state == END ? HTTP1_CHUNKED_END : HTTP1_CHUNKED_MORE;
}

void http1_chunked_done(struct http1_chunked *c)
{
    buf_done(&c->line);
}
