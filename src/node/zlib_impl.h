/* One compressor or decompressor of node:zlib; zlib.h's formats in node_zlib.c, Brotli in node_brotli.c,
   Zstandard in node_zstd.c. */
#pragma once

#include "engine/vm_job.h"
#include "node/node_impl.h"

/* As in Node's constants. */
enum zlib_mode {
    ZLIB_DEFLATE = 1,
    ZLIB_INFLATE,
    ZLIB_GZIP,
    ZLIB_GUNZIP,
    ZLIB_DEFLATERAW,
    ZLIB_INFLATERAW,
    ZLIB_UNZIP,
    ZLIB_BROTLI_DECODE,
    ZLIB_BROTLI_ENCODE,
    ZLIB_MODES
};
enum { ZLIB_PIECE = 64 * 1024 };
enum {
    ZLIB_JOB_IN_MIN = 32 * 1024, /* less is done sooner than it is handed over */
    ZLIB_JOB_IN_MAX = 16 * 1024 * 1024,
    ZLIB_JOB_SLOW_IN_MAX = 1024 * 1024 /* of compressors that may take seconds for more */
};
enum { ZLIB_NODE_MAGIC = 0x6e7a6c62, ZLIB_BROTLI_MAGIC = 0x6e62726f, ZLIB_ZSTD_MAGIC = 0x6e7a7374 };
enum { ZLIB_TOO_LARGE = -1000 }; /* over the caller's limit of output */

/*
 * All of a stream in one go: Write(handle, bytes, flush, limit, callback), a job (engine/vm_job.h). Whoever gives the callback
 * keeps the handle alive and untouched until it is called. Answers the bytes, or [code, message, how many input bytes
 * were left, the bytes].
 */
struct zlib_job {
    struct vm_job job;
    void (*write)(struct zlib_job *j);
    struct node_object *object;
    struct buf copy; /* of the input, when it must last */
    struct slice in; /* write() takes from its front */
    int flush;
    double limit; /* bytes of output */
    struct buf out;
    int code;
    const char *message; /* of the format, or of the object */
};
/* in_max: how much input a thread of the pool takes on. */
js_value zlib_write(js_context ctx, size_t n_args, const js_value args[], size_t in_max,
                    const struct zlib_job *what);

/*
 * One write of a stream: Step(handle, flush, in, out, state) reads from `in`, writes into `out` and leaves what is left of
 * both in `state`, a Uint32Array of two: room in `out`, bytes of `in`.
 */
struct zlib_piece {
    struct slice in;
    unsigned char *out;
    size_t out_len;
    int flush;
    js_value state;
};
/* False when the arguments are not those of a Step. */
bool zlib_piece_read(js_context ctx, size_t n_args, const js_value args[], struct zlib_piece *ret);
/* undefined, or [code, message]; in_left and out_left go into the state. */
js_value zlib_piece_answer(js_context ctx, const struct zlib_piece *piece, size_t in_left,
                           size_t out_left, int code, const char *message);

#define NODE_NATIVE(name)                                                                          \
    js_value name(js_context, js_value, js_value, size_t, const js_value[], js_value *)
NODE_NATIVE(node_brotli_open);
NODE_NATIVE(node_brotli_write);
NODE_NATIVE(node_brotli_step);
NODE_NATIVE(node_brotli_close);
NODE_NATIVE(node_zstd_open);
NODE_NATIVE(node_zstd_write);
NODE_NATIVE(node_zstd_step);
NODE_NATIVE(node_zstd_reset);
NODE_NATIVE(node_zstd_close);
