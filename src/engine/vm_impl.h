/*
 * What the files of engine/ share: the VM's struct and conversions between our handles and the engine's.
 */
#pragma once

#include "engine/vm.h"

#include "core/buf.h"
#include "core/loop.h"
#include "engine/jsc_private.h"

#include <pthread.h>
#include <stdatomic.h>

#include <glib.h>

enum { VM_GLIB_FDS = 8, VM_CLASSES = 7, VM_REJECTIONS_MAX = 1024 };

/* Built-in constructors as they were before a tenant's script could replace them. */
struct vm_class {
    const char *name;
    js_value constructor; /* held */
};

struct vm_rejection {
    struct js_hold promise, reason;
};

struct vm {
    void *user;
    JSContextGroupRef group;
    JSGlobalContextRef ctx;
    js_value native;                   /* held: the object `native` of built-in scripts */
    js_value helper;                   /* held: functions of vm_helper_source */
    js_value helper_view, helper_then; /* reachable from helper */
    struct vm_class classes[VM_CLASSES];
    const struct vm_scripts *scripts;
    const struct vm_job_host *job_host; /* NULL: jobs run at once */
    unsigned n_jobs;
    struct buf scratch; /* for strings that must be terminated or widened */

    /* Unhandled rejections of the turn so far. */
    struct vm_rejection rejections[VM_REJECTIONS_MAX];
    unsigned n_rejections;
    void (*on_unhandled)(void *user, js_value promise, js_value reason);

    /* GLib */
    GMainContext *glib;
    struct loop *loop;
    struct watch watches[VM_GLIB_FDS];
    unsigned n_watches;
    struct timer timer;
    bool glib_ready;

    /* CPU time: see vm_cpu.c */
    bool terminated;
    int64_t mark_wall_us, base_cpu_us, since_base_us;
    struct vm_watcher {
        pthread_t thread, subject;
        pthread_mutex_t mutex;
        pthread_cond_t wakeup;
        bool running, stop;
        atomic_uint entry;      /* odd while a script runs */
        atomic_llong budget_us; /* CPU time that the entry may still use; 0 = any */
        atomic_bool sleeping;
        void (*over)(void *user);
    } watcher;
};

/* The VM of this thread; NULL where there is none. */
struct vm *vm_here(void);

void vm_cpu_init(struct vm *vm);
void vm_cpu_finish(struct vm *vm);
void vm_loop_finish(struct vm *vm);

/* The engine's string of UTF-8 text; the caller releases it. */
JSStringRef js_string_make(struct slice utf8);

static inline JSObjectRef jsc_object(js_value v)
{
    return (JSObjectRef)(uintptr_t)v;
}

/* A name of ours, as the engine wants names. The caller releases it. */
static inline JSStringRef jsc_name(const char *name)
{
    return JSStringCreateWithUTF8CString(name);
}

static inline void jsc_string_release(JSStringRef *s)
{
    if (*s != NULL)
        JSStringRelease(*s);
}
