/*
 * Memory, ends and their reasons, crash records, the circuit breaker.
 *
 * Memory is looked at every 50 ms, so that the gateway hears "exceededMemory" before the process is gone;
 * a control group, where there is one, stands a quarter above as the limit that no speed outruns.
 */
#include "role/supervisor.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/id.h"
#include "core/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MEMORY_TICK_US = 50 * 1000,
    MEMORY_LOOKS_MAX = 200, /* isolates looked at per tick */
    MEMORY_STANDARD_MB = 128,
    CRASHES_KEPT = 200,
    BREAKER_WINDOW_US = 60 * 1000 * 1000,
    BREAKER_FIRST_S = 5,
    BREAKER_MOST_S = 300
};

struct breaker {
    unsigned n, n_opened;
    int64_t window_us, open_until_us;
};

/* --- memory --- */

static uint64_t isolate_memory(const struct isolate *iso)
{
    size_t shared_kb = 0;
    size_t resident_kb = status_resident_kb(iso->process.pid, &shared_kb);
    return (uint64_t)(resident_kb - MIN(shared_kb, resident_kb)) * 1024;
}

static void isolate_tell_gone(struct isolate *iso, const char *outcome, const char *text)
{
    AUTO(buf_done) struct buf out = {0};
    const struct child *owner = iso->start == NULL ? NULL : iso->start->owner;
    if (owner == NULL || owner->kind != CHILD_GATEWAY || owner->wire == NULL)
        return;
    msg_isolate_gone_pack(&out, &(struct msg_isolate_gone){.isolate = iso->id,
                                                           .outcome = slice_of(outcome),
                                                           .text = slice_of(text)});
    wire_note(owner->wire, 0, OP_isolate_gone, buf_slice(&out), -1);
    wire_flush(owner->wire);
}

static void memory_check(struct isolate *iso)
{
    if (iso->state != ISOLATE_RUNNING || iso->memory_max == 0)
        return;
    uint64_t used = isolate_memory(iso);
    if (used <= iso->memory_max)
        return;
    LOG(LOG_WARN, "memory_exceeded", F("script", "%s", iso->start->script),
        F("version", "%s", iso->start->version), F("bytes", "%" PRIu64, used),
        F("limit", "%" PRIu64, iso->memory_max));
    isolate_tell_gone(iso, "exceededMemory", "");
    isolate_kill(iso, "exceededMemory");
}

static void memory_on_tick(struct timer *t)
{
    struct supervisor *sup = CONTAINER_OF(t, struct supervisor, watch_memory);
    size_t n = MIN(sup->n_isolates, (size_t)MEMORY_LOOKS_MAX);
    struct link *at = sup->memory_at == NULL ? sup->isolates.next : sup->memory_at;
    while (n > 0) {
        if (at == &sup->isolates) {
            at = at->next;
            continue;
        }
        memory_check(LIST_ENTRY(at, struct isolate, link));
        at = at->next;
        n--;
    }
    sup->memory_at = at;
    timer_start(sup->loop, t, MEMORY_TICK_US, memory_on_tick);
}

void limits_init(struct supervisor *sup)
{
    struct err text = {0};
    if (cgroup_open(&sup->cgroup, &text) < 0)
        LOG(LOG_WARN, "cgroup", F("reason", "%s", text.text));
    else
        LOG(LOG_INFO, "cgroup", F("use", "%s", cgroup_describe(sup->cgroup)));
    timer_start(sup->loop, &sup->watch_memory, MEMORY_TICK_US, memory_on_tick);
}

void limits_done(struct supervisor *sup)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(&sup->breakers, &at, &key, &value))
        free(value);
    map_done(&sup->breakers);
    timer_stop(&sup->watch_memory);
    cgroup_close(sup->cgroup);
    sup->cgroup = NULL;
}

static void isolate_group_name(const struct isolate *iso, char name[CGROUP_NAME_MAX])
{
    snprintf(name, CGROUP_NAME_MAX, "i%" PRIu64, iso->id);
}

