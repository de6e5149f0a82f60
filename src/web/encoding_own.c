/*
 * Old encodings whose decoders in ICU differ from the Encoding Standard in more than a few characters: those of
 * several bytes, ISO-8859-16, x-user-defined. https://encoding.spec.whatwg.org/
 *
 * The state machines are ours; what a pair of bytes means, ICU knows. Its answers are kept in a table per
 * character set, made when it is first used.
 */
#include <errno.h>
#include <stdlib.h>
#include <unicode/ucnv.h>

#include "web/encoding_impl.h"

enum {
    OWN_REPLACEMENT = 0xfffd,
    OWN_ASCII_END = 0x80,
    OWN_PAIRS = 0x10000,
    OWN_USER_FIRST = 0xf780,
    OWN_EURO = 0x20ac,
    OWN_YEN = 0xa5,
    OWN_OVERLINE = 0x203e,
    OWN_KATAKANA_FIRST = 0xff61,
    OWN_PRIVATE_FIRST = 0xe000,
    OWN_PRIVATE_LAST = 0xf8ff
};

void encoding_append(struct buf *out, uint32_t c)
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    char utf8[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        utf8[i] = (char)(0x80 | (c & 0x3f));
    utf8[0] = (char)(lead[n] | c);
    buf_append(out, utf8, n);
}

static int own_malformed(struct decoding *d)
{
    if (d->fatal)
        return -EBADMSG;
    encoding_append(d->out, OWN_REPLACEMENT);
    return 0;
}

/* The bytes end within a character. */
static int own_unfinished(struct decoding *d, size_t n)
{
    if (!d->stream)
        return own_malformed(d);
    d->pending = (uint32_t)n;
    return 0;
}

static bool own_between(unsigned c, unsigned first, unsigned last)
{
    return c >= first && c <= last;
}

/* --- pairs --- */

struct own_set {
    const char *icu;
    uint16_t *pairs; /* by lead * 256 + trail; 0 = none. Kept for good */
};

static uint32_t own_ask(UConverter *converter, const unsigned char *bytes, int32_t n)
{
    UChar units[4];
    UErrorCode status = U_ZERO_ERROR;
    int32_t len = ucnv_toUChars(converter, units, 4, (const char *)bytes, n, &status);
    if (U_FAILURE(status) || len < 1 || units[0] == OWN_REPLACEMENT)
        return 0;
    if (len == 2 && own_between(units[0], 0xd800, 0xdbff))
        return 0x10000 + (((uint32_t)units[0] - 0xd800) << 10) + ((uint32_t)units[1] - 0xdc00);
    return len == 1 ? units[0] : 0;
}

static const uint16_t *own_pairs(struct own_set *set)
{
    UErrorCode status = U_ZERO_ERROR;
    if (set->pairs != NULL)
        return set->pairs;
    UConverter *converter = ucnv_open(set->icu, &status);
    set->pairs = mem_new(OWN_PAIRS * sizeof(*set->pairs));
    for (unsigned pair = 0x8140; U_SUCCESS(status) && pair < OWN_PAIRS; pair++) {
        const unsigned char bytes[] = {(unsigned char)(pair >> 8), (unsigned char)pair};
        uint32_t c = own_ask(converter, bytes, 2);
        set->pairs[pair] = c < 0x10000 ? (uint16_t)c : 0;
    }
    if (converter != NULL)
        ucnv_close(converter);
    return set->pairs;
}

/* --- gb18030 --- */

static struct own_set gb_set = {.icu = "gb18030"};

