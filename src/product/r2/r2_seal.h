/*
 * Encryption with a key of the customer's (SSE-C). The key comes with every request and is never stored.
 *
 * An object has a salt. What encrypts its bytes is HMAC-SHA256(key, "data" salt), as AES-256 in counter mode with
 * the id of the blob (or the version of an inline object) as nonce; what tells the right key from others is
 * HMAC-SHA256(key, "check" salt), stored beside the salt. An upload's salt is its id, so that parts can be encrypted
 * before anything was looked up. Checksums and etags are those of the plain bytes.
 *
 * Pure, any thread. https://developers.cloudflare.com/r2/examples/ssec/
 */
#pragma once

#include "core/err.h"
#include "core/json.h"
#include "core/keystream.h"

enum { R2_SALT_LEN = 32, R2_SEAL_LEN = 128 }; /* hex: salt, check, MD5 of the key */

struct r2_seal {
    bool on;
    uint8_t key[KEYSTREAM_KEY_SIZE]; /* encrypts the bytes */
    char text[R2_SEAL_LEN + 1];      /* what is stored; "" when off */
};

/* From options.ssecKey (hex), if it is there. `salt` is 32 hex digits. */
NODISCARD int r2_seal_make(const json_t *options, const char *salt, struct r2_seal *ret,
                           struct err *err);
/* The seal of what was stored with `text` ("" = without): fails without the right key, and with a needless one. */
NODISCARD int r2_seal_open(struct slice text, const json_t *options, struct r2_seal *ret,
                           struct err *err);
/* Encrypts or decrypts bytes at `offset` of the blob `id`. */
void r2_seal_apply(const struct r2_seal *seal, const char *id, uint64_t offset, char *bytes,
                   size_t n);
void r2_seal_done(struct r2_seal *seal); /* for AUTO(): wipes it */
