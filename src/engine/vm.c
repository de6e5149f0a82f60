/*
 * Creation and destruction of the VM, built-in scripts, evaluation. CPU time is in vm_cpu.c, the GLib
 * context in vm_loop.c.
 */
#include "engine/vm.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/vm_impl.h"

/* The thread's VM: reading a thread-local is cheaper than any property of the global object, and a
 * custom class of the global object would slow every lookup of a global name. */
static _Thread_local struct vm *vm_of_thread;

/* The engine's run loop of a thread keeps the context it found first, so it stays for the thread's life, and
 * is ours for good: other threads then always signal it when they post something. */
static _Thread_local GMainContext *vm_glib_of_thread;

static GMainContext *vm_glib(void)
{
    if (vm_glib_of_thread == NULL) {
        vm_glib_of_thread = g_main_context_new();
        g_main_context_push_thread_default(vm_glib_of_thread);
        CHECK(g_main_context_acquire(vm_glib_of_thread));
    }
    return vm_glib_of_thread;
}

struct vm *vm_here(void)
{
    return vm_of_thread;
}

void *js_user(js_context ctx UNUSED)
{
    return vm_of_thread->user;
}

/* What C cannot do well through the API. Runs before any other script, keeps the originals. */
static const char vm_helper_source[] =
    "(function () {\n"
    "  const U8 = Uint8Array, View = ArrayBuffer.isView, then = Promise.prototype.then, AB = "
    "ArrayBuffer;\n"
    "  const call = Function.prototype.call.bind(Function.prototype.call);\n"
    "  return {\n"
    "    view(v) { return View(v) ? new U8(v.buffer, v.byteOffset, v.byteLength)\n"
    "                             : v instanceof AB ? new U8(v) : undefined; },\n"
    "    then(p, ok, bad) { call(then, p, ok, bad); },\n"
    "  };\n"
    "})()";

/* Before the names of scripts, as stack traces show them. */
#define VM_SCRIPT_PLACE "selvedge:"

static const char *const vm_class_names[VM_CLASSES] = {
    "Error", "TypeError", "RangeError", "SyntaxError", "ReferenceError", "EvalError", "URIError",
};

