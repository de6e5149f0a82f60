/*
 * Digests, HMAC and HKDF for node:crypto. Handles are as in node_impl.h.
 */
#include "node/crypto_impl.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>

enum { HASH_MAGIC = 0x6e686173 };

struct crypto_hash {
    struct node_object object;
    EVP_MD_CTX *md; /* one of the two is there */
    EVP_MAC_CTX *mac;
    size_t xof; /* bytes wanted of a function with any length; 0 = as it is */
};

/* --- errors --- */

static const char *crypto_library(int library)
{
    static const struct {
        int library;
        const char *name;
    } rows[] = {{ERR_LIB_BN, "BN_"},        {ERR_LIB_RSA, "RSA_"},   {ERR_LIB_DH, "DH_"},
                {ERR_LIB_EVP, "EVP_"},      {ERR_LIB_PEM, "PEM_"},   {ERR_LIB_ASN1, "ASN1_"},
                {ERR_LIB_EC, "EC_"},        {ERR_LIB_X509, "X509_"}, {ERR_LIB_DSA, "DSA_"},
                {ERR_LIB_PKCS12, "PKCS12_"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].library == library)
            return rows[i].name;
    return "";
}

js_value crypto_throw(js_context ctx, js_value *exception, const char *fallback)
{
    unsigned long error = ERR_peek_last_error();
    ERR_clear_error();
    if (error == 0)
        return js_throw(ctx, exception, "Error", "%s", fallback);
    char text[256];
    ERR_error_string_n(error, text, sizeof text);
    js_value e = js_error(ctx, "Error", slice_of(text));
    const char *reason = ERR_reason_error_string(error), *library = ERR_lib_error_string(error);
    if (library != NULL)
        js_set(ctx, e, "library", js_string(ctx, slice_of(library)));
    if (reason != NULL) {
        AUTO(buf_done) struct buf code = {0};
        buf_printf(&code, "ERR_OSSL_%s", crypto_library(ERR_GET_LIB(error)));
        for (const char *p = reason; *p != 0; p++)
            buf_append_char(&code, *p == ' ' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p));
        js_set(ctx, e, "reason", js_string(ctx, slice_of(reason)));
        js_set(ctx, e, "code", js_string(ctx, buf_slice(&code)));
    }
    return js_throw_value(exception, e);
}

/* --- digests --- */

void crypto_md_release(EVP_MD **md)
{
    EVP_MD_free(*md);
}

EVP_MD *crypto_md(js_context ctx, js_value name)
{
    char text[CRYPTO_NAME_MAX];
    node_name(ctx, name, text, sizeof text);
    const char *plain = strncasecmp(text, "RSA-", 4) == 0 ? text + 4 : text;
    EVP_MD *md = plain[0] == 0 ? NULL : EVP_MD_fetch(NULL, plain, NULL);
    if (md == NULL)
        ERR_clear_error();
    return md;
}

static void hash_finish(struct node_object *object)
{
    struct crypto_hash *h = CONTAINER_OF(object, struct crypto_hash, object);
    EVP_MD_CTX_free(h->md);
    EVP_MAC_CTX_free(h->mac);
}

static struct crypto_hash *hash_handle(js_context ctx, size_t n_args, const js_value args[])
{
    struct node_object *object = n_args > 0 ? node_object_of(ctx, args[0], HASH_MAGIC) : NULL;
    return object == NULL ? NULL : CONTAINER_OF(object, struct crypto_hash, object);
}

static struct crypto_hash *hash_new(void)
{
    struct crypto_hash *h = mem_new(sizeof *h);
    h->object = (struct node_object){HASH_MAGIC, hash_finish};
    return h;
}

static bool is_xof(const EVP_MD *md)
{
    return (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) != 0;
}

/* Another length than the digest's own is only there for some. */
static bool hash_length_fits(const EVP_MD *md, double length)
{
    return length < 0 || (is_xof(md) && length <= CRYPTO_OUT_MAX) || length == EVP_MD_get_size(md);
}

/* hashOpen(name, length): length -1 = the usual. undefined: no such digest; null: not that length. */
static JS_NATIVE(node_hash_open)
{
    AUTO(crypto_md_release) EVP_MD *md = crypto_md(ctx, node_arg(ctx, n_args, args, 0));
    double length = node_number(ctx, n_args, args, 1, -1);
    if (md == NULL)
        return js_undefined(ctx);
    if (!hash_length_fits(md, length))
        return js_null(ctx);
    struct crypto_hash *h = hash_new();
    h->xof = length >= 0 && is_xof(md) ? (size_t)length + 1 : 0;
    h->md = EVP_MD_CTX_new();
    EVP_DigestInit_ex(h->md, md, NULL);
    return node_object_value(ctx, &h->object);
}

static JS_NATIVE(node_hash_copy)
{
    struct crypto_hash *h = hash_handle(ctx, n_args, args);
    if (h == NULL || h->md == NULL)
        return js_throw(ctx, exception, "TypeError", "not a digest");
    struct crypto_hash *copy = hash_new();
    copy->xof = h->xof;
    copy->md = EVP_MD_CTX_new();
    EVP_MD_CTX_copy_ex(copy->md, h->md);
    return node_object_value(ctx, &copy->object);
}

static void mac_release(EVP_MAC **mac)
{
    EVP_MAC_free(*mac);
}

