/*
 * KV in the isolate: reads in place on the namespace's files, writes by message to the keeper.
 *
 * The store is opened at the first read and kept. Bindings of one namespace share it, since LMDB's locks
 * belong to a process. Nothing here waits: a read is a walk through mapped pages.
 */
#include "product/kv/kv_product.h"

#include "core/clock.h"
#include "product/isolate.h"

#include <errno.h>
#include <unistd.h>

enum { KV_OPEN_TRIES = 400, KV_OPEN_PAUSE_US = 5000, KV_PATH_MAX = 256 };

/* What get() returns the value as. */
enum { KV_AS_TEXT, KV_AS_BYTES };

struct kv_reader {
    struct kv *kv;      /* owned; lives as long as the process */
    const char *mount;  /* borrowed from the spec */
    struct arena arena; /* keys of the call under way */
    struct buf out;
};

/* Another binding of the same namespace that has opened it. */
static struct kv_reader *kv_reader_shared(struct isolate *iso, const char *mount)
{
    struct binding *b;
    for (double i = 0; (b = isolate_binding(iso, i)) != NULL; i++) {
        struct kv_reader *r = b->product == &product_kv ? b->state : NULL;
        if (r != NULL && strcmp(r->mount, mount) == 0)
            return r;
    }
    return NULL;
}

static int kv_reader_open(struct isolate *iso, struct binding *b)
{
    const char *mount = json_str(b->config, "mount", "");
    b->state = kv_reader_shared(iso, mount);
    if (b->state != NULL)
        return 0;
    char path[KV_PATH_MAX];
    int r = isolate_mount_path(iso, mount, path, sizeof(path));
    if (r < 0)
        return r;
    struct kv *kv = NULL;
    /* The keeper may be about to open it after a restart. */
    for (unsigned i = 0; i < KV_OPEN_TRIES; i++) {
        r = kv_open(path, false, &kv);
        if (r != -ENOENT && r != -EAGAIN)
            break;
        usleep(KV_OPEN_PAUSE_US);
    }
    if (r < 0)
        return r;
    struct kv_reader *reader = mem_new(sizeof(*reader));
    reader->kv = kv;
    reader->mount = mount;
    b->state = reader;
    return 0;
}

/* The binding's reader, opened, or NULL after throwing. */
static struct kv_reader *kv_reader_of(js_context ctx, const js_value index, js_value *exception)
{
    struct isolate *iso = js_user(ctx);
    struct binding *b = isolate_binding(iso, js_to_number(ctx, index, -1));
    if (b == NULL || b->product != &product_kv) {
        js_throw(ctx, exception, "TypeError", "Illegal invocation");
        return NULL;
    }
    if (UNLIKELY(b->state == NULL)) {
        int r = kv_reader_open(iso, b);
        if (r < 0) {
            js_throw(ctx, exception, "Error",
                     "KV GET failed: 500 the namespace cannot be read (%d)", r);
            return NULL;
        }
    }
    struct kv_reader *reader = b->state;
    arena_reset(&reader->arena);
    buf_clear(&reader->out);
    return reader;
}

/* A key that may be used, or NULL after throwing. verb: "GET" and so on, for the text. */
static js_value kv_key_of(js_context ctx, js_value v, struct arena *arena, struct slice *ret,
                          const char *verb, js_value *exception)
{
    if (js_to_utf8(ctx, v, arena, ret) < 0)
        return js_throw(ctx, exception, "TypeError", "The key cannot be converted to a string.");
    if (ret->len == 0)
        return js_throw(ctx, exception, "TypeError", "Key name cannot be empty.");
    if (slice_eq(*ret, SLICE(".")) || slice_eq(*ret, SLICE("..")))
        return js_throw(ctx, exception, "TypeError", "\"%.*s\" is not allowed as a key name.",
                        SLICE_ARG(*ret));
    if (ret->len > KV_KEY_MAX)
        return js_throw(
            ctx, exception, "Error",
            "KV %s failed: 414 UTF-8 encoded length of %zu exceeds key length limit of %d.", verb,
            ret->len, KV_KEY_MAX);
    return v;
}

static js_value kv_value_as(js_context ctx, const struct kv_value *value, int kind)
{
    return kind == KV_AS_TEXT ? js_string(ctx, value->value) : js_bytes(ctx, value->value);
}

/* [value, metadata, expiration]; metadata null when there is none. */
static js_value kv_entry(js_context ctx, const struct kv_value *value, int kind)
{
    js_value parts[3] = {
        kv_value_as(ctx, value, kind),
        value->metadata.len > 0 ? js_json(ctx, value->metadata) : js_null(ctx),
        js_number(ctx, (double)value->expiration_s),
    };
    return js_array(ctx, parts, 3);
}

typedef js_value (*kv_shape)(js_context ctx, const struct kv_value *value, int kind);

