/*
 * One event that runs tests, and what is printed of it.
 *
 * A front of the gateway: the event goes to the service's isolate as any request does. It is over when its trace has come,
 * which is when its waitUntil() work is over too.
 */
#include "role/test_worker.h"

#include "core/clock.h"
#include "role/gateway_isolate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { EVENT_END_S = 5 };

struct test_event {
    struct test_service *service;
    const char *url;
    struct call *call; /* NULL: it has been answered */
    int status;
    struct buf body, failure;
    json_t *trace;    /* owned */
    bool over, ended; /* answered; its trace has come */
    int64_t begin_us;
};

static struct test_event *running; /* for event_traced() */

/* --- the front --- */

static void event_over(struct call *c)
{
    struct test_event *e = c->front_data;

    e->over = true;
    e->call = NULL;
    call_destroy(c, 0);
}

static void event_head(struct call *c, const struct call_head *head)
{
    struct test_event *e = c->front_data;

    e->status = head->status;
    if (head->end)
        event_over(c);
}

static void event_data(struct call *c, struct slice bytes, bool end)
{
    struct test_event *e = c->front_data;

    buf_append_slice(&e->body, bytes);
    if (end)
        event_over(c);
}

static size_t event_room(struct call *c UNUSED)
{
    return SIZE_MAX;
}

static void event_consumed(struct call *c UNUSED, size_t n UNUSED) {}

static void event_fail(struct call *c, int status UNUSED, struct slice text)
{
    struct test_event *e = c->front_data;

    e->status = 0;
    e->ended = true; /* there may be no trace */
    buf_append_slice(&e->failure, text);
    event_over(c);
}

static const struct front_ops event_front = {.head = event_head,
                                             .data = event_data,
                                             .room = event_room,
                                             .consumed = event_consumed,
                                             .fail = event_fail};

void event_traced(struct test_runner *r UNUSED, struct slice script, struct slice json)
{
    AUTO(json_release) json_t *trace = NULL;

    if (running == NULL || !slice_eq(script, slice_of(running->service->name)) ||
        json_parse(json, &trace, NULL) < 0)
        return;
    const json_t *request = json_object_get(json_object_get(trace, "event"), "request");
    if (strcmp(json_str(request, "url", ""), running->url) != 0)
        return;
    json_release(&running->trace);
    running->trace = TAKE(trace);
    running->ended = true;
}

/* False: it is not over in time. */
static bool event_run(struct test_event *e, const char *method)
{
    struct test_runner *r = e->service->runner;
    struct gateway *g = r->gateway;
    struct script *script = table_script(g->table, slice_of(e->service->name));
    struct call *c = call_create(g, &event_front, e);

    running = e;
    e->call = c;
    e->begin_us = clock_boot_us();
    c->request = (struct call_request){.method = slice_of(method),
                                       .url = slice_of(e->url),
                                       .headers = SLICE(""),
                                       .cf = SLICE("{}"),
                                       .entrypoint = SLICE(""),
                                       .content_length = -1,
                                       .id = "0123456789abcdef"};
    c->worker = worker_ref(script_pick(script));
    isolate_call_start(c);
    bool done = runner_wait(r, &e->over, r->timeout_s);
    if (done)
        runner_wait(r, &e->ended, EVENT_END_S);
    if (e->call != NULL)
        call_destroy(TAKE(e->call), -EPIPE);
    running = NULL;
    return done;
}

/* --- printing --- */

static void print_indented(const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        printf("    %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void print_line(const char *text)
{
    for (; *text != '\0'; text++)
        putchar(*text == '\n' || *text == '\r' ? ' ' : *text);
}

static void report(struct test_runner *r, const json_t *result, int64_t ms)
{
    const char *status = json_str(result, "status", "FAIL");
    bool passed = strcmp(status, "PASS") == 0;
    const char *message = json_str(result, "message", "");
    if (passed)
        r->passed++;
    else
        r->failed++;
    printf("%s ", status);
    print_line(json_str(result, "name", ""));
    if (!passed && message[0] != '\0') {
        printf(": ");
        print_line(message);
    }
    if (ms >= 0)
        printf(" (%lld ms)", (long long)ms);
    putchar('\n');
    if (!passed)
        print_indented(json_str(result, "stack", ""));
}

void report_failure(struct test_runner *r, const char *name, const char *message)
{
    AUTO(json_release)
    json_t *result =
        json_pack("{s:s, s:s, s:s}", "name", name, "status", "FAIL", "message", message);
    report(r, result, -1);
}

/* What the Worker logged. */
static void report_logs(const struct test_event *e)
{
    const json_t *logs = json_object_get(e->trace, "logs");
    for (size_t i = 0; i < json_array_size(logs); i++) {
        AUTO(buf_done) struct buf text = {0};
        const json_t *log = json_array_get(logs, i);
        json_print(&text, json_object_get(log, "message"));
        printf("    [%s] %s\n", json_str(log, "level", "log"), buf_cstr(&text));
    }
}

/* Why there is no list of results. */
static void report_end(struct test_event *e, const char *name, bool done)
{
    AUTO(buf_done) struct buf text = {0};
    struct test_runner *r = e->service->runner;
    const json_t *exception = json_array_get(json_object_get(e->trace, "exceptions"), 0);
    if (exception != NULL)
        buf_printf(&text, "%s: %s", json_str(exception, "name", "Error"),
                   json_str(exception, "message", ""));
    else if (!done)
        buf_printf(&text, "not over after %u s", r->timeout_s);
    else if (buf_len(&e->service->end) > 0)
        buf_append_slice(&text, buf_slice(&e->service->end));
    else
        buf_append_slice(&text, buf_slice(&e->failure));
    report_failure(r, name, buf_cstr(&text));
}

static void event_done(struct test_event *e)
{
    buf_done(&e->body);
    buf_done(&e->failure);
    json_release(&e->trace);
}

void event_report(struct test_service *s, const char *method, const char *url, const char *name,
                  json_t **ret_variants)
{
    struct test_event e = {.service = s, .url = url};
    AUTO(json_release) json_t *results = NULL;
    struct test_runner *r = s->runner;
    buf_clear(&s->end);
    bool done = event_run(&e, method);
    int64_t ms = (clock_boot_us() - e.begin_us) / 1000;
    bool parsed =
        done && e.status == 200 && json_parse_nul(buf_slice(&e.body), &results, NULL) == 0;
    if (!parsed) {
        report_end(&e, name, done);
        world_stop_service(s); /* the next test finds a new one */
    }
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        json_t *variants = json_object_get(result, "variants");
        if (variants != NULL && ret_variants != NULL)
            *ret_variants = json_incref(variants);
        else
            report(r, result, r->wpt ? -1 : ms);
    }
    if (r->verbose)
        report_logs(&e);
    fflush(stdout);
    event_done(&e);
}
