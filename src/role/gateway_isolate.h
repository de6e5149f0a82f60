/*
 * The gateway's view of one isolate: the wire to it and the version it runs.
 *
 *     STARTING --given--> READY --retired, condemned or gone--> (freed when its last call has ended)
 */
#pragma once

#include "role/gateway.h"

enum isolate_state { ISOLATE_STARTING, ISOLATE_READY, ISOLATE_LEAVING };

struct isolate_link {
    struct gateway *gateway;
    struct worker *worker; /* referenced */
    struct link in_worker, in_gateway;
    enum isolate_state state;
    uint64_t id;              /* the supervisor's number */
    struct wire *wire;        /* NULL until given */
    struct wire_stream *want; /* the stream `isolate_want` to the supervisor, while starting */
    struct map events;        /* stream id -> struct event, until event_end */
    struct link homes;        /* of Durable Objects that are here */
    size_t n_homes;
    struct map held; /* id of a stream fetch -> struct call whose socket waits (gateway_join.c) */
    size_t n_events, n_sockets; /* n_sockets: of n_events, those that serve a WebSocket */
    int64_t heard_us, idle_since_us;
    struct outbound *outbound; /* the last one given, referenced (gateway_dispatch.c) */
    char outcome[24];          /* why it ended, when it said so */
    bool loading;              /* of a dynamic Worker: it has been sent its code */
};

/* What a Worker that was brought by another one is besides. */
struct dynamic {
    char *key;                         /* in gateway.loaders */
    struct buf spec, options, modules; /* for isolate_want, for `link` and its body */
    struct buf load_error;
    bool has_code;
    int64_t used_us, asked_us; /* asked_us: since when somebody is about to bring it; 0: nobody */
};

struct worker {
    struct gateway *gateway;
    unsigned refs;
    char *key, *script, *version; /* key: "script/version" */
    json_t *bindings;
    json_t *world;     /* what answers its fetch() instead of the world: a binding; NULL: nothing */
    json_t *consumers; /* names of its tail Workers; NULL: none */
    json_t *assets_config; /* of the version; JSON null: no assets */
    struct assets *assets; /* loaded at the first request */
    bool has_code, retired;
    struct dynamic *dynamic; /* owned; NULL: it was deployed */
    struct link isolates;
    size_t n_isolates, n_starting;
    struct link queue;
    size_t n_queued;
};

/* An event of an isolate: outlives its call when waitUntil work goes on. */
struct event {
    struct isolate_link *link;
    uint32_t stream_id;
    struct call *call; /* NULL: the client has been served or has gone */
    bool is_socket;    /* it waits most of the time */
    struct home *home; /* the Durable Object that it is for, or NULL */
    struct outbound
        *outbound;       /* referenced; what it fetches from the world passes it; NULL: nothing */
    char request_id[24]; /* empty without outbound */
    void (*done)(void *arg, struct slice outcome); /* scheduled events */
    void *done_arg;
};

/* Takes a link out of service: no new calls; dropped when its last event has ended. */
void link_leave(struct isolate_link *l, const char *why);
/* Passes the call to this isolate (gateway_back.c). */
void link_send(struct isolate_link *l, struct call *c);
/* Of those that are ready; one that answers comes before a silent one. NULL: none. */
struct isolate_link *least_busy(struct worker *w);
void isolate_start(struct worker *w);
/* Nobody runs it: what waits fails. */
void worker_queue_fail(struct worker *w, int status, struct slice text);
/* gateway_loader.c: the isolate gets its code. */
void dynamic_send_code(struct isolate_link *l);
void dynamic_free(struct gateway *g, struct dynamic *d);

struct event *event_create(struct isolate_link *l);
/* Files it under the stream that carries it. */
void event_number(struct event *e, struct wire_stream *s);
void event_free(struct event *e);

/* gateway_scheduled.c. The trace of an event goes to the Worker's tail Workers. */
void gateway_tail(struct worker *producer, struct slice trace);

/* gateway_dispatch.c */
void event_set_outbound(struct event *e, const struct call *c);
/* A fetch from the world in the event of this request: true when an outbound Worker answers it. */
bool outbound_take(struct isolate_link *l, struct call *c, struct slice request_id);

/* gateway_object.c. The home of an object: the one it has, and then *l becomes its link, or a new one at *l. */
struct home *object_home(struct isolate_link **l, struct slice ns, struct slice object);
void object_event_begin(struct event *e, struct home *h);
void object_event_end(struct event *e);
/* The note object_over. */
void object_over(struct isolate_link *l, struct slice args);
/* Its objects go on elsewhere; why: what the isolate is told, NULL = it is told nothing. */
void objects_leave(struct isolate_link *l, const char *why);

/* NULL: the object is nowhere. */
struct home *object_find(struct gateway *g, struct slice ns, struct slice object);
size_t home_events(const struct home *h);
struct isolate_link *home_link(const struct home *h); /* NULL: it has left */
struct slice home_key_of(const struct home *h);       /* namespace and id, one after the other */
struct slice home_object_name(const struct home *h);
/* The name that the object's id was made from; it stays. */
void home_set_object_name(struct home *h, struct slice name);

/* gateway_hibernate.c. The object has answered the call with a socket that it wants to be woken for; the isolate's back
 * has been taken from the call. -EPIPE: the object is not there any more; -EBADMSG: the number is in use. */
NODISCARD int hibernation_adopt(struct isolate_link *l, const struct home *home, struct call *c,
                                uint32_t socket);
/* An event for the object goes to l: its sockets go first, when they are not there. */
void hibernation_before(struct isolate_link *l, struct slice ns, struct slice object);

/* gateway_join.c. A front of an isolate has been told of a socket: what comes for it waits. */
void join_hold(struct isolate_link *l, uint32_t stream_id, struct call *c);
/* The isolate reads it itself. */
void join_release(struct isolate_link *l, uint32_t stream_id);
/* The back of the held call becomes the back of c, whose own has been taken away. */
void join_calls(struct isolate_link *l, uint32_t stream_id, struct call *c,
                const struct call_head *head);
/* The call goes. */
void join_forget(struct call *c);

/* Answers a call whose isolate ended; outcome "" when nobody knows why. */
void call_ended_by(struct call *c, const char *outcome);

/* gateway_egress_tcp.c. A connection that a Worker opens, by the stream that carries it. */
struct msg_connect;
void egress_tcp_start(struct call *c, struct isolate_link *l, uint32_t stream,
                      const struct msg_connect *m);

/* It broke a rule: its calls fail, the supervisor kills it. */
void isolate_link_condemn(struct isolate_link *l, const char *why);
