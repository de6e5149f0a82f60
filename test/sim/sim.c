/*
 * One process of each kind is a few fields; a message is an event at a later time. What a process decides it asks the
 * program's functions, through `rules`, where the broken variants put something else.
 */
#include "sim_world.h"

#include "store/log_record.h"

#include <stdlib.h>
#include <string.h>

static uint64_t next_random(struct world *w)
{
    uint64_t x = w->random += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int64_t up_to(struct world *w, int64_t n)
{
    return (int64_t)(next_random(w) % (uint64_t)n);
}

static bool percent(struct world *w, int64_t n)
{
    return up_to(w, 100) < n;
}

static void fail(struct world *w, const char *why)
{
    if (w->result.why == NULL)
        w->result.why = why;
}

static bool faulty(const struct world *w)
{
    return w->now < w->end;
}

static int64_t wall_ms(const struct world *w)
{
    return (w->now + w->skew) / MS;
}

/* --- events --- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void swap(struct event *a, struct event *b)
{
    struct event c = *a;
    *a = *b;
    *b = c;
}

static void post(struct world *w, struct event e, int64_t delay)
{
    if (w->n_heap == w->heap_max) {
        w->heap_max = w->heap_max == 0 ? 64 : w->heap_max * 2;
        w->heap = realloc(w->heap, w->heap_max * sizeof(e));
        CHECK(w->heap != NULL);
    }
    e.at = w->now + delay;
    e.order = w->order++;
    unsigned i = w->n_heap++;
    w->heap[i] = e;
    for (; i > 0 && before(&w->heap[i], &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&w->heap[i], &w->heap[(i - 1) / 2]);
}

static struct event take(struct world *w)
{
    struct event e = w->heap[0];
    w->heap[0] = w->heap[--w->n_heap];
    for (unsigned i = 0, c; (c = 2 * i + 1) < w->n_heap; i = c) {
        if (c + 1 < w->n_heap && before(&w->heap[c + 1], &w->heap[c]))
            c++;
        if (!before(&w->heap[c], &w->heap[i]))
            break;
        swap(&w->heap[c], &w->heap[i]);
    }
    return e;
}

/* Of a message. */
static int64_t delay(struct world *w)
{
    return faulty(w) && percent(w, 2) ? up_to(w, 1500 * MS) : 20 + up_to(w, 2 * MS);
}

/* From a lane to the keeper: in order, now and then twice. */
static void send(struct world *w, unsigned lane, struct event e)
{
    struct lane *l = &w->lanes[lane];
    l->sent_until = MAX(l->sent_until, w->now + delay(w));
    e.lane = lane;
    e.pid = l->pid;
    post(w, e, l->sent_until - w->now);
    if (faulty(w) && percent(w, 3))
        post(w, e, l->sent_until - w->now);
}

/* --- rules, and what breaks them --- */

static struct lane_choice choose(struct world *w, const struct event *e)
{
    char name[2] = {'o', (char)('0' + e->object)};
    if (w->variant == SIM_TWO_OWNERS)
        return (struct lane_choice){.todo = LANE_SERVE};
    return lane_choose(&w->lanes[e->lane].table, e->lane, slice_from(name, 2), e->table.revision,
                       e->hops);
}

/* By what somebody knows; LANES: nobody. */
static unsigned owner_of(struct world *w, const struct lane_table *table, unsigned object,
                         unsigned asked)
{
    char name[2] = {'o', (char)('0' + object)};
    if (w->variant == SIM_TWO_OWNERS)
        return asked;
    return table->live == 0 ? LANES : lane_owner(table, slice_from(name, 2));
}

static bool lease_holds(struct world *w, const struct event *e)
{
    unsigned o = e->object;
    enum lease_answer answer =
        lease_check(w->leased[o] ? &w->leases[o] : NULL, e->pid, e->state.epoch, w->first_epoch);
    if (answer == LEASE_ADOPT) {
        w->leases[o] = (struct lease_plan){.epoch = e->state.epoch, .owner = e->pid};
        w->leased[o] = true;
    }
    return answer != LEASE_REFUSED;
}

static bool may_commit(struct world *w, const struct event *e)
{
    const struct state *last = &w->accepted[e->object];
    if (w->variant == SIM_EPOCH_IGNORED)
        return true;
    return lease_holds(w, e) &&
           log_record_fits(last->epoch, last->sequence, e->state.epoch, e->state.sequence);
}

static bool gate(const struct world *w, double need, const struct instance *i)
{
    return w->variant == SIM_GATE_OPEN || gate_is_open(need, i->synced, i->telling ? 1 : 0);
}

/* --- an instance --- */

static void ring_lost(struct world *w, unsigned object, uint64_t number)
{
    post(w,
         (struct event){
             .kind = ALARM_ANSWER, .object = object, .number = number, .result = ALARM_LOST},
         delay(w));
}

static void commit(struct world *w, unsigned lane, unsigned object);

static void instance_end(struct world *w, unsigned lane, unsigned object)
{
    struct instance *i = &w->lanes[lane].instances[object];
    if (w->locks[object] == w->lanes[lane].pid)
        w->locks[object] = 0;
    for (unsigned n = 0; n < i->n_waiting; n++) {
        if (i->waiting[n].what == RING)
            ring_lost(w, object, i->waiting[n].number);
    }
    if (i->life != NONE && w->fires[object] != 0 && w->fire_lane[object] == lane)
        ring_lost(w, object, w->fires[object]);
    *i = (struct instance){.tell_need = -1};
}

static void answer(struct world *w, unsigned lane, unsigned object, const struct answer *a)
{
    if (w->lanes[lane].given_up)
        return; /* nobody listens to it */
    bool ring = a->request.what == RING;
    post(w,
         (struct event){.kind = ring ? ALARM_ANSWER : CLIENT_ANSWER,
                        .object = object,
                        .number = a->request.number,
                        .request = a->request,
                        .result = a->value},
         delay(w));
}

static void release(struct world *w, unsigned lane, unsigned object)
{
    struct instance *i = &w->lanes[lane].instances[object];
    unsigned n = 0;
    while (n < i->n_answers && gate(w, i->answers[n].need, i))
        answer(w, lane, object, &i->answers[n++]);
    i->n_answers -= n;
    memmove(i->answers, i->answers + n, i->n_answers * sizeof(i->answers[0]));
}

static double need_of(const struct instance *i)
{
    return i->committed + (i->open ? 1 : 0);
}

static void say(struct world *w, unsigned lane, unsigned object, const struct request *r,
                int64_t value)
{
    struct instance *i = &w->lanes[lane].instances[object];
    if (i->n_answers == WAITING_MAX * 2)
        return;
    i->answers[i->n_answers++] = (struct answer){.request = *r, .value = value, .need = need_of(i)};
    release(w, lane, object);
}

static void ask_index(struct world *w, unsigned lane, unsigned object)
{
    const struct instance *i = &w->lanes[lane].instances[object];
    struct event e = {.kind = TELL, .object = object, .number = i->number, .state = i->state};
    e.state.epoch = i->epoch;
    send(w, lane, e);
}

static void tell_synced(struct world *w, unsigned lane, unsigned object)
{
    struct instance *i = &w->lanes[lane].instances[object];
    if (i->tell_need < 0 || i->tell_need > i->synced)
        return;
    i->tell_need = -1;
    i->index_ms = i->state.alarm_ms;
    i->index_known = true;
    ask_index(w, lane, object);
}

/* As instance.js does it. */
static void tell(struct world *w, unsigned lane, unsigned object)
{
    struct instance *i = &w->lanes[lane].instances[object];
    enum alarm_tell order =
        i->index_known ? alarm_tell_plan(i->index_ms, i->state.alarm_ms) : ALARM_TELL_AFTER;
    i->tell_need = -1;
    i->held = order == ALARM_TELL_FIRST;
    i->telling = order != ALARM_TELL_NOT;
    if (order == ALARM_TELL_FIRST)
        ask_index(w, lane, object);
    else if (order == ALARM_TELL_AFTER)
        i->tell_need = need_of(i);
    if (i->open && !i->held)
        commit(w, lane, object);
    tell_synced(w, lane, object);
    release(w, lane, object);
}

static void alarm_changed(struct world *w, unsigned lane, unsigned object)
{
    struct instance *i = &w->lanes[lane].instances[object];
    if (!i->telling || i->tell_need >= 0)
        tell(w, lane, object);
    else if (i->index_known && alarm_tell_plan(i->index_ms, i->state.alarm_ms) == ALARM_TELL_FIRST)
        i->held = true;
}

static void commit(struct world *w, unsigned lane, unsigned object)
{
    struct instance *i = &w->lanes[lane].instances[object];
    if (!i->open || i->held)
        return;
    i->open = false;
    i->committed++;
    i->state.epoch = i->epoch;
    i->state.sequence = ++i->sequence;
    send(w, lane,
         (struct event){.kind = COMMIT, .object = object, .number = i->number, .state = i->state});
}

static void ring(struct world *w, unsigned lane, unsigned object, const struct request *r)
{
    struct instance *i = &w->lanes[lane].instances[object];
    if (i->ringing) { /* of a fire before the keeper began anew */
        ring_lost(w, object, r->number);
        return;
    }
    if (!alarm_is_due(i->state.alarm_ms, wall_ms(w))) {
        i->index_known = false;
        alarm_changed(w, lane, object);
        say(w, lane, object, r, ALARM_OK);
        return;
    }
    i->ringing = true;
    i->anew = false;
    i->ring = *r;
    i->ring.retry = MAX(r->retry, i->state.retry);
    if (i->ring.retry > ALARM_RETRIES)
        fail(w, "an alarm was retried too often");
    if (w->variant == SIM_ALARM_EARLY) {
        i->state.alarm_ms = -1;
        i->state.alarm_id = 0;
        i->open = true;
        alarm_changed(w, lane, object);
        commit(w, lane, object);
    }
    post(w,
         (struct event){.kind = HANDLER_END,
                        .object = object,
                        .lane = lane,
                        .number = i->number,
                        .pid = w->lanes[lane].pid,
                        .state = i->state},
         1 + up_to(w, 300 * MS));
}

static void handler_end(struct world *w, const struct event *e)
{
    unsigned o = e->object;
    struct instance *i = &w->lanes[e->lane].instances[o];
    if (i->number != e->number || !i->ringing)
        return;
    bool threw = percent(w, ALARM_THROWS);
    if (!threw && !i->anew)
        w->handled[o] = MAX(w->handled[o], e->state.alarm_id);
    w->threw_n[o] = w->threw_id[o] == e->state.alarm_id ? w->threw_n[o] + threw : threw;
    w->threw_id[o] = e->state.alarm_id;
    w->result.fired += !threw;
    i->ringing = false;
    i->open = true;
    if (alarm_is_over(threw, i->ring.retry, i->anew)) {
        i->state.alarm_ms = -1;
        i->state.alarm_id = i->state.retry = 0;
        alarm_changed(w, e->lane, o);
    } else if (threw && !i->anew) {
        i->state.retry = i->ring.retry + 1;
    }
    commit(w, e->lane, o);
    say(w, e->lane, o, &i->ring, threw ? ALARM_THREW : ALARM_OK);
}

static void perform(struct world *w, unsigned lane, unsigned object, const struct request *r)
{
    struct instance *i = &w->lanes[lane].instances[object];
    if (r->what == RING) {
        ring(w, lane, object, r);
        return;
    }
    if (w->now - r->at > TIMEOUT)
        return;
    i->open |= r->what != GET;
    if (r->what == PUT)
        i->state.value = r->value;
    if (r->what == ADD)
        i->state.value++;
    if (r->what == SET_ALARM) {
        i->state.alarm_ms = wall_ms(w) + r->value;
        i->state.alarm_id = ++w->alarm_ids;
        i->state.retry = 0;
        i->anew = true;
        alarm_changed(w, lane, object);
    }
    commit(w, lane, object);
    say(w, lane, object, r, i->state.value);
}

/* Clients come to any lane. The keeper asks again when an alarm's lane is another one. */
static void pass_on(struct world *w, const struct event *e, struct lane_choice choice)
{
    struct event next = *e;
    if (e->request.what == RING) {
        ring_lost(w, e->object, e->request.number);
    } else if (choice.todo == LANE_WAIT && w->now - e->request.at < TIMEOUT) {
        post(w, next, 5 * MS);
    } else if (choice.todo == LANE_FORWARD) {
        next.table = w->lanes[e->lane].table;
        next.lane = choice.lane;
        next.pid = w->lanes[choice.lane].pid;
        next.hops++;
        post(w, next, delay(w));
    } else if (choice.todo == LANE_REFUSE) {
        w->result.refused++;
    }
}

static void arrives(struct world *w, const struct event *e)
{
    struct lane *l = &w->lanes[e->lane];
    struct instance *i = &l->instances[e->object];
    struct lane_choice choice = choose(w, e);
    if (choice.todo != LANE_SERVE) {
        pass_on(w, e, choice);
        return;
    }
    if (i->life == RUNNING) {
        perform(w, e->lane, e->object, &e->request);
        return;
    }
    if (i->n_waiting < WAITING_MAX)
        i->waiting[i->n_waiting++] = e->request;
    else if (e->request.what == RING)
        ring_lost(w, e->object, e->request.number);
    if (i->life == ASKING)
        return;
    i->life = ASKING;
    i->number = ++w->numbers;
    i->since = w->now;
    send(w, e->lane, (struct event){.kind = LEASE_ASK, .object = e->object, .number = i->number});
}

static void lease_given(struct world *w, struct event *e)
{
    struct lane *l = &w->lanes[e->lane];
    struct instance *i = &l->instances[e->object];
    if (i->number != e->number || i->life != ASKING)
        return;
    bool locked =
        w->locks[e->object] != 0 && w->locks[e->object] != l->pid && w->variant != SIM_TWO_OWNERS;
    if (w->now - i->since > TIMEOUT || !w->keeper_up) {
        instance_end(w, e->lane, e->object);
        return;
    }
    if (locked) {
        post(w, *e, 4 * MS);
        return;
    }
    w->locks[e->object] = l->pid;
    i->life = RUNNING;
    i->epoch = e->state.epoch;
    i->state = w->accepted[e->object];
    i->index_ms = i->state.alarm_ms;
    i->index_known = true;
    i->tell_need = -1;
    /* What an instance before has left goes to the disk first. */
    i->open = w->accepted[e->object].epoch != w->disk[e->object].epoch ||
              w->accepted[e->object].sequence != w->disk[e->object].sequence;
    commit(w, e->lane, e->object);
    struct instance copy = *i;
    i->n_waiting = 0;
    for (unsigned n = 0; n < copy.n_waiting; n++)
        perform(w, e->lane, e->object, &copy.waiting[n]);
}

static void commit_answer(struct world *w, const struct event *e)
{
    struct instance *i = &w->lanes[e->lane].instances[e->object];
    if (i->number != e->number || i->life != RUNNING)
        return;
    /* Of a message that came twice the first answer counts. */
    if (e->result < 0 && (double)e->state.sequence > i->synced) {
        w->result.stale++;
        instance_end(w, e->lane, e->object);
        return;
    }
    i->synced = MAX(i->synced, (double)e->state.sequence);
    release(w, e->lane, e->object);
    tell_synced(w, e->lane, e->object);
}

static void tell_answer(struct world *w, const struct event *e)
{
    struct instance *i = &w->lanes[e->lane].instances[e->object];
    if (i->number != e->number || i->life != RUNNING || !i->telling || i->tell_need >= 0)
        return;
    if (e->result < 0) {
        instance_end(w, e->lane, e->object);
        return;
    }
    i->index_ms = e->state.alarm_ms;
    i->index_known = true;
    tell(w, e->lane, e->object);
}

/* --- keeper --- */

static void plan_step(struct world *w, unsigned o, enum alarm_event event, int64_t at_ms)
{
    unsigned retry = w->plans[o].retry;
    struct alarm_action a =
        alarm_plan_step(&w->plans[o], event, at_ms, wall_ms(w), (uint32_t)next_random(w));
    if (event == ALARM_THREW && a.todo == ALARM_WAIT && w->plans[o].retry > retry) {
        int64_t least = 2000ll << MIN(retry, 9u);
        if (a.delay_ms < least || a.delay_ms > least + least / 4)
            fail(w, "a retry came at the wrong time");
    }
    if (a.todo == ALARM_WAIT) {
        post(w, (struct event){.kind = ALARM_TIMER, .object = o, .number = ++w->timers[o]},
             a.delay_ms * MS);
    } else if (a.todo == ALARM_FIRE) {
        unsigned lane = owner_of(w, &w->table, o, o % LANES);
        w->fires[o] = ++w->numbers;
        w->fire_lane[o] = lane;
        bool none = lane == LANES || !w->lanes[lane].up || w->lanes[lane].given_up;
        struct event e = {.kind = none ? ALARM_ANSWER : OP_ARRIVES,
                          .object = o,
                          .lane = lane,
                          .number = w->fires[o],
                          .result = ALARM_LOST,
                          .pid = none ? 0 : w->lanes[lane].pid,
                          .request = {.what = RING,
                                      .number = (unsigned)w->fires[o],
                                      .retry = w->plans[o].retry,
                                      .at = w->now}};
        post(w, e, delay(w));
    } else if (a.todo == ALARM_FORGET) {
        w->timers[o]++;
        w->plans[o] = (struct alarm_plan){.at_ms = -1};
    }
}

static void keeper_answer(struct world *w, const struct entry *q, int64_t result)
{
    post(w,
         (struct event){.kind = q->tell ? TELL_ANSWER : COMMIT_ANSWER,
                        .object = q->object,
                        .lane = q->lane,
                        .pid = q->pid,
                        .number = q->number,
                        .result = result,
                        .state = q->state},
         delay(w));
}

static void sync_start(struct world *w)
{
    if (w->syncing || w->n_queue == 0)
        return;
    w->syncing = true;
    w->n_batch = w->n_queue;
    post(w, (struct event){.kind = SYNC, .pid = w->keeper_pid},
         faulty(w) && percent(w, 3) ? up_to(w, 1500 * MS) : 200 + up_to(w, 500));
}

/* The record is on disk. */
static void disk_write(struct world *w, const struct entry *q)
{
    unsigned o = q->object;
    struct state *disk = &w->disk[o];
    if (q->tell) {
        w->index[o] = q->state.alarm_ms;
        return;
    }
    if (w->epoch_seen[o] == q->state.epoch && w->epoch_pid[o] != q->pid)
        fail(w, "two owners have committed in one epoch");
    if (q->state.epoch < disk->epoch)
        fail(w, "an earlier owner has committed behind a later one");
    if (disk->alarm_id != 0 && q->state.alarm_id == 0 && w->handled[o] < disk->alarm_id &&
        !(w->threw_id[o] == disk->alarm_id && w->threw_n[o] > ALARM_RETRIES))
        fail(w, "an alarm has gone before its handler succeeded");
    w->epoch_seen[o] = q->state.epoch;
    w->epoch_pid[o] = q->pid;
    *disk = q->state;
}

static void synced(struct world *w)
{
    unsigned n = w->n_batch;
    struct entry done[QUEUE_MAX];
    memcpy(done, w->queue, n * sizeof(done[0]));
    w->n_queue -= n;
    memmove(w->queue, w->queue + n, w->n_queue * sizeof(done[0]));
    w->syncing = false;
    w->n_batch = 0;
    for (unsigned i = 0; i < n; i++) {
        disk_write(w, &done[i]);
        if (done[i].tell)
            plan_step(w, done[i].object, ALARM_TOLD, done[i].state.alarm_ms);
        if (done[i].tell || w->variant != SIM_ACK_EARLY)
            keeper_answer(w, &done[i], 0);
    }
    sync_start(w);
}

static void keeper_take(struct world *w, const struct event *e)
{
    struct entry q = {.tell = e->kind == TELL,
                      .object = e->object,
                      .lane = e->lane,
                      .pid = e->pid,
                      .number = e->number,
                      .state = e->state};
    bool stale = q.tell ? w->variant != SIM_INDEX_OPEN && !lease_holds(w, e) : !may_commit(w, e);
    if (stale || w->n_queue == QUEUE_MAX) {
        keeper_answer(w, &q, -1);
        return;
    }
    w->queue[w->n_queue++] = q;
    if (!q.tell) {
        w->accepted[e->object] = e->state;
        if (w->variant == SIM_ACK_EARLY)
            keeper_answer(w, &q, 0);
    }
    sync_start(w);
}

static void lease_ask(struct world *w, const struct event *e)
{
    w->leases[e->object] = (struct lease_plan){.epoch = ++w->next_epoch, .owner = e->pid};
    w->leased[e->object] = true;
    post(w,
         (struct event){.kind = LEASE_GIVEN,
                        .object = e->object,
                        .lane = e->lane,
                        .pid = e->pid,
                        .number = e->number,
                        .state.epoch = w->next_epoch},
         delay(w));
}

static void keeper_crash(struct world *w)
{
    /* Of the batch that was being written some may be there. */
    int64_t n = w->n_batch == 0 ? 0 : up_to(w, w->n_batch + 1);
    for (int64_t i = 0; i < n; i++)
        disk_write(w, &w->queue[i]);
    w->keeper_up = w->syncing = false;
    w->n_queue = w->n_batch = 0;
    for (unsigned l = 0; l < LANES; l++) {
        for (unsigned o = 0; o < OBJECTS; o++) {
            struct instance *i = &w->lanes[l].instances[o];
            if (i->life == ASKING || i->synced < i->committed || i->telling)
                instance_end(w, l, o);
        }
    }
    post(w, (struct event){.kind = KEEPER_START}, 20 * MS + up_to(w, 500 * MS));
}

static void keeper_start(struct world *w)
{
    w->keeper_up = true;
    w->keeper_pid = ++w->pids;
    w->next_epoch = ((w->next_epoch >> 32) + 1) << 32;
    w->first_epoch = w->next_epoch;
    memset(w->leased, 0, sizeof(w->leased));
    memcpy(w->accepted, w->disk, sizeof(w->disk));
    for (unsigned o = 0; o < OBJECTS; o++) {
        w->timers[o]++;
        w->fires[o] = 0;
        w->plans[o] = (struct alarm_plan){.at_ms = -1};
        if (w->index[o] >= 0)
            plan_step(w, o, ALARM_TOLD, w->index[o]);
    }
}

/* --- lanes --- */

static void lane_kill(struct world *w, unsigned lane)
{
    for (unsigned o = 0; o < OBJECTS; o++)
        instance_end(w, lane, o);
    w->lanes[lane].up = false;
    post(w, (struct event){.kind = LANE_START, .lane = lane}, 20 * MS + up_to(w, 500 * MS));
}

/* Every lane hears of it at its time, a stuck one when it wakes up. */
static void lanes_changed(struct world *w, unsigned lane, bool lives)
{
    lane_table_change(&w->table, lane, lives);
    for (unsigned l = 0; l < LANES; l++)
        post(w,
             (struct event){
                 .kind = LANES_CHANGED, .lane = l, .pid = w->lanes[l].pid, .table = w->table},
             delay(w));
}

/* Objects that belong to another lane now end here. */
static void lane_hears(struct world *w, const struct event *e)
{
    struct lane *l = &w->lanes[e->lane];
    if (e->table.revision <= l->table.revision)
        return;
    l->table = e->table;
    for (unsigned o = 0; o < OBJECTS; o++) {
        if (l->instances[o].life != NONE && owner_of(w, &l->table, o, e->lane) != e->lane)
            instance_end(w, e->lane, o);
    }
}

static void lane_start(struct world *w, unsigned lane)
{
    struct lane *l = &w->lanes[lane];
    *l = (struct lane){.pid = ++w->pids, .up = true};
    for (unsigned o = 0; o < OBJECTS; o++)
        l->instances[o].tell_need = -1;
    lanes_changed(w, lane, true);
}

/* It does not answer: its objects move. It may wake up and go on until somebody ends it. */
static void lane_lost(struct world *w, const struct event *e)
{
    struct lane *l = &w->lanes[e->lane];
    if (l->pid != e->pid || !l->up)
        return;
    if (l->given_up) {
        lane_kill(w, e->lane);
        return;
    }
    l->given_up = true;
    for (unsigned o = 0; o < OBJECTS; o++) {
        if (w->locks[o] == l->pid)
            w->locks[o] = 0;
        if (w->fires[o] != 0 && w->fire_lane[o] == e->lane)
            ring_lost(w, o, w->fires[o]);
    }
    lanes_changed(w, e->lane, false);
    post(w, *e, 3 * S);
}

static void fault(struct world *w)
{
    unsigned lane = (unsigned)up_to(w, LANES);
    if (!faulty(w)) {
        w->skew = 0;
        return;
    }
    w->result.crashes++;
    switch (up_to(w, 5)) {
    case 0:
        if (w->keeper_up)
            keeper_crash(w);
        break;
    case 1:
        if (w->lanes[lane].up) {
            bool given_up = w->lanes[lane].given_up;
            lane_kill(w, lane);
            if (!given_up)
                lanes_changed(w, lane, false);
        }
        break;
    case 2:
        w->skew = up_to(w, 120 * S) - 60 * S;
        break;
    default:
        if (w->lanes[lane].up && !w->lanes[lane].given_up && w->lanes[lane].stuck_until <= w->now) {
            w->lanes[lane].stuck_until = w->now + up_to(w, 4 * S);
            if (w->lanes[lane].stuck_until > w->now + WATCH)
                post(w, (struct event){.kind = LANE_LOST, .lane = lane, .pid = w->lanes[lane].pid},
                     WATCH);
        }
    }
    post(w, (struct event){.kind = FAULT}, w->think + up_to(w, 4 * w->think));
}

/* --- clients --- */

static struct linear_op *op_add(struct world *w, unsigned o)
{
    if (w->n_ops[o] == w->ops_max[o]) {
        w->ops_max[o] = w->ops_max[o] == 0 ? 64 : w->ops_max[o] * 2;
        w->ops[o] = realloc(w->ops[o], w->ops_max[o] * sizeof(w->ops[o][0]));
        CHECK(w->ops[o] != NULL);
    }
    return &w->ops[o][w->n_ops[o]++];
}

static void client_next(struct world *w, unsigned c)
{
    static const enum what whats[] = {GET, GET, PUT, ADD, ADD, SET_ALARM};
    static const enum linear_kind kinds[] = {
        [GET] = LINEAR_READ, [PUT] = LINEAR_WRITE, [ADD] = LINEAR_ADD};
    unsigned o = (unsigned)up_to(w, OBJECTS), lane = (unsigned)up_to(w, LANES);
    struct request r = {.what = whats[up_to(w, ARRAY_LEN(whats))],
                        .client = c,
                        .number = ++w->client_number[c],
                        .at = w->now};
    if (!faulty(w))
        return;
    w->chain_n[o] = w->now > w->chain_end[o] ? 0 : w->chain_n[o];
    if (w->chain_n[o]++ >= CHAIN_MAX || !w->lanes[lane].up) {
        post(w, (struct event){.kind = CLIENT_NEXT, .lane = c}, S);
        return;
    }
    w->chain_end[o] = w->now + UNKNOWN;
    r.value = r.what == SET_ALARM ? up_to(w, 10000) : (++w->values << 20);
    w->op_object[c] = o;
    w->client_waits[c] = true;
    w->client_op[c] = UINT32_MAX;
    w->result.ops++;
    if (r.what != SET_ALARM) {
        w->client_op[c] = w->n_ops[o];
        *op_add(w, o) = (struct linear_op){.kind = kinds[r.what],
                                           .value = r.value,
                                           .begin = w->now,
                                           .end = w->now + UNKNOWN,
                                           .maybe = true};
    }
    post(
        w,
        (struct event){
            .kind = OP_ARRIVES, .object = o, .lane = lane, .pid = w->lanes[lane].pid, .request = r},
        delay(w));
    post(w, (struct event){.kind = CLIENT_TIMEOUT, .lane = c, .number = r.number}, TIMEOUT);
}

static void client_over(struct world *w, unsigned c)
{
    w->client_waits[c] = false;
    post(w, (struct event){.kind = CLIENT_NEXT, .lane = c}, w->think / 2 + up_to(w, w->think));
}

static void client_answer(struct world *w, const struct event *e)
{
    unsigned c = e->request.client;
    if (!w->client_waits[c] || w->client_number[c] != e->request.number)
        return;
    if (w->client_op[c] != UINT32_MAX) {
        struct linear_op *op = &w->ops[w->op_object[c]][w->client_op[c]];
        op->maybe = false;
        op->end = w->now;
        if (op->kind != LINEAR_WRITE)
            op->value = e->result;
    }
    w->result.acknowledged++;
    client_over(w, c);
}

/* --- all --- */

/* False when it is for a process that is not there any more. A stuck one gets it later. */
static bool reaches(struct world *w, struct event *e)
{
    bool to_lane = e->kind == OP_ARRIVES || e->kind == LEASE_GIVEN || e->kind == COMMIT_ANSWER ||
                   e->kind == TELL_ANSWER || e->kind == HANDLER_END || e->kind == LANES_CHANGED;
    bool to_keeper = e->kind == LEASE_ASK || e->kind == COMMIT || e->kind == TELL;
    if (to_keeper && !w->keeper_up) {
        struct entry q = {.tell = e->kind == TELL,
                          .object = e->object,
                          .lane = e->lane,
                          .pid = e->pid,
                          .number = e->number,
                          .state = e->state};
        if (e->kind != LEASE_ASK)
            keeper_answer(w, &q, -1);
        else if (w->lanes[e->lane].pid == e->pid)
            post(w,
                 (struct event){.kind = LEASE_GIVEN,
                                .object = e->object,
                                .lane = e->lane,
                                .pid = e->pid,
                                .number = e->number},
                 delay(w));
        return false;
    }
    if (!to_lane)
        return true;
    struct lane *l = &w->lanes[e->lane];
    if (!l->up || l->pid != e->pid) {
        if (e->kind == OP_ARRIVES && e->request.what == RING)
            ring_lost(w, e->object, e->request.number);
        return false;
    }
    if (l->stuck_until > w->now)
        post(w, *e, l->stuck_until - w->now);
    return l->stuck_until <= w->now;
}

static void run_event(struct world *w, struct event *e)
{
    switch (e->kind) {
    case CLIENT_NEXT:
        client_next(w, e->lane);
        break;
    case CLIENT_TIMEOUT:
        if (w->client_waits[e->lane] && w->client_number[e->lane] == e->number)
            client_over(w, e->lane);
        break;
    case OP_ARRIVES:
        arrives(w, e);
        break;
    case LANES_CHANGED:
        lane_hears(w, e);
        break;
    case CLIENT_ANSWER:
        client_answer(w, e);
        break;
    case LEASE_ASK:
        lease_ask(w, e);
        break;
    case LEASE_GIVEN:
        lease_given(w, e);
        break;
    case COMMIT:
    case TELL:
        keeper_take(w, e);
        break;
    case COMMIT_ANSWER:
        commit_answer(w, e);
        break;
    case TELL_ANSWER:
        tell_answer(w, e);
        break;
    case SYNC:
        if (e->pid == w->keeper_pid && w->keeper_up)
            synced(w);
        break;
    case ALARM_TIMER:
        if (w->keeper_up && e->number == w->timers[e->object])
            plan_step(w, e->object, ALARM_TIME, 0);
        break;
    case ALARM_ANSWER:
        if (!w->keeper_up || (unsigned)e->number != (unsigned)w->fires[e->object] ||
            w->fires[e->object] == 0)
            break;
        w->fires[e->object] = 0;
        plan_step(w, e->object, (enum alarm_event)e->result, 0);
        break;
    case HANDLER_END:
        handler_end(w, e);
        break;
    case LANE_START:
        lane_start(w, e->lane);
        break;
    case LANE_LOST:
        lane_lost(w, e);
        break;
    case KEEPER_START:
        keeper_start(w);
        break;
    case FAULT:
        fault(w);
        break;
    }
}

static void judge(struct world *w)
{
    for (unsigned o = 0; o < OBJECTS; o++) {
        *op_add(w, o) = (struct linear_op){
            .kind = LINEAR_READ, .value = w->disk[o].value, .begin = w->now, .end = w->now};
        if (!linear_check(w->ops[o], w->n_ops[o]))
            fail(w,
                 "a history is not linearizable: an acknowledged write is lost or a read is stale");
        if (w->disk[o].alarm_ms >= 0)
            fail(w, "an alarm was never fired");
        free(w->ops[o]);
    }
}

struct sim_result sim_run(uint64_t seed, enum sim_variant variant, unsigned seconds,
                          unsigned think_ms)
{
    struct world *w = calloc(1, sizeof(*w));
    CHECK(w != NULL);
    w->variant = variant;
    w->random = seed * 0x2545f4914f6cdd1du;
    w->now = 1000 * (int64_t)S;
    w->end = w->now + seconds * (int64_t)S;
    w->think = think_ms * (int64_t)MS;
    for (unsigned o = 0; o < OBJECTS; o++) {
        w->disk[o].alarm_ms = w->index[o] = -1;
        w->chain_end[o] = -1;
    }
    keeper_start(w);
    for (unsigned l = 0; l < LANES; l++)
        lane_start(w, l);
    for (unsigned c = 0; c < CLIENTS; c++)
        post(w, (struct event){.kind = CLIENT_NEXT, .lane = c}, up_to(w, w->think));
    post(w, (struct event){.kind = FAULT}, w->think);
    int64_t last = w->end + QUIET;
    while (w->n_heap > 0 && w->heap[0].at <= last && w->result.why == NULL) {
        struct event e = take(w);
        w->now = e.at;
        w->result.events++;
        if (reaches(w, &e))
            run_event(w, &e);
    }
    w->now = last;
    judge(w);
    struct sim_result result = w->result;
    free(w->heap);
    free(w);
    return result;
}
