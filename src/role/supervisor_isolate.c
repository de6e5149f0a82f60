/*
 * From a blank isolate to one that runs a version:
 *
 *     FORKING --spare_made--> SPARE --grant--> GRANTING --granted--> RUNNING --> DYING --reaped--> (gone)
 *
 * A start takes the oldest spare, which has had the most time to warm up. Spares are made again a moment
 * later, so that forking does not compete with the start that just took one. A start that finds none warm
 * doubles the number of spares that are kept; calm halves it again.
 */
#include "role/supervisor.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    REFILL_DELAY_US = 30 * 1000,
    REFILL_AT_ONCE = 2,
    SPARES_BURST = 4, /* times the setting */
    CALM_US = 5 * 1000 * 1000,
    BROKEN_DELAY_US = 1000 * 1000,
    DROP_GRACE_US = 5 * 1000 * 1000
};

struct wire *supervisor_wire(struct supervisor *sup, enum child_kind kind)
{
    return sup->children[kind].wire;
}

/* --- isolates --- */

static struct isolate *isolate_find(struct supervisor *sup, uint64_t id)
{
    return map_get_u64(&sup->isolate_by_id, id);
}

static void isolate_on_control_closed(struct wire *w, UNUSED int reason)
{
    struct isolate *iso = wire_user(w);
    iso->wire = NULL;
    wire_destroy(w); /* its death follows and is reported by the template */
}

static void isolate_no_spare(struct isolate *iso)
{
    iso->sup->n_spares--;
    if (!iso->warm)
        iso->sup->n_warming--;
}

static void isolate_on_control_note(struct wire *w, UNUSED uint32_t stream_id, uint16_t op,
                                    UNUSED struct slice args, int fd)
{
    struct isolate *iso = wire_user(w);
    fd_release(&fd);
    /* It has nothing more to say to us; a hostile one shall not be able to keep us busy. */
    wire_pause(w, true);
    if (op != OP_role_ready || iso->warm)
        return;
    if (iso->state <= ISOLATE_SPARE)
        iso->sup->n_warming--;
    iso->warm = true;
    isolates_refill(iso->sup);
}

static const struct wire_events isolate_control_events = {.note = isolate_on_control_note,
                                                          .closed = isolate_on_control_closed};

static void spare_make(struct supervisor *sup)
{
    AUTO(buf_done) struct buf out = {0};
    int ends[2];
    struct wire *template = supervisor_wire(sup, CHILD_TEMPLATE);
    if (spawn_pair(ends) < 0)
        return;
    struct isolate *iso = mem_new(sizeof(*iso));
    iso->sup = sup;
    iso->id = ++sup->next_isolate;
    iso->process.pidfd = -1;
    iso->born_us = clock_boot_us();
    iso->wire = wire_create(sup->loop, ends[0], 0, &isolate_control_events, iso);
    list_push_back(&sup->isolates, &iso->link);
    map_put_u64(&sup->isolate_by_id, iso->id, iso);
    sup->n_isolates++;
    sup->n_spares++;
    sup->n_warming++;
    msg_spare_make_pack(&out, &(struct msg_spare_make){.isolate = iso->id});
    wire_note(template, 0, OP_spare_make, buf_slice(&out), ends[1]);
}

static size_t spares_standard(const struct supervisor *sup)
{
    return (size_t)json_int(sup->settings, "isolates.spares", 2);
}

void isolates_refill(struct supervisor *sup)
{
    size_t wanted = MAX(spares_standard(sup), sup->spares_wanted) + sup->n_starts;
    size_t most = (size_t)json_int(sup->settings, "isolates.most", 1000);
    if (sup->stopping || supervisor_wire(sup, CHILD_TEMPLATE) == NULL ||
        !sup->children[CHILD_TEMPLATE].ready)
        return;
    /* Warming up takes a core for a while: more at once would only make each of them late. */
    size_t at_once = REFILL_AT_ONCE + sup->n_starts;
    while (sup->n_spares < wanted && sup->n_isolates < most && sup->n_warming < at_once)
        spare_make(sup);
}

static void isolates_on_refill(struct timer *t)
{
    isolates_refill(CONTAINER_OF(t, struct supervisor, refill));
}

void isolates_init(struct supervisor *sup)
{
    list_init(&sup->isolates);
    list_init(&sup->starts);
}

