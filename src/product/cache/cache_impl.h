/* Shared by cache_store.c (index), cache_put.c (writing) and cache_scan.c (the start). */
#pragma once

#include "core/map.h"
#include "product/cache/cache_head.h"
#include "product/cache/cache_policy.h"

enum { CACHE_HASH_SIZE = 32, CACHE_PATH_SIZE = 24 };

struct cache_node {
    uint8_t hash[CACHE_HASH_SIZE];
    struct buf text; /* partition, name, URL: key points into it */
    struct cache_key key;
    struct link entries;
};

struct cache {
    struct loop *loop;
    struct work_pool *pool;
    int dir_fd;
    struct cache_limits limits;
    struct map nodes; /* hash of the key -> struct cache_node */
    struct link lru;  /* longest unused first */
    struct link hot;  /* those in memory, the same */
    size_t n_entries;
    int64_t disk, memory;
    bool ready;
    struct link waits;
    struct work scan;
    struct link scanned; /* of the job */
};

/* "hh/<16 hex>" */
char *cache_file_path(uint64_t file, char path[CACHE_PATH_SIZE]);
int64_t cache_entry_disk(const struct cache_entry *e);
void cache_tags_of(struct slice headers, struct buf *out);
/* Takes e, with its reference, into the index; an entry of the same variant goes. */
void cache_insert(struct cache *cache, const struct cache_key *key, struct cache_entry *e);
/* Makes room for what is over the limits. */
void cache_shrink(struct cache *cache);
void cache_entry_loaded(struct cache_entry *e); /* its buffers were filled */
void cache_scan_start(struct cache *cache);
