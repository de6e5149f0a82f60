/*
 * From a warm spare to a Worker: natives and built-in scripts, the spec, the Worker's own script; and
 * link jobs.
 *
 * The start-up has one second of CPU time; eval() works until it is over. The result of hooks.load() may
 * be a promise: modules with top-level await. It must settle without I/O, so when nothing is left that
 * could settle it (no microtask, nothing of the engine's threads for a while), loading has failed.
 */
#include "role/isolate_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"

enum {
    ISOLATE_SETTLE_MS = 300, /* for what the engine's threads still do: WebAssembly.compile() */
    ISOLATE_PATH_MAX = 512,
    ISOLATE_CPU_DEFAULT_MS = 30000,
    ISOLATE_MEMORY_DEFAULT_MB = 128,
    ISOLATE_SPEC_MAX = 4 * 1024 * 1024
};

/* --- warm --- */

static void isolate_hold_hook(struct isolate *iso, struct js_hold *hold, js_value hooks,
                              const char *name)
{
    js_value fn = js_get(iso->ctx, hooks, name);
    if (js_is_object(iso->ctx, fn))
        js_hold_set(hold, iso->ctx, fn);
}

static void isolate_hold_hooks(struct isolate *iso, js_value hooks)
{
    const struct {
        const char *name;
        struct js_hold *hold;
    } rows[] = {
        {"warm", &iso->hooks.warm},
        {"load", &iso->hooks.load},
        {"request", &iso->hooks.request},
        {"scheduled", &iso->hooks.scheduled},
        {"tailed", &iso->hooks.tailed},
        {"abort", &iso->hooks.abort},
        {"timer", &iso->hooks.timer},
        {"unhandled", &iso->hooks.unhandled},
        {"link", &iso->hooks.link},
        {"condemn", &iso->hooks.condemn},
        {"alarm", &iso->hooks.alarm},
        {"sockets", &iso->hooks.sockets},
        {"objectsReset", &iso->hooks.objects_reset},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        isolate_hold_hook(iso, rows[i].hold, hooks, rows[i].name);
}

static void isolate_install_natives(struct isolate *iso)
{
    vm_natives(iso->vm, "io", isolate_io_rows, isolate_io_n_rows);
    vm_native_value(iso->vm, "io", "clock",
                    js_doubles(iso->ctx, iso->clock, ARRAY_LEN(iso->clock)));
    for (size_t i = 0; products[i] != NULL; i++)
        if (products[i]->n_natives > 0)
            vm_natives(iso->vm, products[i]->native_group, products[i]->natives,
                       products[i]->n_natives);
    vm_job_host(iso->vm, &isolate_jobs);
    if (iso->options->scripts != NULL)
        vm_scripts_install(iso->vm, iso->options->scripts);
    if (iso->options->install != NULL)
        iso->options->install(iso->vm);
}

void isolate_boot(struct isolate *iso)
{
    int r = vm_create(iso, &iso->vm);
    if (r < 0) {
        LOG(LOG_ERROR, "engine_missing", F("error", "%d", r));
        return;
    }
    iso->ctx = vm_context(iso->vm);
    iso->clock[0] = (double)clock_wall_ms();
    vm_enter(iso->vm);
    isolate_install_natives(iso);
    js_hold_set(&iso->empty, iso->ctx, js_string(iso->ctx, SLICE("")));
    js_value hooks = vm_bootstrap(iso->vm, "selvedge:main", iso->options->bundle);
    isolate_hold_hooks(iso, hooks);
    if (iso->options->extra.len > 0) {
        vm_native_value(iso->vm, "test", "inside", js_get(iso->ctx, hooks, "inside"));
        isolate_hold_hooks(iso, vm_bootstrap(iso->vm, "selvedge:test", iso->options->extra));
    }
    vm_leave(iso->vm);
    vm_on_unhandled(iso->vm, isolate_unhandled);
    vm_attach_loop(iso->vm, iso->loop);
    vm_turn(iso->vm);
    iso->round.run = isolate_round;
    loop_hook_add(iso->loop, &iso->round);
}

/* The supervisor prefers isolates that have finished warming up. */
static void isolate_tell_warm(struct isolate *iso)
{
    AUTO(buf_done) struct buf out = {0};
    msg_role_ready_pack(&out, &(struct msg_role_ready){.tier = 1});
    wire_note(iso->control, 0, OP_role_ready, buf_slice(&out), -1);
}

/* One step of a millisecond or two, then the loop again: who is needed at once is only as warm as it got. */
static void isolate_warm_step(struct timer *timer)
{
    struct isolate *iso = CONTAINER_OF(timer, struct isolate, warm_timer);
    /* With the limit set as it will be: the engine's first one makes a thread. */
    vm_cpu_limit(iso->vm, ISOLATE_STARTUP_CPU_US);
    vm_enter(iso->vm);
    bool more = js_is_true(iso->ctx, isolate_hook(iso, &iso->hooks.warm, NULL, 0));
    vm_leave(iso->vm);
    vm_cpu_limit(iso->vm, 0);
    if (more)
        return timer_start(iso->loop, timer, 0, isolate_warm_step);
    js_hold_clear(&iso->hooks.warm);
    vm_trim(iso->vm);
    isolate_tell_warm(iso);
}

void isolate_warm(struct isolate *iso)
{
    timer_start(iso->loop, &iso->warm_timer, 0, isolate_warm_step);
}

/* --- the spec --- */

static int isolate_code_path(struct isolate *iso, struct slice file, char *path, size_t size)
{
    char name[ISOLATE_PATH_MAX];
    int r = slice_to_cstr(file, name, sizeof name);
    if (r < 0)
        return r;
    if (name[0] == 0 || strchr(name, '/') != NULL || name[0] == '.')
        return -EINVAL;
    r = isolate_mount_path(iso, "code", path, size);
    if (r < 0)
        return r;
    size_t len = strlen(path);
    int n = snprintf(path + len, size - len, "/%s", name);
    return n < 0 || (size_t)n >= size - len ? -E2BIG : 0;
}

/* A file of a dynamic Worker, which has none on the disk. */
static int isolate_read_brought(struct isolate *iso, struct slice file, struct buf *ret)
{
    const json_t *place = json_object_getn(iso->code_files, file.ptr, file.len);
    if (slice_eq(file, SLICE("linked.js"))) {
        buf_append_slice(ret, buf_slice(&iso->linked));
        return 0;
    }
    if (place == NULL)
        return -ENOENT;
    buf_append(ret, buf_slice(&iso->code).ptr + json_integer_value(json_array_get(place, 0)),
               (size_t)json_integer_value(json_array_get(place, 1)));
    return 0;
}

static int isolate_read_code(struct isolate *iso, struct slice file, struct buf *ret)
{
    if (iso->code_files != NULL)
        return isolate_read_brought(iso, file, ret);
    char path[ISOLATE_PATH_MAX];
    int r = isolate_code_path(iso, file, path, sizeof path);
    return r < 0 ? r : file_read(AT_FDCWD, path, ISOLATE_CODE_MAX, ret);
}

static void isolate_make_bindings(struct isolate *iso)
{
    const json_t *list = json_object_get(iso->spec, "bindings");
    iso->n_bindings = json_array_size(list);
    iso->bindings = mem_new((iso->n_bindings + 1) * sizeof *iso->bindings);
    for (size_t i = 0; i < iso->n_bindings; i++) {
        const json_t *config = json_array_get(list, i);
        iso->bindings[i] = (struct binding){
            .product = product_by_binding(json_str(config, "type", "")),
            .index = (uint32_t)i,
            .name = json_str(config, "name", ""),
            .config = config,
        };
    }
}

static int isolate_read_spec(struct isolate *iso, struct err *err)
{
    if (iso->spec != NULL)
        return 0;
    if (buf_len(&iso->spec_text) == 0) {
        int r = isolate_read_code(iso, SLICE("spec.json"), &iso->spec_text);
        if (r < 0)
            return err_set(err, r, 0, "spec.json cannot be read");
    }
    int r = json_parse(buf_slice(&iso->spec_text), &iso->spec, err);
    if (r < 0)
        return r;
    const json_t *limits = json_object_get(iso->spec, "limits");
    iso->cpu_limit_us = json_int(limits, "cpu_ms", ISOLATE_CPU_DEFAULT_MS) * 1000;
    iso->memory_max = (size_t)json_int(limits, "memory_mb", ISOLATE_MEMORY_DEFAULT_MB) << 20;
    isolate_make_bindings(iso);
    return 0;
}

/* --- loading --- */

static void isolate_load_failed(struct isolate *iso, struct slice text)
{
    buf_clear(&iso->message);
    msg_load_failed_pack(&iso->message, &(struct msg_load_failed){.text = text});
    wire_note(iso->main, 0, OP_load_failed, buf_slice(&iso->message), -1);
    isolate_exit(iso, ISOLATE_EXIT_LOAD);
}

static void isolate_load_threw(struct isolate *iso, js_value error)
{
    AUTO(buf_done) struct buf text = {0};
    buf_append_slice(&text, SLICE("Uncaught "));
    js_describe(iso->ctx, error, &text);
    isolate_load_failed(iso, buf_slice(&text));
}

static void isolate_load_succeeded(struct isolate *iso, js_value handlers)
{
    if (iso->loaded || iso->exit_status >= 0)
        return;
    timer_stop(&iso->load_timer);
    vm_eval_allow(iso->vm, iso->options->allow_eval);
    iso->loaded = true;

    AUTO(buf_done) struct buf json = {0};
    buf_append_slice(&json, SLICE("{\"handlers\":"));
    if (!js_is_string(iso->ctx, handlers) || js_append_utf8(iso->ctx, handlers, &json) < 0)
        buf_append_slice(&json, SLICE("[]"));
    buf_printf(&json, ",\"startup_us\":%lld}", (long long)iso->startup_us);
    buf_clear(&iso->message);
    msg_loaded_pack(&iso->message, &(struct msg_loaded){.json = buf_slice(&json)});
    wire_note(iso->main, 0, OP_loaded, buf_slice(&iso->message), -1);
    wire_pause(iso->main, false);
}

static JS_NATIVE(isolate_load_settled)
{
    isolate_load_succeeded(js_user(ctx), n_args > 0 ? args[0] : js_undefined(ctx));
    return js_undefined(ctx);
}

static JS_NATIVE(isolate_load_rejected)
{
    isolate_load_threw(js_user(ctx), n_args > 0 ? args[0] : js_undefined(ctx));
    return js_undefined(ctx);
}

/* The top level of a Worker may make code from strings since this date, its events may not. */
static bool isolate_startup_eval(struct isolate *iso)
{
    static const char since[] = "2025-06-01";
    const json_t *compat = json_object_get(iso->spec, "compat");
    bool allowed = strcmp(json_str(compat, "date", ""), since) >= 0;
    size_t i;
    json_t *flag;
    json_array_foreach(json_object_get(compat, "flags"), i, flag)
    {
        const char *name = json_is_string(flag) ? json_string_value(flag) : "";
        if (strcmp(name, "allow_eval_during_startup") == 0)
            allowed = true;
        else if (strcmp(name, "disallow_eval_during_startup") == 0)
            return false;
    }
    return allowed;
}

static JS_NATIVE(isolate_evaluate)
{
    struct isolate *iso = js_user(ctx);
    AUTO(buf_done) struct buf code = {0};
    const char *file = json_str(iso->spec, "code", "linked.js");
    int r = isolate_read_code(iso, slice_of(file), &code);
    if (r < 0)
        return js_throw(ctx, exception, "Error", "%s cannot be read (%d)", file, r);
    vm_eval_allow(iso->vm, iso->options->allow_eval || isolate_startup_eval(iso));
    return vm_eval(iso->vm, json_str(iso->spec, "main", "worker.js"), buf_slice(&code), exception);
}

/* readFile(file, kind): text for "text", "json" and scripts, an ArrayBuffer for "data" and "wasm". */
static JS_NATIVE(isolate_read_file)
{
    struct isolate *iso = js_user(ctx);
    AUTO(buf_done) struct buf content = {0}, name = {0}, kind = {0};
    if (n_args < 1 || js_append_utf8(ctx, args[0], &name) < 0)
        return js_throw(ctx, exception, "TypeError", "readFile wants a file");
    if (n_args > 1 && js_append_utf8(ctx, args[1], &kind) < 0)
        return js_throw(ctx, exception, "TypeError", "readFile wants a kind");
    int r = isolate_read_code(iso, buf_slice(&name), &content);
    if (r < 0)
        return js_throw(ctx, exception, "Error", "module file %.*s cannot be read (%d)",
                        SLICE_ARG(buf_slice(&name)), r);
    struct slice k = buf_slice(&kind);
    bool bytes = slice_eq(k, SLICE("wasm")) || slice_eq(k, SLICE("data")) ||
                 slice_eq(k, SLICE("bytes")) || slice_eq(k, SLICE("buffer"));
    return bytes ? js_bytes_buf(ctx, &content) : js_string_buf(ctx, &content);
}

static void isolate_load_unsettled(struct timer *timer)
{
    struct isolate *iso = CONTAINER_OF(timer, struct isolate, load_timer);
    isolate_load_failed(iso, SLICE("Uncaught Error: Top-level await in module is unsettled."));
}

/* The whole start-up is one entry; the limit stays on while its microtasks run. */
static void isolate_load_script(struct isolate *iso)
{
    js_context ctx = iso->ctx;
    js_value exception = NULL;
    int64_t begin_us = clock_thread_cpu_us();

    iso->depth++;
    iso->clock[0] = (double)clock_wall_ms();
    vm_watch_enter(iso->vm, ISOLATE_STARTUP_CPU_US + ISOLATE_WATCH_GRACE_US);
    vm_cpu_limit(iso->vm, ISOLATE_STARTUP_CPU_US);
    vm_enter(iso->vm);
    js_value args[] = {
        js_string(ctx, buf_slice(&iso->spec_text)),
        js_function(ctx, "evaluate", isolate_evaluate),
        js_function(ctx, "readFile", isolate_read_file),
    };
    js_value result = js_call(ctx, iso->hooks.load.v, args, ARRAY_LEN(args), &exception);
    bool promise = result != NULL && js_is_object(ctx, result) &&
                   js_when_settled(ctx, result, js_function(ctx, "settled", isolate_load_settled),
                                   js_function(ctx, "rejected", isolate_load_rejected));
    iso->startup_us = clock_thread_cpu_us() - begin_us;
    vm_leave(iso->vm);
    vm_cpu_limit(iso->vm, 0);
    vm_watch_leave(iso->vm);
    iso->depth--;

    if (vm_terminated(iso->vm))
        return isolate_load_failed(iso, SLICE("Error: Script startup exceeded CPU time limit."));
    if (result == NULL)
        return isolate_load_threw(iso, exception);
    if (!promise)
        return isolate_load_succeeded(iso, result);
    vm_turn(iso->vm);
    if (!iso->loaded && iso->exit_status < 0)
        timer_start(iso->loop, &iso->load_timer, ISOLATE_SETTLE_MS * 1000, isolate_load_unsettled);
}

/* A linker has no Worker: it gets one more built-in script. */
static void isolate_load_linker(struct isolate *iso)
{
    vm_enter(iso->vm);
    isolate_hold_hooks(iso, vm_bootstrap(iso->vm, "selvedge:linker", iso->options->linker));
    vm_leave(iso->vm);
    vm_eval_allow(iso->vm, false);
    iso->cpu_limit_us = ISOLATE_LINK_CPU_US;
    iso->memory_max = SIZE_MAX;
    iso->loaded = true;
    wire_pause(iso->main, false);
}

void isolate_prepare(struct isolate *iso)
{
    struct err err = {0};
    timer_stop(&iso->warm_timer);
    js_hold_clear(&iso->hooks.warm);
    vm_watch_start(iso->vm, isolate_cpu_over);
    if (iso->kind == ISOLATE_LINKER || buf_len(&iso->spec_text) == 0 ||
        isolate_read_spec(iso, &err) < 0)
        return;
    vm_enter(iso->vm);
    js_value args[] = {js_string(iso->ctx, buf_slice(&iso->spec_text))};
    isolate_hook(iso, &iso->hooks.prepare, args, ARRAY_LEN(args));
    vm_leave(iso->vm);
}

void isolate_load(struct isolate *iso)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    iso->rss_base_kb = usage.ru_maxrss;

    iso->main = wire_create(iso->loop, TAKE_FD(iso->main_fd), 1, &isolate_main_events, iso);
    wire_pause(iso->main, true);
    if (iso->kind == ISOLATE_LINKER)
        return isolate_load_linker(iso);

    struct err err = {0};
    if (isolate_read_spec(iso, &err) < 0) {
        AUTO(buf_done) struct buf text = {0};
        buf_printf(&text, "Uncaught Error: %s", err.text);
        return isolate_load_failed(iso, buf_slice(&text));
    }
    if (isolate_awaits_code(iso))
        wire_pause(iso->main, false);
    else
        isolate_load_script(iso);
}

