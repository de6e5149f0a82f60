/*
 * The pool: one queue, n threads.
 *
 * A lane is a chain: the map knows the last unfinished job of each lane, a job that comes later
 * hangs itself behind it (through wake.next, which is free until the job is done) and enters the
 * queue when the one before it has finished. So a busy lane costs the threads nothing. A thread is made when a
 * job finds none idle; most pools never need all of theirs.
 */
#include "core/work.h"

#include "core/map.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct work_pool {
    struct loop *loop; /* borrowed */
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct link queue; /* jobs that may run */
    struct map lanes;  /* lane -> its last unfinished job */
    bool closing;
    unsigned n_threads, n_most; /* made, and how many there may be */
    unsigned n_idle, n_queued, n_unfinished;
    pthread_t threads[];
};

static void work_on_done(struct wake *wake)
{
    struct work *work = CONTAINER_OF(wake, struct work, wake);
    work->done(work);
}

static void *work_thread(void *arg);

/* Signals are the loop's business: the threads inherit a mask that blocks them all. */
static void work_thread_make(struct work_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    pthread_t *thread = &pool->threads[pool->n_threads];
    /* One is enough to go on. */
    if (pthread_create(thread, NULL, work_thread, pool) == 0) {
        (void)pthread_setname_np(*thread, "work"); /* only for people who look */
        pool->n_threads++;
    }
    CHECK(pool->n_threads > 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

/* Under the lock. Who was woken already is still counted as idle: jobs that came since have to be counted too. */
static void work_queue(struct work_pool *pool, struct work *work)
{
    list_push_back(&pool->queue, &work->link);
    pool->n_queued++;
    if (pool->n_queued > pool->n_idle && pool->n_threads < pool->n_most && !pool->closing)
        work_thread_make(pool);
    else
        pthread_cond_signal(&pool->more);
}

/* Under the lock. The bell rings before the next job of the lane is released, so the `done`s of a
 * lane come in order; past loop_wake() the job may be gone. */
static void work_finish(struct work_pool *pool, struct work *work)
{
    struct wake *next = work->wake.next;
    if (work->lane != 0 && next == NULL)
        map_remove_u64(&pool->lanes, work->lane);
    loop_wake(pool->loop, &work->wake);
    if (next != NULL)
        work_queue(pool, CONTAINER_OF(next, struct work, wake));
    if (--pool->n_unfinished == 0 && pool->closing)
        pthread_cond_broadcast(&pool->more);
}

static void *work_thread(void *arg)
{
    struct work_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    while (!pool->closing || pool->n_unfinished > 0) {
        struct link *l = list_pop_front(&pool->queue);
        if (l == NULL) {
            pool->n_idle++;
            pthread_cond_wait(&pool->more, &pool->lock);
            pool->n_idle--;
            continue;
        }
        pool->n_queued--;
        struct work *work = LIST_ENTRY(l, struct work, link);
        pthread_mutex_unlock(&pool->lock);
        work->run(work);
        pthread_mutex_lock(&pool->lock);
        work_finish(pool, work);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct work_pool *work_pool_create(struct loop *loop, unsigned n_threads)
{
    CHECK(n_threads > 0);
    struct work_pool *pool = mem_new(sizeof(*pool) + n_threads * sizeof(pthread_t));
    pool->loop = loop;
    pool->n_most = n_threads;
    list_init(&pool->queue);
    CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
    CHECK(pthread_cond_init(&pool->more, NULL) == 0);
    return pool;
}

void work_pool_destroy(struct work_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->lock);
    map_done(&pool->lanes);
    free(pool);
}

void work_start(struct work_pool *pool, struct work *work)
{
    work->pool = pool;
    work->wake = (struct wake){.run = work_on_done};
    work->link = (struct link){0};

    pthread_mutex_lock(&pool->lock);
    CHECK(!pool->closing);
    pool->n_unfinished++;
    struct work *before = NULL;
    if (work->lane != 0)
        before = map_put_u64(&pool->lanes, work->lane, work);
    if (before != NULL)
        before->wake.next = &work->wake;
    else
        work_queue(pool, work);
    pthread_mutex_unlock(&pool->lock);
}