/* hmacOpen(name, key): undefined when there is no such digest. */
static JS_NATIVE(node_hmac_open)
{
    AUTO(crypto_md_release) EVP_MD *md = crypto_md(ctx, node_arg(ctx, n_args, args, 0));
    if (md == NULL)
        return js_undefined(ctx);
    struct slice key = node_view(ctx, n_args, args, 1);
    AUTO(mac_release) EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    struct crypto_hash *h = hash_new();
    h->mac = EVP_MAC_CTX_new(mac);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(
                               OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)EVP_MD_get0_name(md), 0),
                           OSSL_PARAM_construct_end()};
    int good =
        EVP_MAC_init(h->mac, (const unsigned char *)(key.len == 0 ? "" : key.ptr), key.len, params);
    js_value v = node_object_value(ctx, &h->object);
    return good == 1 ? v : crypto_throw(ctx, exception, "HMAC failed");
}

static JS_NATIVE(node_hash_update)
{
    struct crypto_hash *h = hash_handle(ctx, n_args, args);
    if (h == NULL)
        return js_throw(ctx, exception, "TypeError", "not a digest");
    struct slice data = node_view(ctx, n_args, args, 1);
    if (h->md != NULL)
        EVP_DigestUpdate(h->md, data.ptr, data.len);
    else
        EVP_MAC_update(h->mac, (const unsigned char *)data.ptr, data.len);
    return js_undefined(ctx);
}

static int hash_final(struct crypto_hash *h, struct buf *out)
{
    size_t len = h->xof > 0      ? h->xof - 1
                 : h->md != NULL ? (size_t)EVP_MD_CTX_get_size(h->md)
                                 : EVP_MAC_CTX_get_mac_size(h->mac);
    unsigned char *to = (unsigned char *)buf_reserve(out, len + 1);
    int good;
    if (h->md == NULL)
        good = EVP_MAC_final(h->mac, to, &len, len + 1);
    else if (h->xof > 0)
        good = len == 0 || EVP_DigestFinalXOF(h->md, to, len);
    else
        good = EVP_DigestFinal_ex(h->md, to, NULL);
    buf_added(out, len);
    return good == 1 ? 0 : -EIO;
}

static JS_NATIVE(node_hash_digest)
{
    AUTO(buf_done) struct buf out = {0};
    struct crypto_hash *h = hash_handle(ctx, n_args, args);
    if (h == NULL || hash_final(h, &out) < 0)
        return crypto_throw(ctx, exception, "digest failed");
    return js_bytes_buf(ctx, &out);
}

/* hashOnce(name, bytes): one crossing for the common case. */
static JS_NATIVE(node_hash_once)
{
    AUTO(crypto_md_release) EVP_MD *md = crypto_md(ctx, node_arg(ctx, n_args, args, 0));
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (md == NULL)
        return js_undefined(ctx);
    struct slice data = node_view(ctx, n_args, args, 1);
    if (!EVP_Digest(data.ptr, data.len, value, &len, md, NULL))
        return crypto_throw(ctx, exception, "digest failed");
    return js_bytes(ctx, slice_from(value, len));
}

static JS_NATIVE(node_hash_known)
{
    AUTO(crypto_md_release) EVP_MD *md = crypto_md(ctx, node_arg(ctx, n_args, args, 0));
    return js_bool(ctx, md != NULL);
}

/* --- key derivation that is fast; the slow ones are in crypto_slow.c --- */

size_t crypto_out_length(js_context ctx, size_t n_args, const js_value args[], size_t i)
{
    double n = node_number(ctx, n_args, args, i, 0);
    return n > 0 && n <= CRYPTO_OUT_MAX ? (size_t)n : 0;
}

static void kdf_release(EVP_KDF **kdf)
{
    EVP_KDF_free(*kdf);
}

static void kdf_ctx_release(EVP_KDF_CTX **ctx)
{
    EVP_KDF_CTX_free(*ctx);
}

/* nodeHkdf(digest, key, salt, info, length): undefined when there is no such digest. */
static JS_NATIVE(node_hkdf)
{
    AUTO(crypto_md_release) EVP_MD *md = crypto_md(ctx, node_arg(ctx, n_args, args, 0));
    AUTO(buf_done) struct buf out = {0};
    if (md == NULL)
        return js_undefined(ctx);
    AUTO(kdf_release) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    AUTO(kdf_ctx_release) EVP_KDF_CTX *k = EVP_KDF_CTX_new(kdf);
    static const char *const names[] = {OSSL_KDF_PARAM_KEY, OSSL_KDF_PARAM_SALT,
                                        OSSL_KDF_PARAM_INFO};
    OSSL_PARAM params[5], *p = params;
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                            (char *)(uintptr_t)EVP_MD_get0_name(md), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct slice s = node_view(ctx, n_args, args, i + 1);
        *p++ = OSSL_PARAM_construct_octet_string(names[i], (void *)(uintptr_t)s.ptr, s.len);
    }
    *p = OSSL_PARAM_construct_end();
    size_t len = crypto_out_length(ctx, n_args, args, 4);
    if (len > 0 && EVP_KDF_derive(k, (unsigned char *)buf_reserve(&out, len + 1), len, params) != 1)
        return crypto_throw(ctx, exception, "HKDF failed");
    buf_added(&out, len);
    return js_bytes_buf(ctx, &out);
}

const struct js_native_row node_crypto_rows[] = {
    {"hashOpen", node_hash_open},     {"hashCopy", node_hash_copy},
    {"hashUpdate", node_hash_update}, {"hashDigest", node_hash_digest},
    {"hashOnce", node_hash_once},     {"hashKnown", node_hash_known},
    {"hmacOpen", node_hmac_open},     {"hkdf", node_hkdf},
};
const size_t node_crypto_n_rows = ARRAY_LEN(node_crypto_rows);
