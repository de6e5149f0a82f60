/*
 * Natives of node:zlib: zlibOpen(mode, windowBits, level, memLevel, strategy, dictionary) gives a handle, and
 * zlibWrite(handle, bytes, flush, limit) everything that comes out of these bytes.
 *
 * The rules of gunzip are Node's: members follow one another, zero bytes behind the last one are ignored.
 */
#include "node/zlib_impl.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    ZLIB_DEFLATE_COST = 256 * 1024,
    ZLIB_INFLATE_COST = 48 * 1024
}; /* what a state takes, about */

struct node_zlib {
    struct node_object object;
    enum zlib_mode mode;
    int window, level, mem_level, strategy;
    unsigned magic_seen; /* of gzip's two bytes, for UNZIP */
    z_stream stream;
    bool open;
    struct buf dictionary;
};

static void zlib_close(struct node_zlib *z)
{
    if (!z->open)
        return;
    if (z->mode == ZLIB_DEFLATE || z->mode == ZLIB_GZIP || z->mode == ZLIB_DEFLATERAW)
        deflateEnd(&z->stream);
    else
        inflateEnd(&z->stream);
    z->open = false;
}

static void zlib_finish(struct node_object *object)
{
    struct node_zlib *z = CONTAINER_OF(object, struct node_zlib, object);
    zlib_close(z);
    buf_done(&z->dictionary);
}

static bool zlib_compresses(const struct node_zlib *z)
{
    return z->mode == ZLIB_DEFLATE || z->mode == ZLIB_GZIP || z->mode == ZLIB_DEFLATERAW;
}

static int zlib_window(const struct node_zlib *z)
{
    switch (z->mode) {
    case ZLIB_GZIP:
    case ZLIB_GUNZIP:
        return z->window + 16;
    case ZLIB_UNZIP:
        return z->window + 32;
    case ZLIB_DEFLATERAW:
    case ZLIB_INFLATERAW:
        return -z->window;
    default:
        return z->window;
    }
}

static int zlib_set_dictionary(struct node_zlib *z)
{
    if (buf_len(&z->dictionary) == 0)
        return Z_OK;
    const Bytef *bytes = (const Bytef *)buf_slice(&z->dictionary).ptr;
    unsigned len = (unsigned)buf_len(&z->dictionary);
    if (zlib_compresses(z))
        return deflateSetDictionary(&z->stream, bytes, len);
    return z->mode == ZLIB_INFLATERAW ? inflateSetDictionary(&z->stream, bytes, len) : Z_OK;
}

static int zlib_begin(struct node_zlib *z)
{
    int window = zlib_window(z);
    int rc = zlib_compresses(z)
                 ? deflateInit2(&z->stream, z->level, Z_DEFLATED, window, z->mem_level, z->strategy)
                 : inflateInit2(&z->stream, window);
    z->open = rc == Z_OK;
    return rc == Z_OK ? zlib_set_dictionary(z) : rc;
}

static JS_NATIVE(node_zlib_open)
{
    struct node_zlib *z = mem_new(sizeof *z);
    z->object = (struct node_object){ZLIB_NODE_MAGIC, zlib_finish};
    z->mode = (enum zlib_mode)node_number(ctx, n_args, args, 0, ZLIB_DEFLATE);
    z->window = (int)node_number(ctx, n_args, args, 1, MAX_WBITS);
    z->level = (int)node_number(ctx, n_args, args, 2, Z_DEFAULT_COMPRESSION);
    z->mem_level = (int)node_number(ctx, n_args, args, 3, 8);
    z->strategy = (int)node_number(ctx, n_args, args, 4, Z_DEFAULT_STRATEGY);
    buf_append_slice(&z->dictionary, node_view(ctx, n_args, args, 5));
    int rc = zlib_begin(z);
    node_report_extra(zlib_compresses(z) ? ZLIB_DEFLATE_COST : ZLIB_INFLATE_COST);
    js_value handle = node_object_value(ctx, &z->object);
    return rc == Z_OK ? handle : js_number(ctx, rc);
}

