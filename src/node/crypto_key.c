/*
 * Asymmetric keys for node:crypto: parsing, writing, generating, and what they consist of.
 */
#include "node/crypto_impl.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* --- handles --- */

void crypto_pkey_release(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
}

void crypto_pkey_ctx_release(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

static void key_finish(struct node_object *object)
{
    EVP_PKEY_free(CONTAINER_OF(object, struct crypto_key, object)->pkey);
}

js_value crypto_key_value(js_context ctx, EVP_PKEY *pkey)
{
    struct crypto_key *key = mem_new(sizeof *key);
    *key = (struct crypto_key){{CRYPTO_KEY_MAGIC, key_finish}, pkey};
    return node_object_value(ctx, &key->object);
}

EVP_PKEY *crypto_key_arg(js_context ctx, size_t n_args, const js_value args[], size_t i)
{
    struct node_object *object = i < n_args ? node_object_of(ctx, args[i], CRYPTO_KEY_MAGIC) : NULL;
    return object == NULL ? NULL : CONTAINER_OF(object, struct crypto_key, object)->pkey;
}

static void decoder_release(OSSL_DECODER_CTX **d)
{
    OSSL_DECODER_CTX_free(*d);
}

static void encoder_release(OSSL_ENCODER_CTX **e)
{
    OSSL_ENCODER_CTX_free(*e);
}

/* --- parsing --- */

static int no_passphrase(char *buf UNUSED, size_t size UNUSED, size_t *len,
                         const OSSL_PARAM params[] UNUSED, void *asked)
{
    *(bool *)asked = true;
    *len = 0;
    return 0;
}

static EVP_PKEY *key_from_certificate(struct slice data)
{
    BIO *bio = BIO_new_mem_buf(data.ptr, (int)data.len);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_PKEY *pkey = cert == NULL ? NULL : X509_get_pubkey(cert);
    X509_free(cert);
    BIO_free(bio);
    return pkey;
}

/* keyParse(bytes, private, "PEM" | "DER", structure or "", passphrase): a handle; null when a passphrase is missing;
 * throws otherwise. Structures: "pkcs1" → "type-specific", "pkcs8" → "PrivateKeyInfo", "spki" → "SubjectPublicKeyInfo". */
static JS_NATIVE(node_key_parse)
{
    struct slice data = node_view(ctx, n_args, args, 0);
    bool private = n_args > 1 && js_is_true(ctx, args[1]), asked = false;
    char format[16], structure[40];
    node_name(ctx, node_arg(ctx, n_args, args, 2), format, sizeof format);
    node_name(ctx, node_arg(ctx, n_args, args, 3), structure, sizeof structure);
    if (!private && slice_find_slice(data, SLICE("-----BEGIN CERTIFICATE")) >= 0) {
        EVP_PKEY *from_cert = key_from_certificate(data);
        return from_cert == NULL ? crypto_throw(ctx, exception, "not a certificate")
                                 : crypto_key_value(ctx, from_cert);
    }
    EVP_PKEY *pkey = NULL;
    AUTO(decoder_release)
    OSSL_DECODER_CTX *d = OSSL_DECODER_CTX_new_for_pkey(
        &pkey, format[0] == 0 ? NULL : format, structure[0] == 0 ? NULL : structure, NULL,
        private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, NULL, NULL);
    struct slice passphrase = node_view(ctx, n_args, args, 4);
    if (n_args > 4 && !js_is_nullish(ctx, args[4]))
        OSSL_DECODER_CTX_set_passphrase(d, (const unsigned char *)passphrase.ptr, passphrase.len);
    else
        OSSL_DECODER_CTX_set_passphrase_cb(d, no_passphrase, &asked);
    const unsigned char *p = (const unsigned char *)data.ptr;
    size_t len = data.len;
    if (OSSL_DECODER_from_data(d, &p, &len) == 1 && pkey != NULL)
        return crypto_key_value(ctx, pkey);
    if (!asked)
        return crypto_throw(ctx, exception, "unsupported key");
    ERR_clear_error();
    return js_null(ctx);
}

/* --- writing --- */

/* keyWrite(key, private, "PEM" | "DER", structure, cipher or "", passphrase): bytes */
static JS_NATIVE(node_key_write)
{
    EVP_PKEY *pkey = crypto_key_arg(ctx, n_args, args, 0);
    bool private = n_args > 1 && js_is_true(ctx, args[1]);
    char format[16], structure[40], cipher[40];
    node_name(ctx, node_arg(ctx, n_args, args, 2), format, sizeof format);
    node_name(ctx, node_arg(ctx, n_args, args, 3), structure, sizeof structure);
    node_name(ctx, node_arg(ctx, n_args, args, 4), cipher, sizeof cipher);
    if (pkey == NULL)
        return js_throw(ctx, exception, "TypeError", "not a key");
    int selection = private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
    AUTO(encoder_release)
    OSSL_ENCODER_CTX *e = OSSL_ENCODER_CTX_new_for_pkey(pkey, selection, format, structure, NULL);
    struct slice passphrase = node_view(ctx, n_args, args, 5);
    if (cipher[0] != 0) {
        if (!OSSL_ENCODER_CTX_set_cipher(e, cipher, NULL))
            return js_undefined(ctx);
        OSSL_ENCODER_CTX_set_passphrase(e, (const unsigned char *)passphrase.ptr, passphrase.len);
    }
    unsigned char *data = NULL;
    size_t len = 0;
    if (!OSSL_ENCODER_to_data(e, &data, &len))
        return crypto_throw(ctx, exception, "the key cannot be written in this form");
    js_value v = js_bytes(ctx, slice_from(data, len));
    OPENSSL_free(data);
    return v;
}

/* --- what a key is --- */

static const char *key_type(const EVP_PKEY *pkey)
{
    static const struct {
        const char *openssl, *node;
    } rows[] = {{"RSA", "rsa"},         {"RSA-PSS", "rsa-pss"}, {"EC", "ec"},
                {"ED25519", "ed25519"}, {"ED448", "ed448"},     {"X25519", "x25519"},
                {"X448", "x448"},       {"DSA", "dsa"},         {"DH", "dh"},
                {"DHX", "dh"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (EVP_PKEY_is_a(pkey, rows[i].openssl))
            return rows[i].node;
    return "";
}

static void bn_release(BIGNUM **n)
{
    BN_clear_free(*n);
}

/* A number of the key as big-endian bytes, at least `width` of them; undefined when it has none. */
static js_value key_number(js_context ctx, const EVP_PKEY *pkey, const char *name, int width)
{
    AUTO(bn_release) BIGNUM *n = NULL;
    if (!EVP_PKEY_get_bn_param(pkey, name, &n)) {
        ERR_clear_error();
        return js_undefined(ctx);
    }
    AUTO(buf_done) struct buf out = {0};
    int len = MAX(BN_num_bytes(n), width);
    BN_bn2binpad(n, (unsigned char *)buf_reserve(&out, (size_t)len + 1), len);
    buf_added(&out, (size_t)len);
    return js_bytes_buf(ctx, &out);
}

/* keyInfo(key): {type, bits, curve, publicExponent, hash, mgf, saltLength} */
static JS_NATIVE(node_key_info)
{
    EVP_PKEY *pkey = crypto_key_arg(ctx, n_args, args, 0);
    if (pkey == NULL)
        return js_throw(ctx, exception, "TypeError", "not a key");
    js_value info = js_object(ctx);
    char text[80];
    size_t len = 0;
    js_set(ctx, info, "type", js_string(ctx, slice_of(key_type(pkey))));
    js_set(ctx, info, "bits", js_number(ctx, EVP_PKEY_get_bits(pkey)));
    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, text, sizeof text, &len))
        js_set(ctx, info, "curve", js_string(ctx, slice_of(text)));
    js_set(ctx, info, "publicExponent", key_number(ctx, pkey, OSSL_PKEY_PARAM_RSA_E, 0));
    int salt = 0;
    if (EVP_PKEY_is_a(pkey, "RSA-PSS")) {
        if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_RSA_DIGEST, text, sizeof text,
                                           &len))
            js_set(ctx, info, "hash", js_string(ctx, slice_of(text)));
        if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_RSA_MGF1_DIGEST, text, sizeof text,
                                           &len))
            js_set(ctx, info, "mgf", js_string(ctx, slice_of(text)));
        if (EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_RSA_PSS_SALTLEN, &salt))
            js_set(ctx, info, "saltLength", js_number(ctx, salt));
    }
    ERR_clear_error();
    return info;
}

