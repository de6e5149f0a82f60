/*
 * Group `zlib`: open(format, inflate) → handle; push(handle, bytes, last) → ArrayBuffer, or undefined when
 * the data is broken; trailing(handle): did bytes follow the end?
 *
 * A handle is an ArrayBuffer whose memory is the state; the collector frees it. Only our own scripts ever
 * hold one, and they never read or write it.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "web/web_impl.h"

enum { ZLIB_MAGIC = 0x7a6c6962, ZLIB_PIECE = 64 * 1024 };
/* What a small body may become: a bomb fills the isolate's memory otherwise before its limit is seen. */
enum { ZLIB_OUT_MAX = 256 * 1024 * 1024 };

struct zlib_state {
    uint32_t magic;
    bool inflate, ended, trailing;
    z_stream stream;
};

static void zlib_release(void *ptr, void *arg UNUSED)
{
    struct zlib_state *z = ptr;
    if (z->inflate)
        inflateEnd(&z->stream);
    else
        deflateEnd(&z->stream);
    free(z);
}

/* windowBits of zlib.h; 0 when there is no such format. */
static int zlib_window(struct slice format)
{
    if (slice_eq(format, SLICE("gzip")))
        return MAX_WBITS + 16;
    if (slice_eq(format, SLICE("deflate")))
        return MAX_WBITS;
    return slice_eq(format, SLICE("deflate-raw")) ? -MAX_WBITS : 0;
}

static JS_NATIVE(web_zlib_open)
{
    AUTO(buf_done) struct buf format = {0};
    if (n_args < 2 || js_append_utf8(ctx, args[0], &format) < 0 ||
        zlib_window(buf_slice(&format)) == 0)
        return js_throw(ctx, exception, "TypeError", "zlib.open wants a format");
    struct zlib_state *z = mem_new(sizeof *z);
    z->magic = ZLIB_MAGIC;
    z->inflate = js_is_true(ctx, args[1]);
    int window = zlib_window(buf_slice(&format));
    int rc = z->inflate ? inflateInit2(&z->stream, window)
                        : deflateInit2(&z->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, 8,
                                       Z_DEFAULT_STRATEGY);
    if (rc != Z_OK) {
        free(z);
        return js_throw(ctx, exception, "Error", "out of memory");
    }
    return js_bytes_take(ctx, z, sizeof *z, zlib_release, NULL);
}

static struct zlib_state *zlib_handle(js_context ctx, size_t n_args, const js_value args[])
{
    struct slice s;
    if (web_bytes(ctx, n_args, args, 0, &s) < 0 || s.len != sizeof(struct zlib_state))
        return NULL;
    struct zlib_state *z = (struct zlib_state *)(uintptr_t)s.ptr;
    return z->magic == ZLIB_MAGIC ? z : NULL;
}

/* One call of the library; <0 ends with an error, 1 goes on, 0 has nothing more to do. */
static int zlib_step(struct zlib_state *z, bool last, struct buf *out)
{
    z->stream.next_out = (unsigned char *)buf_reserve(out, ZLIB_PIECE);
    z->stream.avail_out = ZLIB_PIECE;
    int rc = z->inflate ? inflate(&z->stream, Z_NO_FLUSH)
                        : deflate(&z->stream, last ? Z_FINISH : Z_NO_FLUSH);
    buf_added(out, ZLIB_PIECE - z->stream.avail_out);
    if (buf_len(out) > ZLIB_OUT_MAX)
        return -E2BIG;
    if (rc == Z_STREAM_END) {
        z->ended = true;
        return 0;
    }
    if (rc == Z_BUF_ERROR)
        return 0;
    if (rc != Z_OK)
        return -EBADMSG;
    return z->stream.avail_out == 0 || z->stream.avail_in > 0;
}

static int zlib_run(struct zlib_state *z, struct slice in, bool last, struct buf *out)
{
    z->stream.next_in = (unsigned char *)(uintptr_t)in.ptr;
    z->stream.avail_in = (unsigned)in.len;
    int r = z->ended ? 0 : 1;
    while (r > 0)
        r = zlib_step(z, last, out);
    if (r < 0)
        return r;
    if (z->ended && z->stream.avail_in > 0) {
        z->trailing = true;
        return -EBADMSG;
    }
    return last && !z->ended ? -EBADMSG : 0;
}

static JS_NATIVE(web_zlib_push)
{
    AUTO(buf_done) struct buf out = {0};
    struct zlib_state *z = zlib_handle(ctx, n_args, args);
    struct slice in;
    if (z == NULL || web_bytes(ctx, n_args, args, 1, &in) < 0 || in.len > UINT32_MAX)
        return js_throw(ctx, exception, "TypeError", "zlib.push wants a handle and bytes");
    if (zlib_run(z, in, n_args > 2 && js_is_true(ctx, args[2]), &out) < 0)
        return js_undefined(ctx);
    return js_bytes_buf(ctx, &out);
}

static JS_NATIVE(web_zlib_trailing)
{
    struct zlib_state *z = zlib_handle(ctx, n_args, args);
    return js_bool(ctx, z != NULL && z->trailing);
}

const struct js_native_row web_zlib_rows[] = {
    {"open", web_zlib_open},
    {"push", web_zlib_push},
    {"trailing", web_zlib_trailing},
};
const size_t web_zlib_n_rows = ARRAY_LEN(web_zlib_rows);
