#include "product/cache/cache_impl.h"

#include "core/digest.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *cache_file_path(uint64_t file, char path[CACHE_PATH_SIZE])
{
    snprintf(path, CACHE_PATH_SIZE, "%02x/%016llx", (unsigned)(file & 0xff),
             (unsigned long long)file);
    return path;
}

int64_t cache_entry_disk(const struct cache_entry *e)
{
    return e->size + e->head_cap + CACHE_FIXED_SIZE;
}

void cache_tags_of(struct slice headers, struct buf *out)
{
    struct slice name, value;

    while (http_header_next(&headers, &name, &value))
        if (slice_eq(name, SLICE("cache-tag"))) {
            if (buf_len(out) > 0)
                buf_append_char(out, ',');
            buf_append_slice(out, value);
        }
}

/* --- memory --- */

static int64_t entry_memory(const struct cache_entry *e)
{
    return (int64_t)(buf_len(&e->headers) + buf_len(&e->body));
}

static void entry_cool(struct cache_entry *e)
{
    if (!e->loaded)
        return;
    e->cache->memory -= entry_memory(e);
    list_remove(&e->in_hot);
    buf_done(&e->headers);
    buf_done(&e->body);
    e->loaded = e->has_body = false;
}

void cache_entry_loaded(struct cache_entry *e)
{
    e->loaded = true;
    e->cache->memory += entry_memory(e);
    list_push_back(&e->cache->hot, &e->in_hot);
}

/* Entries in use keep their memory until they are given back. */
static void memory_shrink(struct cache *c)
{
    LIST_FOR_SAFE (at, &c->hot) {
        struct cache_entry *e = LIST_ENTRY(at, struct cache_entry, in_hot);
        if (c->memory <= c->limits.memory_max)
            return;
        if (e->refs == 1 && !e->writing)
            entry_cool(e);
    }
}

/* --- entries --- */

void cache_entry_unref(struct cache_entry *e)
{
    if (--e->refs > 0)
        return;
    entry_cool(e);
    buf_done(&e->vary);
    buf_done(&e->tags);
    free(e);
}

void cache_entry_release(struct cache_entry **e)
{
    if (*e != NULL)
        cache_entry_unref(*e);
}

static void node_free(struct cache *c, struct cache_node *node)
{
    map_remove(&c->nodes, slice_from(node->hash, sizeof(node->hash)));
    buf_done(&node->text);
    free(node);
}

void cache_entry_drop(struct cache_entry *e)
{
    struct cache *c = e->cache;
    struct cache_node *node = TAKE(e->node);
    char path[CACHE_PATH_SIZE];

    if (node == NULL)
        return;
    list_remove(&e->in_node);
    list_remove(&e->in_lru);
    if (list_empty(&node->entries))
        node_free(c, node);
    c->n_entries--;
    c->disk -= cache_entry_disk(e);
    if (unlinkat(c->dir_fd, cache_file_path(e->file, path), 0) < 0 && errno != ENOENT)
        LOG(LOG_WARN, "cache_file_stays", F("file", "%s", path), F("error", "%m"));
    cache_entry_unref(e);
}

void cache_shrink(struct cache *c)
{
    while (!list_empty(&c->lru) &&
           (c->n_entries > c->limits.entries_max || c->disk > c->limits.disk_max))
        cache_entry_drop(LIST_ENTRY(c->lru.next, struct cache_entry, in_lru));
    memory_shrink(c);
}

/* --- keys --- */

static void key_hash(const struct cache_key *key, uint8_t hash[CACHE_HASH_SIZE])
{
    AUTO(buf_done) struct buf text = {0};

    buf_printf(&text, "%zu %zu ", key->partition.len,
               key->name.len); /* so that parts cannot run into another */
    buf_append_slice(&text, key->partition);
    buf_append_slice(&text, key->name);
    buf_append_slice(&text, key->url);
    digest_of(DIGEST_SHA256, buf_slice(&text), hash);
}

static struct cache_node *node_find(const struct cache *c, const struct cache_key *key)
{
    uint8_t hash[CACHE_HASH_SIZE];

    key_hash(key, hash);
    return map_get(&c->nodes, slice_from(hash, sizeof(hash)));
}

