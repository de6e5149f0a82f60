/*
 * Inside the HTTP server: connections and exchanges as its three sources see them.
 *
 * http_server.c owns listeners and the public calls, http_conn.c the life of connections;
 * http1_conn.c with http1_write.c, and http2_conn.c, speak one version each behind
 * `struct http_conn_ops`. A connection is only ever freed by http_conn_settle(), which runs at the
 * end of its readiness callback or from the server's hook; so code below may call the owner and go on.
 */
#pragma once

#include "net/http1_chunked.h"
#include "net/http_server.h"
#include "net/transport.h"

#include "core/arena.h"
#include "core/list.h"

#include <netinet/in.h>

struct nghttp2_session;
struct http_conn;

enum {
    HTTP_WINDOW = 256 * 1024,     /* request body bytes that the owner may hold */
    HTTP_SEND_HIGH = 256 * 1024,  /* response bytes queued before the owner should wait */
    HTTP_READ_SIZE = 64 * 1024,   /* one read(2) */
    HTTP_BUF_KEEP_MAX = 16 * 1024 /* a buffer that grew larger is given back when empty */
};

/* A piece of a file among response bytes. */
struct http_file {
    struct link link;
    struct http_exchange *exchange;
    uint64_t at; /* position among the bytes of the buffer it was queued with */
    int64_t offset, left;
    int fd; /* owned */
};

struct http_exchange {
    struct http_request request;
    struct http_conn *conn;
    void *user;
    struct link link; /* conn's exchanges, oldest first */
    struct arena arena;

    /* Request. */
    size_t window_used; /* body bytes given and not yet consumed */
    uint64_t received;
    bool expects; /* the client waits for 100 */
    bool request_done;
    bool internal; /* an error answer of ours: the owner knows nothing of it */

    /* Response. */
    struct buf out;    /* bytes that cannot be written yet */
    struct link files; /* struct http_file, positions relative to `out` */
    uint64_t out_base; /* bytes of `out` that were taken since the start */
    struct buf trailers;
    int64_t body_left; /* -1: unknown length */
    unsigned n_files;
    bool responded, ended, bodiless, chunked, switched;
    bool close_after;
    bool wants_writable;
    bool trimmed; /* http_exchange_trim() */

    /* HTTP/1.1: where in the connection's output it ends, once `ended` and written there. */
    uint64_t end_at;
    bool placed;

    /* HTTP/2. */
    int32_t stream_id;
    struct buf block; /* request fields as they come */
    int bad_status;   /* answer with this instead of announcing the request */
    unsigned n_fields;
    bool announced, has_host_field, aborted;
};

enum http1_state {
    HTTP1_HEAD,    /* between requests or inside a head */
    HTTP1_LENGTH,  /* body with a known length */
    HTTP1_CHUNKS,  /* chunked body */
    HTTP1_HOLD,    /* the request may change the protocol: nothing is read before the answer */
    HTTP1_RAW,     /* the protocol was changed */
    HTTP1_NO_MORE, /* what comes is thrown away */
};

struct http1_side {
    enum http1_state state;
    bool last;                     /* no request is read after this one */
    bool peer_last;                /* ... because the client said so */
    struct http_exchange *reading; /* gets the body; NULL: thrown away */
    uint64_t body_left;
    uint64_t discarded;
    size_t head_at;
    struct http1_chunked chunks;
};

struct http2_side {
    struct nghttp2_session *session; /* owned */
    unsigned n_receiving;            /* exchanges whose request body is not complete */
    uint64_t n_resets;               /* streams that the client gave up, forgotten with time */
    int64_t resets_since_us;
};

/* What a connection waits for; decides its time limit. */
enum http_wait { HTTP_WAIT_OWNER, HTTP_WAIT_IDLE, HTTP_WAIT_HEAD, HTTP_WAIT_BODY, HTTP_WAIT_WRITE };

struct http_conn {
    struct http_server *server; /* borrowed */
    const struct http_conn_ops *ops;
    struct link link;  /* server's connections */
    struct link dirty; /* server's list of connections to settle */
    struct watch watch;
    struct transport io;
    struct timer timer;
    int64_t deadline_us;
    int64_t wait_since_us;
    enum http_wait wait;

    struct link exchanges;
    unsigned n_exchanges;
    struct buf in;  /* bytes that were read and not taken */
    struct buf out; /* bytes to write */
    uint64_t out_base;
    struct link files;