/* While nobody waits for it: moving a process into a group is slow. */
void limits_isolate_born(struct isolate *iso)
{
    char name[CGROUP_NAME_MAX];
    if (iso->sup->cgroup == NULL)
        return;
    isolate_group_name(iso, name);
    int r = cgroup_add(iso->sup->cgroup, name, iso->process.pid);
    iso->grouped = r == 0;
    if (r < 0 && r != -ESRCH)
        LOG(LOG_WARN, "cgroup_refused", F("error", "%d", -r));
}

void limits_isolate_assigned(struct isolate *iso)
{
    char name[CGROUP_NAME_MAX];
    const json_t *limits = json_object_get(iso->start->spec, "limits");
    int64_t own_mb = json_int(limits, "memory_mb", MEMORY_STANDARD_MB);
    int64_t base_mb = json_int(iso->sup->settings, "isolates.memory_base_mb", 64);
    /* A linker holds parser, sources and trees of whole applications. */
    if (iso->start->kind == ISOLATE_LINKER)
        own_mb = 1024;
    iso->memory_max = (uint64_t)(own_mb + base_mb) * 1024 * 1024;
    if (!iso->grouped)
        return;
    isolate_group_name(iso, name);
    int r = cgroup_limit_memory(iso->sup->cgroup, name, iso->memory_max + iso->memory_max / 4);
    if (r < 0)
        LOG(LOG_WARN, "cgroup_refused", F("error", "%d", -r));
}

/* --- crashes --- */

/* Names begin with the time, so the least name is the oldest record. */
static void crashes_make_room(struct supervisor *sup)
{
    char oldest[NAME_MAX + 1] = "";
    size_t n = 0;
    int fd = openat(sup->data_fd, "logs/crashes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL)
        return fd_release(&fd);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        n++;
        if (oldest[0] == '\0' || strcmp(e->d_name, oldest) < 0)
            snprintf(oldest, sizeof(oldest), "%s", e->d_name);
    }
    if (n >= CRASHES_KEPT)
        unlinkat(dirfd(dir), oldest, 0);
    closedir(dir);
}

void crash_record(struct supervisor *sup, json_t *record, struct slice report)
{
    char when[CLOCK_TEXT_SIZE], path[128], id[ID_HEX_SIZE];
    AUTO(buf_done) struct buf text = {0}, out = {0};
    struct wire *control = supervisor_wire(sup, CHILD_CONTROL);

    sup->n_crashed++;
    json_object_set_new(record, "time", json_string(clock_rfc3339(clock_wall_ms(), when)));
    json_object_set_new(record, "version_of_server", json_string(SELVEDGE_VERSION));
    json_print(&text, record);
    LOG(LOG_ERROR, "crash", F("record", "%s", buf_cstr(&text)));
    if (report.len > 0) {
        buf_clear(&text);
        /* Bytes of a dying process are not always UTF-8. */
        json_object_set_new(record, "report", json_stringn_nocheck(report.ptr, report.len));
        json_print(&text, record);
    }
    crashes_make_room(sup);
    snprintf(path, sizeof(path), "logs/crashes/%" PRId64 "-%.8s.json", clock_wall_ms(), id_hex(id));
    int r = file_replace(sup->data_fd, path, buf_slice(&text), 0600);
    if (r < 0)
        LOG(LOG_WARN, "crash_not_recorded", F("error", "%d", -r));
    if (control == NULL)
        return;
    msg_crash_pack(&out, &(struct msg_crash){.json = buf_slice(&text)});
    wire_note(control, 0, OP_crash, buf_slice(&out), -1);
}

static void breaker_key(const struct start *start, struct buf *out)
{
    buf_printf(out, "%s/%s", start->script, start->version);
}

