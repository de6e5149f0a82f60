/*
 * What a native computes for long, on a thread of the work pool instead of the VM's.
 *
 * A native fills a struct that embeds a vm_job, with copies of all it reads, and ends with `return
 * vm_job_begin(ctx, job, callback)`. On the VM's thread, but for run(). A thread of the pool cannot be stopped,
 * so that a job says by `here` when nobody knows how long it may take: the VM's thread has a time limit.
 */
#pragma once

#include "core/work.h"
#include "engine/vm.h"

enum { VM_JOBS_MAX = 256 }; /* under way; what is more runs at once on the VM's thread */

struct vm_job {
    void (*run)(struct vm_job *job); /* on any thread; touches nothing of the VM */
    js_value (*value)(struct vm_job *job,
                      js_context ctx); /* what run() found; undefined: it failed */
    void (*finish)(
        struct vm_job *job); /* releases what the job owns, not the job itself; may be NULL */
    bool here;

    /* of vm_job.c */
    struct work work;
    struct vm *vm;
    struct js_hold callback;
    uint32_t event;
    int64_t cpu_us;
};

/* What the process around the VM does for jobs. Without it all of them run at once. */
struct vm_job_host {
    struct work_pool *(*pool)(void *user);
    uint32_t (*event)(void *user); /* whom the running entry belongs to; 0: nobody */
    /* Calls fn in an entry that belongs to that event, which also pays cpu_us. Ended events pay nothing. */
    void (*call)(void *user, uint32_t event, int64_t cpu_us, js_value fn, js_value arg);
};
void vm_job_host(struct vm *vm, const struct vm_job_host *host); /* stays for good */

/* Takes `job` (from mem_new). When `callback` (may be NULL) is a function it gets the value, later or at once, and undefined is
 * returned; otherwise the job runs at once and its value is returned. */
js_value vm_job_begin(js_context ctx, struct vm_job *job, js_value callback);
