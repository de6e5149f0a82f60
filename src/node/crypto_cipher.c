/*
 * Ciphers for node:crypto: cipherOpen(name, encrypt, key, iv, tagLength) and what is done with the handle.
 */
#include "node/crypto_impl.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <stdlib.h>

enum { CIPHER_MAGIC = 0x6e637068, CIPHER_TAG_MAX = 16 };

struct crypto_cipher {
    struct node_object object;
    EVP_CIPHER_CTX *evp;
    bool encrypt, tag_set, done;
    unsigned mode;
    size_t tag_len;
    unsigned char tag[CIPHER_TAG_MAX];
};

static void cipher_finish(struct node_object *object)
{
    EVP_CIPHER_CTX_free(CONTAINER_OF(object, struct crypto_cipher, object)->evp);
}

static void evp_cipher_release(EVP_CIPHER **cipher)
{
    EVP_CIPHER_free(*cipher);
}

static EVP_CIPHER *cipher_named(js_context ctx, js_value name)
{
    char text[CRYPTO_NAME_MAX];
    node_name(ctx, name, text, sizeof text);
    EVP_CIPHER *cipher = text[0] == 0 ? NULL : EVP_CIPHER_fetch(NULL, text, NULL);
    if (cipher == NULL)
        ERR_clear_error();
    return cipher;
}

static const char *cipher_mode_name(unsigned mode)
{
    static const char *const names[] = {
        [EVP_CIPH_STREAM_CIPHER] = "stream", [EVP_CIPH_ECB_MODE] = "ecb",
        [EVP_CIPH_CBC_MODE] = "cbc",         [EVP_CIPH_CFB_MODE] = "cfb",
        [EVP_CIPH_OFB_MODE] = "ofb",         [EVP_CIPH_CTR_MODE] = "ctr",
        [EVP_CIPH_GCM_MODE] = "gcm",         [EVP_CIPH_CCM_MODE] = "ccm"};
    if (mode == EVP_CIPH_OCB_MODE)
        return "ocb";
    if (mode == EVP_CIPH_XTS_MODE)
        return "xts";
    if (mode == EVP_CIPH_WRAP_MODE)
        return "wrap";
    return mode < ARRAY_LEN(names) && names[mode] != NULL ? names[mode] : "";
}

