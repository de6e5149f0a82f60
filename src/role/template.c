/*
 * The template role: a process without a VM and without threads, from which isolates are forked.
 *
 * It tells of a spare only once the child is sealed (a byte on a pipe): a grant before that would enter the
 * template's own namespaces. Grants run in children too, since who has entered an isolate's namespaces does
 * not come back.
 */
#include "core/file.h"
#include "core/json.h"
#include "core/list.h"
#include "core/log.h"
#include "proc/grant.h"
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
    TEMPLATE_FILES = 256,
    TEMPLATE_STDERR_MAX = 1024 * 1024, /* what an isolate may write in its life */
    TEMPLATE_EXIT_SANDBOX = 79
};

/* One child: an isolate (for its whole life) or a grant (until it has ended). */
struct offspring {
    struct link link;
    struct template *template; /* borrowed */
    struct process process;
    uint64_t isolate;
    struct watch pipe; /* sealed, or the grant's sentence */
    int pipe_fd;       /* owned; -1 = closed */
    struct buf text;
    struct tail tail;          /* the isolate's stderr */
    struct wire_stream *grant; /* the request to answer; NULL for isolates */
    bool exited;
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
    buf_done(&o->text);
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

static void grant_child(const struct grant *g, int data_fd, int pidfd, int text_fd)
{
    struct err err = {0};
    int r = grant_enter(g, data_fd, pidfd, &err);
    if (r < 0)
        r = file_write_all(text_fd, slice_of(err.text));
    _exit(err.text[0] == '\0' && r == 0 ? 0 : 1);
}

static void grant_answer(struct offspring *o)
{
    AUTO(buf_done) struct buf out = {0};
    bool ok = WIFEXITED(o->status) && WEXITSTATUS(o->status) == 0;
    if (!ok && buf_len(&o->text) == 0)
        buf_printf(&o->text, "the mounting process ended with status %d", o->status);
    msg_granted_pack(&out,
                     &(struct msg_granted){.result = ok ? 0 : -EIO, .text = buf_slice(&o->text)});
    wire_reply(o->grant, buf_slice(&out), -1, true);
    wire_stream_close(o->grant, 0);
    offspring_free(o);
}

static void grant_on_text(struct watch *w, UNUSED uint32_t events)
{
    struct offspring *o = CONTAINER_OF(w, struct offspring, pipe);
    char *at = buf_reserve(&o->text, ERR_TEXT_MAX);
    ssize_t n = read(o->pipe_fd, at, ERR_TEXT_MAX);
    if (n > 0)
        buf_added(&o->text, (size_t)n);
    if (n > 0 || (n < 0 && errno == EAGAIN))
        return;
    offspring_close_pipe(o);
    if (o->exited)
        grant_answer(o);
}

static struct offspring *template_find(struct template *t, uint64_t isolate)
{
    LIST_FOR (l, &t->offspring) {
        struct offspring *o = LIST_ENTRY(l, struct offspring, link);
        if (o->isolate == isolate && o->grant == NULL)
            return o;
    }
    return NULL;
}

static void grant_refuse(struct wire_stream *s, int result, const char *text)
{
    AUTO(buf_done) struct buf out = {0};
    msg_granted_pack(&out, &(struct msg_granted){.result = result, .text = slice_of(text)});
    wire_reply(s, buf_slice(&out), -1, true);
    wire_stream_close(s, 0);
}

static int grant_read(struct slice mounts, struct grant *ret, struct err *err)
{
    AUTO(json_release) json_t *list = NULL;
    int r = json_parse(mounts, &list, err);
    return r < 0 ? r : grant_parse(list, ret, err);
}

static void template_grant(struct template *t, struct wire_stream *s, const struct msg_grant *m)
{
    static struct grant grant;
    static const struct wire_stream_events ignore = {0};
    struct err err = {0};
    int ends[2] = {-1, -1};
    struct offspring *isolate = template_find(t, m->isolate);

    wire_stream_own(s, &ignore, NULL);
    int r = grant_read(m->mounts, &grant, &err);
    if (r < 0)
        return grant_refuse(s, r, err.text);
    if (isolate == NULL || isolate->exited || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return grant_refuse(s, -ESRCH, "the isolate is gone");
    struct offspring *o = offspring_new(t, m->isolate);
    r = spawn_fork_sharing(&o->process);
    if (r == 0)
        grant_child(&grant, t->rc->data_fd, isolate->process.pidfd, ends[1]);
    fd_release(&ends[1]);
    if (r < 0) {
        fd_release(&ends[0]);
        offspring_free(o);
        return grant_refuse(s, r, "cannot start the mounting process");
    }
    o->grant = s;
    o->pipe_fd = ends[0];
    watch_start(t->rc->loop, &o->pipe, o->pipe_fd, EPOLLIN, grant_on_text);
}

/* --- the ends of children --- */

static void template_reaped(struct offspring *o)
{
    AUTO(buf_done) struct buf out = {0}, report = {0};
    if (o->grant != NULL) {
        if (o->pipe_fd < 0)
            grant_answer(o);
        return;
    }
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
            if (o->process.pid != pid || o->exited)
                continue;
            o->exited = true;
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
