/*
 * Back of a call: an object of a public bucket. The keeper finds it and passes the descriptor of its file, which the
 * front sends by itself; small objects, and those that came in parts, stream over the wire.
 */
#include "role/gateway.h"

#include "product/messages.h"
#include "product/r2/r2_cors.h"
#include "product/r2/r2_http.h"

#include <errno.h>

struct bucket_back {
    struct call *call;          /* NULL: nobody listens any more */
    struct wire_stream *stream; /* owned */
    bool head, preflight;
    struct r2_cors_request cors;
    struct buf kept; /* what cors borrows */
};

static void bucket_free(struct bucket_back *b)
{
    if (b->stream != NULL)
        wire_stream_close(b->stream, -ECANCELED);
    buf_done(&b->kept);
    mem_release(&b);
}

static void bucket_fail(struct bucket_back *b, int status, const char *text)
{
    struct call *c = b->call;
    bucket_free(b);
    call_fail(c, status, "%s", text);
}

/* --- the answer --- */

static const struct {
    const char *mark; /* at the end of the keeper's sentence */
    int status;
} bucket_errors[] = {{"(10007)", 404}, {"(10039)", 416}, {"(10090)", 400}};

static int bucket_status(struct slice text)
{
    for (size_t i = 0; i < ARRAY_LEN(bucket_errors); i++) {
        if (slice_ends(text, slice_of(bucket_errors[i].mark)))
            return bucket_errors[i].status;
    }
    return 500;
}

static void bucket_error(struct bucket_back *b, int64_t result, struct slice text)
{
    int status = result == -ENOENT ? 404 : bucket_status(text);
    bucket_fail(b, status,
                status == 404   ? "There is no such object in this bucket."
                : status == 416 ? "The requested range is not satisfiable."
                : status == 400 ? "The object is encrypted with a key of its owner's."
                                : "The object could not be read.");
}

static void bucket_preflight_answer(struct bucket_back *b, const json_t *cors)
{
    AUTO(buf_done) struct buf headers = {0};
    struct call *c = b->call;
    if (!r2_cors_answer(cors, &b->cors, &headers)) {
        bucket_fail(b, 403, "This bucket's rules do not allow the request from that origin.");
        return;
    }
    struct call_head head = {.status = 204, .headers = buf_slice(&headers), .end = true};
    bucket_free(b);
    call_back_done(c);
    call_respond(c, &head);
}

/* An answer without a body, or with one that follows in `data`, or with a file. */
static void bucket_answer(struct bucket_back *b, const struct msg_done *done, const json_t *object,
                          int fd, bool end)
{
    AUTO(buf_done) struct buf headers = {0};
    struct call *c = b->call;
    const json_t *range = json_object_get(object, "range");
    int64_t size = json_int(object, "size", 0);
    r2_http_fields(object, &headers);
    (void)r2_cors_answer(json_object_get(object, "cors"), &b->cors, &headers);
    struct call_head head = {
        .status = done->result == 2   ? 304
                  : done->result == 1 ? 412
                  : range != NULL     ? 206
                                      : 200,
        .headers = buf_slice(&headers),
        .content_length = done->result != 0 ? 0 : json_int(range, "length", size),
    };
    if (fd >= 0) {
        bucket_free(b);
        call_back_done(c);
        file_answer(c, fd, json_int(range, "offset", 0), &head);
        return;
    }
    head.end = end;
    if (end) {
        bucket_free(b);
        call_back_done(c);
    }
    call_respond(c, &head);
}

static void bucket_reply(struct wire_stream *s, struct slice args, int fd, bool end)
{
    struct bucket_back *b = wire_stream_user(s);
    AUTO(json_release) json_t *json = NULL;
    struct msg_done done;
    bool bad = msg_done_unpack(args, &done) < 0 ||
               (done.result >= 0 && done.json.len > 0 && json_parse(done.json, &json, NULL) < 0);
    if (bad || done.result < 0) {
        fd_release(&fd);
        bucket_error(b, bad ? -EIO : done.result, bad ? SLICE("") : done.text);
    } else if (b->preflight) {
        fd_release(&fd);
        bucket_preflight_answer(b, json);
    } else {
        bucket_answer(b, &done, json, fd, end);
    }
}

static void bucket_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct bucket_back *b = wire_stream_user(s);
    struct call *c = b->call;
    if (end) {
        bucket_free(b);
        call_back_done(c);
    }
    call_response_data(c, bytes, end);
}

static void bucket_reset(struct wire_stream *s, int reason UNUSED)
{
    struct bucket_back *b = wire_stream_user(s);
    bucket_fail(b, 503, "The store of this bucket does not answer. Try again.");
}

