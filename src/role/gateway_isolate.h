/*
 * The gateway's view of one isolate: the wire to it and the version it runs.
 *
 *     STARTING --given--> READY --retired, condemned or gone--> (freed when its last call has ended)
 */
#pragma once

#include "role/gateway.h"

enum isolate_state { ISOLATE_STARTING, ISOLATE_READY, ISOLATE_LEAVING };

struct isolate_link {
    struct gateway *gateway;
    struct worker *worker; /* referenced */
    struct link in_worker, in_gateway;
    enum isolate_state state;
    uint64_t id;              /* the supervisor's number */
    struct wire *wire;        /* NULL until given */
    struct wire_stream *want; /* the stream `isolate_want` to the supervisor, while starting */
    struct map events;        /* stream id -> struct event, until event_end */
    size_t n_events;
    int64_t heard_us, idle_since_us;
    char outcome[24]; /* why it ended, when it said so */
};

/* It broke a rule: its calls fail, the supervisor kills it. */
void isolate_link_condemn(struct isolate_link *l, const char *why);
