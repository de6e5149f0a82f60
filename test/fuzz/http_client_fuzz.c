/*
 * What a server of the world answers to fetch(), through libcurl and a real connection. The answer's head is a
 * header block that may go on, and the end comes exactly once.
 */
#include "fuzz.h"
#include "net/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 2000, ANSWER_MAX = 64 * 1024 };

static struct loop *loop;
static struct http_client *client;
static struct watch listener, asked;
static char url[64];
static struct slice answer;
static bool head_given;
static unsigned n_done;

static void hang_up(void)
{
    int fd = asked.fd;

    if (asked.loop == NULL)
        return;
    watch_stop(&asked);
    asked = (struct watch){0};
    close(fd);
}

/* Says the whole answer once it was asked, and nothing more. */
static void serve(struct watch *w, UNUSED uint32_t ready)
{
    char request[4096];

    if (recv(w->fd, request, sizeof(request), 0) > 0 && answer.len > 0)
        (void)!send(w->fd, answer.ptr, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    hang_up();
}

static void take(struct watch *w, UNUSED uint32_t ready)
{
    int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    hang_up();
    watch_start(loop, &asked, fd, EPOLLIN, serve);
}

static void on_head(UNUSED struct http_fetch *f, int status, struct slice headers)
{
    CHECK(!head_given && n_done == 0);
    CHECK(status >= 200 && status <= 999 && http_header_check(headers) == 0);
    head_given = true;
}

static void on_body(struct http_fetch *f, struct slice bytes)
{
    CHECK(head_given && n_done == 0);
    http_fetch_consumed(f, bytes.len);
}

static void on_done(UNUSED struct http_fetch *f, int r, const struct err *err)
{
    CHECK(r == 0 ? head_given : err->text[0] != '\0');
    n_done++;
}

static void on_writable(UNUSED struct http_fetch *f) {}

static const struct http_fetch_events events = {on_head, on_body, on_done, on_writable};

static void start(void)
{
    static const char *const allow[] = {"127.0.0.1", NULL};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 16) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
    loop = loop_create();
    client = http_client_create(&(struct http_client_options){.loop = loop, .allow = allow});
    CHECK(client != NULL);
    watch_start(loop, &listener, fd, EPOLLIN, take);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > ANSWER_MAX)
        return 0;
    if (loop == NULL)
        start();
    answer = slice_from(data, size);
    head_given = false;
    n_done = 0;
    struct http_fetch_request request = {
        .method = SLICE("GET"), .url = slice_of(url), .headers = SLICE("a: b\r\n")};
    struct http_fetch *f = http_fetch_start(client, &events, &request);
    for (int i = 0; i < TURNS_MAX && n_done == 0; i++)
        loop_turn(loop, 10);
    CHECK(n_done <= 1);
    if (n_done == 0)
        http_fetch_cancel(f);
    hang_up();
    loop_turn(loop, 0);
    return 0;
}
