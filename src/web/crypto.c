/*
 * Group `crypto`: randomness, digests, HMAC; ciphers and key derivation are in crypto_cipher.c.
 *
 * Kinds of digests are those of enum digest_kind, in the same order as in js/crypto.js.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "core/digest.h"
#include "core/id.h"
#include "web/web_impl.h"

enum { DIGEST_MAGIC = 0x64676573 };

static int crypto_kind(js_context ctx, size_t n_args, const js_value args[], size_t at)
{
    double kind = web_number(ctx, n_args, args, at);
    return kind >= 0 && kind < DIGEST_KINDS ? (int)kind : -EINVAL;
}

/* random(view) fills it and returns it. */
static JS_NATIVE(web_crypto_random)
{
    struct slice s;
    if (web_bytes(ctx, n_args, args, 0, &s) < 0)
        return js_throw(ctx, exception, "TypeError", "The view is detached.");
    id_random((void *)(uintptr_t)s.ptr, s.len);
    return args[0];
}

static JS_NATIVE(web_crypto_uuid)
{
    char text[ID_UUID_SIZE];
    return js_latin1(ctx, slice_of(id_uuid(text)));
}

static JS_NATIVE(web_crypto_digest)
{
    uint8_t value[DIGEST_MAX];
    struct slice data;
    int kind = crypto_kind(ctx, n_args, args, 0);
    if (kind < 0 || web_bytes(ctx, n_args, args, 1, &data) < 0)
        return js_throw(ctx, exception, "TypeError", "digest wants an algorithm and bytes");
    digest_of((enum digest_kind)kind, data, value);
    return js_bytes(ctx, slice_from(value, digest_size((enum digest_kind)kind)));
}

static JS_NATIVE(web_crypto_hmac)
{
    uint8_t value[DIGEST_MAX];
    struct slice key, data;
    int kind = crypto_kind(ctx, n_args, args, 0);
    if (kind < 0 || web_bytes(ctx, n_args, args, 1, &key) < 0 ||
        web_bytes(ctx, n_args, args, 2, &data) < 0)
        return js_throw(ctx, exception, "TypeError", "hmac wants an algorithm, a key and bytes");
    digest_hmac((enum digest_kind)kind, key, data, value);
    return js_bytes(ctx, slice_from(value, digest_size((enum digest_kind)kind)));
}

/* In time that depends on the length only. */
static JS_NATIVE(web_crypto_equal)
{
    struct slice a, b;
    if (web_bytes(ctx, n_args, args, 0, &a) < 0 || web_bytes(ctx, n_args, args, 1, &b) < 0)
        return js_throw(ctx, exception, "TypeError", "equal wants bytes twice");
    return js_bool(ctx, a.len == b.len && CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* --- piece by piece: a handle is an ArrayBuffer over this, as in zlib.c --- */

struct crypto_digest {
    uint32_t magic;
    enum digest_kind kind;
    struct digest *digest; /* owned; NULL once its value was taken */
};

static void crypto_digest_release(void *ptr, void *arg UNUSED)
{
    struct crypto_digest *d = ptr;
    digest_destroy(d->digest);
    free(d);
}

static JS_NATIVE(web_crypto_digest_open)
{
    int kind = crypto_kind(ctx, n_args, args, 0);
    if (kind < 0)
        return js_throw(ctx, exception, "TypeError", "digestOpen wants an algorithm");
    struct crypto_digest *d = mem_new(sizeof *d);
    *d = (struct crypto_digest){DIGEST_MAGIC, (enum digest_kind)kind,
                                digest_create((enum digest_kind)kind)};
    return js_bytes_take(ctx, d, sizeof *d, crypto_digest_release, NULL);
}

static struct crypto_digest *crypto_digest_handle(js_context ctx, size_t n_args,
                                                  const js_value args[])
{
    struct slice s;
    if (web_bytes(ctx, n_args, args, 0, &s) < 0 || s.len != sizeof(struct crypto_digest))
        return NULL;
    struct crypto_digest *d = (struct crypto_digest *)(uintptr_t)s.ptr;
    return d->magic == DIGEST_MAGIC && d->digest != NULL ? d : NULL;
}

static JS_NATIVE(web_crypto_digest_push)
{
    struct crypto_digest *d = crypto_digest_handle(ctx, n_args, args);
    struct slice data;
    if (d == NULL || web_bytes(ctx, n_args, args, 1, &data) < 0)
        return js_throw(ctx, exception, "TypeError", "digestPush wants a handle and bytes");
    digest_update(d->digest, data);
    return js_undefined(ctx);
}

static JS_NATIVE(web_crypto_digest_end)
{
    uint8_t value[DIGEST_MAX];
    struct crypto_digest *d = crypto_digest_handle(ctx, n_args, args);
    if (d == NULL)
        return js_throw(ctx, exception, "TypeError", "digestEnd wants a handle");
    digest_value(d->digest, value);
    digest_release(&d->digest);
    d->digest = NULL;
    return js_bytes(ctx, slice_from(value, digest_size(d->kind)));
}

const struct js_native_row web_crypto_rows[] = {
    {"random", web_crypto_random},
    {"uuid", web_crypto_uuid},
    {"digest", web_crypto_digest},
    {"hmac", web_crypto_hmac},
    {"equal", web_crypto_equal},
    {"digestOpen", web_crypto_digest_open},
    {"digestPush", web_crypto_digest_push},
    {"digestEnd", web_crypto_digest_end},
    {"cipher", web_crypto_cipher},
    {"pbkdf2", web_crypto_pbkdf2},
    {"hkdf", web_crypto_hkdf},
    {"pairGenerate", web_crypto_pair_generate},
    {"pairPublic", web_crypto_pair_public},
    {"pairSign", web_crypto_pair_sign},
    {"pairVerify", web_crypto_pair_verify},
    {"pairCrypt", web_crypto_pair_crypt},
    {"pairDerive", web_crypto_pair_derive},
};
const size_t web_crypto_n_rows = ARRAY_LEN(web_crypto_rows);
