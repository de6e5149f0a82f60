/*
 * What is around the isolates of the test command: the server's own gateway, in this process; the server's keeper, in a
 * process beside it; and of the supervisor what these two need - isolates that start, end, and get their wires.
 *
 * Isolates are forked from here, so nothing here may begin a thread that holds what a child needs: the keeper, which has
 * SQLite at work on many, is a process of its own.
 */
#include "role/test_worker.h"

#include "core/file.h"
#include "core/log.h"
#include "product/messages.h"
#include "role/gateway_isolate.h"
#include "role/keeper_core.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORLD_KEEPER_THREADS = 4, WORLD_STOP_S = 10 };

/* An isolate of a service. */
struct test_isolate {
    struct link link;
    struct test_service *service;
    struct process process;
    struct wire *control;
    uint64_t id;
};

/* --- the keeper's process --- */

static void keeper_child_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op,
                              struct slice args, int fd)
{
    struct keeper *k = wire_user(w);
    struct msg_isolate_attach attach;
    struct msg_role_fd named;
    if (op == OP_isolate_attach && msg_isolate_attach_unpack(args, &attach) == 0) {
        if (keeper_add_isolate(k, TAKE_FD(fd), attach.isolate, attach.spec) < 0)
            fprintf(stderr, "selvedge: the keeper refuses an isolate\n");
    } else if (op == OP_role_fd && msg_role_fd_unpack(args, &named) == 0) {
        if (slice_eq(named.name, SLICE("wire.gateway")))
            keeper_add_gateway(k, 0, TAKE_FD(fd));
        else
            keeper_add_control(k, TAKE_FD(fd));
    }
    fd_release(&fd);
}

static void keeper_child_open(struct wire *w UNUSED, struct wire_stream *s, uint16_t op UNUSED,
                              struct slice args UNUSED, int fd, bool end UNUSED)
{
    fd_release(&fd);
    wire_stream_close(s, -EOPNOTSUPP);
}

/* The command has ended: nothing that is here counts any more. */
static void keeper_child_closed(struct wire *w UNUSED, int reason UNUSED)
{
    _exit(0);
}

NORETURN static void keeper_child(const struct test_runner *r)
{
    static const struct wire_events events = {
        .open = keeper_child_open, .note = keeper_child_note, .closed = keeper_child_closed};
    char root[TEST_WORKER_PATH_MAX];
    struct loop *loop = loop_create();
    struct keeper *keeper;
    struct err err = {0};
    log_init("keeper", r->verbose ? LOG_INFO : LOG_ERROR);
    umask(022);
    snprintf(root, sizeof(root), "%.*s/data", TEST_WORKER_ROOT_MAX, r->root);
    int result = keeper_create(
        loop,
        &(struct keeper_options){.root = root, .boot = "test", .n_threads = WORLD_KEEPER_THREADS},
        &keeper, &err);
    if (result < 0) {
        fprintf(stderr, "selvedge: %s\n", err.text);
        _exit(1);
    }
    (void)wire_create(loop, ROLE_CONTROL_FD, 1, &events, keeper); /* lives as long as the process */
    loop_run(loop);
    _exit(0);
}

/* Sends the other end of a new pair to the keeper; ours. */
static int keeper_send_end(struct test_runner *r, const char *name)
{
    int pair[2];
    AUTO(buf_done) struct buf args = {0};
    CHECK(spawn_pair(pair) == 0);
    msg_role_fd_pack(&args, &(struct msg_role_fd){.name = slice_of(name)});
    wire_note(r->keeper, 0, OP_role_fd, buf_slice(&args), pair[1]);
    return pair[0];
}

static void world_ignore_open(struct wire *w UNUSED, struct wire_stream *s, uint16_t op UNUSED,
                              struct slice args UNUSED, int fd, bool end UNUSED)
{
    fd_release(&fd);
    wire_stream_close(s, -EOPNOTSUPP);
}

