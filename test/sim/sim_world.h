/*
 * What the model consists of: sim.c.
 */
#pragma once

#include "sim.h"

#include "linear.h"
#include "product/durable/durable_plan.h"

enum {
    OBJECTS = 3,
    LANES = 4,
    CLIENTS = 3,
    WAITING_MAX = 16,
    QUEUE_MAX = 256,
    CHAIN_MAX = 60,
    MS = 1000,
    S = 1000 * MS,
    TIMEOUT = 3 * S,  /* of a client */
    UNKNOWN = 12 * S, /* by then everything that it has sent has ended somehow */
    WATCH = 1 * S,    /* a process that does not answer is given up */
    QUIET = 1500 * S, /* all retries of an alarm fit into it */
    ALARM_THROWS = 30 /* percent */
};

enum kind {
    CLIENT_NEXT,
    CLIENT_TIMEOUT,
    OP_ARRIVES,
    CLIENT_ANSWER,
    LEASE_ASK,
    LEASE_GIVEN,
    COMMIT,
    COMMIT_ANSWER,
    TELL,
    TELL_ANSWER,
    SYNC,
    ALARM_TIMER,
    LANES_CHANGED,
    ALARM_ANSWER,
    HANDLER_END,
    LANE_START,
    LANE_LOST,
    KEEPER_START,
    FAULT
};

enum what { GET, PUT, ADD, SET_ALARM, RING };

struct state { /* of an object */
    uint64_t epoch, sequence;
    int64_t value, alarm_ms;
    unsigned alarm_id, retry;
};

struct request {
    enum what what;
    unsigned client, number; /* of RING: the fire's number */
    int64_t value, at;
    unsigned retry;
};

struct event {
    int64_t at;
    uint64_t order, pid, number;
    enum kind kind;
    unsigned object, lane, hops;
    int64_t result;
    struct request request;
    struct state state;
    struct lane_table table; /* of LANES_CHANGED; its revision: of OP_ARRIVES from another lane */
};

struct answer {
    struct request request;
    int64_t value;
    double need;
};

struct instance {
    enum { NONE, ASKING, RUNNING } life;
    uint64_t number, epoch, sequence;
    struct state state;
    double committed, synced;
    bool open, held, telling, ringing, anew;
    double tell_need; /* < 0: none waits */
    int64_t index_ms; /* at the latest */
    bool index_known;
    struct request ring;
    struct request waiting[WAITING_MAX];
    struct answer answers[WAITING_MAX * 2];
    unsigned n_waiting, n_answers;
    int64_t since;
};

struct lane {
    uint64_t pid;
    bool up, given_up;
    int64_t stuck_until, sent_until;
    struct lane_table table; /* what it knows */
    struct instance instances[OBJECTS];
};

struct entry {
    bool tell, written;
    unsigned object, lane;
    uint64_t pid, number;
    struct state state;
};

struct world {
    enum sim_variant variant;
    uint64_t random;
    int64_t now, end, skew, think;
    struct event *heap;
    unsigned n_heap, heap_max;
    uint64_t order, pids, numbers;
    /* keeper */
    bool keeper_up, syncing;
    uint64_t keeper_pid, next_epoch, first_epoch;
    struct lease_plan leases[OBJECTS];
    bool leased[OBJECTS];
    struct state accepted[OBJECTS], disk[OBJECTS];
    int64_t index[OBJECTS];
    struct alarm_plan plans[OBJECTS];
    uint64_t timers[OBJECTS], fires[OBJECTS];
    unsigned fire_lane[OBJECTS];
    struct entry queue[QUEUE_MAX];
    unsigned n_queue, n_batch;
    /* lanes and clients */
    struct lane_table table; /* the supervisor's */
    struct lane lanes[LANES];
    uint64_t locks[OBJECTS];
    unsigned client_op[CLIENTS], client_number[CLIENTS];
    bool client_waits[CLIENTS];
    /* what is known to be true */
    struct linear_op *ops[OBJECTS];
    unsigned n_ops[OBJECTS], ops_max[OBJECTS], chain_n[OBJECTS], op_object[CLIENTS];
    int64_t chain_end[OBJECTS];
    uint64_t epoch_pid[OBJECTS], epoch_seen[OBJECTS];
    unsigned alarm_ids, handled[OBJECTS], threw_id[OBJECTS], threw_n[OBJECTS];
    int64_t values;
    struct sim_result result;
};
