/*
 * Stored responses on disk, the wanted ones in memory too. The gateway's: heads are written by us and read by us.
 *
 *     DATA/cache/<hh>/<16 hex>     one response:  fixed part | head (padded, so that it can be renewed in place) | body
 *
 * A file counts only once its fixed part is written, and that is after its body has reached the disk: what a power
 * cut tore is removed by the scan at the next start. Until that scan is over nobody may be answered
 * (cache_when_ready()). Keys begin with a partition, the account: no other account's entries can be named.
 *
 * The index lives in memory: limits bound entries, bytes on disk and bytes in memory; the longest unused entries go
 * first. The loop's thread; the scan and syncs run on the pool.
 */
#pragma once

#include "core/list.h"
#include "core/loop.h"
#include "core/work.h"
#include "net/http.h"

enum {
    CACHE_BODY_MEMORY_MAX = 256 * 1024, /* a body up to this size is kept in memory as well */
    CACHE_KEY_MAX = 32 * 1024           /* partition, name and URL together, bytes */
};

struct cache;
struct cache_node;
struct cache_put;

struct cache_limits {
    int64_t disk_max, memory_max, object_max; /* bytes */
    size_t entries_max;
};

struct cache_key {
    struct slice partition; /* account */
    struct slice name;      /* "" = the default cache */
    struct slice url;
};

/* All times are wall time in ms. */
struct cache_meta {
    int status;
    int64_t time_ms;        /* when the response was fresh: Age counts from here */
    int64_t expires_ms;     /* stale from here on */
    int64_t stale_while_ms; /* stale but usable while it is renewed, until here */
    int64_t stale_error_ms; /* stale but better than an error, until here */
};

struct cache_entry {
    struct cache *cache;     /* borrowed */
    struct cache_node *node; /* NULL: removed or replaced */
    struct link in_node, in_lru, in_hot;
    unsigned refs;
    uint64_t file;
    struct cache_meta meta;
    int64_t size;                   /* of the body */
    uint32_t head_cap;              /* room for the head in the file */
    struct buf vary, tags;          /* "name: value\n" lines; the Cache-Tag list */
    struct buf headers, body;       /* in memory when loaded */
    bool loaded, has_body, writing; /* writing: not yet valid on disk, so it stays in memory */
};

struct cache_wait {
    struct link link;
    void (*ready)(struct cache_wait *wait);
};

/* Takes dir_fd, borrows loop and pool. */
struct cache *cache_create(struct loop *loop, struct work_pool *pool, int dir_fd,
                           const struct cache_limits *limits);
void cache_destroy(struct cache *cache); /* after the pool; accepts NULL */
bool cache_is_ready(const struct cache *cache);
void cache_when_ready(struct cache *cache, struct cache_wait *wait);

/* The variant that fits the request, stale or not; its headers are loaded. Referenced; NULL: none. */
struct cache_entry *cache_find(struct cache *cache, const struct cache_key *key,
                               struct slice request_headers);
/* Removes all variants; false when there was none. */
bool cache_remove(struct cache *cache, const struct cache_key *key);
/* Removes what `wanted` says; returns how many. name is the cache's, url the entry's. */
size_t cache_purge(struct cache *cache, struct slice partition,
                   bool (*wanted)(void *arg, const struct cache_key *key, struct slice tags),
                   void *arg);

void cache_entry_unref(struct cache_entry *e);
void cache_entry_release(struct cache_entry **e);
/* A descriptor of the file and where the body begins in it; negative errno. */
NODISCARD int cache_entry_open(struct cache_entry *e, int64_t *ret_offset);
/* After a 304. The entry is removed when its file has no room for the new head. */
void cache_entry_renew(struct cache_entry *e, const struct cache_meta *meta, struct slice headers);
void cache_entry_drop(struct cache_entry *e); /* out of the index */

/* A response on its way in. vary is cache_vary_of()'s text. NULL when it cannot be stored. */
struct cache_put *cache_put_begin(struct cache *cache, const struct cache_key *key,
                                  const struct cache_meta *meta, struct slice headers,
                                  struct slice vary);
/* -E2BIG, -ENOSPC, -EIO: then it can only be dropped. */
NODISCARD int cache_put_write(struct cache_put *put, struct slice bytes);
/* Visible from here on; replaces the same variant. */
void cache_put_commit(struct cache_put *put);
void cache_put_drop(struct cache_put *put); /* accepts NULL */

struct cache_stats {
    size_t entries;
    int64_t disk, memory;
};
void cache_stats(const struct cache *cache, struct cache_stats *ret);
