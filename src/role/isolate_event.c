/*
 * Entries into the VM, who pays for them, and what ends the process.
 *
 * All frames of one read of the wire are dispatched in one round, each event in an entry of its own. The
 * CPU time of an entry goes to the event in whose name it ran. Two guards stop it: the engine's limit for
 * the synchronous part, which lets us say goodbye with the events' logs, and the watcher's for the rest,
 * which ends the process where it stands.
 */
#include "role/isolate_impl.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"

enum {
    /* The engine misses limits of a few microseconds. */
    ISOLATE_ENTRY_MIN_US = 1000,
    ISOLATE_MEMORY_PERIOD_US = 100 * 1000,
    ISOLATE_MEMORY_COST_FACTOR = 50,   /* at most 2 % of the time goes into walking the heap, */
    ISOLATE_MEMORY_COST_CONDEMNED = 4, /* more once it is over the soft limit */
    ISOLATE_CONDEMN_CPU_US = 200 * 1000,
    ISOLATE_READY_MAX = 10000 /* deliveries after one entry before the loop is looked at again */
};

/* --- entries --- */

static int64_t event_cpu_max(const struct channel *event, int64_t cpu_us)
{
    return event->cpu_max_us > 0 ? MIN(event->cpu_max_us, cpu_us) : cpu_us;
}

void isolate_enter(struct isolate *iso, struct channel *event, int64_t cpu_us)
{
    CHECK(iso->depth == 0);
    iso->depth = 1;
    iso->current = event;
    iso->clock[0] = (double)clock_wall_ms();
    int64_t left_us = cpu_us;
    if (event != NULL)
        left_us = MAX(event_cpu_max(event, cpu_us) - event->cpu_us, ISOLATE_ENTRY_MIN_US);
    vm_cpu_mark(iso->vm);
    vm_watch_enter(iso->vm, left_us + ISOLATE_WATCH_GRACE_US);
    vm_enter(iso->vm);
    vm_cpu_limit(iso->vm, left_us);
}

void isolate_account(struct isolate *iso)
{
    int64_t used_us = vm_cpu_take(iso->vm);
    if (iso->current != NULL)
        iso->current->cpu_us += used_us;
}

/* The events' last words. The script's own code does not run again: hooks.condemn() is ours, and it ends the
 * event with what the event has logged so far. */
static void isolate_condemn_event(struct isolate *iso, struct channel *ch, struct slice outcome)
{
    js_context ctx = iso->ctx;
    uint32_t id = ch->id;
    if (iso->hooks.condemn.v != NULL) {
        js_value args[] = {js_number(ctx, id), js_string(ctx, outcome)}, exception = NULL;
        vm_cpu_limit(iso->vm, ISOLATE_CONDEMN_CPU_US);
        js_call(ctx, iso->hooks.condemn.v, args, ARRAY_LEN(args), &exception);
        vm_cpu_limit(iso->vm, 0);
    }
    if (channel_find(iso, id) == ch)
        isolate_event_end(ch, outcome, SLICE(""));
}

/* For requests that are still in the socket: about no event in particular. */
static void isolate_say_outcome(struct isolate *iso, struct slice outcome)
{
    buf_clear(&iso->message);
    msg_event_end_pack(&iso->message, &(struct msg_event_end){.outcome = outcome});
    wire_note(iso->main, 0, OP_event_end, buf_slice(&iso->message), -1);
}

static void isolate_condemn(struct isolate *iso, const char *outcome, int status)
{
    iso->condemned = true;
    if (iso->n_events == 0)
        isolate_say_outcome(iso, slice_of(outcome));
    iso->depth++;
    vm_watch_enter(iso->vm, ISOLATE_CONDEMN_CPU_US * 4);
    for (size_t i = 0; i < iso->n_channels; i++) {
        struct channel *ch = iso->channels[i];
        if (ch->id != 0 && (ch->kind == CHANNEL_REQUEST || ch->kind == CHANNEL_SCHEDULED ||
                            ch->kind == CHANNEL_SOCKETS))
            isolate_condemn_event(iso, ch, slice_of(outcome));
    }
    vm_watch_leave(iso->vm);
    iso->depth--;
    isolate_exit(iso, status);
}

