/*
 * The gateway role: the only process that hears the internet. It runs no tenant code and parses no
 * tenant files; what it serves from disk are assets by hash and manifests that control wrote.
 */
#include "role/gateway.h"

#include "core/file.h"
#include "core/log.h"
#include "net/tls.h"
#include "product/messages.h"
#include "role/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RETIRE_EVERY_US = 5 * 1000 * 1000,
    KEY_FILE_MAX = 64 * 1024,
    AUTHORITIES_FILE_MAX = 1024 * 1024
};

static struct gateway *gateway_of(struct role_context *rc)
{
    return rc->state;
}

struct tls_files {
    struct tls_context *context;
};

/* The server's certificate: the one of the settings, or one from the local authority. */
static int setup_tls(struct role_context *rc, struct tls_context **ret, struct err *err)
{
    AUTO(fd_release) int keys = -1;
    AUTO(buf_done) struct buf certificate = {0}, key = {0};
    const char *cert_path = json_str(rc->settings, "tls.certificate", "");
    const char *key_path = json_str(rc->settings, "tls.key", "");
    const char *domain = json_str(rc->settings, "domain", "localhost");
    bool own = cert_path[0] == '\0';

    if (mkdirat(rc->data_fd, "keys", 0700) < 0 && errno != EEXIST)
        return err_set(err, -errno, 0, "cannot make the directory keys/ in the data directory: %m");
    keys = openat(rc->data_fd, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (keys < 0)
        return err_set(err, -errno, 0, "cannot open keys/ in the data directory: %m");
    if (own) {
        int r = tls_authority_ensure(keys, domain, err);
        if (r < 0)
            return r;
        cert_path = "server.crt";
        key_path = "server.key";
    }
    int r = file_read(keys, cert_path, KEY_FILE_MAX, &certificate);
    if (r == 0)
        r = file_read(keys, key_path, KEY_FILE_MAX, &key);
    if (r < 0)
        return err_set(err, r, 0, "cannot read the certificate %s or its key %s", cert_path,
                       key_path);
    r = tls_context_create(buf_slice(&certificate), buf_slice(&key), ret, err);
    return r < 0 || !own ? r : tls_context_names(*ret, keys, domain, err);
}

/* What the gateway reads while it runs; mounted read-only, opened in the sandbox. */
static const char *const readable_data[] = {"workers", "assets"};

enum { GATEWAY_THREADS = 2 };

static int setup_files(struct gateway *g, struct err *err)
{
    struct role_context *rc = g->rc;

    for (size_t i = 0; i < ARRAY_LEN(readable_data); i++) {
        int r = file_make_dirs(rc->data_fd, readable_data[i], 0755);
        if (r < 0)
            return err_set(err, r, 0, "cannot make %s/ in the data directory", readable_data[i]);
    }
    int r = file_make_dirs(rc->data_fd, "cache", 0700);
    if (r < 0)
        return err_set(err, r, 0, "cannot make cache/ in the data directory");
    if (!json_bool(rc->settings, "access_log", true))
        return 0;
    if (mkdirat(rc->data_fd, "logs", 0700) < 0 && errno != EEXIST)
        return err_set(err, -errno, 0, "cannot make logs/ in the data directory: %m");
    int fd =
        openat(rc->data_fd, "logs/access.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, -errno, 0, "cannot open logs/access.log: %m");
    g->access = access_log_open(rc->loop, fd);
    return 0;
}

/* Read while the path is still the machine's. */
static int setup_authorities(struct gateway *g, struct err *err)
{
    const char *path = json_str(g->rc->settings, "egress.authorities", "");

    if (path[0] == '\0')
        return 0;
    int r = file_read(AT_FDCWD, path, AUTHORITIES_FILE_MAX, &g->authorities);
    return r < 0 ? err_set(err, r, 0, "cannot read the authorities of egress.authorities: %s", path)
                 : 0;
}

static int setup_server(struct gateway *g, struct err *err)
{
    struct role_context *rc = g->rc;

    g->server = http_server_create(&(struct http_server_options){
        .loop = rc->loop,
        .events = &gateway_http_events,
        .arg = g,
        .limits.body_max = (uint64_t)json_int(rc->settings, "http.body_max", 0),
    });
    if (json_str(rc->settings, "https", "")[0] != '\0') {
        int r = setup_tls(rc, &g->tls, err);
        if (r < 0)
            return r;
    }
    lanes_listen(g);
    return 0;
}

struct gateway *gateway_create(struct role_context *rc)
{
    struct gateway *g = mem_new(sizeof(*g));

    rc->state = g;
    g->rc = rc;
    g->loop = rc->loop;
    g->workers_fd = g->assets_fd = g->cache_fd = -1;
    list_init(&g->isolates);
    gateway_sockets_start(g);
    list_init(&g->orphans);
    g->isolate_idle_us = json_int(rc->settings, "isolates.idle_s", 300) * 1000 * 1000;
    lanes_setup(g);
    long cores = sysconf(_SC_NPROCESSORS_ONLN) / (long)g->lanes.n; /* of this lane */
    g->isolates_per_worker =
        (unsigned)json_int(rc->settings, "isolates.per_worker", MAX(cores, 1L));
    return g;
}

static int gateway_setup(struct role_context *rc, struct err *err)
{
    struct gateway *g = gateway_create(rc);
    lanes_take(g);
    int r = setup_files(g, err);
    if (r == 0)
        r = setup_authorities(g, err);
    return r < 0 ? r : setup_server(g, err);
}

/* Names are resolved, and certificates checked, with the machine's own files. */
static void gateway_sandbox(struct role_context *rc, struct sandbox *s)
{
    static const char *const readable[] = {"/etc/resolv.conf",           "/etc/hosts",
                                           "/etc/nsswitch.conf",         "/etc/ssl",
                                           "/usr/share/ca-certificates", "/usr/lib/ssl"};

    s->profile = SANDBOX_GATEWAY;
    s->network = true;
    s->n_files = 65536;
    for (size_t i = 0; i < ARRAY_LEN(readable); i++)
        if (access(readable[i], R_OK) == 0)
            sandbox_mount_add(s, readable[i], readable[i], SANDBOX_READ);
    for (size_t i = 0; i < ARRAY_LEN(readable_data); i++)
        role_mount(rc, s, readable_data[i], SANDBOX_READ);
    role_mount(rc, s, "cache", SANDBOX_WRITE);
    sandbox_mount_add(s, "/dev/urandom", "/dev/urandom", SANDBOX_DEVICE);
}

/* --- control --- */

static void watch_script(struct gateway *g, struct slice args)
{
    struct msg_tail_watch m;

    if (msg_tail_watch_unpack(args, &m) < 0)
        return;
    if (m.on)
        map_put(&g->watched, m.script, g);
    else
        map_remove(&g->watched, m.script);
}

static void control_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op, struct slice args,
                         int fd)
{
    fd_release(&fd);
    if (op == OP_tail_watch)
        watch_script(wire_user(w), args);
}

static void cron_done(void *arg, struct slice outcome)
{
    struct wire_stream *s = arg;
    AUTO(buf_done) struct buf out = {0};

    msg_outcome_pack(&out, &(struct msg_outcome){.outcome = outcome});
    wire_reply(s, buf_slice(&out), -1, true);
    wire_stream_close(s, 0);
}

static void control_purge(struct gateway *g, struct wire_stream *s, struct slice args)
{
    AUTO(buf_done) struct buf out = {0}, outcome = {0};
    struct msg_cache_purge m;

    if (msg_cache_purge_unpack(args, &m) == 0)
        cache_purge_run(g, m.json, &outcome);
    msg_outcome_pack(&out, &(struct msg_outcome){.outcome = buf_slice(&outcome)});
    wire_reply(s, buf_slice(&out), -1, true);
    wire_stream_close(s, 0);
}

static void control_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                         int fd, bool end UNUSED)
{
    struct gateway *g = wire_user(w);
    struct msg_cron_run m;
    static const struct wire_stream_events ignore = {0};

    fd_release(&fd);
    if (op == OP_cache_purge) {
        control_purge(g, s, args);
        return;
    }
    if (op == OP_object_query) {
        gateway_query(g, s, args);
        return;
    }
    struct script *script = NULL;
    if (op == OP_cron_run && msg_cron_run_unpack(args, &m) == 0)
        script = table_script(g->table, m.script);
    struct worker *worker = script == NULL ? NULL : script_pick(script);
    if (worker == NULL || !worker_has_code(worker)) {
        /* A table that has not come yet says nothing about what there is: control asks again. */
        wire_stream_close(s, g->table == NULL ? -EAGAIN : -ENOENT);
        return;
    }
    wire_stream_own(s, &ignore, NULL);
    gateway_scheduled(g, worker, m.scheduled_ms, m.cron, cron_done, s);
}

