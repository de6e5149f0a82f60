/*
 * The index at the start: every file's head is read on the pool; those that do not check are removed. Of two files of
 * one variant the newer counts.
 */
#include "product/cache/cache_impl.h"

#include "core/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct scanned {
    struct link link;
    struct cache_entry *entry;
    struct buf text;
    struct cache_key key; /* points into it */
};

static int head_read(int fd, struct buf *fixed, struct buf *head, struct cache_head *ret,
                     struct cache_entry *e)
{
    struct stat st;
    uint32_t len;

    if (pread(fd, buf_reserve(fixed, CACHE_FIXED_SIZE), CACHE_FIXED_SIZE, 0) != CACHE_FIXED_SIZE)
        return -EBADMSG;
    buf_added(fixed, CACHE_FIXED_SIZE);
    int r = cache_head_lengths(buf_slice(fixed), &e->head_cap, &len, &e->size);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0 || st.st_size != cache_entry_disk(e) ||
        pread(fd, buf_reserve(head, len), len, CACHE_FIXED_SIZE) != (ssize_t)len)
        return -EBADMSG;
    buf_added(head, len);
    return cache_head_unpack(buf_slice(fixed), buf_slice(head), ret);
}

static void scanned_keep(struct cache *c, const struct cache_head *h, struct cache_entry *e)
{
    struct scanned *s = mem_new(sizeof(*s));

    s->entry = e;
    e->meta = h->meta;
    buf_append_slice(&e->vary, h->vary);
    cache_tags_of(h->headers, &e->tags);
    buf_append_slice(&s->text, h->key.partition);
    buf_append_slice(&s->text, h->key.name);
    buf_append_slice(&s->text, h->key.url);
    const char *at = buf_slice(&s->text).ptr;
    s->key.partition = slice_from(at, h->key.partition.len);
    s->key.name = slice_from(at + h->key.partition.len, h->key.name.len);
    s->key.url = slice_from(at + h->key.partition.len + h->key.name.len, h->key.url.len);
    list_push_back(&c->scanned, &s->link);
}

static void scan_file(struct cache *c, int dir, const char *name, uint64_t file)
{
    AUTO(fd_release) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    AUTO(buf_done) struct buf fixed = {0}, head = {0};
    struct cache_head h;

    if (fd < 0)
        return;
    struct cache_entry *e = mem_new(sizeof(*e));
    e->cache = c;
    e->refs = 1;
    e->file = file;
    if (head_read(fd, &fixed, &head, &h, e) == 0) {
        scanned_keep(c, &h, e);
        return;
    }
    free(e);
    (void)unlinkat(dir, name, 0); /* or the next start does it */
}

static void scan_dir(struct cache *c, const char *hh)
{
    int fd = openat(c->dir_fd, hh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *at;

    if (dir == NULL) {
        fd_release(&fd);
        return;
    }
    while ((at = readdir(dir)) != NULL) {
        char path[CACHE_PATH_SIZE], *end = NULL;
        uint64_t file = strtoull(at->d_name, &end, 16);
        if (*end == '\0' && strcmp(cache_file_path(file, path) + 3, at->d_name) == 0)
            scan_file(c, dirfd(dir), at->d_name, file);
    }
    closedir(dir);
}

static void scan_run(struct work *work)
{
    struct cache *c = CONTAINER_OF(work, struct cache, scan);
    char hh[3];

    for (unsigned i = 0; i < 256; i++) {
        snprintf(hh, sizeof(hh), "%02x", i);
        scan_dir(c, hh);
    }
}

/* True when another file has a newer response of the same variant. */
static bool superseded(struct cache *c, const struct scanned *s)
{
    AUTO(cache_entry_release) struct cache_entry *other = NULL;

    /* A variant's own fields are what it would be asked for with, line by line. */
    AUTO(buf_done) struct buf request = {0};
    struct slice vary = buf_slice(&s->entry->vary);
    while (vary.len > 0) {
        struct slice line = slice_cut(&vary, '\n'), name = slice_cut(&line, ':');
        http_header_add(&request, name, slice_skip(line, 1));
    }
    other = cache_find(c, &s->key, buf_slice(&request));
    return other != NULL && other->meta.time_ms > s->entry->meta.time_ms &&
           slice_eq(buf_slice(&other->vary), buf_slice(&s->entry->vary));
}

static void scan_done(struct work *work)
{
    struct cache *c = CONTAINER_OF(work, struct cache, scan);
    struct link *at;

    while ((at = list_pop_front(&c->scanned)) != NULL) {
        struct scanned *s = LIST_ENTRY(at, struct scanned, link);
        char path[CACHE_PATH_SIZE];
        if (superseded(c, s)) {
            (void)unlinkat(c->dir_fd, cache_file_path(s->entry->file, path),
                           0); /* the next start's */
            cache_entry_unref(s->entry);
        } else {
            cache_insert(c, &s->key, s->entry);
        }
        buf_done(&s->text);
        free(s);
    }
    c->ready = true;
    LOG(LOG_INFO, "cache", F("entries", "%zu", c->n_entries),
        F("bytes", "%lld", (long long)c->disk));
    while ((at = list_pop_front(&c->waits)) != NULL) {
        struct cache_wait *wait = LIST_ENTRY(at, struct cache_wait, link);
        wait->ready(wait);
    }
}

void cache_scan_start(struct cache *c)
{
    c->scan = (struct work){.run = scan_run, .done = scan_done};
    work_start(c->pool, &c->scan);
}
