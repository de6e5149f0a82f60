/* What the crypto_*.c files share: errors of OpenSSL as exceptions, names of digests, key handles. */
#pragma once

#include "engine/vm_job.h"
#include "node/node_impl.h"

#include <openssl/evp.h>

enum {
    CRYPTO_NAME_MAX = 80,
    CRYPTO_KEY_MAGIC = 0x6e6b6579,
    CRYPTO_OUT_MAX = 256 * 1024 * 1024 /* bytes that one call may derive */
};

struct crypto_key {
    struct node_object object;
    EVP_PKEY *pkey; /* owned */
};

/* Throws what OpenSSL's queue says, with the code and reason Node gives; `fallback` when it is empty. */
js_value crypto_throw(js_context ctx, js_value *exception, const char *fallback);
/* The digest with that name ("sha256", "SHA-256", "RSA-SHA256"); the caller frees it. NULL when there is none. */
EVP_MD *crypto_md(js_context ctx, js_value name);
void crypto_md_release(EVP_MD **md);
/* Argument i as a length of what is wanted; 0 when it is none. */
size_t crypto_out_length(js_context ctx, size_t n_args, const js_value args[], size_t i);
/* NULL when args[i] is no key. */
EVP_PKEY *crypto_key_arg(js_context ctx, size_t n_args, const js_value args[], size_t i);
js_value crypto_key_value(js_context ctx, EVP_PKEY *pkey); /* takes it */
void crypto_pkey_release(EVP_PKEY **pkey);
void crypto_pkey_ctx_release(EVP_PKEY_CTX **ctx);