/* Where the standard's index is newer than ICU's. */
static const uint16_t gb_newer[][2] = {
    {0xa3a0, 0x3000}, {0xa6d9, 0xfe10}, {0xa6da, 0xfe12}, {0xa6db, 0xfe11}, {0xa6dc, 0xfe13},
    {0xa6dd, 0xfe14}, {0xa6de, 0xfe15}, {0xa6df, 0xfe16}, {0xa6ec, 0xfe17}, {0xa6ed, 0xfe18},
    {0xa6f3, 0xfe19}, {0xfe59, 0x9fb4}, {0xfe61, 0x9fb5}, {0xfe66, 0x9fb6}, {0xfe67, 0x9fb7},
    {0xfe6d, 0x9fb8}, {0xfe7e, 0x9fb9}, {0xfe90, 0x9fba}, {0xfea0, 0x9fbb},
};

static const uint16_t *gb_pairs(void)
{
    bool fresh = gb_set.pairs == NULL;
    const uint16_t *pairs = own_pairs(&gb_set);
    for (size_t i = 0; fresh && i < ARRAY_LEN(gb_newer); i++)
        gb_set.pairs[gb_newer[i][0]] = gb_newer[i][1];
    return pairs;
}

static uint32_t gb_four(const unsigned char *p)
{
    static UConverter *converter;
    UErrorCode status = U_ZERO_ERROR;
    if (memcmp(p, "\x84\x31\xa4\x37", 4) == 0) /* which ICU also gives for what it does not know */
        return OWN_REPLACEMENT;
    if (converter == NULL)
        converter = ucnv_open(gb_set.icu, &status);
    return converter == NULL ? 0 : own_ask(converter, p, 4);
}

/* One character of n > 0 bytes that does not begin with ASCII: how many bytes it took, or -errno. */
static int gb_step(const unsigned char *p, size_t n, struct decoding *d)
{
    int r = 0;
    if (p[0] == 0x80 || p[0] == 0xff) {
        if (p[0] == 0x80)
            encoding_append(d->out, OWN_EURO);
        else
            r = own_malformed(d);
        return r < 0 ? r : 1;
    }
    bool four = n > 1 && own_between(p[1], '0', '9');
    bool wrong = four && ((n > 2 && !own_between(p[2], 0x81, 0xfe)) ||
                          (n > 3 && !own_between(p[3], '0', '9')));
    if (wrong) {
        r = own_malformed(d);
        return r < 0 ? r : 1;
    }
    if (n < (four ? 4u : 2u)) {
        r = own_unfinished(d, n);
        return r < 0 ? r : (int)n;
    }
    uint32_t c = four ? gb_four(p) : gb_pairs()[(p[0] << 8) | p[1]];
    if (c != 0)
        encoding_append(d->out, c);
    else
        r = own_malformed(d);
    if (r < 0)
        return r;
    return four ? 4 : c == 0 && p[1] < OWN_ASCII_END ? 1 : 2;
}

/* --- Shift_JIS --- */

static struct own_set sjis_set = {.icu = "windows-31j"};

static int sjis_step(const unsigned char *p, size_t n, struct decoding *d)
{
    int r = 0;
    if (p[0] == 0x80 || own_between(p[0], 0xa1, 0xdf)) {
        encoding_append(d->out, p[0] == 0x80 ? 0x80 : OWN_KATAKANA_FIRST + p[0] - 0xa1u);
        return 1;
    }
    if (p[0] == 0xa0 || p[0] > 0xfc) {
        r = own_malformed(d);
        return r < 0 ? r : 1;
    }
    if (n < 2) {
        r = own_unfinished(d, n);
        return r < 0 ? r : 1;
    }
    unsigned offset = p[1] < 0x7f ? 0x40 : 0x41;
    bool fits = own_between(p[1], 0x40, 0x7e) || own_between(p[1], 0x80, 0xfc);
    unsigned pointer = fits ? (p[0] - (p[0] < 0xa0 ? 0x81u : 0xc1u)) * 188 + p[1] - offset : 0;
    uint32_t c = !fits ? 0 : own_pairs(&sjis_set)[(p[0] << 8) | p[1]];
    if (fits && own_between(pointer, 8836, 10715)) /* the user's own characters */
        c = OWN_PRIVATE_FIRST - 8836 + pointer;
    if (c != 0)
        encoding_append(d->out, c);
    else
        r = own_malformed(d);
    if (r < 0)
        return r;
    return c == 0 && p[1] < OWN_ASCII_END ? 1 : 2;
}

