/* curl says which descriptors and which time it waits for; we say when they are due. */
#include "net/curl_loop.h"

#include <stdlib.h>
#include <sys/stat.h>

/* One of curl's sockets, watched. */
struct curl_loop_socket {
    struct link link;
    struct watch watch;
    struct curl_loop *curl;
    dev_t device; /* of the descriptor, to know it again */
    ino_t inode;
};

static void curl_loop_ready(struct watch *w, uint32_t events)
{
    struct curl_loop_socket *s = CONTAINER_OF(w, struct curl_loop_socket, watch);
    struct curl_loop *curl = s->curl;
    int mask = 0, running;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        mask |= CURL_CSELECT_ERR;
    CHECK(curl_multi_socket_action(curl->multi, w->fd, mask, &running) == CURLM_OK);
    curl->collect(curl);
}

/* curl may close a descriptor first (its resolver's, for one) and say only then that it is no longer to be
 * watched; by then the number may even be another's. */
static bool curl_loop_is_same(const struct curl_loop_socket *s)
{
    struct stat now;

    return fstat(s->watch.fd, &now) == 0 && now.st_dev == s->device && now.st_ino == s->inode;
}

static void curl_loop_forget(struct curl_loop_socket *s)
{
    if (curl_loop_is_same(s))
        watch_stop(&s->watch);
    else
        watch_abandon(&s->watch);
    list_remove(&s->link);
    free(s);
}

static int curl_loop_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct curl_loop *curl = arg;
    struct curl_loop_socket *s = socket_arg;
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL)
            curl_loop_forget(s);
        return 0;
    }
    if (s != NULL && curl_loop_is_same(s)) {
        watch_change(&s->watch, events);
        return 0;
    }
    if (s != NULL)
        curl_loop_forget(s);
    struct stat now;
    if (fstat(fd, &now) < 0)
        return 0; /* closed: nothing will ever happen on it */
    s = mem_new(sizeof(*s));
    s->curl = curl;
    s->device = now.st_dev;
    s->inode = now.st_ino;
    list_push_back(&curl->sockets, &s->link);
    watch_start(curl->loop, &s->watch, fd, events, curl_loop_ready);
    CHECK(curl_multi_assign(curl->multi, fd, s) == CURLM_OK);
    return 0;
}

static void curl_loop_due(struct timer *t)
{
    struct curl_loop *curl = CONTAINER_OF(t, struct curl_loop, timer);
    int running;

    CHECK(curl_multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running) == CURLM_OK);
    curl->collect(curl);
}

static int curl_loop_on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct curl_loop *curl = arg;

    (void)multi;
    if (timeout_ms < 0)
        timer_stop(&curl->timer);
    else
        timer_start(curl->loop, &curl->timer, (int64_t)timeout_ms * 1000, curl_loop_due);
    return 0;
}

void curl_loop_init(struct curl_loop *curl, struct loop *loop,
                    void (*collect)(struct curl_loop *curl))
{
    *curl = (struct curl_loop){.loop = loop, .multi = curl_multi_init(), .collect = collect};
    CHECK(curl->multi != NULL);
    list_init(&curl->sockets);
    curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, curl_loop_on_socket);
    curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
    curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, curl_loop_on_timer);
    curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
}

void curl_loop_done(struct curl_loop *curl)
{
    CHECK(curl_multi_cleanup(curl->multi) == CURLM_OK);
    while (!list_empty(&curl->sockets))
        curl_loop_forget(LIST_ENTRY(curl->sockets.next, struct curl_loop_socket, link));
    timer_stop(&curl->timer);
}
