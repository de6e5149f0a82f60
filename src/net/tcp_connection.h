/*
 * A TCP connection to the world for who speaks a protocol of its own: in clear, over TLS, or first one and then the
 * other (STARTTLS). Each direction ends by itself.
 *
 * Connecting follows the client's rules (raw_connection.h): the egress policy decides about every address, certificates
 * are verified, time is limited. Events come from the loop, never from inside a call. The loop's thread.
 *
 *     CONNECTING --> (HANDSHAKING) --> OPEN --tcp_start_tls()--> HANDSHAKING --> OPEN
 *          |               |             |
 *          +---------------+-------------+--> closed
 */
#pragma once

#include "net/http_client.h"

struct tcp_connection;

enum {
    TCP_SEND_HIGH = 256 * 1024,          /* bytes queued before the owner should wait */
    TCP_HANDSHAKE_US = 10 * 1000 * 1000, /* for TLS */
    TCP_LINGER_US = 10 * 1000 * 1000,
    TCP_ADDRESS_SIZE = 64
};

struct tcp_events {
    /* It is open, or TLS has begun. Texts "address:port"; "" when unknown. */
    void (*opened)(struct tcp_connection *c, const char *local, const char *remote);
    void (*data)(struct tcp_connection *c, struct slice bytes);
    void (*ended)(struct tcp_connection *c); /* the peer sends no more; writing goes on */
    void (*writable)(struct tcp_connection *c);
    /* Once, last: err->text says why. The pointer is invalid afterwards. */
    void (*failed)(struct tcp_connection *c, int r, const struct err *err);
};

/* authority: "host:port", "[v6]:port", lower case. */
struct tcp_connection *tcp_connect(struct http_client *client, const struct tcp_events *events,
                                   void *user, struct slice authority, bool tls);
void *tcp_user(const struct tcp_connection *c);
void tcp_set_user(struct tcp_connection *c, void *user);
/* Everything is taken, also before it is open. */
void tcp_send(struct tcp_connection *c, struct slice bytes);
size_t tcp_room(struct tcp_connection *c);
void tcp_pause(struct tcp_connection *c, bool paused); /* no `data` and `ended` meanwhile */
/* After what is queued: the peer is told that no more follows. */
void tcp_end(struct tcp_connection *c);
/* After what is queued: TLS with the name that the certificate must have. `opened` comes again. What is sent from here
 * on is sent over TLS. */
void tcp_start_tls(struct tcp_connection *c, struct slice host);
/* No events any more. What is queued still leaves, for TCP_LINGER_US at most. */
void tcp_finish(struct tcp_connection *c);
/* No events any more; what is queued is lost. */
void tcp_destroy(struct tcp_connection *c);
