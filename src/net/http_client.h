/*
 * Outbound HTTP for the gateway: libcurl's multi interface on our loop, one policy for all egress.
 *
 * HTTP/1.1 and HTTP/2, TLS verified against the system's authorities (plus configured ones), a
 * keep-alive pool with limits per origin. Names are resolved by us (c-ares through curl), every
 * address is checked against the policy before the connection is made and is pinned for it: private,
 * loopback, link-local and multicast addresses are refused unless allowed. Redirects are never
 * followed here (the fetch standard's redirect handling lives in the isolate). The loop's thread.
 */
#pragma once

#include "core/loop.h"
#include "net/http.h"

struct http_client;
struct http_fetch;

struct http_client_options {
    struct loop *loop;
    bool allow_private; /* setting egress.allow_private */
    const char *const
        *allow; /* "10.0.0.0/8", "127.0.0.1:8080", "host:port"; NULL-terminated, may be NULL */
    const char *authorities_pem; /* more trusted roots; may be NULL */
    unsigned per_origin_max;     /* connections, default 64 */
    int connect_timeout_ms;      /* default 10,000 */
};

struct http_fetch_events {
    void (*head)(struct http_fetch *f, int status, struct slice headers);
    /* Bytes count against a window until http_fetch_consumed(). */
    void (*body)(struct http_fetch *f, struct slice bytes);
    /* Exactly once, last. r < 0: err->text is for the caller. The pointer is invalid afterwards. */
    void (*done)(struct http_fetch *f, int r, const struct err *err);
    void (*writable)(struct http_fetch *f); /* room for request body bytes again */
};

struct http_fetch_request {
    struct slice method, url, headers; /* header block; Host comes from the URL unless given */
    bool has_body;
    int64_t content_length; /* -1 unknown */
    void *user;
};

/* Ignores SIGPIPE in the whole process. NULL when an entry of `allow` is no rule (egress_policy.h). Reads the authorities' files. */
struct http_client *http_client_create(const struct http_client_options *options);
void http_client_destroy(struct http_client *client); /* ends every fetch with -ECANCELED */
struct loop *http_client_loop(const struct http_client *client);
/* Never fails at once: errors come through `done`, from the loop. */
struct http_fetch *http_fetch_start(struct http_client *client,
                                    const struct http_fetch_events *events,
                                    const struct http_fetch_request *request);
void *http_fetch_user(struct http_fetch *f);
void http_fetch_send(struct http_fetch *f, struct slice bytes, bool end);
size_t http_fetch_room(struct http_fetch *f);
void http_fetch_consumed(struct http_fetch *f, size_t n);
void http_fetch_cancel(struct http_fetch *f); /* no `done` afterwards */
