/*
 * R2 in the isolate: index and blobs are read in place, writes are messages to the keeper.
 *
 * A blob is opened for each piece that is read: no descriptor outlives a call, and what was deleted stays
 * readable for a minute (r2.c).
 */
#include "product/r2/r2.h"

#include "core/id.h"
#include "product/isolate.h"
#include "product/r2/r2_seal.h"
#include "store/blob.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct r2_reader {
    struct sql *db; /* owned; lives as long as the process */
    char path[R2_PATH_MAX];
    struct arena arena;
    struct buf out;
};

static int r2_reader_open(js_context ctx, struct binding *b, struct err *err)
{
    struct r2_reader *reader = mem_new(sizeof(*reader));
    int r = isolate_mount_path(js_user(ctx), json_str(b->config, "mount", ""), reader->path,
                               sizeof(reader->path));
    r = r < 0 ? err_set(err, r, 0, "the bucket is not mounted")
              : r2_index_open(reader->path, false, &reader->db, err);
    if (r < 0) {
        free(reader);
        return r;
    }
    b->state = reader;
    return 0;
}

static struct r2_reader *r2_reader_of(js_context ctx, js_value index, js_value *exception)
{
    struct binding *b = isolate_binding(js_user(ctx), js_to_number(ctx, index, -1));
    if (b == NULL || b->product != &product_r2) {
        js_throw(ctx, exception, "TypeError", "Illegal invocation");
        return NULL;
    }
    if (UNLIKELY(b->state == NULL)) {
        struct err err = {0};
        if (r2_reader_open(ctx, b, &err) < 0) {
            js_throw(ctx, exception, "Error", "%s (10001)", err.text);
            return NULL;
        }
    }
    struct r2_reader *reader = b->state;
    arena_reset(&reader->arena);
    buf_clear(&reader->out);
    return reader;
}

static js_value r2_throw(js_context ctx, js_value *exception, const struct err *err)
{
    return js_throw(ctx, exception, "Error", "%s", err->text);
}

/* The string argument as UTF-8; false after throwing. */
static bool r2_text(js_context ctx, js_value v, struct arena *arena, struct slice *ret,
                    js_value *exception)
{
    if (js_to_utf8(ctx, v, arena, ret) == 0)
        return true;
    js_throw(ctx, exception, "TypeError", "A value cannot be converted to a string.");
    return false;
}

static bool r2_key(js_context ctx, js_value v, struct arena *arena, struct slice *ret,
                   js_value *exception)
{
    struct err err = {0};
    if (!r2_text(ctx, v, arena, ret, exception))
        return false;
    if (ret->len <= R2_KEY_MAX)
        return true;
    (void)r2_fail(&err, -EINVAL, 10020);
    r2_throw(ctx, exception, &err);
    return false;
}

struct r2_found {
    bool passed;
    struct r2_span span;
    struct r2_seal seal;
};

static int r2_get_row(struct r2_reader *reader, const struct r2_row *row, const json_t *options,
                      struct r2_found *ret, struct err *err)
{
    ret->passed = r2_condition_of(json_object_get(options, "onlyIf"), row) == R2_HOLDS;
    int r = r2_range_of(json_object_get(options, "range"), (uint64_t)row->size, &ret->span, err);
    bool whole = r < 0;
    if (!ret->passed)
        r = 0;
    if (r == 0 && ret->passed)
        r = r2_seal_open(row->sealed, options, &ret->seal, err);
    if (r < 0)
        return r;
    r2_object_json(&reader->out, row, whole ? NULL : &ret->span);
    return 0;
}

/* What lies in the row, in range, and readable. */
static js_value r2_get_inline(js_context ctx, struct r2_reader *reader, const struct r2_row *row,
                              const struct r2_found *found)
{
    struct slice content = slice_from(row->content.ptr + found->span.offset, found->span.length);
    char version[BLOB_ID_SIZE];
    if (!found->seal.on)
        return js_bytes(ctx, content);
    if (slice_to_cstr(row->version, version, sizeof(version)) < 0 ||
        arena_copy(&reader->arena, content.ptr, content.len, &content) < 0)
        return js_null(ctx);
    r2_seal_apply(&found->seal, version, found->span.offset, (char *)content.ptr, content.len);
    return js_bytes(ctx, content);
}

/* [object, condition holds, inline content in range or null, offset, length, what decrypts blobs] */
static js_value r2_get_result(js_context ctx, struct r2_reader *reader, const struct r2_row *row,
                              const struct r2_found *found)
{
    char seal[2 * KEYSTREAM_KEY_SIZE + 1] = "";
    if (found->seal.on)
        hex_encode(found->seal.key, KEYSTREAM_KEY_SIZE, seal);
    js_value parts[6] = {
        js_json(ctx, buf_slice(&reader->out)),
        js_bool(ctx, found->passed),
        found->passed && row->is_inline ? r2_get_inline(ctx, reader, row, found) : js_null(ctx),
        js_number(ctx, (double)found->span.offset),
        js_number(ctx, (double)found->span.length),
        js_string(ctx, slice_of(seal)),
    };
    return js_array(ctx, parts, ARRAY_LEN(parts));
}

