/*
 * The command: its options, the tests one after another, one line per test and a closing count.
 *
 *     selvedge test-worker FILE...             the first file is the main module
 *     selvedge test-worker --config FILE.json  services and bindings (test_worker_config.c)
 *     selvedge test-worker --wpt FILE...       classic web platform tests
 */
#include "role/test_worker.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"
#include "engine/vm.h"
#include "product/messages.h"
#include "role/cli.h"
#include "role/isolate_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUNNER_TURN_MS = 100, RUNNER_END_S = 5 };

/* One event that runs tests: the request, its answer, its end. */
struct test_event {
    struct test_service *service;
    struct wire_stream *stream;
    uint32_t stream_id;
    uint16_t status;
    struct buf body;
    json_t *trace;              /* owned */
    bool answered, ended, over; /* over: nothing more will come */
    int64_t begin_us;
};

static struct test_event *running; /* for event_end */

bool runner_wait(struct test_runner *r, const bool *done, unsigned seconds)
{
    int64_t end_us = clock_boot_us() + (int64_t)seconds * 1000000;
    while (!*done && clock_boot_us() < end_us)
        loop_turn(r->loop, RUNNER_TURN_MS);
    return *done;
}

/* --- natives of the tests' script --- */

static _Thread_local struct vm *test_vm;

static JS_NATIVE(test_gc)
{
    (void)n_args;
    (void)args;
    (void)exception;
    vm_collect(test_vm);
    return js_undefined(ctx);
}

/* evaluate(name, text): as a script of its own, so that its declarations are global. */
static JS_NATIVE(test_evaluate)
{
    AUTO(buf_done) struct buf name = {0}, text = {0};
    if (n_args < 2 || js_append_utf8(ctx, args[0], &name) < 0 ||
        js_append_utf8(ctx, args[1], &text) < 0)
        return js_throw(ctx, exception, "TypeError", "evaluate wants a name and a text");
    return vm_eval(test_vm, buf_cstr(&name), buf_slice(&text), exception);
}

static void test_install(struct vm *vm)
{
    static const struct js_native_row rows[] = {{"gc", test_gc}, {"evaluate", test_evaluate}};
    struct isolate_options usual;
    isolate_options_default(&usual);
    usual.install(vm);
    test_vm = vm;
    vm_natives(vm, "test", rows, ARRAY_LEN(rows));
}

/* --- one event --- */

static void event_on_reply(struct wire_stream *s, struct slice args, UNUSED int fd, bool end)
{
    struct test_event *e = wire_stream_user(s);
    struct msg_response m;
    if (msg_response_unpack(args, &m) == 0)
        e->status = m.status;
    if (end)
        e->answered = e->over = true;
}

static void event_on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct test_event *e = wire_stream_user(s);
    buf_append_slice(&e->body, bytes);
    wire_consumed(s, bytes.len);
    if (end)
        e->answered = e->over = true;
}

static void event_on_reset(struct wire_stream *s, UNUSED int reason)
{
    struct test_event *e = wire_stream_user(s);
    e->over = e->ended = true;
}

static const struct wire_stream_events event_events = {
    .reply = event_on_reply, .data = event_on_data, .reset = event_on_reset};

void runner_event_end(struct test_service *s, uint32_t stream_id, struct slice args)
{
    struct msg_event_end m;
    if (running == NULL || running->service != s || running->stream_id != stream_id ||
        msg_event_end_unpack(args, &m) < 0)
        return;
    if (m.trace.len > 0 && json_parse(m.trace, &running->trace, NULL) < 0)
        running->trace = NULL;
    running->ended = true;
}

