/*
 * One API request as a handler sees it. Work pool only, one thread at a time; everything it returns lives
 * as long as the request.
 */
#pragma once

#include "api/answer.h"
#include "api/api.h"
#include "api/token.h"
#include "core/arena.h"

enum {
    API_PARAMS_MAX = 8,
    API_ARENA_MAX = 256 * 1024 * 1024,
    API_MEMORY_BODY_MAX = 256 * 1024 /* larger bodies go to an unnamed file */
};

struct api_request {
    struct api *api;
    struct arena arena;
    struct slice method;
    struct slice target; /* as sent */
    struct slice path;   /* below /client/v4, still percent-encoded */
    struct slice query;  /* without "?" */
    struct slice headers, authority, remote_ip;
    bool tls, has_body;
    int64_t content_length; /* -1 = not said */
    char id[ID_HEX_SIZE];
    const struct api_route *route;
    struct slice params[API_PARAMS_MAX]; /* decoded, in the order of the route's path */
    struct api_principal who;
    struct buf body;       /* small bodies */
    int body_fd;           /* spooled ones; -1 = none */
    struct slice body_map; /* of body_fd, once asked for */
    uint64_t body_size;
    struct api_answer answer;
    /* The loop's: */
    struct api_stream *call; /* borrowed: the call under way that ends when the client goes away */
    bool gone;
};

void api_request_init(struct api_request *req, struct api *api);
void api_request_done(struct api_request *req);

/* A part of the path by its name in the route. "" when it holds a zero byte: no object has such a name. */
const char *api_param(const struct api_request *req, const char *name);
struct slice api_param_slice(const struct api_request *req, const char *name);
/* Decoded; the first of that name; fallback when absent. */
const char *api_query(struct api_request *req, const char *name, const char *fallback);
bool api_query_bool(struct api_request *req, const char *name, bool fallback);
NODISCARD int api_query_int(struct api_request *req, const char *name, int64_t *io_value,
                            struct err *err);
/* Every value of a repeated parameter: start with *at = 0. */
const char *api_query_next(struct api_request *req, const char *name, size_t *at);
/* "" when absent. */
struct slice api_header(const struct api_request *req, const char *name);

NODISCARD int api_body(struct api_request *req, struct slice *ret, struct err *err);
/* Read whatever the content type says; *ret is a new reference. */
NODISCARD int api_json(struct api_request *req, json_t **ret, struct err *err);
/* The same, and it is an object; an empty body is {} when `empty_ok`. */
NODISCARD int api_json_object(struct api_request *req, bool empty_ok, json_t **ret,
                              struct err *err);
/* A member that must be a non-empty string; NULL after setting err. */
const char *api_need_str(const json_t *object, const char *key, struct err *err);
/* A string that is always valid JSON text: bytes that are no UTF-8 become U+FFFD. */
json_t *api_text(struct slice s);
/* The address under which this client reaches the API: "http://127.0.0.1:8788". */
const char *api_origin(struct api_request *req);