static const struct wire_stream_events bucket_events = {
    .reply = bucket_reply, .data = bucket_data, .reset = bucket_reset};

/* --- the back --- */

static void bucket_send(struct call *c UNUSED, struct slice bytes UNUSED, bool end UNUSED) {}

static size_t bucket_room(struct call *c UNUSED)
{
    return SIZE_MAX;
}

static void bucket_consumed(struct call *c, size_t n)
{
    struct bucket_back *b = c->back_data;
    wire_consumed(b->stream, n);
}

static void bucket_cancel(struct call *c, int reason UNUSED)
{
    bucket_free(c->back_data);
}

static const struct back_ops bucket_back = {
    .send = bucket_send, .room = bucket_room, .consumed = bucket_consumed, .cancel = bucket_cancel};

static struct slice bucket_header(const struct call *c, const char *name)
{
    struct slice value = SLICE("");
    return http_header_get(c->request.headers, slice_of(name), &value) ? value : SLICE("");
}

static struct slice bucket_keep(struct bucket_back *b, size_t at, size_t len)
{
    return slice_from(b->kept.data + b->kept.start + at, len);
}

/* Origin, method and headers of the request, which must outlive it. */
static void bucket_cors(struct bucket_back *b, const struct call *c)
{
    struct slice method = bucket_header(c, "access-control-request-method");
    struct slice fields[] = {bucket_header(c, "origin"),
                             method.len > 0 ? method : c->request.method,
                             bucket_header(c, "access-control-request-headers")};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        buf_append_slice(&b->kept, fields[i]);
    b->cors = (struct r2_cors_request){
        .origin = bucket_keep(b, 0, fields[0].len),
        .method = bucket_keep(b, fields[0].len, fields[1].len),
        .headers = bucket_keep(b, fields[0].len + fields[1].len, fields[2].len),
        .preflight = b->preflight,
    };
}

static void bucket_args(const struct bucket_back *b, const struct call *c, struct slice store,
                        struct slice key, struct buf *out)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(json_release)
    json_t *options =
        json_pack("{s:b, s:b, s:b}", "head", b->head, "pass", true, "cors", b->cors.origin.len > 0);
    json_t *range = r2_http_range(bucket_header(c, "range"));
    json_t *only_if = r2_http_condition(c->request.headers, "");
    if (range != NULL)
        json_object_set_new(options, "range", range);
    if (only_if != NULL)
        json_object_set_new(options, "onlyIf", only_if);
    json_print(&text, options);
    struct msg_r2_get m = {.store = store, .key = key, .options = buf_slice(&text)};
    msg_r2_get_pack(out, &m);
}

static void bucket_ask(struct call *c, struct bucket_back *b, uint16_t op, struct slice args)
{
    struct wire *w = c->gateway->keeper;
    b->call = c;
    b->stream = w == NULL ? NULL : wire_open(w, op, args, -1, true, &bucket_events, b);
    if (b->stream == NULL)
        bucket_fail(b, 503, "The store of this bucket does not answer. Try again.");
    else
        call_set_back(c, &bucket_back, b);
}

void bucket_start(struct call *c, const char *bucket)
{
    AUTO(buf_done) struct buf store = {0}, key = {0}, args = {0};
    struct slice method = c->request.method, rest = c->request.path;
    struct slice path = slice_cut(&rest, '?');
    bool preflight = slice_eq(method, SLICE("OPTIONS"));
    if (!preflight && !slice_eq(method, SLICE("GET")) && !slice_eq(method, SLICE("HEAD"))) {
        call_fail(c, 401, "Public buckets are read with GET and HEAD.");
        return;
    }
    if (r2_http_range_kind(bucket_header(c, "range")) >= R2_RANGE_BACKWARDS) {
        call_fail(c, 400, "The range must be one, of the form bytes=first-last.");
        return;
    }
    if (r2_http_key(path, &key) < 0 || (buf_len(&key) == 0 && !preflight)) {
        call_fail(c, 404, "There is no such object in this bucket.");
        return;
    }
    struct bucket_back *b = mem_new(sizeof(*b));
    b->head = slice_eq(method, SLICE("HEAD"));
    b->preflight = preflight;
    bucket_cors(b, c);
    buf_printf(&store, "r2/%s", bucket);
    if (preflight) {
        struct msg_r2_setting m = {.store = buf_slice(&store), .name = SLICE("cors")};
        msg_r2_setting_pack(&args, &m);
    } else {
        bucket_args(b, c, buf_slice(&store), buf_slice(&key), &args);
    }
    bucket_ask(c, b, preflight ? OP_r2_setting : OP_r2_get, buf_slice(&args));
}
