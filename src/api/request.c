#include "api/request.h"

#include "api/text.h"
#include "net/http.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

void api_request_init(struct api_request *req, struct api *api)
{
    *req = (struct api_request){.api = api, .body_fd = -1};
    req->arena.limit = API_ARENA_MAX;
    id_hex(req->id);
    req->id[16] = '\0';
}

void api_request_done(struct api_request *req)
{
    if (req->body_map.ptr != NULL)
        munmap((void *)req->body_map.ptr, req->body_map.len);
    fd_release(&req->body_fd);
    buf_done(&req->body);
    api_answer_done(&req->answer);
    arena_done(&req->arena);
}

/* --- path --- */

struct slice api_param_slice(const struct api_request *req, const char *name)
{
    struct slice rest = slice_of(req->route->path);
    size_t index = 0, len = strlen(name);
    while (rest.len > 0) {
        struct slice part = slice_cut(&rest, '/');
        if (part.len == 0 || (part.ptr[0] != ':' && part.ptr[0] != '*'))
            continue;
        if (part.len == len + 1 && memcmp(part.ptr + 1, name, len) == 0)
            return req->params[index];
        index++;
    }
    panic(__FILE__, __LINE__, "the route has no parameter of this name");
}

const char *api_param(const struct api_request *req, const char *name)
{
    struct slice value = api_param_slice(req, name);
    return value.ptr == NULL || memchr(value.ptr, '\0', value.len) != NULL ? "" : value.ptr;
}

/* --- query --- */

static bool api_query_name_is(struct api_request *req, struct slice encoded, const char *name)
{
    struct slice decoded;
    if (text_percent_decode(&req->arena, encoded, true, &decoded) < 0)
        return false;
    return slice_eq(decoded, slice_of(name));
}

const char *api_query_next(struct api_request *req, const char *name, size_t *at)
{
    struct slice rest = slice_skip(req->query, *at), key, value, decoded;
    while (text_query_next(&rest, &key, &value)) {
        *at = req->query.len - rest.len;
        if (!api_query_name_is(req, key, name))
            continue;
        if (text_percent_decode(&req->arena, value, true, &decoded) == 0)
            return decoded.ptr;
    }
    return NULL;
}

const char *api_query(struct api_request *req, const char *name, const char *fallback)
{
    size_t at = 0;
    const char *value = api_query_next(req, name, &at);
    return value == NULL ? fallback : value;
}

bool api_query_bool(struct api_request *req, const char *name, bool fallback)
{
    const char *value = api_query(req, name, NULL);
    return value == NULL ? fallback : strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

int api_query_int(struct api_request *req, const char *name, int64_t *io_value, struct err *err)
{
    const char *text = api_query(req, name, NULL);
    if (text == NULL || *text == '\0')
        return 0;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text)
        return err_set(err, -EINVAL, API_ERR_INPUT, "the query parameter %s must be an integer",
                       name);
    *io_value = value;
    return 0;
}

struct slice api_header(const struct api_request *req, const char *name)
{
    struct slice value;
    if (http_header_get(req->headers, slice_of(name), &value))
        return value;
    return (struct slice){"", 0};
}

/* --- body --- */

int api_body(struct api_request *req, struct slice *ret, struct err *err)
{
    if (req->body_fd < 0) {
        *ret = buf_slice(&req->body);
        if (ret->ptr == NULL)
            *ret = (struct slice){"", 0};
        return 0;
    }
    if (req->body_map.ptr == NULL) {
        /* Nobody else has this unnamed file, so it cannot shrink beneath the map. */
        void *map = mmap(NULL, req->body_size, PROT_READ, MAP_PRIVATE, req->body_fd, 0);
        if (map == MAP_FAILED)
            return err_set(err, -ENOMEM, API_ERR_INTERNAL, "no room for the request body");
        req->body_map = slice_from(map, req->body_size);
    }
    *ret = req->body_map;
    return 0;
}

int api_json(struct api_request *req, json_t **ret, struct err *err)
{
    struct slice text = SLICE_NONE;
    struct err why = {0};
    int r = api_body(req, &text, err);
    if (r < 0)
        return r;
    r = json_parse(text, ret, &why);
    if (r < 0)
        return err_set(err, -EINVAL, API_ERR_BODY, "the request body is not valid JSON: %s",
                       why.text);
    return 0;
}

int api_json_object(struct api_request *req, bool empty_ok, json_t **ret, struct err *err)
{
    if (empty_ok && req->body_size == 0) {
        *ret = json_object();
        return 0;
    }
    AUTO(json_release) json_t *value = NULL;
    int r = api_json(req, &value, err);
    if (r < 0)
        return r;
    if (!json_is_object(value))
        return err_set(err, -EINVAL, API_ERR_BODY, "the request body must be a JSON object");
    *ret = TAKE(value);
    return 0;
}

const char *api_need_str(const json_t *object, const char *key, struct err *err)
{
    const char *value = json_str(object, key, "");
    if (*value != '\0')
        return value;
    (void)err_set(err, -EINVAL, API_ERR_INPUT, "%s must be a non-empty string", key);
    return NULL;
}

json_t *api_text(struct slice s)
{
    if (s.ptr == NULL)
        return json_string("");
    json_t *value = json_stringn(s.ptr, s.len);
    if (value != NULL)
        return value;
    AUTO(buf_done) struct buf clean = {0};
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < 0x80)
            buf_append_char(&clean, s.ptr[i]);
        else
            buf_append_slice(&clean, SLICE("\xEF\xBF\xBD"));
    }
    value = json_stringn(buf_cstr(&clean), buf_len(&clean));
    return value == NULL ? json_string("") : value;
}

const char *api_origin(struct api_request *req)
{
    const char *text = NULL;
    if (req->authority.len > 0)
        text = arena_printf(&req->arena, "%s://%.*s", req->tls ? "https" : "http",
                            SLICE_ARG(req->authority));
    else
        text = arena_printf(&req->arena, "http://127.0.0.1:%u", req->api->api_port);
    return text == NULL ? "" : text;
}