static const char *vm_missing(void)
{
    const struct {
        const char *name;
        bool there;
    } needed[] = {
        {"JSContextGroupSetExecutionTimeLimit", JSContextGroupSetExecutionTimeLimit != NULL},
        {"JSContextGroupClearExecutionTimeLimit", JSContextGroupClearExecutionTimeLimit != NULL},
        {"JSGlobalContextSetUnhandledRejectionCallback",
         JSGlobalContextSetUnhandledRejectionCallback != NULL},
        {"JSGlobalContextSetEvalEnabled", JSGlobalContextSetEvalEnabled != NULL},
        {"JSGetMemoryUsageStatistics", JSGetMemoryUsageStatistics != NULL},
        {"JSReportExtraMemoryCost", JSReportExtraMemoryCost != NULL},
        {"JSSynchronousGarbageCollectForDebugging",
         JSSynchronousGarbageCollectForDebugging != NULL},
        {"JSDisableGCTimer", JSDisableGCTimer != NULL || jsc_initialize_main_thread != NULL},
        {"JSLock", JSLock != NULL},
        {"JSUnlock", JSUnlock != NULL},
        {"JSScriptCreateReferencingImmortalASCIIText",
         JSScriptCreateReferencingImmortalASCIIText != NULL},
        {"JSScriptEvaluate", JSScriptEvaluate != NULL},
        {"JSScriptRelease", JSScriptRelease != NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!needed[i].there)
            return needed[i].name;
    return NULL;
}

static JS_NATIVE(vm_rejected)
{
    struct vm *vm = vm_of_thread;
    if (n_args >= 2 && vm->n_rejections < VM_REJECTIONS_MAX && !vm->terminated) {
        struct vm_rejection *r = &vm->rejections[vm->n_rejections++];
        js_hold_set(&r->promise, ctx, args[0]);
        js_hold_set(&r->reason, ctx, args[1]);
    }
    return js_undefined(ctx);
}

static void vm_keep_originals(struct vm *vm)
{
    js_context ctx = vm->ctx;
    js_value exception = NULL;
    vm->helper = vm_eval(vm, "selvedge:helper", slice_of(vm_helper_source), &exception);
    CHECK(vm->helper != NULL);
    JSValueProtect(ctx, vm->helper);
    vm->helper_view = js_get(ctx, vm->helper, "view");
    vm->helper_then = js_get(ctx, vm->helper, "then");

    JSObjectRef global = JSContextGetGlobalObject(ctx);
    for (size_t i = 0; i < VM_CLASSES; i++) {
        vm->classes[i].name = vm_class_names[i];
        vm->classes[i].constructor = js_get(ctx, global, vm_class_names[i]);
        JSValueProtect(ctx, vm->classes[i].constructor);
    }

    js_value rejected = js_function(ctx, "rejected", vm_rejected);
    JSGlobalContextSetUnhandledRejectionCallback(vm->ctx, jsc_object(rejected), &exception);
    vm->native = js_object(ctx);
    JSValueProtect(ctx, vm->native);
}

int vm_create(void *user, struct vm **ret)
{
    CHECK(vm_of_thread == NULL);
    const char *missing = vm_missing();
    if (missing != NULL)
        return -EOPNOTSUPP;

    struct vm *vm = mem_new(sizeof *vm);
    vm->user = user;
    vm->glib = vm_glib();
    vm_of_thread = vm;

    /* Before the engine reads its options; one that was given from outside stays. */
    (void)setenv("JSC_useSharedArrayBuffer", "1", 0);
    if (jsc_initialize_main_thread != NULL)
        jsc_initialize_main_thread();
    else
        JSDisableGCTimer();
    vm->group = JSContextGroupCreate();
    vm->ctx = JSGlobalContextCreateInGroup(vm->group, NULL);
    vm_cpu_init(vm);
    vm_keep_originals(vm);
    *ret = vm;
    return 0;
}

void vm_destroy(struct vm *vm)
{
    if (vm == NULL)
        return;
    CHECK(vm_of_thread == vm);
    vm_cpu_finish(vm);
    vm_loop_finish(vm);
    for (unsigned i = 0; i < vm->n_rejections; i++) {
        js_hold_clear(&vm->rejections[i].promise);
        js_hold_clear(&vm->rejections[i].reason);
    }
    JSGlobalContextRelease(vm->ctx);
    JSContextGroupRelease(vm->group);
    while (g_main_context_iteration(vm->glib, FALSE))
        continue;
    buf_done(&vm->scratch);
    vm_of_thread = NULL;
    mem_release(&vm);
}

js_context vm_context(struct vm *vm)
{
    return vm->ctx;
}

static js_value vm_native_group(struct vm *vm, const char *group)
{
    js_value object = js_get(vm->ctx, vm->native, group);
    if (!js_is_object(vm->ctx, object)) {
        object = js_object(vm->ctx);
        js_set(vm->ctx, vm->native, group, object);
    }
    return object;
}

void vm_natives(struct vm *vm, const char *group, const struct js_native_row *rows, size_t n)
{
    js_value object = vm_native_group(vm, group);
    for (size_t i = 0; i < n; i++)
        js_set(vm->ctx, object, rows[i].name, js_function(vm->ctx, rows[i].name, rows[i].run));
}

void vm_native_value(struct vm *vm, const char *group, const char *name, js_value v)
{
    js_set(vm->ctx, vm_native_group(vm, group), name, v);
}

/* A built-in script that throws is a broken program. */
static void vm_broken(struct vm *vm, const char *name, js_value exception)
{
    AUTO(buf_done) struct buf text = {0};
    buf_printf(&text, "built-in script %s: ", name);
    if (exception != NULL)
        js_describe(vm->ctx, exception, &text);
    panic(__FILE__, __LINE__, buf_cstr(&text));
}

/* Evaluates and calls; NULL with *exception, which is NULL too when not even parsing had room. */
static js_value vm_run_script(struct vm *vm, const char *name, struct slice source,
                              js_value *exception)
{
    AUTO(jsc_string_release) JSStringRef url = jsc_name(name);
    AUTO(jsc_string_release) JSStringRef error = NULL;
    int error_line = 0;
    JSScriptRef script = JSScriptCreateReferencingImmortalASCIIText(
        vm->group, url, 1, source.ptr, source.len, &error, &error_line);
    if (script == NULL) {
        *exception = error == NULL ? NULL : JSValueMakeString(vm->ctx, error);
        return NULL;
    }
    js_value function = JSScriptEvaluate(vm->ctx, script, NULL, exception);
    JSScriptRelease(script);
    if (function == NULL || !js_is_object(vm->ctx, function))
        return NULL;
    js_value args[] = {vm->native, JSContextGetGlobalObject(vm->ctx)};
    return js_call(vm->ctx, function, args, ARRAY_LEN(args), exception);
}

js_value vm_bootstrap(struct vm *vm, const char *name, struct slice source)
{
    js_value exception = NULL;
    vm_enter(vm);
    js_value result = vm_run_script(vm, name, source, &exception);
    if (result == NULL)
        vm_broken(vm, name, exception);
    vm_leave(vm);
    return result;
}

static int vm_script_compare(const void *key, const void *row)
{
    return strcmp(key, ((const struct vm_script *)row)->name);
}

struct slice vm_script_text(const struct vm_scripts *scripts, const char *name)
{
    const struct vm_script *row =
        bsearch(name, scripts->rows, scripts->n, sizeof *row, vm_script_compare);
    return row == NULL ? SLICE_NONE : slice_from(scripts->text + row->offset, row->len);
}

static JS_NATIVE(vm_native_script)
{
    struct vm *vm = vm_of_thread;
    AUTO(buf_done) struct buf place = {0};
    buf_append_slice(&place, SLICE(VM_SCRIPT_PLACE));
    if (n_args < 1 || js_append_utf8(ctx, args[0], &place) < 0)
        return js_throw(ctx, exception, "TypeError", "script wants a name");
    const char *name = buf_cstr(&place);
    struct slice text = vm_script_text(vm->scripts, name + sizeof VM_SCRIPT_PLACE - 1);
    if (text.len == 0)
        return js_undefined(ctx);
    js_value result = vm_run_script(vm, name, text, exception);
    if (result == NULL && *exception == NULL)
        return js_throw(ctx, exception, "RangeError", "%s cannot be evaluated", name);
    return result;
}

void vm_scripts_install(struct vm *vm, const struct vm_scripts *scripts)
{
    vm->scripts = scripts;
    js_set(vm->ctx, vm->native, "script", js_function(vm->ctx, "script", vm_native_script));
}

js_value vm_eval(struct vm *vm, const char *name, struct slice source, js_value *exception)
{
    AUTO(jsc_string_release) JSStringRef url = jsc_name(name);
    AUTO(jsc_string_release) JSStringRef text = js_string_make(source);
    return JSEvaluateScript(vm->ctx, text, NULL, url, 1, exception);
}

void vm_eval_allow(struct vm *vm, bool allowed)
{
    AUTO(jsc_string_release)
    JSStringRef message = jsc_name("Code generation from strings disallowed for this context");
    JSGlobalContextSetEvalEnabled(vm->ctx, allowed, message);
}

void vm_enter(struct vm *vm)
{
    JSLock(vm->ctx);
}

void vm_leave(struct vm *vm)
{
    JSUnlock(vm->ctx);
}

void vm_on_unhandled(struct vm *vm, void (*fn)(void *user, js_value promise, js_value reason))
{
    vm->on_unhandled = fn;
}

struct vm_memory vm_memory(struct vm *vm)
{
    js_value stats = JSGetMemoryUsageStatistics(vm->ctx);
    return (struct vm_memory){
        .heap_size = (size_t)js_to_number(vm->ctx, js_get(vm->ctx, stats, "heapSize"), 0),
        .heap_capacity = (size_t)js_to_number(vm->ctx, js_get(vm->ctx, stats, "heapCapacity"), 0),
        .extra = (size_t)js_to_number(vm->ctx, js_get(vm->ctx, stats, "extraMemorySize"), 0),
    };
}

void vm_collect(struct vm *vm)
{
    JSSynchronousGarbageCollectForDebugging(vm->ctx);
}

void vm_trim(struct vm *vm)
{
    vm_collect(vm);
    if (jsc_release_free_memory != NULL)
        jsc_release_free_memory();
}

void vm_report_extra(struct vm *vm, size_t bytes)
{
    JSReportExtraMemoryCost(vm->ctx, bytes);
}