/* Everything that ends it ends here. The process is dead, or never was. */
static void isolate_free(struct isolate *iso)
{
    struct supervisor *sup = iso->sup;
    if (sup->memory_at == &iso->link)
        sup->memory_at = iso->link.next;
    list_remove(&iso->link);
    map_remove_u64(&sup->isolate_by_id, iso->id);
    sup->n_isolates--;
    if (iso->state <= ISOLATE_SPARE)
        isolate_no_spare(iso);
    timer_stop(&iso->kill_timer);
    if (iso->grant != NULL)
        wire_stream_close(iso->grant, -ECANCELED);
    if (iso->wire != NULL)
        wire_destroy(iso->wire);
    start_free(iso->start);
    process_done(&iso->process);
    free(iso);
}

int isolate_on_made(struct child *c, struct slice args)
{
    struct supervisor *sup = c->sup;
    struct msg_spare_made m;
    if (msg_spare_made_unpack(args, &m) < 0)
        return -EBADMSG;
    struct isolate *iso = isolate_find(sup, m.isolate);
    if (iso == NULL)
        return 0;
    iso->process = process_of((pid_t)m.pid);
    if (m.result < 0) {
        LOG(LOG_ERROR, "spare_failed", F("error", "%" PRId64, -m.result));
        if (m.pid == 0)
            isolate_free(iso);
        /* The reaped note follows; no new one at once, or a broken machine would fork for ever. */
        timer_start(sup->loop, &sup->refill, BROKEN_DELAY_US, isolates_on_refill);
        return 0;
    }
    iso->state = ISOLATE_SPARE;
    limits_isolate_born(iso);
    if (!list_empty(&sup->starts))
        start_go(LIST_ENTRY(sup->starts.next, struct start, link));
    return 0;
}

/* --- assignment --- */

static void isolate_send_wire(struct isolate *iso, uint8_t which, int fd)
{
    AUTO(buf_done) struct buf out = {0};
    if (iso->wire == NULL)
        return fd_release(&fd);
    msg_isolate_wire_pack(&out, &(struct msg_isolate_wire){.which = which});
    wire_note(iso->wire, 0, OP_isolate_wire, buf_slice(&out), fd);
}

/* The keeper checks grants by index; it has no use for secrets. */
static void spec_without_secrets(const json_t *spec, struct buf *out)
{
    AUTO(json_release) json_t *copy = json_deep_copy(spec);
    size_t i;
    json_t *binding;
    json_array_foreach(json_object_get(copy, "bindings"), i, binding)
    {
        if (strcmp(json_str(binding, "type", ""), "secret_text") == 0)
            json_object_del(binding, "text");
    }
    json_print(out, copy);
}

static void isolate_attach_keeper(struct isolate *iso)
{
    struct wire *keeper = supervisor_wire(iso->sup, CHILD_KEEPER);
    AUTO(buf_done) struct buf spec = {0}, out = {0};
    int ends[2];
    if (iso->start->kind == ISOLATE_LINKER || keeper == NULL || spawn_pair(ends) < 0)
        return;
    spec_without_secrets(iso->start->spec, &spec);
    msg_isolate_attach_pack(
        &out, &(struct msg_isolate_attach){.isolate = iso->id, .spec = buf_slice(&spec)});
    wire_note(keeper, 0, OP_isolate_attach, buf_slice(&out), ends[0]);
    isolate_send_wire(iso, 2, ends[1]);
}

static void isolate_assign(struct isolate *iso)
{
    struct start *start = iso->start;
    int ends[2];
    if (start->stream == NULL)
        return isolate_kill(iso, "canceled");
    if (spawn_pair(ends) < 0) {
        start_answer(start, 0, -EMFILE, "The server has no descriptors left.", -1);
        return isolate_kill(iso, "internalError");
    }
    iso->state = ISOLATE_RUNNING;
    iso->assigned_us = clock_boot_us();
    iso->sup->n_started++;
    limits_isolate_assigned(iso);
    isolate_send_wire(iso, 1, ends[1]);
    start_answer(start, iso->id, 0, "", ends[0]);
    buf_done(&start->spec_text);
    LOG(LOG_DEBUG, "isolate_started", F("isolate", "%" PRIu64, iso->id),
        F("script", "%s", start->script),
        F("waited_us", "%" PRId64, start->taken_us - start->asked_us),
        F("grant_us", "%" PRId64, iso->assigned_us - start->taken_us),
        F("assign_us", "%" PRId64, clock_boot_us() - iso->assigned_us));
}

static void grant_done(struct isolate *iso, int64_t result, const char *text)
{
    wire_stream_close(TAKE(iso->grant), 0);
    if (iso->state != ISOLATE_GRANTING)
        return;
    timer_stop(&iso->start->timeout);
    if (result == 0 && iso->wire != NULL)
        return isolate_assign(iso);
    LOG(LOG_ERROR, "grant_failed", F("script", "%s", iso->start->script), F("reason", "%s", text));
    start_answer(iso->start, 0, -EIO, "The files of this version cannot be shown to its process.",
                 -1);
    isolate_kill(iso, "internalError");
}

