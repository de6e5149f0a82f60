/*
 * What the gateway's files share. Everything runs on the gateway's loop thread.
 *
 *   gateway.c          the role: set-up, sandbox, notes from supervisor and control
 *   gateway_table.c    table.json -> routes; which script and version a request is for
 *   gateway_call.c     one request under way: joins who asked (front) with who answers (back)
 *   gateway_http.c     front: a client of the HTTP server
 *   gateway_wire.c     front: an isolate's fetch; also the isolate's notes
 *   gateway_back.c     back: one stream to an isolate
 *   gateway_isolate.c  the isolates of a version: start, choice, queue, retirement
 *   gateway_worker.c   the versions themselves
 *   gateway_scheduled.c  scheduled events
 *   gateway_object.c   Durable Objects: where each one is; their alarms
 *   gateway_hibernate.c  back: a WebSocket of a Durable Object that may be asleep
 *   gateway_query.c    front: control, with SQL for a Durable Object
 *   gateway_join.c     a socket goes on without the Worker that passed it on
 *   gateway_lane.c     the other lanes: who lives, what moves when that changes
 *   gateway_lane_call.c  back: another lane; front: a call that another lane has passed on
 *   gateway_egress.c   back: the world
 *   gateway_file.c     back: a file
 *   gateway_cache.c    back: the Cache API; gateway_cache_fetch.c: subrequests through the cache;
 *                      gateway_purge.c: what the API removes from it
 *   gateway_websocket.c  front: a client that has changed to WebSocket
 *   gateway_egress_socket.c  back: a WebSocket to the world; gateway_egress_tcp.c: a TCP connection
 *   gateway_assets.c   back: static assets
 *   gateway_dispatch.c Workers called by name, their outbound Workers
 *   gateway_loader.c   Workers that Workers bring; gateway_grant.c: what such a Worker may reach
 *   gateway_rate.c     back: the rate limiting binding
 *   gateway_log.c      access log
 */
#pragma once

#include "core/json.h"
#include "core/loop.h"
#include "core/map.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "proc/role.h"
#include "proc/wire.h"
#include "product/cache/cache_store.h"
#include "product/durable/durable_plan.h"

enum {
    GATEWAY_QUEUE_MAX = 1024,        /* requests waiting for an isolate of one version */
    GATEWAY_ISOLATES_MAX = 256,      /* isolates of one gateway; the longest idle one leaves */
    GATEWAY_HEARD_MS = 50,           /* a busy isolate silent for this long gets a helper */
    GATEWAY_HOMES_MANY = 256,        /* with so many Durable Objects in one, others go elsewhere */
    GATEWAY_SEGMENT_MAX = 64 * 1024, /* bytes of an asset read at once */
    GATEWAY_RATE_WINDOWS = 2         /* periods of rate limits */
};

struct table;
struct worker;
struct call;
struct assets;

/* Counts of the rate limiting binding in the current window of one period. */
struct rate_window {
    int64_t epoch;
    struct map counts; /* namespace and key -> how many */
};

/* What belongs to one lane, and is called from all. */
enum lane_kind {
    LANE_OBJECT,      /* a Durable Object: the lane that owns it */
    LANE_CACHE,       /* the Cache API; args: msg_cache. This and the rest: the first lane */
    LANE_CACHE_FETCH, /* a subrequest through the cache; args: its flags */
    LANE_RATE,        /* the rate limiting binding; args of gateway_rate.c */
    LANE_KINDS
};

/* The gateway of another lane. */
struct lane_peer {
    struct gateway *gateway;       /* borrowed */
    struct wire *wire;             /* owned; NULL while it is away */
    int listen_http, listen_https; /* owned; the lane's sockets, -1 = none */
    int heard_http,
        heard_https; /* copies that we accept from while nobody else does, of the server; -1 = not */
    bool drained;
};

struct gateway_lanes {
    unsigned self, n;
    struct lane_table table;
    struct lane_peer *peers; /* n of them, owned; our own is only its sockets */
    struct link parked;      /* calls that wait for the next revision of the table */
    struct timer parked_timer;
    bool drained; /* our own clients have gone */
};

