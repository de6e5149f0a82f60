/*
 * The local authority of a first start: a root that may only speak for this node's names, and the
 * server's certificate under it.
 *
 * What is on disk counts only if it holds together: the server's certificate must verify against the
 * authority (which covers names, constraints and keys) and have a month left. Otherwise it is made
 * anew; if the authority itself is what does not fit, for instance since the domain changed, that too.
 */
#include "net/tls_impl.h"

#include "core/file.h"
#include "core/map.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum {
    TLS_PEM_MAX = 64 * 1024,
    TLS_DOMAIN_MAX = 253,
    TLS_AUTHORITY_DAYS = 3650,
    TLS_SERVER_DAYS = 397, /* the most that browsers accept from a public authority */
    TLS_RENEW_DAYS = 30,
    TLS_BACKDATE_S = 3600, /* clients' clocks differ */
    TLS_SERIAL_BYTES = 16
};

struct tls_pair {
    X509 *cert;    /* owned */
    EVP_PKEY *key; /* owned */
};

static void tls_pair_done(struct tls_pair *pair)
{
    X509_free(pair->cert);
    EVP_PKEY_free(pair->key);
    *pair = (struct tls_pair){0};
}

static void tls_bio_release(BIO **bio)
{
    BIO_free(*bio);
}

static int tls_fail(struct err *err, const char *what)
{
    char reason[256];

    return err_set(err, -EIO, 0, "%s: %s", what, tls_reason(reason, sizeof(reason)));
}

/* --- on disk --- */

static BIO *tls_read_file(int dir_fd, const char *name)
{
    AUTO(buf_done) struct buf text = {0};

    if (file_read(dir_fd, name, TLS_PEM_MAX, &text) < 0)
        return NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(bio != NULL && BIO_write(bio, text.data, (int)buf_len(&text)) == (int)buf_len(&text));
    return bio;
}

/* False when anything is missing or broken: it will be made anew. */
static bool tls_pair_load(int dir_fd, const char *cert_name, const char *key_name,
                          struct tls_pair *ret)
{
    AUTO(tls_bio_release) BIO *cert = tls_read_file(dir_fd, cert_name);
    AUTO(tls_bio_release) BIO *key = tls_read_file(dir_fd, key_name);

    if (cert == NULL || key == NULL)
        return false;
    ret->cert = PEM_read_bio_X509(cert, NULL, NULL, NULL);
    ret->key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    if (ret->cert != NULL && ret->key != NULL && X509_check_private_key(ret->cert, ret->key) == 1)
        return true;
    ERR_clear_error();
    tls_pair_done(ret);
    return false;
}

static int tls_write_file(int dir_fd, const char *name, BIO *bio, mode_t mode, struct err *err)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    int r = file_replace(dir_fd, name, slice_from(text, (size_t)MAX(len, 0L)), mode);

    return r < 0 ? err_set(err, r, 0, "cannot write keys/%s", name) : 0;
}

/* The authority follows the server's certificate, so that the file is a complete chain. */
static int tls_pair_save(int dir_fd, const char *base, const struct tls_pair *pair,
                         const struct tls_pair *issuer, struct err *err)
{
    AUTO(tls_bio_release) BIO *cert = BIO_new(BIO_s_mem());
    AUTO(tls_bio_release) BIO *key = BIO_new(BIO_s_secmem());
    char name[32];

    if (PEM_write_bio_X509(cert, pair->cert) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key, pair->key, NULL, NULL, 0, NULL, NULL) != 1 ||
        (issuer != NULL && PEM_write_bio_X509(cert, issuer->cert) != 1))
        return tls_fail(err, "cannot write a certificate");

    (void)snprintf(name, sizeof(name), "%s.key", base); /* fits: the two names are ours */
    int r = tls_write_file(dir_fd, name, key, 0600, err);
    if (r < 0)
        return r;
    (void)snprintf(name, sizeof(name), "%s.crt", base); /* as above */
    return tls_write_file(dir_fd, name, cert, 0644, err);
}

/* --- making certificates --- */

static bool tls_add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool tls_set_serial(X509 *cert)
{
    uint8_t bytes[TLS_SERIAL_BYTES];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] &= 0x7f; /* positive */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

/* An unsigned certificate for the key that is there, or for a new one. */
static bool tls_pair_begin(struct tls_pair *ret, const char *common_name, int days)
{
    if (ret->key == NULL)
        ret->key = EVP_EC_gen("P-256");
    ret->cert = X509_new();
    if (ret->key == NULL || ret->cert == NULL || !tls_set_serial(ret->cert))
        return false;

    X509_NAME *name = X509_get_subject_name(ret->cert);
    return X509_set_version(ret->cert, X509_VERSION_3) == 1 &&
           X509_set_pubkey(ret->cert, ret->key) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(ret->cert), -TLS_BACKDATE_S) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(ret->cert), days, 0, NULL) != NULL &&
           X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Selvedge",
                                      -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                      -1, -1, 0) == 1;
}