bool isolate_awaits_code(const struct isolate *iso)
{
    return iso->kind == ISOLATE_WORKER && iso->code_files == NULL &&
           json_bool(iso->spec, "dynamic", false);
}

/* --- link jobs --- */

static bool link_is_script(const char *type)
{
    static const char *const types[] = {"esm", "cjs", "commonjs", "script", "json", "text"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

static void link_answer(struct channel *ch, int result, struct slice text, struct slice code)
{
    struct isolate *iso = ch->iso;
    buf_clear(&iso->message);
    msg_linked_pack(&iso->message, &(struct msg_linked){.result = result, .text = text});
    bool body = result >= 0;
    if (ch->stream != NULL) {
        wire_reply(ch->stream, buf_slice(&iso->message), -1, !body);
        if (body)
            wire_send(ch->stream, code, true);
    }
    channel_close(ch, 0);
    channel_destroy(ch);
}

/* Cuts the body into the modules' sources, each held, since the collector does not see our heap. False
 * when the sizes do not add up. */
static bool link_sources(struct isolate *iso, struct slice rest, const json_t *options,
                         struct js_hold *sources)
{
    js_context ctx = iso->ctx;
    const json_t *modules = json_object_get(options, "modules");
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const json_t *module = json_array_get(modules, i);
        int64_t size = json_int(module, "size", -1);
        if (size < 0 || (size_t)size > rest.len)
            return false;
        if (link_is_script(json_str(module, "type", "")))
            js_hold_set(&sources[i], ctx, js_string(ctx, slice_from(rest.ptr, (size_t)size)));
        rest = slice_skip(rest, (size_t)size);
    }
    return rest.len == 0;
}

/* 0 and the code, or a negative errno and the sentence. */
static int link_call(struct channel *ch, struct js_hold *sources, size_t n, struct buf *ret)
{
    struct isolate *iso = ch->iso;
    js_context ctx = iso->ctx;
    js_value *args = mem_new((n + 1) * sizeof *args), exception = NULL;
    args[0] = js_string(ctx, buf_slice(&ch->options));
    for (size_t i = 0; i < n; i++)
        args[i + 1] = sources[i].v == NULL ? js_undefined(ctx) : sources[i].v;
    struct js_hold options = {0};
    js_hold_set(&options, ctx, args[0]);
    js_value result = js_call(ctx, iso->hooks.link.v, args, n + 1, &exception);
    js_hold_clear(&options);
    mem_release(&args);

    if (result != NULL)
        return js_append_utf8(ctx, result, ret);
    js_value message = js_is_object(ctx, exception) ? js_get(ctx, exception, "message") : exception;
    if (!js_is_string(ctx, message) || js_append_utf8(ctx, message, ret) < 0)
        js_describe(ctx, exception, ret);
    return -EINVAL;
}

/* --- the code of a dynamic Worker --- */

static void code_file(struct isolate *iso, const char *name, size_t at, size_t size)
{
    json_object_set_new(iso->code_files, name,
                        json_pack("[I, I]", (json_int_t)at, (json_int_t)size));
}

/* Where each file of the body is: "env", then m0, m1, ... in the order of the list. */
static int code_place(struct isolate *iso, const json_t *options)
{
    const json_t *modules = json_object_get(options, "modules");
    int64_t env = json_int(options, "env_size", -1);
    size_t at = 0;
    iso->code_files = json_object();
    if (env < 0 || (size_t)env > buf_len(&iso->code))
        return -EBADMSG;
    code_file(iso, "env", 0, (size_t)env);
    at = (size_t)env;
    for (size_t i = 0; i < json_array_size(modules); i++) {
        char name[32];
        int64_t size = json_int(json_array_get(modules, i), "size", -1);
        if (size < 0 || (size_t)size > buf_len(&iso->code) - at)
            return -EBADMSG;
        snprintf(name, sizeof(name), "m%zu", i);
        code_file(iso, name, at, (size_t)size);
        at += (size_t)size;
    }
    return 0;
}

static void code_take(struct channel *ch, const json_t *options)
{
    struct isolate *iso = ch->iso;
    iso->code = ch->in;
    ch->in = (struct buf){0};
    int r = code_place(iso, options);
    if (r < 0)
        return isolate_load_failed(iso, SLICE("Error: the modules do not match their description"));
    /* The linker's script is needed once, and reads what its own process will run. */
    vm_enter(iso->vm);
    isolate_hold_hook(iso, &iso->hooks.link,
                      vm_bootstrap(iso->vm, "selvedge:linker", iso->options->linker), "link");
    vm_leave(iso->vm);
}

static void code_linked(struct channel *ch, int result, struct buf *text)
{
    struct isolate *iso = ch->iso;
    js_hold_clear(&iso->hooks.link);
    channel_close(ch, 0);
    channel_destroy(ch);
    if (result < 0)
        return isolate_load_failed(iso, buf_slice(text));
    iso->linked = *text;
    *text = (struct buf){0};
    isolate_load_script(iso);
    buf_done(&iso->linked);
}

/* bytes: the modules. */
static void link_job(struct channel *ch, const json_t *options, struct slice bytes)
{
    struct isolate *iso = ch->iso;
    size_t n = json_array_size(json_object_get(options, "modules"));
    struct js_hold *sources = mem_new((n + 1) * sizeof *sources);
    AUTO(buf_done) struct buf text = {0};

    isolate_enter(iso, NULL, iso->cpu_limit_us);
    int r = -EBADMSG;
    if (link_sources(iso, bytes, options, sources))
        r = link_call(ch, sources, n, &text);
    else
        buf_append_slice(&text, SLICE("module sizes do not match the body"));
    for (size_t i = 0; i < n; i++)
        js_hold_clear(&sources[i]);
    mem_release(&sources);
    isolate_leave(iso);
    if (vm_terminated(iso->vm))
        return;
    if (iso->kind == ISOLATE_WORKER)
        return code_linked(ch, r, &text);
    link_answer(ch, r, r < 0 ? buf_slice(&text) : SLICE(""), r < 0 ? SLICE_NONE : buf_slice(&text));
}

void isolate_link_run(struct channel *ch)
{
    AUTO(json_release) json_t *options = NULL;
    struct err err = {0};
    if (json_parse(buf_slice(&ch->options), &options, &err) < 0)
        return link_answer(ch, -EBADMSG, slice_of(err.text), SLICE_NONE);
    struct isolate *iso = ch->iso;
    if (iso->kind == ISOLATE_LINKER)
        return link_job(ch, options, buf_slice(&ch->in));
    code_take(ch, options);
    if (iso->exit_status < 0)
        link_job(ch, options,
                 slice_skip(buf_slice(&iso->code), (size_t)json_int(options, "env_size", 0)));
}
