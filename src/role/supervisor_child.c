/*
 * Roles as children: start, connect, restart with growing delays, stop.
 *
 * A wire between two roles is a pair made here. When one of them starts again, the other gets its new end
 * in a late role_fd.
 */
#include "role/supervisor.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"
#include "role/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RESTART_FIRST_MS = 20,
    RESTART_MOST_MS = 10000,
    RESTART_STEADY_US = 30 * 1000 * 1000, /* who lived so long starts at once again */
    TABLE_MAX = 256 * 1024 * 1024
};

/* The first named is side 0. Those of a gateway are one per lane, and "wire.gateway" has the lane's number behind it. */
static const struct connection {
    enum child_kind a, b;
    const char *name_in_a, *name_in_b;
} connections[] = {
    {CHILD_GATEWAY, CHILD_CONTROL, "wire.control", "wire.gateway"},
    {CHILD_KEEPER, CHILD_CONTROL, "wire.control", "wire.keeper"},
    {CHILD_GATEWAY, CHILD_KEEPER, "wire.keeper", "wire.gateway"},
};

#define FROM(kind) (1u << (kind))

static void child_send_fd(struct child *c, const char *name, int fd)
{
    AUTO(buf_done) struct buf out = {0};
    msg_role_fd_pack(&out, &(struct msg_role_fd){.name = slice_of(name)});
    wire_note(c->wire, 0, OP_role_fd, buf_slice(&out), fd);
}

static void child_send_copy(struct child *c, const char *name, int fd)
{
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy >= 0)
        child_send_fd(c, name, copy);
}

void child_give_settings(struct child *c)
{
    AUTO(buf_done) struct buf text = {0}, out = {0};
    AUTO(json_release) json_t *settings = json_copy(c->sup->settings);
    if (c->wire == NULL)
        return;
    json_object_set_new(settings, "lanes", json_integer(c->sup->n_lanes));
    json_object_set_new(settings, "title", json_string(c->title));
    json_object_set_new(settings, "lane", json_integer(c->lane));
    json_print(&text, settings);
    msg_role_start_pack(&out, &(struct msg_role_start){.settings = buf_slice(&text)});
    wire_note(c->wire, 0, OP_role_start, buf_slice(&out), -1);
}

/* Only with a peer that runs: who starts later connects itself. */
static void child_pair(struct child *a, const char *name_in_a, struct child *b,
                       const char *name_in_b)
{
    int ends[2];
    if (a->wire == NULL || b->wire == NULL || spawn_pair(ends) < 0)
        return;
    child_send_fd(a, name_in_a, ends[0]);
    child_send_fd(b, name_in_b, ends[1]);
}

static void child_connect_kinds(struct child *a, struct child *b)
{
    for (size_t i = 0; i < ARRAY_LEN(connections); i++) {
        const struct connection *k = &connections[i];
        char name[SUPERVISOR_TITLE_MAX];
        if (k->a != a->kind || k->b != b->kind)
            continue;
        snprintf(name, sizeof(name), "wire.gateway.%u", a->lane);
        child_pair(a, k->name_in_a, b, k->a == CHILD_GATEWAY ? name : k->name_in_b);
    }
}

/* Lanes to one another: the lower one is side 0. */
static void child_connect_lanes(struct child *a, struct child *b)
{
    char name_in_a[SUPERVISOR_TITLE_MAX], name_in_b[SUPERVISOR_TITLE_MAX];
    snprintf(name_in_a, sizeof(name_in_a), "wire.lane.%u", b->lane);
    snprintf(name_in_b, sizeof(name_in_b), "wire.lane.%u", a->lane);
    if (a->lane < b->lane)
        child_pair(a, name_in_a, b, name_in_b);
    else
        child_pair(b, name_in_b, a, name_in_a);
}

