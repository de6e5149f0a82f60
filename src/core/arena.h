/*
 * Memory with one lifetime: everything allocated from an arena goes when the arena goes.
 *
 * `limit` bounds what may be taken (0 = no limit); past it arena_alloc returns NULL and callers
 * answer -ENOMEM. One thread at a time. A zeroed struct is a valid empty arena.
 */
#pragma once

#include "core/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used;
    size_t limit;
};

/* Zeroed, aligned to 16. NULL over the limit or without memory. */
NODISCARD void *arena_alloc(struct arena *arena, size_t size);
/* 0 or -ENOMEM; the copy has a zero byte behind it which the slice does not count. */
NODISCARD int arena_copy(struct arena *arena, const void *ptr, size_t len, struct slice *ret);
NODISCARD char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF(2, 3);
/* Keeps one block for reuse. */
void arena_reset(struct arena *arena);
void arena_done(struct arena *arena); /* for AUTO(); accepts zeroed memory */