static bool event_run(struct test_event *e, struct slice method, struct slice url)
{
    struct test_runner *r = e->service->runner;
    AUTO(buf_done) struct buf args = {0};
    msg_request_pack(&args, &(struct msg_request){.flags = MSG_TRACE,
                                                  .method = method,
                                                  .url = url,
                                                  .headers = SLICE(""),
                                                  .cf = SLICE("{}"),
                                                  .entrypoint = SLICE(""),
                                                  .request_id = SLICE("0123456789abcdef")});
    running = e;
    e->begin_us = clock_boot_us();
    e->stream =
        wire_open(e->service->wire, OP_request, buf_slice(&args), -1, true, &event_events, e);
    if (e->stream == NULL)
        return false;
    e->stream_id = wire_stream_id(e->stream);
    bool done = runner_wait(r, &e->over, r->timeout_s);
    if (done)
        runner_wait(r, &e->ended, RUNNER_END_S);
    wire_stream_close(e->stream, -EPIPE);
    running = NULL;
    return done;
}

static void event_done(struct test_event *e)
{
    buf_done(&e->body);
    json_release(&e->trace);
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

static void report_failure(struct test_runner *r, const char *name, const char *message)
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
    if (exception != NULL) {
        buf_printf(&text, "%s: %s", json_str(exception, "name", "Error"),
                   json_str(exception, "message", ""));
    } else if (!done) {
        buf_printf(&text, "not over after %u s", r->timeout_s);
    } else {
        service_stop(e->service);
        service_describe_end(e->service, &text);
    }
    report_failure(r, name, buf_cstr(&text));
}

/* True when the isolate can go on. Appends variants of a file to `variants`. */
static bool runner_event(struct test_service *s, struct slice method, const char *url,
                         const char *name, json_t **ret_variants)
{
    struct test_event e = {.service = s};
    AUTO(json_release) json_t *results = NULL;
    struct test_runner *r = s->runner;
    bool done = event_run(&e, method, slice_of(url));
    int64_t ms = (clock_boot_us() - e.begin_us) / 1000;
    bool parsed =
        e.answered && e.status == 200 && json_parse_nul(buf_slice(&e.body), &results, NULL) == 0;
    if (!parsed)
        report_end(&e, name, done);
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
    return parsed && s->running;
}

/* --- tests of modules --- */

static int runner_start_all(struct test_runner *r, struct test_service *except, struct err *err)
{
    for (size_t i = 0; i < r->n_services; i++) {
        int result = &r->services[i] == except ? 0 : service_start(&r->services[i], err);
        if (result < 0)
            return result;
    }
    return except == NULL ? 0 : service_start(except, err);
}

static struct test_service *runner_main(struct test_runner *r)
{
    const char *name = json_str(r->config, "main", NULL);
    return name == NULL ? &r->services[0] : config_find(r, name);
}

static int runner_modules(struct test_runner *r, struct err *err)
{
    int result = config_read(r, err);
    if (result == 0)
        result = config_prepare(r, err);
    if (result < 0)
        return result;
    struct test_service *s = runner_main(r);
    if (s == NULL)
        return err_set(err, -EINVAL, 0, "there is no service of that name");
    result = runner_start_all(r, s, err);
    if (result < 0)
        return result;
    AUTO(json_release) json_t *tests = json_incref(s->tests);
    bool usable = true;
    for (size_t i = 0; i < json_array_size(tests); i++) {
        const char *name = json_string_value(json_array_get(tests, i));
        char url[TEST_WORKER_PATH_MAX];
        if (r->filter != NULL && strstr(name, r->filter) == NULL)
            continue;
        if (!usable && runner_start_all(r, s, err) < 0)
            return -EINVAL;
        snprintf(url, sizeof(url), "http://test/%s", name);
        usable = runner_event(s, SLICE("TEST"), url, name, NULL);
    }
    return 0;
}

/* --- web platform tests --- */

static const char wpt_code[] =
    "(rt) => { rt.main = 'main'; rt.esm('main', [], (e) => { e({ default: () => ({}) });"
    " return { setters: [], execute() {} }; }, { line: 0, exports: ['default', 'default'] }); }";

