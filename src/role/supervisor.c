/*
 * The life of the server: data directory, sockets, children, stop.
 *
 * Stopping goes from the outside in: the gateway drains, then control and the isolates, then the keeper,
 * last the template. Nothing acknowledged is lost even when somebody does not stop in time.
 */
#include "role/supervisor.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/id.h"
#include "core/log.h"
#include "proc/linked.h"
#include "role/roles.h"
#include "role/settings.h"
#include "role/supervisor_main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONFIG_MAX = 1024 * 1024, STOP_ISOLATES_MS = 500 };

static const char *const child_names[] = {[CHILD_TEMPLATE] = "template",
                                          [CHILD_KEEPER] = "keeper",
                                          [CHILD_CONTROL] = "control",
                                          [CHILD_GATEWAY] = "gateway"};

/* --- settings and data directory --- */

static int settings_load(const struct supervisor_options *o, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *settings = settings_defaults();
    AUTO(buf_done) struct buf text = {0};
    if (o->config != NULL) {
        int r = file_read(AT_FDCWD, o->config, CONFIG_MAX, &text);
        if (r < 0)
            return err_set(err, r, 0, "cannot read %s: %s", o->config, strerror(-r));
        r = settings_apply(settings, buf_slice(&text), err);
        if (r < 0)
            return r;
    }
    json_object_update(settings, o->flags);
    *ret = TAKE(settings);
    return 0;
}

