/*
 * Digests over EVP.
 *
 * Algorithms are fetched once per process: a fetch by name costs more than hashing a short message.
 * The first call may read OpenSSL's configuration file, so a sandboxed role makes one before it
 * seals itself.
 */
#include "core/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

struct digest {
    EVP_MD_CTX *ctx; /* owned */
};

static const struct {
    const char *name;
    size_t size;
} digest_table[DIGEST_KINDS] = {
    [DIGEST_MD5] = {"MD5", 16},       [DIGEST_SHA1] = {"SHA1", 20},
    [DIGEST_SHA256] = {"SHA256", 32}, [DIGEST_SHA384] = {"SHA384", 48},
    [DIGEST_SHA512] = {"SHA512", 64},
};

static pthread_once_t digest_once = PTHREAD_ONCE_INIT;
static EVP_MD *digest_md[DIGEST_KINDS]; /* live until exit */
static EVP_MAC *digest_mac;             /* lives until exit */

static void digest_fetch(void)
{
    for (size_t i = 0; i < DIGEST_KINDS; i++)
        digest_md[i] = EVP_MD_fetch(NULL, digest_table[i].name, NULL);
    digest_mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static const EVP_MD *digest_algorithm(enum digest_kind kind)
{
    CHECK((size_t)kind < DIGEST_KINDS);
    CHECK(pthread_once(&digest_once, digest_fetch) == 0);
    CHECK(digest_md[kind] != NULL);
    return digest_md[kind];
}

size_t digest_size(enum digest_kind kind)
{
    CHECK((size_t)kind < DIGEST_KINDS);
    return digest_table[kind].size;
}

void digest_of(enum digest_kind kind, struct slice data, uint8_t *ret)
{
    unsigned n = 0;
    const void *ptr = data.len == 0 ? "" : data.ptr;
    CHECK(EVP_Digest(ptr, data.len, ret, &n, digest_algorithm(kind), NULL) == 1);
    CHECK(n == digest_size(kind));
}

void digest_hmac(enum digest_kind kind, struct slice key, struct slice data, uint8_t *ret)
{
    (void)digest_algorithm(kind); /* fetches digest_mac too */
    CHECK(digest_mac != NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(digest_mac);
    CHECK(ctx != NULL);

    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest_table[kind].name, 0),
        OSSL_PARAM_construct_end()};
    const void *k = key.len == 0 ? "" : key.ptr, *d = data.len == 0 ? "" : data.ptr;
    size_t n = 0;
    CHECK(EVP_MAC_init(ctx, k, key.len, params) == 1);
    CHECK(EVP_MAC_update(ctx, d, data.len) == 1);
    CHECK(EVP_MAC_final(ctx, ret, &n, digest_size(kind)) == 1);
    CHECK(n == digest_size(kind));
    EVP_MAC_CTX_free(ctx);
}

struct digest *digest_create(enum digest_kind kind)
{
    struct digest *d = mem_new(sizeof(*d));
    d->ctx = EVP_MD_CTX_new();
    CHECK(d->ctx != NULL);
    CHECK(EVP_DigestInit_ex(d->ctx, digest_algorithm(kind), NULL) == 1);
    return d;
}

void digest_update(struct digest *d, struct slice data)
{
    if (data.len > 0)
        CHECK(EVP_DigestUpdate(d->ctx, data.ptr, data.len) == 1);
}

void digest_value(struct digest *d, uint8_t *ret)
{
    CHECK(EVP_DigestFinal_ex(d->ctx, ret, NULL) == 1);
}

void digest_destroy(struct digest *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

void digest_release(struct digest **d)
{
    digest_destroy(*d);
    *d = NULL;
}