/* What the gateway and a tail shall know of an event that never returns. Its logs are in the VM, out of reach. */
static void isolate_last_words(struct isolate *iso, const struct channel *event)
{
    AUTO(buf_done) struct buf trace = {0}, note = {0};
    int64_t wall_us = clock_boot_us() - event->started_us, now_ms = clock_wall_ms();
    buf_printf(
        &trace,
        "{\"wallTime\":%lld,\"cpuTime\":%lld,\"truncated\":true,\"executionModel\":\"stateless\","
        "\"outcome\":\"exceededCpu\",\"diagnosticsChannelEvents\":[],\"logs\":[],\"exceptions\":"
        "[{\"name\":\"Error\",\"message\":\"Worker exceeded CPU time limit.\",\"timestamp\":%lld}],"
        "\"eventTimestamp\":%lld,\"event\":null}",
        (long long)wall_us / 1000, (long long)iso->cpu_limit_us / 1000, (long long)now_ms,
        (long long)(now_ms - wall_us / 1000));
    msg_event_end_pack(&note, &(struct msg_event_end){
                                  .outcome = SLICE("exceededCpu"),
                                  .cpu_us = (uint64_t)iso->cpu_limit_us,
                                  .wall_us = (uint64_t)wall_us,
                                  .trace = buf_slice(&trace),
                              });
    wire_note_last(iso->main, event->stream_id, OP_event_end, buf_slice(&note));
}

void isolate_cpu_over(void *user)
{
    /* On the watcher's thread: the VM's thread is inside a script and stays there. */
    struct isolate *iso = user;
    const struct channel *event = iso->current;
    if (event != NULL)
        isolate_last_words(iso, event);
    _exit(ISOLATE_EXIT_CPU);
}

static void isolate_run_ready(struct isolate *iso)
{
    if (iso->draining)
        return;
    iso->draining = true;
    for (int i = 0; i < ISOLATE_READY_MAX && iso->exit_status < 0; i++) {
        struct link *l = list_pop_front(&iso->ready);
        if (l == NULL)
            break;
        channel_settle(LIST_ENTRY(l, struct channel, ready));
    }
    iso->draining = false;
}

/* An event that ended in its own entry is told about when that is over: rejections that nobody handled are
 * only known then, and belong into its trace. */
static void isolate_end_now(struct isolate *iso)
{
    struct channel *ch = iso->ending == 0 ? NULL : channel_find(iso, iso->ending);
    iso->ending = 0;
    if (ch == NULL)
        return;
    struct slice all = buf_slice(&iso->ending_text);
    isolate_event_end(ch, slice_from(all.ptr, iso->ending_outcome_len),
                      slice_skip(all, iso->ending_outcome_len));
}

void isolate_leave(struct isolate *iso)
{
    vm_cpu_limit(iso->vm, 0);
    vm_leave(iso->vm);
    vm_watch_leave(iso->vm);
    isolate_account(iso);
    iso->depth = 0;
    /* Many short turns add up as well. */
    bool over = iso->current != NULL &&
                iso->current->cpu_us > event_cpu_max(iso->current, iso->cpu_limit_us);
    if (vm_terminated(iso->vm) || over) {
        if (iso->exit_status < 0)
            isolate_condemn(iso, "exceededCpu", ISOLATE_EXIT_CPU);
        return;
    }
    vm_turn(iso->vm);
    isolate_end_now(iso);
    iso->current = NULL;
    for (unsigned i = 0; i < iso->n_turns; i++)
        iso->turns[i].run(iso->turns[i].arg);
    isolate_run_ready(iso);
}

void isolate_on_turn(struct isolate *iso, void (*run)(void *arg), void *arg)
{
    CHECK(iso->n_turns < ISOLATE_TURNS_MAX);
    iso->turns[iso->n_turns++] = (struct isolate_turn){run, arg};
}

void isolate_run_callback(struct isolate *iso, js_value fn, const js_value *args, size_t n)
{
    js_value exception = NULL;
    if (iso->exit_status >= 0)
        return;
    isolate_enter(iso, NULL, iso->cpu_limit_us);
    if (js_call(iso->ctx, fn, args, n, &exception) == NULL && !vm_terminated(iso->vm))
        isolate_unhandled(iso, js_undefined(iso->ctx), exception);
    isolate_leave(iso);
}

void isolate_callback(struct channel *ch, js_value fn, const js_value *args, size_t n)
{
    struct isolate *iso = ch->iso;
    js_value exception = NULL;
    isolate_enter(iso, channel_event(ch), iso->cpu_limit_us);
    if (js_call(iso->ctx, fn, args, n, &exception) == NULL && !vm_terminated(iso->vm))
        isolate_unhandled(iso, js_undefined(iso->ctx), exception);
    isolate_leave(iso);
}

