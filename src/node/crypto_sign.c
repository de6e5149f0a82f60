/*
 * Signatures, public-key encryption, shared secrets and points on curves for node:crypto. Each is one crossing.
 */
#include "node/crypto_impl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { SIGN_DEFAULT = -1000 }; /* no padding or salt length given */

static void md_ctx_release(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static void ecdsa_release(ECDSA_SIG **sig)
{
    ECDSA_SIG_free(*sig);
}

/* --- signatures --- */

static int sign_options(EVP_PKEY_CTX *k, EVP_PKEY *pkey, int padding, int salt)
{
    if (!EVP_PKEY_is_a(pkey, "RSA") && !EVP_PKEY_is_a(pkey, "RSA-PSS"))
        return 1;
    if (padding != SIGN_DEFAULT && EVP_PKEY_CTX_set_rsa_padding(k, padding) != 1)
        return 0;
    bool pss = padding == RSA_PKCS1_PSS_PADDING || EVP_PKEY_is_a(pkey, "RSA-PSS");
    return !pss || salt == SIGN_DEFAULT || EVP_PKEY_CTX_set_rsa_pss_saltlen(k, salt) == 1;
}

static size_t ec_width(const EVP_PKEY *pkey)
{
    return (size_t)(EVP_PKEY_get_bits(pkey) + 7) / 8;
}

/* The DER form of an ECDSA signature as r and s, each as long as the field. */
static int sign_to_p1363(const EVP_PKEY *pkey, struct buf *sig)
{
    const unsigned char *p = (const unsigned char *)buf_slice(sig).ptr;
    AUTO(ecdsa_release) ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &p, (long)buf_len(sig));
    size_t width = ec_width(pkey);
    if (parsed == NULL)
        return 0;
    buf_clear(sig);
    unsigned char *to = (unsigned char *)buf_reserve(sig, 2 * width);
    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), to, (int)width);
    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), to + width, (int)width);
    buf_added(sig, 2 * width);
    return 1;
}

static int sign_from_p1363(const EVP_PKEY *pkey, struct slice raw, struct buf *out)
{
    size_t width = ec_width(pkey);
    if (raw.len != 2 * width)
        return 0;
    AUTO(ecdsa_release) ECDSA_SIG *sig = ECDSA_SIG_new();
    ECDSA_SIG_set0(sig, BN_bin2bn((const unsigned char *)raw.ptr, (int)width, NULL),
                   BN_bin2bn((const unsigned char *)raw.ptr + width, (int)width, NULL));
    unsigned char *der = NULL;
    int len = i2d_ECDSA_SIG(sig, &der);
    if (len > 0)
        buf_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return len > 0;
}

/* The digest of the arguments; for an EVP function NULL means the key's own. False: unknown. */
static bool sign_digest(js_context ctx, js_value name, EVP_MD **ret)
{
    *ret = js_is_nullish(ctx, name) ? NULL : crypto_md(ctx, name);
    return *ret != NULL || js_is_nullish(ctx, name);
}

/* keySign(digest or null, key, data, padding, saltLength, p1363): bytes; undefined for an unknown digest. */
static JS_NATIVE(node_key_sign)
{
    AUTO(crypto_md_release) EVP_MD *md = NULL;
    AUTO(md_ctx_release) EVP_MD_CTX *m = EVP_MD_CTX_new();
    AUTO(buf_done) struct buf sig = {0};
    EVP_PKEY *pkey = crypto_key_arg(ctx, n_args, args, 1);
    EVP_PKEY_CTX *k = NULL;
    if (pkey == NULL || !sign_digest(ctx, args[0], &md))
        return js_undefined(ctx);
    struct slice data = node_view(ctx, n_args, args, 2);
    int padding = (int)node_number(ctx, n_args, args, 3, SIGN_DEFAULT),
        salt = (int)node_number(ctx, n_args, args, 4, SIGN_DEFAULT);
    size_t len = 0;
    bool good = EVP_DigestSignInit_ex(m, &k, md == NULL ? NULL : EVP_MD_get0_name(md), NULL, NULL,
                                      pkey, NULL) == 1 &&
                sign_options(k, pkey, padding, salt) &&
                EVP_DigestSign(m, NULL, &len, (const unsigned char *)data.ptr, data.len) == 1 &&
                EVP_DigestSign(m, (unsigned char *)buf_reserve(&sig, len + 1), &len,
                               (const unsigned char *)data.ptr, data.len) == 1;
    if (!good)
        return crypto_throw(ctx, exception, "signing failed");
    buf_added(&sig, len);
    if (n_args > 5 && js_is_true(ctx, args[5]) && EVP_PKEY_is_a(pkey, "EC") &&
        !sign_to_p1363(pkey, &sig))
        return crypto_throw(ctx, exception, "signing failed");
    return js_bytes_buf(ctx, &sig);
}

