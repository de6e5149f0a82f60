/*
 * What takes long in node:crypto: PBKDF2, scrypt, primes, key pairs. All of them are jobs (engine/vm_job.h) whose
 * last argument is the callback, and give undefined when they failed.
 */
#include "node/crypto_impl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

/* What a thread of the pool takes on; beyond, the VM's thread does it under its time limit. */
enum {
    SLOW_PBKDF2_MAX = 64 * 1000 * 1000, /* iterations times bytes */
    SLOW_PRIME_BITS_MAX = 2048,
    SLOW_PRIME_SAFE_BITS_MAX = 256,
    SLOW_RSA_BITS_MAX = 4096
};

static js_value slow_callback(size_t n_args, const js_value args[], size_t i)
{
    return i < n_args ? args[i] : NULL;
}

/* --- derivation --- */

struct slow_derive {
    struct vm_job job;
    struct buf password, salt, out;
    size_t n;
    EVP_MD *md; /* of PBKDF2, owned */
    int iterations;
    uint64_t cost[4]; /* of scrypt: N, r, p, maxmem */
    bool good;
};

static js_value slow_derive_value(struct vm_job *job, js_context ctx)
{
    struct slow_derive *d = CONTAINER_OF(job, struct slow_derive, job);
    return d->good ? js_bytes_buf(ctx, &d->out) : js_undefined(ctx);
}

static void slow_derive_finish(struct vm_job *job)
{
    struct slow_derive *d = CONTAINER_OF(job, struct slow_derive, job);
    OPENSSL_cleanse((char *)(uintptr_t)buf_slice(&d->password).ptr, buf_len(&d->password));
    EVP_MD_free(d->md);
    buf_done(&d->password);
    buf_done(&d->salt);
    buf_done(&d->out);
}

static void slow_pbkdf2_run(struct vm_job *job)
{
    struct slow_derive *d = CONTAINER_OF(job, struct slow_derive, job);
    struct slice password = buf_slice(&d->password), salt = buf_slice(&d->salt);
    unsigned char *to = (unsigned char *)buf_reserve(&d->out, d->n + 1);
    d->good =
        d->n == 0 || PKCS5_PBKDF2_HMAC(password.len == 0 ? "" : password.ptr, (int)password.len,
                                       (const unsigned char *)salt.ptr, (int)salt.len,
                                       d->iterations, d->md, (int)d->n, to) == 1;
    buf_added(&d->out, d->n);
    ERR_clear_error();
}

static void slow_scrypt_run(struct vm_job *job)
{
    struct slow_derive *d = CONTAINER_OF(job, struct slow_derive, job);
    struct slice password = buf_slice(&d->password), salt = buf_slice(&d->salt);
    unsigned char *to = d->n == 0 ? NULL : (unsigned char *)buf_reserve(&d->out, d->n + 1);
    d->good = EVP_PBE_scrypt(password.len == 0 ? "" : password.ptr, password.len,
                             (const unsigned char *)salt.ptr, salt.len, d->cost[0], d->cost[1],
                             d->cost[2], d->cost[3], to, d->n) == 1;
    buf_added(&d->out, d->n);
    ERR_clear_error();
}

static struct slow_derive *slow_derive_new(void (*run)(struct vm_job *job), struct slice password,
                                           struct slice salt)
{
    struct slow_derive *d = mem_new(sizeof *d);
    d->job = (struct vm_job){.run = run, .value = slow_derive_value, .finish = slow_derive_finish};
    buf_append_slice(&d->password, password);
    buf_append_slice(&d->salt, salt);
    return d;
}

/* pbkdf2(digest, password, salt, iterations, length, callback): undefined when there is no such digest. */
static JS_NATIVE(node_pbkdf2)
{
    EVP_MD *md = crypto_md(ctx, node_arg(ctx, n_args, args, 0));
    if (md == NULL)
        return js_undefined(ctx);
    struct slow_derive *d = slow_derive_new(slow_pbkdf2_run, node_view(ctx, n_args, args, 1),
                                            node_view(ctx, n_args, args, 2));
    d->md = md;
    d->iterations = (int)node_number(ctx, n_args, args, 3, 1);
    d->n = crypto_out_length(ctx, n_args, args, 4);
    d->job.here = (double)d->iterations * (double)d->n > SLOW_PBKDF2_MAX;
    return vm_job_begin(ctx, &d->job, slow_callback(n_args, args, 5));
}

