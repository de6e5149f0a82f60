/*
 * TLS contexts: TLS 1.2 and later, server side, HTTP/2 preferred by ALPN.
 */
#include "net/tls_impl.h"

#include "core/base.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

enum { TLS_REASON_SIZE = 256 };

const char *tls_reason(char *buf, size_t size)
{
    unsigned long code = ERR_get_error();

    ERR_error_string_n(code, buf, size);
    ERR_clear_error();
    return code == 0 ? "no reason given" : buf;
}

static int tls_fail(struct err *err, const char *what)
{
    char reason[TLS_REASON_SIZE];

    return err_set(err, -EBADMSG, 0, "%s: %s", what, tls_reason(reason, sizeof(reason)));
}

/* Our order decides; no common protocol means that the client speaks HTTP/1.1 without saying so. */
static int tls_select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                               const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, ours, sizeof(ours) - 1, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_TLSEXT_ERR_OK;
}

static void tls_bio_release(BIO **bio)
{
    BIO_free(*bio);
}

static void tls_x509_release(X509 **cert)
{
    X509_free(*cert);
}

static void tls_key_release(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static BIO *tls_bio_of(struct slice text)
{
    return BIO_new_mem_buf(text.ptr, (int)MIN(text.len, (size_t)INT32_MAX));
}

static int tls_use_certificates(SSL_CTX *ctx, struct slice pem, struct err *err)
{
    AUTO(tls_bio_release) BIO *bio = tls_bio_of(pem);
    AUTO(tls_x509_release) X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);

    if (leaf == NULL || SSL_CTX_use_certificate(ctx, leaf) != 1)
        return tls_fail(err, "certificate");
    for (;;) {
        X509 *more = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (more == NULL)
            break;
        if (SSL_CTX_add0_chain_cert(ctx, more) != 1) {
            X509_free(more);
            return tls_fail(err, "certificate chain");
        }
    }
    ERR_clear_error(); /* the end of the file is reported as an error */
    return 0;
}

static int tls_use_key(SSL_CTX *ctx, struct slice pem, struct err *err)
{
    AUTO(tls_bio_release) BIO *bio = tls_bio_of(pem);
    AUTO(tls_key_release) EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    if (key == NULL || SSL_CTX_use_PrivateKey(ctx, key) != 1)
        return tls_fail(err, "private key");
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_fail(err, "private key does not belong to the certificate");
    return 0;
}

static void tls_release(struct tls_context **tls)
{
    tls_context_destroy(*tls);
}

int tls_context_create(struct slice certificate_pem, struct slice key_pem, struct tls_context **ret,
                       struct err *err)
{
    AUTO(tls_release) struct tls_context *tls = mem_new(sizeof(*tls));

    tls->ctx = SSL_CTX_new(TLS_server_method());
    CHECK(tls->ctx != NULL);
    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                      SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                      SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                   SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(tls->ctx, tls_select_protocol, NULL);
    SSL_CTX_set_session_id_context(tls->ctx, (const unsigned char *)"selvedge", 8);

    int r = tls_use_certificates(tls->ctx, certificate_pem, err);
    if (r == 0)
        r = tls_use_key(tls->ctx, key_pem, err);
    if (r < 0)
        return r;
    *ret = TAKE(tls);
    return 0;
}

void tls_context_destroy(struct tls_context *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->ctx);
    tls_names_destroy(tls->names);
    free(tls);
}