/* keyVerify(digest or null, key, data, signature, padding, saltLength, p1363) */
static JS_NATIVE(node_key_verify)
{
    AUTO(crypto_md_release) EVP_MD *md = NULL;
    AUTO(md_ctx_release) EVP_MD_CTX *m = EVP_MD_CTX_new();
    AUTO(buf_done) struct buf der = {0};
    EVP_PKEY *pkey = crypto_key_arg(ctx, n_args, args, 1);
    EVP_PKEY_CTX *k = NULL;
    if (pkey == NULL || !sign_digest(ctx, args[0], &md))
        return js_undefined(ctx);
    struct slice data = node_view(ctx, n_args, args, 2), sig = node_view(ctx, n_args, args, 3);
    int padding = (int)node_number(ctx, n_args, args, 4, SIGN_DEFAULT),
        salt = (int)node_number(ctx, n_args, args, 5, SIGN_DEFAULT);
    if (n_args > 6 && js_is_true(ctx, args[6]) && EVP_PKEY_is_a(pkey, "EC")) {
        if (!sign_from_p1363(pkey, sig, &der))
            return js_bool(ctx, false);
        sig = buf_slice(&der);
    }
    if (EVP_DigestVerifyInit_ex(m, &k, md == NULL ? NULL : EVP_MD_get0_name(md), NULL, NULL, pkey,
                                NULL) != 1 ||
        !sign_options(k, pkey, padding, salt))
        return crypto_throw(ctx, exception, "verifying failed");
    int r = EVP_DigestVerify(m, (const unsigned char *)sig.ptr, sig.len,
                             (const unsigned char *)data.ptr, data.len);
    ERR_clear_error();
    return js_bool(ctx, r == 1);
}

/* --- encryption with a key pair --- */

typedef int (*crypt_init)(EVP_PKEY_CTX *);
typedef int (*crypt_run)(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);

static const struct {
    crypt_init init;
    crypt_run run;
} crypt_rows[] = {
    {EVP_PKEY_encrypt_init, EVP_PKEY_encrypt},               /* publicEncrypt */
    {EVP_PKEY_decrypt_init, EVP_PKEY_decrypt},               /* privateDecrypt */
    {EVP_PKEY_sign_init, EVP_PKEY_sign},                     /* privateEncrypt */
    {EVP_PKEY_verify_recover_init, EVP_PKEY_verify_recover}, /* publicDecrypt */
};

/* keyCrypt(operation, key, data, padding, oaepHash, oaepLabel) */
static JS_NATIVE(node_key_crypt)
{
    size_t op = (size_t)node_number(ctx, n_args, args, 0, 0), len = 0;
    EVP_PKEY *pkey = crypto_key_arg(ctx, n_args, args, 1);
    struct slice data = node_view(ctx, n_args, args, 2), label = node_view(ctx, n_args, args, 5);
    int padding = (int)node_number(ctx, n_args, args, 3, RSA_PKCS1_PADDING);
    if (pkey == NULL || op >= ARRAY_LEN(crypt_rows))
        return js_throw(ctx, exception, "TypeError", "not a key");
    AUTO(crypto_pkey_ctx_release) EVP_PKEY_CTX *k = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    AUTO(crypto_md_release) EVP_MD *md = crypto_md(ctx, node_arg(ctx, n_args, args, 4));
    AUTO(buf_done) struct buf out = {0};
    bool good = crypt_rows[op].init(k) == 1 && EVP_PKEY_CTX_set_rsa_padding(k, padding) == 1;
    if (good && padding == RSA_PKCS1_OAEP_PADDING && md != NULL)
        good = EVP_PKEY_CTX_set_rsa_oaep_md(k, md) == 1;
    if (good && label.len > 0)
        good = EVP_PKEY_CTX_set0_rsa_oaep_label(k, OPENSSL_memdup(label.ptr, label.len),
                                                (int)label.len) == 1;
    const unsigned char *in = (const unsigned char *)(data.len == 0 ? "" : data.ptr);
    good =
        good && crypt_rows[op].run(k, NULL, &len, in, data.len) == 1 &&
        crypt_rows[op].run(k, (unsigned char *)buf_reserve(&out, len + 1), &len, in, data.len) == 1;
    if (!good)
        return crypto_throw(ctx, exception, "the operation failed");
    buf_added(&out, len);
    return js_bytes_buf(ctx, &out);
}

/* --- shared secrets --- */

/* keyDerive(private, public) */
static JS_NATIVE(node_key_derive)
{
    EVP_PKEY *own = crypto_key_arg(ctx, n_args, args, 0),
             *peer = crypto_key_arg(ctx, n_args, args, 1);
    size_t len = 0;
    AUTO(buf_done) struct buf out = {0};
    if (own == NULL || peer == NULL)
        return js_throw(ctx, exception, "TypeError", "not a key");
    AUTO(crypto_pkey_ctx_release) EVP_PKEY_CTX *k = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    if (EVP_PKEY_derive_init(k) != 1 || EVP_PKEY_derive_set_peer(k, peer) != 1 ||
        EVP_PKEY_derive(k, NULL, &len) != 1 ||
        EVP_PKEY_derive(k, (unsigned char *)buf_reserve(&out, len + 1), &len) != 1)
        return crypto_throw(ctx, exception, "diffieHellman failed");
    buf_added(&out, len);
    return js_bytes_buf(ctx, &out);
}