static void control_closed(struct wire *w, int reason UNUSED)
{
    struct gateway *g = wire_user(w);

    map_done(&g->watched);
    g->watched = (struct map){0};
    g->control = NULL;
    wire_destroy(w);
}

static const struct wire_events control_events = {control_open, control_note, control_closed};

/* --- supervisor --- */

static void note_table(struct gateway *g, struct slice args)
{
    struct msg_table m;
    struct err err = {0};

    CHECK(msg_table_unpack(args, &m) == 0);
    if (table_load(g, m.json, &err) < 0) {
        LOG(LOG_ERROR, "table_refused", F("reason", "%s", err.text));
        return;
    }
    hibernations_check(g);
    LOG(LOG_INFO, "table", F("revision", "%llu", (unsigned long long)m.revision));
    if (g->control == NULL)
        return;
    AUTO(buf_done) struct buf out = {0};
    msg_table_applied_pack(&out, &(struct msg_table_applied){.revision = m.revision});
    wire_note(g->control, 0, OP_table_applied, buf_slice(&out), -1);
}

static void supervisor_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op,
                            struct slice args, int fd)
{
    struct gateway *g = gateway_of(wire_user(w));
    struct msg_isolate_gone gone;
    struct msg_role_fd named;
    struct msg_lanes lanes;
    unsigned lane;