static struct node_zlib *zlib_handle(js_context ctx, size_t n_args, const js_value args[])
{
    struct node_object *object = n_args > 0 ? node_object_of(ctx, args[0], ZLIB_NODE_MAGIC) : NULL;
    return object == NULL ? NULL : CONTAINER_OF(object, struct node_zlib, object);
}

static void zlib_job_run(struct vm_job *job)
{
    struct zlib_job *j = CONTAINER_OF(job, struct zlib_job, job);
    j->write(j);
}

static js_value zlib_job_value(struct vm_job *job, js_context ctx)
{
    struct zlib_job *j = CONTAINER_OF(job, struct zlib_job, job);
    js_value bytes = js_bytes_buf(ctx, &j->out);
    if (j->code == 0 && j->in.len == 0)
        return bytes;
    js_value parts[] = {js_number(ctx, j->code), js_string(ctx, slice_of(j->message)),
                        js_number(ctx, (double)j->in.len), bytes};
    return js_array(ctx, parts, ARRAY_LEN(parts));
}

static void zlib_job_finish(struct vm_job *job)
{
    struct zlib_job *j = CONTAINER_OF(job, struct zlib_job, job);
    buf_done(&j->copy);
    buf_done(&j->out);
}

js_value zlib_write(js_context ctx, size_t n_args, const js_value args[], size_t in_max,
                    const struct zlib_job *what)
{
    struct zlib_job *j = mem_new(sizeof *j);
    *j = *what;
    j->job =
        (struct vm_job){.run = zlib_job_run, .value = zlib_job_value, .finish = zlib_job_finish};
    j->in = node_view(ctx, n_args, args, 1);
    j->flush = (int)node_number(ctx, n_args, args, 2, 0);
    j->limit = node_number(ctx, n_args, args, 3, 1e16);
    j->message = "";
    j->job.here = j->in.len < ZLIB_JOB_IN_MIN || j->in.len > in_max;
    if (!j->job.here && n_args > 4 && js_is_function(ctx, args[4])) {
        buf_append_slice(&j->copy, j->in);
        j->in = buf_slice(&j->copy);
    }
    return vm_job_begin(ctx, &j->job, n_args > 4 ? args[4] : NULL);
}

bool zlib_piece_read(js_context ctx, size_t n_args, const js_value args[], struct zlib_piece *ret)
{
    struct slice out = node_view(ctx, n_args, args, 3), state = node_view(ctx, n_args, args, 4);
    *ret = (struct zlib_piece){.in = node_view(ctx, n_args, args, 2),
                               .out = (unsigned char *)(uintptr_t)out.ptr,
                               .out_len = MIN(out.len, UINT32_MAX),
                               .flush = (int)node_number(ctx, n_args, args, 1, 0),
                               .state = node_arg(ctx, n_args, args, 4)};
    return state.len >= 2 * sizeof(uint32_t) && ret->in.len <= UINT32_MAX;
}

js_value zlib_piece_answer(js_context ctx, const struct zlib_piece *piece, size_t in_left,
                           size_t out_left, int code, const char *message)
{
    struct slice state;
    uint32_t left[] = {(uint32_t)out_left, (uint32_t)in_left};
    if (js_view(ctx, piece->state, &state) == 0 && state.len >= sizeof left)
        memcpy((void *)(uintptr_t)state.ptr, left, sizeof left);
    if (code == 0)
        return js_undefined(ctx);
    js_value parts[] = {js_number(ctx, code), js_string(ctx, slice_of(message))};
    return js_array(ctx, parts, ARRAY_LEN(parts));
}

/* A member of a gzip file has ended: is there another one? */
static bool zlib_next_member(struct node_zlib *z, int rc)
{
    bool gzip = z->mode == ZLIB_GUNZIP || (z->mode == ZLIB_UNZIP && z->magic_seen == 2);
    return gzip && rc == Z_STREAM_END && z->stream.avail_in > 0 && z->stream.next_in[0] != 0 &&
           inflateReset(&z->stream) == Z_OK;
}