/* cipherInfo(name): [name, nid, blockSize, ivLength, keyLength, mode], or undefined. */
static JS_NATIVE(node_cipher_info)
{
    AUTO(evp_cipher_release) EVP_CIPHER *c = cipher_named(ctx, node_arg(ctx, n_args, args, 0));
    if (c == NULL)
        return js_undefined(ctx);
    char name[CRYPTO_NAME_MAX];
    snprintf(name, sizeof name, "%s", OBJ_nid2sn(EVP_CIPHER_get_nid(c)));
    for (char *p = name; *p != 0; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    js_value values[] = {
        js_string(ctx, slice_of(name)),
        js_number(ctx, EVP_CIPHER_get_nid(c)),
        js_number(ctx, EVP_CIPHER_get_block_size(c)),
        js_number(ctx, EVP_CIPHER_get_iv_length(c)),
        js_number(ctx, EVP_CIPHER_get_key_length(c)),
        js_string(ctx, slice_of(cipher_mode_name((unsigned)EVP_CIPHER_get_mode(c))))};
    return js_array(ctx, values, ARRAY_LEN(values));
}

static bool cipher_is_aead(const struct crypto_cipher *c)
{
    return (EVP_CIPHER_get_flags(EVP_CIPHER_CTX_get0_cipher(c->evp)) & EVP_CIPH_FLAG_AEAD_CIPHER) !=
           0;
}

/* Lengths go in before the key does. */
static bool cipher_begin(struct crypto_cipher *c, const EVP_CIPHER *evp, struct slice key,
                         struct slice iv)
{
    if (!EVP_CipherInit_ex2(c->evp, evp, NULL, NULL, c->encrypt, NULL))
        return false;
    if (cipher_is_aead(c) && iv.len > 0 &&
        EVP_CIPHER_CTX_ctrl(c->evp, EVP_CTRL_AEAD_SET_IVLEN, (int)iv.len, NULL) != 1)
        return false;
    bool lengths = c->mode == EVP_CIPH_CCM_MODE || c->mode == EVP_CIPH_OCB_MODE;
    if (lengths && EVP_CIPHER_CTX_ctrl(c->evp, EVP_CTRL_AEAD_SET_TAG, (int)c->tag_len, NULL) != 1)
        return false;
    if (c->mode == EVP_CIPH_WRAP_MODE)
        EVP_CIPHER_CTX_set_flags(c->evp, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    return EVP_CipherInit_ex2(c->evp, NULL, (const unsigned char *)key.ptr,
                              iv.len == 0 ? NULL : (const unsigned char *)iv.ptr, c->encrypt,
                              NULL) == 1;
}

static JS_NATIVE(node_cipher_open)
{
    AUTO(evp_cipher_release) EVP_CIPHER *evp = cipher_named(ctx, node_arg(ctx, n_args, args, 0));
    if (evp == NULL)
        return js_undefined(ctx);
    struct crypto_cipher *c = mem_new(sizeof *c);
    c->object = (struct node_object){CIPHER_MAGIC, cipher_finish};
    c->evp = EVP_CIPHER_CTX_new();
    c->encrypt = n_args > 1 && js_is_true(ctx, args[1]);
    c->mode = (unsigned)EVP_CIPHER_get_mode(evp);
    c->tag_len = (size_t)node_number(ctx, n_args, args, 4, CIPHER_TAG_MAX);
    c->tag_len = MIN(c->tag_len, (size_t)CIPHER_TAG_MAX);
    bool good =
        cipher_begin(c, evp, node_view(ctx, n_args, args, 2), node_view(ctx, n_args, args, 3));
    js_value handle = node_object_value(ctx, &c->object);
    return good ? handle : crypto_throw(ctx, exception, "Invalid key or initialization vector");
}

static struct crypto_cipher *cipher_handle(js_context ctx, size_t n_args, const js_value args[])
{
    struct node_object *object = n_args > 0 ? node_object_of(ctx, args[0], CIPHER_MAGIC) : NULL;
    return object == NULL ? NULL : CONTAINER_OF(object, struct crypto_cipher, object);
}

/* cipherAad(handle, bytes, plaintextLength) */
static JS_NATIVE(node_cipher_aad)
{
    struct crypto_cipher *c = cipher_handle(ctx, n_args, args);
    struct slice aad = node_view(ctx, n_args, args, 1);
    int len = 0;
    bool good = c != NULL;
    if (good && c->mode == EVP_CIPH_CCM_MODE) {
        int total = (int)node_number(ctx, n_args, args, 2, 0);
        good = EVP_CipherUpdate(c->evp, NULL, &len, NULL, total) == 1;
    }
    if (good)
        good =
            EVP_CipherUpdate(c->evp, NULL, &len, (const unsigned char *)aad.ptr, (int)aad.len) == 1;
    ERR_clear_error();
    return js_bool(ctx, good);
}

static JS_NATIVE(node_cipher_set_tag)
{
    struct crypto_cipher *c = cipher_handle(ctx, n_args, args);
    struct slice tag = node_view(ctx, n_args, args, 1);
    if (c == NULL || tag.len > CIPHER_TAG_MAX || tag.len == 0)
        return js_bool(ctx, false);
    memcpy(c->tag, tag.ptr, tag.len);
    c->tag_len = tag.len;
    c->tag_set = EVP_CIPHER_CTX_ctrl(c->evp, EVP_CTRL_AEAD_SET_TAG, (int)tag.len, c->tag) == 1;
    ERR_clear_error();
    return js_bool(ctx, c->tag_set);
}

static JS_NATIVE(node_cipher_get_tag)
{
    struct crypto_cipher *c = cipher_handle(ctx, n_args, args);
    if (c == NULL ||
        EVP_CIPHER_CTX_ctrl(c->evp, EVP_CTRL_AEAD_GET_TAG, (int)c->tag_len, c->tag) != 1)
        return js_undefined(ctx);
    return js_bytes(ctx, slice_from(c->tag, c->tag_len));
}

/* cipherUpdate(handle, bytes): undefined when it failed. */
static JS_NATIVE(node_cipher_update)
{
    AUTO(buf_done) struct buf out = {0};
    struct crypto_cipher *c = cipher_handle(ctx, n_args, args);
    struct slice in = node_view(ctx, n_args, args, 1);
    if (c == NULL || in.len > INT32_MAX - 64)
        return js_undefined(ctx);
    int len = 0;
    unsigned char *to = (unsigned char *)buf_reserve(&out, in.len + 64);
    int r = EVP_CipherUpdate(c->evp, to, &len, (const unsigned char *)(in.len == 0 ? "" : in.ptr),
                             (int)in.len);
    if (r != 1) {
        /* CCM checks its tag here; whether it was right is said at the end. */
        ERR_clear_error();
        if (c->mode == EVP_CIPH_CCM_MODE && !c->encrypt)
            c->done = true;
        return js_undefined(ctx);
    }
    buf_added(&out, (size_t)len);
    return js_bytes_buf(ctx, &out);
}

static JS_NATIVE(node_cipher_final)
{
    struct crypto_cipher *c = cipher_handle(ctx, n_args, args);
    unsigned char last[64];
    int len = 0;
    if (c == NULL)
        return js_throw(ctx, exception, "TypeError", "not a cipher");
    if (c->mode == EVP_CIPH_CCM_MODE && !c->encrypt)
        return c->done ? js_undefined(ctx) : js_bytes(ctx, SLICE(""));
    if (EVP_CipherFinal_ex(c->evp, last, &len) != 1) {
        if (cipher_is_aead(c)) {
            ERR_clear_error();
            return js_undefined(ctx);
        }
        return crypto_throw(ctx, exception, "Unsupported state or unable to authenticate data");
    }
    return js_bytes(ctx, slice_from(last, (size_t)len));
}

static JS_NATIVE(node_cipher_padding)
{
    struct crypto_cipher *c = cipher_handle(ctx, n_args, args);
    if (c != NULL)
        EVP_CIPHER_CTX_set_padding(c->evp, n_args > 1 && js_is_true(ctx, args[1]));
    return js_undefined(ctx);
}

const struct js_native_row node_cipher_rows[] = {
    {"cipherInfo", node_cipher_info},      {"cipherOpen", node_cipher_open},
    {"cipherAad", node_cipher_aad},        {"cipherSetTag", node_cipher_set_tag},
    {"cipherGetTag", node_cipher_get_tag}, {"cipherUpdate", node_cipher_update},
    {"cipherFinal", node_cipher_final},    {"cipherPadding", node_cipher_padding},
};
const size_t node_cipher_n_rows = ARRAY_LEN(node_cipher_rows);
