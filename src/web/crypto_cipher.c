/* AES in its four modes, PBKDF2 (RFC 8018) and HKDF (RFC 5869) over OpenSSL's EVP. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/digest.h"
#include "web/web_impl.h"

enum cipher_mode { CIPHER_CBC, CIPHER_CTR, CIPHER_GCM, CIPHER_KW, CIPHER_MODES };
enum { CIPHER_BLOCK = 16, CIPHER_TAG_MAX = 16 };

struct cipher_job {
    enum cipher_mode mode;
    bool encrypt;
    struct slice key, iv, data, extra;
    unsigned tag_bits; /* GCM: length of the tag; CTR: length of the counter */
};

static const EVP_CIPHER *cipher_of(enum cipher_mode mode, size_t key_len)
{
    static const struct {
        const EVP_CIPHER *(*get[3])(void);
    } ciphers[CIPHER_MODES] = {
        [CIPHER_CBC] = {{EVP_aes_128_cbc, EVP_aes_192_cbc, EVP_aes_256_cbc}},
        [CIPHER_CTR] = {{EVP_aes_128_ctr, EVP_aes_192_ctr, EVP_aes_256_ctr}},
        [CIPHER_GCM] = {{EVP_aes_128_gcm, EVP_aes_192_gcm, EVP_aes_256_gcm}},
        [CIPHER_KW] = {{EVP_aes_128_wrap, EVP_aes_192_wrap, EVP_aes_256_wrap}},
    };
    return key_len == 16 || key_len == 24 || key_len == 32 ? ciphers[mode].get[key_len / 8 - 2]()
                                                           : NULL;
}

static void cipher_release(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}

static bool cipher_begin(EVP_CIPHER_CTX *c, const struct cipher_job *job, const EVP_CIPHER *cipher)
{
    const unsigned char *iv = (const unsigned char *)job->iv.ptr;
    if (job->mode == CIPHER_KW)
        EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex(c, cipher, NULL, NULL, NULL, job->encrypt) != 1)
        return false;
    if (job->mode == CIPHER_GCM &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, (int)job->iv.len, NULL) != 1)
        return false;
    return EVP_CipherInit_ex(c, NULL, NULL, (const unsigned char *)job->key.ptr,
                             job->iv.len == 0 ? NULL : iv, job->encrypt) == 1;
}

static bool cipher_update(EVP_CIPHER_CTX *c, struct slice data, struct buf *out)
{
    int n = 0;
    unsigned char *to = (unsigned char *)buf_reserve(out, data.len + 2 * CIPHER_BLOCK);
    if (data.len > 0 &&
        EVP_CipherUpdate(c, to, &n, (const unsigned char *)data.ptr, (int)data.len) != 1)
        return false;
    buf_added(out, (size_t)n);
    return true;
}

static bool cipher_finish(EVP_CIPHER_CTX *c, struct buf *out)
{
    int n = 0;
    unsigned char *to = (unsigned char *)buf_reserve(out, 2 * CIPHER_BLOCK);
    if (EVP_CipherFinal_ex(c, to, &n) != 1)
        return false;
    buf_added(out, (size_t)n);
    return true;
}

static bool cipher_gcm(EVP_CIPHER_CTX *c, const struct cipher_job *job, struct buf *out)
{
    size_t tag_len = job->tag_bits / 8;
    struct slice data = job->data;
    int n = 0;
    if (job->extra.len > 0 && EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)job->extra.ptr,
                                               (int)job->extra.len) != 1)
        return false;
    if (!job->encrypt) {
        if (data.len < tag_len)
            return false;
        data.len -= tag_len;
        if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, (int)tag_len,
                                (void *)(uintptr_t)(data.ptr + data.len)) != 1)
            return false;
    }
    if (!cipher_update(c, data, out) || !cipher_finish(c, out))
        return false;
    if (job->encrypt) {
        unsigned char tag[CIPHER_TAG_MAX];
        if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, (int)tag_len, tag) != 1)
            return false;
        buf_append(out, tag, tag_len);
    }
    return true;
}

/* How many blocks until the counter, the low tag_bits bits of iv, wraps; 0 = more than can occur. */
static uint64_t cipher_ctr_left(const unsigned char *iv, unsigned bits)
{
    uint64_t low = 0;
    if (bits >= 64)
        return 0;
    for (unsigned i = 0; i < 8; i++)
        low = low << 8 | iv[CIPHER_BLOCK - 8 + i];
    uint64_t size = (uint64_t)1 << bits;
    return size - (low & (size - 1));
}

