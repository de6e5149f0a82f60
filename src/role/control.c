/*
 * The control role: REST API over HTTP, control.db, the files of Workers.
 *
 * It sees workers/, assets/ and its spool, never a tenant's data: that is the keeper's. control.db is open
 * before the sandbox is entered and has no path afterwards.
 */
#include "role/control_impl.h"

#include "core/log.h"
#include "product/messages.h"
#include "product/r2/s3.h"
#include "product/workers/workers_impl.h"
#include "role/roles.h"

#include <errno.h>
#include <fcntl.h>

static int control_setup(struct role_context *rc, struct err *err)
{
    struct control *c = mem_new(sizeof(*c));
    c->rc = rc;
    rc->state = c;
    list_init(&c->tails);
    return control_prepare(c, err);
}

static void control_sandbox(struct role_context *rc, struct sandbox *s)
{
    static const char *const names[] = {"workers", "assets", "spool"};
    const struct control *c = rc->state;
    s->profile = SANDBOX_CONTROL;
    s->n_files = CONTROL_FILES_MAX;
    s->network = true; /* the listening socket */
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char source[SANDBOX_PATH_MAX], target[SANDBOX_PATH_MAX];
        snprintf(source, sizeof(source), "%.*s/%s", (int)(sizeof(source) - 16), c->data_path,
                 names[i]);
        snprintf(target, sizeof(target), "/data/%s", names[i]);
        sandbox_mount_add(s, source, target, SANDBOX_WRITE);
    }
    sandbox_mount_add(s, "/dev/urandom", "/dev/urandom", SANDBOX_DEVICE);
}

/* --- peers --- */

/* The keeper has nothing to say by itself. */
static void control_on_keeper(void *arg, uint16_t op, struct slice args, int fd)
{
    (void)arg, (void)op, (void)args;
    fd_release(&fd);
}

static void control_connect(struct control *c, struct slice name, int fd)
{
    unsigned lane;
    if (fd < 0)
        return;
    if (role_name_lane(name, "wire.gateway.", &lane)) {
        control_lane_connect(c, lane, fd);
    } else if (slice_eq(name, SLICE("wire.keeper"))) {
        api_peer_connect(c->api.peers[API_KEEPER], fd, 1);
    } else {
        fd_release(&fd);
    }
}

static void control_peers(struct control *c)
{
    struct loop *loop = c->rc->loop;
    c->api.peers[API_SUPERVISOR] = api_peer_create(loop, NULL, NULL);
    c->api.peers[API_GATEWAY] = api_peer_create(loop, NULL, NULL);
    c->api.peers[API_KEEPER] = api_peer_create(loop, control_on_keeper, c);
    api_peer_borrow(c->api.peers[API_SUPERVISOR], c->rc->supervisor);
    control_lanes_start(c);
    control_connect(c, SLICE("wire.keeper"), role_take_fd(c->rc, "wire.keeper"));
}

static void control_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args, int fd)
{
    struct role_context *rc = wire_user(w);
    struct msg_role_fd m;
    struct msg_lanes lanes;
    (void)stream_id;
    if (op == OP_role_fd && msg_role_fd_unpack(args, &m) == 0)
        control_connect(rc->state, m.name, TAKE_FD(fd)); /* a peer was restarted */
    else if (op == OP_lanes && msg_lanes_unpack(args, &lanes) == 0)
        control_lanes_changed(rc->state,
                              &(struct lane_table){lanes.revision, lanes.live, lanes.first});
    fd_release(&fd);
}

static const struct wire_events control_supervisor_events = {.note = control_note};

/* --- run and stop --- */

static void control_publish(struct control *c)
{
    AUTO(buf_done) struct buf args = {0};
    struct msg_table_changed changed = {0};
    struct err err = {0};
    if (table_write(&c->api, &changed.revision, &err) < 0) {
        LOG(LOG_ERROR, "table_not_written", F("reason", "%s", err.text));
        return;
    }
    msg_table_changed_pack(&args, &changed);
    wire_note(c->rc->supervisor, 0, OP_table_changed, buf_slice(&args), -1);
}

static int control_run(struct role_context *rc, struct err *err)
{
    struct control *c = rc->state;
    c->api.loop = rc->loop;
    c->api.front = s3_front;
    c->api.publish = table_publish;
    c->api.spool_path = "/data/spool";
    c->api.data_fd = open("/data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->api.data_fd < 0)
        return err_set(err, -errno, 0, "the data directory cannot be opened: %m");
    c->api.pool = work_pool_create(rc->loop, CONTROL_THREADS);
    control_peers(c);
    workers_sweep(&c->api);
    control_publish(c);
    cron_start(c);

    int fd = role_take_fd(rc, "listen.api");
    c->server = api_server_create(&c->api, control_take, c);
    if (fd < 0)
        return 0; /* no address is set for the API */
    int r = api_server_listen(c->server, fd);
    return r < 0 ? err_set(err, r, 0, "the API cannot listen (%d)", r) : 0;
}

static void control_drained(void *arg)
{
    struct control *c = arg;
    timer_stop(&c->grace);
    role_finished(c->rc);
}

static void control_on_grace(struct timer *t)
{
    role_finished(CONTAINER_OF(t, struct control, grace)->rc);
}

static void control_stop(struct role_context *rc, unsigned grace_ms)
{
    struct control *c = rc->state;
    timer_start(rc->loop, &c->grace, (int64_t)grace_ms * 1000, control_on_grace);
    cron_stop(c);
    tail_close_all(c);
    api_server_drain(c->server, control_drained, c);
}

const struct role role_control = {
    .name = "control",
    .setup = control_setup,
    .sandbox = control_sandbox,
    .run = control_run,
    .events = &control_supervisor_events,
    .stop = control_stop,
    .restart = true,
    .n_threads = CONTROL_THREADS,
};
