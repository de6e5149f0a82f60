/*
 * Requests and replies between two processes over one wire: frames per second.
 *
 *     wire_speed [streams at once] [requests] [payload bytes]
 */
#include "core/clock.h"
#include "proc/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static unsigned long left, under_way;
static char payload[65536];
static struct slice question;

static void ask(struct wire *w);

static void on_reply(struct wire_stream *s, UNUSED struct slice args, UNUSED int fd,
                     UNUSED bool end)
{
    struct wire *w = wire_stream_wire(s);
    wire_stream_close(s, 0);
    under_way--;
    if (left > 0)
        ask(w);
    else if (under_way == 0)
        loop_stop(loop);
}

static const struct wire_stream_events asker = {.reply = on_reply};
static const struct wire_stream_events answerer = {0};

static void ask(struct wire *w)
{
    left--;
    under_way++;
    wire_open(w, 1, question, -1, true, &asker, NULL);
}

static void on_open(UNUSED struct wire *w, struct wire_stream *s, UNUSED uint16_t op,
                    struct slice args, UNUSED int fd, UNUSED bool end)
{
    wire_stream_own(s, &answerer, NULL);
    wire_reply(s, args, -1, true);
    wire_stream_close(s, 0);
}

static void on_closed(struct wire *w, UNUSED int reason)
{
    wire_destroy(w);
    loop_stop(loop);
}

static const struct wire_events events = {.open = on_open, .closed = on_closed};

int main(int argc, char **argv)
{
    unsigned long at_once = argc > 1 ? strtoul(argv[1], NULL, 10) : 64;
    unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
    question = slice_from(payload, argc > 3 ? strtoul(argv[3], NULL, 10) : 200);
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return 1;
    pid_t pid = fork();
    loop = loop_create();
    if (pid == 0) {
        close(fds[0]);
        wire_create(loop, fds[1], 1, &events, NULL);
        loop_run(loop);
        return 0;
    }
    close(fds[1]);
    struct wire *w = wire_create(loop, fds[0], 0, &events, NULL);
    left = n;
    int64_t started = clock_boot_us();
    for (unsigned long i = 0; i < at_once && left > 0; i++)
        ask(w);
    loop_run(loop);
    double s = (double)(clock_boot_us() - started) / 1e6;
    printf("%lu requests, %lu at once, %zu bytes: %.0f requests/s, %.0f frames/s\n", n, at_once,
           question.len, (double)n / s, 2 * (double)n / s);
    wire_destroy(w);
    waitpid(pid, NULL, 0);
    loop_destroy(loop);
    return 0;
}
