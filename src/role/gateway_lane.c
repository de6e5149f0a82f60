/*
 * The other lanes: which of them live, and what follows when that changes.
 *
 * A lane is one gateway process with its isolates. Clients come to any of them; what there is only one of - a Durable
 * Object, the cache, counts of rate limits - belongs to one lane, and calls are passed on to it. The supervisor says who
 * lives (the note lanes, with a revision); whom that makes the owner is decided in product/durable/durable_plan.h.
 *
 *     a call --mine--> served here       --another's--> passed on       --nobody knows yet--> parked until the next note
 *
 * A dead lane is dead: the supervisor has seen its process end and kills its isolates, so nobody has to agree on it. A lane
 * that has been started again gets its share back: the others end those objects first, and the lease's epoch keeps away
 * whoever has not heard. The sockets on which a dead lane listened are served by the next one that lives.
 */
#include "role/gateway.h"

#include "core/log.h"
#include "product/messages.h"
#include "role/gateway_isolate.h"

#include <errno.h>
#include <fcntl.h>

enum { PARKED_US = 5 * 1000 * 1000 };

bool lane_is_mine(const struct gateway *g, struct slice object)
{
    const struct gateway_lanes *l = &g->lanes;

    return l->n == 1 || (l->table.live != 0 && lane_owner(&l->table, object) == l->self);
}

/* --- calls --- */

static void (*const lane_serves[LANE_KINDS])(struct call *c, struct slice args) = {
    [LANE_OBJECT] = object_serve,
    [LANE_CACHE] = cache_call_start,
    [LANE_CACHE_FETCH] = cache_fetch_start,
    [LANE_RATE] = rate_serve,
};

static void parked_expire(struct timer *t)
{
    struct gateway *g = CONTAINER_OF(t, struct gateway, lanes.parked_timer);
    struct link *at;

    while ((at = list_pop_front(&g->lanes.parked)) != NULL)
        call_fail(LIST_ENTRY(at, struct call, queued), 503, "The platform is restarting.");
}

static void lane_park(struct call *c, struct slice args)
{
    struct gateway_lanes *l = &c->gateway->lanes;

    call_keep(c);
    buf_append_slice(&c->lane.args, args);
    list_push_back(&l->parked, &c->queued);
    if (l->parked_timer.loop == NULL)
        timer_start(c->gateway->loop, &l->parked_timer, PARKED_US, parked_expire);
}

void lane_call_again(struct call *c, struct slice args)
{
    const struct gateway_lanes *l = &c->gateway->lanes;
    struct slice object = c->lane.kind == LANE_OBJECT ? c->request.object : SLICE_NONE;
    struct lane_choice choice =
        lane_choose(&l->table, l->self, object, c->lane.revision, c->lane.hops);
    struct wire *to = choice.todo == LANE_FORWARD ? l->peers[choice.lane].wire : NULL;

    if (choice.todo == LANE_SERVE)
        lane_serves[c->lane.kind](c, args);
    else if (to != NULL)
        lane_forward(c, to, args);
    else if (choice.todo == LANE_REFUSE)
        call_fail(c, 502, "The lanes of the server changed too often meanwhile.");
    else
        lane_park(
            c, args); /* also while we have seen a lane go and the supervisor has yet to say so */
}

void lane_call(struct call *c, enum lane_kind kind, struct slice args)
{
    c->lane.kind = kind;
    if (c->gateway->lanes.n == 1)
        lane_serves[kind](c, args);
    else
        lane_call_again(c, args);
}

static void parked_go_on(struct gateway *g)
{
    struct link waiting, *at;

    list_init(&waiting);
    while ((at = list_pop_front(&g->lanes.parked)) != NULL)
        list_push_back(&waiting, at);
    timer_stop(&g->lanes.parked_timer);
    while ((at = list_pop_front(&waiting)) != NULL) {
        struct call *c = LIST_ENTRY(at, struct call, queued);
        AUTO(buf_done) struct buf args = c->lane.args;
        c->lane.args = (struct buf){0};
        lane_call_again(c, buf_slice(&args));
    }
}

/* Calls that wait for an isolate here, for objects that are elsewhere now. */
static void queue_move(struct worker *w)
{
    LIST_FOR_SAFE (at, &w->queue) {
        struct call *c = LIST_ENTRY(at, struct call, queued);
        if (c->request.object.len == 0 || lane_is_mine(c->gateway, c->request.object))
            continue;
        isolate_call_cancel(c);
        worker_unref(TAKE(c->worker));
        lane_call_again(c, SLICE_NONE);
    }
}

static void queues_move(struct gateway *g)
{
    struct slice key;
    void *value;

    for (size_t at = 0; map_next(&g->workers, &at, &key, &value);) {
        struct worker *w = worker_ref(value);
        queue_move(w);
        worker_unref(w);
    }
}

