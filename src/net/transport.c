/*
 * The socket layer. TLS works directly on the socket; partial writes are on, so a write that could
 * not finish may come again with other memory and more bytes.
 */
#include "net/transport.h"

#include "net/tls_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

int transport_init(struct transport *t, int fd, struct tls_context *tls)
{
    *t = (struct transport){.fd = fd};
    if (tls == NULL)
        return 0;

    t->ssl = SSL_new(tls->ctx);
    if (t->ssl == NULL || SSL_set_fd(t->ssl, fd) != 1) {
        transport_done(t);
        return -ENOMEM;
    }
    SSL_set_accept_state(t->ssl);
    return 0;
}

/* One context for all connections to the world. */
static SSL_CTX *transport_client_context(X509_STORE *authorities)
{
    static SSL_CTX *ctx;

    if (ctx != NULL)
        return ctx;
    ctx = SSL_CTX_new(TLS_client_method());
    CHECK(ctx != NULL);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set1_cert_store(ctx, authorities);
    return ctx;
}

int transport_connect_tls(struct transport *t, X509_STORE *authorities, const char *host)
{
    struct in6_addr address;
    bool is_address =
        inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;

    t->ssl = SSL_new(transport_client_context(authorities));
    if (t->ssl == NULL || host[0] == '\0' || SSL_set_fd(t->ssl, t->fd) != 1)
        return -EINVAL;
    int ok = is_address
                 ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), host)
                 : SSL_set1_host(t->ssl, host) == 1 && SSL_set_tlsext_host_name(t->ssl, host) == 1;
    if (ok != 1)
        return -EINVAL;
    SSL_set_connect_state(t->ssl);
    return 0;
}

const char *transport_verify_text(const struct transport *t)
{
    long r = t->ssl == NULL ? X509_V_OK : SSL_get_verify_result(t->ssl);

    return r == X509_V_OK ? "the peer does not speak TLS as this end does"
                          : X509_verify_cert_error_string(r);
}

/* What a failed call on the TLS connection means here. */
static int transport_tls_error(struct transport *t, int result)
{
    int reason = SSL_get_error(t->ssl, result);

    ERR_clear_error();
    t->wants_write = reason == SSL_ERROR_WANT_WRITE;
    switch (reason) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        t->said_goodbye = true; /* after a fatal error nothing may be written */
        return -EPIPE;
    default:
        t->said_goodbye = true;
        return -EBADMSG;
    }
}

int transport_handshake(struct transport *t)
{
    if (t->ssl == NULL)
        return 0;

    ERR_clear_error();
    int n = SSL_do_handshake(t->ssl);
    if (n == 1) {
        t->wants_write = false;
        return 0;
    }
    int r = transport_tls_error(t, n);
    return r == 0 ? -EPIPE : r;
}

struct slice transport_protocol(const struct transport *t)
{
    const unsigned char *name = NULL;
    unsigned len = 0;

    if (t->ssl != NULL)
        SSL_get0_alpn_selected(t->ssl, &name, &len);
    return slice_from(name, len);
}

/* Records are 16 KiB at most, so several are joined into one read. */
static ssize_t transport_tls_read(struct transport *t, char *ptr, size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t n = 0;
        ERR_clear_error();
        int ok = SSL_read_ex(t->ssl, ptr + done, size - done, &n);
        if (ok != 1) {
            int r = transport_tls_error(t, ok);
            /* What ended it shows again at the next call. */
            return done > 0 ? (ssize_t)done : r;
        }
        done += n;
    }
    return (ssize_t)done;
}

ssize_t transport_read(struct transport *t, char *ptr, size_t size)
{
    if (t->ssl != NULL)
        return transport_tls_read(t, ptr, size);

    ssize_t n;
    do {
        n = recv(t->fd, ptr, size, 0);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    return errno == EAGAIN ? -EAGAIN : -EPIPE;
}

bool transport_has_pending(const struct transport *t)
{
    return t->ssl != NULL && SSL_has_pending(t->ssl);
}

ssize_t transport_write(struct transport *t, struct slice bytes, bool more)
{
    if (t->ssl != NULL) {
        size_t n = 0;
        ERR_clear_error();
        int ok = SSL_write_ex(t->ssl, bytes.ptr, bytes.len, &n);
        if (ok == 1)
            return (ssize_t)n;
        int r = transport_tls_error(t, ok);
        return r == -EAGAIN ? -EAGAIN : -EPIPE;
    }

    ssize_t n;
    do {
        n = send(t->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    return errno == EAGAIN ? -EAGAIN : -EPIPE;
}

ssize_t transport_send_file(struct transport *t, int fd, int64_t *offset, size_t n)
{
    if (t->ssl != NULL)
        return -EOPNOTSUPP;

    ssize_t sent;
    do {
        sent = sendfile(t->fd, fd, offset, n);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN ? -EAGAIN : -EPIPE;
}

void transport_shutdown(struct transport *t)
{
    if (t->ssl != NULL && !t->said_goodbye && SSL_is_init_finished(t->ssl)) {
        t->said_goodbye = true;
        ERR_clear_error();
        (void)SSL_shutdown(t->ssl); /* best effort: the socket may be full */
        ERR_clear_error();
    }
    if (t->fd >= 0)
        (void)shutdown(t->fd, SHUT_WR); /* the peer may be gone already */
}

void transport_done(struct transport *t)
{
    if (t->ssl != NULL && !t->said_goodbye && SSL_is_init_finished(t->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(t->ssl); /* best effort, as above */
        ERR_clear_error();
    }
    SSL_free(t->ssl);
    t->ssl = NULL;
    fd_release(&t->fd);
}

const char *transport_tls_version(const struct transport *t)
{
    return t->ssl == NULL ? "" : SSL_get_version(t->ssl);
}

const char *transport_tls_cipher(const struct transport *t)
{
    return t->ssl == NULL ? "" : SSL_get_cipher_name(t->ssl);
}