/* get(index, key, options as JSON or ""): null, or what r2_get_result() says. */
static JS_NATIVE(r2_native_get)
{
    CHECK(n_args == 3);
    AUTO(json_release) json_t *options = NULL;
    struct err err = {0};
    struct slice key, text;
    struct r2_reader *reader = r2_reader_of(ctx, args[0], exception);
    if (reader == NULL || !r2_key(ctx, args[1], &reader->arena, &key, exception) ||
        !r2_text(ctx, args[2], &reader->arena, &text, exception))
        return NULL;
    if (text.len > 0 && json_parse(text, &options, &err) < 0)
        return r2_throw(ctx, exception, &err);
    struct r2_row row = {0};
    struct r2_found found = {0};
    int r = r2_find(reader->db, key, true, &row, &err);
    if (r == -ENOENT)
        return js_null(ctx);
    if (r == 0)
        r = r2_get_row(reader, &row, options, &found, &err);
    js_value result =
        r < 0 ? r2_throw(ctx, exception, &err) : r2_get_result(ctx, reader, &row, &found);
    r2_row_done(&row);
    r2_seal_done(&found.seal);
    return result;
}

/* head(index, key): object or null. */
static JS_NATIVE(r2_native_head)
{
    CHECK(n_args == 2);
    struct err err = {0};
    struct slice key;
    struct r2_row row = {0};
    struct r2_reader *reader = r2_reader_of(ctx, args[0], exception);
    if (reader == NULL || !r2_key(ctx, args[1], &reader->arena, &key, exception))
        return NULL;
    int r = r2_find(reader->db, key, false, &row, &err);
    if (r == -ENOENT)
        return js_null(ctx);
    if (r < 0)
        return r2_throw(ctx, exception, &err);
    r2_object_json(&reader->out, &row, NULL);
    r2_row_done(&row);
    return js_json(ctx, buf_slice(&reader->out));
}

/* list(index, options as JSON) */
static JS_NATIVE(r2_native_list)
{
    CHECK(n_args == 2);
    AUTO(json_release) json_t *options = NULL;
    struct err err = {0};
    struct slice text;
    struct r2_reader *reader = r2_reader_of(ctx, args[0], exception);
    if (reader == NULL || !r2_text(ctx, args[1], &reader->arena, &text, exception))
        return NULL;
    if (json_parse(text, &options, &err) < 0 ||
        r2_list_json(reader->db, options, &reader->out, &err) < 0)
        return r2_throw(ctx, exception, &err);
    return js_json(ctx, buf_slice(&reader->out));
}

static void r2_bytes_free(void *ptr, void *arg)
{
    (void)arg;
    free(ptr);
}

/* All of [offset, offset + n) or a negative errno. */
static int r2_read_all(int fd, char *out, size_t n, off_t offset)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = pread(fd, out + at, n - at, offset + (off_t)at);
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        at += (size_t)got;
    }
    return 0;
}

struct r2_fill {
    const char *path;
    char *out;
    const struct r2_seal *seal;
};

static int r2_fill_piece(void *arg, const struct r2_piece *piece)
{
    struct r2_fill *fill = arg;
    AUTO(fd_release) int fd = blob_open(fill->path, piece->blob);
    int r = fd < 0 ? fd : r2_read_all(fd, fill->out, piece->length, (off_t)piece->offset);
    if (r == 0 && fill->seal->on)
        r2_seal_apply(fill->seal, piece->blob, piece->offset, fill->out, piece->length);
    fill->out += piece->length;
    return r;
}

static int r2_fill_span(struct r2_reader *reader, struct slice version, bool pieced,
                        const struct r2_span *span, struct r2_fill *fill)
{
    const char *out = fill->out;
    if (!pieced) {
        struct r2_piece one = {.offset = span->offset, .length = span->length};
        int r = slice_to_cstr(version, one.blob, sizeof(one.blob));
        return r < 0 ? r : r2_fill_piece(fill, &one);
    }
    int r = r2_pieces(reader->db, version, span, r2_fill_piece, fill);
    return r == 0 && fill->out != out + span->length ? -EIO : r;
}

/* read(index, version, offset, length, pieced, what decrypts or ""): ArrayBuffer */
static JS_NATIVE(r2_native_read)
{
    CHECK(n_args == 6);
    struct r2_seal seal = {0};
    struct slice key;
    struct err err = {0};
    struct slice version;
    struct r2_reader *reader = r2_reader_of(ctx, args[0], exception);
    if (reader == NULL || !r2_text(ctx, args[1], &reader->arena, &version, exception) ||
        !r2_text(ctx, args[5], &reader->arena, &key, exception))
        return NULL;
    seal.on = hex_decode(key, seal.key, sizeof(seal.key)) == 0;
    struct r2_span span = {.offset = (uint64_t)js_to_number(ctx, args[2], 0),
                           .length = (uint64_t)js_to_number(ctx, args[3], 0)};
    AUTO(mem_release) char *bytes = mem_try(span.length + 1);
    struct r2_fill fill = {reader->path, bytes, &seal};
    int r = bytes == NULL
                ? -ENOMEM
                : r2_fill_span(reader, version, js_to_number(ctx, args[4], 0) != 0, &span, &fill);
    r2_seal_done(&seal);
    if (r < 0) {
        (void)r2_fail(&err, r, 10001);
        return r2_throw(ctx, exception, &err);
    }
    return js_bytes_take(ctx, TAKE(bytes), span.length, r2_bytes_free, NULL);
}

