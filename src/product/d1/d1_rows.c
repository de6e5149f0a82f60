/*
 * Rows as JSON: text that JavaScript parses once, in one crossing.
 */
#include "product/d1/d1.h"

#include "core/digest.h"
#include "core/id.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { D1_DECIMALS_MAX = 6 };
#define D1_EXACT_MAX 9007199254740992.0 /* integers below are exact */

static bool d1_name_repeats(const struct sql_stmt *s, unsigned i, unsigned n)
{
    for (unsigned k = i + 1; k < n; k++) {
        if (strcmp(sql_column_name(s, (int)i), sql_column_name(s, (int)k)) == 0)
            return true;
    }
    return false;
}

void d1_names_of(const struct sql_stmt *s, struct d1_names *ret)
{
    ret->n = (unsigned)MIN((size_t)sql_n_columns(s), ARRAY_LEN(ret->ends));
    buf_clear(&ret->text);
    for (unsigned i = 0; i < ret->n; i++) {
        if (!d1_name_repeats(s, i, ret->n)) {
            json_quote(&ret->text, slice_of(sql_column_name(s, (int)i)));
            buf_append_char(&ret->text, ':');
        }
        ret->ends[i] = (uint32_t)buf_len(&ret->text);
    }
}

void d1_names_done(struct d1_names *names)
{
    buf_done(&names->text);
}

static struct slice d1_name(const struct d1_names *names, unsigned i)
{
    uint32_t start = i == 0 ? 0 : names->ends[i - 1];
    return slice_from(buf_slice(&names->text).ptr + start, names->ends[i] - start);
}

/* Few decimals, as prices and measures have: an integer over a power of ten that divides back to the same number, which
 * is what a parser computes too. Ten times as fast as printf. */
static bool d1_append_decimal(struct buf *out, double v)
{
    double power = 1;
    for (unsigned digits = 0; digits <= D1_DECIMALS_MAX; digits++, power *= 10) {
        double scaled = fabs(v) * power;
        if (scaled >= D1_EXACT_MAX)
            return false;
        uint64_t n = (uint64_t)scaled;
        if ((double)n != scaled || scaled / power != fabs(v))
            continue;
        if (v < 0)
            buf_append_char(out, '-');
        buf_append_u64(out, n / (uint64_t)power);
        if (digits > 0)
            buf_append_char(out, '.');
        for (uint64_t rest = n % (uint64_t)power, p = (uint64_t)power / 10; p > 0; p /= 10)
            buf_append_char(out, (char)('0' + rest / p % 10));
        return true;
    }
    return false;
}

void d1_append_double(struct buf *out, double v)
{
    if (!isfinite(v)) {
        buf_append_slice(out, SLICE("null"));
        return;
    }
    if ((v != 0 || !signbit(v)) && d1_append_decimal(out, v))
        return;
    char text[40];
    int n = snprintf(text, sizeof(text), "%.17g", v);
    buf_append(out, text, (size_t)n);
}

static void d1_append_int(struct buf *out, int64_t v)
{
    if (v < 0)
        buf_append_char(out, '-');
    buf_append_u64(out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/* D1 gives blobs as arrays of byte numbers. */
static void d1_append_blob(struct buf *out, struct slice bytes)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < bytes.len; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        buf_append_u64(out, (uint8_t)bytes.ptr[i]);
    }
    buf_append_char(out, ']');
}

static void d1_append_value(struct buf *out, struct sql_stmt *s, int i)
{
    struct sql_value v = sql_column(s, i);
    switch (v.type) {
    case SQL_INT:
        d1_append_int(out, v.integer);
        break;
    case SQL_DOUBLE:
        d1_append_double(out, v.real);
        break;
    case SQL_TEXT:
        json_quote(out, v.bytes);
        break;
    case SQL_BLOB:
        d1_append_blob(out, v.bytes);
        break;
    case SQL_NULL:
        buf_append_slice(out, SLICE("null"));
        break;
    }
}