static struct cache_node *node_make(struct cache *c, const struct cache_key *key)
{
    struct cache_node *node = node_find(c, key);

    if (node != NULL)
        return node;
    node = mem_new(sizeof(*node));
    key_hash(key, node->hash);
    buf_append_slice(&node->text, key->partition);
    buf_append_slice(&node->text, key->name);
    buf_append_slice(&node->text, key->url);
    const char *at = buf_slice(&node->text).ptr;
    node->key.partition = slice_from(at, key->partition.len);
    node->key.name = slice_from(at + key->partition.len, key->name.len);
    node->key.url = slice_from(at + key->partition.len + key->name.len, key->url.len);
    list_init(&node->entries);
    map_put(&c->nodes, slice_from(node->hash, sizeof(node->hash)), node);
    return node;
}

void cache_insert(struct cache *c, const struct cache_key *key, struct cache_entry *e)
{
    struct cache_node *node = node_make(c, key);

    e->node = node;
    c->n_entries++;
    c->disk += cache_entry_disk(e);
    list_push_back(&c->lru, &e->in_lru);
    list_push_front(&node->entries, &e->in_node);
    LIST_FOR_SAFE (at, &node->entries) {
        struct cache_entry *other = LIST_ENTRY(at, struct cache_entry, in_node);
        if (other != e && slice_eq(buf_slice(&other->vary), buf_slice(&e->vary)))
            cache_entry_drop(other);
    }
    cache_shrink(c);
}

/* --- reading --- */

