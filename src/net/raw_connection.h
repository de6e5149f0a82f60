/*
 * A stream of bytes to the world, in clear or over TLS: for protocols that are not plain HTTP.
 *
 * The connection is made by the client's rules (http_client.h): the egress policy decides about every
 * address, certificates are verified, time is limited. Events come from the loop, never from inside a
 * call. The loop's thread.
 */
#pragma once

#include "net/http_client.h"

struct raw_connection;

enum {
    RAW_SEND_HIGH = 256 * 1024,  /* bytes queued before the owner should wait */
    RAW_CONNECTIONS_MAX = 16384, /* of one client */
    RAW_LINGER_MS = 5000         /* for the last bytes of a connection that was finished */
};

struct raw_events {
    void (*connected)(struct raw_connection *c);
    void (*data)(struct raw_connection *c, struct slice bytes);
    void (*writable)(struct raw_connection *c); /* room again after there was none */
    /* Once, last: 0 when the peer ended orderly, else err->text says why. The pointer is invalid afterwards. */
    void (*closed)(struct raw_connection *c, int r, const struct err *err);
};

/* authority: "host", "host:port", "[v6]:port", lower case. */
struct raw_connection *raw_connect(struct http_client *client, const struct raw_events *events,
                                   void *user, struct slice authority, bool tls);
void *raw_user(struct raw_connection *c);
void raw_send(struct raw_connection *c,
              struct slice bytes); /* takes everything; not before connected */
size_t raw_room(struct raw_connection *c);
void raw_pause(struct raw_connection *c, bool paused); /* no `data` meanwhile */
/* What is queued still leaves, then the connection closes. No events any more, the pointer is invalid. */
void raw_finish(struct raw_connection *c);
/* The connected socket, now the caller's; only from inside of `connected`, of a connection in clear. The pointer is
 * invalid. Negative errno. */
NODISCARD int raw_detach(struct raw_connection *c);
/* At once. */
void raw_destroy(struct raw_connection *c);