static void grant_on_reply(struct wire_stream *s, struct slice args, int fd, UNUSED bool end)
{
    struct msg_granted m;
    char text[ERR_TEXT_MAX] = "";
    fd_release(&fd);
    CHECK(msg_granted_unpack(args, &m) == 0);
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(m.text));
    grant_done(wire_stream_user(s), m.result, text);
}

static void grant_on_reset(struct wire_stream *s, int reason)
{
    grant_done(wire_stream_user(s), reason, "the template process is gone");
}

static const struct wire_stream_events grant_events = {.reply = grant_on_reply,
                                                       .reset = grant_on_reset};

/* Before its files are there: it reads the spec, and the keeper takes it on, while they are mounted. */
static void isolate_tell_spec(struct isolate *iso)
{
    AUTO(buf_done) struct buf out = {0};
    msg_isolate_assign_pack(
        &out, &(struct msg_isolate_assign){.kind = iso->start->kind,
                                           .spec = buf_slice(&iso->start->spec_text)});
    wire_note(iso->wire, 0, OP_isolate_assign, buf_slice(&out), -1);
}

static void isolate_grant(struct isolate *iso)
{
    AUTO(buf_done) struct buf mounts = {0}, out = {0};
    const json_t *list = json_object_get(iso->start->spec, "mounts");
    if (list == NULL)
        buf_append_slice(&mounts, SLICE("[]"));
    else
        json_print(&mounts, list);
    msg_grant_pack(&out, &(struct msg_grant){.isolate = iso->id,
                                             .pid = (uint32_t)iso->process.pid,
                                             .mounts = buf_slice(&mounts)});
    iso->grant = wire_open(supervisor_wire(iso->sup, CHILD_TEMPLATE), OP_grant, buf_slice(&out), -1,
                           true, &grant_events, iso);
    if (iso->grant == NULL)
        return isolate_kill(iso, "internalError");
    isolate_tell_spec(iso);
    isolate_attach_keeper(iso);
}

/* --- how many spares --- */

static void spares_on_calm(struct timer *t)
{
    struct supervisor *sup = CONTAINER_OF(t, struct supervisor, calm);
    sup->spares_wanted /= 2;
    size_t wanted = MAX(spares_standard(sup), sup->spares_wanted);
    LIST_FOR_SAFE (l, &sup->isolates) {
        struct isolate *iso = LIST_ENTRY(l, struct isolate, link);
        if (sup->n_spares > wanted && iso->state == ISOLATE_SPARE)
            isolate_kill(iso, "surplus");
    }
    if (sup->spares_wanted > spares_standard(sup))
        timer_start(sup->loop, t, CALM_US, spares_on_calm);
}

static void spares_run_out(struct supervisor *sup)
{
    size_t standard = spares_standard(sup), most = standard * SPARES_BURST;
    sup->spares_wanted = MIN(most, 2 * MAX(standard, sup->spares_wanted));
    timer_start(sup->loop, &sup->calm, CALM_US, spares_on_calm);
}

/* A warm one, else the one that has been warming up longest. */
static struct isolate *spare_take(struct supervisor *sup)
{
    struct isolate *best = NULL;
    LIST_FOR (l, &sup->isolates) {
        struct isolate *iso = LIST_ENTRY(l, struct isolate, link);
        if (iso->state != ISOLATE_SPARE || iso->wire == NULL)
            continue;
        if (iso->warm)
            return iso;
        if (best == NULL)
            best = iso;
    }
    return best;
}

void start_go(struct start *start)
{
    struct supervisor *sup = start->sup;
    struct isolate *iso = supervisor_wire(sup, CHILD_TEMPLATE) == NULL ? NULL : spare_take(sup);
    if (iso == NULL)
        return isolates_refill(sup);
    list_remove(&start->link);
    sup->n_starts--;
    isolate_no_spare(iso);
    if (sup->n_spares <= sup->n_warming)
        spares_run_out(sup);
    iso->state = ISOLATE_GRANTING;
    iso->start = start;
    start->taken_us = clock_boot_us();
    /* From here the isolate's own end is the end of the start. */
    timer_stop(&start->timeout);
    isolate_grant(iso);
    /* Each start puts it off, unless that was the last spare. */
    if (sup->refill.loop == NULL || sup->n_spares > 0)
        timer_start(sup->loop, &sup->refill, sup->n_spares == 0 ? 0 : REFILL_DELAY_US,
                    isolates_on_refill);
}

/* --- ends --- */