/* Inside an entry. Hooks are ours and catch what tenants throw; what comes out is our own failure. */
js_value isolate_hook(struct isolate *iso, const struct js_hold *hook, const js_value *args,
                      size_t n)
{
    js_value exception = NULL;
    if (hook->v == NULL)
        return js_undefined(iso->ctx);
    js_value v = js_call(iso->ctx, hook->v, args, n, &exception);
    if (v == NULL && !vm_terminated(iso->vm)) {
        AUTO(buf_done) struct buf text = {0};
        js_describe(iso->ctx, exception, &text);
        LOG(LOG_ERROR, "hook_failed", F("error", "%s", buf_cstr(&text)));
    }
    return v == NULL ? js_undefined(iso->ctx) : v;
}

void isolate_unhandled(void *user, js_value promise, js_value reason)
{
    struct isolate *iso = user;
    js_value args[] = {promise, reason};
    bool outermost = iso->depth == 0;
    struct channel *event = iso->current;
    if (outermost) {
        /* Not isolate_enter(): it would end in another vm_turn(). */
        iso->depth = 1;
        vm_watch_enter(iso->vm, iso->cpu_limit_us);
        vm_enter(iso->vm);
    }
    isolate_hook(iso, &iso->hooks.unhandled, args, ARRAY_LEN(args));
    if (outermost) {
        vm_leave(iso->vm);
        vm_watch_leave(iso->vm);
        iso->depth = 0;
    }
    iso->current = event;
}

/* --- the timer of JavaScript --- */

static void isolate_timer_fired(struct timer *timer)
{
    struct isolate *iso = CONTAINER_OF(timer, struct isolate, js_timer);
    if (iso->exit_status >= 0)
        return;
    isolate_enter(iso, NULL, iso->cpu_limit_us);
    /* The hook returns the channel of the event whose timer ran: that one pays. */
    js_value v = isolate_hook(iso, &iso->hooks.timer, NULL, 0);
    iso->current = channel_find(iso, (uint32_t)js_to_number(iso->ctx, v, 0));
    isolate_leave(iso);
}

void isolate_timer_set(struct isolate *iso, double wall_ms)
{
    enum { LONGEST_MS = 1000 * 60 * 60 * 24 };
    if (!(wall_ms < 1e15))
        return timer_stop(&iso->js_timer);
    double delay_ms = wall_ms - (double)clock_wall_ms();
    int64_t delay_us = delay_ms <= 0 ? 0 : (int64_t)(MIN(delay_ms, (double)LONGEST_MS) * 1000);
    timer_start(iso->loop, &iso->js_timer, delay_us, isolate_timer_fired);
}

/* --- events from the gateway --- */

static js_value isolate_method(struct isolate *iso, struct slice method)
{
    static const char *const names[ISOLATE_METHODS] = {"GET",   "POST",    "PUT", "DELETE",
                                                       "PATCH", "OPTIONS", "HEAD"};
    for (size_t i = 0; i < ISOLATE_METHODS; i++) {
        if (!slice_eq(method, slice_of(names[i])))
            continue;
        if (iso->methods[i].v == NULL)
            js_hold_set(&iso->methods[i], iso->ctx, js_string(iso->ctx, method));
        return iso->methods[i].v;
    }
    return js_string(iso->ctx, method);
}

/* The same for all requests of a connection. */
static js_value isolate_cf(struct isolate *iso, struct slice cf)
{
    if (iso->cf_value.v == NULL || !slice_eq(cf, buf_slice(&iso->cf_text))) {
        buf_clear(&iso->cf_text);
        buf_append_slice(&iso->cf_text, cf);
        js_hold_set(&iso->cf_value, iso->ctx, js_string(iso->ctx, cf));
    }
    return iso->cf_value.v;
}

static js_value isolate_text(struct isolate *iso, struct slice s)
{
    return s.len == 0 ? iso->empty.v : js_string(iso->ctx, s);
}

static struct channel *isolate_event_begin(struct isolate *iso, struct wire_stream *s,
                                           enum channel_kind kind, struct slice request_id)
{
    struct channel *ch = channel_create(iso, kind, s);
    if (ch == NULL) {
        wire_stream_close(s, -EAGAIN);
        return NULL;
    }
    ch->event = ch->id;
    ch->started_us = loop_now_us(iso->loop);
    if (slice_to_cstr(request_id, ch->request_id, sizeof ch->request_id) < 0)
        ch->request_id[0] = 0;
    iso->n_events++;
    if (wire_stream_wire(s) == iso->here[1])
        isolate_here_begin(ch);
    return ch;
}

