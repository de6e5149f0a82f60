/* Brotli for node:zlib: brotliOpen(encode, parameters) and brotliWrite(handle, bytes, operation, limit). */
#include "node/zlib_impl.h"

#include <brotli/decode.h>
#include <brotli/encode.h>

enum { BROTLI_ENCODER_COST = 4 * 1024 * 1024, BROTLI_DECODER_COST = 64 * 1024 };
enum { BROTLI_UNEXPECTED_END = -5 }; /* Z_BUF_ERROR: what Node gives */

struct node_brotli {
    struct node_object object;
    BrotliEncoderState *encoder; /* one of the two is there */
    BrotliDecoderState *decoder;
};

static void brotli_close(struct node_brotli *b)
{
    if (b->encoder != NULL)
        BrotliEncoderDestroyInstance(b->encoder);
    if (b->decoder != NULL)
        BrotliDecoderDestroyInstance(b->decoder);
    b->encoder = NULL;
    b->decoder = NULL;
}

static void brotli_finish(struct node_object *object)
{
    brotli_close(CONTAINER_OF(object, struct node_brotli, object));
}

static struct node_brotli *brotli_handle(js_context ctx, size_t n_args, const js_value args[])
{
    struct node_object *object =
        n_args > 0 ? node_object_of(ctx, args[0], ZLIB_BROTLI_MAGIC) : NULL;
    return object == NULL ? NULL : CONTAINER_OF(object, struct node_brotli, object);
}

JS_NATIVE(node_brotli_close)
{
    struct node_brotli *b = brotli_handle(ctx, n_args, args);
    if (b != NULL)
        brotli_close(b);
    return js_undefined(ctx);
}

static bool brotli_set(struct node_brotli *b, unsigned key, uint32_t value)
{
    if (b->encoder != NULL)
        return BrotliEncoderSetParameter(b->encoder, (BrotliEncoderParameter)key, value);
    return BrotliDecoderSetParameter(b->decoder, (BrotliDecoderParameter)key, value);
}

/* Parameters: a Uint32Array of pairs. False for one that the library does not take. */
static bool brotli_parameters(struct node_brotli *b, struct slice pairs)
{
    for (size_t at = 0; at + 2 * sizeof(uint32_t) <= pairs.len; at += 2 * sizeof(uint32_t)) {
        uint32_t pair[2];
        memcpy(pair, pairs.ptr + at, sizeof pair);
        if (!brotli_set(b, pair[0], pair[1]))
            return false;
    }
    return true;
}

JS_NATIVE(node_brotli_open)
{
    struct node_brotli *b = mem_new(sizeof *b);
    b->object = (struct node_object){ZLIB_BROTLI_MAGIC, brotli_finish};
    if (n_args > 0 && js_is_true(ctx, args[0]))
        b->encoder = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    else
        b->decoder = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    CHECK(b->encoder != NULL || b->decoder != NULL);
    node_report_extra(b->encoder != NULL ? BROTLI_ENCODER_COST : BROTLI_DECODER_COST);
    bool good = brotli_parameters(b, node_view(ctx, n_args, args, 1));
    js_value handle = node_object_value(ctx, &b->object);
    return good ? handle : js_undefined(ctx);
}

/* One piece of output; true when there is more to do. */
static bool brotli_step(struct node_brotli *b, BrotliEncoderOperation op, struct slice *in,
                        struct buf *out, int *ret_code)
{
    const uint8_t *next_in = (const uint8_t *)in->ptr;
    uint8_t *next_out = (uint8_t *)buf_reserve(out, ZLIB_PIECE);
    size_t avail_in = in->len, avail_out = ZLIB_PIECE;
    bool more = false;
    if (b->encoder != NULL) {
        if (!BrotliEncoderCompressStream(b->encoder, op, &avail_in, &next_in, &avail_out, &next_out,
                                         NULL))
            *ret_code = -2;
        more = BrotliEncoderHasMoreOutput(b->encoder) || avail_in > 0;
    } else {
        BrotliDecoderResult r = BrotliDecoderDecompressStream(b->decoder, &avail_in, &next_in,
                                                              &avail_out, &next_out, NULL);
        more = r == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
        if (r == BROTLI_DECODER_RESULT_ERROR)
            *ret_code = BrotliDecoderGetErrorCode(b->decoder);
        else if (r == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT && op == BROTLI_OPERATION_FINISH)
            *ret_code = BROTLI_UNEXPECTED_END;
    }
    buf_added(out, ZLIB_PIECE - avail_out);
    *in = slice_from(next_in, avail_in);
    return more && *ret_code == 0;
}

static const char *brotli_message(const struct node_brotli *b, int code)
{
    if (code == 0 || code == ZLIB_TOO_LARGE)
        return "";
    if (code == BROTLI_UNEXPECTED_END)
        return "unexpected end of file";
    return b->decoder != NULL ? BrotliDecoderErrorString((BrotliDecoderErrorCode)code)
                              : "Compression failed";
}

static void brotli_write_all(struct zlib_job *j)
{
    struct node_brotli *b = CONTAINER_OF(j->object, struct node_brotli, object);
    while (brotli_step(b, (BrotliEncoderOperation)j->flush, &j->in, &j->out, &j->code))
        if ((double)buf_len(&j->out) > j->limit)
            break;
    if ((double)buf_len(&j->out) > j->limit)
        j->code = ZLIB_TOO_LARGE;
    j->message = brotli_message(b, j->code);
}

JS_NATIVE(node_brotli_write)
{
    struct node_brotli *b = brotli_handle(ctx, n_args, args);
    if (b == NULL || (b->encoder == NULL && b->decoder == NULL))
        return js_throw(ctx, exception, "Error", "zlib binding closed");
    return zlib_write(ctx, n_args, args,
                      b->encoder != NULL ? ZLIB_JOB_SLOW_IN_MAX : ZLIB_JOB_IN_MAX,
                      &(struct zlib_job){.write = brotli_write_all, .object = &b->object});
}

JS_NATIVE(node_brotli_step)
{
    struct zlib_piece piece;
    struct node_brotli *b = brotli_handle(ctx, n_args, args);
    if (b == NULL || (b->encoder == NULL && b->decoder == NULL) ||
        !zlib_piece_read(ctx, n_args, args, &piece))
        return js_throw(ctx, exception, "Error", "zlib binding closed");
    const uint8_t *next_in = (const uint8_t *)piece.in.ptr;
    uint8_t *next_out = piece.out;
    size_t avail_in = piece.in.len, avail_out = piece.out_len;
    int code = 0;
    if (b->encoder != NULL) {
        if (!BrotliEncoderCompressStream(b->encoder, (BrotliEncoderOperation)piece.flush, &avail_in,
                                         &next_in, &avail_out, &next_out, NULL))
            code = -2;
    } else {
        BrotliDecoderResult r = BrotliDecoderDecompressStream(b->decoder, &avail_in, &next_in,
                                                              &avail_out, &next_out, NULL);
        if (r == BROTLI_DECODER_RESULT_ERROR)
            code = BrotliDecoderGetErrorCode(b->decoder);
        else if (r == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT &&
                 piece.flush == BROTLI_OPERATION_FINISH)
            code = BROTLI_UNEXPECTED_END;
    }
    return zlib_piece_answer(ctx, &piece, avail_in, avail_out, code, brotli_message(b, code));
}