/* --- ISO-2022-JP --- */

enum jis_state { JIS_ASCII, JIS_ROMAN, JIS_KATAKANA, JIS_PAIRS, JIS_STATES };
enum { JIS_OUTPUT = 0x10 }; /* in the state: something came since the last escape sequence */

static struct own_set jis_set = {.icu = "EUC-JP"};

/* The state that an escape sequence (two bytes behind ESC) switches to, or -1. */
static int jis_escape(unsigned first, unsigned second)
{
    static const struct {
        char first, second;
        int state;
    } rows[] = {{'(', 'B', JIS_ASCII},
                {'(', 'J', JIS_ROMAN},
                {'(', 'I', JIS_KATAKANA},
                {'$', '@', JIS_PAIRS},
                {'$', 'B', JIS_PAIRS}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if ((unsigned)rows[i].first == first && (unsigned)rows[i].second == second)
            return rows[i].state;
    }
    return -1;
}

static int jis_step_escape(const unsigned char *p, size_t n, struct decoding *d)
{
    bool maybe = n < 2 || ((p[1] == '(' || p[1] == '$') && n < 3);
    if (maybe && d->stream)
        return own_unfinished(d, n) < 0 ? -EBADMSG : (int)n;
    int state = n < 3 ? -1 : jis_escape(p[1], p[2]);
    bool output = (d->state & JIS_OUTPUT) != 0;
    if (state < 0) {
        d->state &= ~(uint32_t)JIS_OUTPUT;
        return own_malformed(d) < 0 ? -EBADMSG : 1;
    }
    d->state = (uint32_t)state | JIS_OUTPUT;
    return output && own_malformed(d) < 0 ? -EBADMSG : 3;
}

static uint32_t jis_single(enum jis_state state, unsigned c)
{
    if (state == JIS_KATAKANA)
        return own_between(c, 0x21, 0x5f) ? OWN_KATAKANA_FIRST + c - 0x21 : OWN_REPLACEMENT;
    if (c >= OWN_ASCII_END || c == 0x0e || c == 0x0f)
        return OWN_REPLACEMENT;
    if (state == JIS_ROMAN && (c == '\\' || c == '~'))
        return c == '~' ? OWN_OVERLINE : OWN_YEN;
    return c;
}

static int jis_step(const unsigned char *p, size_t n, struct decoding *d)
{
    enum jis_state state = d->state & 0xf;
    if (p[0] == 0x1b)
        return jis_step_escape(p, n, d);
    uint32_t c = state == JIS_PAIRS ? OWN_REPLACEMENT : jis_single(state, p[0]);
    size_t took = 1;
    if (state == JIS_PAIRS && own_between(p[0], 0x21, 0x7e)) {
        if (n < 2)
            return own_unfinished(d, n) < 0 ? -EBADMSG : (int)n;
        bool fits = own_between(p[1], 0x21, 0x7e);
        uint32_t found = fits ? own_pairs(&jis_set)[((p[0] | 0x80) << 8) | p[1] | 0x80] : 0;
        c = found == 0 ? OWN_REPLACEMENT : found;
        took = p[1] == 0x1b ? 1 : 2;
    }
    d->state &= ~(uint32_t)JIS_OUTPUT;
    if (c == OWN_REPLACEMENT)
        return own_malformed(d) < 0 ? -EBADMSG : (int)took;
    encoding_append(d->out, c);
    return (int)took;
}

/* --- EUC-KR, EUC-JP, Big5: a lead byte, and a trail byte that goes back when it is ASCII --- */

static struct own_set korean_set = {.icu = "windows-949"}, big5_set = {.icu = "Big5-HKSCS"};

