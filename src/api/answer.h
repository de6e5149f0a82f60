/*
 * What a request is answered with: an envelope, raw bytes, or a stream that comes from another process.
 */
#pragma once

#include "api/api.h"

struct api_stream;

enum api_answer_kind {
    API_ANSWER_NONE,
    API_ANSWER_JSON,
    API_ANSWER_RAW,
    API_ANSWER_STREAM,
    API_ANSWER_FILE
};

struct api_answer {
    enum api_answer_kind kind;
    int status;
    json_t *result, *result_info, *errors, *messages; /* owned */
    json_t *error_meta;                               /* owned: errors[0].meta */
    struct buf headers;                               /* header block, extra fields */
    struct buf body;                                  /* raw bytes */
    struct api_stream *stream;                        /* owned until it is attached */
    int file; /* owned: API_ANSWER_FILE, stream_length bytes from file_offset */
    int64_t file_offset;
    int64_t stream_length; /* -1 unknown; of a raw answer: what HEAD says, 0 = the body's */
};

void api_answer_done(struct api_answer *answer);

/* All return 0, so that a handler ends in `return api_ok(req, value)`. `result` is stolen; NULL is null. */
int api_ok(struct api_request *req, json_t *result);
int api_ok_status(struct api_request *req, int status, json_t *result);
/* A list that is complete: result_info counts it; `page` beyond the first answers []. */
int api_ok_all(struct api_request *req, json_t *array);
/* One page of the rows of `sql` (without LIMIT), by page and per_page. */
NODISCARD int api_ok_page(struct api_request *req, struct err *err, const char *sql,
                          const char *types, ...);
void api_set_info(struct api_request *req, json_t *result_info);
/* Bytes without an envelope. */
int api_raw(struct api_request *req, int status, const char *content_type, struct slice body);
/* Part of a file, which is taken. */
int api_file(struct api_request *req, int fd, int64_t offset, int64_t length);
int api_streamed(struct api_request *req, struct api_stream *stream, int64_t length);
void api_answer_header(struct api_request *req, const char *name, struct slice value);

/* Turns a failed handler's result into the answer; 0 leaves it as it is. */
void api_finish(struct api_request *req, int r, const struct err *err);
int api_status_of(int r);
/* The envelope's text. */
void api_envelope(const struct api_answer *answer, struct buf *out);

/* One page of an array made in memory, with result_info; `array` is stolen. */
int api_ok_array_page(struct api_request *req, json_t *array);
/* page and per_page of the query, within limits. */
void api_page_of(struct api_request *req, int64_t *ret_page, int64_t *ret_per_page);
json_t *api_page_info(int64_t page, int64_t per_page, int64_t count, int64_t total);