static void child_connect(struct child *c)
{
    for (unsigned i = 0; i < c->sup->n_children; i++) {
        struct child *peer = &c->sup->children[i];
        if (peer == c)
            continue;
        child_connect_kinds(c, peer);
        child_connect_kinds(peer, c);
        if (c->kind == CHILD_GATEWAY && peer->kind == CHILD_GATEWAY)
            child_connect_lanes(c, peer);
    }
}

/* Of all lanes: those of a lane that has died are served by the others. */
static void child_give_listeners(struct child *c)
{
    char name[SUPERVISOR_TITLE_MAX];
    for (unsigned lane = 0; lane < c->sup->n_lanes; lane++) {
        snprintf(name, sizeof(name), "listen.http.%u", lane);
        child_send_copy(c, name, c->sup->listeners[LISTEN_HTTP][lane]);
        snprintf(name, sizeof(name), "listen.https.%u", lane);
        child_send_copy(c, name, c->sup->listeners[LISTEN_HTTPS][lane]);
    }
}

static void child_give_lanes(struct child *c)
{
    const struct lane_table *t = &c->sup->lanes;
    AUTO(buf_done) struct buf out = {0};
    if (c->wire == NULL || t->revision == 0 || c->kind == CHILD_TEMPLATE)
        return;
    msg_lanes_pack(
        &out, &(struct msg_lanes){.revision = t->revision, .live = t->live, .first = t->first});
    wire_note(c->wire, 0, OP_lanes, buf_slice(&out), -1);
    wire_flush(c->wire);
}

void supervisor_lane_changed(struct child *c, bool lives)
{
    struct supervisor *sup = c->sup;
    if (((sup->lanes.live >> c->lane & 1) != 0) == lives || sup->stopping)
        return;
    lane_table_change(&sup->lanes, c->lane, lives);
    LOG(LOG_INFO, "lanes", F("revision", "%llu", (unsigned long long)sup->lanes.revision),
        F("live", "%llx", (unsigned long long)sup->lanes.live), F("first", "%u", sup->lanes.first));
    for (unsigned i = 0; i < sup->n_children; i++)
        child_give_lanes(&sup->children[i]);
}

static void child_give(struct child *c)
{
    struct supervisor *sup = c->sup;
    AUTO(buf_done) struct buf out = {0};

    child_give_settings(c);
    child_send_copy(c, "data", sup->data_fd);
    if (c->kind == CHILD_GATEWAY)
        child_give_listeners(c);
    if (c->kind == CHILD_CONTROL)
        child_send_copy(c, "listen.api", sup->listeners[LISTEN_API][0]);
    child_connect(c);
    msg_role_begin_pack(&out, &(struct msg_role_begin){.n_fds = 0});
    wire_note(c->wire, 0, OP_role_begin, buf_slice(&out), -1);
    /* At once, so that no client of a gateway that starts again finds nobody at home. */
    if (c->kind == CHILD_GATEWAY)
        supervisor_send_table(sup, c);
    child_give_lanes(c);
}

/* --- messages --- */

static int child_on_ready(struct child *c, struct slice args)
{
    struct msg_role_ready m;
    if (msg_role_ready_unpack(args, &m) < 0)
        return -EBADMSG;
    c->ready = true;
    LOG(LOG_INFO, "role_ready", F("child", "%s", c->title), F("pid", "%d", (int)c->process.pid),
        F("tier", "%u", m.tier));
    supervisor_child_ready(c);
    return 0;
}

static int child_on_table_changed(struct child *c, UNUSED struct slice args)
{
    supervisor_send_table(c->sup, NULL);
    return 0;
}

/* Who may say what. Everything else, and everything malformed, costs the sender its life: the gateway hears
 * the internet, control hears API clients, and neither may do more here than its work needs. */