/* --- sockets --- */

/* Who accepts on the sockets of a lane that is not there. */
static unsigned lane_heir(const struct gateway_lanes *l, unsigned lane)
{
    while ((l->table.live >> lane & 1) == 0)
        lane = (lane + 1) % l->n;
    return lane;
}

static void listener_set(struct gateway *g, int *heard, int socket, struct tls_context *tls,
                         bool wanted)
{
    if (wanted == (*heard >= 0) || socket < 0)
        return;
    if (!wanted) {
        http_server_unlisten(g->server, TAKE_FD(*heard));
        return;
    }
    int copy = fcntl(socket, F_DUPFD_CLOEXEC, 3);
    if (copy < 0 || http_server_listen(g->server, copy, tls) < 0)
        LOG(LOG_WARN, "not_listening", F("error", "%d", errno));
    else
        *heard = copy;
}

static void listeners_set(struct gateway *g, struct lane_peer *p, bool wanted)
{
    listener_set(g, &p->heard_http, p->listen_http, NULL, wanted);
    listener_set(g, &p->heard_https, p->listen_https, g->tls, wanted);
}

void lanes_setup(struct gateway *g)
{
    struct gateway_lanes *l = &g->lanes;

    l->n = (unsigned)json_int(g->rc->settings, "lanes", 1);
    l->self = (unsigned)json_int(g->rc->settings, "lane", 0);
    CHECK(l->self < l->n && l->n <= PLACEMENT_LANES_MAX);
    list_init(&l->parked);
    l->peers = mem_new(l->n * sizeof(*l->peers));
    for (unsigned lane = 0; lane < l->n; lane++)
        l->peers[lane] = (struct lane_peer){.gateway = g,
                                            .listen_http = -1,
                                            .listen_https = -1,
                                            .heard_http = -1,
                                            .heard_https = -1};
}

void lanes_take(struct gateway *g)
{
    for (unsigned lane = 0; lane < g->lanes.n; lane++) {
        struct lane_peer *p = &g->lanes.peers[lane];
        p->listen_http = role_take_lane_fd(g->rc, "listen.http.", lane);
        p->listen_https = role_take_lane_fd(g->rc, "listen.https.", lane);
    }
}

void lanes_listen(struct gateway *g)
{
    listeners_set(g, &g->lanes.peers[g->lanes.self], true);
}

/* --- who lives --- */

void lanes_changed(struct gateway *g, const struct lane_table *table)
{
    struct gateway_lanes *l = &g->lanes;

    if (table->revision <= l->table.revision)
        return;
    l->table = *table;
    if (l->n == 1 || table->live == 0)
        return;
    objects_leave_lane(g);
    hibernations_check(g);
    if (table->first == l->self && g->cache == NULL)
        cache_begin(g);
    for (unsigned lane = 0; lane < l->n && !g->stopping; lane++)
        if (lane != l->self)
            listeners_set(g, &l->peers[lane], lane_heir(l, lane) == l->self);
    queues_move(g);
    parked_go_on(g);
}

/* --- the others --- */

void lane_attach(struct gateway *g, unsigned lane, int fd)
{
    CHECK(lane < g->lanes.n && lane != g->lanes.self);
    struct lane_peer *p = &g->lanes.peers[lane];

    if (p->wire != NULL)
        wire_destroy(TAKE(p->wire)); /* its calls have ended with the process */
    p->drained = false;
    p->wire = wire_create(g->loop, fd, g->lanes.self < lane ? 0 : 1, &lane_events, p);
}

void lanes_start(struct gateway *g)
{
    struct gateway_lanes *l = &g->lanes;

    for (unsigned lane = 0; lane < l->n; lane++) {
        int fd = role_take_lane_fd(g->rc, "wire.lane.", lane);
        if (fd >= 0)
            lane_attach(g, lane, fd);
    }
}

static void lanes_look_finished(struct gateway *g)
{
    struct gateway_lanes *l = &g->lanes;

    for (unsigned lane = 0; lane < l->n; lane++)
        if (l->peers[lane].wire != NULL && !l->peers[lane].drained)
            return;
    if (!l->drained)
        return;
    links_stop(g);
    access_log_close(TAKE(g->access));
    role_finished(g->rc);
}

void lanes_drained(struct gateway *g)
{
    AUTO(buf_done) struct buf out = {0};

    g->lanes.drained = true;
    msg_lane_drained_pack(&out, &(struct msg_lane_drained){0});
    for (unsigned lane = 0; lane < g->lanes.n; lane++)
        if (g->lanes.peers[lane].wire != NULL)
            wire_note(g->lanes.peers[lane].wire, 0, OP_lane_drained, buf_slice(&out), -1);
    lanes_look_finished(g);
}

void lane_note_drained(struct lane_peer *p)
{
    p->drained = true;
    lanes_look_finished(p->gateway);
}
