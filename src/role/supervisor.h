/*
 * The supervisor: binds sockets, starts the other roles, connects them, keeps isolates and their limits.
 *
 * Single-threaded. It reads messages of its own children only, and of files only what control and it
 * itself wrote.
 *
 * supervisor.c: life of the server. supervisor_child.c: roles and their wires. supervisor_start.c:
 * requests for isolates. supervisor_isolate.c: spares, assignment, ends. supervisor_limit.c: memory,
 * reasons of ends, crash records, the breaker. supervisor_status.c: what `selvedge status` shows.
 * supervisor_listen.c: sockets.
 */
#pragma once

#include "core/buf.h"
#include "core/json.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/map.h"
#include "proc/cgroup.h"
#include "proc/spawn.h"
#include "proc/tail.h"
#include "proc/wire.h"
#include "product/durable/durable_plan.h"
#include "product/messages.h"

/* Of gateways there are as many as lanes; the others are one each. */
enum child_kind { CHILD_TEMPLATE, CHILD_KEEPER, CHILD_CONTROL, CHILD_GATEWAY };
enum listener { LISTEN_HTTP, LISTEN_HTTPS, LISTEN_API, LISTENERS };

enum {
    SUPERVISOR_LANES_MAX = 32,
    CHILDREN_MAX = CHILD_GATEWAY + SUPERVISOR_LANES_MAX,
    SUPERVISOR_TITLE_MAX = 24,
    SUPERVISOR_SCRIPT_MAX = 256,
    SUPERVISOR_ADDRESS_MAX = 64,
    SUPERVISOR_ID_MAX = 64,
    SUPERVISOR_SPEC_MAX = 64 * 1024 * 1024,
    SUPERVISOR_STARTS_MAX = 4096 /* waiting for a spare */
};

struct supervisor;

struct child {
    struct supervisor *sup; /* borrowed */
    enum child_kind kind;
    unsigned lane;                    /* of a gateway */
    const char *name;                 /* of the role */
    char title[SUPERVISOR_TITLE_MAX]; /* for people: with the lane, where there are several */
    struct process process;           /* pid 0 = not running */
    struct wire *wire;                /* NULL = not running, or gone */
    struct tail tail;                 /* its stderr */
    bool ready, stopping;
    unsigned n_restarts, n_fast;
    int64_t started_us;
    struct timer timer; /* next start, or the kill */
};

enum isolate_state {
    ISOLATE_FORKING,
    ISOLATE_SPARE,
    ISOLATE_GRANTING,
    ISOLATE_RUNNING,
    ISOLATE_DYING
};

/* Who asked for an isolate: a gateway or control. */
struct start {
    struct link link; /* in supervisor.starts while it waits for a spare */
    struct supervisor *sup;
    struct child *owner;        /* borrowed: lives as long as the server */
    struct wire_stream *stream; /* to be answered; NULL once the asker is gone */
    uint8_t kind;               /* ISOLATE_WORKER ... */
    char script[SUPERVISOR_SCRIPT_MAX], version[SUPERVISOR_ID_MAX];
    char account[SUPERVISOR_ID_MAX];
    struct buf spec_text;
    json_t *spec; /* owned */
    struct timer timeout;
    int64_t asked_us, taken_us;
};

struct isolate {
    struct link link;
    struct supervisor *sup;
    uint64_t id;
    enum isolate_state state;
    struct process process;
    struct wire *wire;   /* control channel */
    struct start *start; /* owned: what it runs, or is about to */
    struct wire_stream *grant;
    const char *why; /* we ended it for this reason; static text */
    char why_text[64];
    uint64_t memory_max; /* bytes; 0 = no limit yet */
    bool grouped;        /* has a control group */
    bool warm;           /* its VM stands */
    int64_t born_us, assigned_us;
    struct timer kill_timer;
};