static const struct child_message {
    uint16_t op;
    unsigned from; /* bits of enum child_kind */
    int (*take)(struct child *c, struct slice args);
} child_messages[] = {
    {OP_role_ready,
     FROM(CHILD_TEMPLATE) | FROM(CHILD_KEEPER) | FROM(CHILD_CONTROL) | FROM(CHILD_GATEWAY),
     child_on_ready},
    {OP_table_changed, FROM(CHILD_CONTROL), child_on_table_changed},
    {OP_isolate_drop, FROM(CHILD_GATEWAY) | FROM(CHILD_CONTROL), isolate_on_drop},
    {OP_spare_made, FROM(CHILD_TEMPLATE), isolate_on_made},
    {OP_reaped, FROM(CHILD_TEMPLATE), isolate_on_reaped},
    {OP_store_damaged, FROM(CHILD_KEEPER), status_on_damaged},
};

static const struct child_request {
    uint16_t op;
    unsigned from;
    int (*take)(struct child *c, struct wire_stream *s, struct slice args);
} child_requests[] = {
    {OP_status_get, FROM(CHILD_KEEPER) | FROM(CHILD_CONTROL) | FROM(CHILD_GATEWAY), status_on_get},
    {OP_isolate_want, FROM(CHILD_GATEWAY), isolate_on_want},
    {OP_job_want, FROM(CHILD_CONTROL), isolate_on_job_want},
};

static void child_refuse(struct child *c, uint16_t op)
{
    LOG(LOG_ERROR, "message_refused", F("child", "%s", c->title),
        F("message", "%s", message_name(op)));
    process_signal(&c->process, SIGKILL);
}

static void child_on_note(struct wire *w, UNUSED uint32_t stream_id, uint16_t op, struct slice args,
                          int fd)
{
    struct child *c = wire_user(w);
    int r = -EPERM;
    fd_release(&fd);
    for (size_t i = 0; i < ARRAY_LEN(child_messages); i++) {
        if (child_messages[i].op == op && (child_messages[i].from & FROM(c->kind)))
            r = child_messages[i].take(c, args);
    }
    if (r < 0)
        child_refuse(c, op);
}

static void child_on_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                          int fd, UNUSED bool end)
{
    struct child *c = wire_user(w);
    fd_release(&fd);
    for (size_t i = 0; i < ARRAY_LEN(child_requests); i++) {
        if (child_requests[i].op != op || !(child_requests[i].from & FROM(c->kind)))
            continue;
        if (child_requests[i].take(c, s, args) < 0)
            child_refuse(c, op);
        return;
    }
    wire_stream_close(s, -EPERM);
    child_refuse(c, op);
}

/* Its death follows, or is made to: a role that does not listen to us is of no use. */
static void child_on_closed(struct wire *w, UNUSED int reason)
{
    struct child *c = wire_user(w);
    c->wire = NULL;
    wire_destroy(w);
    process_signal(&c->process, SIGKILL);
}

static const struct wire_events child_events = {
    .open = child_on_open, .note = child_on_note, .closed = child_on_closed};

void supervisor_send_table(struct supervisor *sup, struct child *c)
{
    AUTO(buf_done) struct buf text = {0}, out = {0};
    AUTO(json_release) json_t *table = NULL;
    struct err err = {0};

    int r = file_read(sup->data_fd, "workers/table.json", TABLE_MAX, &text);
    if (r == -ENOENT)
        return;
    if (r == 0)
        r = json_parse(buf_slice(&text), &table, &err);
    if (r < 0) {
        LOG(LOG_ERROR, "table_unreadable", F("error", "%d", -r), F("reason", "%s", err.text));
        return;
    }
    msg_table_pack(&out, &(struct msg_table){.revision = (uint64_t)json_int(table, "revision", 0),
                                             .json = buf_slice(&text)});
    for (unsigned i = CHILD_GATEWAY; i < sup->n_children; i++) {
        struct child *gateway = &sup->children[i];
        if (gateway->wire != NULL && (c == NULL || c == gateway))
            wire_note(gateway->wire, 0, OP_table, buf_slice(&out), -1);
    }
}

/* --- life --- */

static void child_on_timer(struct timer *t)
{
    struct child *c = CONTAINER_OF(t, struct child, timer);
    if (c->process.pid == 0)
        return child_start(c);
    LOG(LOG_WARN, "role_killed", F("child", "%s", c->title), F("reason", "did not stop in time"));
    process_signal(&c->process, SIGKILL);
}