static bool isolate_on_request(struct isolate *iso, struct wire_stream *s, struct slice payload,
                               bool end)
{
    struct msg_request m;
    if (msg_request_unpack(payload, &m) < 0)
        return false;
    struct channel *ch = isolate_event_begin(iso, s, CHANNEL_REQUEST, m.request_id);
    if (ch == NULL)
        return true;
    ch->in_end = end;
    ch->traced = (m.flags & MSG_TRACE) != 0;
    ch->cpu_max_us = (int64_t)m.cpu_ms * 1000;

    js_context ctx = iso->ctx;
    isolate_enter(iso, ch, iso->cpu_limit_us);
    js_value args[] = {
        js_number(ctx, ch->id),
        isolate_method(iso, m.method),
        js_string(ctx, m.url),
        m.headers.len == 0 ? iso->empty.v : js_latin1(ctx, m.headers),
        isolate_cf(iso, m.cf),
        isolate_text(iso, m.entrypoint),
        isolate_text(iso, m.request_id),
        js_bool(ctx, !end && (m.flags & MSG_WEBSOCKET) == 0),
        js_number(ctx, m.flags),
        isolate_text(iso, m.props),
        isolate_text(iso, m.object),
        isolate_text(iso, m.object_name),
        js_number(ctx, m.subrequests),
    };
    isolate_hook(iso, &iso->hooks.request, args, ARRAY_LEN(args));
    isolate_leave(iso);
    return true;
}

/* An event without a body that a clock caused, entered; NULL when it was refused. */
static struct channel *isolate_clock_begin(struct isolate *iso, struct wire_stream *s,
                                           struct slice request_id)
{
    struct channel *ch = isolate_event_begin(iso, s, CHANNEL_SCHEDULED, request_id);
    if (ch == NULL)
        return NULL;
    ch->in_end = true;
    isolate_enter(iso, ch, iso->cpu_limit_us);
    return ch;
}

static bool isolate_on_scheduled(struct isolate *iso, struct wire_stream *s, struct slice payload)
{
    struct msg_scheduled m;
    if (msg_scheduled_unpack(payload, &m) < 0)
        return false;
    struct channel *ch = isolate_clock_begin(iso, s, m.request_id);
    if (ch == NULL)
        return true;

    js_context ctx = iso->ctx;
    js_value args[] = {
        js_number(ctx, ch->id),
        js_number(ctx, (double)m.scheduled_ms),
        js_string(ctx, m.cron),
        isolate_text(iso, m.request_id),
    };
    isolate_hook(iso, &iso->hooks.scheduled, args, ARRAY_LEN(args));
    isolate_leave(iso);
    return true;
}

static bool isolate_on_tailed(struct isolate *iso, struct wire_stream *s, struct slice payload)
{
    struct msg_tailed m;
    if (msg_tailed_unpack(payload, &m) < 0)
        return false;
    struct channel *ch = isolate_clock_begin(iso, s, m.request_id);
    if (ch == NULL)
        return true;

    js_context ctx = iso->ctx;
    js_value args[] = {
        js_number(ctx, ch->id),  isolate_text(iso, m.script),     isolate_text(iso, m.version),
        js_string(ctx, m.trace), isolate_text(iso, m.request_id),
    };
    isolate_hook(iso, &iso->hooks.tailed, args, ARRAY_LEN(args));
    isolate_leave(iso);
    return true;
}

static bool isolate_on_alarm(struct isolate *iso, struct wire_stream *s, struct slice payload)
{
    struct msg_alarm m;
    if (msg_alarm_unpack(payload, &m) < 0)
        return false;
    struct channel *ch = isolate_clock_begin(iso, s, m.request_id);
    if (ch == NULL)
        return true;

    js_context ctx = iso->ctx;
    js_value args[] = {
        js_number(ctx, ch->id),      isolate_text(iso, m.class_name),
        isolate_text(iso, m.object), js_number(ctx, (double)m.scheduled_ms),
        js_number(ctx, m.retry),     isolate_text(iso, m.request_id),
    };
    isolate_hook(iso, &iso->hooks.alarm, args, ARRAY_LEN(args));
    isolate_leave(iso);
    return true;
}