static int tls_make_authority(struct tls_pair *ret, const char *domain, struct err *err)
{
    char names[2 * TLS_DOMAIN_MAX];

    (void)snprintf(names, sizeof(names), /* fits: the domain's length was checked */
                   "critical,permitted;DNS:%s,permitted;DNS:localhost,"
                   "permitted;IP:127.0.0.0/255.0.0.0,"
                   "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                   domain);
    bool ok =
        tls_pair_begin(ret, "Selvedge local authority", TLS_AUTHORITY_DAYS) &&
        X509_set_issuer_name(ret->cert, X509_get_subject_name(ret->cert)) == 1 &&
        tls_add_extension(ret->cert, ret->cert, NID_basic_constraints,
                          "critical,CA:TRUE,pathlen:0") &&
        tls_add_extension(ret->cert, ret->cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        tls_add_extension(ret->cert, ret->cert, NID_subject_key_identifier, "hash") &&
        tls_add_extension(ret->cert, ret->cert, NID_name_constraints, names) &&
        X509_sign(ret->cert, ret->key, EVP_sha256()) > 0;
    return ok ? 0 : tls_fail(err, "cannot make the local authority");
}

/* names: the subject alternative names in OpenSSL's notation. */
static int tls_make_leaf(struct tls_pair *ret, const struct tls_pair *authority, const char *names,
                         struct err *err)
{
    bool ok =
        tls_pair_begin(ret, "Selvedge", TLS_SERVER_DAYS) &&
        X509_set_issuer_name(ret->cert, X509_get_subject_name(authority->cert)) == 1 &&
        tls_add_extension(ret->cert, authority->cert, NID_basic_constraints, "critical,CA:FALSE") &&
        tls_add_extension(ret->cert, authority->cert, NID_key_usage, "critical,digitalSignature") &&
        tls_add_extension(ret->cert, authority->cert, NID_ext_key_usage, "serverAuth") &&
        tls_add_extension(ret->cert, authority->cert, NID_subject_key_identifier, "hash") &&
        tls_add_extension(ret->cert, authority->cert, NID_authority_key_identifier, "keyid") &&
        tls_add_extension(ret->cert, authority->cert, NID_subject_alt_name, names) &&
        X509_sign(ret->cert, authority->key, EVP_sha256()) > 0;
    return ok ? 0 : tls_fail(err, "cannot make a server's certificate");
}

static int tls_make_server(struct tls_pair *ret, const struct tls_pair *authority,
                           const char *domain, struct err *err)
{
    char names[3 * TLS_DOMAIN_MAX];

    (void)snprintf(names, sizeof(names), /* fits, as above */
                   "DNS:%s,DNS:*.%s,DNS:localhost,IP:127.0.0.1,IP:::1", domain, domain);
    return tls_make_leaf(ret, authority, names, err);
}

/* --- judging them --- */

static bool tls_verifies(X509 *server, X509 *authority)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool ok = store != NULL && ctx != NULL && X509_STORE_add_cert(store, authority) == 1 &&
              X509_STORE_CTX_init(ctx, store, server, NULL) == 1 && X509_verify_cert(ctx) == 1;

    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return ok;
}

static bool tls_lasts(const X509 *cert)
{
    time_t later = time(NULL) + (time_t)TLS_RENEW_DAYS * 24 * 3600;

    return X509_cmp_time(X509_get0_notAfter(cert), &later) > 0;
}

static bool tls_pair_is_good(const struct tls_pair *server, const struct tls_pair *authority,
                             const char *domain)
{
    return server->cert != NULL && authority->cert != NULL &&
           X509_check_host(server->cert, domain, 0, 0, NULL) == 1 && tls_lasts(server->cert) &&
           tls_lasts(authority->cert) && tls_verifies(server->cert, authority->cert);
}

static int tls_remake(int dir_fd, const char *domain, struct tls_pair *authority,
                      bool with_authority, struct err *err)
{
    AUTO(tls_pair_done) struct tls_pair server = {0};
    int r = 0;

    if (with_authority) {
        tls_pair_done(authority);
        r = tls_make_authority(authority, domain, err);
        if (r == 0)
            r = tls_pair_save(dir_fd, "authority", authority, NULL, err);
    }
    if (r == 0)
        r = tls_make_server(&server, authority, domain, err);
    if (r < 0)
        return r;
    if (!tls_pair_is_good(&server, authority, domain))
        return with_authority ? tls_fail(err, "the new certificate does not verify") : -ESTALE;
    return tls_pair_save(dir_fd, "server", &server, authority, err);
}

int tls_authority_ensure(int keys_dir_fd, const char *domain, struct err *err)
{
    AUTO(tls_pair_done) struct tls_pair authority = {0};
    AUTO(tls_pair_done) struct tls_pair server = {0};
    size_t len = strlen(domain);

    if (len == 0 || len > TLS_DOMAIN_MAX || strpbrk(domain, ",;:/ \t\r\n") != NULL)
        return err_set(err, -EINVAL, 0, "'%s' is not a domain name", domain);

    bool has_authority = tls_pair_load(keys_dir_fd, "authority.crt", "authority.key", &authority);
    if (tls_pair_load(keys_dir_fd, "server.crt", "server.key", &server) &&
        tls_pair_is_good(&server, &authority, domain))
        return 0;

    int r = tls_remake(keys_dir_fd, domain, &authority, !has_authority, err);
    if (r == -ESTALE)
        r = tls_remake(keys_dir_fd, domain, &authority, true, err);
    return r;
}

/* --- a certificate for each name --- */

struct tls_names {
    struct tls_pair authority;
    EVP_PKEY *key; /* owned: the server's, for every name */
    char domain[TLS_DOMAIN_MAX + 1];
    struct map certs; /* host -> X509, owned */
};

static void tls_names_clear(struct tls_names *names)
{
    struct slice key;
    void *cert;

    for (size_t at = 0; map_next(&names->certs, &at, &key, &cert);)
        X509_free(cert);
    map_done(&names->certs);
    names->certs = (struct map){0};
}

void tls_names_destroy(struct tls_names *names)
{
    if (names == NULL)
        return;
    tls_names_clear(names);
    tls_pair_done(&names->authority);
    EVP_PKEY_free(names->key);
    mem_release(&names);
}

/* One label of letters, digits and hyphens below the domain. */
static bool tls_name_is_ours(const struct tls_names *names, struct slice host)
{
    struct slice domain = slice_of(names->domain);

    if (host.len <= domain.len + 1 || host.len > TLS_DOMAIN_MAX || !slice_ends(host, domain) ||
        host.ptr[host.len - domain.len - 1] != '.')
        return false;
    for (size_t i = 0; i < host.len - domain.len - 1; i++) {
        char c = host.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static X509 *tls_name_cert(struct tls_names *names, struct slice host)
{
    X509 *known = map_get(&names->certs, host);
    if (known != NULL)
        return known;

    char alternative[TLS_DOMAIN_MAX + 8];
    struct tls_pair leaf = {.key = names->key};
    (void)snprintf(alternative, sizeof(alternative), "DNS:%.*s",
                   SLICE_ARG(host)); /* length checked */
    if (tls_make_leaf(&leaf, &names->authority, alternative, NULL) < 0) {
        X509_free(leaf.cert);
        return NULL;
    }
    if (names->certs.n >= TLS_NAMES_MAX)
        tls_names_clear(names);
    map_put(&names->certs, host, leaf.cert);
    return leaf.cert;
}

static int tls_on_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    struct tls_names *names = arg;
    struct slice host = slice_of(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));

    if (!tls_name_is_ours(names, host))
        return SSL_TLSEXT_ERR_NOACK; /* the common certificate serves */
    X509 *cert = tls_name_cert(names, host);
    if (cert == NULL || SSL_use_certificate(ssl, cert) != 1 ||
        SSL_use_PrivateKey(ssl, names->key) != 1)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_TLSEXT_ERR_OK;
}

int tls_context_names(struct tls_context *tls, int keys_dir_fd, const char *domain, struct err *err)
{
    AUTO(tls_pair_done) struct tls_pair server = {0};
    struct tls_names *names = mem_new(sizeof(*names));

    CHECK(tls->names == NULL && strlen(domain) <= TLS_DOMAIN_MAX);
    tls->names = names; /* from here on the context's to free */
    memcpy(names->domain, domain, strlen(domain) + 1);
    if (!tls_pair_load(keys_dir_fd, "authority.crt", "authority.key", &names->authority) ||
        !tls_pair_load(keys_dir_fd, "server.crt", "server.key", &server))
        return err_set(err, -ENOENT, 0, "the local authority's files are missing in keys/");
    names->key = TAKE(server.key);
    SSL_CTX_set_tlsext_servername_callback(tls->ctx, tls_on_name);
    SSL_CTX_set_tlsext_servername_arg(tls->ctx, names);
    return 0;
}
