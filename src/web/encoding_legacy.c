/*
 * Labels of the Encoding Standard and the encodings of old files, by ICU.
 *
 * ICU's tables differ from the standard's in few characters; the standard's own tables would be half a megabyte
 * of source.
 */
#include <errno.h>
#include <unicode/ucnv.h>

#include "web/encoding_impl.h"
#include "web/web_impl.h"

struct legacy_encoding {
    const char *name;   /* as the standard writes it */
    const char *icu;    /* converter; NULL = in encoding_own.c */
    const char *labels; /* all of them, separated by blanks */
};

/* clang-format off */
static const struct legacy_encoding legacy_encodings[] = {
    {"ibm866", "ibm-866_P100-1995", "866 cp866 csibm866 ibm866"},
    {"iso-8859-2", "ISO-8859-2", "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2"},
    {"iso-8859-3", "ISO-8859-3", "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3"},
    {"iso-8859-4", "ISO-8859-4", "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4"},
    {"iso-8859-5", "ISO-8859-5", "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988"},
    {"iso-8859-6", "ISO-8859-6", "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987"},
    {"iso-8859-7", "ISO-8859-7", "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek"},
    {"iso-8859-8", "ISO-8859-8", "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 visual"},
    {"iso-8859-8-i", "ISO-8859-8", "csiso88598i iso-8859-8-i logical"},
    {"iso-8859-10", "ISO-8859-10", "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6"},
    {"iso-8859-13", "ISO-8859-13", "iso-8859-13 iso8859-13 iso885913"},
    {"iso-8859-14", "ISO-8859-14", "iso-8859-14 iso8859-14 iso885914"},
    {"iso-8859-15", "ISO-8859-15", "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9"},
    {"iso-8859-16", NULL, "iso-8859-16"},
    {"koi8-r", "KOI8-R", "cskoi8r koi koi8 koi8-r koi8_r"},
    {"koi8-u", "KOI8-U", "koi8-ru koi8-u"},
    {"macintosh", "macintosh", "csmacintosh mac macintosh x-mac-roman"},
    {"windows-874", "windows-874-2000", "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874"},
    {"windows-1250", "windows-1250", "cp1250 windows-1250 x-cp1250"},
    {"windows-1251", "windows-1251", "cp1251 windows-1251 x-cp1251"},
    {"windows-1253", "windows-1253", "cp1253 windows-1253 x-cp1253"},
    {"windows-1254", "windows-1254", "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254"},
    {"windows-1255", "windows-1255", "cp1255 windows-1255 x-cp1255"},
    {"windows-1256", "windows-1256", "cp1256 windows-1256 x-cp1256"},
    {"windows-1257", "windows-1257", "cp1257 windows-1257 x-cp1257"},
    {"windows-1258", "windows-1258", "cp1258 windows-1258 x-cp1258"},
    {"x-mac-cyrillic", "x-mac-cyrillic", "x-mac-cyrillic x-mac-ukrainian"},
    {"x-user-defined", NULL, "x-user-defined"},
    {"gbk", NULL, "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk"},
    {"gb18030", NULL, "gb18030"},
    {"big5", NULL, "big5 big5-hkscs cn-big5 csbig5 x-x-big5"},
    {"euc-jp", NULL, "cseucpkdfmtjapanese euc-jp x-euc-jp"},
    {"iso-2022-jp", NULL, "csiso2022jp iso-2022-jp"},
    {"shift_jis", NULL, "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis"},
    {"euc-kr", NULL, "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949"},
};
/* clang-format on */

static bool legacy_has_label(const struct legacy_encoding *e, struct slice label)
{
    struct slice rest = slice_of(e->labels);
    while (rest.ptr != NULL) {
        if (slice_eq(slice_cut(&rest, ' '), label))
            return true;
    }
    return false;
}

/* label(name in lower case): the encoding's name, or undefined. */
js_value web_text_label(js_context ctx, js_value function UNUSED, js_value self UNUSED,
                        size_t n_args, const js_value args[], js_value *exception UNUSED)
{
    AUTO(buf_done) struct buf label = {0};
    if (n_args < 1 || js_append_utf8(ctx, args[0], &label) < 0)
        return js_undefined(ctx);
    for (size_t i = 0; i < ARRAY_LEN(legacy_encodings); i++) {
        if (legacy_has_label(&legacy_encodings[i], buf_slice(&label)))
            return js_latin1(ctx, slice_of(legacy_encodings[i].name));
    }
    return js_undefined(ctx);
}