/* scrypt(password, salt, N, r, p, maxmem, length, callback) */
static JS_NATIVE(node_scrypt)
{
    struct slow_derive *d = slow_derive_new(slow_scrypt_run, node_view(ctx, n_args, args, 0),
                                            node_view(ctx, n_args, args, 1));
    for (size_t i = 0; i < ARRAY_LEN(d->cost); i++)
        d->cost[i] = (uint64_t)node_number(ctx, n_args, args, i + 2, 0);
    d->n = crypto_out_length(ctx, n_args, args, 6);
    return vm_job_begin(ctx, &d->job, slow_callback(n_args, args, 7));
}

/* --- primes --- */

static void bn_release(BIGNUM **n)
{
    BN_free(*n);
}

static void bn_ctx_release(BN_CTX **ctx)
{
    BN_CTX_free(*ctx);
}

static BIGNUM *bn_of(struct slice s)
{
    return s.len == 0 ? NULL : BN_bin2bn((const unsigned char *)s.ptr, (int)s.len, NULL);
}

struct slow_prime {
    struct vm_job job;
    int bits;
    bool safe, good;
    BIGNUM *n, *add, *rem; /* owned; add and rem may be NULL */
};

static void slow_prime_finish(struct vm_job *job)
{
    struct slow_prime *p = CONTAINER_OF(job, struct slow_prime, job);
    BN_free(p->n);
    BN_free(p->add);
    BN_free(p->rem);
}

static void slow_prime_make_run(struct vm_job *job)
{
    struct slow_prime *p = CONTAINER_OF(job, struct slow_prime, job);
    p->good = BN_generate_prime_ex(p->n, p->bits, p->safe, p->add, p->rem, NULL) == 1;
    ERR_clear_error();
}

static js_value slow_number(js_context ctx, const BIGNUM *n, int width)
{
    AUTO(buf_done) struct buf out = {0};
    BN_bn2binpad(n, (unsigned char *)buf_reserve(&out, (size_t)width + 1), width);
    buf_added(&out, (size_t)width);
    return js_bytes_buf(ctx, &out);
}

static js_value slow_prime_make_value(struct vm_job *job, js_context ctx)
{
    struct slow_prime *p = CONTAINER_OF(job, struct slow_prime, job);
    return p->good ? slow_number(ctx, p->n, BN_num_bytes(p->n)) : js_undefined(ctx);
}

/* primeMake(bits, safe, add, rem, callback): big-endian bytes */
static JS_NATIVE(node_prime_make)
{
    struct slow_prime *p = mem_new(sizeof *p);
    *p = (struct slow_prime){.job = {.run = slow_prime_make_run,
                                     .value = slow_prime_make_value,
                                     .finish = slow_prime_finish},
                             .bits = (int)node_number(ctx, n_args, args, 0, 0),
                             .safe = n_args > 1 && js_is_true(ctx, args[1]),
                             .n = BN_new(),
                             .add = bn_of(node_view(ctx, n_args, args, 2)),
                             .rem = bn_of(node_view(ctx, n_args, args, 3))};
    p->job.here = p->bits > (p->safe ? SLOW_PRIME_SAFE_BITS_MAX : SLOW_PRIME_BITS_MAX) ||
                  p->add != NULL; /* there may be none */
    return vm_job_begin(ctx, &p->job, slow_callback(n_args, args, 4));
}

static void slow_prime_check_run(struct vm_job *job)
{
    struct slow_prime *p = CONTAINER_OF(job, struct slow_prime, job);
    AUTO(bn_ctx_release) BN_CTX *bn = BN_CTX_new();
    p->good = p->n != NULL && BN_check_prime(p->n, bn, NULL) == 1;
    ERR_clear_error();
}

static js_value slow_prime_check_value(struct vm_job *job, js_context ctx)
{
    return js_bool(ctx, CONTAINER_OF(job, struct slow_prime, job)->good);
}

/* primeCheck(bytes, callback) */
static JS_NATIVE(node_prime_check)
{
    struct slow_prime *p = mem_new(sizeof *p);
    *p = (struct slow_prime){.job = {.run = slow_prime_check_run,
                                     .value = slow_prime_check_value,
                                     .finish = slow_prime_finish},
                             .n = bn_of(node_view(ctx, n_args, args, 0))};
    p->job.here = p->n != NULL && BN_num_bits(p->n) > SLOW_PRIME_BITS_MAX;
    return vm_job_begin(ctx, &p->job, slow_callback(n_args, args, 1));
}