struct supervisor {
    struct loop *loop;
    json_t *settings;
    json_t *damaged;         /* stores that the keeper has found damaged: name -> reason */
    const char *config_path; /* borrowed; NULL = none */
    json_t *flags;           /* what the command line said */
    char data_path[4096];
    int data_fd, lock_fd, null_fd;
    int listeners[LISTENERS][SUPERVISOR_LANES_MAX];    /* that of the API: only the first */
    char addresses[LISTENERS][SUPERVISOR_ADDRESS_MAX]; /* as bound */
    struct child children[CHILDREN_MAX];               /* by kind; the gateways by lane */
    unsigned n_children, n_lanes;
    struct lane_table lanes; /* those whose gateway is ready */
    bool announced, stopping, failed, quiet;
    unsigned stop_stage;
    int64_t started_us;

    struct link isolates; /* oldest first */
    struct map isolate_by_id;
    uint64_t next_isolate;
    size_t n_isolates, n_spares; /* spares: forking or ready */
    size_t n_warming;            /* of the spares, those whose VM does not stand yet */
    struct link starts;
    size_t n_starts;
    size_t spares_wanted; /* more than the setting while starts come faster than spares */
    struct timer refill, calm, watch_memory;
    struct link *memory_at;
    struct cgroup *cgroup; /* NULL = polling only */
    struct map breakers;   /* "script/version" -> struct breaker, owned */
    uint64_t n_started, n_crashed;

    int status_fd;
    struct watch status_watch;
};

/* supervisor_listen.c */
/* One socket on that address for each of n lanes. */
NODISCARD int supervisor_listen(struct supervisor *sup, enum listener which, const char *address,
                                unsigned n, struct err *err);

/* supervisor_child.c */
void child_start(struct child *c);
void child_exited(struct child *c, int status);
void child_stop(struct child *c, unsigned grace_ms);
void child_give_settings(struct child *c);
void supervisor_send_table(struct supervisor *sup, struct child *c); /* NULL: to all gateways */
/* A lane has come or gone: whoever places objects is told. */
void supervisor_lane_changed(struct child *c, bool lives);

/* supervisor.c */
void supervisor_child_ready(struct child *c);
void supervisor_child_gone(struct child *c);
/* Cannot go on: says why and ends. */
void supervisor_fail(struct supervisor *sup, const char *why);

/* supervisor_start.c */
void start_answer(struct start *start, uint64_t isolate, int64_t result, const char *text, int fd);
void start_free(struct start *start); /* accepts NULL */

/* supervisor_isolate.c */
/* Takes a spare for it, or leaves it waiting. */
void start_go(struct start *start);
void isolates_init(struct supervisor *sup);
void isolates_refill(struct supervisor *sup);
/* Messages; -EBADMSG when they are malformed. */
int isolate_on_want(struct child *c, struct wire_stream *s, struct slice args);
int isolate_on_job_want(struct child *c, struct wire_stream *s, struct slice args);
int isolate_on_drop(struct child *c, struct slice args);
int isolate_on_made(struct child *c, struct slice args);
int isolate_on_reaped(struct child *c, struct slice args);
/* why: static text, the outcome that others are told. */
void isolate_kill(struct isolate *iso, const char *why);
void isolates_kill_owned(struct supervisor *sup, const struct child *owner);
/* The template is gone, and every isolate with it. */
void isolates_lost(struct supervisor *sup);
void isolates_attach_all(struct supervisor *sup);
void isolates_stop(struct supervisor *sup, unsigned grace_ms);
/* Not of gateways. */
struct wire *supervisor_wire(struct supervisor *sup, enum child_kind kind);

/* supervisor_limit.c */
void limits_init(struct supervisor *sup);
void limits_isolate_born(struct isolate *iso);
void limits_isolate_assigned(struct isolate *iso);
void limits_isolate_ended(struct isolate *iso, int status, struct slice report);
/* 0, or -EBUSY with the sentence for the client while the version is not started. */
NODISCARD int breaker_check(struct supervisor *sup, const struct start *start, struct err *err);
/* report: the panic text, may be empty. */
void crash_record(struct supervisor *sup, json_t *record, struct slice report);
void limits_done(struct supervisor *sup);

/* supervisor_status.c */
NODISCARD int status_listen(struct supervisor *sup, struct err *err);
json_t *status_json(struct supervisor *sup);
int status_on_get(struct child *c, struct wire_stream *s, struct slice args);
int status_on_damaged(struct child *c, struct slice args);
size_t status_resident_kb(pid_t pid, size_t *ret_shared_kb);