/* Appends c, or what stands for nothing; returns how many bytes it took. ICU has characters for private use where
 * these sets have none. */
static int own_pair_done(const unsigned char *p, uint32_t c, struct decoding *d)
{
    if (c != 0 && !own_between(c, OWN_PRIVATE_FIRST, OWN_PRIVATE_LAST)) {
        encoding_append(d->out, c);
        return 2;
    }
    int r = own_malformed(d);
    return r < 0 ? r : p[1] < OWN_ASCII_END ? 1 : 2;
}

/* A byte that begins no character, or the only byte that is there. */
static int own_lead_alone(bool lead, struct decoding *d)
{
    int r = lead ? own_unfinished(d, 1) : own_malformed(d);
    return r < 0 ? r : 1;
}

static int korean_step(const unsigned char *p, size_t n, struct decoding *d)
{
    bool lead = own_between(p[0], 0x81, 0xfe);
    if (!lead || n < 2)
        return own_lead_alone(lead, d);
    bool fits = own_between(p[1], 0x41, 0xfe);
    return own_pair_done(p, fits ? own_pairs(&korean_set)[(p[0] << 8) | p[1]] : 0, d);
}

/* Characters beyond 16 bits are asked for one by one. */
static uint32_t big5_char(const unsigned char *p)
{
    static UConverter *converter;
    UErrorCode status = U_ZERO_ERROR;
    uint32_t c = own_pairs(&big5_set)[(p[0] << 8) | p[1]];
    if (c != 0)
        return c;
    if (converter == NULL)
        converter = ucnv_open(big5_set.icu, &status);
    return converter == NULL ? 0 : own_ask(converter, p, 2);
}

static int big5_step(const unsigned char *p, size_t n, struct decoding *d)
{
    bool lead = own_between(p[0], 0x81, 0xfe);
    if (!lead || n < 2)
        return own_lead_alone(lead, d);
    bool fits = own_between(p[1], 0x40, 0x7e) || own_between(p[1], 0xa1, 0xfe);
    if (p[0] == 0x88 && (p[1] == 0x62 || p[1] == 0x64 || p[1] == 0xa3 || p[1] == 0xa5)) {
        encoding_append(d->out, p[1] < 0xa0 ? 0xca : 0xea); /* with a macron or a caron */
        encoding_append(d->out, p[1] == 0x62 || p[1] == 0xa3 ? 0x304 : 0x30c);
        return 2;
    }
    return own_pair_done(p, fits ? big5_char(p) : 0, d);
}

/* 0x8f and two bytes: the supplementary set. */
static int euc_jp_three(const unsigned char *p, size_t n, struct decoding *d)
{
    static UConverter *converter;
    UErrorCode status = U_ZERO_ERROR;
    int r;
    if (n > 1 && !own_between(p[1], 0xa1, 0xfe))
        return own_pair_done(p, 0, d);
    if (n < 3) {
        r = own_unfinished(d, n);
        return r < 0 ? r : (int)n;
    }
    if (converter == NULL)
        converter = ucnv_open(jis_set.icu, &status);
    uint32_t c = own_between(p[2], 0xa1, 0xfe) && converter != NULL ? own_ask(converter, p, 3) : 0;
    if (c != 0) {
        encoding_append(d->out, c);
        return 3;
    }
    r = own_malformed(d);
    return r < 0 ? r : p[2] < OWN_ASCII_END ? 2 : 3;
}

static int euc_jp_step(const unsigned char *p, size_t n, struct decoding *d)
{
    bool lead = p[0] == 0x8e || p[0] == 0x8f || own_between(p[0], 0xa1, 0xfe);
    if (!lead || n < 2)
        return own_lead_alone(lead, d);
    if (p[0] == 0x8f)
        return euc_jp_three(p, n, d);
    bool fits = own_between(p[1], 0xa1, 0xfe);
    if (p[0] == 0x8e)
        fits = own_between(p[1], 0xa1, 0xdf);
    uint32_t c =
        p[0] == 0x8e ? OWN_KATAKANA_FIRST + p[1] - 0xa1u : own_pairs(&jis_set)[(p[0] << 8) | p[1]];
    return own_pair_done(p, fits ? c : 0, d);
}

