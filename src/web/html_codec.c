#include "web/html_codec.h"

#include <errno.h>
#include <stdlib.h>
#include <unicode/ucnv.h>

#include "web/encoding_impl.h"

enum {
    CODEC_PIECE = 1024
}; /* bytes of UTF-8 that one piece has at most, once a node is in pieces */
enum { CODEC_PENDING_MAX = 8 }; /* bytes of an unfinished character */
enum { CODEC_UNITS = 1024 };
enum codec_kind { CODEC_UTF8, CODEC_LATIN1, CODEC_OTHER };

struct html_codec {
    enum codec_kind kind;
    struct slice name;     /* constant */
    UConverter *converter; /* owned; to the encoding; NULL for UTF-8 */
    bool in_text, pieces;  /* pieces: the node goes through the decoder, not past it */
    uint32_t state;
    size_t n_pending;
    char pending[CODEC_PENDING_MAX];
};

/* Encodings by the names of the standard, with what ICU calls them. */
static const struct {
    struct slice name;
    const char *icu;
} codec_encodings[] = {
    {{"windows-1252", 12}, "windows-1252"},
    {{"ibm866", 6}, "ibm-866_P100-1995"},
    {{"iso-8859-2", 10}, "ISO-8859-2"},
    {{"iso-8859-3", 10}, "ISO-8859-3"},
    {{"iso-8859-4", 10}, "ISO-8859-4"},
    {{"iso-8859-5", 10}, "ISO-8859-5"},
    {{"iso-8859-6", 10}, "ISO-8859-6"},
    {{"iso-8859-7", 10}, "ISO-8859-7"},
    {{"iso-8859-8", 10}, "ISO-8859-8"},
    {{"iso-8859-8-i", 12}, "ISO-8859-8"},
    {{"iso-8859-10", 11}, "ISO-8859-10"},
    {{"iso-8859-13", 11}, "ISO-8859-13"},
    {{"iso-8859-14", 11}, "ISO-8859-14"},
    {{"iso-8859-15", 11}, "ISO-8859-15"},
    {{"koi8-r", 6}, "KOI8-R"},
    {{"koi8-u", 6}, "KOI8-U"},
    {{"macintosh", 9}, "macintosh"},
    {{"windows-874", 11}, "windows-874-2000"},
    {{"windows-1250", 12}, "windows-1250"},
    {{"windows-1251", 12}, "windows-1251"},
    {{"windows-1253", 12}, "windows-1253"},
    {{"windows-1254", 12}, "windows-1254"},
    {{"windows-1255", 12}, "windows-1255"},
    {{"windows-1256", 12}, "windows-1256"},
    {{"windows-1257", 12}, "windows-1257"},
    {{"windows-1258", 12}, "windows-1258"},
    {{"x-mac-cyrillic", 14}, "x-mac-cyrillic"},
    {{"gbk", 3}, "windows-936-2000"},
    {{"gb18030", 7}, "gb18030"},
    {{"big5", 4}, "ibm-1375_P100-2008"},
    {{"euc-jp", 6}, "EUC-JP"},
    {{"shift_jis", 9}, "ibm-943_P15A-2003"},
    {{"euc-kr", 6}, "windows-949-2000"},
};

static int codec_converter(struct html_codec *c, struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(codec_encodings); i++) {
        if (!slice_eq(codec_encodings[i].name, name))
            continue;
        UErrorCode status = U_ZERO_ERROR;
        c->name = codec_encodings[i].name;
        c->kind = i == 0 ? CODEC_LATIN1 : CODEC_OTHER;
        c->converter = ucnv_open(codec_encodings[i].icu, &status);
        return U_FAILURE(status) ? -ENOENT : 0;
    }
    return -ENOENT;
}

int html_codec_open(struct slice name, struct html_codec **ret)
{
    if (slice_eq(name, SLICE("utf-16le")) || slice_eq(name, SLICE("utf-16be")) ||
        slice_eq(name, SLICE("iso-2022-jp")) || slice_eq(name, SLICE("replacement")))
        return -EINVAL;
    struct html_codec *c = mem_new(sizeof *c);
    int r = slice_eq(name, SLICE("utf-8")) ? 0 : codec_converter(c, name);
    if (r < 0)
        html_codec_close(c);
    else
        *ret = c;
    return r;
}

void html_codec_close(struct html_codec *c)
{
    if (c == NULL)
        return;
    if (c->converter != NULL)
        ucnv_close(c->converter);
    free(c);
}

/* --- to UTF-8 --- */

/* The bytes of the character at p: positive when it is whole, negative when it is malformed (so many bytes of it),
 * 0 when more bytes could make it whole. */
