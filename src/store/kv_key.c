/*
 * Keys of up to 512 bytes in a store that takes 511, without losing their order.
 *
 * UTF-8 uses 243 of the 256 byte values. With "end" as symbol 0 that makes 244 symbols, and 116 of them
 * are worth 919.97 bits: they fit into 115 bytes. So the first 396 bytes of a key stay as they are, and
 * what follows (1 to 116 bytes) becomes one number of 115 bytes, most significant first, padded with
 * "end". Numbers compare as the strings did, and a key that ends before is a prefix and sorts first.
 */
#include "store/kv.h"

#include <errno.h>

enum {
    KEY_PLAIN = 396,
    KEY_TAIL = KV_KEY_MAX - KEY_PLAIN,
    KEY_PACKED = KV_ENCODED_MAX - KEY_PLAIN,
    KEY_SYMBOLS = 244,
    KEY_LIMBS = (KEY_PACKED + 3) / 4
};

/* 1..243, or -1 for bytes that UTF-8 does not use. */
static int kv_symbol_of(uint8_t byte)
{
    if (byte < 0xc0)
        return byte + 1;
    if (byte >= 0xc2 && byte <= 0xf4)
        return byte - 1;
    return -1;
}

static uint8_t kv_symbol_byte(unsigned symbol)
{
    return (uint8_t)(symbol <= 0xc0 ? symbol - 1 : symbol + 1);
}

ssize_t kv_key_encode(struct slice key, uint8_t *buf)
{
    if (key.len == 0 || key.len > KV_KEY_MAX)
        return -EINVAL;
    if (key.len <= KEY_PLAIN) {
        memcpy(buf, key.ptr, key.len);
        return (ssize_t)key.len;
    }
    uint32_t limbs[KEY_LIMBS] = {0}; /* least significant first */
    for (size_t i = 0; i < KEY_TAIL; i++) {
        size_t at = KEY_PLAIN + i;
        int symbol = at < key.len ? kv_symbol_of((uint8_t)key.ptr[at]) : 0;
        if (symbol < 0)
            return -EINVAL;
        uint64_t carry = (uint64_t)symbol;
        for (size_t k = 0; k < KEY_LIMBS; k++) {
            carry += (uint64_t)limbs[k] * KEY_SYMBOLS;
            limbs[k] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    memcpy(buf, key.ptr, KEY_PLAIN);
    for (size_t i = 0; i < KEY_PACKED; i++)
        buf[KV_ENCODED_MAX - 1 - i] = (uint8_t)(limbs[i / 4] >> (8 * (i % 4)));
    return KV_ENCODED_MAX;
}

ssize_t kv_key_decode(struct slice encoded, uint8_t *buf)
{
    if (encoded.len <= KEY_PLAIN) {
        memcpy(buf, encoded.ptr, encoded.len);
        return (ssize_t)encoded.len;
    }
    if (encoded.len != KV_ENCODED_MAX)
        return -EINVAL;
    memcpy(buf, encoded.ptr, KEY_PLAIN);
    uint32_t limbs[KEY_LIMBS] = {0};
    for (size_t i = 0; i < KEY_PACKED; i++)
        limbs[i / 4] |= (uint32_t)(uint8_t)encoded.ptr[KV_ENCODED_MAX - 1 - i] << (8 * (i % 4));
    size_t len = KEY_PLAIN;
    for (size_t i = KEY_TAIL; i-- > 0;) {
        uint64_t rest = 0;
        for (size_t k = KEY_LIMBS; k-- > 0;) {
            rest = rest << 32 | limbs[k];
            limbs[k] = (uint32_t)(rest / KEY_SYMBOLS);
            rest %= KEY_SYMBOLS;
        }
        if (rest == 0)
            continue;
        buf[KEY_PLAIN + i] = kv_symbol_byte((unsigned)rest);
        len = MAX(len, KEY_PLAIN + i + 1);
    }
    return (ssize_t)len;
}
