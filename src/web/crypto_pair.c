/*
 * Key pairs: RSA, elliptic curves, Ed25519, X25519, over OpenSSL's EVP.
 *
 * Keys cross as DER: PKCS #8 (RFC 5208) for private, SubjectPublicKeyInfo (RFC 5280) for public ones. JWK and raw
 * forms are taken apart and put together in js/crypto_pairs.js, which needs no arithmetic for it.
 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "core/digest.h"
#include "web/web_impl.h"

enum pair_kind { PAIR_RSA, PAIR_EC, PAIR_ED25519, PAIR_X25519, PAIR_KINDS };
enum pair_scheme { PAIR_RSASSA, PAIR_PSS, PAIR_ECDSA, PAIR_EDDSA, PAIR_SCHEMES };
enum {
    PAIR_BITS_MAX = 16384,
    PAIR_FIELD_MAX = 66,     /* bytes of a coordinate of P-521 */
    PAIR_JOB_BITS_MAX = 4096 /* of RSA, what a thread of the pool takes on */
};

static void pair_key_release(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void pair_ctx_release(EVP_PKEY_CTX **c)
{
    EVP_PKEY_CTX_free(*c);
}

static void pair_md_release(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

static const EVP_MD *pair_digest(double kind)
{
    static const EVP_MD *(*const get[DIGEST_KINDS])(void) = {
        [DIGEST_MD5] = EVP_md5,       [DIGEST_SHA1] = EVP_sha1,     [DIGEST_SHA256] = EVP_sha256,
        [DIGEST_SHA384] = EVP_sha384, [DIGEST_SHA512] = EVP_sha512,
    };
    return kind >= 0 && kind < DIGEST_KINDS ? get[(int)kind]() : NULL;
}

/* NULL when the bytes are no such key, or have something behind them. */
static EVP_PKEY *pair_read(struct slice der, bool private)
{
    const unsigned char *p = (const unsigned char *)der.ptr, *end = p + der.len;
    EVP_PKEY *key =
        private ? d2i_AutoPrivateKey(NULL, &p, (long)der.len) : d2i_PUBKEY(NULL, &p, (long)der.len);
    if (key != NULL && (p != end || EVP_PKEY_get_bits(key) > PAIR_BITS_MAX)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_clear_error();
    return key;
}

static js_value pair_give(js_context ctx, unsigned char *der, int len)
{
    ERR_clear_error();
    if (len <= 0)
        return js_undefined(ctx);
    js_value v = js_bytes(ctx, slice_from(der, (size_t)len));
    OPENSSL_clear_free(der, (size_t)len);
    return v;
}

static js_value pair_give_private(js_context ctx, const EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL;
    int len = info == NULL ? 0 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    PKCS8_PRIV_KEY_INFO_free(info);
    return pair_give(ctx, der, len);
}

/* --- making --- */

static EVP_PKEY *pair_generate_rsa(unsigned bits, unsigned exponent)
{
    AUTO(pair_ctx_release) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    size_t size = bits;
    uint32_t e = exponent;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, &size),
        OSSL_PARAM_construct_uint32(OSSL_PKEY_PARAM_RSA_E, &e),
        OSSL_PARAM_construct_end(),
    };
    if (EVP_PKEY_keygen_init(c) == 1 && EVP_PKEY_CTX_set_params(c, params) == 1)
        (void)EVP_PKEY_generate(c, &key); /* leaves NULL when it fails */
    return key;
}

static EVP_PKEY *pair_generate_key(enum pair_kind kind, unsigned param, unsigned exponent)
{
    static const char *const curves[] = {"P-256", "P-384", "P-521"};
    switch (kind) {
    case PAIR_RSA:
        return param > PAIR_BITS_MAX ? NULL : pair_generate_rsa(param, exponent);
    case PAIR_EC:
        return param < ARRAY_LEN(curves) ? EVP_EC_gen(curves[param]) : NULL;
    case PAIR_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case PAIR_X25519:
    case PAIR_KINDS:
        break;
    }
    return EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
}

struct pair_making {
    struct vm_job job;
    enum pair_kind kind;
    unsigned param, exponent;
    EVP_PKEY *key; /* owned; NULL: it failed */
};

static void pair_making_run(struct vm_job *job)
{
    struct pair_making *m = CONTAINER_OF(job, struct pair_making, job);
    m->key = pair_generate_key(m->kind, m->param, m->exponent);
    ERR_clear_error();
}

static js_value pair_making_value(struct vm_job *job, js_context ctx)
{
    struct pair_making *m = CONTAINER_OF(job, struct pair_making, job);
    return m->key == NULL ? js_undefined(ctx) : pair_give_private(ctx, m->key);
}

static void pair_making_finish(struct vm_job *job)
{
    EVP_PKEY_free(CONTAINER_OF(job, struct pair_making, job)->key);
}

/* pairGenerate(kind, bits or curve, exponent, callback): the private key; a job (engine/vm_job.h). */
JS_NATIVE(web_crypto_pair_generate)
{
    double kind = web_number(ctx, n_args, args, 0);
    if (!(kind >= 0 && kind < PAIR_KINDS))
        return js_throw(ctx, exception, "TypeError", "pairGenerate wants a kind");
    struct pair_making *m = mem_new(sizeof *m);
    *m = (struct pair_making){
        .job = {.run = pair_making_run, .value = pair_making_value, .finish = pair_making_finish},
        .kind = (enum pair_kind)kind,
        .param = (unsigned)web_number(ctx, n_args, args, 1),
        .exponent = (unsigned)web_number(ctx, n_args, args, 2)};
    m->job.here = m->kind == PAIR_RSA && m->param > PAIR_JOB_BITS_MAX;
    return vm_job_begin(ctx, &m->job, n_args > 3 ? args[3] : NULL);
}

/* An elliptic curve's point is written in full, and the halves of a pair must belong together. */
static bool pair_settle(EVP_PKEY *key, bool is_private)
{
    if (!EVP_PKEY_is_a(key, "EC"))
        return true;
    if (EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       "uncompressed") != 1)
        return false;
    if (!is_private)
        return true;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool fits = c != NULL && EVP_PKEY_pairwise_check(c) == 1;
    EVP_PKEY_CTX_free(c);
    return fits;
}

