/*
 * Two keys, split at the first 0xff: what is stored keeps their order and gives them back.
 */
#include "fuzz.h"
#include "store/kv.h"

static ssize_t stored(struct slice key, uint8_t *buf)
{
    uint8_t back[KV_KEY_MAX];
    ssize_t n = kv_key_encode(key, buf);
    if (n > 0) {
        ssize_t len = kv_key_decode(slice_from(buf, (size_t)n), back);
        CHECK(len >= 0);
        CHECK(slice_eq(slice_from(back, (size_t)len), key));
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t a[KV_ENCODED_MAX], b[KV_ENCODED_MAX], any[KV_KEY_MAX];
    struct slice rest = slice_from(data, size);
    struct slice first = slice_cut(&rest, (char)0xff);
    ssize_t n = stored(first, a), m = rest.ptr == NULL ? -1 : stored(rest, b);
    if (n > 0 && m > 0) {
        int want = slice_compare(first, rest);
        int got = slice_compare(slice_from(a, (size_t)n), slice_from(b, (size_t)m));
        CHECK((want > 0) - (want < 0) == (got > 0) - (got < 0));
    }
    /* A stored key that nobody encoded: it is refused or decoded, within its buffer. */
    if (size <= KV_ENCODED_MAX)
        CHECK(kv_key_decode(slice_from(data, size), any) <= KV_KEY_MAX);
    return 0;
}