/* put(index, key, body, options as JSON, size or -1, callback): the channel of the call. */
static JS_NATIVE(r2_native_put)
{
    CHECK(n_args == 6);
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf out = {0};
    struct msg_r2_put m = {.binding = (uint32_t)js_to_number(ctx, args[0], UINT32_MAX),
                           .size = (int64_t)js_to_number(ctx, args[4], -1)};
    if (!r2_key(ctx, args[1], &arena, &m.key, exception) ||
        !r2_text(ctx, args[3], &arena, &m.options, exception))
        return NULL;
    msg_r2_put_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_r2_put, buf_slice(&out), args[2], args[5]);
}

/* remove(index, keys as JSON, callback) */
static JS_NATIVE(r2_native_remove)
{
    CHECK(n_args == 3);
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf out = {0};
    struct msg_r2_delete m = {.binding = (uint32_t)js_to_number(ctx, args[0], UINT32_MAX)};
    if (!r2_text(ctx, args[1], &arena, &m.keys, exception))
        return NULL;
    msg_r2_delete_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_r2_delete, buf_slice(&out), js_null(ctx), args[2]);
}

/* multipartCreate(index, key, options as JSON, callback) */
static JS_NATIVE(r2_native_multipart_create)
{
    CHECK(n_args == 4);
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf out = {0};
    struct msg_r2_multipart_create m = {.binding =
                                            (uint32_t)js_to_number(ctx, args[0], UINT32_MAX)};
    if (!r2_key(ctx, args[1], &arena, &m.key, exception) ||
        !r2_text(ctx, args[2], &arena, &m.options, exception))
        return NULL;
    msg_r2_multipart_create_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_r2_multipart_create, buf_slice(&out), js_null(ctx), args[3]);
}

/* multipartPart(index, key, upload, number, body, size or -1, options as JSON, callback) */
static JS_NATIVE(r2_native_multipart_part)
{
    CHECK(n_args == 8);
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf out = {0};
    struct msg_r2_multipart_part m = {.binding = (uint32_t)js_to_number(ctx, args[0], UINT32_MAX),
                                      .number = (uint32_t)js_to_number(ctx, args[3], 0),
                                      .size = (int64_t)js_to_number(ctx, args[5], -1)};
    if (!r2_key(ctx, args[1], &arena, &m.key, exception) ||
        !r2_text(ctx, args[2], &arena, &m.upload, exception) ||
        !r2_text(ctx, args[6], &arena, &m.options, exception))
        return NULL;
    msg_r2_multipart_part_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_r2_multipart_part, buf_slice(&out), args[4], args[7]);
}

/* multipartComplete(index, key, upload, parts as JSON, callback) */
static JS_NATIVE(r2_native_multipart_complete)
{
    CHECK(n_args == 5);
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf out = {0};
    struct msg_r2_multipart_complete m = {
        .binding = (uint32_t)js_to_number(ctx, args[0], UINT32_MAX), .options = SLICE("{}")};
    if (!r2_key(ctx, args[1], &arena, &m.key, exception) ||
        !r2_text(ctx, args[2], &arena, &m.upload, exception) ||
        !r2_text(ctx, args[3], &arena, &m.parts, exception))
        return NULL;
    msg_r2_multipart_complete_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_r2_multipart_complete, buf_slice(&out), js_null(ctx),
                               args[4]);
}

/* multipartAbort(index, key, upload, callback) */
static JS_NATIVE(r2_native_multipart_abort)
{
    CHECK(n_args == 4);
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf out = {0};
    struct msg_r2_multipart_abort m = {.binding = (uint32_t)js_to_number(ctx, args[0], UINT32_MAX)};
    if (!r2_key(ctx, args[1], &arena, &m.key, exception) ||
        !r2_text(ctx, args[2], &arena, &m.upload, exception))
        return NULL;
    msg_r2_multipart_abort_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_r2_multipart_abort, buf_slice(&out), js_null(ctx), args[3]);
}

static const struct js_native_row r2_natives[] = {
    {"get", r2_native_get},
    {"head", r2_native_head},
    {"list", r2_native_list},
    {"read", r2_native_read},
    {"put", r2_native_put},
    {"remove", r2_native_remove},
    {"multipartCreate", r2_native_multipart_create},
    {"multipartPart", r2_native_multipart_part},
    {"multipartComplete", r2_native_multipart_complete},
    {"multipartAbort", r2_native_multipart_abort},
};

const struct product product_r2 = {
    .binding_type = "r2_bucket",
    .js_class = "R2Bucket",
    .store = "r2",
    .native_group = "r2",
    .natives = r2_natives,
    .n_natives = ARRAY_LEN(r2_natives),
    .ops = r2_ops,
    .n_ops = R2_N_OPS,
    .engine = &r2_engine,
};
