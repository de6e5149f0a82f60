/*
 * The HTTP server of a process: HTTP/1.1 (own parser), HTTP/2 (nghttp2), both in clear and over TLS.
 *
 * Used by the gateway (the world) and by control (the API). All calls on the loop's thread. One
 * `struct http_exchange` is one request and its response, whatever the protocol version beneath.
 *
 * Life of an exchange: `request` -> body pieces -> the owner answers with http_respond() and
 * http_send() -> `closed`, exactly once, for every exchange that `request` announced; after it the
 * pointer is invalid. `closed` may come at any time after `request` (the client went away).
 *
 * Back-pressure: body bytes given to `body` count against a window until http_consumed() returns
 * them; http_send() always takes everything, and http_send_room() says how much one should still
 * give before waiting for `writable`.
 *
 * Malformed, oversized or ambiguous requests (RFC 9112 sections 3, 6, 7; RFC 9113 section 8) are
 * answered here with 400, 408, 413, 414, 431, 501 or 505 and never reach the owner.
 */
#pragma once

#include "core/loop.h"
#include "net/http.h"

struct http_server;
struct http_exchange;
struct tls_context;

struct http_limits {
    size_t head_max;          /* default HTTP_HEAD_MAX */
    uint64_t body_max;        /* 413 beyond; 0 = none */
    int head_timeout_ms;      /* first byte of a head to its end: slow clients, 408 */
    int idle_timeout_ms;      /* keep-alive without a request */
    int body_timeout_ms;      /* between two pieces of a request body */
    int write_timeout_ms;     /* a client that does not read */
    unsigned connections_max; /* accepted at once; more wait in the listen queue */
    unsigned streams_max;     /* concurrent HTTP/2 streams per connection */
};

struct http_server_events {
    void (*request)(struct http_exchange *x, void *arg);
    /* end may come with bytes or with none. Not called for requests without a body. */
    void (*body)(struct http_exchange *x, struct slice bytes, bool end);
    void (*writable)(struct http_exchange *x);
    /* reason: 0 when the response went out whole, else -EPIPE, -ETIMEDOUT, -EBADMSG, -ECANCELED. */
    void (*closed)(struct http_exchange *x, int reason);
};

struct http_server_options {
    struct loop *loop;
    const struct http_server_events *events;
    void *arg;
    struct http_limits limits; /* zero fields get defaults */
};

/* Ignores SIGPIPE in the whole process. */
struct http_server *http_server_create(const struct http_server_options *options);
/* Listens on an inherited, already listening socket; tls NULL = clear text. Takes the descriptor. */
NODISCARD int http_server_listen(struct http_server *server, int fd, struct tls_context *tls);
/* Accepts no more on a descriptor that it was given, and closes it. What was accepted goes on. */
void http_server_unlisten(struct http_server *server, int fd);
/* No new connections or requests; calls `drained` when the last exchange has ended. */
void http_server_drain(struct http_server *server, void (*drained)(void *arg), void *arg);
void http_server_destroy(struct http_server *server);

/* What the request says. Slices live as long as the exchange. */
struct http_request {
    struct slice method;
    struct slice target;    /* origin-form path with query; "*" for OPTIONS * */
    struct slice authority; /* Host or :authority, lower case, port kept */
    struct slice headers;   /* header block, Host not in it */
    struct slice remote_ip; /* text */
    uint16_t remote_port;
    bool tls;
    const char *tls_version, *tls_cipher; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384"; "" in clear */
    int version;                          /* 10, 11, 20 */
    bool has_body;
    int64_t content_length; /* -1 unknown */
    struct slice
        upgrade; /* value of Upgrade when the request asks for one (HTTP/1.1), lower case */
};

/* After http_switch() headers and upgrade are gone. */
const struct http_request *http_request_of(struct http_exchange *x);
void *http_exchange_user(struct http_exchange *x);
void http_exchange_set_user(struct http_exchange *x, void *user);

/* Interim response, for instance 103. 100-continue is sent by itself at the first http_consumed()
 * or, when the owner answers first, not at all. */
/* headers: a checked header block without framing fields. content_length -1: unknown (chunked, or
 * close for HTTP/1.0). end: no body follows. date and framing are added here. For HEAD and bodiless
 * statuses body bytes are discarded. */
void http_respond(struct http_exchange *x, int status, struct slice headers, int64_t content_length,
                  bool end);
void http_send(struct http_exchange *x, struct slice bytes, bool end);
/* Sends length bytes of fd from offset (sendfile(2) where the connection is clear HTTP/1.1). Takes
 * the descriptor. */
void http_send_file(struct http_exchange *x, int fd, int64_t offset, int64_t length, bool end);
/* Fields that follow a chunked body; before the final http_send(). */
void http_send_trailers(struct http_exchange *x, struct slice block);
size_t http_send_room(struct http_exchange *x);
void http_consumed(struct http_exchange *x, size_t n);
/* Whole small response in one call. */
void http_answer(struct http_exchange *x, int status, struct slice headers, struct slice body);
/* Breaks the exchange: closes the connection or resets the stream. `closed` follows. */
void http_abort(struct http_exchange *x);

/* Protocol switch (101) on HTTP/1.1: sends 101 with `headers` (plus Connection and Upgrade) and turns
 * the exchange into a raw byte pipe: `body` gives bytes, http_send() sends, `end` closes. */
void http_switch(struct http_exchange *x, struct slice protocol, struct slice headers);
