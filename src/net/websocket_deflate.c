/*
 * Terms first, then zlib. A message ends with an empty stored block of which the last four bytes,
 * 00 00 ff ff, are left out (RFC 7692 section 7.2.1).
 */
#include "net/websocket_deflate.h"

#include "net/http_token.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    DEFLATE_BITS_MIN = 8,
    DEFLATE_BITS_MAX = 15,
    DEFLATE_BITS_OURS = 12, /* 16 KiB of window, */
    DEFLATE_MEM_LEVEL = 5,  /* 16 KiB of tables */
    DEFLATE_PIECE = 16 * 1024,
    DEFLATE_TAIL = 4
};

/* --- terms --- */

enum deflate_parameter {
    SERVER_NO_TAKEOVER = 1,
    CLIENT_NO_TAKEOVER = 2,
    SERVER_BITS = 4,
    CLIENT_BITS = 8,
    CLIENT_BITS_VALUE = 16 /* with a value */
};

struct deflate_offer {
    unsigned given; /* parameters */
    int server_bits, client_bits;
};

static const struct {
    struct slice name;
    enum deflate_parameter parameter;
} deflate_names[] = {
    {{"server_no_context_takeover", 26}, SERVER_NO_TAKEOVER},
    {{"client_no_context_takeover", 26}, CLIENT_NO_TAKEOVER},
    {{"server_max_window_bits", 22}, SERVER_BITS},
    {{"client_max_window_bits", 22}, CLIENT_BITS},
};

/* "8" to "15", maybe quoted, without leading zeros. */
static int deflate_read_bits(struct slice value, int *ret)
{
    uint64_t n;

    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = slice_from(value.ptr + 1, value.len - 2);
    if (value.len == 0 || value.ptr[0] == '0' || slice_to_u64(value, &n) < 0 ||
        n < DEFLATE_BITS_MIN || n > DEFLATE_BITS_MAX)
        return -EBADMSG;
    *ret = (int)n;
    return 0;
}

static int deflate_read_parameter(struct slice text, struct deflate_offer *ret)
{
    struct slice value = text, name = slice_trim(slice_cut(&value, '='));
    bool has_value = value.ptr != NULL;
    size_t i = 0;

    while (i < ARRAY_LEN(deflate_names) && !slice_eq_nocase(name, deflate_names[i].name))
        i++;
    if (i == ARRAY_LEN(deflate_names) || (ret->given & deflate_names[i].parameter) != 0)
        return -EBADMSG;
    ret->given |= deflate_names[i].parameter;
    switch (deflate_names[i].parameter) {
    case SERVER_BITS:
        return has_value ? deflate_read_bits(slice_trim(value), &ret->server_bits) : -EBADMSG;
    case CLIENT_BITS:
        if (!has_value)
            return 0;
        ret->given |= CLIENT_BITS_VALUE;
        return deflate_read_bits(slice_trim(value), &ret->client_bits);
    default:
        return has_value ? -EBADMSG : 0;
    }
}

/* One member of the field. 1: permessage-deflate; 0: another extension; -EBADMSG: a bad parameter. */
static int deflate_read_member(struct slice member, struct deflate_offer *ret)
{
    struct slice rest = member;

    *ret = (struct deflate_offer){.server_bits = DEFLATE_BITS_MAX, .client_bits = DEFLATE_BITS_MAX};
    if (!slice_eq_nocase(slice_trim(slice_cut(&rest, ';')), SLICE("permessage-deflate")))
        return 0;
    while (rest.ptr != NULL) {
        int r = deflate_read_parameter(slice_cut(&rest, ';'), ret);
        if (r < 0)
            return r;
    }
    return 1;
}

static bool deflate_next_member(struct slice *headers, struct slice *list, struct slice *ret)
{
    struct slice name;

    while (!http_list_next(list, ret)) {
        do {
            if (!http_header_next(headers, &name, list))
                return false;
        } while (!slice_eq(name, SLICE("sec-websocket-extensions")));
    }
    return true;
}

static void deflate_answer(const struct deflate_offer *offer, struct buf *out)
{
    buf_append_slice(out, SLICE("permessage-deflate"));
    if ((offer->given & SERVER_NO_TAKEOVER) != 0)
        buf_append_slice(out, SLICE("; server_no_context_takeover"));
    if ((offer->given & CLIENT_NO_TAKEOVER) != 0)
        buf_append_slice(out, SLICE("; client_no_context_takeover"));
    if ((offer->given & SERVER_BITS) != 0)
        buf_printf(out, "; server_max_window_bits=%d", offer->server_bits);
}

void websocket_deflate_accept(struct slice headers, struct websocket_deflate_terms *ret,
                              struct buf *ret_answer)
{
    struct slice list = SLICE_NONE, member;
    struct deflate_offer offer;

    *ret = (struct websocket_deflate_terms){0};
    while (deflate_next_member(&headers, &list, &member)) {
        if (deflate_read_member(member, &offer) <= 0)
            continue;
        *ret = (struct websocket_deflate_terms){
            .agreed = true,
            .ours_forgets = (offer.given & SERVER_NO_TAKEOVER) != 0,
            .theirs_forgets = (offer.given & CLIENT_NO_TAKEOVER) != 0,
            .our_bits = offer.server_bits,
        };
        deflate_answer(&offer, ret_answer);
        return;
    }
}

