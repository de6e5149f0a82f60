/*
 * The template role: a process without a VM and without threads, from which isolates are forked.
 *
 * It tells of a spare only once the child is sealed (a byte on a pipe): a grant before that would enter the
 * template's own namespaces. Grants run in children, since who has entered an isolate's namespaces does not
 * come back; these share the template's memory, so that a start does not pay for a fork.
 */
#include "core/file.h"
#include "core/json.h"
#include "core/list.h"
#include "core/log.h"
#include "proc/grant.h"
#include "proc/linked.h"
#include "proc/seccomp_filter.h"
#include "proc/spawn.h"
#include "proc/tail.h"
#include "proc/wire.h"
#include "product/messages.h"
#include "role/isolate_main.h"
#include "role/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TEMPLATE_UID_FIRST = 200000, /* as root each isolate has a number of its own */
    TEMPLATE_UIDS = 60000,
    TEMPLATE_FILES = 4096,             /* a Durable Object has three open */
    TEMPLATE_STDERR_MAX = 1024 * 1024, /* what an isolate may write in its life */
    TEMPLATE_EXIT_SANDBOX = 79
};

/* An isolate. */
struct offspring {
    struct link link;
    struct template *template; /* borrowed */
    struct process process;
    uint64_t isolate;
    struct watch pipe; /* one byte: it is sealed */
    int pipe_fd;       /* owned; -1 = closed */
    struct tail tail;  /* the isolate's stderr */
    int status;
};

struct template
{
    struct role_context *rc;
    struct link offspring;
};

/* --- isolates --- */

static void isolate_child(uint64_t isolate, int sealed_fd)
{
    struct sandbox s = {.profile = SANDBOX_ISOLATE,
                        .n_files = TEMPLATE_FILES,
                        .file_size_max = 1ULL << 30,
                        .template_child = true};
    struct err err = {0};

    log_init("isolate", LOG_INFO);
    if (geteuid() == 0)
        s.uid = TEMPLATE_UID_FIRST + (uint32_t)(isolate % TEMPLATE_UIDS);
    sandbox_mount_add(&s, "/dev/urandom", "/dev/urandom", SANDBOX_DEVICE);
    if (access("/usr/share/zoneinfo", R_OK) == 0)
        sandbox_mount_add(&s, "/usr/share/zoneinfo", "/usr/share/zoneinfo", SANDBOX_READ);
    if (sandbox_enter(&s, &err) < 0) {
        LOG(LOG_ERROR, "sandbox_failed", F("reason", "%s", err.text));
        _exit(TEMPLATE_EXIT_SANDBOX);
    }
    if (write(sealed_fd, "s", 1) != 1)
        _exit(TEMPLATE_EXIT_SANDBOX);
    close(sealed_fd);
    _exit(isolate_main(ROLE_CONTROL_FD));
}

static void template_tell_made(struct offspring *o, int result)
{
    AUTO(buf_done) struct buf out = {0};
    msg_spare_made_pack(&out, &(struct msg_spare_made){.isolate = o->isolate,
                                                       .pid = (uint32_t)o->process.pid,
                                                       .result = result});
    wire_note(o->template->rc->supervisor, 0, OP_spare_made, buf_slice(&out), -1);
}

static void offspring_close_pipe(struct offspring *o)
{
    watch_stop(&o->pipe);
    fd_release(&o->pipe_fd);
}

static void isolate_on_sealed(struct watch *w, UNUSED uint32_t events)
{
    struct offspring *o = CONTAINER_OF(w, struct offspring, pipe);
    char c;
    ssize_t n = read(o->pipe_fd, &c, 1);
    if (n < 0 && errno == EAGAIN)
        return;
    offspring_close_pipe(o);
    template_tell_made(o, n == 1 ? 0 : -ECHILD);
}

static struct offspring *offspring_new(struct template *t, uint64_t isolate)
{
    struct offspring *o = mem_new(sizeof(*o));
    o->template = t;
    o->isolate = isolate;
    o->process.pidfd = -1;
    o->pipe_fd = o->tail.fd = -1;
    list_push_back(&t->offspring, &o->link);
    return o;
}

static void offspring_free(struct offspring *o)
{
    offspring_close_pipe(o);
    tail_close(&o->tail);
    list_remove(&o->link);
    process_done(&o->process);
    free(o);
}