static bool cipher_plain(EVP_CIPHER_CTX *c, const struct cipher_job *job, struct buf *out)
{
    return cipher_update(c, job->data, out) && cipher_finish(c, out);
}

/* Web Crypto's counter may be narrower than the block: it wraps within its bits. */
static bool cipher_ctr(const struct cipher_job *job, const EVP_CIPHER *cipher, struct buf *out)
{
    struct cipher_job first = *job, second = *job;
    unsigned char iv[CIPHER_BLOCK];
    uint64_t left = cipher_ctr_left((const unsigned char *)job->iv.ptr, job->tag_bits);
    uint64_t blocks = (job->data.len + CIPHER_BLOCK - 1) / CIPHER_BLOCK;
    if (job->tag_bits < 64 && blocks > (uint64_t)1 << job->tag_bits)
        return false;
    if (left != 0 && blocks > left)
        first.data.len = (size_t)left * CIPHER_BLOCK;
    second.data = slice_skip(job->data, first.data.len);
    memcpy(iv, job->iv.ptr, sizeof iv);
    for (unsigned bit = 0; bit < job->tag_bits; bit++)
        iv[CIPHER_BLOCK - 1 - bit / 8] &= (unsigned char)~(1u << bit % 8);
    second.iv = slice_from(iv, sizeof iv);

    AUTO(cipher_release) EVP_CIPHER_CTX *a = EVP_CIPHER_CTX_new();
    AUTO(cipher_release) EVP_CIPHER_CTX *b = EVP_CIPHER_CTX_new();
    if (!cipher_begin(a, &first, cipher) || !cipher_plain(a, &first, out))
        return false;
    return second.data.len == 0 ||
           (cipher_begin(b, &second, cipher) && cipher_plain(b, &second, out));
}

static bool cipher_run(const struct cipher_job *job, struct buf *out)
{
    const EVP_CIPHER *cipher = cipher_of(job->mode, job->key.len);
    if (cipher == NULL || job->data.len > INT32_MAX / 2)
        return false;
    if (job->mode == CIPHER_CTR)
        return job->iv.len == CIPHER_BLOCK && cipher_ctr(job, cipher, out);
    AUTO(cipher_release) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (!cipher_begin(c, job, cipher))
        return false;
    return job->mode == CIPHER_GCM ? cipher_gcm(c, job, out) : cipher_plain(c, job, out);
}

/* cipher(mode, encrypt, key, iv, data, extra, tagBits): the bytes, or undefined when it failed. */
JS_NATIVE(web_crypto_cipher)
{
    AUTO(buf_done) struct buf out = {0};
    double mode = web_number(ctx, n_args, args, 0);
    struct cipher_job job = {.tag_bits = (unsigned)web_number(ctx, n_args, args, 6)};
    if (!(mode >= 0 && mode < CIPHER_MODES) || n_args < 7 || js_view(ctx, args[2], &job.key) < 0 ||
        js_view(ctx, args[4], &job.data) < 0)
        return js_throw(ctx, exception, "TypeError", "cipher wants a mode, a key and bytes");
    job.mode = (enum cipher_mode)mode;
    job.encrypt = js_is_true(ctx, args[1]);
    if ((!js_is_nullish(ctx, args[3]) && js_view(ctx, args[3], &job.iv) < 0) ||
        (!js_is_nullish(ctx, args[5]) && js_view(ctx, args[5], &job.extra) < 0))
        return js_throw(ctx, exception, "TypeError", "cipher: a buffer is detached");
    bool done = cipher_run(&job, &out);
    ERR_clear_error();
    return done ? js_bytes_buf(ctx, &out) : js_undefined(ctx);
}

/* --- derivation --- */

enum {
    DERIVE_MAX = 1024 * 1024,
    HKDF_BLOCKS_MAX = 255,
    PBKDF2_JOB_MAX = 64 * 1000 * 1000 /* iterations times bytes: a second or so */
};

static const EVP_MD *derive_md(enum digest_kind kind)
{
    const EVP_MD *(*const get[DIGEST_KINDS])(void) = {
        [DIGEST_MD5] = EVP_md5,       [DIGEST_SHA1] = EVP_sha1,     [DIGEST_SHA256] = EVP_sha256,
        [DIGEST_SHA384] = EVP_sha384, [DIGEST_SHA512] = EVP_sha512,
    };
    return get[kind]();
}

struct pbkdf2_job {
    struct vm_job job;
    struct buf password, salt, out;
    const EVP_MD *md;
    int iterations;
    size_t n;
    bool good;
};

