/*
 * Responses on their way in: bytes go to a file without a valid fixed part while they come; that part is written by a
 * job of the pool after the body has reached the disk.
 */
#include "product/cache/cache_impl.h"

#include "core/file.h"
#include "core/id.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct cache_put {
    struct cache *cache;
    struct buf text; /* what the slices of `head` point into */
    struct cache_head head;
    int fd;
    uint64_t file;
    uint32_t cap;
    int64_t size;
    struct buf body; /* while it is small */
    bool large;
};

static int file_make(struct cache *c, uint64_t *ret_file)
{
    char path[CACHE_PATH_SIZE], dir[3];
    enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW };

    id_random(ret_file, sizeof(*ret_file));
    cache_file_path(*ret_file, path);
    int fd = openat(c->dir_fd, path, FLAGS | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ENOENT) {
        memcpy(dir, path, 2);
        dir[2] = '\0';
        if (mkdirat(c->dir_fd, dir, 0700) < 0 && errno != EEXIST)
            return -errno;
        fd = openat(c->dir_fd, path, FLAGS | O_CLOEXEC, 0600);
    }
    return fd < 0 ? -errno : fd;
}

/* The slices' bytes one after another; the buffer does not grow afterwards. */
static void put_keep(struct cache_put *p, struct slice *const fields[], size_t n)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++)
        buf_append_slice(&p->text, *fields[i]);
    for (size_t i = 0; i < n; i++) {
        fields[i]->ptr = buf_slice(&p->text).ptr + at;
        at += fields[i]->len;
    }
}

static void put_free(struct cache_put *p)
{
    fd_release(&p->fd);
    buf_done(&p->text);
    buf_done(&p->body);
    free(p);
}

struct cache_put *cache_put_begin(struct cache *c, const struct cache_key *key,
                                  const struct cache_meta *meta, struct slice headers,
                                  struct slice vary)
{
    AUTO(buf_done) struct buf scratch = {0};
    struct cache_head head = {.key = *key, .meta = *meta, .vary = vary, .headers = headers};
    uint32_t cap = 0;
    uint64_t file;

    if (key->partition.len + key->name.len + key->url.len > CACHE_KEY_MAX ||
        cache_head_pack(&scratch, &head, 0, &cap) < 0)
        return NULL;
    int fd = file_make(c, &file);
    if (fd < 0) {
        LOG(LOG_WARN, "cache_not_written", F("error", "%d", fd));
        return NULL;
    }
    struct cache_put *p = mem_new(sizeof(*p));
    p->cache = c;
    p->fd = fd;
    p->file = file;
    p->cap = cap;
    p->head = head;
    struct slice *const fields[] = {&p->head.key.partition, &p->head.key.name, &p->head.key.url,
                                    &p->head.vary, &p->head.headers};
    put_keep(p, fields, ARRAY_LEN(fields));
    return p;
}

int cache_put_write(struct cache_put *p, struct slice bytes)
{
    if (p->size + (int64_t)bytes.len > p->cache->limits.object_max)
        return -E2BIG;
    if (!p->large && buf_len(&p->body) + bytes.len > CACHE_BODY_MEMORY_MAX) {
        p->large = true;
        buf_done(&p->body);
    }
    if (!p->large)
        buf_append_slice(&p->body, bytes);
    while (bytes.len > 0) {
        ssize_t n =
            pwrite(p->fd, bytes.ptr, bytes.len, CACHE_FIXED_SIZE + (int64_t)p->cap + p->size);
        if (n < 0)
            return -errno;
        p->size += n;
        bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

void cache_put_drop(struct cache_put *p)
{
    char path[CACHE_PATH_SIZE];

    if (p == NULL)
        return;
    (void)unlinkat(p->cache->dir_fd, cache_file_path(p->file, path),
                   0); /* or the next scan does it */
    put_free(p);
}

/* --- making it valid --- */

struct settle {
    struct work work;
    struct cache_entry *entry; /* referenced */
    int fd, result;
    struct buf head;
    int64_t end; /* length of the file */
};

static void settle_run(struct work *work)
{
    struct settle *s = CONTAINER_OF(work, struct settle, work);
    struct slice head = buf_slice(&s->head);

    if (ftruncate(s->fd, s->end) < 0 || fdatasync(s->fd) < 0 ||
        pwrite(s->fd, head.ptr, head.len, 0) != (ssize_t)head.len)
        s->result = errno == 0 ? -EIO : -errno;
}

static void settle_done(struct work *work)
{
    struct settle *s = CONTAINER_OF(work, struct settle, work);
    struct cache_entry *e = s->entry;

    e->writing = false;
    if (s->result < 0) {
        LOG(LOG_WARN, "cache_not_written", F("error", "%d", s->result));
        cache_entry_drop(e);
    }
    cache_entry_unref(e);
    fd_release(&s->fd);
    buf_done(&s->head);
    free(s);
}

static struct cache_entry *put_entry(struct cache_put *p)
{
    struct cache_entry *e = mem_new(sizeof(*e));

    e->cache = p->cache;
    e->refs = 1;
    e->file = p->file;
    e->meta = p->head.meta;
    e->size = p->size;
    e->head_cap = p->cap;
    e->writing = true;
    e->has_body = !p->large;
    buf_append_slice(&e->vary, p->head.vary);
    buf_append_slice(&e->headers, p->head.headers);
    cache_tags_of(p->head.headers, &e->tags);
    e->body = p->body;
    p->body = (struct buf){0};
    cache_entry_loaded(e);
    return e;
}

void cache_put_commit(struct cache_put *p)
{
    struct settle *s = mem_new(sizeof(*s));
    struct cache *c = p->cache;

    int r = cache_head_pack(&s->head, &p->head, p->size, &p->cap);
    CHECK(r == 0); /* it fitted when the room was chosen */
    struct cache_entry *e = put_entry(p);
    s->work = (struct work){.run = settle_run, .done = settle_done};
    s->entry = e;
    s->fd = TAKE_FD(p->fd);
    s->end = cache_entry_disk(e);
    e->refs++;
    cache_insert(c, &p->head.key, e);
    put_free(p);
    work_start(c->pool, &s->work);
}