static bool isolate_on_sockets(struct isolate *iso, struct wire_stream *s, struct slice payload)
{
    struct msg_sockets m;
    if (msg_sockets_unpack(payload, &m) < 0)
        return false;
    struct channel *ch = isolate_event_begin(iso, s, CHANNEL_SOCKETS, m.request_id);
    if (ch == NULL)
        return true;
    ch->out_open = true;
    buf_clear(&iso->message);
    msg_outcome_pack(&iso->message, &(struct msg_outcome){.outcome = SLICE("ok")});
    wire_reply(s, buf_slice(&iso->message), -1, false); /* so that frames may follow */
    isolate_enter(iso, ch, iso->cpu_limit_us);
    js_value args[] = {
        js_number(iso->ctx, ch->id),     isolate_text(iso, m.class_name),
        isolate_text(iso, m.object),     isolate_text(iso, m.object_name),
        isolate_text(iso, m.request_id),
    };
    isolate_hook(iso, &iso->hooks.sockets, args, ARRAY_LEN(args));
    isolate_leave(iso);
    return true;
}

static bool isolate_on_link(struct isolate *iso, struct wire_stream *s, struct slice payload,
                            bool end)
{
    struct msg_link m;
    struct channel *ch = NULL;
    if (!(iso->kind == ISOLATE_LINKER || isolate_awaits_code(iso)) ||
        msg_link_unpack(payload, &m) < 0 || (ch = channel_create(iso, CHANNEL_LINK, s)) == NULL)
        return false;
    buf_append_slice(&ch->options, m.options);
    ch->in_end = end;
    if (end)
        channel_settle(ch);
    return true;
}

static void isolate_on_stream(struct wire *wire, struct wire_stream *s, uint16_t op,
                              struct slice args, int fd, bool end)
{
    struct isolate *iso = wire_user(wire);
    bool ok = false;
    fd_release(&fd);
    if (iso->exit_status >= 0)
        return wire_stream_close(s, -EAGAIN);
    if (op == OP_request && iso->kind == ISOLATE_WORKER)
        ok = isolate_on_request(iso, s, args, end);
    else if (op == OP_scheduled && iso->kind == ISOLATE_WORKER)
        ok = isolate_on_scheduled(iso, s, args);
    else if (op == OP_tailed && iso->kind == ISOLATE_WORKER)
        ok = isolate_on_tailed(iso, s, args);
    else if (op == OP_alarm && iso->kind == ISOLATE_WORKER)
        ok = isolate_on_alarm(iso, s, args);
    else if (op == OP_sockets && iso->kind == ISOLATE_WORKER)
        ok = isolate_on_sockets(iso, s, args);
    else if (op == OP_link)
        ok = isolate_on_link(iso, s, args, end);
    if (!ok) {
        wire_stream_close(s, -EBADMSG);
        isolate_exit(iso, ISOLATE_EXIT_PROTOCOL);
    }
}

static void isolate_on_lost(struct wire *wire UNUSED, int reason UNUSED)
{
    /* The gateway has dropped us, or is gone. */
    _exit(ISOLATE_EXIT_OK);
}

static void isolate_on_main_note(struct wire *wire, uint32_t stream_id UNUSED, uint16_t op,
                                 struct slice args, int fd)
{
    struct isolate *iso = wire_user(wire);
    struct msg_objects_reset m;
    fd_release(&fd);
    if (op != OP_objects_reset || msg_objects_reset_unpack(args, &m) < 0 || iso->exit_status >= 0)
        return; /* a newer gateway may know others */
    isolate_enter(iso, NULL, iso->cpu_limit_us);
    js_value args_of[] = {js_string(iso->ctx, m.why), js_string(iso->ctx, m.object)};
    isolate_hook(iso, &iso->hooks.objects_reset, args_of, ARRAY_LEN(args_of));
    isolate_leave(iso);
}

const struct wire_events isolate_main_events = {
    .open = isolate_on_stream,
    .note = isolate_on_main_note,
    .closed = isolate_on_lost,
};

/* --- the end of an event --- */

