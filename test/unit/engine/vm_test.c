/* The VM: built-in scripts, entries, limits, rejections, the loop. */
#include "engine_test.h"

#include "core/clock.h"
#include "core/loop.h"
#include "engine/vm_job.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static JS_NATIVE(seven)
{
    return js_number(ctx, 7);
}

static void bootstrap(void **state UNUSED)
{
    static const struct js_native_row rows[] = {{"seven", seven}};
    vm_natives(vm, "some", rows, ARRAY_LEN(rows));
    vm_native_value(vm, "some", "name", js_string(cx, SLICE("x")));
    js_value hooks =
        vm_bootstrap(vm, "builtin",
                     SLICE("(function (native, global) { global.found = native.some.seven() + "
                           "native.some.name; return { hook() { return 1 } }; })"));
    EXPECT(js_is_object(cx, js_get(cx, hooks, "hook")));
    assert_string_equal(run_text("found + typeof native"), "7xundefined");
}

/* Scripts that are evaluated later: found by name; what they throw is the caller's, also when no stack is left. */
static void scripts(void **state UNUSED)
{
    static const char bad[] = "(function () { throw new Error('bad'); })",
                      good[] = "(function (native, global) { return { n: native.n }; })";
    static char both[sizeof bad + sizeof good];
    memcpy(both, bad, sizeof bad - 1);
    memcpy(both + sizeof bad - 1, good, sizeof good - 1);
    static const struct vm_script rows[] = {{"bad", 0, sizeof bad - 1},
                                            {"good", sizeof bad - 1, sizeof good - 1}};
    static const struct vm_scripts table = {both, rows, ARRAY_LEN(rows)};
    EXPECT_EQ(vm_script_text(&table, "good").len, sizeof good - 1);
    EXPECT_EQ(vm_script_text(&table, "none").len, 0);
    vm_scripts_install(vm, &table);
    vm_bootstrap(
        vm, "builtin",
        SLICE("(function (native, global) { native.n = 3; global.script = native.script; })"));
    assert_string_equal(run_text("script('good').n + String(script('none'))"), "3undefined");
    assert_string_equal(run_text("try { script('bad') } catch (e) { String(e) }"), "Error: bad");
    assert_string_equal(
        run_text("function deep() { try { return deep() } catch { return script('good') } }"
                 "try { typeof deep() } catch (e) { e.name }"),
        "object");
    assert_string_equal(run_text("script('good').n + ''"), "3");
}

static void eval_off(void **state UNUSED)
{
    assert_string_equal(run_text("eval('1 + 1')"), "2");
    vm_eval_allow(vm, false);
    assert_string_equal(run_text("try { eval('1') } catch (e) { String(e) }"),
                        "EvalError: Code generation from strings disallowed for this context");
    assert_string_equal(run_text("try { new Function('1') } catch (e) { e.name }"), "EvalError");
    assert_string_equal(run_text("try { (async () => {}).constructor('1') } catch (e) { e.name }"),
                        "EvalError");
    vm_eval_allow(vm, true);
    assert_string_equal(run_text("eval('3')"), "3");
}

static void syntax_error(void **state UNUSED)
{
    js_value exception = NULL;
    EXPECT(vm_eval(vm, "bad.js", SLICE("1 +"), &exception) == NULL);
    EXPECT(strncmp(text_of(exception), "SyntaxError", 11) == 0);
}

static void entries(void **state UNUSED)
{
    /* Microtasks of one entry run when it ends, not before. */
    vm_enter(vm);
    run("globalThis.order = 'a'; Promise.resolve().then(() => order += 'c'); 0");
    run("order += 'b'; 0");
    EXPECT_EQ(strcmp(run_text("order"), "ab"), 0);
    vm_leave(vm);
    assert_string_equal(run_text("order"), "abc");
}

static unsigned n_unhandled;
static char reason_text[64];

static void on_unhandled(void *user, js_value promise, js_value reason)
{
    EXPECT(user == &vm);
    EXPECT(js_is_object(cx, promise));
    n_unhandled++;
    snprintf(reason_text, sizeof reason_text, "%s", text_of(reason));
}