static void set_octets(js_context ctx, js_value object, const EVP_PKEY *pkey, const char *param,
                       const char *name)
{
    unsigned char bytes[256];
    size_t len = 0;
    if (EVP_PKEY_get_octet_string_param(pkey, param, bytes, sizeof bytes, &len))
        js_set(ctx, object, name, js_bytes(ctx, slice_from(bytes, len)));
    OPENSSL_cleanse(bytes, sizeof bytes);
}

/* keyParts(key, private): the numbers of a JWK, as bytes. */
static JS_NATIVE(node_key_parts)
{
    static const struct {
        const char *param, *name;
        bool private;
    } rsa[] = {
        {OSSL_PKEY_PARAM_RSA_N, "n", false},         {OSSL_PKEY_PARAM_RSA_E, "e", false},
        {OSSL_PKEY_PARAM_RSA_D, "d", true},          {OSSL_PKEY_PARAM_RSA_FACTOR1, "p", true},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, "q", true},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, "dp", true},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, "dq", true}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, "qi", true},
    };
    EVP_PKEY *pkey = crypto_key_arg(ctx, n_args, args, 0);
    bool private = n_args > 1 && js_is_true(ctx, args[1]);
    if (pkey == NULL)
        return js_throw(ctx, exception, "TypeError", "not a key");
    js_value parts = js_object(ctx);
    const char *type = key_type(pkey);
    if (strncmp(type, "rsa", 3) == 0) {
        for (size_t i = 0; i < ARRAY_LEN(rsa); i++)
            if (private || !rsa[i].private)
                js_set(ctx, parts, rsa[i].name, key_number(ctx, pkey, rsa[i].param, 0));
    } else if (strcmp(type, "ec") == 0) {
        int width = (EVP_PKEY_get_bits(pkey) + 7) / 8;
        js_set(ctx, parts, "x", key_number(ctx, pkey, OSSL_PKEY_PARAM_EC_PUB_X, width));
        js_set(ctx, parts, "y", key_number(ctx, pkey, OSSL_PKEY_PARAM_EC_PUB_Y, width));
        if (private)
            js_set(ctx, parts, "d", key_number(ctx, pkey, OSSL_PKEY_PARAM_PRIV_KEY, width));
    } else {
        set_octets(ctx, parts, pkey, OSSL_PKEY_PARAM_PUB_KEY, "x");
        if (private)
            set_octets(ctx, parts, pkey, OSSL_PKEY_PARAM_PRIV_KEY, "d");
    }
    ERR_clear_error();
    return parts;
}

