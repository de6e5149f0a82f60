#include "core/keystream.h"

#include "core/base.h"

#include <openssl/evp.h>

enum { KEYSTREAM_BLOCK = 16, KEYSTREAM_STEP = 1 << 30 };

/* The counter is the nonce plus the number of the block, as one big-endian number. */
static void keystream_counter(const uint8_t *nonce, uint64_t block, uint8_t *ret)
{
    memcpy(ret, nonce, KEYSTREAM_NONCE_SIZE);
    for (int i = KEYSTREAM_NONCE_SIZE - 1; i >= 0 && block > 0; i--) {
        uint64_t sum = ret[i] + (block & 0xff);
        ret[i] = (uint8_t)sum;
        block = (block >> 8) + (sum >> 8);
    }
}

void keystream_apply(const uint8_t key[KEYSTREAM_KEY_SIZE],
                     const uint8_t nonce[KEYSTREAM_NONCE_SIZE], uint64_t offset, char *bytes,
                     size_t n)
{
    uint8_t counter[KEYSTREAM_NONCE_SIZE], skipped[KEYSTREAM_BLOCK] = {0};
    int len;
    keystream_counter(nonce, offset / KEYSTREAM_BLOCK, counter);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    CHECK(ctx != NULL);
    CHECK(EVP_EncryptInit_ex(ctx, EVP_aes_256_ctr(), NULL, key, counter) == 1);
    CHECK(EVP_EncryptUpdate(ctx, skipped, &len, skipped, (int)(offset % KEYSTREAM_BLOCK)) == 1);
    while (n > 0) {
        int step = n > KEYSTREAM_STEP ? KEYSTREAM_STEP : (int)n;
        CHECK(EVP_EncryptUpdate(ctx, (uint8_t *)bytes, &len, (const uint8_t *)bytes, step) == 1);
        bytes += step;
        n -= (size_t)step;
    }
    EVP_CIPHER_CTX_free(ctx);
}
