/*
 * The keeper's process: takes its directory, enters the sandbox, then takes wires from the supervisor.
 *
 * It sees nothing but the directory of its account, as /data.
 */
#include "role/keeper_core.h"

#include "core/file.h"
#include "core/id.h"
#include "core/json.h"
#include "core/log.h"
#include "proc/wire.h"
#include "product/messages.h"
#include "role/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each store has at most one job: as many statements may take their 30 s before others wait. Threads are made when
 * needed. */
enum { KEEPER_THREADS = 64, KEEPER_FILES_MAX = 65536, KEEPER_ID_LEN = 32, KEEPER_BOOT_MAX = 64 };

struct keeper_process {
    struct role_context *rc; /* borrowed */
    struct keeper *keeper;   /* owned, from run() on */
    struct timer grace;
    char boot[KEEPER_BOOT_MAX];
    char source[SANDBOX_PATH_MAX]; /* the account's directory as the machine sees it */
};

/* The file DATA/account is made by whoever of keeper and control comes first; a link makes that exclusive. */
static int keeper_account_make(int data_fd)
{
    char id[ID_HEX_SIZE], name[64];
    snprintf(name, sizeof(name), "account.%d", (int)getpid());
    int r = file_replace(data_fd, name, slice_of(id_hex(id)), 0600);
    if (r < 0)
        return r;
    r = linkat(data_fd, name, data_fd, "account", 0) < 0 && errno != EEXIST ? -errno : 0;
    unlinkat(data_fd, name, 0);
    return r;
}

static int keeper_account_read(int data_fd, char ret[ID_HEX_SIZE])
{
    AUTO(buf_done) struct buf text = {0};
    int r = file_read(data_fd, "account", 256, &text);
    if (r < 0)
        return r;
    struct slice id = slice_trim(buf_slice(&text));
    return id_is_hex(id, KEEPER_ID_LEN) ? slice_to_cstr(id, ret, ID_HEX_SIZE) : -EBADMSG;
}

static int keeper_dirs(struct keeper_process *p, const char *account)
{
    static const char *const kinds[] = {"kv", "d1", "r2", "durable"};
    int data_fd = p->rc->data_fd;
    char path[128], data[SANDBOX_PATH_MAX - 64], link[64];
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        snprintf(path, sizeof(path), "accounts/%s/%s", account, kinds[i]);
        int r = file_make_dirs(data_fd, path, 0755);
        if (r < 0)
            return r;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", data_fd);
    ssize_t n = readlink(link, data, sizeof(data) - 1);
    if (n <= 0 || (size_t)n >= sizeof(data) - 1)
        return n < 0 ? -errno : -E2BIG;
    data[n] = 0;
    n = snprintf(p->source, sizeof(p->source), "%s/accounts/%s", data, account);
    return (size_t)n < sizeof(p->source) ? 0 : -E2BIG;
}

/* The machine's number for this start of it: with another one the kernel's memory is gone. */
static int keeper_boot_read(char ret[KEEPER_BOOT_MAX])
{
    AUTO(buf_done) struct buf text = {0};
    int r = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256, &text);
    return r < 0 ? r : slice_to_cstr(slice_trim(buf_slice(&text)), ret, KEEPER_BOOT_MAX);
}

static int keeper_setup(struct role_context *rc, struct err *err)
{
    struct keeper_process *p = mem_new(sizeof(*p));
    char account[ID_HEX_SIZE];
    rc->state = p;
    p->rc = rc;
    umask(022);
    int r = keeper_account_read(rc->data_fd, account);
    if (r == -ENOENT) {
        r = keeper_account_make(rc->data_fd);
        if (r == 0)
            r = keeper_account_read(rc->data_fd, account);
    }
    if (r < 0)
        return err_set(err, r, 0, "the file account in the data directory cannot be read (%d)", r);
    r = keeper_boot_read(p->boot);
    if (r < 0)
        return err_set(err, r, 0, "the machine does not tell its boot_id (%d)", r);
    r = keeper_dirs(p, account);
    return r < 0 ? err_set(err, r, 0, "the account's directories cannot be made (%d)", r) : 0;
}

static void keeper_sandbox(struct role_context *rc, struct sandbox *s)
{
    const struct keeper_process *p = rc->state;
    s->profile = SANDBOX_KEEPER;
    s->n_files = KEEPER_FILES_MAX;
    sandbox_mount_add(s, p->source, "/data", SANDBOX_WRITE);
    sandbox_mount_add(s, "/dev/urandom", "/dev/urandom", SANDBOX_DEVICE);
}

