/*
 * Zstandard for node:zlib: zstdOpen(encode, parameters, size) and zstdWrite(handle, bytes, operation, limit).
 *
 * Parameters is an Int32Array of pairs; size is the number of bytes that will come, -1 when it is not known.
 */
#include "node/zlib_impl.h"

#include <stdio.h>

#include <zstd.h>
#include <zstd_errors.h>

enum { ZSTD_ENCODER_COST = 1280 * 1024, ZSTD_DECODER_COST = 256 * 1024 }; /* of a state, about */
enum { ZSTD_FAILED = -1 }; /* what upstream's errors have as errno */
enum { ZSTD_MESSAGE_MAX = 160 };

struct node_zstd {
    struct node_object object;
    ZSTD_CCtx *encoder; /* one of the two is there */
    ZSTD_DCtx *decoder;
    bool in_frame; /* of a decoder: the frame is not over */
    char message[ZSTD_MESSAGE_MAX];
};

static void zstd_close(struct node_zstd *z)
{
    ZSTD_freeCCtx(z->encoder); /* both accept NULL and cannot fail then */
    ZSTD_freeDCtx(z->decoder);
    z->encoder = NULL;
    z->decoder = NULL;
}

static void zstd_finish(struct node_object *object)
{
    zstd_close(CONTAINER_OF(object, struct node_zstd, object));
}

static struct node_zstd *zstd_handle(js_context ctx, size_t n_args, const js_value args[])
{
    struct node_object *object = n_args > 0 ? node_object_of(ctx, args[0], ZLIB_ZSTD_MAGIC) : NULL;
    return object == NULL ? NULL : CONTAINER_OF(object, struct node_zstd, object);
}

JS_NATIVE(node_zstd_close)
{
    struct node_zstd *z = zstd_handle(ctx, n_args, args);
    if (z != NULL)
        zstd_close(z);
    return js_undefined(ctx);
}

static size_t zstd_set(struct node_zstd *z, int key, int value)
{
    if (z->encoder != NULL)
        return ZSTD_CCtx_setParameter(z->encoder, (ZSTD_cParameter)key, value);
    return ZSTD_DCtx_setParameter(z->decoder, (ZSTD_dParameter)key, value);
}

/* 0, or the library's code of the first parameter that it does not take. */
static size_t zstd_parameters(struct node_zstd *z, struct slice pairs)
{
    size_t r = 0;
    for (size_t at = 0; at + 2 * sizeof(int32_t) <= pairs.len && !ZSTD_isError(r);
         at += 2 * sizeof(int32_t)) {
        int32_t pair[2];
        memcpy(pair, pairs.ptr + at, sizeof pair);
        r = zstd_set(z, pair[0], pair[1]);
    }
    return ZSTD_isError(r) ? r : 0;
}

/* The handle, or the sentence that says what is wrong with the parameters. */
JS_NATIVE(node_zstd_open)
{
    struct node_zstd *z = mem_new(sizeof *z);
    z->object = (struct node_object){ZLIB_ZSTD_MAGIC, zstd_finish};
    if (n_args > 0 && js_is_true(ctx, args[0]))
        z->encoder = ZSTD_createCCtx();
    else
        z->decoder = ZSTD_createDCtx();
    CHECK(z->encoder != NULL || z->decoder != NULL);
    node_report_extra(z->encoder != NULL ? ZSTD_ENCODER_COST : ZSTD_DECODER_COST);
    js_value handle = node_object_value(ctx, &z->object);
    double size = node_number(ctx, n_args, args, 2, -1);
    size_t r = zstd_parameters(z, node_view(ctx, n_args, args, 1));
    if (r == 0 && z->encoder != NULL && size >= 0)
        r = ZSTD_CCtx_setPledgedSrcSize(z->encoder, (unsigned long long)size);
    return ZSTD_isError(r) ? js_string(ctx, slice_of(ZSTD_getErrorName(r))) : handle;
}