static void rejections(void **state UNUSED)
{
    n_unhandled = 0;
    vm_on_unhandled(vm, on_unhandled);
    run("Promise.reject('first'); 0");
    EXPECT(vm_turn(vm));
    EXPECT_EQ(n_unhandled, 1);
    assert_string_equal(reason_text, "first");
    /* A handler that comes within the same drain is in time. */
    run("{ const p = Promise.reject('second'); Promise.resolve().then(() => p.catch(() => 0)); } "
        "0");
    vm_turn(vm);
    EXPECT_EQ(n_unhandled, 1);
    run("(async () => { await 0; throw 'third' })(); 0");
    vm_turn(vm);
    EXPECT_EQ(n_unhandled, 2);
    assert_string_equal(reason_text, "third");
    EXPECT(!vm_turn(vm));
}

static void cpu_limit(void **state UNUSED)
{
    engine_signals();
    js_value exception = NULL;
    vm_cpu_limit(vm, 50 * 1000);
    int64_t begin_us = clock_thread_cpu_us();
    EXPECT(vm_eval(vm, "loop",
                   SLICE("try { for (;;); } catch { caught = 1 } finally { ended = 1 }"),
                   &exception) == NULL);
    int64_t used_us = clock_thread_cpu_us() - begin_us;
    EXPECT(used_us >= 50 * 1000 && used_us < 500 * 1000);
    EXPECT(vm_terminated(vm));
    vm_cpu_limit(vm, 0);
    assert_string_equal(run_text("typeof caught + typeof ended"), "undefinedundefined");
}

static void cpu_limit_waits(void **state UNUSED)
{
    /* Time spent waiting is not CPU time. */
    vm_cpu_limit(vm, 50 * 1000);
    run("const end = Date.now() + 5; while (Date.now() < end); 0");
    usleep(80 * 1000);
    run("1");
    EXPECT(!vm_terminated(vm));
}

static atomic_uint n_over;

static void on_over(void *user UNUSED)
{
    atomic_fetch_add(&n_over, 1);
}

static void busy(int ms)
{
    char source[128];
    snprintf(source, sizeof source, "{ const end = Date.now() + %d; while (Date.now() < end); } 0",
             ms);
    run(source);
}

static void watcher(void **state UNUSED)
{
    atomic_store(&n_over, 0);
    vm_watch_start(vm, on_over);
    vm_watch_enter(vm, 10 * 1000 * 1000);
    busy(100);
    vm_watch_leave(vm);
    EXPECT_EQ(atomic_load(&n_over), 0);
    /* Even what consists of microtasks only. */
    vm_watch_enter(vm, 30 * 1000);
    run("{ const end = Date.now() + 1500; (async () => { while (Date.now() < end) await 0; })(); } "
        "0");
    vm_watch_leave(vm);
    EXPECT(atomic_load(&n_over) > 0);
}

static void accounting(void **state UNUSED)
{
    vm_cpu_mark(vm);
    int64_t begin_us = clock_thread_cpu_us();
    busy(30);
    int64_t used_us = vm_cpu_take(vm), real_us = clock_thread_cpu_us() - begin_us;
    EXPECT(used_us > real_us / 2 && used_us < real_us * 2 + 5000);
    usleep(20 * 1000);
    vm_cpu_mark(vm);
    EXPECT(vm_cpu_take(vm) < 5 * 1000);
    usleep(20 * 1000);
    EXPECT(vm_cpu_take(vm) < 5 * 1000); /* long, so measured by the CPU clock */
}

static void memory(void **state UNUSED)
{
    vm_collect(vm);
    struct vm_memory before = vm_memory(vm);
    EXPECT(before.heap_size > 0 && before.heap_capacity >= before.heap_size);
    run("globalThis.kept = []; for (let i = 0; i < 100000; i++) kept.push({i}); 0");
    vm_collect(vm);
    EXPECT(vm_memory(vm).heap_size > before.heap_size + 1000 * 1000);
    run("kept = null");
    vm_collect(vm);
    EXPECT(vm_memory(vm).heap_size < before.heap_size + 3000 * 1000);
}

/* (module (func (export "f") (result i32) i32.const 42)) */
static const char wasm_source[] =
    "globalThis.wasm = new "
    "Uint8Array([0,97,115,109,1,0,0,0,1,5,1,96,0,1,127,3,2,1,0,7,5,1,1,102,0,0,10,6,1,4,0,65,"
    "42,11]); 0";