static int wpt_prepare(struct test_runner *r, struct err *err)
{
    char path[TEST_WORKER_PATH_MAX + 32];
    AUTO(json_release)
    json_t *spec = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:[], s:{s:s, s:O}, s:[], s:{s:i, s:i, s:i}, s:[]}",
        "account", "00000000000000000000000000000000", "script", "wpt", "version",
        "00000000-0000-4000-8000-000000000000", "format", "modules", "main", "main", "code",
        "linked.js", "modules", "compat", "date", r->date == NULL ? "2026-08-22" : r->date, "flags",
        r->flags, "bindings", "limits", "cpu_ms", TEST_WORKER_CPU_MS, "memory_mb",
        TEST_WORKER_MEMORY_MB, "subrequests", 10000, "mounts");
    r->n_services = 1;
    r->services = mem_new(sizeof(*r->services));
    struct test_service *s = &r->services[0];
    *s = (struct test_service){.runner = r, .name = "wpt", .process = {.pidfd = -1}};
    snprintf(s->dir, sizeof(s->dir), "%.*s/0", (int)(sizeof(s->dir) - 3), r->root);
    snprintf(path, sizeof(path), "%s/code", s->dir);
    json_print(&s->spec, spec);
    int result = file_make_dirs(AT_FDCWD, path, 0755);
    snprintf(path, sizeof(path), "%s/code/linked.js", s->dir);
    if (result == 0)
        result = file_replace(AT_FDCWD, path, slice_of(wpt_code), 0644);
    return result < 0 ? err_set(err, result, 0, "cannot write %s", path) : 0;
}

static int wpt_file(struct test_runner *r, const char *path, struct err *err)
{
    AUTO(json_release) json_t *variants = NULL;
    char url[TEST_WORKER_PATH_MAX];
    struct test_service *s = &r->services[0];
    snprintf(url, sizeof(url), "http://web-platform.test:8000/%s", path);
    printf("# %s\n", path);
    int result = service_start(s, err);
    if (result < 0)
        return result;
    runner_event(s, SLICE("WPT"), url, "(file)", &variants);
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const char *variant = json_string_value(json_array_get(variants, i));
        snprintf(url, sizeof(url), "http://web-platform.test:8000/%s%s", path, variant);
        printf("# %s%s\n", path, variant);
        result = service_start(s, err);
        if (result < 0)
            return result;
        runner_event(s, SLICE("WPT"), url, "(file)", NULL);
    }
    service_stop(s);
    return 0;
}

/* Files are named relative to the root; without one, to the directory of the first. */
static int runner_wpt(struct test_runner *r, struct err *err)
{
    AUTO(mem_release) char *root = NULL;
    const char *slash = strrchr(r->files[0], '/');
    if (r->wpt_root == NULL) {
        root = strndup(r->files[0], slash == NULL ? 0 : (size_t)(slash - r->files[0]));
        r->wpt_root = root[0] == '\0' ? "." : root;
    }
    int result = wpt_prepare(r, err);
    for (int i = 0; i < r->n_files && result == 0; i++) {
        const char *path = r->files[i];
        size_t n = strlen(r->wpt_root);
        if (strncmp(path, r->wpt_root, n) == 0 && path[n] == '/')
            path += n + 1;
        result = wpt_file(r, path, err);
    }
    r->wpt_root = NULL;
    return result;
}

/* --- the command --- */

static void usage(void)
{
    printf("selvedge test-worker [options] FILE...\n\n"
           "Runs the tests that a Worker's main module exports (test(controller, env, ctx)).\n\n"
           "  --config FILE.json   services, modules and bindings instead of files\n"
           "  --wpt                FILEs are classic web platform tests\n"
           "  --wpt-root DIR       where their absolute paths begin\n"
           "  --compat-date DATE   --compat-flag FLAG   --binding NAME=TEXT\n"
           "  --filter TEXT        only tests whose name holds it\n"
           "  --timeout SECONDS    of one test\n"
           "  --no-sandbox         isolates as plain processes\n"
           "  --experimental       --predictable   (accepted: both always hold)\n"
           "  --verbose            what the Workers log\n");
}

static bool option_number(const char *text, unsigned *ret)
{
    uint64_t n;

    if (slice_to_u64(slice_of(text), &n) < 0 || n > UINT32_MAX)
        return false;
    *ret = (unsigned)n;
    return true;
}

