/*
 * An outgoing WebSocket: connection, handshake (RFC 6455 section 4.1), session. The request may also be
 * answered as plain HTTP; then the answer is given as it comes.
 *
 * Events come from the loop, never from inside a call. The loop's thread.
 */
#pragma once

#include "net/http_client.h"
#include "net/websocket_session.h"

struct websocket_client;

struct websocket_client_events {
    /* switched: messages follow, else the body. Fields that belong to the connection are not in the block. */
    void (*head)(struct websocket_client *w, int status, struct slice headers, bool switched);
    void (*body)(struct websocket_client *w, struct slice bytes);
    void (*message)(struct websocket_client *w, const struct websocket_message *m);
    /* The server broke a rule; `done` follows. */
    void (*failed)(struct websocket_client *w, int code, struct slice why);
    void (*pause)(struct websocket_client *w); /* end of the events of one read */
    void (*writable)(struct websocket_client *w);
    /* Once, last: 0 when body or closing handshake are complete. The pointer is invalid afterwards. */
    void (*done)(struct websocket_client *w, int r, const struct err *err);
};

struct websocket_client_request {
    struct slice url;     /* http: or https: */
    struct slice headers; /* block; those of the handshake are written here */
    void *user;
};

struct websocket_client *websocket_client_start(struct http_client *client,
                                                const struct websocket_client_events *events,
                                                const struct websocket_client_request *request);
void *websocket_client_user(struct websocket_client *w);
/* After head said `switched`. Dropped once the session is over. */
void websocket_client_send(struct websocket_client *w, const struct websocket_part *part);
void websocket_client_close(struct websocket_client *w, int code, struct slice reason);
size_t websocket_client_room(struct websocket_client *w);
/* What was given so far is dealt with. */
void websocket_client_consumed(struct websocket_client *w);
/* Not from inside an event. No events any more. When the closing handshake is done its last bytes still leave. */
void websocket_client_cancel(struct websocket_client *w);
