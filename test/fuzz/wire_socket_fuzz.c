/*
 * Frames of sockets: what is taken apart and put together again is the same, and cuts change nothing.
 */
#include "fuzz.h"
#include "proc/wire_socket.h"

static void check_payload(const struct wire_socket_frame *f)
{
    AUTO(buf_done) struct buf out = {0};
    struct wire_socket_known known;
    struct wire_socket_frame again;
    struct slice request, response, in;
    bool has;

    if (f->type == WIRE_SOCKET_KNOWN && wire_socket_known(f->payload, &known) == 0) {
        wire_socket_put_known(&out, f->socket, &known);
        in = buf_slice(&out);
        CHECK(wire_socket_next(&in, &again) == 1 && again.socket == f->socket);
        CHECK(again.payload.len == f->payload.len);
    }
    if (f->type == WIRE_SOCKET_PAIR &&
        wire_socket_pair(f->payload, &has, &request, &response) == 0) {
        wire_socket_put_pair(&out, f->type, has, request, response);
        in = buf_slice(&out);
        CHECK(wire_socket_next(&in, &again) == 1 && slice_eq(again.payload, f->payload));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_done) struct buf whole = {0};
    struct slice in = slice_from(data, size);
    struct wire_socket_frame f;
    int r;

    while ((r = wire_socket_next(&in, &f)) > 0) {
        check_payload(&f);
        wire_socket_put(&whole, f.type, f.socket, f.payload);
    }
    CHECK(r <= 0 && buf_len(&whole) + in.len == size);
    CHECK(size == in.len || memcmp(buf_slice(&whole).ptr, data, buf_len(&whole)) == 0);
    return 0;
}