static void legacy_close(UConverter **converter)
{
    if (*converter != NULL)
        ucnv_close(*converter);
}

static UConverter *legacy_open(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(legacy_encodings); i++) {
        UErrorCode status = U_ZERO_ERROR;
        if (slice_eq(slice_of(legacy_encodings[i].name), name)) {
            UConverter *converter = ucnv_open(legacy_encodings[i].icu, &status);
            return U_FAILURE(status) ? NULL : converter;
        }
    }
    return NULL;
}

enum { LEGACY_FATAL = 1, LEGACY_STREAM = 4 };
enum { LEGACY_CHUNK = 4096 }; /* UTF-16 units converted at a time */

/* UTF-16 units as UTF-8; ICU's output is well-formed. */
static void legacy_append(const UChar *units, const UChar *end, struct buf *out)
{
    while (units < end) {
        uint32_t c = *units++;
        if (c >= 0xd800 && c <= 0xdbff && units < end)
            c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)*units++ - 0xdc00);
        encoding_append(out, c);
    }
}

static int legacy_convert(UConverter *converter, struct slice in, bool flush, struct buf *out)
{
    const char *from = in.len == 0 ? "" : in.ptr, *end = from + in.len;
    UErrorCode status;
    do {
        UChar units[LEGACY_CHUNK], *to = units;
        status = U_ZERO_ERROR;
        ucnv_toUnicode(converter, &to, units + LEGACY_CHUNK, &from, end, NULL, flush, &status);
        legacy_append(units, to, out);
    } while (status == U_BUFFER_OVERFLOW_ERROR);
    return U_FAILURE(status) ? -EBADMSG : 0;
}

static int legacy_decode_icu(UConverter *converter, struct slice in, struct decoding *d)
{
    UErrorCode status = U_ZERO_ERROR;
    if (d->fatal)
        ucnv_setToUCallBack(converter, UCNV_TO_U_CALLBACK_STOP, NULL, NULL, NULL, &status);
    int r = legacy_convert(converter, in, !d->stream, d->out);
    int32_t left = d->stream ? ucnv_toUCountPending(converter, &status) : 0;
    d->pending = left > 0 ? (uint32_t)left : 0;
    return r;
}

int encoding_decode(struct slice encoding, struct slice in, struct decoding *d)
{
    int r = encoding_own_decode(encoding, in, d);
    if (r != -ENOENT)
        return r;
    AUTO(legacy_close) UConverter *converter = legacy_open(encoding);
    return converter == NULL ? -ENOENT : legacy_decode_icu(converter, in, d);
}

/* decodeLegacy(bytes, encoding, flags, memory): memory[0] = bytes at the end of an unfinished character,
 * memory[1] = state for the next piece. */
js_value web_text_decode_legacy(js_context ctx, js_value function UNUSED, js_value self UNUSED,
                                size_t n_args, const js_value args[], js_value *exception)
{
    AUTO(buf_done) struct buf name = {0}, out = {0};
    uint32_t *memory = web_scratch(ctx, n_args, args, 3, 2);
    struct slice in;
    if (memory == NULL || js_append_utf8(ctx, args[1], &name) < 0 || js_view(ctx, args[0], &in) < 0)
        return js_throw(ctx, exception, "TypeError", "decodeLegacy wants bytes and an encoding");
    unsigned flags = (unsigned)js_to_number(ctx, args[2], 0);
    struct decoding d = {.fatal = (flags & LEGACY_FATAL) != 0,
                         .stream = (flags & LEGACY_STREAM) != 0,
                         .state = memory[1],
                         .out = &out};
    int r = encoding_decode(buf_slice(&name), in, &d);
    if (r == -ENOENT)
        return js_throw(ctx, exception, "RangeError", "Invalid or unsupported encoding");
    if (r < 0)
        return js_undefined(ctx);
    memory[0] = d.pending;
    memory[1] = d.state;
    return js_string(ctx, buf_slice(&out));
}