static int data_lock(struct supervisor *sup, struct err *err)
{
    sup->lock_fd = openat(sup->data_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (sup->lock_fd < 0)
        return err_set(err, -errno, 0, "cannot make the lock file in %s: %m", sup->data_path);
    if (flock(sup->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, -errno, 0, "another server uses the data directory %s", sup->data_path);
    unlinkat(sup->data_fd, "run.json", 0); /* of one that was killed */
    return 0;
}

static int data_make_account(struct supervisor *sup, struct err *err)
{
    char id[ID_HEX_SIZE];
    if (faccessat(sup->data_fd, "account", F_OK, 0) == 0)
        return 0;
    int r = file_replace(sup->data_fd, "account", slice_of(id_hex(id)), 0600);
    return r < 0 ? err_set(err, r, 0, "cannot write the file account: %s", strerror(-r)) : 0;
}

static int data_open(struct supervisor *sup, const char *data, struct err *err)
{
    static const char *const dirs[] = {"workers", "assets", "accounts", "keys", "logs/crashes"};
    int r = file_make_dirs(AT_FDCWD, data, 0700);
    if (r < 0)
        return err_set(err, r, 0, "cannot make the data directory %s: %s", data, strerror(-r));
    if (realpath(data, sup->data_path) == NULL)
        return err_set(err, -errno, 0, "cannot use the data directory %s: %m", data);
    sup->data_fd = open(sup->data_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (sup->data_fd < 0)
        return err_set(err, -errno, 0, "cannot open the data directory %s: %m", data);
    r = data_lock(sup, err);
    for (size_t i = 0; i < ARRAY_LEN(dirs) && r == 0; i++) {
        r = file_make_dirs(sup->data_fd, dirs[i], 0755);
        if (r < 0)
            return err_set(err, r, 0, "cannot make %s in the data directory: %s", dirs[i],
                           strerror(-r));
    }
    return r < 0 ? r : data_make_account(sup, err);
}

static int supervisor_listen_all(struct supervisor *sup, struct err *err)
{
    const struct {
        const char *setting;
        enum listener which;
        unsigned n;
    } rows[] = {{"listen", LISTEN_HTTP, sup->n_lanes},
                {"https", LISTEN_HTTPS, sup->n_lanes},
                {"api", LISTEN_API, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *address = json_str(sup->settings, rows[i].setting, "");
        int r =
            address[0] == '\0' ? 0 : supervisor_listen(sup, rows[i].which, address, rows[i].n, err);
        if (r < 0)
            return r;
    }
    return status_listen(sup, err);
}

/* What no setting says: where the data are, and the ports that were asked for as 0. */
static void supervisor_add_facts(struct supervisor *sup)
{
    static const char *const names[] = {"address.http", "address.https", "address.api"};
    static const enum listener which[] = {LISTEN_HTTP, LISTEN_HTTPS, LISTEN_API};
    json_object_set_new(sup->settings, "data", json_string(sup->data_path));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        json_object_set_new(sup->settings, names[i], json_string(sup->addresses[which[i]]));
}

/* Log lines would bury the start message on a terminal. */
static void supervisor_place_log(struct supervisor *sup)
{
    if (!isatty(STDOUT_FILENO) || !isatty(STDERR_FILENO))
        return;
    AUTO(fd_release)
    int fd =
        openat(sup->data_fd, "logs/selvedge.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 && dup2(fd, STDERR_FILENO) >= 0)
        sup->quiet = true;
}

/* --- the start message --- */

static void supervisor_write_run_file(struct supervisor *sup)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(json_release)
    json_t *run = json_pack(
        "{s:i,s:s,s:s,s:s,s:s,s:I}", "pid", (int)getpid(), "listen", sup->addresses[LISTEN_HTTP],
        "https", sup->addresses[LISTEN_HTTPS], "api", sup->addresses[LISTEN_API], "domain",
        json_str(sup->settings, "domain", ""), "started_ms", (json_int_t)clock_wall_ms());
    json_print(&text, run);
    int r = file_replace(sup->data_fd, "run.json", buf_slice(&text), 0600);
    if (r < 0)
        LOG(LOG_WARN, "run_file_not_written", F("error", "%d", -r));
}

static void supervisor_announce(struct supervisor *sup)
{
    const char *port = strrchr(sup->addresses[LISTEN_HTTP], ':');
    const char *domain = json_str(sup->settings, "domain", "");
    sup->announced = true;
    supervisor_write_run_file(sup);
    printf("Selvedge %s is running.\n\n", SELVEDGE_VERSION);
    printf("  Workers  http://%s  (a Worker \"hello\" answers at http://hello.%s%s)\n",
           sup->addresses[LISTEN_HTTP], domain, port == NULL ? "" : port);
    if (sup->addresses[LISTEN_HTTPS][0] != '\0')
        printf("           https://%s\n", sup->addresses[LISTEN_HTTPS]);
    printf("  API      http://%s/client/v4\n", sup->addresses[LISTEN_API]);
    printf("  Token    %s/token\n", sup->data_path);
    if (sup->quiet)
        printf("  Log      %s/logs/selvedge.log\n", sup->data_path);
    printf("\nNext, in another terminal:\n\n  eval \"$(%s env --data %s)\"\n  npx wrangler "
           "deploy\n\n",
           program_invocation_name, sup->data_path);
    fflush(stdout);
}

/* --- children --- */

static bool supervisor_all_ready(const struct supervisor *sup)
{
    for (unsigned i = 0; i < sup->n_children; i++) {
        if (role_find(sup->children[i].name) != NULL && !sup->children[i].ready)
            return false;
    }
    return true;
}

void supervisor_child_ready(struct child *c)
{
    struct supervisor *sup = c->sup;
    if (c->kind == CHILD_TEMPLATE)
        isolates_refill(sup);
    if (c->kind == CHILD_GATEWAY)
        supervisor_lane_changed(c, true);
    if (!sup->announced && supervisor_all_ready(sup))
        supervisor_announce(sup);
}

/* True when one is still there. */
static bool supervisor_stop_kind(struct supervisor *sup, enum child_kind kind, unsigned grace_ms)
{
    bool any = false;

    for (unsigned i = 0; i < sup->n_children; i++) {
        struct child *c = &sup->children[i];
        if (c->kind != kind || c->process.pid == 0)
            continue;
        any = true;
        if (!c->stopping)
            child_stop(c, kind == CHILD_GATEWAY ? grace_ms : MAX(grace_ms, 2000u));
    }
    return any;
}

static void supervisor_stop_next(struct supervisor *sup)
{
    static const enum child_kind order[] = {CHILD_GATEWAY, CHILD_CONTROL, CHILD_KEEPER,
                                            CHILD_TEMPLATE};
    unsigned grace_ms = (unsigned)json_int(sup->settings, "stop.grace_ms", 10000);

    while (sup->stop_stage < ARRAY_LEN(order)) {
        if (supervisor_stop_kind(sup, order[sup->stop_stage], grace_ms))
            return;
        if (order[sup->stop_stage] == CHILD_GATEWAY)
            isolates_stop(sup, STOP_ISOLATES_MS);
        sup->stop_stage++;
    }
    loop_stop(sup->loop);
}

void supervisor_child_gone(struct child *c)
{
    struct supervisor *sup = c->sup;
    c->ready = false;
    if (c->kind == CHILD_TEMPLATE)
        isolates_lost(sup);
    if (c->kind == CHILD_GATEWAY)
        supervisor_lane_changed(c, false);
    if (c->kind == CHILD_GATEWAY || c->kind == CHILD_CONTROL)
        isolates_kill_owned(sup, c);
    if (sup->stopping)
        supervisor_stop_next(sup);
}

void supervisor_fail(struct supervisor *sup, const char *why)
{
    fprintf(stderr, "selvedge: %s\n", why);
    if (sup->quiet)
        printf("selvedge: %s (%s/logs/selvedge.log)\n", why, sup->data_path);
    sup->failed = true;
    loop_stop(sup->loop);
}

static void supervisor_reap(struct supervisor *sup)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (unsigned i = 0; i < sup->n_children; i++) {
            if (sup->children[i].process.pid == pid)
                child_exited(&sup->children[i], status);
        }
    }
}

/* --- signals --- */

static void supervisor_stop(struct supervisor *sup)
{
    if (sup->stopping) {
        LOG(LOG_WARN, "stopped_hard");
        loop_stop(sup->loop);
        return;
    }
    LOG(LOG_INFO, "stopping");
    sup->stopping = true;
    for (unsigned i = 0; i < sup->n_children; i++)
        timer_stop(&sup->children[i].timer);
    supervisor_stop_next(sup);
}

static void supervisor_reload(struct supervisor *sup)
{
    const struct supervisor_options o = {.config = sup->config_path, .flags = sup->flags};
    struct err err = {0};
    json_t *settings;
    if (settings_load(&o, &settings, &err) < 0) {
        LOG(LOG_ERROR, "settings_refused", F("reason", "%s", err.text));
        return;
    }
    json_release(&sup->settings);
    sup->settings = settings;
    supervisor_add_facts(sup);
    for (unsigned i = 0; i < sup->n_children; i++)
        child_give_settings(&sup->children[i]);
    supervisor_send_table(sup, NULL);
    isolates_refill(sup);
    LOG(LOG_INFO, "reloaded");
}

static void supervisor_on_signal(int number, void *arg)
{
    struct supervisor *sup = arg;
    if (number == SIGCHLD)
        supervisor_reap(sup);
    else if (number == SIGHUP)
        supervisor_reload(sup);
    else
        supervisor_stop(sup);
}

/* --- start and end --- */

static void child_init(struct supervisor *sup, struct child *c, enum child_kind kind, unsigned lane)
{
    *c = (struct child){.sup = sup, .kind = kind, .lane = lane, .name = child_names[kind]};
    c->process.pidfd = c->tail.fd = -1;
    if (kind == CHILD_GATEWAY && sup->n_lanes > 1)
        snprintf(c->title, sizeof(c->title), "%s.%u", c->name, lane);
    else
        snprintf(c->title, sizeof(c->title), "%s", c->name);
}

static void supervisor_start_children(struct supervisor *sup)
{
    sup->n_children = CHILD_GATEWAY + sup->n_lanes;
    for (unsigned i = 0; i < sup->n_children; i++)
        child_init(sup, &sup->children[i], (enum child_kind)MIN(i, (unsigned)CHILD_GATEWAY),
                   i > CHILD_GATEWAY ? i - CHILD_GATEWAY : 0);
    for (unsigned i = 0; i < sup->n_children; i++) {
        if (role_find(sup->children[i].name) != NULL)
            child_start(&sup->children[i]);
    }
}

static void supervisor_raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files); /* the old limit is enough to start with */
}

