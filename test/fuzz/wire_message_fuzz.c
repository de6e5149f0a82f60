/*
 * Messages on a stream: whole, and in pieces of a size that the first byte gives, the same ones come.
 */
#include "fuzz.h"
#include "proc/wire_message.h"

static void check_close(struct slice payload)
{
    AUTO(buf_done) struct buf out = {0};
    struct wire_message m;
    struct slice reason, in;
    uint16_t code;

    if (wire_message_close(payload, &code, &reason) < 0 || (code == 0 && payload.len > 0))
        return;
    wire_message_put_close(&out, code, reason);
    in = buf_slice(&out);
    CHECK(wire_message_whole(&in, &m) == 1 && in.len == 0 && slice_eq(m.bytes, payload));
}

/* What the parts say, one message after another, as it would be sent. */
static int gather(struct slice in, size_t piece, struct buf *ret)
{
    AUTO(wire_message_reader_done) struct wire_message_reader r = {0};
    struct wire_message m;
    bool inside = false;
    int n = 0;

    while (in.len > 0 && n >= 0) {
        struct slice part = slice_from(in.ptr, MIN(piece, in.len));
        in = slice_skip(in, part.len);
        while ((n = wire_message_next(&r, &part, &m)) > 0) {
            CHECK(m.first == !inside);
            inside = !m.last;
            if (m.first) {
                pack_u8(ret, (uint8_t)m.type);
                pack_u32(ret, m.length);
            }
            buf_append_slice(ret, m.bytes);
            if (m.type == WIRE_MESSAGE_CLOSE)
                check_close(m.bytes);
        }
        CHECK(n < 0 || part.len == 0);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    AUTO(buf_done) struct buf whole = {0}, pieces = {0};
    struct slice in = slice_from(data + 1, size - 1);

    int a = gather(in, MAX(in.len, (size_t)1), &whole);
    int b = gather(in, (size_t)data[0] + 1, &pieces);
    CHECK(a == b && slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    CHECK(buf_len(&whole) <= in.len &&
          memcmp(data + 1, whole.data == NULL ? "" : whole.data + whole.start, buf_len(&whole)) ==
              0);
    return 0;
}