static void child_start_later(struct child *c)
{
    if (clock_boot_us() - c->started_us > RESTART_STEADY_US)
        c->n_fast = 0;
    int64_t delay_ms =
        MIN((int64_t)RESTART_FIRST_MS << MIN(c->n_fast, 10u), (int64_t)RESTART_MOST_MS);
    c->n_fast++;
    c->n_restarts++;
    timer_start(c->sup->loop, &c->timer, delay_ms * 1000, child_on_timer);
}

/* At the start of the server, roles are forked as they are: they share the pages that the dynamic linker has
 * written and read, a third of the memory of an idle platform. The template is executed, so that tenants'
 * code runs at other addresses than the rest; and so is whatever starts again, since by then the
 * supervisor's memory may hold secrets of tenants (docs/decisions/0006). */
static int child_spawn(struct child *c, const struct spawn_fds *fds)
{
    if (c->kind == CHILD_TEMPLATE || c->n_restarts > 0)
        return spawn_role(c->name, fds, &c->process);
    int r = spawn_fork_with(fds, &c->process);
    if (r != 0)
        return r < 0 ? r : 0;
    spawn_title(c->title);
    _exit(role_main(role_find(c->name)));
}

void child_start(struct child *c)
{
    int ends[2];
    int r = spawn_pair(ends);
    if (r == 0) {
        AUTO(fd_release) int stderr_fd = tail_open(&c->tail, c->sup->loop, 0);
        const struct spawn_fds fds = {.control = ends[1], .second = -1, .stderr_fd = stderr_fd};
        r = stderr_fd < 0 ? stderr_fd : child_spawn(c, &fds);
        close(ends[1]);
        if (r < 0) {
            tail_close(&c->tail);
            close(ends[0]);
        }
    }
    if (r < 0) {
        LOG(LOG_ERROR, "role_not_started", F("child", "%s", c->title), F("error", "%d", -r));
        return child_start_later(c);
    }
    c->ready = c->stopping = false;
    c->started_us = clock_boot_us();
    c->wire = wire_create(c->sup->loop, ends[0], 0, &child_events, c);
    child_give(c);
    /* Isolates that live on get their new wire before any that is assigned from now on. */
    if (c->kind == CHILD_KEEPER)
        isolates_attach_all(c->sup);
}

static void child_record(struct child *c, int status)
{
    json_t *record = json_pack("{s:s,s:i,s:i,s:i}", "role", c->title, "pid", (int)c->process.pid,
                               "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0, "exit",
                               WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    AUTO(buf_done) struct buf report = {0};
    tail_report(&c->tail, &report);
    crash_record(c->sup, record, buf_slice(&report));
    json_decref(record);
}

void child_exited(struct child *c, int status)
{
    bool expected = c->stopping || c->sup->stopping;
    timer_stop(&c->timer);
    if (c->wire != NULL) {
        wire_destroy(c->wire);
        c->wire = NULL;
    }
    if (!expected)
        child_record(c, status);
    tail_close(&c->tail);
    process_done(&c->process);
    c->process.pid = 0;
    if (!expected && !c->sup->announced && c->n_restarts > 0)
        supervisor_fail(c->sup, "a role does not start; its last log lines say why");
    else if (!expected)
        child_start_later(c);
    supervisor_child_gone(c);
}

void child_stop(struct child *c, unsigned grace_ms)
{
    AUTO(buf_done) struct buf out = {0};
    if (c->process.pid == 0)
        return;
    c->stopping = true;
    if (c->wire != NULL) {
        msg_role_stop_pack(&out, &(struct msg_role_stop){.grace_ms = grace_ms});
        wire_note(c->wire, 0, OP_role_stop, buf_slice(&out), -1);
    }
    timer_start(c->sup->loop, &c->timer, (int64_t)grace_ms * 1000 + 500000, child_on_timer);
}
