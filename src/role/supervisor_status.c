/*
 * What `selvedge status` shows: one JSON object, to whoever connects to DATA/status.sock (mode 0600).
 */
#include "role/supervisor.h"

#include "core/clock.h"
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { STATUS_ISOLATES_MAX = 200, STATUS_DAMAGED_MAX = 100, STATUS_STORE_MAX = 256 };

size_t status_resident_kb(pid_t pid, size_t *ret_shared_kb)
{
    char path[64], text[128];
    unsigned long size, resident, shared;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    AUTO(fd_release) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    if (sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3)
        return 0;
    size_t page_kb = (size_t)sysconf(_SC_PAGESIZE) / 1024;
    if (ret_shared_kb != NULL)
        *ret_shared_kb = shared * page_kb;
    return resident * page_kb;
}

static json_int_t status_seconds_since(int64_t us)
{
    return (json_int_t)((clock_boot_us() - us) / (1000 * 1000));
}

static json_t *status_roles(struct supervisor *sup)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < sup->n_children; i++) {
        const struct child *c = &sup->children[i];
        bool runs = c->process.pid != 0;
        json_array_append_new(
            list,
            json_pack("{s:s,s:i,s:b,s:i,s:I,s:I}", "role", c->title, "pid", (int)c->process.pid,
                      "ready", (int)(runs && c->ready), "restarts", (int)c->n_restarts, "uptime_s",
                      runs ? status_seconds_since(c->started_us) : 0, "memory_kb",
                      (json_int_t)(runs ? status_resident_kb(c->process.pid, NULL) : 0)));
    }
    return list;
}

static json_t *status_isolate(const struct isolate *iso)
{
    static const char *const states[] = {"forking", "spare", "starting", "running", "ending"};
    size_t shared_kb = 0;
    size_t resident_kb = status_resident_kb(iso->process.pid, &shared_kb);
    return json_pack("{s:I,s:s,s:i,s:s,s:s,s:I,s:I,s:I,s:I}", "id", (json_int_t)iso->id, "state",
                     states[iso->state], "pid", (int)iso->process.pid, "script",
                     iso->start == NULL ? "" : iso->start->script, "version",
                     iso->start == NULL ? "" : iso->start->version, "age_s",
                     status_seconds_since(iso->born_us), "memory_kb", (json_int_t)resident_kb,
                     "private_kb", (json_int_t)(resident_kb - MIN(resident_kb, shared_kb)),
                     "limit_kb", (json_int_t)(iso->memory_max / 1024));
}

static json_t *status_isolates(struct supervisor *sup)
{
    json_t *list = json_array();
    LIST_FOR (l, &sup->isolates) {
        if (json_array_size(list) == STATUS_ISOLATES_MAX)
            break;
        json_array_append_new(list, status_isolate(LIST_ENTRY(l, struct isolate, link)));
    }
    return list;
}

int status_on_damaged(struct child *c, struct slice args)
{
    struct msg_store_damaged m;
    char store[STATUS_STORE_MAX];
    if (msg_store_damaged_unpack(args, &m) < 0 || slice_to_cstr(m.store, store, sizeof(store)) < 0)
        return -EBADMSG;
    if (m.reason.len == 0)
        json_object_del(c->sup->damaged, store);
    else if (json_object_size(c->sup->damaged) < STATUS_DAMAGED_MAX)
        json_object_set_new(c->sup->damaged, store, json_stringn(m.reason.ptr, m.reason.len));
    return 0;
}

static json_t *status_damaged(const struct supervisor *sup)
{
    json_t *list = json_array();
    const char *store;
    json_t *reason;
    json_object_foreach(sup->damaged, store, reason)
        json_array_append_new(list, json_pack("{s:s,s:O,s:s}", "store", store, "reason", reason,
                                              "next", "restore it from a backup, or delete it"));
    return list;
}

json_t *status_json(struct supervisor *sup)
{
    return json_pack(
        "{s:s,s:i,s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:o,s:o,s:{s:I,s:I,s:I,s:I,s:I,s:o}}", "version",
        SELVEDGE_VERSION, "pid", (int)getpid(), "uptime_s", status_seconds_since(sup->started_us),
        "data", sup->data_path, "workers", sup->addresses[LISTEN_HTTP], "https",
        sup->addresses[LISTEN_HTTPS], "api", sup->addresses[LISTEN_API], "domain",
        json_str(sup->settings, "domain", ""), "cgroup",
        sup->cgroup == NULL ? "none; memory is polled" : cgroup_describe(sup->cgroup), "stopping",
        (int)sup->stopping, "roles", status_roles(sup), "damaged", status_damaged(sup), "isolates",
        "alive", (json_int_t)sup->n_isolates, "spares", (json_int_t)sup->n_spares, "waiting",
        (json_int_t)sup->n_starts, "started", (json_int_t)sup->n_started, "crashed",
        (json_int_t)sup->n_crashed, "list", status_isolates(sup));
}

int status_on_get(struct child *c, struct wire_stream *s, UNUSED struct slice args)
{
    static const struct wire_stream_events ignore = {0};
    AUTO(json_release) json_t *status = status_json(c->sup);
    AUTO(buf_done) struct buf text = {0}, out = {0};
    json_print(&text, status);
    msg_status_is_pack(&out, &(struct msg_status_is){.json = buf_slice(&text)});
    wire_stream_own(s, &ignore, NULL);
    wire_reply(s, buf_slice(&out), -1, true);
    wire_stream_close(s, 0);
    return 0;
}

/* The answer is small enough for the socket's buffer, so nobody can make us wait. */
static void status_on_ready(struct watch *w, UNUSED uint32_t events)
{
    struct supervisor *sup = CONTAINER_OF(w, struct supervisor, status_watch);
    AUTO(fd_release) int fd = accept4(sup->status_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    AUTO(buf_done) struct buf text = {0};
    if (fd < 0)
        return;
    AUTO(json_release) json_t *status = status_json(sup);
    json_print(&text, status);
    buf_append_char(&text, '\n');
    ssize_t n = send(fd, buf_slice(&text).ptr, buf_len(&text), MSG_NOSIGNAL);
    (void)n; /* who does not read to the end asks again */
}

int status_listen(struct supervisor *sup, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    /* A path of any length fits through the descriptor. */
    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/status.sock", sup->data_fd);
    unlinkat(sup->data_fd, "status.sock", 0);
    mode_t old = umask(0177);
    AUTO(fd_release) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r =
        fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0 ? -errno : 0;
    umask(old);
    if (r < 0)
        return err_set(err, r, 0, "cannot make status.sock in the data directory: %s",
                       strerror(-r));
    sup->status_fd = TAKE_FD(fd);
    watch_start(sup->loop, &sup->status_watch, sup->status_fd, EPOLLIN, status_on_ready);
    return 0;
}