static int zlib_inflate(struct node_zlib *z, int flush)
{
    int rc = inflate(&z->stream, flush);
    if (rc != Z_NEED_DICT || buf_len(&z->dictionary) == 0)
        return rc;
    rc = inflateSetDictionary(&z->stream, (const Bytef *)buf_slice(&z->dictionary).ptr,
                              (unsigned)buf_len(&z->dictionary));
    if (rc == Z_OK)
        return inflate(&z->stream, flush);
    return rc == Z_DATA_ERROR ? Z_NEED_DICT : rc; /* the wrong dictionary */
}

static int zlib_run(struct node_zlib *z, int flush, size_t limit, struct buf *out)
{
    for (;;) {
        z->stream.next_out = (Bytef *)buf_reserve(out, ZLIB_PIECE);
        z->stream.avail_out = ZLIB_PIECE;
        int rc = zlib_compresses(z) ? deflate(&z->stream, flush) : zlib_inflate(z, flush);
        buf_added(out, ZLIB_PIECE - z->stream.avail_out);
        if (buf_len(out) > limit)
            return ZLIB_TOO_LARGE;
        if (zlib_next_member(z, rc))
            continue;
        bool full = z->stream.avail_out == 0;
        if (rc == Z_STREAM_END)
            return Z_OK;
        if (rc == Z_BUF_ERROR && !full)
            return flush == Z_FINISH ? Z_BUF_ERROR : Z_OK;
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return rc;
        if (!full && flush == Z_FINISH)
            return Z_BUF_ERROR;
        if (!full)
            return Z_OK;
    }
}

/* Which of the two formats is it? Only gzip begins with these bytes. */
static void zlib_look(struct node_zlib *z, struct slice in)
{
    static const unsigned char magic[] = {0x1f, 0x8b};
    for (size_t i = 0; z->mode == ZLIB_UNZIP && i < in.len && z->magic_seen < 2; i++) {
        if ((unsigned char)in.ptr[i] != magic[z->magic_seen])
            break;
        z->magic_seen++;
    }
}

static const char *zlib_message(const struct node_zlib *z, int code)
{
    if (code == Z_BUF_ERROR)
        return "unexpected end of file";
    if (code == Z_NEED_DICT)
        return buf_len((struct buf *)(uintptr_t)&z->dictionary) == 0 ? "Missing dictionary"
                                                                     : "Bad dictionary";
    return z->stream.msg == NULL ? "Zlib error" : z->stream.msg;
}

static void zlib_write_all(struct zlib_job *j)
{
    struct node_zlib *z = CONTAINER_OF(j->object, struct node_zlib, object);
    zlib_look(z, j->in);
    z->stream.next_in = (Bytef *)(uintptr_t)j->in.ptr;
    z->stream.avail_in = (unsigned)MIN(j->in.len, UINT32_MAX);
    j->code = zlib_run(z, j->flush, j->limit > 1e15 ? SIZE_MAX : (size_t)j->limit, &j->out);
    j->message = j->code == Z_OK ? "" : zlib_message(z, j->code);
    j->in = slice_skip(j->in, j->in.len - z->stream.avail_in);
}

static JS_NATIVE(node_zlib_write)
{
    struct node_zlib *z = zlib_handle(ctx, n_args, args);
    if (z == NULL || !z->open)
        return js_throw(ctx, exception, "Error", "zlib binding closed");
    return zlib_write(ctx, n_args, args, ZLIB_JOB_IN_MAX,
                      &(struct zlib_job){.write = zlib_write_all, .object = &z->object});
}

