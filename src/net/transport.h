/*
 * Bytes in and out of one connected, non-blocking stream socket, in clear or over TLS.
 *
 * Nothing blocks: -EAGAIN says that the loop must wait. Other errors end the connection. The loop's
 * thread.
 */
#pragma once

#include "core/slice.h"

struct tls_context;
struct x509_store_st; /* OpenSSL's X509_STORE */
struct ssl_st;        /* OpenSSL's SSL, known to transport.c only */

struct transport {
    int fd;             /* owned */
    struct ssl_st *ssl; /* owned; NULL: clear text */
    bool wants_write;   /* the TLS layer waits for room in the socket before it can go on */
    bool said_goodbye;
};

/* Takes the descriptor, also on failure. tls may be NULL. -ENOMEM. */
NODISCARD int transport_init(struct transport *t, int fd, struct tls_context *tls);
/* From now on this end is a TLS client; transport_handshake() follows. host: what the certificate must be for, a name or
 * an address. authorities: borrowed, the same in every call of the process. -EINVAL for a name that none can have. */
NODISCARD int transport_connect_tls(struct transport *t, struct x509_store_st *authorities,
                                    const char *host);
/* Why a handshake failed. */
const char *transport_verify_text(const struct transport *t);
/* Constants of the library; "" in clear. */
const char *transport_tls_version(const struct transport *t);
const char *transport_tls_cipher(const struct transport *t);
/* 0 done (at once in clear text), -EAGAIN, -EBADMSG. */
NODISCARD int transport_handshake(struct transport *t);
/* The protocol agreed on by ALPN; empty when none. */
struct slice transport_protocol(const struct transport *t);
/* Bytes read; 0: orderly end; -EAGAIN, -EPIPE, -EBADMSG. */
NODISCARD ssize_t transport_read(struct transport *t, char *ptr, size_t size);
/* More can be read without the socket becoming readable. */
bool transport_has_pending(const struct transport *t);
/* Bytes written, more than 0; -EAGAIN, -EPIPE. more: other bytes follow at once. */
NODISCARD ssize_t transport_write(struct transport *t, struct slice bytes, bool more);
/* Clear text only (-EOPNOTSUPP otherwise). Advances *offset; 0: the file ended. */
NODISCARD ssize_t transport_send_file(struct transport *t, int fd, int64_t *offset, size_t n);
/* Says that we write no more, so that the peer reads everything before the descriptor is closed. */
void transport_shutdown(struct transport *t);
void transport_done(struct transport *t);
