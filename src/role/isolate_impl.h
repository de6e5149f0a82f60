/*
 * What the files of the isolate role share.
 *
 * isolate.c: the process and its control channel. isolate_load.c: from spec to handlers; links.
 * isolate_event.c: entries into the VM, accounting, limits. isolate_channel.c: bodies. isolate_io.c:
 * the natives of group `io`. isolate_call.c: calls to the gateway and the keeper. isolate_here.c: calls
 * that stay in the process. isolate_websocket.c: messages. isolate_sockets.c: sockets of Durable Objects that may sleep.
 *
 * An *entry* is one macrotask: C calls one hook or callback, microtasks drain, rejections are
 * reported. Whatever natives asked for meanwhile that is already there (buffered bytes, room, failed
 * calls) waits in `ready` and gets its own entries right after.
 */
#pragma once

#include "core/loop.h"
#include "core/map.h"
#include "core/work.h"
#include "engine/vm_job.h"
#include "product/isolate.h"
#include "product/messages.h"
#include "role/isolate_main.h"

enum {
    ISOLATE_STARTUP_CPU_US = 1000 * 1000,
    ISOLATE_LINK_CPU_US = 30 * 1000 * 1000,
    ISOLATE_WATCH_GRACE_US = 100 * 1000, /* the watcher comes after the engine's own limit */
    ISOLATE_CODE_MAX = 256 * 1024 * 1024,
    ISOLATE_BODY_MAX = 128 * 1024 * 1024, /* bytes that io.collect may gather */
    ISOLATE_CHANNELS_MAX = 65536,
    ISOLATE_POOL_THREADS = 4,
    ISOLATE_METHODS = 7,
    ISOLATE_REQUEST_ID_MAX = 64,
    ISOLATE_IDLE_US = 10 * 1000 * 1000, /* then memory is given back */
    ISOLATE_LULL_US =
        250 * 1000, /* the same, after so many events that there is much to give back */
    ISOLATE_LULL_EVENTS = 500,
    ISOLATE_FLUSH_MS = 500 /* for last words when the process ends */
};

enum channel_kind {
    CHANNEL_REQUEST,
    CHANNEL_SCHEDULED,
    CHANNEL_SOCKETS, /* of a Durable Object: an event as long as the object is awake */
    CHANNEL_LINK,
    CHANNEL_FETCH,
    CHANNEL_KEEPER,
    CHANNEL_KINDS
};

enum channel_want {
    WANT_NOTHING,
    WANT_READ,
    WANT_BYTES,
    WANT_TEXT,
    WANT_PIPE,
    WANT_MESSAGES,
    WANT_FRAMES
};

/* One stream of a wire as JavaScript sees it: a number. The low 16 bits are the index in
 * iso->channels, the next 14 count how often the place was used, so that a number of an ended
 * channel means nothing. */
struct channel {
    struct isolate *iso; /* borrowed */
    uint32_t id;         /* 0 = free */
    uint32_t generation;
    enum channel_kind kind;
    struct wire_stream *stream; /* NULL once closed */
    uint32_t stream_id;
    uint32_t event; /* id of the event's channel; its own for events; 0 = none */
    struct link ready;

    /* incoming */
    struct buf in;
    bool in_end, in_dropped;
    int in_error; /* negative errno, reported to whoever reads */
    enum channel_want want;
    struct js_hold read_cb;      /* also that of a pipe */
    uint32_t pipe_to, pipe_from; /* channel ids */
    size_t pipe_owed;            /* bytes passed on and not yet returned as credit */

    /* outgoing */
    bool out_open; /* io.write may follow */
    struct js_hold room_cb;

    /* calls: fetch and keeper */
    struct js_hold answer_cb;
    int answer_error; /* the call could not even be sent */
    bool joinable;    /* the gateway holds back what comes (MSG_JOINABLE) */
    uint64_t away;    /* the object that it asks through the gateway; 0: none, or answered */

