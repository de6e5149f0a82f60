/*
 * The decisions of Durable Objects: who runs an object, who may write it, what may leave it, when it is woken.
 *
 * Each is a pure function of what is known, what has happened, the time and a random number; it does no I/O, keeps
 * nothing and may be called on any thread. The roles act on what it answers, and test/sim runs the same functions under
 * crashes, delays and duplicates. What the log accepts is decided in store/log_record.h (log_record_fits()).
 *
 * Times are milliseconds of the wall clock; a negative time is "none".
 */
#pragma once

#include "core/base.h"
#include "core/slice.h"

/* --- durable_placement.c: owner(id) → lane --- */

enum { PLACEMENT_LANES_MAX = 64 };

/* Bit n of `lanes` says that lane n lives. The same answer wherever the table is the same; when a lane comes or goes only
 * its own objects move. CHECKs that there is a lane. */
unsigned placement_owner(struct slice object, uint64_t lanes);
/* Of two versions of a script the one (0 or 1) that runs an object, when the first has `percentage` of them. */
unsigned placement_version(struct slice object, unsigned percentage);

/* --- durable_lane_plan.c: where a call goes --- */

/* What a process knows of the lanes. The supervisor's is the true one; the others' follow, each revision as a whole. */
struct lane_table {
    uint64_t revision; /* 0: nothing is known yet */
    uint64_t live;     /* bit n: lane n lives */
    unsigned first;    /* has what there is only one of; the same until it dies */
};

enum {
    LANE_HOPS_MAX = 3 /* of a call from lane to lane */
};

enum lane_todo { LANE_SERVE, LANE_FORWARD, LANE_WAIT, LANE_REFUSE };

struct lane_choice {
    enum lane_todo todo;
    unsigned lane; /* of LANE_FORWARD */
};

/* Lane `lane` has come or gone: the next revision. */
void lane_table_change(struct lane_table *table, unsigned lane, bool lives);
/* The lane of an object, or with an empty one of what there is only one of. CHECKs that a lane lives. */
unsigned lane_owner(const struct lane_table *table, struct slice object);
/* What lane `self` does with a call. `revision` is the one by which another lane has sent it here after `hops`, 0 for a
 * caller of our own. LANE_WAIT: until the next revision is known. Only a lane that has heard of a newer revision passes a
 * call on, so that it cannot go in circles. */
struct lane_choice lane_choose(const struct lane_table *table, unsigned self, struct slice object,
                               uint64_t revision, unsigned hops);

/* --- durable_lease_plan.c: who may write --- */

struct lease_plan {
    uint64_t epoch; /* grows with each lease that is given */
    uint64_t owner; /* whoever asked last; any number that tells connections apart */
};

enum lease_answer { LEASE_REFUSED, LEASE_HOLDS, LEASE_ADOPT };

/* A commit with `epoch` by `owner`. NULL: no lease is known, since the keeper has begun anew; its own numbers begin with
 * first_epoch, and the first one who comes with an older number keeps it. */
enum lease_answer lease_check(const struct lease_plan *lease, uint64_t owner, uint64_t epoch,
                              uint64_t first_epoch);

/* --- durable_gate_plan.c: what may leave --- */

/* Something said after `need` commits may leave when that many are on disk, and nothing else that was written elsewhere
 * (`barriers`) is on its way. */
bool gate_is_open(double need, double synced, unsigned barriers);

/* --- durable_alarm_plan.c: when an object is woken --- */

enum {
    ALARM_RETRY_FIRST_MS = 2000, /* 2, 4, 8 ... and up to a quarter more */
    ALARM_RETRY_POWER_MAX = 9,
    ALARM_RETRIES = 6,    /* counted ones; then the alarm is dropped */
    ALARM_AGAIN_MS = 500, /* the platform failed: not counted */
    ALARM_WAIT_MAX_MS =
        24 * 3600 * 1000 /* then the clock is looked at again: it may have been set */
};

/* What the keeper knows of one object's alarm. */
struct alarm_plan {
    int64_t at_ms;
    unsigned retry; /* counted ones */
    bool firing;    /* somebody has been told and has not answered */
    bool told;      /* of another time, while it was firing */
};

enum alarm_event {
    ALARM_TOLD,   /* the index has changed: at_ms is the new time */
    ALARM_TIME,   /* the wait is over */
    ALARM_OK,     /* the answers: the handler has run, and that is durable */
    ALARM_THREW,  /* it threw */
    ALARM_LOST,   /* the platform failed, or nobody can be told */
    ALARM_MISSING /* there is no such object any more */
};

enum alarm_todo { ALARM_NOTHING, ALARM_WAIT, ALARM_FIRE, ALARM_FORGET };

struct alarm_action {
    enum alarm_todo todo;
    int64_t delay_ms; /* of ALARM_WAIT, which ends in ALARM_TIME and replaces an earlier one */
};

/* `at_ms` is of ALARM_TOLD. */
struct alarm_action alarm_plan_step(struct alarm_plan *plan, enum alarm_event event, int64_t at_ms,
                                    int64_t now_ms, uint32_t random);

/* The object is woken: whether its handler runs. If not, the index was behind and is told. */
bool alarm_is_due(int64_t at_ms, int64_t now_ms);
/* The handler is over: whether the stored alarm goes. `set_anew`: while it ran. */
bool alarm_is_over(bool threw, unsigned retry, bool set_anew);

/* An object's alarm is in its own database; the keeper's index says whom to wake. The index is never later than what is
 * durable in the object: an earlier time is told before the commit, a later one (or none) after it. */
enum alarm_tell {
    ALARM_TELL_NOT,
    ALARM_TELL_FIRST, /* the commit waits for the index */
    ALARM_TELL_AFTER, /* the index waits for the commit */
};

enum alarm_tell alarm_tell_plan(int64_t index_ms, int64_t own_ms);
