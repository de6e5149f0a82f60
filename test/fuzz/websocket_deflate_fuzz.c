/*
 * permessage-deflate. The first line is the value of the extensions field, what follows a compressed
 * message: what inflates can be deflated and inflated again under the terms that were agreed on.
 */
#include "fuzz.h"
#include "net/websocket_deflate.h"

enum { MESSAGE_MAX = 64 * 1024 };

static void check_terms(struct slice headers, struct websocket_deflate_terms *ret)
{
    AUTO(buf_done) struct buf answer = {0}, block = {0};
    struct websocket_deflate_terms theirs;

    if (websocket_deflate_agreed(headers, &theirs) == 0 && theirs.agreed)
        CHECK(theirs.our_bits >= 8 && theirs.our_bits <= 15);
    websocket_deflate_accept(headers, ret, &answer);
    CHECK(ret->agreed == (buf_len(&answer) > 0));
    if (!ret->agreed)
        return;
    CHECK(ret->our_bits >= 8 && ret->our_bits <= 15);
    http_header_add(&block, SLICE("sec-websocket-extensions"), buf_slice(&answer));
    CHECK(http_header_check(buf_slice(&block)) == 0);
    CHECK(websocket_deflate_agreed(buf_slice(&block), &theirs) == 0 && theirs.agreed);
    CHECK(theirs.theirs_forgets == ret->ours_forgets);
}

static void check_round_trip(const struct websocket_deflate_terms *terms, struct slice text)
{
    struct websocket_deflate *d = websocket_deflate_create(terms);

    for (int i = 0; i < 2; i++) { /* the second message may lean on the first */
        AUTO(buf_done) struct buf packed = {0}, plain = {0};
        struct slice half = slice_from(text.ptr, text.len / 2);
        websocket_deflate(d, half, false, &packed);
        websocket_deflate(d, slice_skip(text, half.len), true, &packed);
        CHECK(websocket_inflate(d, buf_slice(&packed), text.len, &plain) == 0);
        CHECK(slice_eq(buf_slice(&plain), text));
    }
    websocket_deflate_destroy(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_done) struct buf headers = {0}, plain = {0};
    struct slice packed = slice_from(data, size);
    struct slice value = slice_trim(slice_cut(&packed, '\n'));
    struct websocket_deflate_terms terms;

    if (!http_value_ok(value))
        return 0;
    http_header_add(&headers, SLICE("sec-websocket-extensions"), value);
    check_terms(buf_slice(&headers), &terms);
    terms.our_bits = terms.agreed ? terms.our_bits : 15;
    terms.theirs_forgets &= terms.ours_forgets; /* one end plays both here */
    struct websocket_deflate *d = websocket_deflate_create(&terms);
    int r = websocket_inflate(d, packed, MESSAGE_MAX, &plain);
    websocket_deflate_destroy(d);
    if (r == 0 && buf_len(&plain) > 0) {
        CHECK(buf_len(&plain) <= MESSAGE_MAX);
        check_round_trip(&terms, buf_slice(&plain));
    }
    return 0;
}
