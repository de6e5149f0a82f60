/*
 * libcurl resolves, connects and does TLS (CURLOPT_CONNECT_ONLY); from then on the socket is watched here
 * and bytes go through curl_easy_send() and curl_easy_recv(). The handle stays in its multi handle, or the
 * connection would be closed.
 *
 *     CONNECTING ---> OPEN ---> FINISHING (flushes what is queued)
 *          |           |            |
 *          +-----------+------------+--> freed
 */
#include "net/raw_connection.h"

#include "net/http_client_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { RAW_READ_SIZE = 64 * 1024, RAW_READS_PER_ROUND = 16 };

struct raw_connection {
    struct http_client *client;
    const struct raw_events *events; /* NULL once the owner is gone */
    void *user;
    struct link link;
    CURL *easy;
    struct watch watch;
    struct timer again; /* what must not happen inside a call; then the limit of FINISHING */
    struct buf out;
    bool open, paused, refused, wants_writable;
    int failed; /* negative errno found before the connection was tried */
    char host[CLIENT_HOST_MAX];
    char reason[CURL_ERROR_SIZE];
};

static void raw_free(struct raw_connection *c)
{
    struct http_client *client = c->client;

    watch_stop(&c->watch);
    timer_stop(&c->again);
    list_remove(&c->link);
    client->n_raws--;
    if (c->easy != NULL) {
        (void)curl_multi_remove_handle(client->raw.multi, c->easy); /* closes the connection */
        curl_easy_cleanup(c->easy);
    }
    buf_done(&c->out);
    free(c);
}

static void raw_closed(struct raw_connection *c, int r, const struct err *err)
{
    if (c->events != NULL)
        c->events->closed(c, r, err);
    raw_free(c);
}

static void raw_lost(struct raw_connection *c, CURLcode code)
{
    struct err err = {0};

    int r = client_error(code, c->host, false, c->reason, &err);
    raw_closed(c, r, &err);
}

/* --- bytes --- */

static void raw_watch(struct raw_connection *c)
{
    watch_change(&c->watch, (c->paused || c->events == NULL ? 0u : (uint32_t)EPOLLIN) |
                                (buf_len(&c->out) > 0 ? (uint32_t)EPOLLOUT : 0));
}

/* 0, or -EPIPE after the connection was freed. */
static int raw_write(struct raw_connection *c)
{
    while (buf_len(&c->out) > 0) {
        struct slice bytes = buf_slice(&c->out);
        size_t n = 0;
        CURLcode code = curl_easy_send(c->easy, bytes.ptr, bytes.len, &n);
        if (code == CURLE_AGAIN)
            break;
        if (code != CURLE_OK) {
            raw_lost(c, code);
            return -EPIPE;
        }
        buf_consume(&c->out, n);
    }
    if (buf_len(&c->out) == 0) {
        buf_done(&c->out);
        if (c->events == NULL) {
            raw_free(c);
            return -EPIPE;
        }
    }
    if (c->wants_writable && buf_len(&c->out) <= RAW_SEND_HIGH / 2) {
        c->wants_writable = false;
        c->events->writable(c);
    }
    return 0;
}

static void raw_again(struct timer *t);

/* Until there is nothing, also of what TLS has read already: no event would come for that. The owner may end
 * the connection in any call, which only marks it. */
static int raw_read(struct raw_connection *c)
{
    static char bytes[RAW_READ_SIZE];

    for (int i = 0; i < RAW_READS_PER_ROUND; i++) {
        size_t n = 0;
        if (c->paused || c->events == NULL)
            return 0;
        CURLcode code = curl_easy_recv(c->easy, bytes, sizeof(bytes), &n);
        if (code == CURLE_AGAIN)
            return 0;
        if (code == CURLE_OK && n == 0) {
            raw_closed(c, 0, NULL);
            return -EPIPE;
        }
        if (code != CURLE_OK) {
            raw_lost(c, code);
            return -EPIPE;
        }
        c->events->data(c, slice_from(bytes, n));
    }
    timer_start(c->client->loop, &c->again, 0, raw_again);
    return 0;
}

static void raw_work(struct raw_connection *c, bool read)
{
    if (read && raw_read(c) < 0)
        return;
    if (raw_write(c) < 0)
        return;
    raw_watch(c);
}

static void raw_ready(struct watch *w, uint32_t events)
{
    struct raw_connection *c = CONTAINER_OF(w, struct raw_connection, watch);

    if (c->paused && (events & (EPOLLHUP | EPOLLERR)) != 0 && (events & EPOLLIN) == 0) {
        raw_lost(c, CURLE_RECV_ERROR);
        return;
    }
    raw_work(c, true);
}

/* --- its life --- */

static void raw_again(struct timer *t)
{
    struct raw_connection *c = CONTAINER_OF(t, struct raw_connection, again);
    struct err err = {0};

    if (c->failed != 0) {
        int r = err_set(&err, c->failed, 0,
                        c->failed == -EAGAIN ? "too many connections are open"
                                             : "not an address that can be connected to");
        raw_closed(c, r, &err);
    } else if (c->open) {
        raw_work(c, true);
    }
}

static void raw_expired(struct timer *t)
{
    raw_free(CONTAINER_OF(t, struct raw_connection, again));
}

static void raw_connected(struct raw_connection *c)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD) {
        raw_lost(c, CURLE_COULDNT_CONNECT);
        return;
    }
    c->open = true;
    watch_start(c->client->loop, &c->watch, fd, EPOLLIN, raw_ready);
    c->events->connected(c);
    if (c->again.loop == NULL)
        timer_start(c->client->loop, &c->again, 0, raw_again);
}

