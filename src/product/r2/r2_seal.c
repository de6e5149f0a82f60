#include "product/r2/r2_seal.h"

#include "core/digest.h"
#include "core/id.h"
#include "product/r2/r2.h"

#include <errno.h>
#include <stdio.h>

enum { R2_SEAL_KEY_HEX = 64 };

static void r2_seal_hmac(const uint8_t *key, const char *use, const char *salt, uint8_t *ret)
{
    char text[64];
    snprintf(text, sizeof(text), "%s%s", use, salt);
    digest_hmac(DIGEST_SHA256, slice_from(key, KEYSTREAM_KEY_SIZE), slice_of(text), ret);
}

static int r2_seal_derive(const char *hex, const char *salt, struct r2_seal *ret, struct err *err)
{
    uint8_t key[KEYSTREAM_KEY_SIZE], sum[DIGEST_MAX];
    char check[2 * DIGEST_MAX + 1], md5[2 * DIGEST_MAX + 1];
    if (strlen(hex) != R2_SEAL_KEY_HEX || hex_decode(slice_of(hex), key, sizeof(key)) < 0)
        return err_set(err, -EINVAL, 10029, "SSE-C Key must be 32 bytes in length (10029)");
    r2_seal_hmac(key, "data", salt, ret->key);
    r2_seal_hmac(key, "check", salt, sum);
    hex_encode(sum, 32, check);
    digest_of(DIGEST_MD5, slice_from(key, sizeof(key)), sum);
    hex_encode(sum, 16, md5);
    snprintf(ret->text, sizeof(ret->text), "%.32s%.64s%.32s", salt, check, md5);
    ret->on = true;
    secret_wipe(key, sizeof(key));
    return 0;
}

int r2_seal_make(const json_t *options, const char *salt, struct r2_seal *ret, struct err *err)
{
    const char *hex = json_str(options, "ssecKey", NULL);
    *ret = (struct r2_seal){0};
    return hex == NULL ? 0 : r2_seal_derive(hex, salt, ret, err);
}

int r2_seal_open(struct slice text, const json_t *options, struct r2_seal *ret, struct err *err)
{
    const char *hex = json_str(options, "ssecKey", NULL);
    char salt[R2_SALT_LEN + 1];
    *ret = (struct r2_seal){0};
    if (text.len == 0 && hex == NULL)
        return 0;
    if (text.len != R2_SEAL_LEN || hex == NULL)
        return r2_fail(err, -EINVAL, text.len == 0 ? R2_ERR_NOT_SEALED : R2_ERR_SEALED);
    memcpy(salt, text.ptr, R2_SALT_LEN);
    salt[R2_SALT_LEN] = '\0';
    int r = r2_seal_derive(hex, salt, ret, err);
    if (r == 0 && !secret_eq(slice_of(ret->text), text))
        r = r2_fail(err, -EINVAL, R2_ERR_SEAL_KEY);
    if (r < 0)
        r2_seal_done(ret);
    return r;
}

void r2_seal_apply(const struct r2_seal *seal, const char *id, uint64_t offset, char *bytes,
                   size_t n)
{
    uint8_t nonce[KEYSTREAM_NONCE_SIZE];
    CHECK(hex_decode(slice_of(id), nonce, sizeof(nonce)) == 0);
    if (seal->on)
        keystream_apply(seal->key, nonce, offset, bytes, n);
}

void r2_seal_done(struct r2_seal *seal)
{
    secret_wipe(seal, sizeof(*seal));
}
