/*
 * A hash table from bytes to pointers (open addressing, keyed hash seeded per process).
 *
 * Keys are copied; values are borrowed and never freed by the map. A zeroed struct is a valid empty
 * map. One thread at a time.
 */
#pragma once

#include "core/slice.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t n, n_slots, n_dead;
};

/* The value, or NULL. */
void *map_get(const struct map *map, struct slice key);
/* Returns the value that was replaced, or NULL. */
void *map_put(struct map *map, struct slice key, void *value);
void *map_remove(struct map *map, struct slice key);
/* Walks in no order: start with *at = 0; false at the end. No changes while walking. */
bool map_next(const struct map *map, size_t *at, struct slice *ret_key, void **ret_value);
void map_done(struct map *map);

/* Keys that are numbers (stream ids). */
void *map_get_u64(const struct map *map, uint64_t key);
void *map_put_u64(struct map *map, uint64_t key, void *value);
void *map_remove_u64(struct map *map, uint64_t key);
