/*
 * Alarms: the keeper's side (when to fire, when again), the object's side (run or not, clear or keep), and
 * the order in which object and index learn of a change.
 *
 *     TOLD --time--> FIRING --ok--> (forgotten, unless told anew meanwhile)
 *      ^               |
 *      +--later again--+  the handler threw: 2 s, 4 s, ... ; the platform failed: soon, not counted
 */
#include "product/durable/durable_plan.h"

static const struct alarm_action nothing = {.todo = ALARM_NOTHING};

static struct alarm_action alarm_wait(int64_t delay_ms)
{
    return (struct alarm_action){
        .todo = ALARM_WAIT,
        .delay_ms = MIN(MAX(delay_ms, (int64_t)0), (int64_t)ALARM_WAIT_MAX_MS),
    };
}

static struct alarm_action alarm_begin(struct alarm_plan *plan, int64_t now_ms)
{
    plan->retry = 0;
    plan->told = false;
    return plan->at_ms < 0 ? (struct alarm_action){.todo = ALARM_FORGET}
                           : alarm_wait(plan->at_ms - now_ms);
}

static struct alarm_action alarm_told(struct alarm_plan *plan, int64_t at_ms, int64_t now_ms)
{
    plan->at_ms = at_ms;
    if (!plan->firing)
        return alarm_begin(plan, now_ms);
    plan->told = true; /* the answer decides when */
    return nothing;
}

static struct alarm_action alarm_time(struct alarm_plan *plan, int64_t now_ms)
{
    if (plan->firing)
        return nothing;
    if (plan->at_ms > now_ms)
        return alarm_wait(plan->at_ms - now_ms);
    plan->firing = true;
    return (struct alarm_action){.todo = ALARM_FIRE};
}

static struct alarm_action alarm_threw(struct alarm_plan *plan, uint32_t random)
{
    int64_t delay_ms = (int64_t)ALARM_RETRY_FIRST_MS
                       << MIN(plan->retry, (unsigned)ALARM_RETRY_POWER_MAX);
    plan->retry++;
    return alarm_wait(delay_ms + delay_ms * (random % 250) / 1000);
}

static struct alarm_action alarm_answered(struct alarm_plan *plan, enum alarm_event event,
                                          int64_t now_ms, uint32_t random)
{
    if (!plan->firing)
        return nothing; /* the answer of somebody who had been given up */
    plan->firing = false;
    if (plan->told)
        return alarm_begin(plan, now_ms);
    switch (event) {
    case ALARM_THREW:
        return alarm_threw(plan, random);
    case ALARM_LOST:
        return alarm_wait(ALARM_AGAIN_MS);
    default:
        return (struct alarm_action){.todo = ALARM_FORGET};
    }
}

struct alarm_action alarm_plan_step(struct alarm_plan *plan, enum alarm_event event, int64_t at_ms,
                                    int64_t now_ms, uint32_t random)
{
    switch (event) {
    case ALARM_TOLD:
        return alarm_told(plan, at_ms, now_ms);
    case ALARM_TIME:
        return alarm_time(plan, now_ms);
    default:
        return alarm_answered(plan, event, now_ms, random);
    }
}

bool alarm_is_due(int64_t at_ms, int64_t now_ms)
{
    return at_ms >= 0 && at_ms <= now_ms;
}

bool alarm_is_over(bool threw, unsigned retry, bool set_anew)
{
    return !set_anew && (!threw || retry >= ALARM_RETRIES);
}

enum alarm_tell alarm_tell_plan(int64_t index_ms, int64_t own_ms)
{
    int64_t index = index_ms < 0 ? INT64_MAX : index_ms, own = own_ms < 0 ? INT64_MAX : own_ms;
    return own < index ? ALARM_TELL_FIRST : own > index ? ALARM_TELL_AFTER : ALARM_TELL_NOT;
}