static int supervisor_open(struct supervisor *sup, const struct supervisor_options *o,
                           struct err *err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    int r = settings_load(o, &sup->settings, err);
    if (r == 0)
        r = data_open(sup, o->data, err);
    if (r < 0)
        return r;
    supervisor_place_log(sup);
    log_init("supervisor", role_log_level(sup->settings));
    /* As the addresses: a change counts from the next start on. */
    sup->n_lanes = (unsigned)json_int(sup->settings, "lanes", 1);
    r = supervisor_listen_all(sup, err);
    if (r < 0)
        return r;
    supervisor_add_facts(sup);
    r = loop_signals(sup->loop, signals, ARRAY_LEN(signals), supervisor_on_signal, sup);
    return r < 0 ? err_set(err, r, 0, "cannot listen for signals") : 0;
}

static void supervisor_close(struct supervisor *sup)
{
    for (unsigned i = 0; i < sup->n_children; i++)
        process_signal(&sup->children[i].process, SIGKILL);
    isolates_lost(sup);
    for (unsigned i = 0; i < sup->n_children; i++) {
        if (sup->children[i].process.pid != 0)
            waitpid(sup->children[i].process.pid, NULL, 0);
    }
    limits_done(sup);
    unlinkat(sup->data_fd, "run.json", 0);
    unlinkat(sup->data_fd, "status.sock", 0);
    json_release(&sup->damaged);
    LOG(LOG_INFO, "stopped");
}

int supervisor_main(const struct supervisor_options *o)
{
    struct supervisor *sup = mem_new(sizeof(*sup));
    struct err err = {0};

    log_init("supervisor", LOG_INFO);
    signal(SIGPIPE, SIG_IGN);
    umask(0022);
    supervisor_raise_limits();
    linked_release();
    sup->loop = loop_create();
    sup->config_path = o->config;
    sup->flags = o->flags;
    sup->started_us = clock_boot_us();
    sup->damaged = json_object();
    sup->data_fd = sup->lock_fd = sup->status_fd = -1;
    memset(sup->listeners, 0xff, sizeof(sup->listeners)); /* -1 */
    isolates_init(sup);
    if (supervisor_open(sup, o, &err) < 0) {
        fprintf(stderr, "selvedge: %s\n", err.text);
        return 1;
    }
    limits_init(sup);
    supervisor_start_children(sup);
    loop_run(sup->loop);
    supervisor_close(sup);
    return sup->failed ? 1 : 0;
}
