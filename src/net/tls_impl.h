/* What transport.c must know of a TLS context. */
#pragma once

#include "net/tls.h"

#include <openssl/ssl.h>

struct tls_names;

struct tls_context {
    SSL_CTX *ctx;            /* owned */
    struct tls_names *names; /* owned; NULL: one certificate for everybody */
};

void tls_names_destroy(struct tls_names *names); /* accepts NULL */

/* The library's oldest queued reason as text, for err; empties the queue. */
const char *tls_reason(char *buf, size_t size);