struct gateway {
    struct role_context *rc;
    struct loop *loop;
    struct http_server *server;
    struct tls_context *tls; /* NULL: no HTTPS */
    struct http_client *client;
    struct wire *control; /* NULL while control is away */
    struct wire *keeper;  /* the same; it tells of alarms */
    struct table *table;
    struct map workers;      /* "script/version" -> struct worker */
    struct map watched;      /* scripts that somebody tails */
    struct map loaders;      /* caller, binding and key -> dynamic struct worker, referenced */
    size_t loaded_bytes;     /* of the code of dynamic Workers */
    struct map homes;        /* namespace and id of a Durable Object -> struct home */
    struct map hibernations; /* the same -> struct hibernation */
    struct link isolates;    /* all links, least recently used first */
    size_t n_isolates;
    struct link sockets; /* clients' WebSockets */
    struct timer retire_timer, orphan_timer, socket_timer;
    struct link orphans; /* calls whose isolate ended and whose reason is not known yet */
    int64_t isolate_idle_us;
    unsigned isolates_per_worker;
    int workers_fd, assets_fd; /* DATA/workers and DATA/assets */
    struct buf authorities;    /* PEM, until the client has read it */
    struct access_log *access;
    struct work_pool *pool;
    struct cache *cache; /* NULL: another lane has it */
    int cache_fd;        /* owned until `cache` has it */
    struct gateway_lanes lanes;
    json_t *place; /* of gateway_cf.c, made at the first request */
    struct rate_window rates[GATEWAY_RATE_WINDOWS];
    struct map tcp;     /* isolate and stream -> its TCP connection */
    struct map flights; /* key of the cache -> the fetch under way that others wait for */
    size_t n_tails;     /* events of tail Workers that wait for an isolate */
    bool stopping;
    /* Who answers for the world instead of it: the test command's own. NULL: the network. */
    void (*world)(struct call *c);
    void *world_arg;
};

/* --- gateway.c, for its process and for those that have a gateway among other things --- */

/* rc: loop, settings, the wire to the supervisor, which hears isolate_want and isolate_drop. */
struct gateway *gateway_create(struct role_context *rc);
/* Starts what runs by itself: the cache in that directory, whose descriptor is taken, the client, timers. */
void gateway_begin(struct gateway *g, int cache_fd);
void gateway_attach_control(struct gateway *g, int fd);

/* --- gateway_table.c --- */

struct version {
    struct worker *worker; /* referenced */
    unsigned percentage;
};

struct script {
    char *name;
    bool workers_dev;
    struct version versions[2];
    unsigned n_versions;
    struct worker **previews; /* versions with a host of their own, referenced */
    unsigned n_previews;
};

/* -EBADMSG keeps the old table. */
NODISCARD int table_load(struct gateway *g, struct slice json, struct err *err);
void table_destroy(struct gateway *g, struct table *table); /* accepts NULL */
/* A namespace of Durable Objects: whose class it is. */
struct durable_class {
    char *id, *script, *name;
};
const char *table_account(const struct table *table);
const struct durable_class *table_namespace(const struct table *table, struct slice id);
/* A dispatch namespace. Its scripts are called "<id>.<name>". */
struct dispatch_namespace {
    char *id;
    bool trusted; /* its Workers see request.cf */
};
const struct dispatch_namespace *table_dispatch(const struct table *table, struct slice name);
/* Whether this script is of a namespace that is not trusted. */
bool table_is_untrusted(const struct table *table, const char *script);
struct script *table_script(const struct table *table, struct slice name);
/* Which Worker answers this host and path; NULL when none does. */
struct worker *table_route(const struct table *table, struct slice host, struct slice path);
/* The public bucket behind a host; NULL when there is none. */
const char *table_bucket(const struct table *table, struct slice host);
/* The version of a script for one request, by percentage; NULL when nothing is deployed. */
struct worker *script_pick(const struct script *script);

/* --- gateway_call.c --- */

