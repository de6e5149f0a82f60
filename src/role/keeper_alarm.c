/*
 * Alarms of Durable Objects: when the time has come the gateway is told, which finds the object.
 *
 * What happens when is decided in product/durable/durable_plan.h; this file does it.
 *
 * The list is in memory; what survives is the index of each namespace (product/durable/durable.c), read when the
 * keeper starts. At least once: an alarm that was delivered but not forgotten is delivered again, and the object
 * finds that there is nothing to do.
 */
#include "role/keeper_impl.h"

#include "core/clock.h"
#include "core/id.h"
#include "core/log.h"
#include "product/durable/durable_plan.h"
#include "store/sql.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { NS_LEN = 32, OBJECT_LEN = 64, KEY_MAX = NS_LEN + 1 + OBJECT_LEN + 1 };

struct keeper_alarm {
    struct keeper *keeper;
    char key[KEY_MAX]; /* "<namespace>/<object>" */
    struct alarm_plan plan;
    struct timer timer;
    struct wire_stream *stream; /* owned; of who was told and has not answered */
};

static struct slice alarm_ns(const struct keeper_alarm *a)
{
    return slice_from(a->key, NS_LEN);
}

static struct slice alarm_object(const struct keeper_alarm *a)
{
    return slice_from(a->key + NS_LEN + 1, OBJECT_LEN);
}

static void alarm_free(struct keeper_alarm *a)
{
    map_remove(&a->keeper->alarms, slice_of(a->key));
    timer_stop(&a->timer);
    if (a->stream != NULL)
        wire_stream_close(a->stream, -ECANCELED);
    mem_release(&a);
}

static void alarm_fire(struct keeper_alarm *a);
static void alarm_step(struct keeper_alarm *a, enum alarm_event event, int64_t at_ms);

static void alarm_on_time(struct timer *t)
{
    alarm_step(CONTAINER_OF(t, struct keeper_alarm, timer), ALARM_TIME, 0);
}

/* `a` may be gone afterwards. */
static void alarm_step(struct keeper_alarm *a, enum alarm_event event, int64_t at_ms)
{
    uint32_t random;
    id_random(&random, sizeof(random));
    struct alarm_action action = alarm_plan_step(&a->plan, event, at_ms, clock_wall_ms(), random);
    if (action.todo == ALARM_WAIT)
        timer_start(a->keeper->loop, &a->timer, action.delay_ms * 1000, alarm_on_time);
    else if (action.todo == ALARM_FIRE)
        alarm_fire(a);
    else if (action.todo == ALARM_FORGET)
        alarm_free(a);
}

/* --- telling the gateway --- */

static enum alarm_event alarm_event_of(struct slice outcome)
{
    static const struct {
        const char *outcome;
        enum alarm_event event;
    } events[] = {{"ok", ALARM_OK}, {"missing", ALARM_MISSING}, {"exception", ALARM_THREW}};
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        if (slice_eq(outcome, slice_of(events[i].outcome)))
            return events[i].event;
    }
    return ALARM_LOST;
}

static void alarm_reply(struct wire_stream *s, struct slice args, int fd, bool end UNUSED)
{
    struct keeper_alarm *a = wire_stream_user(s);
    struct msg_outcome m;
    fd_release(&fd);
    enum alarm_event event =
        msg_outcome_unpack(args, &m) < 0 ? ALARM_LOST : alarm_event_of(m.outcome);
    wire_stream_close(TAKE(a->stream), 0);
    alarm_step(a, event, 0);
}

static void alarm_reset(struct wire_stream *s, int reason UNUSED)
{
    struct keeper_alarm *a = wire_stream_user(s);
    wire_stream_close(TAKE(a->stream), 0);
    alarm_step(a, ALARM_LOST, 0);
}

static const struct wire_stream_events alarm_events = {.reply = alarm_reply, .reset = alarm_reset};

/* NULL while it is away. Before anything is known of lanes, whichever is there: it knows better. */
static struct wire *alarm_gateway(const struct keeper_alarm *a)
{
    const struct keeper *k = a->keeper;
    unsigned lane = 0;
    if (k->lanes.live != 0)
        return k->gateways[lane_owner(&k->lanes, alarm_object(a))].wire;
    while (lane + 1 < PLACEMENT_LANES_MAX && k->gateways[lane].wire == NULL)
        lane++;
    return k->gateways[lane].wire;
}

static void alarm_fire(struct keeper_alarm *a)
{
    struct wire *gateway = alarm_gateway(a);
    AUTO(buf_done) struct buf out = {0};
    msg_alarm_fire_pack(&out, &(struct msg_alarm_fire){.ns = alarm_ns(a),
                                                       .object = alarm_object(a),
                                                       .scheduled_ms = a->plan.at_ms,
                                                       .retry = a->plan.retry});
    a->stream = gateway == NULL ? NULL
                                : wire_open(gateway, OP_alarm_fire, buf_slice(&out), -1, true,
                                            &alarm_events, a);
    if (a->stream == NULL)
        alarm_step(a, ALARM_LOST, 0);
}

