/* All groups of engine/, on a thread with the stack that a VM wants. */
#include "engine_test.h"

#include <pthread.h>

struct vm *vm;
js_context cx;
static struct buf text;

int engine_setup(void **state UNUSED)
{
    EXPECT_EQ(vm_create(&vm, &vm), 0);
    cx = vm_context(vm);
    return 0;
}

int engine_teardown(void **state UNUSED)
{
    vm_destroy(vm);
    buf_done(&text);
    return 0;
}

/* cmocka catches the signals for itself around every test. */
static struct sigaction engine_segv, engine_bus;

void engine_signals(void)
{
    sigaction(SIGSEGV, &engine_segv, NULL);
    sigaction(SIGBUS, &engine_bus, NULL);
}

js_value run(const char *source)
{
    js_value exception = NULL;
    js_value v = vm_eval(vm, "test.js", slice_of(source), &exception);
    if (v == NULL) {
        buf_clear(&text);
        js_describe(cx, exception, &text);
        fail_msg("%s: %s", source, buf_cstr(&text));
    }
    return v;
}

const char *text_of(js_value v)
{
    buf_clear(&text);
    EXPECT_EQ(js_append_utf8(cx, v, &text), 0);
    return buf_cstr(&text);
}

const char *run_text(const char *source)
{
    return text_of(run(source));
}

void set(const char *name, js_value v)
{
    js_set(cx, run("globalThis"), name, v);
}

static void *thread(void *arg)
{
    int *failed = arg;
    void *state = NULL;
    engine_setup(&state);
    sigaction(SIGSEGV, NULL, &engine_segv);
    sigaction(SIGBUS, NULL, &engine_bus);
    engine_teardown(&state);
    *failed = js_tests() + vm_tests();
    return NULL;
}

int main(void)
{
    pthread_attr_t attr;
    pthread_t id;
    int failed = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, VM_STACK_SIZE);
    if (pthread_create(&id, &attr, thread, &failed) != 0)
        return 1;
    pthread_join(id, NULL);
    return failed > 0;
}