/* --- curves --- */

static void group_release(EC_GROUP **g)
{
    EC_GROUP_free(*g);
}

static void point_release(EC_POINT **p)
{
    EC_POINT_free(*p);
}

static void bn_release(BIGNUM **n)
{
    BN_clear_free(*n);
}

static EC_GROUP *group_named(js_context ctx, js_value name)
{
    char text[CRYPTO_NAME_MAX];
    node_name(ctx, name, text, sizeof text);
    int nid = EC_curve_nist2nid(text);
    if (nid == NID_undef)
        nid = OBJ_txt2nid(text);
    EC_GROUP *group = nid == NID_undef ? NULL : EC_GROUP_new_by_curve_name(nid);
    ERR_clear_error();
    return group;
}

static js_value point_value(js_context ctx, const EC_GROUP *group, const EC_POINT *point, int form)
{
    unsigned char bytes[256];
    size_t len =
        EC_POINT_point2oct(group, point, (point_conversion_form_t)form, bytes, sizeof bytes, NULL);
    return len == 0 ? js_undefined(ctx) : js_bytes(ctx, slice_from(bytes, len));
}

/* ecPoint(curve, bytes of a point or null, bytes of a scalar or null, form): the point in that form; a scalar alone
 * gives its public point. undefined when it is not on the curve, null for an unknown curve. */
static JS_NATIVE(node_ec_point)
{
    AUTO(group_release) EC_GROUP *group = group_named(ctx, node_arg(ctx, n_args, args, 0));
    if (group == NULL)
        return js_null(ctx);
    struct slice point = node_view(ctx, n_args, args, 1), scalar = node_view(ctx, n_args, args, 2);
    AUTO(point_release) EC_POINT *p = EC_POINT_new(group);
    bool good;
    if (point.len > 0) {
        good = EC_POINT_oct2point(group, p, (const unsigned char *)point.ptr, point.len, NULL) == 1;
    } else {
        AUTO(bn_release)
        BIGNUM *n = BN_bin2bn((const unsigned char *)scalar.ptr, (int)scalar.len, NULL);
        good = !BN_is_zero(n) && BN_cmp(n, EC_GROUP_get0_order(group)) < 0 &&
               EC_POINT_mul(group, p, n, NULL, NULL, NULL) == 1;
    }
    ERR_clear_error();
    return good ? point_value(ctx, group, p,
                              (int)node_number(ctx, n_args, args, 3, POINT_CONVERSION_UNCOMPRESSED))
                : js_undefined(ctx);
}

/* ecSecret(curve, scalar, point): the x coordinate, as long as the field. */
static JS_NATIVE(node_ec_secret)
{
    AUTO(group_release) EC_GROUP *group = group_named(ctx, node_arg(ctx, n_args, args, 0));
    struct slice scalar = node_view(ctx, n_args, args, 1), bytes = node_view(ctx, n_args, args, 2);
    if (group == NULL)
        return js_null(ctx);
    AUTO(point_release) EC_POINT *p = EC_POINT_new(group);
    AUTO(point_release) EC_POINT *product = EC_POINT_new(group);
    AUTO(bn_release)
    BIGNUM *n = BN_bin2bn((const unsigned char *)scalar.ptr, (int)scalar.len, NULL);
    AUTO(bn_release) BIGNUM *x = BN_new();
    int width = (EC_GROUP_get_degree(group) + 7) / 8;
    unsigned char out[128];
    bool good =
        EC_POINT_oct2point(group, p, (const unsigned char *)bytes.ptr, bytes.len, NULL) == 1 &&
        EC_POINT_mul(group, product, NULL, p, n, NULL) == 1 &&
        EC_POINT_get_affine_coordinates(group, product, x, NULL, NULL) == 1 &&
        width <= (int)sizeof out;
    ERR_clear_error();
    if (!good)
        return js_undefined(ctx);
    BN_bn2binpad(x, out, width);
    js_value v = js_bytes(ctx, slice_from(out, (size_t)width));
    OPENSSL_cleanse(out, sizeof out);
    return v;
}

/* ecOrder(curve): big-endian bytes, for choosing a scalar; undefined for an unknown curve. */
static JS_NATIVE(node_ec_order)
{
    AUTO(group_release) EC_GROUP *group = group_named(ctx, node_arg(ctx, n_args, args, 0));
    unsigned char out[128];
    if (group == NULL || BN_num_bytes(EC_GROUP_get0_order(group)) > (int)sizeof out)
        return js_undefined(ctx);
    int len = BN_bn2bin(EC_GROUP_get0_order(group), out);
    return js_bytes(ctx, slice_from(out, (size_t)len));
}

const struct js_native_row node_sign_rows[] = {
    {"keySign", node_key_sign},     {"keyVerify", node_key_verify}, {"keyCrypt", node_key_crypt},
    {"keyDerive", node_key_derive}, {"ecPoint", node_ec_point},     {"ecSecret", node_ec_secret},
    {"ecOrder", node_ec_order},
};
const size_t node_sign_n_rows = ARRAY_LEN(node_sign_rows);
