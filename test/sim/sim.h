/*
 * A model of keeper, lanes with their isolates, and clients, over the decisions that the program runs on
 * (product/durable/durable_plan.h, log_record_fits()). One seed is one schedule.
 */
#pragma once

#include "core/base.h"

enum sim_variant {
    SIM_SOUND,
    SIM_ACK_EARLY,     /* the keeper answers before it is on disk */
    SIM_EPOCH_IGNORED, /* whoever commits is believed */
    SIM_ALARM_EARLY,   /* the alarm is deleted before its handler has succeeded */
    SIM_TWO_OWNERS,    /* each lane believes that it owns the object */
    SIM_GATE_OPEN,     /* answers leave at once */
    SIM_INDEX_OPEN,    /* whoever tells the index of alarms is believed */
    SIM_VARIANTS
};

struct sim_result {
    const char *why; /* NULL: nothing is wrong */
    unsigned events, ops, acknowledged, fired, crashes, stale, refused;
};

/* Faults for `seconds` of simulated time, then none until all is quiet. */
struct sim_result sim_run(uint64_t seed, enum sim_variant variant, unsigned seconds,
                          unsigned think_ms);