    bool here; /* calls and requests: the other end is in this isolate */

    /* events */
    bool replied, traced;
    struct event_hold *hold; /* shared with the events that it has called here; NULL: none */
    int64_t cpu_us, started_us;
    int64_t cpu_max_us;  /* of this event alone; 0: the version's */
    int64_t cpu_past_us; /* of budgets that were used up before (WebSockets) */
    char request_id[ISOLATE_REQUEST_ID_MAX];
    struct buf options; /* of a link job */
    uint64_t n_frames;  /* that sockets have had */
};

struct isolate_hooks {
    struct js_hold warm, prepare, load, request, scheduled, tailed, abort, timer, unhandled, link,
        condemn, alarm, objects_reset, sockets;
};

struct isolate_turn {
    void (*run)(void *arg);
    void *arg;
};

struct isolate {
    const struct isolate_options *options;
    struct loop *loop;
    struct work_pool *pool; /* made on first use */
    struct vm *vm;
    js_context ctx;
    struct wire *control, *main, *keeper; /* main: the gateway, or control for a job */
    struct wire *here[2];                 /* a pair, caller's end first; NULL until it is needed */
    struct map away; /* objects that are being asked through the gateway -> how many calls */
    struct isolate_hooks hooks;

    /* assignment */
    bool assigned, loading, loaded, link_ready;
    uint8_t kind;
    int main_fd; /* received, not yet a wire; -1 = none */
    struct buf spec_text;
    json_t *spec;
    struct binding *bindings;
    size_t n_bindings;
    int64_t cpu_limit_us;
    size_t memory_max;
    int64_t startup_us;
    struct timer load_timer, warm_timer;
    struct buf linked,
        code;           /* of a dynamic Worker: its script, and its modules one after another */
    json_t *code_files; /* names -> [offset, size] in `code` */

    /* channels */
    struct channel **channels;
    size_t n_channels, n_free;
    uint16_t *free_list;
    struct link ready;
    size_t n_events;

    /* the running entry */
    unsigned depth;
    bool draining;
    struct channel *current; /* event that pays; NULL = none */
    uint32_t ending;         /* channel of the event that ended in this entry; 0 = none */
    size_t ending_outcome_len;
    struct buf ending_text; /* its outcome and trace */
    double clock[1];        /* wall ms of this entry, seen by scripts as io.clock */
    struct timer js_timer;
    struct loop_hook round;
    struct isolate_turn turns[ISOLATE_TURNS_MAX]; /* isolate_on_turn() */
    unsigned n_turns;

    /* ending */
    int exit_status; /* -1 = running */
    bool draining_out, condemned;
    struct timer exit_timer, idle_timer;
    int64_t active_us;    /* when an event ended last */
    unsigned n_untrimmed; /* events since memory was given back */
    int64_t memory_next_us;
    long rss_base_kb;

    /* values made again and again */
    struct js_hold methods[ISOLATE_METHODS], empty, cf_value;
    struct buf cf_text;
    struct buf scratch, message;
};

/* isolate.c */
void isolate_exit(struct isolate *iso, int status); /* after what was written has left */
void isolate_exit_check(struct isolate *iso);

/* isolate_load.c */
void isolate_boot(struct isolate *iso);    /* iso->vm stays NULL when the engine lacks something */
void isolate_warm(struct isolate *iso);    /* begins: goes on from a timer until it loads */
void isolate_prepare(struct isolate *iso); /* ends warming up; what needs no files */
void isolate_load(struct isolate *iso);
void isolate_link_run(struct channel *ch);
/* Of a dynamic Worker: its code comes by `link`. */
bool isolate_awaits_code(const struct isolate *iso);