static int zlib_step(struct node_zlib *z, int flush)
{
    int rc = zlib_compresses(z) ? deflate(&z->stream, flush) : zlib_inflate(z, flush);
    while (zlib_next_member(z, rc))
        rc = zlib_inflate(z, flush);
    bool short_of_input = z->stream.avail_out != 0 && flush == Z_FINISH;
    if (rc == Z_OK || rc == Z_BUF_ERROR)
        return short_of_input ? Z_BUF_ERROR : Z_OK;
    return rc == Z_STREAM_END ? Z_OK : rc;
}

static JS_NATIVE(node_zlib_step)
{
    struct zlib_piece piece;
    struct node_zlib *z = zlib_handle(ctx, n_args, args);
    if (z == NULL || !z->open || !zlib_piece_read(ctx, n_args, args, &piece))
        return js_throw(ctx, exception, "Error", "zlib binding closed");
    zlib_look(z, piece.in);
    z->stream.next_in = (Bytef *)(uintptr_t)piece.in.ptr;
    z->stream.avail_in = (unsigned)piece.in.len;
    z->stream.next_out = piece.out;
    z->stream.avail_out = (unsigned)piece.out_len;
    int code = zlib_step(z, piece.flush);
    size_t in_left = z->stream.avail_in, out_left = z->stream.avail_out;
    z->stream.next_in = z->stream.next_out = NULL; /* they belong to the caller */
    z->stream.avail_in = z->stream.avail_out = 0;
    return zlib_piece_answer(ctx, &piece, in_left, out_left, code,
                             code == Z_OK ? "" : zlib_message(z, code));
}

static JS_NATIVE(node_zlib_reset)
{
    struct node_zlib *z = zlib_handle(ctx, n_args, args);
    if (z == NULL || !z->open)
        return js_undefined(ctx);
    z->magic_seen = 0;
    (void)(zlib_compresses(z) ? deflateReset(&z->stream)
                              : inflateReset(&z->stream)); /* fails only on a broken state */
    (void)zlib_set_dictionary(z);
    return js_undefined(ctx);
}

/* zlibParams(handle, level, strategy): behind a flush. What has not left yet stays; then nothing changes. */
static JS_NATIVE(node_zlib_params)
{
    struct node_zlib *z = zlib_handle(ctx, n_args, args);
    Bytef nowhere;
    if (z == NULL || !z->open || !zlib_compresses(z))
        return js_undefined(ctx);
    z->stream.avail_in = 0;
    z->stream.next_out = &nowhere;
    z->stream.avail_out = 0;
    int rc = deflateParams(&z->stream, (int)node_number(ctx, n_args, args, 1, z->level),
                           (int)node_number(ctx, n_args, args, 2, z->strategy));
    z->stream.next_out = NULL;
    return js_number(ctx, rc);
}

static JS_NATIVE(node_zlib_close)
{
    struct node_zlib *z = zlib_handle(ctx, n_args, args);
    if (z != NULL)
        zlib_close(z);
    return js_undefined(ctx);
}

static JS_NATIVE(node_zlib_crc32)
{
    struct slice in = node_view(ctx, n_args, args, 0);
    unsigned long value = (unsigned long)node_number(ctx, n_args, args, 1, 0);
    return js_number(ctx, (double)crc32(value, (const Bytef *)in.ptr, (unsigned)in.len));
}

const struct js_native_row node_zlib_rows[] = {
    {"zlibOpen", node_zlib_open},       {"zlibWrite", node_zlib_write},
    {"zlibStep", node_zlib_step},       {"brotliStep", node_brotli_step},
    {"zstdStep", node_zstd_step},       {"zlibReset", node_zlib_reset},
    {"zlibParams", node_zlib_params},   {"zlibClose", node_zlib_close},
    {"crc32", node_zlib_crc32},         {"brotliOpen", node_brotli_open},
    {"brotliWrite", node_brotli_write}, {"brotliClose", node_brotli_close},
    {"zstdOpen", node_zstd_open},       {"zstdWrite", node_zstd_write},
    {"zstdReset", node_zstd_reset},     {"zstdClose", node_zstd_close},
};
const size_t node_zlib_n_rows = ARRAY_LEN(node_zlib_rows);
