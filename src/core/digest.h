/*
 * Message digests and HMAC over OpenSSL's EVP. Beside keystream.c the only file of core/ that includes a TLS library.
 */
#pragma once

#include "core/slice.h"

enum digest_kind {
    DIGEST_MD5,
    DIGEST_SHA1,
    DIGEST_SHA256,
    DIGEST_SHA384,
    DIGEST_SHA512,
    DIGEST_KINDS
};

enum { DIGEST_MAX = 64 };

size_t digest_size(enum digest_kind kind);
/* All at once; ret has room for digest_size(). */
void digest_of(enum digest_kind kind, struct slice data, uint8_t *ret);
void digest_hmac(enum digest_kind kind, struct slice key, struct slice data, uint8_t *ret);

/* Piece by piece. */
struct digest;
struct digest *digest_create(enum digest_kind kind);
void digest_update(struct digest *d, struct slice data);
void digest_value(struct digest *d, uint8_t *ret); /* ends it; then only destroy */
void digest_destroy(struct digest *d);
void digest_release(struct digest **d);