/* pairPublic(der, isPrivate): the public key, and so the proof that der is a key; undefined when not. */
JS_NATIVE(web_crypto_pair_public)
{
    struct slice der;
    if (web_bytes(ctx, n_args, args, 0, &der) < 0)
        return js_throw(ctx, exception, "TypeError", "pairPublic wants a key");
    bool is_private = n_args > 1 && js_is_true(ctx, args[1]);
    AUTO(pair_key_release) EVP_PKEY *key = pair_read(der, is_private);
    unsigned char *out = NULL;
    int len = key == NULL || !pair_settle(key, is_private) ? 0 : i2d_PUBKEY(key, &out);
    return pair_give(ctx, out, len);
}

/* --- signatures --- */

struct pair_job {
    enum pair_scheme scheme;
    const EVP_MD *digest; /* NULL: the scheme has its own */
    int salt;             /* of PSS, bytes */
    struct slice data;
};

static bool pair_begin(EVP_MD_CTX *c, EVP_PKEY *key, const struct pair_job *job, bool sign)
{
    EVP_PKEY_CTX *p = NULL;
    int ok = sign ? EVP_DigestSignInit(c, &p, job->digest, NULL, key)
                  : EVP_DigestVerifyInit(c, &p, job->digest, NULL, key);
    if (ok != 1 || job->scheme != PAIR_PSS)
        return ok == 1;
    return EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(p, job->salt) == 1;
}

static size_t pair_field(const EVP_PKEY *key)
{
    return ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
}

/* DER to the two numbers side by side, as Web Crypto has them. */
static bool pair_ecdsa_flat(const EVP_PKEY *key, struct buf *sig)
{
    unsigned char flat[2 * PAIR_FIELD_MAX];
    size_t field = pair_field(key);
    struct slice der = buf_slice(sig);
    const unsigned char *p = (const unsigned char *)der.ptr;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)der.len);
    bool ok = s != NULL && field <= PAIR_FIELD_MAX &&
              BN_bn2binpad(ECDSA_SIG_get0_r(s), flat, (int)field) >= 0 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(s), flat + field, (int)field) >= 0;
    ECDSA_SIG_free(s);
    buf_clear(sig);
    if (ok)
        buf_append(sig, flat, 2 * field);
    return ok;
}

static bool pair_ecdsa_der(const EVP_PKEY *key, struct slice flat, struct buf *ret)
{
    size_t field = pair_field(key);
    if (flat.len != 2 * field)
        return false;
    const unsigned char *p = (const unsigned char *)flat.ptr;
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, (int)field, NULL), *v = BN_bin2bn(p + field, (int)field, NULL);
    unsigned char *der = NULL;
    int len = s != NULL && ECDSA_SIG_set0(s, r, v) == 1 ? i2d_ECDSA_SIG(s, &der) : 0;
    if (len > 0)
        buf_append(ret, der, (size_t)len);
    OPENSSL_free(der);
    ECDSA_SIG_free(s);
    return len > 0;
}

