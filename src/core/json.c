/*
 * Jansson with our idioms.
 *
 * Printing is ours: jansson's own prints every real with 17 digits, so 0.1 would read
 * 0.10000000000000001 in API answers.
 */
#include "core/json.h"

#include "core/text_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { JSON_QUOTE_CHUNK = 4096, JSON_REAL_MAX = 40 };

void json_release(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

static int json_parse_with(struct slice text, size_t flags, json_t **ret, struct err *err)
{
    json_error_t e;
    const char *ptr = text.len == 0 ? "" : text.ptr;
    json_t *value = json_loadb(ptr, text.len, flags | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (value == NULL)
        return err_set(err, -EBADMSG, 0, "JSON line %d, column %d: %s", e.line, e.column, e.text);
    *ret = value;
    return 0;
}

int json_parse(struct slice text, json_t **ret, struct err *err)
{
    return json_parse_with(text, 0, ret, err);
}

int json_parse_nul(struct slice text, json_t **ret, struct err *err)
{
    return json_parse_with(text, JSON_ALLOW_NUL, ret, err);
}

void json_quote(struct buf *out, struct slice text)
{
    buf_append_char(out, '"');
    while (text.len > 0) {
        size_t room = MIN(text.len, (size_t)JSON_QUOTE_CHUNK) * TEXT_ESCAPE_MAX;
        buf_added(out, text_escape(&text, buf_reserve(out, room), room));
    }
    buf_append_char(out, '"');
}

/* The shortest of 15 to 17 digits that reads back as the same number; stays a real when read. */
static void json_print_real(struct buf *out, double v)
{
    char text[JSON_REAL_MAX];
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_append(out, text, (size_t)n);
    if (strpbrk(text, ".e") == NULL)
        buf_append_slice(out, SLICE(".0"));
}

static void json_print_object(struct buf *out, json_t *object)
{
    buf_append_char(out, '{');
    bool first = true;
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        if (!first)
            buf_append_char(out, ',');
        first = false;
        json_quote(out, slice_of(json_object_iter_key(it)));
        buf_append_char(out, ':');
        json_print(out, json_object_iter_value(it));
    }
    buf_append_char(out, '}');
}

static void json_print_array(struct buf *out, const json_t *array)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buf_append_char(out, ',');
        json_print(out, json_array_get(array, i));
    }
    buf_append_char(out, ']');
}

void json_print(struct buf *out, const json_t *value)
{
    CHECK(value != NULL);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_print_object(out, (json_t *)value); /* jansson's iterators are not const */
        break;
    case JSON_ARRAY:
        json_print_array(out, value);
        break;
    case JSON_STRING:
        json_quote(out, slice_from(json_string_value(value), json_string_length(value)));
        break;
    case JSON_INTEGER:
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        json_print_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_append_slice(out, SLICE("true"));
        break;
    case JSON_FALSE:
        buf_append_slice(out, SLICE("false"));
        break;
    case JSON_NULL:
        buf_append_slice(out, SLICE("null"));
        break;
    }
}

const char *json_str(const json_t *object, const char *key, const char *fallback)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s == NULL ? fallback : s;
}

int64_t json_int(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(object, key);
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

bool json_bool(const json_t *object, const char *key, bool fallback)
{
    const json_t *v = json_object_get(object, key);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}