static void raw_collect(struct curl_loop *curl)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(curl->multi, &left)) != NULL) {
        struct raw_connection *c = NULL;
        CURLcode code = msg->data.result;
        if (msg->msg != CURLMSG_DONE ||
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &c) != CURLE_OK || c == NULL)
            continue;
        if (c->events == NULL) { /* given up while it was connecting */
            raw_free(c);
            continue;
        }
        if (code == CURLE_OK) {
            raw_connected(c);
            continue;
        }
        struct err err = {0};
        int r = client_error(code, c->host, c->refused, c->reason, &err);
        raw_closed(c, r, &err);
    }
}

static curl_socket_t raw_open_socket(void *arg, curlsocktype purpose UNUSED,
                                     struct curl_sockaddr *to)
{
    struct raw_connection *c = arg;

    return client_open_socket(c->client, c->host, to, &c->refused);
}

/* The host without port and brackets, as the policy and error texts want it. */
static int raw_set_host(struct raw_connection *c, struct slice authority)
{
    struct slice host = authority;
    ssize_t end = authority.len > 0 && authority.ptr[0] == '[' ? slice_find(authority, ']') : -1;

    if (end > 0)
        host = slice_from(authority.ptr + 1, (size_t)end - 1);
    else
        host = slice_cut(&authority, ':');
    return host.len == 0 ? -EINVAL : slice_to_cstr(host, c->host, sizeof(c->host));
}

static int raw_set(struct raw_connection *c, struct slice authority, bool tls)
{
    AUTO(buf_done) struct buf url = {0};

    buf_printf(&url, "%s://%.*s/", tls ? "https" : "http", SLICE_ARG(authority));
    if (raw_set_host(c, authority) < 0 ||
        curl_easy_setopt(c->easy, CURLOPT_URL, buf_cstr(&url)) != CURLE_OK)
        return -EINVAL;
    client_set_options(c->client, c->easy);
    curl_easy_setopt(c->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c->easy, CURLOPT_BUFFERSIZE, 1024L);
    curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
    curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->reason);
    curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETFUNCTION, raw_open_socket);
    curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETDATA, c);
    return 0;
}

struct raw_connection *raw_connect(struct http_client *client, const struct raw_events *events,
                                   void *user, struct slice authority, bool tls)
{
    struct raw_connection *c = mem_new(sizeof(*c));

    c->client = client;
    c->events = events;
    c->user = user;
    list_push_back(&client->raws, &c->link);
    if (client->n_raws++ >= RAW_CONNECTIONS_MAX) {
        c->failed = -EAGAIN;
    } else {
        c->easy = curl_easy_init();
        CHECK(c->easy != NULL);
        c->failed = raw_set(c, authority, tls);
        if (c->failed == 0 && curl_multi_add_handle(client->raw.multi, c->easy) != CURLM_OK)
            c->failed = -EINVAL;
    }
    if (c->failed != 0)
        timer_start(client->loop, &c->again, 0, raw_again);
    return c;
}

void *raw_user(struct raw_connection *c)
{
    return c->user;
}

/* Writing waits for the end of what the caller does: many small pieces leave together. */
void raw_send(struct raw_connection *c, struct slice bytes)
{
    CHECK(c->open);
    buf_append_slice(&c->out, bytes);
    if (c->again.loop == NULL)
        timer_start(c->client->loop, &c->again, 0, raw_again);
}

size_t raw_room(struct raw_connection *c)
{
    size_t queued = buf_len(&c->out);

    if (queued < RAW_SEND_HIGH)
        return RAW_SEND_HIGH - queued;
    c->wants_writable = true;
    return 0;
}

void raw_pause(struct raw_connection *c, bool paused)
{
    if (c->paused == paused)
        return;
    c->paused = paused;
    if (c->open && c->again.loop == NULL)
        timer_start(c->client->loop, &c->again, 0, raw_again);
}

void raw_finish(struct raw_connection *c)
{
    if (!c->open || buf_len(&c->out) == 0) {
        raw_destroy(c);
        return;
    }
    c->events = NULL;
    c->wants_writable = false;
    watch_change(&c->watch, EPOLLOUT);
    timer_start(c->client->loop, &c->again, RAW_LINGER_MS * 1000, raw_expired);
}

/* The owner may be inside of one of our events: the memory goes a moment later. */
void raw_destroy(struct raw_connection *c)
{
    c->events = NULL;
    c->wants_writable = false;
    if (c->open)
        watch_change(&c->watch, 0);
    timer_start(c->client->loop, &c->again, 0, raw_expired);
}

/* libcurl closes its own descriptor; the connection lives on in ours. */
int raw_detach(struct raw_connection *c)
{
    int fd = fcntl(c->watch.fd, F_DUPFD_CLOEXEC, 0);

    raw_destroy(c);
    return fd < 0 ? -errno : fd;
}

/* --- all of a client's --- */

void raw_pool_init(struct http_client *client)
{
    list_init(&client->raws);
    curl_loop_init(&client->raw, client->loop, raw_collect);
}

void raw_pool_done(struct http_client *client)
{
    struct err err = {0};

    (void)err_set(&err, -ECANCELED, 0, "the server is stopping"); /* returns what it was given */
    while (!list_empty(&client->raws))
        raw_closed(LIST_ENTRY(client->raws.next, struct raw_connection, link), -ECANCELED, &err);
    curl_loop_done(&client->raw);
}
