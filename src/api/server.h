/*
 * The HTTP face of the API: takes requests from net/http_server.h, runs them on the work pool, sends the
 * answers. Loop thread.
 *
 * A body is taken only after route and token were accepted: small ones in memory, larger ones into an
 * unnamed file, so that a pool thread never waits for a slow client.
 */
#pragma once

#include "api/api.h"

struct api_server;
struct http_exchange;
struct http_request;

/* Requests outside of /client/v4, and upgrades. True: the function has taken over the exchange, all its
 * further events go to `events` of the struct that it set as the exchange's user. */
struct api_taker {
    void (*body)(struct api_taker *taker, struct slice bytes, bool end);
    void (*writable)(struct api_taker *taker);
    void (*closed)(struct api_taker *taker, int reason);
};
typedef struct api_taker *(*api_take_fn)(void *arg, struct http_exchange *x);

struct api_server *api_server_create(struct api *api, api_take_fn take, void *arg);
/* Takes the listening socket. */
NODISCARD int api_server_listen(struct api_server *server, int fd);
/* Calls `drained` once nothing runs any more. */
void api_server_drain(struct api_server *server, void (*drained)(void *arg), void *arg);
void api_server_destroy(struct api_server *server);
