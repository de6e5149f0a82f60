/* Certificates for node:crypto: what they say, and what can be asked about them. */
#include "node/crypto_impl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum { CERT_MAGIC = 0x6e787509, CERT_NAME_MAX = 1024, CERT_OID_MAX = 128 };

struct crypto_cert {
    struct node_object object;
    X509 *cert; /* owned */
};

static void cert_finish(struct node_object *object)
{
    X509_free(CONTAINER_OF(object, struct crypto_cert, object)->cert);
}

static X509 *cert_arg(js_context ctx, size_t n_args, const js_value args[], size_t i)
{
    struct node_object *object = i < n_args ? node_object_of(ctx, args[i], CERT_MAGIC) : NULL;
    return object == NULL ? NULL : CONTAINER_OF(object, struct crypto_cert, object)->cert;
}

static void bio_release(BIO **bio)
{
    BIO_free(*bio);
}

static js_value bio_text(js_context ctx, BIO *bio)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    return js_string(ctx, slice_from(text, (size_t)MAX(len, 0)));
}

static js_value name_text(js_context ctx, const X509_NAME *name)
{
    AUTO(bio_release) BIO *bio = BIO_new(BIO_s_mem());
    X509_NAME_print_ex(bio, name, 0,
                       ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT |
                           XN_FLAG_SEP_MULTILINE | XN_FLAG_FN_SN);
    return bio_text(ctx, bio);
}

static js_value time_text(js_context ctx, const ASN1_TIME *t)
{
    AUTO(bio_release) BIO *bio = BIO_new(BIO_s_mem());
    ASN1_TIME_print(bio, t);
    return bio_text(ctx, bio);
}

static X509 *cert_parse(struct slice data)
{
    if (slice_find_slice(data, SLICE("-----BEGIN")) < 0) {
        const unsigned char *p = (const unsigned char *)data.ptr;
        return d2i_X509(NULL, &p, (long)data.len);
    }
    AUTO(bio_release) BIO *bio = BIO_new_mem_buf(data.ptr, (int)data.len);
    return PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

static void cert_serial(js_context ctx, js_value out, const X509 *cert)
{
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = serial == NULL ? NULL : BN_bn2hex(serial);
    if (hex != NULL)
        js_set(ctx, out, "serialNumber", js_string(ctx, slice_of(hex)));
    OPENSSL_free(hex);
    BN_free(serial);
}

/* --- extensions --- */

static void print_ip(BIO *bio, const ASN1_OCTET_STRING *ip)
{
    const unsigned char *p = ASN1_STRING_get0_data(ip);
    int len = ASN1_STRING_length(ip);
    if (len == 4)
        BIO_printf(bio, "%d.%d.%d.%d", p[0], p[1], p[2], p[3]);
    else
        for (int i = 0; i + 1 < len; i += 2)
            BIO_printf(bio, "%s%X", i == 0 ? "" : ":", p[i] << 8 | p[i + 1]);
}

/* Text that could be taken for more than one name is quoted, as in JSON. */
static void print_safe(BIO *bio, const ASN1_STRING *text)
{
    const unsigned char *p = ASN1_STRING_get0_data(text);
    size_t len = (size_t)ASN1_STRING_length(text);
    bool plain = true;
    for (size_t i = 0; i < len; i++)
        plain = plain && p[i] >= ' ' && p[i] < 0x7F && p[i] != ',' && p[i] != '"' && p[i] != '\\' &&
                p[i] != '\'';
    if (plain) {
        BIO_write(bio, p, (int)len);
        return;
    }
    BIO_puts(bio, "\"");
    for (size_t i = 0; i < len; i++) {
        if (p[i] < ' ' || p[i] >= 0x7F)
            BIO_printf(bio, "\\u%04x", p[i]);
        else
            BIO_printf(bio, p[i] == '"' || p[i] == '\\' ? "\\%c" : "%c", p[i]);
    }
    BIO_puts(bio, "\"");
}

static void print_general_name(BIO *bio, GENERAL_NAME *name)
{
    static const struct {
        int type;
        const char *label;
    } labels[] = {{GEN_DNS, "DNS:"}, {GEN_EMAIL, "email:"}, {GEN_URI, "URI:"}};
    if (name->type == GEN_IPADD) {
        BIO_puts(bio, "IP Address:");
        return print_ip(bio, name->d.iPAddress);
    }
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        if (labels[i].type == name->type) {
            BIO_puts(bio, labels[i].label);
            return print_safe(bio, name->d.ia5);
        }
    GENERAL_NAME_print(bio, name);
}

static void cert_alt_name(js_context ctx, js_value out, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    if (names == NULL)
        return;
    AUTO(bio_release) BIO *bio = BIO_new(BIO_s_mem());
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        BIO_puts(bio, i == 0 ? "" : ", ");
        print_general_name(bio, sk_GENERAL_NAME_value(names, i));
    }
    js_set(ctx, out, "subjectAltName", bio_text(ctx, bio));
    GENERAL_NAMES_free(names);
}

