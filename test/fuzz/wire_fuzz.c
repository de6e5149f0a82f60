/*
 * Bytes from the other side into the frame reader, with streams of both sides open.
 */
#include "fuzz.h"
#include "proc/wire.h"

#include <sys/socket.h>
#include <unistd.h>

/* Streams that nothing has closed yet: a finished one gets no event when the wire goes. */
enum { OPEN_MAX = 16384 };
static struct wire_stream *opened[OPEN_MAX];
static size_t n_opened;

static void fuzz_remember(struct wire_stream *s)
{
    CHECK(n_opened < OPEN_MAX);
    opened[n_opened++] = s;
}

static void fuzz_close(struct wire_stream *s, int reason)
{
    for (size_t i = n_opened; i-- > 0;) {
        if (opened[i] == s)
            opened[i] = opened[--n_opened];
    }
    wire_stream_close(s, reason);
}

static void fuzz_reply(UNUSED struct wire_stream *s, UNUSED struct slice args, int fd,
                       UNUSED bool end)
{
    fd_release(&fd);
}

static void fuzz_data(struct wire_stream *s, struct slice bytes, UNUSED bool end)
{
    wire_consumed(s, bytes.len);
}

static void fuzz_reset(struct wire_stream *s, int reason)
{
    CHECK(reason < 0);
    fuzz_close(s, 0);
}

static const struct wire_stream_events stream_events = {
    .reply = fuzz_reply, .data = fuzz_data, .reset = fuzz_reset};

/* The operation's low bits choose what the owner does with the stream. */
static void fuzz_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args, int fd,
                      UNUSED bool end)
{
    fd_release(&fd);
    wire_stream_own(s, &stream_events, w);
    fuzz_remember(s);
    if (op & 1)
        wire_reply(s, args, -1, false);
    if ((op & 3) == 3)
        wire_send(s, args, op & 4);
    if (op & 8)
        fuzz_close(s, -(int)(op >> 4));
}

static void fuzz_note(UNUSED struct wire *w, UNUSED uint32_t stream_id, UNUSED uint16_t op,
                      UNUSED struct slice args, int fd)
{
    fd_release(&fd);
}

static const struct wire_events events = {.open = fuzz_open, .note = fuzz_note};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    if (size > 128 * 1024 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return 0;
    struct loop *loop = loop_create();
    struct wire *w = wire_create(loop, fds[0], 0, &events, NULL);
    for (int i = 0; i < 3; i++)
        fuzz_remember(wire_open(w, 1, SLICE("x"), -1, i == 1, &stream_events, w));
    ssize_t n = write(fds[1], data, size);
    for (int i = 0; i < 20; i++)
        loop_turn(loop, 0);
    if (n > 0)
        shutdown(fds[1], SHUT_WR);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, 0);
    wire_destroy(w);
    while (n_opened > 0)
        wire_stream_close(opened[--n_opened], 0);
    loop_destroy(loop);
    close(fds[1]);
    return 0;
}
