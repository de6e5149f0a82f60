/*
 * TLS by OpenSSL: contexts with certificates, and the local authority of a first start.
 *
 * Contexts are shared by all connections of a process; calls on the loop's thread, except
 * tls_authority_ensure() which writes files and runs before the loop.
 */
#pragma once

#include "core/err.h"
#include "core/slice.h"

enum { TLS_NAMES_MAX = 1024 };

struct tls_context;

/* PEM texts; ALPN h2 and http/1.1. -EBADMSG with the library's reason in err. */
NODISCARD int tls_context_create(struct slice certificate_pem, struct slice key_pem,
                                 struct tls_context **ret, struct err *err);
void tls_context_destroy(struct tls_context *tls);

/* Makes, once, DATA/keys/authority.{crt,key} (name-constrained to `domain` and loopback) and a server
 * certificate DATA/keys/server.{crt,key} for *.domain, domain, localhost, 127.0.0.1, ::1, renewed when
 * less than 30 days are left. Keys are files of mode 0600. */
NODISCARD int tls_authority_ensure(int keys_dir_fd, const char *domain, struct err *err);

/* Gives every host directly below `domain` a certificate of its own, made by the local authority when a
 * client first asks for it (SNI): clients refuse a wildcard below a single label such as "localhost".
 * At most TLS_NAMES_MAX are kept. The context must use keys/server.key. */
NODISCARD int tls_context_names(struct tls_context *tls, int keys_dir_fd, const char *domain,
                                struct err *err);
