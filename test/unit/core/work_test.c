#include "core/work.h"
#include "core_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { JOBS = 3000, LANES = 7 };

struct job {
    struct work work;
    int number, loop_thread_checks;
};

static struct {
    struct loop *loop;
    pthread_t loop_thread;
    struct job jobs[JOBS];
    _Atomic int running[LANES], ran;
    int next_run[LANES], next_done[LANES]; /* of lanes: only one thread at a time touches them */
    int done;
    _Atomic int waiting;
    pthread_barrier_t barrier;
} f;

static int setup(UNUSED void **state)
{
    memset(&f, 0, sizeof(f));
    f.loop = loop_create();
    f.loop_thread = pthread_self();
    return 0;
}

static int teardown(UNUSED void **state)
{
    loop_release(&f.loop);
    return 0;
}

/* cmocka's asserts belong to its own thread; here a wrong order must panic. */
static void job_run(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    CHECK(!pthread_equal(pthread_self(), f.loop_thread));
    if (work->lane != 0) {
        CHECK(atomic_fetch_add(&f.running[work->lane], 1) == 0);
        CHECK(f.next_run[work->lane] <= job->number);
        f.next_run[work->lane] = job->number + 1;
        atomic_fetch_sub(&f.running[work->lane], 1);
    }
    atomic_fetch_add(&f.ran, 1);
}

static void job_done(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    EXPECT(pthread_equal(pthread_self(), f.loop_thread));
    if (work->lane != 0) {
        EXPECT(f.next_done[work->lane] <= job->number);
        f.next_done[work->lane] = job->number + 1;
    }
    memset(work, 0xee, sizeof(*work)); /* the job is its owner's again */
    if (++f.done == JOBS)
        loop_stop(f.loop);
}

static void start_jobs(struct work_pool *pool)
{
    for (int i = 0; i < JOBS; i++) {
        f.jobs[i] = (struct job){
            .work = {.lane = (uint64_t)(i % LANES), .run = job_run, .done = job_done}, .number = i};
        work_start(pool, &f.jobs[i].work);
    }
}

static void lanes_keep_their_order(UNUSED void **state)
{
    struct work_pool *pool = work_pool_create(f.loop, 4);
    start_jobs(pool);
    loop_run(f.loop);
    EXPECT_EQ(f.done, JOBS);
    EXPECT_EQ(f.ran, JOBS);
    work_pool_destroy(pool);
}

static void destroy_runs_what_is_queued(UNUSED void **state)
{
    struct work_pool *pool = work_pool_create(f.loop, 2);
    start_jobs(pool);
    work_pool_destroy(pool);
    EXPECT_EQ(f.ran, JOBS);
    EXPECT_EQ(f.done, 0);
    loop_run(f.loop);
    EXPECT_EQ(f.done, JOBS);
    work_pool_destroy(NULL);
}

static void barrier_run(UNUSED struct work *work)
{
    pthread_barrier_wait(&f.barrier); /* passes only when three run at the same time */
}

static void barrier_done(UNUSED struct work *work)
{
    if (++f.done == 3)
        loop_stop(f.loop);
}

static void others_run_in_parallel(UNUSED void **state)
{
    struct work_pool *pool = work_pool_create(f.loop, 3);
    pthread_barrier_init(&f.barrier, NULL, 3);
    for (int i = 0; i < 3; i++) {
        f.jobs[i].work =
            (struct work){.lane = (uint64_t)i, .run = barrier_run, .done = barrier_done};
        work_start(pool, &f.jobs[i].work);
    }
    loop_run(f.loop);
    work_pool_destroy(pool);
    pthread_barrier_destroy(&f.barrier);
}

static void restart_done(struct work *work)
{
    if (++f.done < 50)
        work_start(work->pool, work);
    else
        loop_stop(f.loop);
}

static void nothing_run(UNUSED struct work *work) {}

static void a_job_may_be_started_again_when_done(UNUSED void **state)
{
    struct work_pool *pool = work_pool_create(f.loop, 2);
    f.jobs[0].work = (struct work){.lane = 5, .run = nothing_run, .done = restart_done};
    work_start(pool, &f.jobs[0].work);
    loop_run(f.loop);
    EXPECT_EQ(f.done, 50);
    work_pool_destroy(pool);
    EXPECT_PANIC(work_pool_create(f.loop, 0));
}

#define WORK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int work_tests(void)
{
    static const struct CMUnitTest tests[] = {
        WORK_TEST(lanes_keep_their_order),
        WORK_TEST(destroy_runs_what_is_queued),
        WORK_TEST(others_run_in_parallel),
        WORK_TEST(a_job_may_be_started_again_when_done),
    };
    return RUN("work", tests);
}
