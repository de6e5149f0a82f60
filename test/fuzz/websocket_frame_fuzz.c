/* Frames: whole and in pieces the same messages come, and what comes can be written and read back. */
#include "fuzz.h"
#include "net/websocket_frame.h"

enum { MESSAGE_MAX = 4096 };

static int gather(struct slice in, size_t piece, bool accepts_unmasked, struct buf *ret)
{
    AUTO(websocket_reader_done)
    struct websocket_reader r = {.accepts_unmasked = accepts_unmasked, .message_max = MESSAGE_MAX};
    struct websocket_message m;
    int n = 0;

    while (in.len > 0 && n >= 0) {
        struct slice part = {in.ptr, MIN(piece, in.len)};
        in = slice_skip(in, part.len);
        while ((n = websocket_read(&r, &part, &m)) > 0) {
            CHECK(m.payload.len <= MESSAGE_MAX);
            CHECK(m.type != WEBSOCKET_TEXT || websocket_utf8_ok(m.payload));
            if (m.type == WEBSOCKET_CLOSE)
                websocket_write_close(ret, m.close_code, m.payload, NULL);
            else
                websocket_write(ret, m.type, m.payload, NULL);
        }
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    AUTO(buf_done) struct buf whole = {0}, pieces = {0}, again = {0};
    struct slice in = slice_from(data + 1, size - 1);
    bool accepts_unmasked = (data[0] & 1) != 0;

    int a = gather(in, MAX(in.len, (size_t)1), accepts_unmasked, &whole);
    int b = gather(in, (size_t)(data[0] >> 1) + 1, accepts_unmasked, &pieces);
    CHECK(a == b && slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    CHECK(gather(buf_slice(&whole), MAX(buf_len(&whole), (size_t)1), true, &again) == 0);
    CHECK(slice_eq(buf_slice(&whole), buf_slice(&again)));
    return 0;
}
