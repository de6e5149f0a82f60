/*
 * The life of a role's process: receive, set up, enter the sandbox, say ready, run, stop.
 */
#include "proc/role.h"

#include "core/json.h"
#include "core/log.h"
#include "core/map.h"
#include "proc/spawn.h"
#include "proc/wire.h"
#include "product/messages.h"
#include "role/roles.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { ROLE_FDS_MAX = 128, ROLE_FD_NAME_MAX = 64, ROLE_EXIT_SETUP = 78 };

struct role_fd {
    char name[ROLE_FD_NAME_MAX];
    int fd; /* owned; -1 = taken */
};

struct role_process {
    struct role_context rc; /* first: wire_user() is the context */
    struct role_fd fds[ROLE_FDS_MAX];
    unsigned n_fds;
    bool begun, finished;
    int status;
};

static struct role_process *role_process_of(struct role_context *rc)
{
    return CONTAINER_OF(rc, struct role_process, rc);
}

static int role_fd_find(const struct role_process *p, struct slice name)
{
    for (unsigned i = 0; i < p->n_fds; i++) {
        if (p->fds[i].fd >= 0 && slice_eq(slice_of(p->fds[i].name), name))
            return (int)i;
    }
    return -ENOENT;
}

int role_take_fd(struct role_context *rc, const char *name)
{
    struct role_process *p = role_process_of(rc);
    int i = role_fd_find(p, slice_of(name));
    return i < 0 ? -1 : TAKE_FD(p->fds[i].fd);
}

int role_take_lane_fd(struct role_context *rc, const char *prefix, unsigned lane)
{
    char name[ROLE_FD_NAME_MAX];
    snprintf(name, sizeof(name), "%s%u", prefix, lane);
    return role_take_fd(rc, name);
}

bool role_name_lane(struct slice name, const char *prefix, unsigned *ret_lane)
{
    uint64_t lane;
    if (!slice_starts(name, slice_of(prefix)) ||
        slice_to_u64(slice_skip(name, strlen(prefix)), &lane) < 0)
        return false;
    *ret_lane = (unsigned)lane;
    return true;
}

void role_mount(struct role_context *rc, struct sandbox *s, const char *name,
                enum sandbox_access access)
{
    char link[64], data[SANDBOX_PATH_MAX], source[SANDBOX_PATH_MAX], target[SANDBOX_PATH_MAX];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", rc->data_fd);
    ssize_t n = readlink(link, data, sizeof(data));
    CHECK(n > 0 && (size_t)n < sizeof(data)); /* the supervisor refuses longer paths */
    n = snprintf(source, sizeof(source), "%.*s/%s", (int)n, data, name);
    CHECK((size_t)n < sizeof(source));
    snprintf(target, sizeof(target), "/data/%s", name);
    sandbox_mount_add(s, source, target, access);
}

void role_finished(struct role_context *rc)
{
    struct role_process *p = role_process_of(rc);
    p->finished = true;
    wire_flush(rc->supervisor);
    loop_stop(rc->loop);
}

static void role_fail(struct role_process *p, const char *event, const char *reason)
{
    LOG(LOG_ERROR, event, F("reason", "%s", reason));
    p->status = ROLE_EXIT_SETUP;
    role_finished(&p->rc);
}

enum log_level role_log_level(const json_t *settings)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const char *wanted = json_str(settings, "log.level", "info");
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcmp(levels[i], wanted) == 0)
            return (enum log_level)i;
    }
    return LOG_INFO;
}

/* --- starting --- */

static int role_enter_sandbox(struct role_context *rc, struct err *err)
{
    struct sandbox sandbox = {.n_files = 4096};
    if (rc->role->sandbox == NULL)
        return 0;
    rc->role->sandbox(rc, &sandbox);
    int tier = sandbox_enter(&sandbox, err);
    fd_release(&rc->data_fd);
    return tier;
}

static void role_begin(struct role_process *p)
{
    struct role_context *rc = &p->rc;
    AUTO(buf_done) struct buf out = {0};
    struct err err = {0};

    p->begun = true;
    /* So that names relative to the data directory mean what they say until the sandbox is entered. */
    if (rc->data_fd >= 0 && fchdir(rc->data_fd) < 0)
        return role_fail(p, "setup_failed", "cannot enter the data directory");
    if (rc->role->setup != NULL && rc->role->setup(rc, &err) < 0)
        return role_fail(p, "setup_failed", err.text);
    int tier = role_enter_sandbox(rc, &err);
    if (tier < 0)
        return role_fail(p, "sandbox_failed", err.text);
    msg_role_ready_pack(&out, &(struct msg_role_ready){.tier = (uint32_t)tier});
    wire_note(rc->supervisor, 0, OP_role_ready, buf_slice(&out), -1);
    if (rc->role->run(rc, &err) < 0)
        role_fail(p, "run_failed", err.text);
}