    int broken;        /* negative errno: close without further ado */
    bool handshaking;  /* TLS */
    bool started;      /* the protocol is known */
    bool paused;       /* no reading: the owner or the peer is behind */
    bool blocked;      /* the socket takes no more */
    bool closing;      /* close when everything is written */
    bool peer_is_done; /* it said that it sends nothing more, and did not */
    bool lingering;    /* write side is shut, waiting for the peer to read it all */
    bool saw_end;      /* the peer writes no more */
    bool dead;
    bool progress; /* bytes moved since the last look at the time */

    union {
        struct http1_side h1;
        struct http2_side h2;
    };

    char remote_ip[INET6_ADDRSTRLEN];
    uint16_t remote_port;
};

struct http_conn_ops {
    /* Takes from the front of *in; leaves the rest when paused or incomplete. Negative: broken. */
    int (*input)(struct http_conn *c, struct slice *in);
    bool (*may_read)(struct http_conn *c);
    /* The peer writes no more. */
    void (*end)(struct http_conn *c);
    /* Writes what can be written and ends exchanges that went out. Negative: broken. */
    int (*flush)(struct http_conn *c);
    enum http_wait (*wait)(struct http_conn *c);
    void (*expired)(struct http_conn *c);
    void (*drain)(struct http_conn *c);
    /* An exchange was taken out of the connection and is about to be freed. */
    void (*left)(struct http_exchange *x);
    void (*finish)(struct http_conn *c); /* frees the side; exchanges are gone already */

    void (*respond)(struct http_exchange *x, int status, struct slice headers, int64_t length);
    void (*send)(struct http_exchange *x, struct slice bytes, bool end);
    void (*send_file)(struct http_exchange *x, struct http_file *file, bool end);
    void (*consumed)(struct http_exchange *x, size_t n);
    void (*abort)(struct http_exchange *x);
};

extern const struct http_conn_ops http1_ops, http2_ops;

struct http_server {
    struct loop *loop; /* borrowed */
    const struct http_server_events *events;
    void *arg;
    struct http_limits limits;
    struct link listeners, conns, dirty;
    struct loop_hook hook;
    struct timer again_timer, accept_timer;
    struct link spare; /* exchanges for reuse */
    unsigned n_spare, n_conns;
    size_t n_exchanges; /* those that the owner knows */
    bool accept_paused, draining;
    void (*drained)(void *arg);
    void *drained_arg;
    int64_t date_second;
    size_t date_len;
    char date_line[64]; /* "date: ...\r\n" */
    char *scratch;      /* owned, HTTP_READ_SIZE */
};

/* --- http_server.c --- */

struct slice http_server_date(struct http_server *server);
void http_server_resume_accept(struct http_server *server);

/* --- http_conn.c --- */

/* Takes the descriptor. */
void http_conn_create(struct http_server *server, int fd, struct tls_context *tls,
                      const struct sockaddr_storage *address);
/* May free the connection. */
void http_conn_settle(struct http_conn *c);
void http_conn_close(struct http_conn *c);
void http_exchange_free(struct http_exchange *x);
void http_server_again(struct timer *t);
/* A connection that has switched lives long: of its request only method, target and authority are kept. */
void http_exchange_trim(struct http_exchange *x);
struct http_exchange *http_exchange_new(struct http_conn *c);
/* Tells the owner (unless internal) and takes the exchange out of its connection. */
void http_exchange_end(struct http_exchange *x, int reason);
void http_exchange_announce(struct http_exchange *x);
void http_exchange_deliver(struct http_exchange *x, struct slice bytes, bool end);
void http_file_release(struct http_file *file);

void http_conn_mark(struct http_conn *c); /* settle it at the end of the round */
void http_conn_break(struct http_conn *c, int reason);
/* Writes up to `limit` bytes of c->out; sets c->blocked when the socket is full. */
NODISCARD int http_conn_write(struct http_conn *c, size_t limit, bool more);
/* Lets the owner go on when an exchange's queue has drained. */
void http_exchange_wake(struct http_exchange *x, size_t queued);
void http1_start(struct http_conn *c);
NODISCARD int http2_start(struct http_conn *c);

/* --- http1_write.c, for http1_conn.c --- */

/* An answer of ours instead of the owner's; the connection closes after it. */
void http1_refuse(struct http_conn *c, int status);
int http1_flush(struct http_conn *c);
void http1_respond(struct http_exchange *x, int status, struct slice headers, int64_t length);
void http1_send(struct http_exchange *x, struct slice bytes, bool end);
void http1_send_file(struct http_exchange *x, struct http_file *file, bool end);
void http1_put(struct http_exchange *x, struct slice bytes);
/* Lets a new exchange write into the connection when nothing stands before it. */
void http1_place(struct http_exchange *x);
