#include "api/answer.h"

#include "api/call.h"
#include "api/request.h"
#include "net/http.h"

#include <errno.h>
#include <stdarg.h>

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

void api_answer_done(struct api_answer *answer)
{
    json_release(&answer->result);
    json_release(&answer->result_info);
    json_release(&answer->errors);
    json_release(&answer->messages);
    json_release(&answer->error_meta);
    buf_done(&answer->headers);
    buf_done(&answer->body);
    if (answer->stream != NULL)
        api_stream_drop(answer->stream);
    answer->stream = NULL;
    if (answer->kind == API_ANSWER_FILE)
        fd_release(&answer->file);
}

int api_ok_status(struct api_request *req, int status, json_t *result)
{
    struct api_answer *answer = &req->answer;
    json_release(&answer->result);
    answer->kind = API_ANSWER_JSON;
    answer->status = status;
    answer->result = result == NULL ? json_null() : result;
    return 0;
}

int api_ok(struct api_request *req, json_t *result)
{
    return api_ok_status(req, 200, result);
}

void api_set_info(struct api_request *req, json_t *result_info)
{
    json_release(&req->answer.result_info);
    req->answer.result_info = result_info;
}

int api_raw(struct api_request *req, int status, const char *content_type, struct slice body)
{
    req->answer.kind = API_ANSWER_RAW;
    req->answer.status = status;
    api_answer_header(req, "content-type", slice_of(content_type));
    buf_append_slice(&req->answer.body, body);
    return 0;
}

int api_file(struct api_request *req, int fd, int64_t offset, int64_t length)
{
    req->answer.kind = API_ANSWER_FILE;
    req->answer.status = 200;
    req->answer.file = fd;
    req->answer.file_offset = offset;
    req->answer.stream_length = length;
    return 0;
}

int api_streamed(struct api_request *req, struct api_stream *stream, int64_t length)
{
    req->answer.kind = API_ANSWER_STREAM;
    req->answer.status = 200;
    req->answer.stream = stream;
    req->answer.stream_length = length;
    return 0;
}

/* A value that cannot be a header is left out: it came from stored metadata, and the rest still counts. */
void api_answer_header(struct api_request *req, const char *name, struct slice value)
{
    if (http_value_ok(value))
        http_header_add(&req->answer.headers, slice_of(name), value);
}

/* --- pages --- */

void api_page_of(struct api_request *req, int64_t *ret_page, int64_t *ret_per_page)
{
    *ret_page = 1;
    *ret_per_page = PAGE_DEFAULT;
    /* A page that is no number is the first one. */
    if (api_query_int(req, "page", ret_page, NULL) < 0 || *ret_page < 1)
        *ret_page = 1;
    if (api_query_int(req, "per_page", ret_per_page, NULL) < 0 || *ret_per_page < 1)
        *ret_per_page = PAGE_DEFAULT;
    *ret_per_page = MIN(*ret_per_page, PAGE_MAX);
    *ret_page = MIN(*ret_page, INT32_MAX);
}

json_t *api_page_info(int64_t page, int64_t per_page, int64_t count, int64_t total)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "page", page, "per_page", per_page, "count",
                     count, "total_count", total, "total_pages", (total + per_page - 1) / per_page);
}

int api_ok_all(struct api_request *req, json_t *array)
{
    int64_t page, per_page, total = (int64_t)json_array_size(array);
    api_page_of(req, &page, &per_page);
    if (page > 1)
        json_array_clear(array);
    api_set_info(req, api_page_info(page, MAX(total, 1), (int64_t)json_array_size(array), total));
    return api_ok(req, array);
}

int api_ok_array_page(struct api_request *req, json_t *array)
{
    int64_t page, per_page, total = (int64_t)json_array_size(array);
    api_page_of(req, &page, &per_page);
    json_t *slice = json_array();
    for (int64_t i = (page - 1) * per_page; i < total && i < page * per_page; i++)
        json_array_append(slice, json_array_get(array, (size_t)i));
    json_decref(array);
    api_set_info(req, api_page_info(page, per_page, (int64_t)json_array_size(slice), total));
    return api_ok(req, slice);
}

int api_ok_page(struct api_request *req, struct err *err, const char *sql, const char *types, ...)
{
    AUTO(json_release) json_t *rows = NULL;
    va_list args;
    va_start(args, types);
    int r = db_rows_v(req->api->db, &rows, sql, types, &args);
    va_end(args);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the database cannot be read");
    return api_ok_array_page(req, TAKE(rows));
}

/* --- the end of a request --- */

int api_status_of(int r)
{
    static const struct {
        int error, status;
    } table[] = {
        {-ENOENT, 404},     {-EEXIST, 409}, {-EINVAL, 400},    {-EBADMSG, 400}, {-EACCES, 403},
        {-E2BIG, 413},      {-EDQUOT, 429}, {-ETIMEDOUT, 504}, {-EAGAIN, 503},  {-ESTALE, 409},
        {-EOPNOTSUPP, 501}, {-EPIPE, 503},  {-ECANCELED, 503}, {-ENOSPC, 507},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].error == r)
            return table[i].status;
    }
    return r < 0 ? 500 : 200;
}

void api_finish(struct api_request *req, int r, const struct err *err)
{
    struct api_answer *answer = &req->answer;
    if (r >= 0 && answer->kind != API_ANSWER_NONE)
        return;
    if (r >= 0)
        r = -EIO; /* a handler that answered nothing: our own mistake, told as one */
    if (answer->stream != NULL)
        api_stream_drop(TAKE(answer->stream));
    buf_clear(&answer->body);
    json_release(&answer->result);
    json_release(&answer->result_info);
    answer->result_info = NULL;
    answer->result = json_null();
    answer->kind = API_ANSWER_JSON;
    if (answer->status < 400)
        answer->status = api_status_of(r);
    int code = err->code == 0 ? API_ERR_INTERNAL : err->code;
    const char *text = err->text[0] == '\0' ? "internal error" : err->text;
    json_t *error = json_pack("{s:i, s:o}", "code", code, "message", api_text(slice_of(text)));
    if (answer->error_meta != NULL)
        json_object_set(error, "meta", answer->error_meta);
    json_release(&answer->errors);
    answer->errors = json_pack("[o]", error);
    /* A 409 that can never succeed must not be repeated by clients that repeat conflicts. */
    if (answer->status == 409)
        api_answer_header(req, "x-should-retry", SLICE("false"));
}

static void api_envelope_member(struct buf *out, const char *name, const json_t *value,
                                const char *absent)
{
    buf_printf(out, ",\"%s\":", name);
    if (value == NULL)
        buf_append_slice(out, slice_of(absent));
    else
        json_print(out, value);
}

void api_envelope(const struct api_answer *answer, struct buf *out)
{
    buf_printf(out, "{\"success\":%s", answer->status < 400 ? "true" : "false");
    api_envelope_member(out, "errors", answer->errors, "[]");
    api_envelope_member(out, "messages", answer->messages, "[]");
    api_envelope_member(out, "result", answer->result, "null");
    if (answer->result_info != NULL)
        api_envelope_member(out, "result_info", answer->result_info, "null");
    buf_append_char(out, '}');
}