/* What a call is about. Slices are borrowed from the front and live until the call has a back. */
struct call_request {
    struct slice method, url, headers, cf, entrypoint, props;
    struct slice path;                    /* of the URL, with query */
    int64_t content_length;               /* -1 unknown */
    bool has_body, navigate;              /* navigate: Sec-Fetch-Mode says so */
    bool upgrade;                         /* to WebSocket: after a 101 both bodies are messages */
    bool variables;                       /* props are variables of its env instead */
    bool socket;                          /* TCP: the answer may end long before the request */
    bool query;                           /* SQL for the object, from control */
    bool rpc;                             /* both bodies are frames of an RPC session */
    bool packed;                          /* props are those of MSG_PACKED */
    struct slice ns, object, object_name; /* a Durable Object; object empty: none */
    uint32_t cpu_ms, subrequests;         /* limits of this call; 0: those of the version */
    unsigned depth;
    char id[24];
};

struct call_head {
    int status;
    struct slice status_text, headers;
    int64_t content_length; /* -1 unknown */
    uint32_t flags;         /* MSG_* */
    uint32_t socket;        /* of MSG_JOIN, MSG_HIBERNATE */
    bool end;
};

/* Who asked. */
struct front_ops {
    void (*head)(struct call *c, const struct call_head *head);
    void (*data)(struct call *c, struct slice bytes, bool end);
    size_t (*room)(struct call *c);
    void (*consumed)(struct call *c, size_t n); /* request body bytes */
    /* Before a head: an error answer. After: the body breaks off. */
    void (*fail)(struct call *c, int status, struct slice text);
    /* NULL when files cannot be sent as such. Takes the descriptor. */
    void (*file)(struct call *c, int fd, int64_t offset, int64_t length);
    bool is_client; /* of the HTTP server: gets error pages and the access log */
};

/* Who answers. */
struct back_ops {
    void (*send)(struct call *c, struct slice bytes, bool end); /* request body */
    size_t (*room)(struct call *c);
    void (*consumed)(struct call *c, size_t n); /* response body bytes */
    void (*cancel)(struct call *c, int reason); /* nobody listens any more */
    /* From now on it answers the call `to`, as its back. NULL: it cannot change over. */
    void (*move)(struct call *c, struct call *to);
};

struct call {
    struct gateway *gateway;
    const struct front_ops *front;
    void *front_data;
    const struct back_ops *back; /* NULL: none yet, or finished */
    void *back_data;
    struct call_request request;
    struct worker *worker; /* referenced; NULL for the world */
    struct link queued;    /* in the worker's queue, among the orphans, or parked */
    bool is_queued;
    uint64_t orphan_of;          /* the isolate that ended under it */
    struct isolate_link *caller; /* the isolate that asks; NULL: none, or the call has begun */
    /* Of a call that belongs to some lane. */
    struct {
        enum lane_kind kind;
        unsigned hops;
        uint64_t revision; /* of the lane that has passed it on here; 0: its client is ours */
        struct buf args;   /* while it is parked */
    } lane;
    struct buf early; /* request body that came before the back */
    const char
        *cache_owner; /* script whose caches are its own (of its isolate's Worker), or NULL */
    struct outbound *outbound; /* what its fetches must pass, referenced; NULL: nothing */
    struct buf kept;           /* copies of the request's slices while it waits */
    /* A socket that a Worker has fetched: messages wait here until it says what becomes of it. */
    struct isolate_link *holder; /* NULL: nothing is held */
    uint32_t holder_stream;
    struct buf held_out;
    bool held_end;
    bool early_end, head_sent, ended;
    bool response_over; /* of a socket: its end has been passed on, the call goes on */
    size_t held_request, held_response;
    int status;
    uint64_t bytes_out;
    int64_t start_us;
};

struct call *call_create(struct gateway *g, const struct front_ops *front, void *front_data);
/* The front has gone or has been served: cancels the back if it still works. */
void call_destroy(struct call *c, int reason);
/* Finds who answers a routed call: an asset, a Worker. */
void call_dispatch(struct call *c, struct worker *worker);
/* Copies the request's slices so that they outlive the front's buffers. May be called again. */
void call_keep(struct call *c);
/* MSG_* of what a request is, for whoever it is sent to. */
uint32_t call_request_flags(const struct call_request *r);
void call_set_back(struct call *c, const struct back_ops *back, void *data);

