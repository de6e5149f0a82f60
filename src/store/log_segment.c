/*
 * The files of the durable log: preallocated with zeros, so that a sync need not write metadata, and used
 * again in turn. A segment's number, not its file, is its identity: what an earlier use has left behind in a file has a
 * smaller number and is passed over.
 */
#include "store/log_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEGMENT_ZEROS = 1024 * 1024, SEGMENT_SLACK = 64 * 1024 };

static void segment_path(const struct log *log, unsigned i, char path[LOG_PATH_MAX])
{
    snprintf(path, LOG_PATH_MAX, "%s/%u", log->dir, i);
}

/* A record does not go over the end of a segment, so some of it may stay empty. */
static int64_t segment_usable(int64_t free_bytes)
{
    int64_t waste = LOG_PART_PAGES * 4096 + SEGMENT_SLACK;
    return MAX(free_bytes - waste, (int64_t)0);
}

int64_t log_room(const struct log *log)
{
    int64_t room = log->current == NULL ? 0 : segment_usable(log->current->size - log->at);
    for (unsigned i = 0; i < log->n_segments; i++) {
        if (log->segments[i].number == 0)
            room += segment_usable(log->segments[i].size);
    }
    return room;
}

/* Written, not only allocated: the first write into an allocated extent changes metadata. */
static int segment_fill(const struct disk *disk, int fd, int64_t size)
{
    char *zeros = mem_new(SEGMENT_ZEROS);
    int r = 0;
    for (int64_t at = 0; at < size && r == 0; at += SEGMENT_ZEROS)
        r = disk->write(fd, zeros, (size_t)MIN(size - at, (int64_t)SEGMENT_ZEROS), at);
    free(zeros);
    return r == 0 ? disk->sync(fd) : r;
}

static int segment_create(const struct log *log, unsigned i, int64_t size, int *ret_fd)
{
    char path[LOG_PATH_MAX];
    segment_path(log, i, path);
    int fd = log->disk->open(path, true, 0600);
    if (fd < 0)
        return fd;
    int r = segment_fill(log->disk, fd, size);
    if (r == 0)
        r = log->disk->sync_dir(log->dir);
    if (r < 0) {
        (void)log->disk->truncate(
            fd, 0); /* gives the room back; the next attempt uses the name again */
        log->disk->close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int log_segment_make(struct log *log)
{
    while (log->making)
        pthread_cond_wait(&log->made, &log->lock);
    unsigned i = log->n_segments;
    int64_t total = 0;
    for (unsigned k = 0; k < i; k++)
        total += log->segments[k].size;
    int64_t size = i == 0 ? MIN(log->options.segment_size, (int64_t)LOG_SEGMENT_FIRST)
                          : log->options.segment_size;
    if (i == LOG_SEGMENTS_MAX || (total + size > log->options.size_max && !log->starting))
        return -ENOSPC;
    log->making = true;
    pthread_mutex_unlock(&log->lock);
    int fd = -1;
    int r = segment_create(log, i, size, &fd);
    pthread_mutex_lock(&log->lock);
    log->making = false;
    pthread_cond_broadcast(&log->made);
    if (r < 0)
        return r == -EDQUOT ? -ENOSPC : r;
    log->segments[i] = (struct log_segment){.fd = fd, .size = size};
    log->n_segments++;
    return 0;
}

int log_segment_next(struct log *log)
{
    for (unsigned i = 0; i < log->n_segments; i++) {
        if (log->segments[i].number != 0)
            continue;
        log->current = &log->segments[i];
        log->current->number = ++log->last_segment;
        log->at = 0;
        return 0;
    }
    return -ENOSPC;
}

int log_segments_open(struct log *log)
{
    for (unsigned i = 0; i < LOG_SEGMENTS_MAX; i++) {
        char path[LOG_PATH_MAX];
        segment_path(log, i, path);
        int fd = log->disk->open(path, false, 0600);
        if (fd == -ENOENT)
            return 0;
        if (fd < 0)
            return fd;
        int64_t size = log->disk->size(fd);
        if (size <= 0) { /* was never finished */
            log->disk->close(fd);
            return size < 0 ? (int)size : 0;
        }
        log->segments[log->n_segments++] = (struct log_segment){.fd = fd, .size = size};
    }
    return 0;
}

void log_segments_close(struct log *log)
{
    for (unsigned i = 0; i < log->n_segments; i++)
        log->disk->close(log->segments[i].fd);
    log->n_segments = 0;
}

void log_segments_empty(struct log *log)
{
    for (unsigned i = 0; i < log->n_segments; i++)
        log->segments[i].number = 0;
}

uint64_t log_oldest_segment(const struct log *log)
{
    uint64_t oldest = log->current == NULL ? log->last_segment + 1 : log->current->number;
    if (!list_empty(&log->pending))
        oldest = MIN(oldest, LIST_ENTRY(log->pending.next, struct log_db, link)->first);
    return oldest;
}

void log_segments_free(struct log *log)
{
    uint64_t oldest = log_oldest_segment(log);
    for (unsigned i = 0; i < log->n_segments; i++) {
        struct log_segment *s = &log->segments[i];
        if (s->number != 0 && s->number < oldest && s != log->current)
            s->number = 0;
    }
}