/* modPow(base, exponent, modulus): as long as the modulus. At once. */
static JS_NATIVE(node_mod_pow)
{
    AUTO(bn_release) BIGNUM *base = bn_of(node_view(ctx, n_args, args, 0));
    AUTO(bn_release) BIGNUM *exponent = bn_of(node_view(ctx, n_args, args, 1));
    AUTO(bn_release) BIGNUM *modulus = bn_of(node_view(ctx, n_args, args, 2));
    AUTO(bn_release) BIGNUM *r = BN_new();
    AUTO(bn_ctx_release) BN_CTX *bn = BN_CTX_new();
    if (base == NULL || exponent == NULL || modulus == NULL ||
        !BN_mod_exp(r, base, exponent, modulus, bn))
        return crypto_throw(ctx, exception, "modular exponentiation failed");
    return slow_number(ctx, r, BN_num_bytes(modulus));
}

/* --- key pairs --- */

struct slow_pair {
    struct vm_job job;
    char type[16], name[CRYPTO_NAME_MAX], mgf[CRYPTO_NAME_MAX];
    unsigned bits, exponent;
    int salt;
    EVP_PKEY *pkey; /* owned; NULL: what is not known, or it failed */
};

static void slow_pair_run(struct vm_job *job)
{
    struct slow_pair *s = CONTAINER_OF(job, struct slow_pair, job);
    AUTO(crypto_pkey_ctx_release)
    EVP_PKEY_CTX *k = EVP_PKEY_CTX_new_from_name(NULL, s->type, NULL);
    OSSL_PARAM params[6], *p = params;
    if (strncasecmp(s->type, "RSA", 3) == 0) {
        *p++ = OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_BITS, &s->bits);
        *p++ = OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &s->exponent);
        if (s->name[0] != 0)
            *p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_RSA_DIGEST, s->name, 0);
        if (s->mgf[0] != 0)
            *p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_RSA_MGF1_DIGEST, s->mgf, 0);
        if (s->salt >= 0)
            *p++ = OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_RSA_PSS_SALTLEN, &s->salt);
    } else if (strcmp(s->type, "EC") == 0) {
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, s->name, 0);
    }
    *p = OSSL_PARAM_construct_end();
    if (k != NULL && EVP_PKEY_keygen_init(k) == 1 && EVP_PKEY_CTX_set_params(k, params) == 1)
        (void)EVP_PKEY_generate(k, &s->pkey); /* leaves NULL when it fails */
    ERR_clear_error();
}

static js_value slow_pair_value(struct vm_job *job, js_context ctx)
{
    struct slow_pair *s = CONTAINER_OF(job, struct slow_pair, job);
    return s->pkey == NULL ? js_undefined(ctx) : crypto_key_value(ctx, TAKE(s->pkey));
}

static void slow_pair_finish(struct vm_job *job)
{
    EVP_PKEY_free(CONTAINER_OF(job, struct slow_pair, job)->pkey);
}

/* keyMake(type, bits, exponent, curve or digest, mgf digest, salt length, callback): a handle. */
static JS_NATIVE(node_key_make)
{
    struct slow_pair *s = mem_new(sizeof *s);
    *s = (struct slow_pair){
        .job = {.run = slow_pair_run, .value = slow_pair_value, .finish = slow_pair_finish},
        .bits = (unsigned)node_number(ctx, n_args, args, 1, 0),
        .exponent = (unsigned)node_number(ctx, n_args, args, 2, 65537),
        .salt = (int)node_number(ctx, n_args, args, 5, -1)};
    node_name(ctx, node_arg(ctx, n_args, args, 0), s->type, sizeof s->type);
    node_name(ctx, node_arg(ctx, n_args, args, 3), s->name, sizeof s->name);
    node_name(ctx, node_arg(ctx, n_args, args, 4), s->mgf, sizeof s->mgf);
    s->job.here = s->bits > SLOW_RSA_BITS_MAX;
    return vm_job_begin(ctx, &s->job, slow_callback(n_args, args, 6));
}

const struct js_native_row node_slow_rows[] = {
    {"pbkdf2", node_pbkdf2},          {"scrypt", node_scrypt},  {"primeMake", node_prime_make},
    {"primeCheck", node_prime_check}, {"modPow", node_mod_pow}, {"keyMake", node_key_make},
};
const size_t node_slow_n_rows = ARRAY_LEN(node_slow_rows);
