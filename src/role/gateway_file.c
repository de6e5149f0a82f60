/*
 * Back of a call: bytes of a file. A front that can send files gets the descriptor; for others they are read in pieces.
 */
#include "role/gateway.h"

#include <errno.h>
#include <unistd.h>

struct file_back {
    int fd;
    int64_t offset, end;
    size_t under_way;
    struct timer timer; /* the next piece leaves from the loop, never from inside a call */
    struct call *call;
};

static void file_free(struct file_back *f)
{
    timer_stop(&f->timer);
    fd_release(&f->fd);
    mem_release(&f);
}

static void file_more(struct timer *t)
{
    struct file_back *f = CONTAINER_OF(t, struct file_back, timer);
    struct call *c = f->call;
    static char piece[GATEWAY_SEGMENT_MAX];
    size_t want = (size_t)MIN(f->end - f->offset, (int64_t)MIN(sizeof(piece), c->front->room(c)));

    if (want == 0)
        return; /* file_consumed() comes when there is room */
    ssize_t n = pread(f->fd, piece, want, f->offset);
    if (n <= 0) {
        file_free(f);
        call_fail(c, 500, "A file could not be read.");
        return;
    }
    f->offset += n;
    bool end = f->offset == f->end;
    if (end) {
        file_free(f);
        call_back_done(c);
    }
    call_response_data(c, slice_from(piece, (size_t)n), end);
}

static void file_consumed(struct call *c, size_t n UNUSED)
{
    struct file_back *f = c->back_data;

    timer_start(c->gateway->loop, &f->timer, 0, file_more);
}

static void file_send(struct call *c UNUSED, struct slice bytes UNUSED, bool end UNUSED) {}

static size_t file_room(struct call *c UNUSED)
{
    return SIZE_MAX;
}

static void file_cancel(struct call *c, int reason UNUSED)
{
    file_free(c->back_data);
}

static const struct back_ops file_back = {
    .send = file_send, .room = file_room, .consumed = file_consumed, .cancel = file_cancel};

void file_answer(struct call *c, int fd, int64_t offset, const struct call_head *head)
{
    call_respond(c, head);
    if (c->front->file != NULL) {
        c->front->file(c, fd, offset, head->content_length);
        return;
    }
    struct file_back *f = mem_new(sizeof(*f));
    f->fd = fd;
    f->offset = offset;
    f->end = offset + head->content_length;
    f->call = c;
    call_set_back(c, &file_back, f);
    timer_start(c->gateway->loop, &f->timer, 0, file_more);
}