static int utf8_step(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    int need = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    unsigned low = 0x80, high = 0xbf;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return -1;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    for (int i = 1; i < need; i++) {
        if ((size_t)i == n)
            return 0;
        if (p[i] < low || p[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return need;
}

static size_t utf8_valid(struct slice in)
{
    size_t at = 0;
    while (at < in.len) {
        int n = utf8_step((const unsigned char *)in.ptr + at, in.len - at);
        if (n <= 0)
            return at;
        at += (size_t)n;
    }
    return at;
}

ssize_t html_codec_valid(struct slice utf8)
{
    size_t n = utf8_valid(utf8);
    bool cut = n == utf8.len || utf8_step((const unsigned char *)utf8.ptr + n, utf8.len - n) == 0;
    return cut ? (ssize_t)n : -EBADMSG;
}

static size_t ascii_valid(struct slice in)
{
    size_t at = 0;
    while (at < in.len && (unsigned char)in.ptr[at] < 0x80)
        at++;
    return at;
}

/* At most `room` bytes of output; returns how many bytes of input they took. last: what is unfinished is malformed. */
static size_t utf8_decode(struct slice in, bool last, size_t room, struct buf *out)
{
    size_t at = 0, before = buf_len(out);
    while (at < in.len) {
        int n = utf8_step((const unsigned char *)in.ptr + at, in.len - at);
        size_t used = n == 0 ? in.len - at : (size_t)abs(n);
        if ((n == 0 && !last) || buf_len(out) - before + (n > 0 ? used : 3) > room)
            break;
        if (n > 0)
            buf_append(out, in.ptr + at, used);
        else
            buf_append_slice(out, SLICE("\xef\xbf\xbd"));
        at += used;
    }
    return at;
}

static void latin1_decode(struct slice in, struct buf *out)
{
    for (size_t i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.ptr[i];
        encoding_append(out, c >= 0x80 && c < 0xa0 ? encoding_windows_1252[c - 0x80] : c);
    }
}

void html_codec_decode(struct html_codec *c, struct slice in, struct buf *out)
{
    if (c->kind == CODEC_UTF8) {
        utf8_decode(in, true, SIZE_MAX, out);
    } else if (c->kind == CODEC_LATIN1) {
        latin1_decode(in, out);
    } else {
        struct decoding d = {.out = out};
        int r = encoding_decode(c->name, in, &d);
        CHECK(r == 0); /* not fatal, and one of our names: it cannot fail */
    }
}

/* Everything of `in` but an unfinished character at its end, which is kept. */
static void codec_feed(struct html_codec *c, struct slice in, bool last, struct buf *out)
{
    AUTO(buf_done) struct buf whole = {0};
    buf_append(&whole, c->pending, c->n_pending);
    buf_append_slice(&whole, in);
    size_t left = 0;
    if (c->kind == CODEC_LATIN1) {
        latin1_decode(in, out);
    } else if (c->kind == CODEC_UTF8) {
        left = buf_len(&whole) - utf8_decode(buf_slice(&whole), last, SIZE_MAX, out);
    } else {
        struct decoding d = {.stream = !last, .state = c->state, .out = out};
        int r = encoding_decode(c->name, buf_slice(&whole), &d);
        CHECK(r == 0);
        c->state = d.state;
        left = d.pending;
    }
    c->n_pending = MIN(left, sizeof c->pending);
    if (c->n_pending > 0)
        memcpy(c->pending, buf_slice(&whole).ptr + (buf_len(&whole) - c->n_pending), c->n_pending);
}

/* How much of `in` becomes at most one piece: a byte becomes three at most. */
static size_t codec_portion(struct html_codec *c, struct slice in)
{
    if (c->kind == CODEC_UTF8) {
        AUTO(buf_done) struct buf ignored = {0};
        size_t n = utf8_decode(in, false, CODEC_PIECE - sizeof c->pending, &ignored);
        return n == 0 ? in.len : n;
    }
    size_t ascii = ascii_valid((struct slice){in.ptr, MIN(in.len, (size_t)CODEC_PIECE)});
    return MIN(in.len, MAX(ascii, (size_t)CODEC_PIECE / 3));
}

/* The beginning of a node goes past the decoder while it is well-formed. */
static bool codec_fast(struct html_codec *c, struct slice *in, struct buf *out)
{
    size_t valid = c->kind == CODEC_UTF8 ? utf8_valid(*in) : ascii_valid(*in);
    c->pieces = true;
    if (valid != in->len && valid < CODEC_PIECE)
        return false;
    buf_append(out, in->ptr, valid);
    *in = slice_skip(*in, valid);
    return true;
}

int html_codec_text(struct html_codec *c, struct slice *in, bool last, struct buf *out)
{
    buf_clear(out);
    c->in_text = true;
    if (!c->pieces && in->len > 0 && codec_fast(c, in, out))
        return 1;
    while (in->len > 0) {
        size_t n = codec_portion(c, *in);
        codec_feed(c, (struct slice){in->ptr, n}, false, out);
        *in = slice_skip(*in, n);
        if (buf_len(out) > 0)
            return 1;
    }
    if (!last)
        return 0;
    codec_feed(c, SLICE_NONE, true, out);
    c->in_text = c->pieces = false;
    c->state = 0;
    return 1;
}

bool html_codec_in_text(const struct html_codec *c)
{
    return c->in_text;
}

/* --- from UTF-8 --- */

static size_t utf8_to_units(struct slice utf8, size_t *at, UChar *units, size_t max)
{
    size_t n = 0;
    while (*at < utf8.len && n + 2 <= max) {
        const unsigned char *p = (const unsigned char *)utf8.ptr + *at;
        int step = utf8_step(p, utf8.len - *at);
        uint32_t code = 0xfffd;
        if (step == 1)
            code = p[0];
        else if (step == 2)
            code = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
        else if (step == 3)
            code = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        else if (step == 4)
            code = (p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
        *at += step > 0 ? (size_t)step : 1;
        if (code >= 0x10000)
            units[n++] = (UChar)(0xd7c0 + (code >> 10));
        units[n++] = (UChar)(code >= 0x10000 ? 0xdc00 | (code & 0x3ff) : code);
    }
    return n;
}

static int codec_convert(struct html_codec *c, struct slice utf8, struct buf *out)
{
    UChar units[CODEC_UNITS];
    for (size_t at = 0; at < utf8.len;) {
        const UChar *from = units, *end = units + utf8_to_units(utf8, &at, units, CODEC_UNITS);
        UErrorCode status;
        do {
            char *to = buf_reserve(out, CODEC_PIECE), *to_end = to + CODEC_PIECE, *start = to;
            status = U_ZERO_ERROR;
            ucnv_fromUnicode(c->converter, &to, to_end, &from, end, NULL, true, &status);
            buf_added(out, (size_t)(to - start));
        } while (status == U_BUFFER_OVERFLOW_ERROR);
        if (U_FAILURE(status))
            return -EILSEQ;
    }
    return 0;
}

/* Characters that the standard reads in these encodings and does not write: JIS X 0212, Hong Kong's supplement. */
static size_t codec_unwritten(struct html_codec *c, unsigned char lead)
{
    if (slice_eq(c->name, SLICE("euc-jp")))
        return lead == 0x8f ? 3 : 0;
    return slice_eq(c->name, SLICE("big5")) && lead >= 0x81 && lead < 0xa1 ? 2 : 0;
}

static int codec_repair(struct html_codec *c, struct slice bytes, bool strict, struct buf *out)
{
    for (size_t i = 0, n; i < bytes.len; i += n) {
        unsigned char lead = (unsigned char)bytes.ptr[i];
        n = codec_unwritten(c, lead);
        if (n > 0 && strict)
            return -EILSEQ;
        if (n > 0) {
            AUTO(buf_done) struct buf utf8 = {0};
            UChar units[2] = {0};
            size_t at = 0;
            html_codec_decode(c, (struct slice){bytes.ptr + i, MIN(n, bytes.len - i)}, &utf8);
            size_t n_units = utf8_to_units(buf_slice(&utf8), &at, units, ARRAY_LEN(units));
            uint32_t code = n_units == 2
                                ? 0x10000u + ((units[0] - 0xd800u) << 10) + (units[1] - 0xdc00u)
                                : units[0];
            buf_printf(out, "&#%u;", code);
            continue;
        }
        n = lead < 0x80 ? 1 : MIN((size_t)2, bytes.len - i);
        buf_append(out, bytes.ptr + i, n);
    }
    return 0;
}

static int codec_encode(struct html_codec *c, struct slice utf8, bool strict, struct buf *out)
{
    UErrorCode status = U_ZERO_ERROR;
    if (c->converter == NULL || ascii_valid(utf8) == utf8.len) {
        buf_append_slice(out, utf8);
        return 0;
    }
    ucnv_resetFromUnicode(c->converter);
    if (strict)
        ucnv_setFromUCallBack(c->converter, UCNV_FROM_U_CALLBACK_STOP, NULL, NULL, NULL, &status);
    else
        ucnv_setFromUCallBack(c->converter, UCNV_FROM_U_CALLBACK_ESCAPE, UCNV_ESCAPE_XML_DEC, NULL,
                              NULL, &status);
    if (U_FAILURE(status))
        return -EILSEQ;
    if (codec_unwritten(c, 0x8f) == 0)
        return codec_convert(c, utf8, out);
    AUTO(buf_done) struct buf bytes = {0};
    int r = codec_convert(c, utf8, &bytes);
    return r < 0 ? r : codec_repair(c, buf_slice(&bytes), strict, out);
}

void html_codec_encode(struct html_codec *c, struct slice utf8, struct buf *out)
{
    (void)codec_encode(c, utf8, false, out); /* everything has a reference */
}

int html_codec_encode_strict(struct html_codec *c, struct slice utf8, struct buf *out)
{
    return codec_encode(c, utf8, true, out);
}
