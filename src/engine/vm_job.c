#include "engine/vm_job.h"

#include <stdlib.h>

#include "engine/vm_impl.h"

static int64_t job_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void job_free(struct vm_job *job)
{
    js_hold_clear(&job->callback);
    if (job->finish != NULL)
        job->finish(job);
    free(job);
}

static void job_run(struct work *work)
{
    struct vm_job *job = CONTAINER_OF(work, struct vm_job, work);
    int64_t start_us = job_cpu_us();
    job->run(job);
    job->cpu_us = job_cpu_us() - start_us;
}

static void job_done(struct work *work)
{
    struct vm_job *job = CONTAINER_OF(work, struct vm_job, work);
    struct vm *vm = job->vm;
    js_value value = job->value(job, vm->ctx);
    vm->n_jobs--;
    vm->job_host->call(vm->user, job->event, job->cpu_us, job->callback.v, value);
    job_free(job);
}

static js_value job_at_once(struct vm_job *job, js_context ctx, js_value callback)
{
    job->run(job);
    js_value value = job->value(job, ctx);
    job_free(job);
    if (callback == NULL || !js_is_function(ctx, callback))
        return value;
    js_call(ctx, callback, &value, 1, NULL); /* of built-in scripts: it catches what it throws */
    return js_undefined(ctx);
}

void vm_job_host(struct vm *vm, const struct vm_job_host *host)
{
    vm->job_host = host;
}

js_value vm_job_begin(js_context ctx, struct vm_job *job, js_value callback)
{
    struct vm *vm = vm_here();
    if (job->here || callback == NULL || !js_is_function(ctx, callback) || vm->job_host == NULL ||
        vm->n_jobs == VM_JOBS_MAX)
        return job_at_once(job, ctx, callback);
    job->vm = vm;
    job->event = vm->job_host->event(vm->user);
    js_hold_set(&job->callback, ctx, callback);
    job->work = (struct work){.run = job_run, .done = job_done};
    vm->n_jobs++;
    work_start(vm->job_host->pool(vm->user), &job->work);
    return js_undefined(ctx);
}
