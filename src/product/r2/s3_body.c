/*
 * Bodies: plain ones with their SHA-256 in the head, and aws-chunked ones with a signature per chunk, with
 * trailers, or both. Chunks are put together in place: in memory, or in the unnamed file that holds the body.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */
#include "product/r2/s3_impl.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define S3_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum { S3_CHUNK_HEAD_MAX = 1024 };

static int s3_line(struct slice *rest, struct slice *ret)
{
    ssize_t at = slice_find_slice(slice_from(rest->ptr, MIN(rest->len, (size_t)S3_CHUNK_HEAD_MAX)),
                                  SLICE("\r\n"));
    if (at < 0)
        return -EBADMSG;
    *ret = slice_from(rest->ptr, (size_t)at);
    *rest = slice_skip(*rest, (size_t)at + 2);
    return 0;
}

static int s3_hex(struct slice text, uint64_t *ret)
{
    uint64_t n = 0;
    if (text.len == 0 || text.len > 12)
        return -EBADMSG;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;
        if (d == 16)
            return -EBADMSG;
        n = n * 16 + d;
    }
    *ret = n;
    return 0;
}

/* The signature of each piece covers the one before: `io_previous`. */
static int s3_chunk_verify(const struct s3_auth *auth, struct slice given, const char *kind,
                           struct slice data, char io_previous[S3_SIGNATURE_SIZE])
{
    AUTO(buf_done) struct buf text = {0};
    char hash[S3_SIGNATURE_SIZE], signature[S3_SIGNATURE_SIZE];
    bool trailer = strcmp(kind, "TRAILER") == 0;
    s3_sha256_hex(data, hash);
    buf_printf(&text, "AWS4-HMAC-SHA256-%s\n%.*s\n%.*s\n%s\n%s%s%s", kind, SLICE_ARG(auth->date),
               SLICE_ARG(auth->scope), io_previous, trailer ? "" : S3_EMPTY_SHA256,
               trailer ? "" : "\n", hash);
    s3_hmac_hex(auth, buf_slice(&text), signature);
    if (!secret_eq(slice_of(signature), given))
        return -EACCES;
    memcpy(io_previous, signature, S3_SIGNATURE_SIZE);
    return 0;
}

/* Fields behind the last chunk. With signatures the last of them signs the others. */
static int s3_trailers(const struct s3_auth *auth, struct slice rest, char *previous,
                       struct slice *ret)
{
    AUTO(buf_done) struct buf signed_text = {0};
    struct slice line, begin = rest;
    *ret = SLICE_NONE;
    while (rest.len > 0) {
        if (s3_line(&rest, &line) < 0)
            return -EBADMSG;
        if (line.len == 0)
            break;
        struct slice value = line, name = slice_cut(&value, ':');
        if (slice_eq(name, SLICE("x-amz-trailer-signature"))) {
            if (auth != NULL && s3_chunk_verify(auth, slice_trim(value), "TRAILER",
                                                buf_slice(&signed_text), previous) < 0)
                return -EACCES;
            auth = NULL;
            continue;
        }
        buf_printf(&signed_text, "%.*s:%.*s\n", SLICE_ARG(name), SLICE_ARG(slice_trim(value)));
        *ret = slice_from(begin.ptr, (size_t)(rest.ptr - begin.ptr));
    }
    return auth != NULL && ret->len > 0 ? -EACCES : 0;
}

int s3_chunks_decode(const struct s3_auth *auth, char *bytes, size_t len, size_t *ret_len,
                     struct slice *ret_trailers)
{
    struct slice rest = slice_from(bytes, len), line;
    char previous[S3_SIGNATURE_SIZE] = "";
    uint64_t n;
    size_t out = 0;
    if (auth != NULL)
        memcpy(previous, auth->signature, sizeof(previous));
    do {
        if (s3_line(&rest, &line) < 0)
            return -EBADMSG;
        struct slice signature = line;
        if (s3_hex(slice_cut(&signature, ';'), &n) < 0 || n > rest.len)
            return -EBADMSG;
        struct slice data = slice_from(rest.ptr, n);
        if (slice_starts(signature, SLICE("chunk-signature=")))
            signature = slice_skip(signature, 16);
        if (auth != NULL && s3_chunk_verify(auth, signature, "PAYLOAD", data, previous) < 0)
            return -EACCES;
        memmove(bytes + out, data.ptr, n);
        out += n;
        rest = slice_skip(rest, n);
        if (n > 0 && !slice_starts(rest, SLICE("\r\n")))
            return -EBADMSG;
        rest = slice_skip(rest, n > 0 ? 2 : 0);
    } while (n > 0);
    *ret_len = out;
    return s3_trailers(auth, rest, previous, ret_trailers);
}

/* --- where the bytes are --- */

static int s3_decode_memory(struct s3 *s, const struct s3_auth *auth)
{
    struct buf *body = &s->req->body;
    char *bytes = body->data == NULL ? NULL : body->data + body->start;
    size_t n = 0;
    int r = s3_chunks_decode(auth, bytes, buf_len(body), &n, &s->trailers);
    if (r == 0)
        r = arena_copy(&s->req->arena, s->trailers.ptr, s->trailers.len, &s->trailers);
    if (r == 0) {
        body->end = body->start + n;
        s->req->body_size = n;
    }
    return r;
}

static int s3_decode_file(struct s3 *s, const struct s3_auth *auth)
{
    struct api_request *req = s->req;
    size_t size = req->body_size, n = 0;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, req->body_fd, 0);
    if (map == MAP_FAILED)
        return -ENOMEM;
    int r = s3_chunks_decode(auth, map, size, &n, &s->trailers);
    if (r == 0)
        r = arena_copy(&req->arena, s->trailers.ptr, s->trailers.len, &s->trailers);
    munmap(map, size);
    if (r < 0)
        return r;
    if (n == 0)
        fd_release(&req->body_fd);
    if (n == 0)
        req->body_fd = -1;
    else if (ftruncate(req->body_fd, (off_t)n) < 0)
        return -errno;
    req->body_size = n;
    return 0;
}

static int s3_decode(struct s3 *s)
{
    bool is_signed = slice_starts(s->auth.payload, SLICE("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"));
    const struct s3_auth *auth = is_signed ? &s->auth : NULL;
    uint64_t length;
    int r = s->req->body_fd < 0 ? s3_decode_memory(s, auth) : s3_decode_file(s, auth);
    if (r == -EACCES)
        return s3_fail(s, S3_SIGNATURE);
    if (r < 0)
        return s3_fail(s, r == -EBADMSG ? S3_INCOMPLETE_BODY : S3_INTERNAL);
    if (slice_to_u64(s3_header(s, "x-amz-decoded-content-length"), &length) == 0 &&
        length != s->req->body_size)
        return s3_fail(s, S3_INCOMPLETE_BODY);
    return 0;
}

int s3_body_take(struct s3 *s)
{
    char hash[S3_SIGNATURE_SIZE];
    struct err err = {0};
    bool streaming = slice_starts(s->auth.payload, SLICE("STREAMING-"));
    int r = streaming && s->req->body_size > 0 ? s3_decode(s) : 0;
    if (r < 0)
        return r;
    if (api_body(s->req, &s->body, &err) < 0)
        return s3_fail(s, S3_INTERNAL);
    if (streaming || slice_eq(s->auth.payload, SLICE("UNSIGNED-PAYLOAD")))
        return 0;
    s3_sha256_hex(s->body, hash);
    return slice_eq_nocase(slice_of(hash), s->auth.payload) ? 0 : s3_fail(s, S3_SHA256_MISMATCH);
}
