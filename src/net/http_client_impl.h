/*
 * What http_client.c and raw_connection.c share: one policy, one set of authorities; private to net/.
 */
#pragma once

#include "net/curl_loop.h"
#include "net/egress_policy.h"
#include "net/http_client.h"

#include <openssl/x509.h>

enum { CLIENT_HOST_MAX = 256 };

struct http_client {
    struct loop *loop; /* borrowed */
    struct curl_loop curl;
    struct egress_policy *policy;
    X509_STORE *authorities;
    struct link fetches, dirty;
    struct loop_hook hook;
    struct timer again_timer;
    int connect_timeout_ms;

    /* raw_connection.c: connections of their own, so that fetches never reuse one. */
    struct curl_loop raw;
    struct link raws;
    size_t n_raws;
};

/* For CURLOPT_OPENSOCKETFUNCTION, called for each address that is tried: the policy's only door. */
curl_socket_t client_open_socket(const struct http_client *client, const char *host,
                                 const struct curl_sockaddr *to, bool *ret_refused);
/* What every handle has in common: TLS, time limits, no proxies. */
void client_set_options(const struct http_client *client, CURL *easy);
/* Why curl failed, as a sentence. refused: by the policy. */
NODISCARD int client_error(CURLcode code, const char *host, bool refused, const char *reason,
                           struct err *err);

void raw_pool_init(struct http_client *client);
void raw_pool_done(struct http_client *client); /* ends all with -ECANCELED */