/* From the front. */
void call_request_data(struct call *c, struct slice bytes, bool end);
void call_front_writable(struct call *c);
/* From the back. call_back_done: the back's data is gone; no more calls to it. */
void call_respond(struct call *c, const struct call_head *head);
void call_response_data(struct call *c, struct slice bytes, bool end);
void call_back_writable(struct call *c);
void call_back_done(struct call *c);
/* Ends the call with an error page (before the head) or by breaking the body; the back is done. */
void call_fail(struct call *c, int status, const char *fmt, ...) PRINTF(3, 4);

/* --- fronts and backs --- */

extern const struct http_server_events gateway_http_events;
void gateway_isolate_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                          int fd, bool end);
/* gateway_dispatch.c. options: JSON {props, limits, outbound} as the caller gave it. */
void dispatch_call(struct call *c, const json_t *binding, struct slice options, struct slice name);
struct outbound *outbound_ref(struct outbound *o);
void outbound_unref(struct outbound *o);
void gateway_scheduled(struct gateway *g, struct worker *w, int64_t scheduled_ms, struct slice cron,
                       void (*done)(void *arg, struct slice outcome), void *arg);

/* Workers: one struct per deployed version. */
struct worker *worker_get(struct gateway *g, struct slice script, const json_t *version);
struct worker *worker_ref(struct worker *w);
void worker_unref(struct worker *w);
const char *worker_script(const struct worker *w);
const char *worker_version(const struct worker *w);
const struct assets *worker_assets(struct worker *w); /* NULL: none */
/* Of its script, at every change of the table: an array of names, or NULL. */
void worker_set_consumers(struct worker *w, const json_t *names);
bool worker_has_code(const struct worker *w);
bool worker_is_dynamic(const struct worker *w);
/* It answers at its own host only: Durable Objects go on in the version that is deployed. */
void worker_supersede(struct worker *w);
/* Not in the table any more: its isolates leave when they are idle. */
void worker_retire(struct worker *w);
/* The grant behind a binding index; NULL when there is none. */
const json_t *worker_binding(const struct worker *w, uint32_t index);
/* Gives the call to an isolate of its worker, starting one or queueing as needed. */
void isolate_call_start(struct call *c);
/* Takes it out of whatever list it waits in. */
void isolate_call_cancel(struct call *c);
void isolate_gone(struct gateway *g, uint64_t isolate, struct slice outcome, struct slice text);
/* --- gateway_lane.c, gateway_lane_call.c --- */

/* Reads the settings; takes the sockets of all lanes; listens on our own; takes the wires to the others. */
void lanes_setup(struct gateway *g);
void lanes_take(struct gateway *g);
void lanes_listen(struct gateway *g);
void lanes_start(struct gateway *g);
/* The note lanes: what is not ours any more ends here, what waited goes on. */
void lanes_changed(struct gateway *g, const struct lane_table *table);
/* Takes the wire to another lane. */
void lane_attach(struct gateway *g, unsigned lane, int fd);
bool lane_is_mine(const struct gateway *g, struct slice object);
/* Passes the call to who serves it, here or in another lane. */
void lane_call(struct call *c, enum lane_kind kind, struct slice args);
/* The same for one that has been on its way. */
void lane_call_again(struct call *c, struct slice args);
/* Our clients have gone: ends the process when those of the other lanes have, too. */
void lanes_drained(struct gateway *g);
extern const struct wire_events lane_events; /* user: struct lane_peer */
void lane_forward(struct call *c, struct wire *to, struct slice args);
void lane_note_drained(struct lane_peer *p);

/* --- gateway_object.c --- */

/* Finds who runs the object and passes the call there. */
void object_call(struct call *c, const json_t *binding, struct slice object, struct slice name);
/* True when the object is somewhere: the call has been sent there. */
bool object_call_send(struct call *c);
/* The same for an object of a namespace that control has named. */
void object_call_named(struct call *c, struct slice ns, struct slice object, struct slice name);
/* Of this lane, for a call with ns, object and object_name. */
void object_serve(struct call *c, struct slice unused);
/* Those of other lanes end here. */
void objects_leave_lane(struct gateway *g);
/* gateway_query.c: the stream object_query of control. */
void gateway_query(struct gateway *g, struct wire_stream *s, struct slice args);
/* The version that runs the objects of a namespace's class; NULL when none is deployed. */
struct worker *object_worker_of(struct gateway *g, struct slice ns, struct slice object);
/* The wire to the keeper, which tells when alarms are due. */
void gateway_keeper_attach(struct gateway *g, int fd);