static void option_binding(struct test_runner *r, const char *value)
{
    const char *eq = strchr(value, '=');
    AUTO(mem_release)
    char *name = strndup(value, eq == NULL ? strlen(value) : (size_t)(eq - value));
    json_object_set_new(r->texts, name, json_string(eq == NULL ? "" : eq + 1));
}

static bool runner_option(struct test_runner *r, int c)
{
    switch (c) {
    case 'c':
        r->config_file = optarg;
        return true;
    case 'w':
        r->wpt = true;
        return true;
    case 'r':
        r->wpt_root = optarg;
        return true;
    case 'd':
        r->date = optarg;
        return true;
    case 'f':
        json_array_append_new(r->flags, json_string(optarg));
        return true;
    case 'b':
        option_binding(r, optarg);
        return true;
    case 'F':
        r->filter = optarg;
        return true;
    case 't':
        return option_number(optarg, &r->timeout_s);
    case 's':
        r->no_sandbox = true;
        return true;
    case 'v':
        r->verbose = true;
        return true;
    default:
        return c == 'x';
    }
}

static bool runner_options(struct test_runner *r, int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"wpt", no_argument, NULL, 'w'},
                                            {"wpt-root", required_argument, NULL, 'r'},
                                            {"compat-date", required_argument, NULL, 'd'},
                                            {"compat-flag", required_argument, NULL, 'f'},
                                            {"binding", required_argument, NULL, 'b'},
                                            {"filter", required_argument, NULL, 'F'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {"no-sandbox", no_argument, NULL, 's'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"experimental", no_argument, NULL, 'x'},
                                            {"predictable", no_argument, NULL, 'x'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (!runner_option(r, c))
            return false;
    }
    r->files = argv + optind;
    r->n_files = argc - optind;
    if (r->timeout_s == 0)
        r->timeout_s = r->wpt ? TEST_WORKER_WPT_TIMEOUT_S : TEST_WORKER_TIMEOUT_S;
    return r->n_files > 0 || (r->config_file != NULL && !r->wpt);
}

static void runner_done(struct test_runner *r)
{
    for (size_t i = 0; i < r->n_services; i++) {
        service_stop(&r->services[i]);
        buf_done(&r->services[i].spec);
        buf_done(&r->services[i].load_error);
        json_release(&r->services[i].bindings);
        json_release(&r->services[i].tests);
    }
    free(r->services);
    json_release(&r->config);
    json_release(&r->flags);
    json_release(&r->texts);
    loop_release(&r->loop);
    if (r->root[0] != '\0' && file_remove_tree(AT_FDCWD, r->root) < 0)
        fprintf(stderr, "selvedge: %s stays behind\n", r->root);
}

static int runner_make_root(struct test_runner *r, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(r->root, sizeof(r->root), "%.512s/selvedge-test-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    if (mkdtemp(r->root) == NULL) {
        int error = errno;
        r->root[0] = '\0';
        return err_set(err, -error, 0, "cannot make a temporary directory: %s", strerror(error));
    }
    char code[TEST_WORKER_PATH_MAX + 8];
    snprintf(code, sizeof(code), "%s/code", r->root); /* the linker's, empty */
    return chmod(r->root, 0755) < 0 || mkdir(code, 0755) < 0
               ? err_set(err, -errno, 0, "%s: %m", code)
               : 0;
}

int cli_test_worker(int argc, char **argv)
{
    struct test_runner r = {.flags = json_array(), .texts = json_object()};
    struct err err = {0};
    if (!runner_options(&r, argc, argv)) {
        usage();
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    isolate_options_default(&r.options);
    r.options.extra = vm_script_text(&isolate_scripts, "test");
    r.options.install = test_install;
    r.options.allow_eval = r.wpt;
    r.loop = loop_create();
    int result = runner_make_root(&r, &err);
    if (result == 0)
        result = r.wpt ? runner_wpt(&r, &err) : runner_modules(&r, &err);
    if (result < 0) {
        printf("FAIL (load): %s\n", err.text);
        r.failed++;
    }
    printf("%u passed, %u failed\n", r.passed, r.failed);
    runner_done(&r);
    return r.failed > 0 ? 1 : 0;
}
