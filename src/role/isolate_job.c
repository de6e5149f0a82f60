/* Slow natives (engine/vm_job.h) in an isolate: the event that began one pays for it. */
#include "role/isolate_impl.h"

#include "product/isolate.h"

static struct work_pool *isolate_job_pool(void *user)
{
    return isolate_pool(user);
}

static uint32_t isolate_job_event(void *user)
{
    struct isolate *iso = user;
    return iso->current == NULL ? 0 : iso->current->id;
}

static void isolate_job_call(void *user, uint32_t event, int64_t cpu_us, js_value fn, js_value arg)
{
    struct isolate *iso = user;
    struct channel *ch = channel_find(iso, event);
    if (iso->exit_status >= 0)
        return;
    if (ch == NULL)
        return isolate_run_callback(iso, fn, &arg, 1);
    ch->cpu_us += cpu_us;
    isolate_callback(ch, fn, &arg, 1);
}

const struct vm_job_host isolate_jobs = {isolate_job_pool, isolate_job_event, isolate_job_call};