static void pbkdf2_run(struct vm_job *job)
{
    struct pbkdf2_job *j = CONTAINER_OF(job, struct pbkdf2_job, job);
    struct slice salt = buf_slice(&j->salt);
    const char *password = buf_slice(&j->password).ptr;
    unsigned char *to = (unsigned char *)buf_reserve(&j->out, j->n + 1);
    j->good =
        j->n == 0 || PKCS5_PBKDF2_HMAC(password == NULL ? "" : password, (int)buf_len(&j->password),
                                       (const unsigned char *)salt.ptr, (int)salt.len,
                                       j->iterations, j->md, (int)j->n, to) == 1;
    buf_added(&j->out, j->n);
}

static js_value pbkdf2_value(struct vm_job *job, js_context ctx)
{
    struct pbkdf2_job *j = CONTAINER_OF(job, struct pbkdf2_job, job);
    return j->good ? js_bytes_buf(ctx, &j->out) : js_undefined(ctx);
}

static void pbkdf2_finish(struct vm_job *job)
{
    struct pbkdf2_job *j = CONTAINER_OF(job, struct pbkdf2_job, job);
    OPENSSL_cleanse((char *)(uintptr_t)buf_slice(&j->password).ptr, buf_len(&j->password));
    buf_done(&j->password);
    buf_done(&j->salt);
    buf_done(&j->out);
}

/* pbkdf2(digest, password, salt, iterations, bytes, callback): a job (engine/vm_job.h). */
JS_NATIVE(web_crypto_pbkdf2)
{
    struct slice password, salt;
    double kind = web_number(ctx, n_args, args, 0), length = web_number(ctx, n_args, args, 4);
    double iterations = web_number(ctx, n_args, args, 3);
    if (!(kind >= 0 && kind < DIGEST_KINDS) || web_bytes(ctx, n_args, args, 1, &password) < 0 ||
        web_bytes(ctx, n_args, args, 2, &salt) < 0 || !(length >= 0 && length <= DERIVE_MAX) ||
        !(iterations >= 1 && iterations < INT32_MAX))
        return js_throw(ctx, exception, "TypeError", "pbkdf2: a parameter is out of range");
    struct pbkdf2_job *j = mem_new(sizeof *j);
    *j = (struct pbkdf2_job){
        .job = {.run = pbkdf2_run, .value = pbkdf2_value, .finish = pbkdf2_finish},
        .md = derive_md((enum digest_kind)kind),
        .iterations = (int)iterations,
        .n = (size_t)length};
    j->job.here = iterations * length > PBKDF2_JOB_MAX;
    buf_append_slice(&j->password, password);
    buf_append_slice(&j->salt, salt);
    return vm_job_begin(ctx, &j->job, n_args > 5 ? args[5] : NULL);
}

static void hkdf_expand(enum digest_kind kind, const uint8_t *prk, struct slice info, size_t n,
                        struct buf *out)
{
    AUTO(buf_done) struct buf block = {0};
    size_t size = digest_size(kind);
    uint8_t t[DIGEST_MAX];
    for (unsigned i = 1; buf_len(out) < n; i++) {
        buf_clear(&block);
        if (i > 1)
            buf_append(&block, t, size);
        buf_append_slice(&block, info);
        buf_append_char(&block, (char)i);
        digest_hmac(kind, slice_from(prk, size), buf_slice(&block), t);
        buf_append(out, t, MIN(size, n - buf_len(out)));
    }
}

/* hkdf(digest, secret, salt, info, bytes): undefined when that is too long. */
JS_NATIVE(web_crypto_hkdf)
{
    AUTO(buf_done) struct buf out = {0};
    struct slice secret, salt, info;
    double number = web_number(ctx, n_args, args, 0), length = web_number(ctx, n_args, args, 4);
    if (!(number >= 0 && number < DIGEST_KINDS) || web_bytes(ctx, n_args, args, 1, &secret) < 0 ||
        web_bytes(ctx, n_args, args, 2, &salt) < 0 || web_bytes(ctx, n_args, args, 3, &info) < 0)
        return js_throw(ctx, exception, "TypeError", "hkdf: a parameter is missing");
    enum digest_kind kind = (enum digest_kind)number;
    uint8_t prk[DIGEST_MAX], zeros[DIGEST_MAX] = {0};
    if (!(length >= 0 && length <= (double)(HKDF_BLOCKS_MAX * digest_size(kind))))
        return js_undefined(ctx);
    digest_hmac(kind, salt.len == 0 ? slice_from(zeros, digest_size(kind)) : salt, secret, prk);
    hkdf_expand(kind, prk, info, (size_t)length, &out);
    return js_bytes_buf(ctx, &out);
}