    switch (op) {
    case OP_table:
        note_table(g, args);
        break;
    case OP_lanes:
        CHECK(msg_lanes_unpack(args, &lanes) == 0);
        lanes_changed(g, &(struct lane_table){lanes.revision, lanes.live, lanes.first});
        break;
    case OP_isolate_gone:
        CHECK(msg_isolate_gone_unpack(args, &gone) == 0);
        isolate_gone(g, gone.isolate, gone.outcome, gone.text);
        break;
    case OP_role_fd: /* a peer was started: the new wire to it */
        CHECK(msg_role_fd_unpack(args, &named) == 0);
        if (slice_eq(named.name, SLICE("wire.control"))) {
            gateway_attach_control(g, TAKE_FD(fd));
        } else if (slice_eq(named.name, SLICE("wire.keeper")) && fd >= 0) {
            gateway_keeper_attach(g, TAKE_FD(fd));
        } else if (role_name_lane(named.name, "wire.lane.", &lane) && fd >= 0) {
            lane_attach(g, lane, TAKE_FD(fd));
        }
        break;
    default:
        break;
    }
    fd_release(&fd);
}

static const struct wire_events supervisor_events = {.note = supervisor_note};

/* --- running --- */

static void retire_tick(struct timer *t)
{
    struct gateway *g = CONTAINER_OF(t, struct gateway, retire_timer);

    links_retire_idle(g);
    timer_start(g->loop, &g->retire_timer, RETIRE_EVERY_US, retire_tick);
}

void gateway_attach_control(struct gateway *g, int fd)
{
    if (g->control != NULL)
        wire_destroy(g->control);
    g->control = wire_create(g->loop, fd, 0, &control_events, g);
}

void cache_begin(struct gateway *g)
{
    const json_t *settings = g->rc->settings;

    g->cache = cache_create(g->loop, g->pool, TAKE_FD(g->cache_fd),
                            &(struct cache_limits){
                                .disk_max = json_int(settings, "cache.disk_max", 0),
                                .memory_max = json_int(settings, "cache.memory_max", 0),
                                .object_max = json_int(settings, "cache.object_max", 0),
                                .entries_max = (size_t)json_int(settings, "cache.entries_max", 0),
                            });
}

void gateway_begin(struct gateway *g, int cache_fd)
{
    g->pool = work_pool_create(g->loop, GATEWAY_THREADS);
    g->cache_fd = cache_fd;
    if (g->lanes.n == 1)
        cache_begin(g);
    g->client = http_client_create(&(struct http_client_options){
        .loop = g->loop,
        .allow_private = json_bool(g->rc->settings, "egress.allow_private", false),
        .authorities_pem = buf_cstr(&g->authorities),
    });
    buf_done(&g->authorities);
    timer_start(g->loop, &g->retire_timer, RETIRE_EVERY_US, retire_tick);
}

static int gateway_run(struct role_context *rc, struct err *err)
{
    struct gateway *g = gateway_of(rc);
    int control = role_take_fd(rc, "wire.control");

    g->workers_fd = open("/data/workers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g->assets_fd = open("/data/assets", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int cache = open("/data/cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (g->workers_fd < 0 || g->assets_fd < 0 || cache < 0)
        return err_set(err, -errno, 0,
                       "cannot open workers/, assets/ and cache/ in the sandbox: %m");
    gateway_begin(g, cache);
    lanes_start(g);
    if (control >= 0)
        gateway_attach_control(g, control);
    int keeper = role_take_fd(rc, "wire.keeper");
    if (keeper >= 0)
        gateway_keeper_attach(g, keeper);
    return 0;
}

static void gateway_drained(void *arg)
{
    lanes_drained(arg);
}

static void gateway_stop(struct role_context *rc, unsigned grace_ms UNUSED)
{
    struct gateway *g = gateway_of(rc);

    g->stopping = true;
    gateway_sockets_stop(g);
    http_server_drain(g->server, gateway_drained, g);
}

const struct role role_gateway = {
    .name = "gateway",
    .setup = gateway_setup,
    .sandbox = gateway_sandbox,
    .run = gateway_run,
    .events = &supervisor_events,
    .stop = gateway_stop,
    .restart = true,
    .n_threads = GATEWAY_THREADS,
};
