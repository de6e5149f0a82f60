/*
 * The bytes before a stored body. A fixed part with lengths and a check sum of the head, then the head, padded.
 * Written by this program only; what does not check is no entry.
 */
#pragma once

#include "product/cache/cache_store.h"

enum {
    CACHE_FIXED_SIZE = 40,
    CACHE_HEAD_STEP = 1024, /* heads are padded to multiples of this, with room to grow */
    CACHE_HEAD_ROOM = 256,
    CACHE_HEAD_MAX = HTTP_HEAD_MAX * 2
};

/* Slices are borrowed from the bytes they were read from. */
struct cache_head {
    struct cache_key key;
    struct cache_meta meta;
    struct slice vary, headers;
};

/* Room for a head of that many bytes. */
uint32_t cache_head_cap(size_t len);
/* Fixed part and head; cap 0: chosen by cache_head_cap() and told. -E2BIG when it does not fit into cap. */
NODISCARD int cache_head_pack(struct buf *out, const struct cache_head *head, int64_t size,
                              uint32_t *cap);
/* From a file's first bytes: lengths first (-EBADMSG), then the whole. */
NODISCARD int cache_head_lengths(struct slice fixed, uint32_t *ret_cap, uint32_t *ret_len,
                                 int64_t *ret_size);
/* -EBADMSG. */
NODISCARD int cache_head_unpack(struct slice fixed, struct slice head, struct cache_head *ret);