static void isolate_on_kill_timer(struct timer *t)
{
    struct isolate *iso = CONTAINER_OF(t, struct isolate, kill_timer);
    process_signal(&iso->process, SIGKILL);
}

void isolate_kill(struct isolate *iso, const char *why)
{
    if (iso->why == NULL)
        iso->why = why;
    if (iso->state <= ISOLATE_SPARE)
        isolate_no_spare(iso);
    iso->state = ISOLATE_DYING;
    process_signal(&iso->process, SIGKILL);
}

static void isolate_retire(struct isolate *iso, const char *why, unsigned grace_ms)
{
    AUTO(buf_done) struct buf out = {0};
    if (iso->wire == NULL)
        return isolate_kill(iso, why);
    iso->why = why;
    iso->state = ISOLATE_DYING;
    msg_role_stop_pack(&out, &(struct msg_role_stop){.grace_ms = grace_ms});
    wire_note(iso->wire, 0, OP_role_stop, buf_slice(&out), -1);
    timer_start(iso->sup->loop, &iso->kill_timer, (int64_t)grace_ms * 1000, isolate_on_kill_timer);
}

/* Only who asked for an isolate may drop it. */
int isolate_on_drop(struct child *c, struct slice args)
{
    struct msg_isolate_drop m;
    if (msg_isolate_drop_unpack(args, &m) < 0)
        return -EBADMSG;
    struct isolate *iso = isolate_find(c->sup, m.isolate);
    if (iso == NULL || iso->state == ISOLATE_DYING || iso->start == NULL || iso->start->owner != c)
        return 0;
    snprintf(iso->why_text, sizeof(iso->why_text), "%.*s", SLICE_ARG(m.why));
    bool at_once = slice_starts(m.why, SLICE("exceeded")) || slice_eq(m.why, SLICE("stuck"));
    if (at_once)
        isolate_kill(iso, iso->why_text);
    else
        isolate_retire(iso, iso->why_text, DROP_GRACE_US / 1000);
    return 0;
}

static void isolate_ended(struct isolate *iso, int status, struct slice report)
{
    limits_isolate_ended(iso, status, report);
    if (iso->start != NULL)
        start_answer(iso->start, 0, -EPIPE, "The Worker's process ended while it started.", -1);
    isolate_free(iso);
}

int isolate_on_reaped(struct child *c, struct slice args)
{
    struct supervisor *sup = c->sup;
    struct msg_reaped m;
    if (msg_reaped_unpack(args, &m) < 0)
        return -EBADMSG;
    struct isolate *iso = isolate_find(sup, m.isolate);
    if (iso == NULL)
        return 0;
    /* A blank one that dies by itself would be made and die again and again: not so fast then. */
    bool blank = iso->start == NULL && iso->why == NULL;
    isolate_ended(iso, (int)m.status, m.report);
    if (sup->refill.loop == NULL || blank)
        timer_start(sup->loop, &sup->refill, blank ? BROKEN_DELAY_US : REFILL_DELAY_US,
                    isolates_on_refill);
    return 0;
}

void isolates_kill_owned(struct supervisor *sup, const struct child *owner)
{
    LIST_FOR_SAFE (l, &sup->starts) {
        struct start *start = LIST_ENTRY(l, struct start, link);
        if (start->owner == owner)
            start_free(start);
    }
    LIST_FOR (l, &sup->isolates) {
        struct isolate *iso = LIST_ENTRY(l, struct isolate, link);
        if (iso->start != NULL && iso->start->owner == owner)
            isolate_kill(iso, "orphaned");
    }
}

void isolates_lost(struct supervisor *sup)
{
    LIST_FOR_SAFE (l, &sup->isolates) {
        struct isolate *iso = LIST_ENTRY(l, struct isolate, link);
        if (iso->why == NULL)
            iso->why = "internalError";
        process_signal(&iso->process, SIGKILL);
        isolate_ended(iso, SIGKILL, SLICE_NONE);
    }
}

void isolates_attach_all(struct supervisor *sup)
{
    LIST_FOR (l, &sup->isolates) {
        struct isolate *iso = LIST_ENTRY(l, struct isolate, link);
        if (iso->state == ISOLATE_GRANTING || iso->state == ISOLATE_RUNNING)
            isolate_attach_keeper(iso);
    }
}

void isolates_stop(struct supervisor *sup, unsigned grace_ms)
{
    LIST_FOR (l, &sup->isolates) {
        struct isolate *iso = LIST_ENTRY(l, struct isolate, link);
        if (iso->state == ISOLATE_RUNNING)
            isolate_retire(iso, "stopped", grace_ms);
        else if (iso->state != ISOLATE_DYING)
            isolate_kill(iso, "stopped");
    }
}