static void template_make_spare(struct template *t, uint64_t isolate, int control_fd)
{
    int ends[2] = {-1, -1};
    struct offspring *o = offspring_new(t, isolate);
    AUTO(fd_release) int stderr_fd = tail_open(&o->tail, t->rc->loop, TEMPLATE_STDERR_MAX);
    int r = stderr_fd < 0 ? stderr_fd : 0;
    if (r == 0 && pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        r = -errno;
    if (r == 0) {
        const struct spawn_fds fds = {control_fd, ends[1], stderr_fd};
        r = spawn_fork_with(&fds, &o->process);
        if (r == 0)
            isolate_child(isolate, SPAWN_SECOND_FD);
    }
    fd_release(&ends[1]);
    if (r < 0) {
        fd_release(&ends[0]);
        template_tell_made(o, r);
        return offspring_free(o);
    }
    o->pipe_fd = ends[0];
    watch_start(t->rc->loop, &o->pipe, o->pipe_fd, EPOLLIN, isolate_on_sealed);
}

/* --- grants --- */

struct grant_job {
    struct grant grant;
    int data_fd, pidfd;
    struct err err;
};

static int grant_in_child(void *arg)
{
    struct grant_job *job = arg;
    return grant_enter(&job->grant, job->data_fd, job->pidfd, &job->err);
}

static struct offspring *template_find(struct template *t, uint64_t isolate)
{
    LIST_FOR (l, &t->offspring) {
        struct offspring *o = LIST_ENTRY(l, struct offspring, link);
        if (o->isolate == isolate)
            return o;
    }
    return NULL;
}

static int template_grant_mounts(struct template *t, const struct msg_grant *m,
                                 struct grant_job *job)
{
    AUTO(json_release) json_t *list = NULL;
    const struct offspring *isolate = template_find(t, m->isolate);
    if (isolate == NULL || isolate->process.pidfd < 0)
        return err_set(&job->err, -ESRCH, 0, "the isolate is gone");
    int r = json_parse(m->mounts, &list, &job->err);
    if (r == 0)
        r = grant_parse(list, &job->grant, &job->err);
    if (r < 0)
        return r;
    job->data_fd = t->rc->data_fd;
    job->pidfd = isolate->process.pidfd;
    return spawn_call(grant_in_child, job);
}

static void template_grant(struct template *t, struct wire_stream *s, const struct msg_grant *m)
{
    static struct grant_job job;
    static const struct wire_stream_events ignore = {0};
    AUTO(buf_done) struct buf out = {0};
    job.err.text[0] = '\0';
    int r = template_grant_mounts(t, m, &job);
    msg_granted_pack(&out, &(struct msg_granted){.result = r, .text = slice_of(job.err.text)});
    wire_stream_own(s, &ignore, NULL);
    wire_reply(s, buf_slice(&out), -1, true);
    wire_stream_close(s, 0);
}

/* --- the ends of children --- */

static void template_reaped(struct offspring *o)
{
    AUTO(buf_done) struct buf out = {0}, report = {0};
    if (o->pipe_fd >= 0)
        template_tell_made(o, -ECHILD);
    tail_report(&o->tail, &report);
    msg_reaped_pack(&out, &(struct msg_reaped){.isolate = o->isolate,
                                               .pid = (uint32_t)o->process.pid,
                                               .status = (uint32_t)o->status,
                                               .report = buf_slice(&report)});
    wire_note(o->template->rc->supervisor, 0, OP_reaped, buf_slice(&out), -1);
    offspring_free(o);
}

static void template_on_signal(UNUSED int signal, void *arg)
{
    struct template *t = arg;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        LIST_FOR_SAFE (l, &t->offspring) {
            struct offspring *o = LIST_ENTRY(l, struct offspring, link);
            if (o->process.pid != pid)
                continue;
            o->status = status;
            template_reaped(o);
            break;
        }
    }
}

/* --- the role --- */

static void template_note(struct wire *w, UNUSED uint32_t stream_id, uint16_t op, struct slice args,
                          int fd)
{
    struct role_context *rc = wire_user(w);
    struct msg_spare_make m;
    if (op == OP_spare_make && fd >= 0 && msg_spare_make_unpack(args, &m) == 0)
        template_make_spare(rc->state, m.isolate, fd);
    fd_release(&fd);
}

static void template_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                          int fd, UNUSED bool end)
{
    struct role_context *rc = wire_user(w);
    struct msg_grant m;
    fd_release(&fd);
    if (op == OP_grant && msg_grant_unpack(args, &m) == 0)
        template_grant(rc->state, s, &m);
    else
        wire_stream_close(s, -ENOSYS);
}

static const struct wire_events template_events = {.open = template_open, .note = template_note};

static int template_setup(struct role_context *rc, struct err *err)
{
    struct template *t = mem_new(sizeof(*t));
    static const int signals[] = {SIGCHLD};
    rc->state = t;
    t->rc = rc;
    list_init(&t->offspring);
    umask(0022);
    linked_release();
    int r = seccomp_filter_prepare(SANDBOX_ISOLATE, err);
    if (r == 0)
        r = sandbox_template_enter(err);
    if (r < 0)
        return r;
    /* The old descriptor names a mount of the old namespace, which nothing can be cloned from. */
    fd_release(&rc->data_fd);
    rc->data_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rc->data_fd < 0)
        return err_set(err, -errno, 0, "cannot open the data directory: %m");
    r = loop_signals(rc->loop, signals, ARRAY_LEN(signals), template_on_signal, t);
    return r < 0 ? err_set(err, r, 0, "cannot listen for children") : 0;
}

static int template_run(UNUSED struct role_context *rc, UNUSED struct err *err)
{
    return 0;
}

const struct role role_template = {
    .name = "template",
    .setup = template_setup,
    .run = template_run,
    .events = &template_events,
    .restart = true,
};