static void world_ignore_note(struct wire *w UNUSED, uint32_t stream_id UNUSED, uint16_t op UNUSED,
                              struct slice args UNUSED, int fd)
{
    fd_release(&fd);
}

static void world_ignore_closed(struct wire *w UNUSED, int reason UNUSED) {}

static const struct wire_events world_ignore = {
    .open = world_ignore_open, .note = world_ignore_note, .closed = world_ignore_closed};

static int keeper_start(struct test_runner *r, struct err *err)
{
    static const char *const kinds[] = {"kv", "d1", "r2", "durable"};
    char path[TEST_WORKER_PATH_MAX + 32];
    int pair[2];
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        snprintf(path, sizeof(path), "%s/data/%s", r->root, kinds[i]);
        int result = file_make_dirs(AT_FDCWD, path, 0755);
        if (result < 0)
            return err_set(err, result, 0, "cannot make %s", path);
    }
    CHECK(spawn_pair(pair) == 0);
    fflush(stdout);
    int forked = spawn_fork_with(&(struct spawn_fds){pair[1], -1, -1}, &r->keeper_process);
    if (forked == 0)
        keeper_child(r);
    close(pair[1]);
    if (forked < 0) {
        close(pair[0]);
        return err_set(err, forked, 0, "cannot start a keeper: %s", strerror(-forked));
    }
    r->keeper = wire_create(r->loop, pair[0], 0, &world_ignore, r);
    r->stores = wire_create(r->loop, keeper_send_end(r, "wire.control"), 1, &world_ignore, r);
    return 0;
}

/* --- stores --- */

struct store_wait {
    bool done;
    int64_t result;
    struct buf text;
};

static void store_on_reply(struct wire_stream *s, struct slice args, int fd, bool end UNUSED)
{
    struct store_wait *wait = wire_stream_user(s);
    struct msg_done m;
    fd_release(&fd);
    wait->result = msg_done_unpack(args, &m) < 0 ? -EBADMSG : m.result;
    if (wait->result < 0 && wait->result != -EBADMSG)
        buf_append_slice(&wait->text, m.text);
    wait->done = true;
}

static void store_on_reset(struct wire_stream *s, int reason)
{
    struct store_wait *wait = wire_stream_user(s);
    wait->result = reason < 0 ? reason : -EPIPE;
    wait->done = true;
}

int world_make_store(struct test_runner *r, const char *store, struct err *err)
{
    static const struct wire_stream_events events = {.reply = store_on_reply,
                                                     .reset = store_on_reset};
    struct store_wait wait = {.result = -ETIMEDOUT};
    AUTO(buf_done) struct buf args = {0};
    msg_store_make_pack(&args, &(struct msg_store_make){.store = slice_of(store)});
    struct wire_stream *s =
        wire_open(r->stores, OP_store_make, buf_slice(&args), -1, true, &events, &wait);
    runner_wait(r, &wait.done, TEST_WORKER_START_S);
    wire_stream_close(s, 0);
    if (wait.result < 0)
        err_set(err, (int)wait.result, 0, "the store %s cannot be made: %s", store,
                buf_cstr(&wait.text));
    buf_done(&wait.text);
    return (int)MIN(wait.result, 0);
}

/* --- isolates --- */