static void cert_info_access(js_context ctx, js_value out, X509 *cert)
{
    AUTHORITY_INFO_ACCESS *list = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
    if (list == NULL)
        return;
    AUTO(bio_release) BIO *bio = BIO_new(BIO_s_mem());
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(list); i++) {
        ACCESS_DESCRIPTION *one = sk_ACCESS_DESCRIPTION_value(list, i);
        i2a_ASN1_OBJECT(bio, one->method);
        BIO_puts(bio, " - ");
        print_general_name(bio, one->location);
        BIO_puts(bio, "\n");
    }
    js_set(ctx, out, "infoAccess", bio_text(ctx, bio));
    AUTHORITY_INFO_ACCESS_free(list);
}

static void cert_key_usage(js_context ctx, js_value out, X509 *cert)
{
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    if (usage == NULL)
        return;
    AUTO(bio_release) BIO *bio = BIO_new(BIO_s_mem());
    for (int i = 0; i < sk_ASN1_OBJECT_num(usage); i++) {
        char oid[CERT_OID_MAX] = "";
        OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(usage, i), 1);
        BIO_printf(bio, "%s%s", i == 0 ? "" : ",", oid);
    }
    js_set(ctx, out, "keyUsage", bio_text(ctx, bio));
    EXTENDED_KEY_USAGE_free(usage);
}

/* --- natives --- */

/* certParse(bytes): [what X509Certificate shows, the certificate, its key]; undefined when it is none. */
static JS_NATIVE(node_cert_parse)
{
    X509 *cert = cert_parse(node_view(ctx, n_args, args, 0));
    ERR_clear_error();
    if (cert == NULL)
        return js_undefined(ctx);
    struct crypto_cert *c = mem_new(sizeof *c);
    *c = (struct crypto_cert){{CERT_MAGIC, cert_finish}, cert};
    js_value out = js_object(ctx), handle = node_object_value(ctx, &c->object);
    js_set(ctx, out, "subject", name_text(ctx, X509_get_subject_name(cert)));
    js_set(ctx, out, "issuer", name_text(ctx, X509_get_issuer_name(cert)));
    js_set(ctx, out, "validFrom", time_text(ctx, X509_get0_notBefore(cert)));
    js_set(ctx, out, "validTo", time_text(ctx, X509_get0_notAfter(cert)));
    cert_serial(ctx, out, cert);
    js_set(ctx, out, "ca", js_bool(ctx, X509_check_ca(cert) == 1));
    cert_alt_name(ctx, out, cert);
    cert_info_access(ctx, out, cert);
    cert_key_usage(ctx, out, cert);
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    js_set(ctx, out, "raw", js_bytes(ctx, slice_from(der, (size_t)MAX(len, 0))));
    OPENSSL_free(der);
    EVP_PKEY *pkey = X509_get_pubkey(cert);
    ERR_clear_error();
    js_value parts[] = {out, handle,
                        pkey == NULL ? js_undefined(ctx) : crypto_key_value(ctx, pkey)};
    return js_array(ctx, parts, ARRAY_LEN(parts));
}

/* certCheck(cert, kind, name, flags): the name that matches, undefined for none, null for a name that is none.
 * kind: 0 host, 1 mail address, 2 IP address. */
static JS_NATIVE(node_cert_check)
{
    X509 *cert = cert_arg(ctx, n_args, args, 0);
    AUTO(buf_done) struct buf name = {0};
    if (cert == NULL || n_args < 3 || js_append_utf8(ctx, args[2], &name) < 0 ||
        buf_len(&name) > CERT_NAME_MAX)
        return js_null(ctx);
    int kind = (int)node_number(ctx, n_args, args, 1, 0);
    unsigned flags = (unsigned)node_number(ctx, n_args, args, 3, 0);
    struct slice s = buf_slice(&name);
    char *peer = NULL;
    int r = kind == 0   ? X509_check_host(cert, s.ptr, s.len, flags, &peer)
            : kind == 1 ? X509_check_email(cert, s.ptr, s.len, flags)
                        : X509_check_ip_asc(cert, buf_cstr(&name), flags);
    ERR_clear_error();
    js_value found = peer == NULL ? args[2] : js_string(ctx, slice_of(peer));
    OPENSSL_free(peer);
    return r == 1 ? found : r == 0 ? js_undefined(ctx) : js_null(ctx);
}

/* certIssued(cert, issuer) */
static JS_NATIVE(node_cert_issued)
{
    X509 *cert = cert_arg(ctx, n_args, args, 0), *issuer = cert_arg(ctx, n_args, args, 1);
    bool issued = cert != NULL && issuer != NULL && X509_check_issued(issuer, cert) == X509_V_OK;
    ERR_clear_error();
    return js_bool(ctx, issued);
}

/* certVerify(cert, publicKey, private): the signature, or with `private` whether the key is the certificate's. */
static JS_NATIVE(node_cert_verify)
{
    X509 *cert = cert_arg(ctx, n_args, args, 0);
    EVP_PKEY *pkey = crypto_key_arg(ctx, n_args, args, 1);
    bool private = n_args > 2 && js_is_true(ctx, args[2]);
    bool good = cert != NULL && pkey != NULL &&
                (private ? X509_check_private_key(cert, pkey) : X509_verify(cert, pkey)) == 1;
    ERR_clear_error();
    return js_bool(ctx, good);
}

const struct js_native_row node_x509_rows[] = {
    {"certParse", node_cert_parse},
    {"certCheck", node_cert_check},
    {"certIssued", node_cert_issued},
    {"certVerify", node_cert_verify},
};
const size_t node_x509_n_rows = ARRAY_LEN(node_x509_rows);
