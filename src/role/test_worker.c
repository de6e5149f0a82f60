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

enum { RUNNER_TURN_MS = 100 };

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

/* --- tests of modules --- */

static struct test_service *runner_main(struct test_runner *r)
{
    const char *name = json_str(r->config, "main", NULL);
    return name == NULL ? &r->services[0] : config_find(r, name);
}

static int runner_prepare(struct test_runner *r, struct err *err)
{
    int result = config_read(r, err);
    if (result == 0)
        result = config_prepare(r, err);
    for (size_t i = 0; i < r->n_services && result == 0; i++)
        result = service_probe(&r->services[i], err);
    return result < 0 ? result : world_set_table(r, err);
}

static int runner_modules(struct test_runner *r, struct err *err)
{
    int result = runner_prepare(r, err);
    if (result < 0)
        return result;
    struct test_service *s = runner_main(r);
    if (s == NULL)
        return err_set(err, -EINVAL, 0, "there is no service of that name");
    for (size_t i = 0; i < json_array_size(s->tests); i++) {
        const char *name = json_string_value(json_array_get(s->tests, i));
        char url[TEST_WORKER_PATH_MAX];
        if (r->filter != NULL && strstr(name, r->filter) == NULL)
            continue;
        snprintf(url, sizeof(url), "http://test/%s", name);
        event_report(s, "TEST", url, name, NULL);
    }
    return 0;
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
           "  --network            they reach the network, this machine too\n"
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
    case 'n':
        r->network = true;
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
                                            {"network", no_argument, NULL, 'n'},
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
    world_destroy(r);
    for (size_t i = 0; i < r->n_services; i++) {
        struct test_service *service = &r->services[i];
        buf_done(&service->spec);
        buf_done(&service->load_error);
        buf_done(&service->end);
        json_release(&service->bindings);
        json_release(&service->mounts);
        json_release(&service->outbound);
        json_release(&service->tests);
    }
    free(r->services);
    json_release(&r->config);
    json_release(&r->namespaces);
    json_release(&r->flags);
    json_release(&r->texts);
    if (r->root[0] != '\0' && file_remove_tree(AT_FDCWD, r->root) < 0)
        fprintf(stderr, "selvedge: %s stays behind\n", r->root);
}

static int runner_make_root(struct test_runner *r, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(r->root, sizeof(r->root), "%.*s/selvedge-test-XXXXXX", TEST_WORKER_ROOT_MAX - 32,
             tmp == NULL ? "/tmp" : tmp);
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
    log_init("test-worker", r.verbose ? LOG_INFO : LOG_ERROR);
    isolate_options_default(&r.options);
    r.options.extra = vm_script_text(&isolate_scripts, "test");
    r.options.install = test_install;
    r.options.allow_eval = r.wpt;
    r.loop = loop_create();
    int result = runner_make_root(&r, &err);
    if (result == 0)
        result = world_create(&r, &err);
    if (result == 0)
        result = r.wpt ? wpt_run(&r, &err) : runner_modules(&r, &err);
    if (result < 0) {
        printf("FAIL (load): %s\n", err.text);
        r.failed++;
    }
    printf("%u passed, %u failed\n", r.passed, r.failed);
    runner_done(&r);
    return r.failed > 0 ? 1 : 0;
}