/* `selvedge status` shows it. */
static void keeper_on_damage(void *arg, struct slice store, struct slice reason)
{
    const struct role_context *rc = arg;
    AUTO(buf_done) struct buf out = {0};
    msg_store_damaged_pack(&out, &(struct msg_store_damaged){.store = store, .reason = reason});
    wire_note(rc->supervisor, 0, OP_store_damaged, buf_slice(&out), -1);
}

static int keeper_run(struct role_context *rc, struct err *err)
{
    struct keeper_process *p = rc->state;
    struct keeper_options options = {.root = "/data",
                                     .boot = p->boot,
                                     .n_threads = KEEPER_THREADS,
                                     .damaged = keeper_on_damage,
                                     .damaged_arg = rc};
    int r = keeper_create(rc->loop, &options, &p->keeper, err);
    if (r < 0)
        return r;
    int fd = role_take_fd(rc, "wire.control");
    if (fd >= 0)
        keeper_add_control(p->keeper, fd);
    for (unsigned lane = 0; lane < PLACEMENT_LANES_MAX; lane++) {
        fd = role_take_lane_fd(rc, "wire.gateway.", lane);
        if (fd >= 0)
            keeper_add_gateway(p->keeper, lane, fd);
    }
    keeper_alarms_load(p->keeper);
    r = file_remove_tree(AT_FDCWD, "/data/.backup"); /* of a backup that was cut off */
    if (r < 0)
        LOG(LOG_WARN, "backup_rest_stays", F("reason", "%d", r));
    return 0;
}

static void keeper_attach(struct keeper_process *p, struct slice args, int fd)
{
    struct msg_isolate_attach m;
    CHECK(msg_isolate_attach_unpack(args, &m) == 0 && fd >= 0);
    int r = keeper_add_isolate(p->keeper, fd, m.isolate, m.spec);
    if (r < 0)
        LOG(LOG_WARN, "keeper_attach_refused", F("isolate", "%llu", (unsigned long long)m.isolate),
            F("reason", "%d", r));
}

static void keeper_new_wire(struct keeper_process *p, struct slice args, int fd)
{
    struct msg_role_fd m;
    unsigned lane;
    CHECK(msg_role_fd_unpack(args, &m) == 0 && fd >= 0);
    if (slice_eq(m.name, SLICE("wire.control")))
        keeper_add_control(p->keeper, TAKE_FD(fd));
    else if (role_name_lane(m.name, "wire.gateway.", &lane))
        keeper_add_gateway(p->keeper, lane, TAKE_FD(fd));
    fd_release(&fd);
}

static void keeper_lanes(struct keeper_process *p, struct slice args)
{
    struct msg_lanes m;
    CHECK(msg_lanes_unpack(args, &m) == 0);
    keeper_set_lanes(p->keeper, &(struct lane_table){m.revision, m.live, m.first});
}

static void keeper_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args, int fd)
{
    struct role_context *rc = wire_user(w);
    struct keeper_process *p = rc->state;
    (void)stream_id;
    switch (op) {
    case OP_isolate_attach:
        keeper_attach(p, args, TAKE_FD(fd));
        break;
    case OP_role_fd: /* control or a gateway was started */
        keeper_new_wire(p, args, TAKE_FD(fd));
        break;
    case OP_lanes:
        keeper_lanes(p, args);
        break;
    default:
        break;
    }
    fd_release(&fd);
}

static const struct wire_events keeper_supervisor_events = {.note = keeper_note};

static void keeper_finished(void *arg)
{
    struct keeper_process *p = arg;
    timer_stop(&p->grace);
    role_finished(p->rc);
}

static void keeper_on_grace(struct timer *t)
{
    role_finished(CONTAINER_OF(t, struct keeper_process, grace)->rc);
}

static void keeper_stop(struct role_context *rc, unsigned grace_ms)
{
    struct keeper_process *p = rc->state;
    timer_start(rc->loop, &p->grace, (int64_t)grace_ms * 1000, keeper_on_grace);
    keeper_drain(p->keeper, keeper_finished, p);
}

const struct role role_keeper = {
    .name = "keeper",
    .setup = keeper_setup,
    .sandbox = keeper_sandbox,
    .run = keeper_run,
    .events = &keeper_supervisor_events,
    .stop = keeper_stop,
    .restart = true,
    .n_threads = KEEPER_THREADS,
};
