/*
 * AES-256 in counter mode over OpenSSL's EVP: a stream of key bytes that is xored onto data, at any offset.
 *
 * It hides, and does not authenticate. A pair of key and nonce must never serve two texts. Any thread.
 */
#pragma once

#include "core/slice.h"

enum { KEYSTREAM_KEY_SIZE = 32, KEYSTREAM_NONCE_SIZE = 16 };

/* Encrypts or decrypts `n` bytes in place that stand at `offset` of the text. */
void keystream_apply(const uint8_t key[KEYSTREAM_KEY_SIZE],
                     const uint8_t nonce[KEYSTREAM_NONCE_SIZE], uint64_t offset, char *bytes,
                     size_t n);
