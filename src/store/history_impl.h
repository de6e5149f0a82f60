/*
 * Shared by history.c (life of a history) and history_log.c (its files).
 *
 * One record of a log: a head of HISTORY_HEAD bytes, then `size` bytes that inflate to n_pages times (u32 number, page).
 *
 *     u32 magic | u32 n_pages | u32 page_size | u32 pages_after | u64 number | i64 time_ms | u32 last | u32 size
 *     u32 crc of the bytes behind | u32 crc of the head before it
 *
 * A large commit is several records; the last one says so and gives number, time and pages_after.
 */
#pragma once

#include "core/buf.h"
#include "core/pack.h"
#include "store/history.h"

enum {
    HISTORY_HEAD = 48,
    HISTORY_BODY_MAX = 64 * 1024 * 1024,
    HISTORY_NAME_MAX = 64,
    HISTORY_PATH_MAX = 512,
    HISTORY_FILES_MAX = 4096
};

struct history_record {
    uint32_t n_pages, page_size, pages_after, size, crc;
    uint64_t number;
    int64_t time_ms;
    bool last;
};

/* A file of the history's directory. */
struct history_file {
    char name[HISTORY_NAME_MAX];
    uint64_t number; /* base: of the state it holds; log: of its first commit */
    int64_t time_ms;
    int64_t size;
    bool base;
};

struct history_files {
    struct history_file *list; /* owned; sorted by number */
    size_t n;
};

int history_list(const char *dir, struct history_files *ret);
void history_files_done(struct history_files *files);

/* Appends the record of raw pages (n_pages times u32 number, page). -EIO. */
NODISCARD int history_record_append(struct buf *out, struct history_record *r, struct slice raw);
/* HISTORY_HEAD bytes; -EBADMSG. */
NODISCARD int history_head_read(struct slice bytes, struct history_record *ret);
/* The r->size bytes behind the head, checked, as raw pages in `out`. -EBADMSG. */
NODISCARD int history_body_read(const struct history_record *r, struct slice body, struct buf *out);

/* Walks the whole commits of a log, without their pages: commit(arg, last record, where its first record begins, where
 * its last one ends) returns 1 to stop, 0 to go on. *ret_end is behind the last whole commit seen. -EIO. */
typedef int (*history_commit)(void *arg, const struct history_record *last, int64_t from,
                              int64_t to);
NODISCARD int history_walk(int fd, history_commit commit, void *arg, int64_t *ret_end);
/* Applies the records between two offsets of a log to the database file `to_fd`. -EBADMSG, -EIO, -ENOSPC. */
NODISCARD int history_apply(int log_fd, int64_t from, int64_t to, int to_fd);