/* --- one byte, one character --- */

/* Of ISO-8859-16, from 0xa0. */
static const uint16_t latin10[] = {
    0x0a0, 0x104, 0x105, 0x141, 0x20ac, 0x201e, 0x160, 0x0a7, 0x161, 0x0a9,  0x218, 0x0ab,
    0x179, 0x0ad, 0x17a, 0x17b, 0x0b0,  0x0b1,  0x10c, 0x142, 0x17d, 0x201d, 0x0b6, 0x0b7,
    0x17e, 0x10d, 0x219, 0x0bb, 0x152,  0x153,  0x178, 0x17c, 0x0c0, 0x0c1,  0x0c2, 0x102,
    0x0c4, 0x106, 0x0c6, 0x0c7, 0x0c8,  0x0c9,  0x0ca, 0x0cb, 0x0cc, 0x0cd,  0x0ce, 0x0cf,
    0x110, 0x143, 0x0d2, 0x0d3, 0x0d4,  0x150,  0x0d6, 0x15a, 0x170, 0x0d9,  0x0da, 0x0db,
    0x0dc, 0x118, 0x21a, 0x0df, 0x0e0,  0x0e1,  0x0e2, 0x103, 0x0e4, 0x107,  0x0e6, 0x0e7,
    0x0e8, 0x0e9, 0x0ea, 0x0eb, 0x0ec,  0x0ed,  0x0ee, 0x0ef, 0x111, 0x144,  0x0f2, 0x0f3,
    0x0f4, 0x151, 0x0f6, 0x15b, 0x171,  0x0f9,  0x0fa, 0x0fb, 0x0fc, 0x119,  0x21b, 0x0ff};

static int latin10_step(const unsigned char *p, size_t n UNUSED, struct decoding *d)
{
    encoding_append(d->out, p[0] < 0xa0 ? p[0] : latin10[p[0] - 0xa0]);
    return 1;
}

static int user_step(const unsigned char *p, size_t n UNUSED, struct decoding *d)
{
    encoding_append(d->out, OWN_USER_FIRST + p[0] - 0x80u);
    return 1;
}

/* --- the table --- */

static const struct {
    const char *name;
    int (*step)(const unsigned char *p, size_t n, struct decoding *d);
    bool ascii; /* bytes below 0x80 are themselves, wherever a character may begin */
} own_encodings[] = {
    {"gbk", gb_step, true},
    {"gb18030", gb_step, true},
    {"shift_jis", sjis_step, true},
    {"iso-2022-jp", jis_step, false},
    {"euc-kr", korean_step, true},
    {"euc-jp", euc_jp_step, true},
    {"big5", big5_step, true},
    {"iso-8859-16", latin10_step, true},
    {"x-user-defined", user_step, true},
};

int encoding_own_decode(struct slice encoding, struct slice in, struct decoding *d)
{
    const unsigned char *p = (const unsigned char *)in.ptr;
    size_t which = 0;
    while (which < ARRAY_LEN(own_encodings) &&
           !slice_eq(slice_of(own_encodings[which].name), encoding))
        which++;
    if (which == ARRAY_LEN(own_encodings))
        return -ENOENT;
    for (size_t i = 0; i < in.len && d->pending == 0;) {
        if (own_encodings[which].ascii && p[i] < OWN_ASCII_END) {
            buf_append_char(d->out, (char)p[i++]);
            continue;
        }
        int r = own_encodings[which].step(p + i, in.len - i, d);
        if (r < 0)
            return r;
        i += (size_t)r;
    }
    return 0;
}
