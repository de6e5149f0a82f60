/*
 * The arena: a list of blocks, the newest in front; an allocation advances a mark in the front one.
 *
 * Blocks double up to a limit. What would take most of a block gets one of its own *behind* the
 * front block, so that the free space in front stays in use.
 */
#include "core/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ARENA_ALIGN = 16,
    ARENA_BLOCK_MIN = 1024,
    ARENA_BLOCK_MAX = 64 * 1024,
    ARENA_KEEP_MAX = 64 * 1024, /* a larger block is not kept for reuse */
};

struct arena_block {
    struct arena_block *next; /* owned */
    size_t size, at;
    _Alignas(ARENA_ALIGN) char data[];
};

static struct arena_block *arena_block_add(struct arena *arena, size_t size)
{
    struct arena_block *front = arena->blocks;
    size_t usual = front == NULL ? ARENA_BLOCK_MIN : MIN(front->size * 2, (size_t)ARENA_BLOCK_MAX);
    bool alone = size > usual / 2;
    size_t block_size = alone ? size : usual;

    struct arena_block *block = malloc(sizeof(*block) + block_size);
    if (block == NULL)
        return NULL;
    block->size = block_size;
    block->at = 0;
    if (alone && front != NULL) {
        block->next = front->next;
        front->next = block;
    } else {
        block->next = front;
        arena->blocks = block;
    }
    return block;
}

/* Not zeroed. */
static void *arena_take(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (MAX(size, (size_t)1) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (arena->limit > 0 && (size > arena->limit || arena->used > arena->limit - size))
        return NULL;

    struct arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->at < size) {
        block = arena_block_add(arena, size);
        if (block == NULL)
            return NULL;
    }
    void *p = block->data + block->at;
    block->at += size;
    arena->used += size;
    return p;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *p = arena_take(arena, size);
    if (p != NULL)
        memset(p, 0, size);
    return p;
}

int arena_copy(struct arena *arena, const void *ptr, size_t len, struct slice *ret)
{
    char *p = len == SIZE_MAX ? NULL : arena_take(arena, len + 1);
    if (p == NULL)
        return -ENOMEM;
    if (len > 0)
        memcpy(p, ptr, len);
    p[len] = '\0';
    *ret = (struct slice){p, len};
    return 0;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    CHECK(n >= 0);
    char *p = arena_take(arena, (size_t)n + 1);
    if (p != NULL)
        (void)vsnprintf(p, (size_t)n + 1, fmt, again); /* the same text as a moment ago */
    va_end(again);
    va_end(args);
    return p;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL;
    for (struct arena_block *b = arena->blocks, *next; b != NULL; b = next) {
        next = b->next;
        if (kept == NULL && b->size <= ARENA_KEEP_MAX) {
            kept = b;
            kept->at = 0;
            kept->next = NULL;
        } else {
            free(b);
        }
    }
    arena->blocks = kept;
    arena->used = 0;
}

void arena_done(struct arena *arena)
{
    for (struct arena_block *b = arena->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    arena->blocks = NULL;
    arena->used = 0;
}