static void role_on_start(struct role_process *p, struct slice args)
{
    struct msg_role_start m;
    struct err err = {0};
    json_t *settings;

    CHECK(msg_role_start_unpack(args, &m) == 0);
    if (json_parse(m.settings, &settings, &err) < 0)
        return role_fail(p, "settings_refused", err.text);
    /* A reload leaves the old object alive: the role may hold strings of it. */
    p->rc.settings = settings;
    log_init(json_str(settings, "title", p->rc.role->name), role_log_level(settings));
}

static void role_on_fd(struct role_process *p, struct slice args, int fd)
{
    struct msg_role_fd m;

    CHECK(msg_role_fd_unpack(args, &m) == 0 && fd >= 0);
    CHECK(p->n_fds < ROLE_FDS_MAX);
    if (slice_eq(m.name, SLICE("data"))) {
        fd_release(&p->rc.data_fd);
        p->rc.data_fd = fd;
        return;
    }
    struct role_fd *row = &p->fds[p->n_fds++];
    CHECK(slice_to_cstr(m.name, row->name, sizeof(row->name)) == 0);
    row->fd = fd;
}

static void role_on_stop(struct role_process *p, struct slice args)
{
    struct msg_role_stop m;

    CHECK(msg_role_stop_unpack(args, &m) == 0);
    if (p->rc.role->stop != NULL && p->begun)
        p->rc.role->stop(&p->rc, m.grace_ms);
    else
        role_finished(&p->rc);
}

static void role_on_other(struct role_process *p, uint32_t stream_id, uint16_t op,
                          struct slice args, int fd)
{
    const struct wire_events *events = p->rc.role->events;

    if (events != NULL && events->note != NULL)
        return events->note(p->rc.supervisor, stream_id, op, args, fd);
    fd_release(&fd);
    /* A peer's new wire that this role cannot take: a fresh start has it. */
    if (op == OP_role_fd)
        role_fail(p, "restarting", "a peer was restarted");
}

/* --- the supervisor's wire --- */

static void role_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args, int fd)
{
    struct role_process *p = role_process_of(wire_user(w));

    if (op == OP_role_start)
        role_on_start(p, args);
    else if (op == OP_role_fd && !p->begun)
        role_on_fd(p, args, TAKE_FD(fd));
    else if (op == OP_role_begin)
        role_begin(p);
    else if (op == OP_role_stop)
        role_on_stop(p, args);
    else if (p->begun && !p->finished)
        role_on_other(p, stream_id, op, args, TAKE_FD(fd));
    fd_release(&fd);
}

static void role_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args, int fd,
                      bool end)
{
    struct role_process *p = role_process_of(wire_user(w));
    const struct wire_events *events = p->rc.role->events;

    if (events != NULL && events->open != NULL)
        return events->open(w, s, op, args, fd, end);
    fd_release(&fd);
    wire_stream_close(s, -ENOSYS);
}

/* Without a supervisor there is nobody to work for. */
static void role_closed(struct wire *w, UNUSED int reason)
{
    struct role_process *p = role_process_of(wire_user(w));
    p->finished = true;
    loop_stop(p->rc.loop);
}

static const struct wire_events role_events = {
    .open = role_open, .note = role_note, .closed = role_closed};

int role_main(const struct role *role)
{
    struct role_process *p = mem_new(sizeof(*p));

    log_init(role->name, LOG_INFO);
    prctl(PR_SET_NAME, role->name);
    prctl(PR_SET_PDEATHSIG, SIGKILL);

    p->rc = (struct role_context){.role = role, .loop = loop_create(), .data_fd = -1};
    p->rc.supervisor = wire_create(p->rc.loop, ROLE_CONTROL_FD, 1, &role_events, &p->rc);
    loop_run(p->rc.loop);
    /* No orderly tearing down: the kernel does it, and nothing durable depends on it. */
    wire_flush(p->rc.supervisor);
    _exit(p->status);
}
