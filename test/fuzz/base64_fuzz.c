/*
 * Every input encodes to text that decodes to the input. What decodes is not compared as text,
 * since padding and the unused bits of the last digit are free; its bytes make the same round trip.
 */
#include "core/base64.h"
#include "fuzz.h"

static void check_round_trip(struct slice bytes, enum base64_kind kind)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(arena_done) struct arena arena = {0};
    struct slice back;
    base64_encode(&text, bytes, kind);
    CHECK(base64_decode(&arena, buf_slice(&text), kind, &back) == 0);
    CHECK(slice_eq(bytes, back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_from(data, size);
    for (int kind = BASE64_STANDARD; kind <= BASE64_URL; kind++) {
        AUTO(arena_done) struct arena arena = {0};
        struct slice bytes;
        check_round_trip(in, (enum base64_kind)kind);
        if (base64_decode(&arena, in, (enum base64_kind)kind, &bytes) == 0)
            check_round_trip(bytes, (enum base64_kind)kind);
    }
    return 0;
}
