/*
 * Fields like metadata[bindings][][name] back into one object: how newer SDKs send JSON in forms.
 */
#include "api/multipart.h"

#include <errno.h>
#include <stdlib.h>

struct flat_path {
    char text[512];
    const char *keys[MULTIPART_PATH_MAX];
    unsigned n;
};

/* Members that are numbers or booleans; form fields are all text. */
static const char *const flat_typed[] = {
    "logpush",
    "enabled",
    "invocation_logs",
    "persist",
    "head_sampling_rate",
    "cpu_ms",
    "subrequests",
    "limit",
    "period",
    "delivery_delay",
    "keep_assets",
    "run_worker_first",
    "serve_directly",
    "percentage",
    "max_delay",
    "previews_enabled",
    "mitigation_timeout",
};

/* root[a][][b] -> a, "", b. False when the field is not one of root's; -E2BIG when it is too deep. */
static int flat_split(struct slice name, const char *root, struct flat_path *ret)
{
    struct slice prefix = slice_of(root);
    ret->n = 0;
    if (!slice_starts(name, prefix) || name.len <= prefix.len || name.ptr[prefix.len] != '[')
        return 0;
    if (slice_to_cstr(slice_skip(name, prefix.len), ret->text, sizeof(ret->text)) < 0)
        return -E2BIG;
    char *at = ret->text;
    while (*at == '[') {
        char *end = strchr(at, ']');
        if (end == NULL)
            return -EBADMSG;
        if (ret->n == MULTIPART_PATH_MAX)
            return -E2BIG;
        *end = '\0';
        ret->keys[ret->n++] = at + 1;
        at = end + 1;
    }
    return *at == '\0' ? 1 : -EBADMSG;
}

static bool flat_is_typed(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(flat_typed); i++) {
        if (strcmp(flat_typed[i], key) == 0)
            return true;
    }
    return false;
}

static json_t *flat_number(const char *text)
{
    char *end;
    errno = 0;
    long long integer = strtoll(text, &end, 10);
    if (*text != '\0' && *end == '\0' && errno == 0)
        return json_integer(integer);
    double real = strtod(text, &end);
    return *text != '\0' && *end == '\0' ? json_real(real) : NULL;
}

static json_t *flat_value(const char *key, struct slice text)
{
    char copy[64];
    if (flat_is_typed(key) && slice_to_cstr(text, copy, sizeof(copy)) == 0) {
        if (strcmp(copy, "true") == 0 || strcmp(copy, "false") == 0)
            return json_boolean(copy[0] == 't');
        json_t *number = flat_number(copy);
        if (number != NULL)
            return number;
    }
    return json_stringn(text.len == 0 ? "" : text.ptr, text.len);
}

/* The element that a field of a list belongs to: the last one, unless it already has that member. */
static json_t *flat_element(json_t *list, const struct flat_path *path, unsigned at)
{
    size_t n = json_array_size(list);
    json_t *last = n == 0 ? NULL : json_array_get(list, n - 1);
    bool leaf = at + 1 == path->n;
    if (last == NULL || leaf || !json_is_object(last) ||
        (at + 2 == path->n && json_object_get(last, path->keys[at + 1]) != NULL)) {
        last = json_object();
        json_array_append_new(list, last);
    }
    return last;
}

static int flat_put(json_t *root, const struct flat_path *path, struct slice text)
{
    json_t *at = root;
    for (unsigned i = 0; i < path->n; i++) {
        const char *key = path->keys[i];
        bool leaf = i + 1 == path->n;
        if (json_is_array(at)) {
            if (*key != '\0')
                return -EBADMSG;
            if (leaf)
                return json_array_append_new(at, flat_value(path->keys[i - 1], text)) < 0 ? -EBADMSG
                                                                                          : 0;
            at = flat_element(at, path, i);
            continue;
        }
        if (*key == '\0' || !json_is_object(at))
            return -EBADMSG;
        if (leaf)
            return json_object_set_new(at, key, flat_value(key, text)) < 0 ? -EBADMSG : 0;
        json_t *next = json_object_get(at, key);
        if (next == NULL) {
            next = *path->keys[i + 1] == '\0' ? json_array() : json_object();
            if (json_object_set_new(at, key, next) < 0)
                return -EBADMSG;
        }
        at = next;
    }
    return 0;
}

int multipart_unflatten(const struct multipart *m, const char *root, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *object = NULL;
    for (size_t i = 0; i < m->n; i++) {
        struct flat_path path;
        int r = flat_split(m->parts[i].name, root, &path);
        if (r == 0)
            continue;
        if (object == NULL)
            object = json_object();
        if (r > 0)
            r = flat_put(object, &path, m->parts[i].content);
        if (r < 0)
            return err_set(err, r, 0, "the form field %.*s cannot be understood",
                           (int)MIN(m->parts[i].name.len, (size_t)100), m->parts[i].name.ptr);
    }
    *ret = TAKE(object);
    return 0;
}