static js_value kv_read(js_context ctx, const js_value args[], kv_shape shape, js_value *exception)
{
    struct kv_reader *reader = kv_reader_of(ctx, args[0], exception);
    struct slice key;
    if (reader == NULL || kv_key_of(ctx, args[1], &reader->arena, &key, "GET", exception) == NULL)
        return NULL;
    int r = kv_read_start(reader->kv);
    if (UNLIKELY(r < 0))
        return js_throw(ctx, exception, "Error",
                        "KV GET failed: 500 the namespace cannot be read (%d)", r);
    struct kv_value value;
    js_value result = NULL;
    r = kv_get(reader->kv, key, clock_wall_ms() / 1000, &value);
    if (r == 0)
        result = shape(ctx, &value, (int)js_to_number(ctx, args[2], KV_AS_TEXT));
    kv_read_end(reader->kv);
    if (r == 0 || r == -ENOENT)
        return r == 0 ? result : js_null(ctx);
    return js_throw(ctx, exception, "Error", "KV GET failed: 500 the namespace cannot be read (%d)",
                    r);
}

/* get(index, key, kind): string, ArrayBuffer or null. */
static JS_NATIVE(kv_native_get)
{
    CHECK(n_args == 3);
    return kv_read(ctx, args, kv_value_as, exception);
}

/* entry(index, key, kind): [value, metadata, expiration] or null. */
static JS_NATIVE(kv_native_entry)
{
    CHECK(n_args == 3);
    return kv_read(ctx, args, kv_entry, exception);
}

/* list(index, prefix, cursor, limit): what kv_list_json() says. */
static JS_NATIVE(kv_native_list)
{
    CHECK(n_args == 4);
    struct kv_reader *reader = kv_reader_of(ctx, args[0], exception);
    if (reader == NULL)
        return NULL;
    struct kv_listing l = {.limit = (size_t)js_to_number(ctx, args[3], KV_LIST_MAX),
                           .now_s = clock_wall_ms() / 1000};
    if (js_to_utf8(ctx, args[1], &reader->arena, &l.prefix) < 0 ||
        js_to_utf8(ctx, args[2], &reader->arena, &l.cursor) < 0)
        return js_throw(ctx, exception, "TypeError", "prefix and cursor must be strings.");
    if (l.prefix.len > KV_KEY_MAX)
        return js_throw(
            ctx, exception, "Error",
            "KV GET failed: 414 UTF-8 encoded length of %zu exceeds key length limit of %d.",
            l.prefix.len, KV_KEY_MAX);
    int r = kv_read_start(reader->kv);
    if (r == 0)
        r = kv_list_json(reader->kv, &l, &reader->out);
    kv_read_end(reader->kv);
    if (r == -EINVAL)
        return js_throw(ctx, exception, "Error", "KV GET failed: 400 Invalid cursor.");
    if (r < 0)
        return js_throw(ctx, exception, "Error",
                        "KV GET failed: 500 the namespace cannot be read (%d)", r);
    return js_json(ctx, buf_slice(&reader->out));
}

/* put(index, key, value, metadataJson or "", expiration, callback): the channel of the call. */
static JS_NATIVE(kv_native_put)
{
    CHECK(n_args == 6);
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf out = {0};
    struct msg_kv_put m = {.binding = (uint32_t)js_to_number(ctx, args[0], UINT32_MAX),
                           .expiration_s = (int64_t)js_to_number(ctx, args[4], 0)};
    if (kv_key_of(ctx, args[1], &arena, &m.key, "PUT", exception) == NULL)
        return NULL;
    if (js_to_utf8(ctx, args[3], &arena, &m.metadata) < 0)
        return js_throw(ctx, exception, "TypeError",
                        "The metadata cannot be converted to a string.");
    if (m.metadata.len > KV_METADATA_MAX)
        return js_throw(ctx, exception, "Error",
                        "KV PUT failed: 413 Metadata length of %zu exceeds limit of %d.",
                        m.metadata.len, KV_METADATA_MAX);
    msg_kv_put_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_kv_put, buf_slice(&out), args[2], args[5]);
}

/* remove(index, key, callback) */
static JS_NATIVE(kv_native_remove)
{
    CHECK(n_args == 3);
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf out = {0};
    struct msg_kv_delete m = {.binding = (uint32_t)js_to_number(ctx, args[0], UINT32_MAX)};
    if (kv_key_of(ctx, args[1], &arena, &m.key, "DELETE", exception) == NULL)
        return NULL;
    msg_kv_delete_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_kv_delete, buf_slice(&out), js_null(ctx), args[2]);
}

static const struct js_native_row kv_natives[] = {
    {"get", kv_native_get}, {"entry", kv_native_entry},   {"list", kv_native_list},
    {"put", kv_native_put}, {"remove", kv_native_remove},
};

const struct product product_kv = {
    .binding_type = "kv_namespace",
    .js_class = "KVNamespace",
    .store = "kv",
    .native_group = "kv",
    .natives = kv_natives,
    .n_natives = ARRAY_LEN(kv_natives),
    .ops = kv_ops,
    .n_ops = KV_N_OPS,
    .engine = &kv_engine,
};