/* --- gateway_hibernate.c --- */

/* A table has changed: sockets of objects that run another version now, or in another lane, are dropped. */
void hibernations_check(struct gateway *g);

void links_retire_idle(struct gateway *g);
void links_stop(struct gateway *g);

void egress_start(struct call *c);
void egress_socket_start(struct call *c); /* the same for a WebSocket */

/* The Worker has answered a client's request with a WebSocket: 101, and the call's front is a socket. */
void gateway_socket_open(struct call *c, const struct call_head *head);
bool gateway_socket_is(const struct call *c);
void gateway_socket_input(struct call *c, struct slice bytes, bool end);
void gateway_socket_free(struct call *c);
/* The message that tells a Worker, in the words it knows, which rule the other side broke. */
void gateway_socket_failure(struct buf *out, int code, struct slice why);
void gateway_sockets_start(struct gateway *g);
void gateway_sockets_stop(struct gateway *g);

/* True when an asset (or redirect, or fallback page) answers this request before the Worker is asked. */
bool assets_take(const struct assets *assets, const struct call_request *r, bool has_worker);
void assets_start(struct call *c);
struct assets *assets_load(struct gateway *g, const json_t *config);
void assets_destroy(struct assets *assets);

/* --- gateway_bucket.c --- */

/* Answers from a public bucket. */
void bucket_start(struct call *c, const char *bucket);

/* --- gateway_cf.c --- */

/* request.cf of a client's request, JSON; valid until the next call. */
struct slice gateway_cf(struct gateway *g, const struct http_request *r);

/* --- gateway_file.c --- */

/* Answers with head->content_length bytes (not 0) of the file. Takes the descriptor. */
void file_answer(struct call *c, int fd, int64_t offset, const struct call_head *head);

/* --- gateway_cache.c, gateway_cache_fetch.c, gateway_purge.c --- */

/* Of this lane, when it has the cache. */
void cache_begin(struct gateway *g);
/* The Cache API of a Worker; args: msg_cache. */
void cache_call_start(struct call *c, struct slice args);
/* A subrequest to the world that may be answered from the cache or go into it; flags: MSG_CACHE_*, packed in args. */
bool cache_fetch_wanted(const struct call *c, uint32_t flags);
void cache_fetch_start(struct call *c, struct slice args);
/* Answers from an entry, with 304, 206 and 416 as the request asks. Takes the reference. */
void cache_answer(struct call *c, struct cache_entry *e, const char *status);
struct cache_key cache_key_of(struct gateway *g, struct slice name, struct slice url);
/* outcome: "ok", or a sentence. */
void cache_purge_run(struct gateway *g, struct slice json, struct buf *outcome);

/* --- gateway_loader.c, gateway_grant.c --- */

/* A call on a worker_loader binding of `self`: brings code, asks whether it is wanted, or goes to the Worker. */
void loader_call(struct call *c, struct worker *self, uint32_t binding, struct slice options,
                 struct slice entrypoint);
/* Forgets the code of dynamic Workers that nobody has used for long. */
void loaders_sweep(struct gateway *g);
/* Grants what `self` passes on, {"binding", "object", "name"} or {"entrypoint", "props"}: a binding for somebody else, owned;
 * NULL: it has no such thing to give. */
json_t *grant_make(const struct worker *self, const json_t *given);

/* --- gateway_rate.c --- */

/* 200: one more is within the limit; 429: it is not. The request's cf says key, limit, period. */
void rate_call(struct call *c, const json_t *binding);
void rate_serve(struct call *c, struct slice args);

/* --- gateway_log.c --- */

struct access_log *access_log_open(struct loop *loop, int fd);
void access_log_write(struct access_log *log, const struct call *c, const struct http_request *r);
void access_log_close(struct access_log *log);