/* What the gateway knows to say of it. */
static const char *isolate_outcome(int status)
{
    static const struct {
        int exit;
        const char *outcome;
    } rows[] = {{ISOLATE_EXIT_CPU, "exceededCpu"},
                {ISOLATE_EXIT_MEMORY, "exceededMemory"},
                {ISOLATE_EXIT_LOAD, "exception"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (WIFEXITED(status) && WEXITSTATUS(status) == rows[i].exit)
            return rows[i].outcome;
    return "crash";
}

static void isolate_end(struct test_isolate *iso)
{
    struct test_service *s = iso->service;
    AUTO(buf_done) struct buf out = {0};
    list_remove(&iso->link);
    wire_destroy(iso->control);
    int status = service_reap(&iso->process);
    buf_clear(&s->end);
    service_describe_end(status, &s->end);
    msg_isolate_gone_pack(&out,
                          &(struct msg_isolate_gone){.isolate = iso->id,
                                                     .outcome = slice_of(isolate_outcome(status))});
    wire_note(s->runner->supervisor, 0, OP_isolate_gone, buf_slice(&out), -1);
    mem_release(&iso);
}

static void isolate_on_closed(struct wire *w, int reason UNUSED)
{
    isolate_end(wire_user(w));
}

static const struct wire_events isolate_events = {
    .open = world_ignore_open, .note = world_ignore_note, .closed = isolate_on_closed};

static void want_answer(struct wire_stream *stream, const struct msg_isolate_given *given, int fd)
{
    static const struct wire_stream_events ignore = {0};
    AUTO(buf_done) struct buf out = {0};
    msg_isolate_given_pack(&out, given);
    wire_stream_own(stream, &ignore, NULL);
    wire_reply(stream, buf_slice(&out), fd, true);
    wire_stream_close(stream, 0);
}

static void isolate_want(struct test_service *s, struct wire_stream *stream, struct slice spec)
{
    struct test_runner *r = s->runner;
    AUTO(buf_done) struct buf out = {0};
    struct test_isolate *iso = mem_new(sizeof(*iso));
    struct service_ends ends = {.control = &isolate_events, .user = iso};
    int result = service_fork(s, ISOLATE_WORKER, spec, &ends, &iso->process);
    if (result < 0) {
        mem_release(&iso);
        return want_answer(
            stream, &(struct msg_isolate_given){.result = result, .text = SLICE("no process")}, -1);
    }
    iso->service = s;
    iso->control = ends.control_wire;
    iso->id = ++r->n_isolates;
    list_push_back(&r->isolates, &iso->link);
    msg_isolate_attach_pack(&out, &(struct msg_isolate_attach){.isolate = iso->id, .spec = spec});
    wire_note(r->keeper, 0, OP_isolate_attach, buf_slice(&out), ends.keeper_fd);
    want_answer(stream, &(struct msg_isolate_given){.isolate = iso->id}, ends.main_fd);
}

/* --- as the gateway's supervisor --- */

static void supervisor_on_open(struct wire *w, struct wire_stream *stream, uint16_t op,
                               struct slice args, int fd, bool end UNUSED)
{
    struct test_runner *r = wire_user(w);
    struct msg_isolate_want m;
    char name[TEST_WORKER_PATH_MAX];
    fd_release(&fd);
    struct test_service *s = NULL;
    if (op == OP_isolate_want && msg_isolate_want_unpack(args, &m) == 0 &&
        slice_to_cstr(m.script, name, sizeof(name)) >= 0)
        s = config_find(r, name);
    if (s == NULL)
        return wire_stream_close(stream, -EOPNOTSUPP);
    isolate_want(s, stream, m.spec.len > 0 ? m.spec : buf_slice(&s->spec));
}

static void supervisor_on_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op,
                               struct slice args, int fd)
{
    struct test_runner *r = wire_user(w);
    struct msg_isolate_drop m;
    fd_release(&fd);
    if (op != OP_isolate_drop || msg_isolate_drop_unpack(args, &m) < 0)
        return;
    LIST_FOR_SAFE (at, &r->isolates) {
        struct test_isolate *iso = LIST_ENTRY(at, struct test_isolate, link);
        if (iso->id == m.isolate)
            isolate_end(iso);
    }
}

static const struct wire_events supervisor_events = {
    .open = supervisor_on_open, .note = supervisor_on_note, .closed = world_ignore_closed};

/* --- as its control --- */

static void control_on_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op,
                            struct slice args, int fd)
{
    struct msg_tail_event m;
    fd_release(&fd);
    if (op == OP_tail_event && msg_tail_event_unpack(args, &m) == 0)
        event_traced(wire_user(w), m.script, m.json);
}

static const struct wire_events control_events = {
    .open = world_ignore_open, .note = control_on_note, .closed = world_ignore_closed};

