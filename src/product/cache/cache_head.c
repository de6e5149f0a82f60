#include "product/cache/cache_head.h"

#include "core/pack.h"

#include <errno.h>

enum { CACHE_VERSION = 1 };
static const uint32_t cache_magic = 0x53434831; /* "SCH1" */

/* FNV-1a: tells torn bytes from whole ones, which is all it has to do. */
static uint64_t head_sum(struct slice s)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < s.len; i++)
        sum = (sum ^ (uint8_t)s.ptr[i]) * UINT64_C(0x100000001b3);
    return sum;
}

uint32_t cache_head_cap(size_t len)
{
    size_t whole = CACHE_FIXED_SIZE + len + CACHE_HEAD_ROOM;

    whole = (whole + CACHE_HEAD_STEP - 1) / CACHE_HEAD_STEP * CACHE_HEAD_STEP;
    return (uint32_t)(whole - CACHE_FIXED_SIZE);
}

static void head_append(struct buf *out, const struct cache_head *h)
{
    pack_bytes(out, h->key.partition);
    pack_bytes(out, h->key.name);
    pack_bytes(out, h->key.url);
    pack_u16(out, (uint16_t)h->meta.status);
    pack_i64(out, h->meta.time_ms);
    pack_i64(out, h->meta.expires_ms);
    pack_i64(out, h->meta.stale_while_ms);
    pack_i64(out, h->meta.stale_error_ms);
    pack_bytes(out, h->vary);
    pack_bytes(out, h->headers);
}

int cache_head_pack(struct buf *out, const struct cache_head *head, int64_t size, uint32_t *cap)
{
    AUTO(buf_done) struct buf bytes = {0};

    head_append(&bytes, head);
    if (buf_len(&bytes) > CACHE_HEAD_MAX)
        return -E2BIG;
    if (*cap == 0)
        *cap = cache_head_cap(buf_len(&bytes));
    if (buf_len(&bytes) > *cap)
        return -E2BIG;
    pack_u32(out, cache_magic);
    pack_u32(out, CACHE_VERSION);
    pack_u32(out, *cap);
    pack_u32(out, (uint32_t)buf_len(&bytes));
    pack_i64(out, size);
    pack_u64(out, head_sum(buf_slice(&bytes)));
    pack_u64(out, 0);
    buf_append_slice(out, buf_slice(&bytes));
    return 0;
}

int cache_head_lengths(struct slice fixed, uint32_t *ret_cap, uint32_t *ret_len, int64_t *ret_size)
{
    struct unpack u = {.rest = fixed};
    uint32_t magic = unpack_u32(&u), version = unpack_u32(&u), cap = unpack_u32(&u),
             len = unpack_u32(&u);
    int64_t size = unpack_i64(&u);

    if (fixed.len != CACHE_FIXED_SIZE || magic != cache_magic || version != CACHE_VERSION ||
        len > cap || cap > CACHE_HEAD_MAX + CACHE_HEAD_STEP || size < 0)
        return -EBADMSG;
    *ret_cap = cap;
    *ret_len = len;
    *ret_size = size;
    return 0;
}

int cache_head_unpack(struct slice fixed, struct slice head, struct cache_head *ret)
{
    struct unpack sums = {.rest = slice_skip(fixed, CACHE_FIXED_SIZE - 16)}, u = {.rest = head};
    struct cache_head h = {0};

    if (fixed.len != CACHE_FIXED_SIZE || unpack_u64(&sums) != head_sum(head))
        return -EBADMSG;
    h.key.partition = unpack_bytes(&u);
    h.key.name = unpack_bytes(&u);
    h.key.url = unpack_bytes(&u);
    h.meta.status = unpack_u16(&u);
    h.meta.time_ms = unpack_i64(&u);
    h.meta.expires_ms = unpack_i64(&u);
    h.meta.stale_while_ms = unpack_i64(&u);
    h.meta.stale_error_ms = unpack_i64(&u);
    h.vary = unpack_bytes(&u);
    h.headers = unpack_bytes(&u);
    if (!unpack_ok(&u) || h.meta.status < 200 || h.meta.status > 599 ||
        http_header_check(h.headers) < 0)
        return -EBADMSG;
    *ret = h;
    return 0;
}