static void d1_append_object(struct buf *out, struct sql_stmt *s, const struct d1_names *names)
{
    char before = '{';
    for (unsigned i = 0; i < names->n; i++) {
        struct slice name = d1_name(names, i);
        if (name.len == 0)
            continue;
        buf_append_char(out, before);
        before = ',';
        buf_append_slice(out, name);
        d1_append_value(out, s, (int)i);
    }
    if (before == '{')
        buf_append_char(out, before);
    buf_append_char(out, '}');
}

static void d1_append_array(struct buf *out, struct sql_stmt *s, unsigned n)
{
    buf_append_char(out, '[');
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        d1_append_value(out, s, (int)i);
    }
    buf_append_char(out, ']');
}

static void d1_append_columns(struct buf *out, const struct sql_stmt *s, unsigned n)
{
    buf_append_slice(out, SLICE("{\"columns\":["));
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        json_quote(out, slice_of(sql_column_name(s, (int)i)));
    }
    buf_append_slice(out, SLICE("],\"rows\":["));
}

static void d1_rows_begin(struct buf *out, const struct sql_stmt *s, const struct d1_names *names,
                          enum d1_shape shape)
{
    if (shape == D1_OBJECTS)
        buf_append_char(out, '[');
    else if (shape == D1_COLUMNS)
        d1_append_columns(out, s, names->n);
}

static void d1_rows_end(struct buf *out, enum d1_shape shape, uint64_t n)
{
    if (shape == D1_OBJECTS)
        buf_append_char(out, ']');
    else if (shape == D1_COLUMNS)
        buf_append_slice(out, SLICE("]}"));
    else if (n == 0)
        buf_append_slice(out, SLICE("null"));
}

int d1_rows_json(struct sql_stmt *s, const struct d1_names *names, enum d1_shape shape,
                 struct buf *out, uint64_t *ret_rows, struct err *err)
{
    uint64_t n = 0;
    int r;
    d1_rows_begin(out, s, names, shape);
    while ((r = sql_step(s, err)) == 1) {
        if (n > 0 && (shape == D1_OBJECTS || shape == D1_COLUMNS))
            buf_append_char(out, ',');
        n++;
        if (shape == D1_COLUMNS)
            d1_append_array(out, s, names->n);
        else if (shape == D1_OBJECTS || (shape == D1_FIRST && n == 1))
            d1_append_object(out, s, names);
        if (buf_len(out) > D1_ANSWER_MAX) {
            sql_reset(s);
            return err_set(err, -E2BIG, 0, "SQL query result set is too large to fit in memory.");
        }
        if (shape == D1_FIRST && sql_readonly(s)) {
            sql_reset(s);
            break;
        }
    }
    if (r < 0)
        return r;
    d1_rows_end(out, shape, n);
    *ret_rows = n;
    return 0;
}

void d1_bookmark_make(uint64_t number, const char *store, char ret[D1_BOOKMARK_SIZE])
{
    uint8_t sum[DIGEST_MAX];
    char hex[ID_HEX_SIZE];
    digest_of(DIGEST_MD5, slice_of(store), sum);
    snprintf(ret, D1_BOOKMARK_SIZE, "%08x-%08x-%08x-%s", (unsigned)number, 0u, 0u,
             hex_encode(sum, 16, hex));
}

void d1_bookmark_of(struct sql *db, const char *store, char ret[D1_BOOKMARK_SIZE])
{
    d1_bookmark_make(sql_txn_number(db), store, ret);
}

int d1_bookmark_number(struct slice bookmark, const char *store, uint64_t *ret)
{
    char text[D1_BOOKMARK_SIZE], made[D1_BOOKMARK_SIZE];
    if (slice_to_cstr(bookmark, text, sizeof(text)) < 0)
        return -EINVAL;
    uint64_t number = strtoul(text, NULL, 16);
    d1_bookmark_make(number, store, made);
    if (strcasecmp(text, made) != 0)
        return -EINVAL;
    *ret = number;
    return 0;
}
