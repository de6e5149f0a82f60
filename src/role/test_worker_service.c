/* An isolate process of the test command: started by forking, without a supervisor. */
#include "role/test_worker.h"

#include "core/log.h"
#include "proc/sandbox.h"
#include "product/messages.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVICE_EXIT_SANDBOX = 79, SERVICE_FILES = 256 };

/* --- the process --- */

/* A store that the isolate may see. Of LMDB's files one is written by readers, and the tests are nobody's enemy. */
static void service_mount(struct sandbox *s, const json_t *mount)
{
    char target[SANDBOX_PATH_MAX];
    bool read = strcmp(json_str(mount, "access", ""), "read") == 0;
    snprintf(target, sizeof(target), "/g/%s", json_str(mount, "target", ""));
    sandbox_mount_add(s, json_str(mount, "source", ""), target,
                      read ? SANDBOX_READ : SANDBOX_WRITE);
}

static void service_seal(const char *dir, const json_t *mounts)
{
    struct sandbox s = {
        .profile = SANDBOX_ISOLATE, .n_files = SERVICE_FILES, .file_size_max = 1ULL << 30};
    struct err err = {0};
    char code[TEST_WORKER_PATH_MAX + 8];
    snprintf(code, sizeof(code), "%s/code", dir);
    sandbox_mount_add(&s, "/dev/urandom", "/dev/urandom", SANDBOX_DEVICE);
    sandbox_mount_add(&s, code, "/g/code", SANDBOX_READ);
    for (size_t i = 0; i < json_array_size(mounts); i++)
        service_mount(&s, json_array_get(mounts, i));
    if (access("/usr/share/zoneinfo", R_OK) == 0)
        sandbox_mount_add(&s, "/usr/share/zoneinfo", "/usr/share/zoneinfo", SANDBOX_READ);
    if (sandbox_enter(&s, &err) < 0) {
        fprintf(stderr, "selvedge: %s\n", err.text);
        _exit(SERVICE_EXIT_SANDBOX);
    }
}

/* Without a sandbox the stores appear beside the code as links. */
static void service_links(const char *dir, const json_t *mounts)
{
    for (size_t i = 0; i < json_array_size(mounts); i++) {
        const json_t *mount = json_array_get(mounts, i);
        char path[2 * TEST_WORKER_PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", dir, json_str(mount, "target", ""));
        if (symlink(json_str(mount, "source", ""), path) < 0 && errno != EEXIST)
            fprintf(stderr, "selvedge: cannot make %s: %m\n", path);
    }
}

/* In the child. dir: of a service, seen as its mounts. */
NORETURN static void service_child(struct test_runner *r, const char *dir, const json_t *mounts)
{
    log_init("isolate", r->verbose ? LOG_INFO : LOG_ERROR);
    r->options.root = dir;
    if (r->no_sandbox) {
        service_links(dir, mounts);
    } else {
        service_seal(dir, mounts);
        r->options.root = "/g"; /* files of objects are written there and nowhere else */
    }
    _exit(isolate_run(ROLE_CONTROL_FD, &r->options));
}

/* Our end of a new wire; the isolate gets the other one. */
static int service_wire(struct service_ends *e, uint8_t which)
{
    int pair[2];
    AUTO(buf_done) struct buf args = {0};
    CHECK(spawn_pair(pair) == 0);
    msg_isolate_wire_pack(&args, &(struct msg_isolate_wire){.which = which});
    wire_note(e->control_wire, 0, OP_isolate_wire, buf_slice(&args), pair[1]);
    return pair[0];
}

/* What runs in the process: a service, or (mounts NULL) what needs nothing but an empty directory. */
struct service_task {
    const char *dir;
    const json_t *mounts;
    struct msg_isolate_assign assign;
};

static int task_fork(struct test_runner *r, const struct service_task *task, struct service_ends *e,
                     struct process *ret)
{
    int pair[2];
    AUTO(buf_done) struct buf args = {0};
    fflush(stdout);
    CHECK(spawn_pair(pair) == 0);
    int forked = spawn_fork_with(&(struct spawn_fds){pair[1], -1, -1}, ret);
    if (forked == 0)
        service_child(r, task->dir, task->mounts);
    close(pair[1]);
    if (forked < 0) {
        close(pair[0]);
        return forked;
    }
    e->control_wire = wire_create(r->loop, pair[0], 0, e->control, e->user);
    msg_isolate_assign_pack(&args, &task->assign);
    wire_note(e->control_wire, 0, OP_isolate_assign, buf_slice(&args), -1);
    e->main_fd = service_wire(e, 1);
    e->keeper_fd = service_wire(e, 2);
    return 0;
}

int service_fork(struct test_service *s, uint8_t kind, struct slice spec, struct service_ends *e,
                 struct process *ret)
{
    struct service_task task = {
        .dir = s->dir, .mounts = s->mounts, .assign = {.kind = kind, .spec = spec}};
    return task_fork(s->runner, &task, e, ret);
}

int service_reap(struct process *p)
{
    int status = 0;
    process_signal(p, SIGKILL);
    waitpid(p->pid, &status, 0);
    process_done(p);
    return status;
}

/* --- linking --- */

struct service_job {
    bool done;
    int result;
    struct buf code, text;
};

static void job_over(struct service_job *j, int result)
{
    if (j->done)
        return;
    j->done = true;
    j->result = result;
}

static void job_on_reply(struct wire_stream *s, struct slice args, UNUSED int fd, bool end)
{
    struct service_job *j = wire_stream_user(s);
    struct msg_linked m = {.result = -EBADMSG};
    int r = msg_linked_unpack(args, &m);
    buf_append_slice(&j->text, m.text);
    if (r < 0 || m.result < 0 || end)
        job_over(j, (int)MIN(m.result, -1));
}

static void job_on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct service_job *j = wire_stream_user(s);
    buf_append_slice(&j->code, bytes);
    wire_consumed(s, bytes.len);
    if (end)
        job_over(j, 0);
}