static void breaker_count(struct supervisor *sup, const struct start *start)
{
    AUTO(buf_done) struct buf key = {0};
    int64_t now = clock_boot_us();
    breaker_key(start, &key);
    struct breaker *b = map_get(&sup->breakers, buf_slice(&key));
    if (b == NULL) {
        b = mem_new(sizeof(*b));
        map_put(&sup->breakers, buf_slice(&key), b);
    }
    if (now - b->window_us > BREAKER_WINDOW_US) {
        b->window_us = now;
        b->n = 0;
    }
    if (++b->n < (unsigned)json_int(sup->settings, "breaker.crashes", 3))
        return;
    int64_t wait_s =
        MIN((int64_t)BREAKER_FIRST_S << MIN(b->n_opened, 10u), (int64_t)BREAKER_MOST_S);
    b->n_opened++;
    b->n = 0;
    b->open_until_us = now + wait_s * 1000 * 1000;
    LOG(LOG_ERROR, "breaker_open", F("script", "%s", start->script),
        F("version", "%s", start->version), F("seconds", "%" PRId64, wait_s));
}

int breaker_check(struct supervisor *sup, const struct start *start, struct err *err)
{
    AUTO(buf_done) struct buf key = {0};
    breaker_key(start, &key);
    const struct breaker *b = map_get(&sup->breakers, buf_slice(&key));
    int64_t left_us = b == NULL ? 0 : b->open_until_us - clock_boot_us();
    if (left_us <= 0)
        return 0;
    return err_set(err, -EBUSY, 0,
                   "This Worker crashed again and again; it is started again in %" PRId64
                   " seconds.",
                   left_us / (1000 * 1000) + 1);
}

/* --- ends --- */

static const char *isolate_outcome(struct isolate *iso, int status, bool oom)
{
    static const struct {
        int exit;
        const char *outcome;
    } exits[] = {{ISOLATE_EXIT_OK, "ok"},
                 {ISOLATE_EXIT_LOAD, "exception"},
                 {ISOLATE_EXIT_CPU, "exceededCpu"},
                 {ISOLATE_EXIT_MEMORY, "exceededMemory"}};
    if (iso->why != NULL)
        return iso->why;
    if (oom)
        return "exceededMemory";
    for (size_t i = 0; i < ARRAY_LEN(exits) && WIFEXITED(status); i++) {
        if (exits[i].exit == WEXITSTATUS(status))
            return exits[i].outcome;
    }
    return "crashed";
}

static bool isolate_was_oom(struct isolate *iso)
{
    char name[CGROUP_NAME_MAX];
    if (!iso->grouped)
        return false;
    isolate_group_name(iso, name);
    bool oom = cgroup_oom_kills(iso->sup->cgroup, name) > 0;
    cgroup_remove(iso->sup->cgroup, name);
    return oom;
}

static void isolate_crashed(struct isolate *iso, int status, struct slice report)
{
    const struct start *start = iso->start;
    json_t *record = json_pack(
        "{s:s,s:I,s:i,s:s,s:s,s:s,s:i,s:i,s:I}", "role", "isolate", "isolate", (json_int_t)iso->id,
        "pid", (int)iso->process.pid, "account", start == NULL ? "" : start->account, "script",
        start == NULL ? "" : start->script, "version", start == NULL ? "" : start->version,
        "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0, "exit",
        WIFEXITED(status) ? WEXITSTATUS(status) : -1, "age_ms",
        (json_int_t)((clock_boot_us() - iso->born_us) / 1000));
    crash_record(iso->sup, record, report);
    json_decref(record);
    if (start != NULL && start->kind == ISOLATE_WORKER)
        breaker_count(iso->sup, start);
}

void limits_isolate_ended(struct isolate *iso, int status, struct slice report)
{
    bool oom = isolate_was_oom(iso) && WIFSIGNALED(status);
    const char *outcome = isolate_outcome(iso, status, oom);
    char text[64] = "";
    if (WIFSIGNALED(status))
        snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
    else
        snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(status));
    if (iso->start != NULL)
        isolate_tell_gone(iso, outcome, text);
    if (strcmp(outcome, "crashed") == 0)
        isolate_crashed(iso, status, report);
}