/* isolate_event.c */
extern const struct wire_events isolate_main_events;
/* Begins and ends an entry for the event that pays (NULL: none). */
void isolate_enter(struct isolate *iso, struct channel *event, int64_t cpu_us);
void isolate_leave(struct isolate *iso);
/* One callback in an entry of its own, in the name of ch's event. fn is held by the caller. */
void isolate_callback(struct channel *ch, js_value fn, const js_value *args, size_t n);
js_value isolate_hook(struct isolate *iso, const struct js_hold *hook, const js_value *args,
                      size_t n);
void isolate_account(struct isolate *iso);
void isolate_round(struct loop_hook *hook);
void isolate_unhandled(void *user, js_value promise, js_value reason);
void isolate_timer_set(struct isolate *iso, double wall_ms);
void isolate_cpu_over(void *user);
void isolate_event_end(struct channel *ch, struct slice outcome, struct slice trace);

/* isolate_channel.c */
extern const struct wire_stream_events channel_events;
extern const struct vm_job_host isolate_jobs; /* isolate_job.c */
/* NULL when there are too many. */
struct channel *channel_create(struct isolate *iso, enum channel_kind kind,
                               struct wire_stream *stream);
void channel_destroy(struct channel *ch);
struct channel *channel_find(struct isolate *iso, uint32_t id);
struct channel *channel_event(struct channel *ch);  /* NULL when it is over */
void channel_ready(struct channel *ch);             /* look at it after this entry */
void channel_settle(struct channel *ch);            /* gives what is there to who waits */
void channel_close(struct channel *ch, int reason); /* its stream; keeps the channel */
void channel_pipe_credit(struct channel *to);
void channel_maybe_done(
    struct channel *ch); /* destroys a call that nothing can happen on any more */

/* isolate_call.c */
void call_reply(struct channel *ch, struct slice args);
void call_failed(struct channel *ch, int reason);
js_value isolate_fetch(js_context ctx, size_t n_args, const js_value args[], js_value *exception);
js_value isolate_connect(js_context ctx, size_t n_args, const js_value args[], js_value *exception);
js_value isolate_cache(js_context ctx, size_t n_args, const js_value args[], js_value *exception);

/* isolate_here.c */
/* True: a call of the running event for this object may stay in the process. */
bool isolate_here_may(struct isolate *iso, struct slice object);
/* The wire of such calls. */
struct wire *isolate_here_wire(struct isolate *iso);
/* A call through the gateway for the object begins, has been answered (or was never one). */
void isolate_away_begin(struct channel *ch, struct slice object);
void isolate_away_end(struct channel *ch);
/* The id of what the running event asks for: that of its request, one deeper. */
void isolate_here_request_id(struct isolate *iso, char *buf, size_t size);
/* The answer as the gateway would tell it. */
int isolate_here_fetched(struct channel *ch, struct slice payload, struct msg_fetched *ret);
/* The event came over the wire of such calls. */
void isolate_here_begin(struct channel *ch);
/* Tells the gateway that the event is over, once all that it has called here are; args: its event_end. */
void isolate_here_end(struct channel *ch, struct slice args, struct slice trace);

/* isolate_websocket.c */
void isolate_messages_data(struct channel *ch, struct slice bytes);
void isolate_messages_settle(struct channel *ch);
JS_NATIVE(isolate_messages);
JS_NATIVE(isolate_send_message);
JS_NATIVE(isolate_send_close);
JS_NATIVE(isolate_queued);

/* A new budget of CPU time for the channel's event. */
void isolate_refill(struct channel *ch);
/* What comes on a fetched socket is wanted here after all. */
void isolate_socket_wanted(struct channel *ch);

/* isolate_sockets.c */
void isolate_frames_settle(struct channel *ch);
JS_NATIVE(isolate_frames);
JS_NATIVE(isolate_send_frame);
JS_NATIVE(isolate_sockets_sleep);
JS_NATIVE(isolate_event_part);

/* isolate_io.c */
extern const struct js_native_row isolate_io_rows[];
extern const size_t isolate_io_n_rows;
