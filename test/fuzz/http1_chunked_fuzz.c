/* Chunked bodies: whole, and in pieces of a size that the first byte gives, decode to the same. */
#include "fuzz.h"
#include "net/http1_chunked.h"

static int decode(struct slice in, size_t piece, struct buf *body, size_t *ret_left)
{
    AUTO(http1_chunked_done) struct http1_chunked c = {0};
    int r = HTTP1_CHUNKED_MORE;

    while (in.len > 0 && r == HTTP1_CHUNKED_MORE) {
        struct slice part = slice_from(in.ptr, MIN(piece, in.len)), data;
        size_t before = part.len;
        while ((r = http1_chunked_next(&c, &part, &data)) == HTTP1_CHUNKED_DATA)
            buf_append_slice(body, data);
        in = slice_skip(in, before - part.len);
    }
    *ret_left = in.len;
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice in = slice_from(data + 1, size - 1);
    AUTO(buf_done) struct buf whole = {0}, pieces = {0};
    size_t left_whole, left_pieces;

    int r = decode(in, MAX(in.len, (size_t)1), &whole, &left_whole);
    int again = decode(in, (size_t)data[0] % 16 + 1, &pieces, &left_pieces);
    CHECK(r == again && slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    CHECK(r != HTTP1_CHUNKED_END || left_whole == left_pieces);
    return 0;
}