static JS_NATIVE(node_key_equal)
{
    EVP_PKEY *a = crypto_key_arg(ctx, n_args, args, 0), *b = crypto_key_arg(ctx, n_args, args, 1);
    bool equal = a != NULL && b != NULL && EVP_PKEY_eq(a, b) == 1;
    ERR_clear_error();
    return js_bool(ctx, equal);
}

/* keyRaw(type, private, bytes): keys of Edwards and Montgomery curves from their bytes. */
static JS_NATIVE(node_key_raw)
{
    char type[16];
    node_name(ctx, node_arg(ctx, n_args, args, 0), type, sizeof type);
    bool private = n_args > 1 && js_is_true(ctx, args[1]);
    struct slice bytes = node_view(ctx, n_args, args, 2);
    EVP_PKEY *pkey = private ? EVP_PKEY_new_raw_private_key_ex(
                                   NULL, type, NULL, (const unsigned char *)bytes.ptr, bytes.len)
                             : EVP_PKEY_new_raw_public_key_ex(
                                   NULL, type, NULL, (const unsigned char *)bytes.ptr, bytes.len);
    if (pkey == NULL)
        ERR_clear_error();
    return pkey == NULL ? js_undefined(ctx) : crypto_key_value(ctx, pkey);
}

const struct js_native_row node_key_rows[] = {
    {"keyParse", node_key_parse}, {"keyWrite", node_key_write}, {"keyInfo", node_key_info},
    {"keyParts", node_key_parts}, {"keyEqual", node_key_equal}, {"keyRaw", node_key_raw},
};
const size_t node_key_n_rows = ARRAY_LEN(node_key_rows);