int cache_entry_open(struct cache_entry *e, int64_t *ret_offset)
{
    char path[CACHE_PATH_SIZE];
    int fd =
        openat(e->cache->dir_fd, cache_file_path(e->file, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    *ret_offset = CACHE_FIXED_SIZE + (int64_t)e->head_cap;
    return fd < 0 ? -errno : fd;
}

/* Reads exactly n bytes. */
static int read_all(int fd, int64_t offset, size_t n, struct buf *out)
{
    char *to = buf_reserve(out, n);
    size_t done = 0;

    while (done < n) {
        ssize_t got = pread(fd, to + done, n - done, offset + (int64_t)done);
        if (got <= 0)
            return got < 0 ? -errno : -EBADMSG;
        done += (size_t)got;
    }
    buf_added(out, n);
    return 0;
}

static int entry_load(struct cache_entry *e)
{
    AUTO(fd_release) int fd = -1;
    AUTO(buf_done) struct buf fixed = {0}, head = {0};
    struct cache_head h;
    uint32_t cap, len;
    int64_t size, offset;

    if (e->loaded)
        return 0;
    fd = cache_entry_open(e, &offset);
    if (fd < 0)
        return fd;
    int r = read_all(fd, 0, CACHE_FIXED_SIZE, &fixed);
    if (r == 0)
        r = cache_head_lengths(buf_slice(&fixed), &cap, &len, &size);
    if (r == 0)
        r = cap == e->head_cap && size == e->size ? read_all(fd, CACHE_FIXED_SIZE, len, &head)
                                                  : -EBADMSG;
    if (r == 0)
        r = cache_head_unpack(buf_slice(&fixed), buf_slice(&head), &h);
    if (r == 0 && size <= CACHE_BODY_MEMORY_MAX)
        r = read_all(fd, offset, (size_t)size, &e->body);
    if (r < 0) {
        buf_done(&e->body);
        return r;
    }
    e->has_body = size <= CACHE_BODY_MEMORY_MAX;
    buf_append_slice(&e->headers, h.headers);
    cache_entry_loaded(e);
    return 0;
}

struct cache_entry *cache_find(struct cache *c, const struct cache_key *key, struct slice request)
{
    struct cache_node *node = node_find(c, key);

    if (node == NULL)
        return NULL;
    LIST_FOR_SAFE (at, &node->entries) {
        struct cache_entry *e = LIST_ENTRY(at, struct cache_entry, in_node);
        if (!cache_vary_matches(buf_slice(&e->vary), request))
            continue;
        if (entry_load(e) < 0) {
            cache_entry_drop(e); /* torn, or gone from the disk: the node may be gone with it */
            return NULL;
        }
        list_remove(&e->in_lru);
        list_push_back(&c->lru, &e->in_lru);
        list_remove(&e->in_hot);
        list_push_back(&c->hot, &e->in_hot);
        e->refs++;
        memory_shrink(c);
        return e;
    }
    return NULL;
}

bool cache_remove(struct cache *c, const struct cache_key *key)
{
    struct cache_node *node = node_find(c, key);
    bool any = node != NULL;

    while (node != NULL) {
        bool last = node->entries.next->next == &node->entries;
        cache_entry_drop(LIST_ENTRY(node->entries.next, struct cache_entry, in_node));
        if (last)
            node = NULL; /* it went with its last entry */
    }
    return any;
}

size_t cache_purge(struct cache *c, struct slice partition,
                   bool (*wanted)(void *arg, const struct cache_key *key, struct slice tags),
                   void *arg)
{
    size_t n = 0;

    LIST_FOR_SAFE (at, &c->lru) {
        struct cache_entry *e = LIST_ENTRY(at, struct cache_entry, in_lru);
        if (!slice_eq(e->node->key.partition, partition) ||
            !wanted(arg, &e->node->key, buf_slice(&e->tags)))
            continue;
        cache_entry_drop(e);
        n++;
    }
    return n;
}

/* --- after a 304 --- */

static int entry_rewrite(struct cache_entry *e, struct slice headers)
{
    AUTO(fd_release) int fd = -1;
    AUTO(buf_done) struct buf out = {0};
    char path[CACHE_PATH_SIZE];
    uint32_t cap = e->head_cap;
    int r = cache_head_pack(
        &out,
        &(struct cache_head){
            .key = e->node->key, .meta = e->meta, .vary = buf_slice(&e->vary), .headers = headers},
        e->size, &cap);

    if (r < 0 ||
        e->writing) /* the job that is writing it knows the old head: a renewal is lost at worst */
        return r;
    fd =
        openat(e->cache->dir_fd, cache_file_path(e->file, path), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    struct slice bytes = buf_slice(&out);
    return pwrite(fd, bytes.ptr, bytes.len, 0) == (ssize_t)bytes.len ? 0 : -EIO;
}

void cache_entry_renew(struct cache_entry *e, const struct cache_meta *meta, struct slice headers)
{
    int status = e->meta.status;

    if (e->node == NULL)
        return;
    e->meta = *meta;
    e->meta.status = status;
    if (entry_rewrite(e, headers) < 0) {
        cache_entry_drop(e);
        return;
    }
    e->cache->memory -= (int64_t)buf_len(&e->headers);
    buf_clear(&e->headers);
    buf_append_slice(&e->headers, headers);
    e->cache->memory += (int64_t)buf_len(&e->headers);
}

/* --- the whole --- */

struct cache *cache_create(struct loop *loop, struct work_pool *pool, int dir_fd,
                           const struct cache_limits *limits)
{
    struct cache *c = mem_new(sizeof(*c));

    c->loop = loop;
    c->pool = pool;
    c->dir_fd = dir_fd;
    c->limits = *limits;
    list_init(&c->lru);
    list_init(&c->hot);
    list_init(&c->waits);
    list_init(&c->scanned);
    cache_scan_start(c);
    return c;
}

/* The files stay: only the index goes. */
void cache_destroy(struct cache *c)
{
    if (c == NULL)
        return;
    while (!list_empty(&c->lru)) {
        struct cache_entry *e = LIST_ENTRY(c->lru.next, struct cache_entry, in_lru);
        struct cache_node *node = TAKE(e->node);
        list_remove(&e->in_node);
        list_remove(&e->in_lru);
        if (list_empty(&node->entries))
            node_free(c, node);
        cache_entry_unref(e);
    }
    map_done(&c->nodes);
    fd_release(&c->dir_fd);
    free(c);
}

bool cache_is_ready(const struct cache *c)
{
    return c->ready;
}

void cache_when_ready(struct cache *c, struct cache_wait *wait)
{
    CHECK(!c->ready);
    list_push_back(&c->waits, &wait->link);
}

void cache_stats(const struct cache *c, struct cache_stats *ret)
{
    *ret = (struct cache_stats){c->n_entries, c->disk, c->memory};
}
