/*
 * The processes that handlers talk to: a wire on the loop's thread behind a handle for all threads.
 */
#include "api/call.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct peer_note {
    struct link link;
    uint16_t op;
    struct buf args;
};

struct api_peer {
    struct loop *loop;
    struct wire *wire; /* loop thread; NULL = disconnected */
    bool borrowed;
    api_note_fn note;
    void *arg;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    struct link notes;
    unsigned n_notes;
    bool gone;
};

/* A job for the loop's thread that a pool thread waits for. */
struct peer_job {
    struct wake wake;
    struct api_peer *peer;
    int fd;
    uint16_t op;
    struct slice args;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
};

static void peer_drop_wire(struct api_peer *peer)
{
    if (peer->wire != NULL && !peer->borrowed)
        wire_destroy(peer->wire);
    peer->wire = NULL;
}

/* --- events of a wire of our own --- */

static void peer_on_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                         int fd, bool end)
{
    (void)w, (void)op, (void)args, (void)end;
    fd_release(&fd);
    wire_stream_close(s, -EOPNOTSUPP); /* nobody asks control over these wires */
}

static void peer_keep_note(struct api_peer *peer, uint16_t op, struct slice args)
{
    pthread_mutex_lock(&peer->lock);
    if (peer->n_notes < API_NOTE_MAX) {
        struct peer_note *note = mem_new(sizeof(*note));
        note->op = op;
        buf_append_slice(&note->args, args);
        list_push_back(&peer->notes, &note->link);
        peer->n_notes++;
        pthread_cond_signal(&peer->more);
    }
    pthread_mutex_unlock(&peer->lock);
}

static void peer_on_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args, int fd)
{
    struct api_peer *peer = wire_user(w);
    (void)stream_id;
    if (peer->note != NULL) {
        peer->note(peer->arg, op, args, fd);
        return;
    }
    fd_release(&fd);
    peer_keep_note(peer, op, args);
}

static void peer_on_closed(struct wire *w, int reason)
{
    struct api_peer *peer = wire_user(w);
    (void)reason;
    peer_drop_wire(peer);
    pthread_mutex_lock(&peer->lock);
    peer->gone = true;
    pthread_cond_broadcast(&peer->more);
    pthread_mutex_unlock(&peer->lock);
}

static const struct wire_events peer_events = {
    .open = peer_on_open,
    .note = peer_on_note,
    .closed = peer_on_closed,
};

/* --- loop thread --- */

struct api_peer *api_peer_create(struct loop *loop, api_note_fn note, void *arg)
{
    struct api_peer *peer = mem_new(sizeof(*peer));
    peer->loop = loop;
    peer->note = note;
    peer->arg = arg;
    list_init(&peer->notes);
    pthread_mutex_init(&peer->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&peer->more, &attr);
    pthread_condattr_destroy(&attr);
    return peer;
}

void api_peer_destroy(struct api_peer *peer)
{
    struct link *l;
    if (peer == NULL)
        return;
    peer_drop_wire(peer);
    while ((l = list_pop_front(&peer->notes)) != NULL) {
        struct peer_note *note = LIST_ENTRY(l, struct peer_note, link);
        buf_done(&note->args);
        free(note);
    }
    pthread_mutex_destroy(&peer->lock);
    pthread_cond_destroy(&peer->more);
    free(peer);
}

void api_peer_connect(struct api_peer *peer, int fd, int side)
{
    peer_drop_wire(peer);
    peer->borrowed = false;
    peer->wire = wire_create(peer->loop, fd, side, &peer_events, peer);
}

void api_peer_borrow(struct api_peer *peer, struct wire *wire)
{
    peer_drop_wire(peer);
    peer->borrowed = true;
    peer->wire = wire;
}

struct wire *api_peer_wire(struct api_peer *peer)
{
    return peer->wire;
}

bool api_peer_lasts(const struct api_peer *peer)
{
    return peer->note != NULL || peer->borrowed;
}

/* --- work pool --- */

static void peer_job_run(struct peer_job *job, struct api_peer *peer, void (*run)(struct wake *))
{
    job->peer = peer;
    job->wake.run = run;
    pthread_mutex_init(&job->lock, NULL);
    pthread_cond_init(&job->done, NULL);
    loop_wake(peer->loop, &job->wake);
    pthread_mutex_lock(&job->lock);
    while (!job->finished)
        pthread_cond_wait(&job->done, &job->lock);
    pthread_mutex_unlock(&job->lock);
    pthread_mutex_destroy(&job->lock);
    pthread_cond_destroy(&job->done);
}

static void peer_job_end(struct peer_job *job)
{
    pthread_mutex_lock(&job->lock);
    job->finished = true;
    pthread_cond_signal(&job->done);
    pthread_mutex_unlock(&job->lock);
}

static void peer_job_connect(struct wake *wake)
{
    struct peer_job *job = CONTAINER_OF(wake, struct peer_job, wake);
    api_peer_connect(job->peer, job->fd, 0);
    peer_job_end(job);
}

static void peer_job_destroy(struct wake *wake)
{
    struct peer_job *job = CONTAINER_OF(wake, struct peer_job, wake);
    api_peer_destroy(job->peer);
    peer_job_end(job);
}

static void peer_job_note(struct wake *wake)
{
    struct peer_job *job = CONTAINER_OF(wake, struct peer_job, wake);
    if (job->peer->wire != NULL)
        wire_note(job->peer->wire, 0, job->op, job->args, -1);
    peer_job_end(job);
}

struct api_peer *api_peer_adopt(struct api *api, int fd)
{
    struct api_peer *peer = api_peer_create(api->loop, NULL, NULL);
    struct peer_job job = {.fd = fd};
    peer_job_run(&job, peer, peer_job_connect);
    return peer;
}

void api_peer_dismiss(struct api_peer *peer)
{
    struct peer_job job = {.fd = -1};
    if (peer != NULL)
        peer_job_run(&job, peer, peer_job_destroy);
}

void api_peer_release(struct api_peer **peer)
{
    api_peer_dismiss(*peer);
}

void api_peer_note(struct api_peer *peer, uint16_t op, struct slice args)
{
    struct peer_job job = {.fd = -1, .op = op, .args = args};
    peer_job_run(&job, peer, peer_job_note);
}

int api_peer_wait(struct api_peer *peer, int timeout_ms, uint16_t *ret_op, struct buf *ret_args)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }

    int r = 0;
    pthread_mutex_lock(&peer->lock);
    while (r == 0 && list_empty(&peer->notes)) {
        if (peer->gone)
            r = -EPIPE;
        else if (pthread_cond_timedwait(&peer->more, &peer->lock, &until) != 0)
            r = -ETIMEDOUT;
    }
    if (r == 0) {
        struct peer_note *note = LIST_ENTRY(list_pop_front(&peer->notes), struct peer_note, link);
        peer->n_notes--;
        *ret_op = note->op;
        buf_append_slice(ret_args, buf_slice(&note->args));
        buf_done(&note->args);
        free(note);
    }
    pthread_mutex_unlock(&peer->lock);
    return r;
}