static bool pair_sign_run(EVP_PKEY *key, const struct pair_job *job, struct buf *sig)
{
    AUTO(pair_md_release) EVP_MD_CTX *c = EVP_MD_CTX_new();
    const unsigned char *data = (const unsigned char *)job->data.ptr;
    size_t len = 0;
    if (!pair_begin(c, key, job, true) || EVP_DigestSign(c, NULL, &len, data, job->data.len) != 1)
        return false;
    if (EVP_DigestSign(c, (unsigned char *)buf_reserve(sig, len), &len, data, job->data.len) != 1)
        return false;
    buf_added(sig, len);
    return job->scheme != PAIR_ECDSA || pair_ecdsa_flat(key, sig);
}

static bool pair_verify_run(EVP_PKEY *key, const struct pair_job *job, struct slice given)
{
    AUTO(pair_md_release) EVP_MD_CTX *c = EVP_MD_CTX_new();
    AUTO(buf_done) struct buf der = {0};
    if (job->scheme == PAIR_ECDSA) {
        if (!pair_ecdsa_der(key, given, &der))
            return false;
        given = buf_slice(&der);
    }
    return pair_begin(c, key, job, false) &&
           EVP_DigestVerify(c, (const unsigned char *)given.ptr, given.len,
                            (const unsigned char *)job->data.ptr, job->data.len) == 1;
}

static bool pair_job_read(js_context ctx, size_t n_args, const js_value args[],
                          struct pair_job *ret)
{
    double scheme = web_number(ctx, n_args, args, 0);
    if (!(scheme >= 0 && scheme < PAIR_SCHEMES) || web_bytes(ctx, n_args, args, 3, &ret->data) < 0)
        return false;
    ret->scheme = (enum pair_scheme)scheme;
    ret->digest = ret->scheme == PAIR_EDDSA ? NULL : pair_digest(web_number(ctx, n_args, args, 1));
    ret->salt = (int)web_number(ctx, n_args, args, 4);
    return ret->scheme == PAIR_EDDSA || ret->digest != NULL;
}

struct pair_signing {
    struct vm_job job;
    struct pair_job what; /* data: of `data` */
    EVP_PKEY *key;        /* owned */
    struct buf data, out;
    bool good;
};

static void pair_signing_run(struct vm_job *job)
{
    struct pair_signing *s = CONTAINER_OF(job, struct pair_signing, job);
    s->good = s->key != NULL && pair_sign_run(s->key, &s->what, &s->out);
    ERR_clear_error();
}

static js_value pair_signing_value(struct vm_job *job, js_context ctx)
{
    struct pair_signing *s = CONTAINER_OF(job, struct pair_signing, job);
    return s->good ? js_bytes_buf(ctx, &s->out) : js_undefined(ctx);
}

static void pair_signing_finish(struct vm_job *job)
{
    struct pair_signing *s = CONTAINER_OF(job, struct pair_signing, job);
    EVP_PKEY_free(s->key);
    buf_done(&s->data);
    buf_done(&s->out);
}

/* pairSign(scheme, digest, privateKey, data, salt, callback): undefined when it failed; a job (engine/vm_job.h). */
JS_NATIVE(web_crypto_pair_sign)
{
    struct pair_job what;
    struct slice der;
    if (!pair_job_read(ctx, n_args, args, &what) || web_bytes(ctx, n_args, args, 2, &der) < 0)
        return js_throw(ctx, exception, "TypeError", "pairSign wants a scheme, a key and bytes");
    struct pair_signing *s = mem_new(sizeof *s);
    *s = (struct pair_signing){.job = {.run = pair_signing_run,
                                       .value = pair_signing_value,
                                       .finish = pair_signing_finish},
                               .what = what,
                               .key = pair_read(der, true)};
    buf_append_slice(&s->data, what.data);
    s->what.data = buf_slice(&s->data);
    s->job.here = s->key != NULL && EVP_PKEY_get_bits(s->key) > PAIR_JOB_BITS_MAX;
    return vm_job_begin(ctx, &s->job, n_args > 5 ? args[5] : NULL);
}