/* --- the list --- */

/* at_ms < 0: none any more. */
static void alarm_put(struct keeper *k, struct slice ns, struct slice object, int64_t at_ms)
{
    char key[KEY_MAX];
    snprintf(key, sizeof(key), "%.*s/%.*s", SLICE_ARG(ns), SLICE_ARG(object));
    struct keeper_alarm *a = map_get(&k->alarms, slice_of(key));
    if (a == NULL) {
        if (at_ms < 0)
            return;
        a = mem_new(sizeof(*a));
        a->keeper = k;
        memcpy(a->key, key, sizeof(key));
        map_put(&k->alarms, slice_of(key), a);
    }
    alarm_step(a, ALARM_TOLD, at_ms);
}

void keeper_alarm_changed(const struct keeper_unit *u)
{
    struct msg_alarm_set m;
    struct slice rest = slice_of(u->stored->store.name);
    (void)slice_cut(&rest, '/');
    if (msg_alarm_set_unpack(u->call.args, &m) < 0 || !id_is_hex(rest, NS_LEN) ||
        !id_is_hex(m.object, OBJECT_LEN))
        return;
    alarm_put(u->keeper, rest, m.object, m.time_ms);
}

/* --- at start --- */

struct alarm_load {
    struct work work;
    struct keeper *keeper;
    struct buf found; /* namespace, object, i64 */
};

static void load_namespace(struct alarm_load *load, const char *ns)
{
    char path[KEEPER_PATH_MAX];
    struct stat st;
    struct err err = {0};
    AUTO(sql_release) struct sql *db = NULL;
    snprintf(path, sizeof(path), "%s/durable/%.32s/alarms.sqlite", load->keeper->root, ns);
    if (stat(path, &st) < 0)
        return;
    if (sql_open(path, SQL_WRITE, &db, &err) < 0 || !sql_has_table(db, "alarms")) {
        LOG(LOG_WARN, "alarms_unreadable", F("namespace", "%.32s", ns), F("error", "%s", err.text));
        return;
    }
    struct sql_stmt *s = sql_cached(db, "SELECT object, at FROM alarms");
    while (sql_step(s, NULL) == 1) {
        pack_bytes(&load->found, slice_from(ns, NS_LEN));
        pack_bytes(&load->found, sql_column_bytes(s, 0));
        pack_i64(&load->found, sql_column_int(s, 1));
    }
    sql_reset(s);
}

static void load_run(struct work *work)
{
    struct alarm_load *load = CONTAINER_OF(work, struct alarm_load, work);
    char path[KEEPER_PATH_MAX];
    const struct dirent *entry;
    snprintf(path, sizeof(path), "%s/durable", load->keeper->root);
    DIR *dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (id_is_hex(slice_of(entry->d_name), NS_LEN))
            load_namespace(load, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
}

static void load_done(struct work *work)
{
    struct alarm_load *load = CONTAINER_OF(work, struct alarm_load, work);
    struct unpack u = {.rest = buf_slice(&load->found)};
    char key[KEY_MAX];
    while (u.rest.len > 0 && !u.bad) {
        struct slice ns = unpack_bytes(&u), object = unpack_bytes(&u);
        int64_t at_ms = unpack_i64(&u);
        snprintf(key, sizeof(key), "%.*s/%.*s", SLICE_ARG(ns), SLICE_ARG(object));
        /* What has been set since is newer. */
        if (!u.bad && object.len == OBJECT_LEN &&
            map_get(&load->keeper->alarms, slice_of(key)) == NULL)
            alarm_put(load->keeper, ns, object, at_ms);
    }
    buf_done(&load->found);
    mem_release(&load);
}

void keeper_alarms_load(struct keeper *k)
{
    struct alarm_load *load = mem_new(sizeof(*load));
    load->keeper = k;
    load->work = (struct work){.run = load_run, .done = load_done};
    work_start(k->pool, &load->work);
}

void keeper_alarms_stop(struct keeper *k)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(&k->alarms, &at, &key, &value); at = 0)
        alarm_free(value);
    map_done(&k->alarms);
}

/* --- the wires to the gateways --- */

static void gateway_closed(struct wire *w, int reason UNUSED)
{
    keeper_gateway_closed(wire_user(w));
}

static const struct wire_events gateway_events = {.open = keeper_gateway_open,
                                                  .closed = gateway_closed};

void keeper_add_gateway(struct keeper *k, unsigned lane, int fd)
{
    CHECK(lane < PLACEMENT_LANES_MAX);
    struct keeper_gateway *g = &k->gateways[lane];
    keeper_gateway_closed(g);
    g->keeper = k;
    g->wire = wire_create(k->loop, fd, 1, &gateway_events, g);
}

void keeper_set_lanes(struct keeper *k, const struct lane_table *lanes)
{
    k->lanes = *lanes;
}
