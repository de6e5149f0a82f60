/*
 * Control's wires to the gateways, one per lane.
 *
 * What one of them can do for all is asked of the first lane: crons, SQL for an object (which its gateway passes on to
 * the object's lane), the cache. Tails are watched in all lanes, and a deploy has been taken up when all live ones have it.
 */
#include "role/control_impl.h"

#include "core/log.h"
#include "product/messages.h"
#include "product/workers/workers_impl.h"

/* The least revision that all live lanes route by; 0: none does yet. */
static void lanes_tell_applied(struct control *c)
{
    uint64_t least = UINT64_MAX;

    for (unsigned lane = 0; lane < PLACEMENT_LANES_MAX; lane++)
        if ((c->lanes.live >> lane & 1) != 0)
            least = MIN(least, c->gateways[lane].revision);
    if (least != UINT64_MAX && least != 0)
        table_applied(least);
}

/* Calls that handlers make find the first lane there. */
static void lanes_borrow_first(struct control *c)
{
    api_peer_borrow(c->api.peers[API_GATEWAY], c->gateways[c->lanes.first].wire);
}

static void lane_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op, struct slice args,
                      int fd)
{
    struct control_lane *lane = wire_user(w);
    struct msg_table_applied applied;

    fd_release(&fd);
    if (op == OP_tail_event) {
        tail_on_event(lane->control, args);
    } else if (op == OP_table_applied && msg_table_applied_unpack(args, &applied) == 0) {
        lane->revision = applied.revision;
        lanes_tell_applied(lane->control);
    }
}

static void lane_open(struct wire *w UNUSED, struct wire_stream *s, uint16_t op UNUSED,
                      struct slice args UNUSED, int fd, bool end UNUSED)
{
    fd_release(&fd);
    wire_stream_close(s, -EOPNOTSUPP); /* no gateway asks control */
}

static void lane_drop(struct control_lane *lane)
{
    lane->revision = 0;
    if (lane->wire == NULL)
        return;
    wire_destroy(TAKE(lane->wire));
    lanes_borrow_first(lane->control);
}

static void lane_closed(struct wire *w, int reason UNUSED)
{
    lane_drop(wire_user(w));
}

static const struct wire_events lane_events = {
    .open = lane_open, .note = lane_note, .closed = lane_closed};

void control_lane_connect(struct control *c, unsigned lane, int fd)
{
    CHECK(lane < PLACEMENT_LANES_MAX);
    struct control_lane *l = &c->gateways[lane];

    lane_drop(l);
    l->control = c;
    l->wire = wire_create(c->rc->loop, fd, 1, &lane_events, l);
    lanes_borrow_first(c);
    tail_watch_again(c, l->wire);
}

void control_lanes_start(struct control *c)
{
    for (unsigned lane = 0; lane < PLACEMENT_LANES_MAX; lane++) {
        int fd = role_take_lane_fd(c->rc, "wire.gateway.", lane);
        if (fd >= 0)
            control_lane_connect(c, lane, fd);
    }
}

void control_lanes_changed(struct control *c, const struct lane_table *lanes)
{
    c->lanes = *lanes;
    lanes_borrow_first(c);
    lanes_tell_applied(c); /* nobody waits for a lane that has died */
}

void control_lanes_note(struct control *c, uint16_t op, struct slice args)
{
    for (unsigned lane = 0; lane < PLACEMENT_LANES_MAX; lane++)
        if (c->gateways[lane].wire != NULL)
            wire_note(c->gateways[lane].wire, 0, op, args, -1);
}