/* pairVerify(scheme, digest, publicKey, data, salt, signature) */
JS_NATIVE(web_crypto_pair_verify)
{
    struct pair_job job;
    struct slice der, given;
    if (!pair_job_read(ctx, n_args, args, &job) || web_bytes(ctx, n_args, args, 2, &der) < 0 ||
        web_bytes(ctx, n_args, args, 5, &given) < 0)
        return js_throw(ctx, exception, "TypeError", "pairVerify wants a scheme, a key and bytes");
    AUTO(pair_key_release) EVP_PKEY *key = pair_read(der, false);
    bool ok = key != NULL && pair_verify_run(key, &job, given);
    ERR_clear_error();
    return js_bool(ctx, ok);
}

/* --- RSA-OAEP --- */

struct pair_oaep {
    bool encrypt;
    const EVP_MD *digest;
    struct slice data, label;
};

static bool pair_oaep_label(EVP_PKEY_CTX *c, struct slice label)
{
    if (label.len == 0)
        return true;
    void *copy = OPENSSL_memdup(label.ptr, label.len); /* the context takes it */
    if (copy == NULL || EVP_PKEY_CTX_set0_rsa_oaep_label(c, copy, (int)label.len) == 1)
        return copy != NULL;
    OPENSSL_free(copy);
    return false;
}

static bool pair_oaep_run(EVP_PKEY *key, const struct pair_oaep *job, struct buf *out)
{
    AUTO(pair_ctx_release) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
    int (*run)(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t) =
        job->encrypt ? EVP_PKEY_encrypt : EVP_PKEY_decrypt;
    const unsigned char *data = (const unsigned char *)job->data.ptr;
    size_t len = 0;
    if (c == NULL || (job->encrypt ? EVP_PKEY_encrypt_init(c) : EVP_PKEY_decrypt_init(c)) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(c, job->digest) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(c, job->digest) != 1 || !pair_oaep_label(c, job->label) ||
        run(c, NULL, &len, data, job->data.len) != 1)
        return false;
    if (run(c, (unsigned char *)buf_reserve(out, len), &len, data, job->data.len) != 1)
        return false;
    buf_added(out, len);
    return true;
}

/* pairCrypt(encrypt, digest, key, data, label): undefined when it failed. */
JS_NATIVE(web_crypto_pair_crypt)
{
    AUTO(buf_done) struct buf out = {0};
    struct pair_oaep job = {.digest = pair_digest(web_number(ctx, n_args, args, 1))};
    struct slice der;
    if (job.digest == NULL || web_bytes(ctx, n_args, args, 2, &der) < 0 ||
        web_bytes(ctx, n_args, args, 3, &job.data) < 0 ||
        web_bytes(ctx, n_args, args, 4, &job.label) < 0)
        return js_throw(ctx, exception, "TypeError", "pairCrypt wants a digest, a key and bytes");
    job.encrypt = js_is_true(ctx, args[0]);
    AUTO(pair_key_release) EVP_PKEY *key = pair_read(der, !job.encrypt);
    bool ok = key != NULL && pair_oaep_run(key, &job, &out);
    ERR_clear_error();
    return ok ? js_bytes_buf(ctx, &out) : js_undefined(ctx);
}

/* --- Diffie-Hellman --- */

/* pairDerive(privateKey, publicKey): the shared secret, or undefined. */
JS_NATIVE(web_crypto_pair_derive)
{
    AUTO(buf_done) struct buf out = {0};
    struct slice mine, theirs;
    if (web_bytes(ctx, n_args, args, 0, &mine) < 0 || web_bytes(ctx, n_args, args, 1, &theirs) < 0)
        return js_throw(ctx, exception, "TypeError", "pairDerive wants two keys");
    AUTO(pair_key_release) EVP_PKEY *key = pair_read(mine, true);
    AUTO(pair_key_release) EVP_PKEY *peer = pair_read(theirs, false);
    AUTO(pair_ctx_release) EVP_PKEY_CTX *c = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
    size_t len = 0;
    bool ok = c != NULL && peer != NULL && EVP_PKEY_derive_init(c) == 1 &&
              EVP_PKEY_derive_set_peer(c, peer) == 1 && EVP_PKEY_derive(c, NULL, &len) == 1 &&
              EVP_PKEY_derive(c, (unsigned char *)buf_reserve(&out, len), &len) == 1;
    ERR_clear_error();
    if (!ok)
        return js_undefined(ctx);
    buf_added(&out, len);
    return js_bytes_buf(ctx, &out);
}