/* Looks again each quarter of a second while there is work. */
static void isolate_idle(struct timer *timer)
{
    struct isolate *iso = CONTAINER_OF(timer, struct isolate, idle_timer);
    int64_t quiet_us = iso->n_untrimmed < ISOLATE_LULL_EVENTS ? ISOLATE_IDLE_US : ISOLATE_LULL_US;
    int64_t left_us = iso->active_us + quiet_us - loop_now_us(iso->loop);
    if (iso->n_events > 0 || left_us > 0)
        return timer_start(iso->loop, timer,
                           MIN(MAX(left_us, ISOLATE_LULL_US / 4), ISOLATE_LULL_US), isolate_idle);
    if (vm_terminated(iso->vm))
        return;
    vm_trim(iso->vm);
    if (iso->n_untrimmed < ISOLATE_LULL_EVENTS)
        return;
    /* Some of it, compiled code above all, can only go when it has not been used for seconds. */
    iso->n_untrimmed = 0;
    timer_start(iso->loop, timer, ISOLATE_LULL_US, isolate_idle);
}

void isolate_event_end(struct channel *ch, struct slice outcome, struct slice trace)
{
    struct isolate *iso = ch->iso;
    if (iso->current == ch)
        isolate_account(iso);
    if (ch->kind == CHANNEL_SCHEDULED && !ch->replied && ch->stream != NULL) {
        buf_clear(&iso->message);
        msg_outcome_pack(&iso->message, &(struct msg_outcome){.outcome = outcome});
        wire_reply(ch->stream, buf_slice(&iso->message), -1, true);
    }
    buf_clear(&iso->message);
    msg_event_end_pack(&iso->message, &(struct msg_event_end){
                                          .outcome = outcome,
                                          .cpu_us = (uint64_t)(ch->cpu_past_us + ch->cpu_us),
                                          .wall_us = (uint64_t)(clock_boot_us() - ch->started_us),
                                          .trace = trace,
                                      });
    if (iso->main != NULL)
        isolate_here_end(ch, buf_slice(&iso->message), trace);
    channel_close(ch, -ECANCELED);
    if (iso->current == ch)
        iso->current = NULL;
    channel_destroy(ch);
    iso->n_events--;
    iso->active_us = loop_now_us(iso->loop);
    iso->n_untrimmed++;
    if (iso->idle_timer.loop == NULL)
        timer_start(iso->loop, &iso->idle_timer, ISOLATE_LULL_US, isolate_idle);
}

/* --- memory --- */

/* The gateway answers by dropping us once what it has sent is done; until then it is served. */
static void isolate_retire(struct isolate *iso, const char *why)
{
    iso->condemned = true;
    buf_clear(&iso->message);
    msg_isolate_retire_pack(&iso->message, &(struct msg_isolate_retire){.why = slice_of(why)});
    wire_note(iso->main, 0, OP_isolate_retire, buf_slice(&iso->message), -1);
}

/* The peak of resident memory is one cheap call; only past the limit is the heap itself measured. What is
 * garbage does not count: a collection comes first. Past the limit the isolate finishes what it has; half
 * as much again ends it, and the supervisor's own limit ends it in any case. */
static void isolate_check_memory(struct isolate *iso)
{
    int64_t now_us = loop_now_us(iso->loop);
    if (now_us < iso->memory_next_us)
        return;
    iso->memory_next_us = now_us + ISOLATE_MEMORY_PERIOD_US;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    if ((size_t)(usage.ru_maxrss - iso->rss_base_kb) * 1024 < iso->memory_max)
        return;

    struct vm_memory memory = vm_memory(iso->vm);
    size_t used = 0;
    if (memory.heap_capacity > iso->memory_max) {
        vm_collect(iso->vm);
        memory = vm_memory(iso->vm);
        used = memory.heap_size;
    }
    int64_t cost_us = clock_boot_us() - now_us;
    bool over = used > iso->memory_max;
    int64_t pause_us =
        cost_us * (over ? ISOLATE_MEMORY_COST_CONDEMNED : ISOLATE_MEMORY_COST_FACTOR);
    iso->memory_next_us = now_us + MAX(pause_us, ISOLATE_MEMORY_PERIOD_US);
    if (used > iso->memory_max + iso->memory_max / 2)
        isolate_condemn(iso, "exceededMemory", ISOLATE_EXIT_MEMORY);
    else if (over && !iso->condemned)
        isolate_retire(iso, "exceededMemory");
}

void isolate_round(struct loop_hook *hook)
{
    struct isolate *iso = CONTAINER_OF(hook, struct isolate, round);
    if (iso->exit_status >= 0) {
        isolate_exit_check(iso);
        return;
    }
    if (!iso->loaded)
        return;
    isolate_run_ready(iso);
    isolate_check_memory(iso);
    if (iso->draining_out && iso->n_events == 0)
        isolate_exit(iso, iso->condemned ? ISOLATE_EXIT_MEMORY : ISOLATE_EXIT_OK);
}
