/*
 * Shared by the files of the control role.
 *
 * control.c: the process. control_start.c: what the first start makes. control_routes.c: the products.
 * control_cron.c: the clock of cron triggers. control_tail.c: live tails over WebSocket. control_lane.c: the gateways. control_page.c: what is not the API.
 */
#pragma once

#include "api/call.h"
#include "api/server.h"
#include "core/work.h"
#include "net/http_server.h"
#include "proc/role.h"
#include "proc/wire.h"
#include "product/durable/durable_plan.h"

enum { CONTROL_THREADS = 16, CONTROL_FILES_MAX = 4096 };

struct cron_clock;

/* The gateway of one lane. */
struct control_lane {
    struct control *control; /* borrowed */
    struct wire *wire;       /* owned; NULL while it is away */
    uint64_t revision;       /* of the table by which it routes */
};

struct control {
    struct role_context *rc; /* borrowed */
    struct api api;
    struct api_server *server;
    struct timer grace;
    struct cron_clock *cron;
    struct control_lane gateways[PLACEMENT_LANES_MAX];
    struct lane_table lanes;
    struct link tails;                /* struct tail, open ones */
    char data_path[SANDBOX_PATH_MAX]; /* as the machine sees it */
};

extern const struct api_product *const control_products[];

/* Before the sandbox: directories, account, database, first token. */
NODISCARD int control_prepare(struct control *c, struct err *err);
/* Takes exchanges that are not the API's; see api/server.h. */
struct api_taker *control_take(void *arg, struct http_exchange *x);
/* An exchange that has been answered already. */
struct api_taker *control_answered(void);

/* --- the gateways --- */

/* Whatever one gateway can do goes to the first lane, by api.peers[API_GATEWAY]. */
void control_lanes_start(struct control *c);
void control_lane_connect(struct control *c, unsigned lane, int fd);
void control_lanes_changed(struct control *c, const struct lane_table *lanes);
/* The same note to all of them. */
void control_lanes_note(struct control *c, uint16_t op, struct slice args);

/* --- cron triggers --- */

extern const char *const cron_schema[];
void cron_start(struct control *c);
void cron_stop(struct control *c);

/* --- live tails --- */

struct api_taker *tail_take(struct control *c, struct http_exchange *x);
void tail_on_event(struct control *c, struct slice args); /* OP_tail_event of a gateway */
/* After a gateway was started: it is told which scripts are watched. */
void tail_watch_again(struct control *c, struct wire *gateway);
void tail_close_all(struct control *c);