/* One call of the library; true when there is more to do with more room. */
static bool zstd_call(struct node_zstd *z, ZSTD_EndDirective op, ZSTD_inBuffer *in,
                      ZSTD_outBuffer *out, int *ret_code)
{
    bool encodes = z->encoder != NULL;
    size_t r = encodes ? ZSTD_compressStream2(z->encoder, out, in, op)
                       : ZSTD_decompressStream(z->decoder, out, in);
    if (ZSTD_isError(r)) {
        snprintf(z->message, sizeof z->message, "Zstd %s failed: %s",
                 encodes ? "compression" : "decompression",
                 ZSTD_getErrorString(ZSTD_getErrorCode(r)));
        *ret_code = ZSTD_FAILED;
        return false;
    }
    if (encodes)
        return op == ZSTD_e_continue ? in->pos < in->size : r > 0;
    z->in_frame = r > 0;
    if (z->in_frame && (out->pos == out->size || in->pos < in->size))
        return true; /* what follows the end of a frame is ignored, as upstream */
    if (op == ZSTD_e_end && z->in_frame) {
        snprintf(z->message, sizeof z->message, "unexpected end of file");
        *ret_code = ZSTD_FAILED;
    }
    return false;
}

static bool zstd_step(struct node_zstd *z, ZSTD_EndDirective op, ZSTD_inBuffer *in, struct buf *out,
                      int *ret_code)
{
    ZSTD_outBuffer piece = {buf_reserve(out, ZLIB_PIECE), ZLIB_PIECE, 0};
    bool more = zstd_call(z, op, in, &piece, ret_code);
    buf_added(out, piece.pos);
    return more;
}

JS_NATIVE(node_zstd_step)
{
    struct zlib_piece piece;
    struct node_zstd *z = zstd_handle(ctx, n_args, args);
    if (z == NULL || (z->encoder == NULL && z->decoder == NULL) ||
        !zlib_piece_read(ctx, n_args, args, &piece))
        return js_throw(ctx, exception, "Error", "zlib binding closed");
    ZSTD_inBuffer in = {piece.in.ptr, piece.in.len, 0};
    ZSTD_outBuffer out = {piece.out, piece.out_len, 0};
    int code = 0;
    z->message[0] = '\0';
    if (in.size > 0 || z->encoder != NULL || z->in_frame)
        (void)zstd_call(z, (ZSTD_EndDirective)piece.flush, &in, &out, &code);
    return zlib_piece_answer(ctx, &piece, in.size - in.pos, out.size - out.pos, code, z->message);
}

static void zstd_write_all(struct zlib_job *j)
{
    struct node_zstd *z = CONTAINER_OF(j->object, struct node_zstd, object);
    ZSTD_inBuffer in = {j->in.ptr, j->in.len, 0};
    z->message[0] = '\0';
    if (in.size > 0 || z->encoder != NULL || z->in_frame) {
        while (zstd_step(z, (ZSTD_EndDirective)j->flush, &in, &j->out, &j->code))
            if ((double)buf_len(&j->out) > j->limit)
                break;
    }
    if ((double)buf_len(&j->out) > j->limit)
        j->code = ZLIB_TOO_LARGE;
    j->message = z->message;
    j->in = slice_skip(j->in, in.pos);
}

JS_NATIVE(node_zstd_write)
{
    struct node_zstd *z = zstd_handle(ctx, n_args, args);
    if (z == NULL || (z->encoder == NULL && z->decoder == NULL))
        return js_throw(ctx, exception, "Error", "zlib binding closed");
    return zlib_write(ctx, n_args, args,
                      z->encoder != NULL ? ZLIB_JOB_SLOW_IN_MAX : ZLIB_JOB_IN_MAX,
                      &(struct zlib_job){.write = zstd_write_all, .object = &z->object});
}

JS_NATIVE(node_zstd_reset)
{
    struct node_zstd *z = zstd_handle(ctx, n_args, args);
    if (z == NULL)
        return js_undefined(ctx);
    if (z->encoder != NULL)
        (void)ZSTD_CCtx_reset(z->encoder, ZSTD_reset_session_only); /* cannot fail for a session */
    if (z->decoder != NULL)
        (void)ZSTD_DCtx_reset(z->decoder, ZSTD_reset_session_only);
    z->in_frame = false;
    return js_undefined(ctx);
}