static void job_on_reset(struct wire_stream *s, int reason)
{
    job_over(wire_stream_user(s), reason);
}

static void job_on_open(UNUSED struct wire *w, struct wire_stream *s, UNUSED uint16_t op,
                        UNUSED struct slice args, int fd, UNUSED bool end)
{
    fd_release(&fd);
    wire_stream_close(s, -EOPNOTSUPP);
}

static void job_on_closed(struct wire *w, UNUSED int reason)
{
    job_over(wire_user(w), -EPIPE);
}

static const struct wire_events job_events = {.open = job_on_open, .closed = job_on_closed};
static const struct wire_stream_events job_stream_events = {
    .reply = job_on_reply, .data = job_on_data, .reset = job_on_reset};

int service_link(struct test_runner *r, struct slice options, struct slice body, struct buf *ret,
                 struct err *err)
{
    struct service_job job = {0};
    struct service_ends ends = {.control = &job_events, .user = &job};
    struct service_task task = {.dir = r->root,
                                .assign = {.kind = ISOLATE_LINKER, .spec = SLICE("{}")}};
    struct process process;
    AUTO(buf_done) struct buf args = {0};
    int result = task_fork(r, &task, &ends, &process);
    if (result < 0)
        return err_set(err, result, 0, "cannot start a linker: %s", strerror(-result));
    struct wire *main = wire_create(r->loop, ends.main_fd, 0, &job_events, &job);
    msg_link_pack(&args, &(struct msg_link){.options = options});
    struct wire_stream *s =
        wire_open(main, OP_link, buf_slice(&args), -1, false, &job_stream_events, &job);
    wire_send(s, body, true);
    if (!runner_wait(r, &job.done, TEST_WORKER_START_S))
        job.result = -ETIMEDOUT;
    wire_stream_close(s, 0);
    wire_destroy(main);
    close(ends.keeper_fd);
    wire_destroy(ends.control_wire);
    service_reap(&process);
    if (job.result < 0)
        err_set(err, job.result, 0, "cannot link: %.*s %s", SLICE_ARG(buf_slice(&job.text)),
                buf_len(&job.text) > 0 ? "" : strerror(-job.result));
    else
        buf_append_slice(ret, buf_slice(&job.code));
    buf_done(&job.code);
    buf_done(&job.text);
    return MIN(job.result, 0);
}

/* --- loading a Worker --- */

struct service_load {
    struct test_service *service;
    bool done, failed;
};

static void load_on_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op, struct slice args,
                         int fd)
{
    struct service_load *load = wire_user(w);
    struct test_service *s = load->service;
    struct msg_loaded loaded;
    struct msg_load_failed failed;
    AUTO(json_release) json_t *about = NULL;
    fd_release(&fd);
    if (op == OP_loaded && msg_loaded_unpack(args, &loaded) == 0 &&
        json_parse(loaded.json, &about, NULL) == 0) {
        json_release(&s->tests);
        s->tests = json_incref(json_object_get(about, "handlers"));
        load->done = true;
    } else if (op == OP_load_failed && msg_load_failed_unpack(args, &failed) == 0) {
        buf_append_slice(&s->load_error, failed.text);
        load->done = load->failed = true;
    }
}

static void load_on_closed(struct wire *w, UNUSED int reason)
{
    struct service_load *load = wire_user(w);
    if (!load->done)
        load->done = load->failed = true;
}

static const struct wire_events load_events = {
    .open = job_on_open, .note = load_on_note, .closed = load_on_closed};

int service_probe(struct test_service *s, struct err *err)
{
    struct test_runner *r = s->runner;
    struct service_load load = {.service = s};
    struct service_ends ends = {.control = &load_events, .user = &load};
    struct process process;
    int result = service_fork(s, ISOLATE_PROBE, buf_slice(&s->spec), &ends, &process);
    if (result < 0)
        return err_set(err, result, 0, "cannot start an isolate: %s", strerror(-result));
    struct wire *main = wire_create(r->loop, ends.main_fd, 0, &load_events, &load);
    bool done = runner_wait(r, &load.done, TEST_WORKER_START_S);
    wire_destroy(main);
    close(ends.keeper_fd);
    wire_destroy(ends.control_wire);
    int status = service_reap(&process);
    if (!done)
        return err_set(err, -ETIMEDOUT, 0, "%s: the isolate does not load", s->name);
    if (!load.failed)
        return 0;
    if (buf_len(&s->load_error) == 0)
        service_describe_end(status, &s->load_error);
    return err_set(err, -EINVAL, 0, "%s: %.*s", s->name, SLICE_ARG(buf_slice(&s->load_error)));
}

void service_describe_end(int status, struct buf *ret)
{
    static const char *const names[] = {[ISOLATE_EXIT_LOAD] = "load failed",
                                        [ISOLATE_EXIT_CPU] = "exceeded its CPU time",
                                        [ISOLATE_EXIT_MEMORY] = "exceeded its memory",
                                        [ISOLATE_EXIT_PROTOCOL] = "protocol",
                                        [ISOLATE_EXIT_ENGINE] = "engine"};
    if (WIFSIGNALED(status)) {
        buf_printf(ret, "the isolate was killed by signal %d", WTERMSIG(status));
        return;
    }
    size_t code = (size_t)WEXITSTATUS(status);
    const char *name = code < ARRAY_LEN(names) && names[code] != NULL ? names[code] : "";
    buf_printf(ret, "the isolate ended with status %zu %s", code, name);
}