static void loop_serves_glib(void **state UNUSED)
{
    struct loop *loop = loop_create();
    vm_attach_loop(vm, loop);
    run(wasm_source);
    assert_string_equal(
        run_text("new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports.f()"), "42");
    /* Settled by a thread of the engine, through the GLib context. */
    run("globalThis.got = 0; WebAssembly.instantiate(wasm).then(r => got = "
        "r.instance.exports.f()); 0");
    for (int i = 0; i < 200 && strcmp(run_text("got"), "42") != 0; i++)
        loop_turn(loop, 10);
    assert_string_equal(run_text("got"), "42");
    vm_destroy(vm);
    EXPECT_EQ(vm_create(&vm, &vm), 0);
    cx = vm_context(vm);
    loop_destroy(loop);
}

static void wasm_bounds(void **state UNUSED)
{
    engine_signals();
    /* An access past the end is a signal inside and an exception outside. */
    run("globalThis.wasm = new "
        "Uint8Array([0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,127,3,2,1,0,5,3,1,0,1,7,5,1,1,102,0,0,"
        "10,9,1,7,0,32,0,40,2,0,11]); 0");
    run("globalThis.f = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports.f; 0");
    assert_string_equal(run_text("f(0)"), "0");
    assert_string_equal(run_text("for (let i = 0; i < 20000; i++) f(i); f(4)"), "0");
    assert_string_equal(run_text("try { f(70000) } catch (e) { e.constructor.name }"),
                        "RuntimeError");
}

/* --- jobs --- */

struct answer_job {
    struct vm_job job;
    pthread_t ran_on;
};

static unsigned jobs_finished;

static void answer_run(struct vm_job *job)
{
    CONTAINER_OF(job, struct answer_job, job)->ran_on = pthread_self();
}

static js_value answer_value(struct vm_job *job, js_context ctx)
{
    pthread_t ran_on = CONTAINER_OF(job, struct answer_job, job)->ran_on;
    return js_string(ctx, pthread_equal(ran_on, pthread_self()) ? SLICE("here") : SLICE("there"));
}

static void answer_finish(struct vm_job *job UNUSED)
{
    jobs_finished++;
}

/* answer(here, callback) */
static JS_NATIVE(answer)
{
    struct answer_job *j = mem_new(sizeof *j);
    j->job = (struct vm_job){.run = answer_run, .value = answer_value, .finish = answer_finish};
    j->job.here = js_is_true(ctx, args[0]);
    return vm_job_begin(ctx, &j->job, n_args > 1 ? args[1] : NULL);
}

static struct work_pool *jobs_pool;

static struct work_pool *jobs_pool_of(void *user UNUSED)
{
    return jobs_pool;
}

static uint32_t jobs_event(void *user UNUSED)
{
    return 7;
}

static void jobs_call(void *user UNUSED, uint32_t event, int64_t cpu_us, js_value fn, js_value arg)
{
    EXPECT_EQ(event, 7);
    EXPECT(cpu_us >= 0);
    js_call(cx, fn, &arg, 1, NULL);
}

static void jobs(void **state UNUSED)
{
    static const struct js_native_row rows[] = {{"answer", answer}};
    static const struct vm_job_host host = {jobs_pool_of, jobs_event, jobs_call};
    struct loop *loop = loop_create();
    vm_natives(vm, "some", rows, ARRAY_LEN(rows));
    vm_bootstrap(vm, "jobs",
                 SLICE("(function (native, global) { global.answer = native.some.answer; })"));
    jobs_finished = 0;
    run("globalThis.got = ''; globalThis.take = (v) => { got += v; }; 0");
    assert_string_equal(run_text("answer(false)"), "here");
    run("answer(false, take)"); /* there is nobody else to do it */
    assert_string_equal(run_text("got"), "here");
    EXPECT_EQ(jobs_finished, 2);

    jobs_pool = work_pool_create(loop, 1);
    vm_job_host(vm, &host);
    run("got = ''; answer(true, take)");
    assert_string_equal(run_text("got"), "here");
    run("got = ''; answer(false, take)");
    assert_string_equal(run_text("got"), "");
    for (int i = 0; i < 200 && jobs_finished < 4; i++)
        loop_turn(loop, 10);
    assert_string_equal(run_text("got"), "there");
    vm_job_host(vm, NULL);
    work_pool_destroy(jobs_pool);
    loop_destroy(loop);
}

int vm_tests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bootstrap),   TEST(scripts),    TEST(eval_off),  TEST(syntax_error),
        TEST(entries),     TEST(rejections), TEST(cpu_limit), TEST(cpu_limit_waits),
        TEST(watcher),     TEST(accounting), TEST(memory),    TEST(loop_serves_glib),
        TEST(wasm_bounds), TEST(jobs),
    };
    return RUN("vm", tests);
}