int websocket_deflate_agreed(struct slice headers, struct websocket_deflate_terms *ret)
{
    struct slice list = SLICE_NONE, member;
    struct deflate_offer offer;

    *ret = (struct websocket_deflate_terms){0};
    while (deflate_next_member(&headers, &list, &member)) {
        if (ret->agreed || deflate_read_member(member, &offer) <= 0 ||
            ((offer.given & CLIENT_BITS) != 0 && (offer.given & CLIENT_BITS_VALUE) == 0))
            return -EBADMSG; /* something that we have not offered, or twice */
        *ret = (struct websocket_deflate_terms){
            .agreed = true,
            .ours_forgets = (offer.given & CLIENT_NO_TAKEOVER) != 0,
            .theirs_forgets = (offer.given & SERVER_NO_TAKEOVER) != 0,
            .our_bits = offer.client_bits,
        };
    }
    return 0;
}

/* --- messages --- */

struct websocket_deflate {
    struct websocket_deflate_terms terms;
    z_stream *ours, *theirs; /* owned; NULL until needed */
};

struct websocket_deflate *websocket_deflate_create(const struct websocket_deflate_terms *terms)
{
    struct websocket_deflate *d = mem_new(sizeof(*d));

    d->terms = *terms;
    return d;
}

static void deflate_drop_ours(struct websocket_deflate *d)
{
    if (d->ours != NULL)
        (void)deflateEnd(d->ours); /* complains about a message that was not ended */
    mem_release(&d->ours);
}

static void deflate_drop_theirs(struct websocket_deflate *d)
{
    if (d->theirs != NULL)
        (void)inflateEnd(d->theirs);
    mem_release(&d->theirs);
}

void websocket_deflate_destroy(struct websocket_deflate *d)
{
    if (d == NULL)
        return;
    deflate_drop_ours(d);
    deflate_drop_theirs(d);
    mem_release(&d);
}

/* Inflates what is in the stream's input. */
static int deflate_inflate_all(z_stream *z, size_t max, struct buf *out)
{
    size_t before = buf_len(out);
    int rc = Z_OK;

    do {
        z->next_out = (unsigned char *)buf_reserve(out, DEFLATE_PIECE);
        z->avail_out = DEFLATE_PIECE;
        rc = inflate(z, Z_SYNC_FLUSH);
        buf_added(out, DEFLATE_PIECE - z->avail_out);
        if (buf_len(out) - before > max)
            return -E2BIG;
        /* A block marked as the last one ends the stream, not the message (section 7.2.3.4). */
        if (rc == Z_STREAM_END && inflateReset(z) != Z_OK)
            return -EBADMSG;
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return -EBADMSG;
    } while (z->avail_out == 0 || (z->avail_in > 0 && rc != Z_BUF_ERROR));
    return z->avail_in == 0 ? 0 : -EBADMSG;
}

int websocket_inflate(struct websocket_deflate *d, struct slice in, size_t max, struct buf *out)
{
    static const unsigned char tail[DEFLATE_TAIL] = {0x00, 0x00, 0xff, 0xff};

    if (d->theirs == NULL) {
        d->theirs = mem_new(sizeof(*d->theirs));
        CHECK(inflateInit2(d->theirs, -DEFLATE_BITS_MAX) == Z_OK);
    }
    z_stream *z = d->theirs;
    z->next_in = (unsigned char *)(uintptr_t)in.ptr;
    z->avail_in = (unsigned)in.len;
    int r = deflate_inflate_all(z, max, out);
    if (r == 0) {
        z->next_in = (unsigned char *)(uintptr_t)tail;
        z->avail_in = sizeof(tail);
        r = deflate_inflate_all(z, max, out);
    }
    if (d->terms.theirs_forgets)
        deflate_drop_theirs(d);
    return r;
}

/* zlib cannot write a window of 8 bits; what it writes with 9 never reaches back further than 250 bytes. */
static z_stream *deflate_open(const struct websocket_deflate_terms *terms)
{
    z_stream *z = mem_new(sizeof(*z));
    int bits = MAX(MIN(terms->our_bits, (int)DEFLATE_BITS_OURS), DEFLATE_BITS_MIN + 1);

    CHECK(deflateInit2(z, Z_BEST_SPEED, Z_DEFLATED, -bits, DEFLATE_MEM_LEVEL, Z_DEFAULT_STRATEGY) ==
          Z_OK);
    return z;
}

void websocket_deflate(struct websocket_deflate *d, struct slice in, bool last, struct buf *out)
{
    size_t before = buf_len(out);

    CHECK(!last || in.len > 0);
    if (d->ours == NULL)
        d->ours = deflate_open(&d->terms);
    z_stream *z = d->ours;
    z->next_in = (unsigned char *)(uintptr_t)in.ptr;
    z->avail_in = (unsigned)in.len;
    do {
        z->next_out = (unsigned char *)buf_reserve(out, DEFLATE_PIECE);
        z->avail_out = DEFLATE_PIECE;
        int rc = deflate(z, last ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        CHECK(rc == Z_OK || rc == Z_BUF_ERROR);
        buf_added(out, DEFLATE_PIECE - z->avail_out);
    } while (z->avail_out == 0);
    if (!last)
        return;
    CHECK(buf_len(out) - before >= DEFLATE_TAIL);
    out->end -= DEFLATE_TAIL;
    if (d->terms.ours_forgets)
        deflate_drop_ours(d);
}