static void world_watch(struct test_runner *r, const char *script)
{
    AUTO(buf_done) struct buf out = {0};
    msg_tail_watch_pack(&out, &(struct msg_tail_watch){.script = slice_of(script), .on = true});
    wire_note(r->control, 0, OP_tail_watch, buf_slice(&out), -1);
}

int world_set_table(struct test_runner *r, struct err *err)
{
    AUTO(json_release) json_t *table = config_table(r);
    AUTO(buf_done) struct buf text = {0};
    json_print(&text, table);
    for (size_t i = 0; i < r->n_services; i++)
        world_watch(r, r->services[i].name);
    return table_load(r->gateway, buf_slice(&text), err);
}

/* --- the gateway's notes, as its role has them --- */

static void gateway_on_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op,
                            struct slice args, int fd)
{
    struct test_runner *r = wire_user(w);
    struct msg_isolate_gone m;
    fd_release(&fd);
    if (op == OP_isolate_gone && msg_isolate_gone_unpack(args, &m) == 0)
        isolate_gone(r->gateway, m.isolate, m.outcome, m.text);
}

static const struct wire_events gateway_events = {
    .open = world_ignore_open, .note = gateway_on_note, .closed = world_ignore_closed};

/* --- all of it --- */

static int gateway_start(struct test_runner *r, struct err *err)
{
    char path[TEST_WORKER_PATH_MAX + 8];
    int supervisor[2], control[2];
    snprintf(path, sizeof(path), "%s/cache", r->root);
    int result = file_make_dirs(AT_FDCWD, path, 0700);
    int cache = result < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cache < 0)
        return err_set(err, -EIO, 0, "cannot make %s", path);
    CHECK(spawn_pair(supervisor) == 0 && spawn_pair(control) == 0);
    r->supervisor = wire_create(r->loop, supervisor[0], 0, &supervisor_events, r);
    r->control = wire_create(r->loop, control[0], 1, &control_events, r);
    /* One isolate a Worker: its tests share state, as they do elsewhere. */
    r->rc = (struct role_context){
        .loop = r->loop,
        .supervisor = wire_create(r->loop, supervisor[1], 1, &gateway_events, r),
        .settings =
            json_pack("{s:i, s:b}", "isolates.per_worker", 1, "egress.allow_private", r->network),
        .data_fd = -1};
    r->gateway = gateway_create(&r->rc);
    if (!r->network)
        r->gateway->world = wpt_world;
    r->gateway->world_arg = r;
    gateway_begin(r->gateway, cache);
    gateway_attach_control(r->gateway, control[1]);
    gateway_keeper_attach(r->gateway, keeper_send_end(r, "wire.gateway"));
    return 0;
}

int world_create(struct test_runner *r, struct err *err)
{
    list_init(&r->isolates);
    int result = keeper_start(r, err);
    return result < 0 ? result : gateway_start(r, err);
}

void world_stop_service(struct test_service *s)
{
    struct test_runner *r = s->runner;
    struct script *script = table_script(r->gateway->table, slice_of(s->name));
    const struct worker *w = script_pick(script);
    int64_t end_us = loop_now_us(r->loop) + (int64_t)WORLD_STOP_S * 1000000;
    LIST_FOR_SAFE (at, &r->isolates) {
        struct test_isolate *iso = LIST_ENTRY(at, struct test_isolate, link);
        if (iso->service == s)
            isolate_end(iso);
    }
    while (w->n_isolates > w->n_starting && loop_now_us(r->loop) < end_us)
        loop_turn(r->loop, 100);
}

/* The gateway ends with the process: nothing that it has outlives it. */
void world_destroy(struct test_runner *r)
{
    if (r->keeper == NULL)
        return;
    LIST_FOR_SAFE (at, &r->isolates) {
        struct test_isolate *iso = LIST_ENTRY(at, struct test_isolate, link);
        process_signal(&iso->process, SIGKILL);
        service_reap(&iso->process);
        mem_release(&iso);
    }
    service_reap(&r->keeper_process);
    json_release(&r->rc.settings);
}
