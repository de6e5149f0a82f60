/*
 * The life of a history.
 *
 * Commits are collected in memory as they happen and written when they have been answered (settle): packing them costs
 * more than committing does. Nothing is synced: after a power cut a log may end early, which is a gap like any other.
 */
#include "store/history_impl.h"
#include "store/sql_impl.h"

#include "core/clock.h"
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HISTORY_PENDING_MAX = 32 * 1024 * 1024, /* collected commits beyond this are written at once */
    HISTORY_LOG_MIN = 16 * 1024 * 1024,    /* a log smaller than this needs no new base behind it */
    HISTORY_SIZES_MAX = 8,                 /* all files together: so many times the database, */
    HISTORY_TOTAL_MIN = 1024 * 1024 * 1024 /* but at least this */
};

/* A commit, or a piece of one, that waits to be written. */
struct history_piece {
    struct history_record record;
    size_t raw; /* bytes of it in `pending` */
};

struct history {
    char dir[HISTORY_PATH_MAX];
    struct sql *db;    /* borrowed */
    int log_fd;        /* owned; -1 = the next commit begins a log */
    int64_t log_bytes; /* behind the last base */
    uint64_t last;
    bool counted; /* the database numbers its transactions */
    bool gap;     /* something could not be written: no state is known until the next base */
    struct buf pending, pieces;
};

static const char *history_path(const struct history *h, const char *name,
                                char ret[HISTORY_PATH_MAX + HISTORY_NAME_MAX])
{
    snprintf(ret, HISTORY_PATH_MAX + HISTORY_NAME_MAX, "%s/%s", h->dir, name);
    return ret;
}

/* --- collecting --- */

static void history_committed(void *arg, const struct sql_commit *c)
{
    struct history *h = arg;
    if (h->gap)
        return;
    uint64_t number = h->counted ? c->tx : h->last + 1;
    struct history_piece piece = {.record = {.n_pages = (uint32_t)c->n_pages,
                                             .page_size = c->page_size,
                                             .pages_after = c->pages_after,
                                             .number = number,
                                             .time_ms = c->time_ms,
                                             .last = c->last},
                                  .raw = c->n_pages * (c->page_size + sizeof(uint32_t))};
    for (size_t i = 0; i < c->n_pages; i++) {
        pack_u32(&h->pending, c->pages[i].number);
        buf_append(&h->pending, c->pages[i].bytes, c->page_size);
    }
    buf_append(&h->pieces, &piece, sizeof(piece));
    if (c->last)
        h->last = number;
    if (buf_len(&h->pending) > HISTORY_PENDING_MAX)
        history_settle(h);
}

bool history_unsettled(const struct history *h)
{
    return buf_len(&h->pieces) > 0;
}

static int history_log_make(struct history *h, const struct history_record *first)
{
    char name[HISTORY_NAME_MAX], path[HISTORY_PATH_MAX + HISTORY_NAME_MAX];
    snprintf(name, sizeof(name), "%016llx-%013lld.log", (unsigned long long)first->number,
             (long long)first->time_ms);
    int fd = open(history_path(h, name, path), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    h->log_fd = fd;
    return 0;
}

static int history_write(struct history *h)
{
    AUTO(buf_done) struct buf out = {0};
    struct slice pieces = buf_slice(&h->pieces), raw = buf_slice(&h->pending);
    struct history_piece piece;
    int r = 0;
    while (r == 0 && pieces.len > 0) {
        memcpy(&piece, pieces.ptr, sizeof(piece));
        if (h->log_fd < 0)
            r = history_log_make(h, &piece.record);
        if (r == 0)
            r = history_record_append(&out, &piece.record, slice_from(raw.ptr, piece.raw));
        pieces = slice_skip(pieces, sizeof(piece));
        raw = slice_skip(raw, piece.raw);
    }
    if (r == 0)
        r = file_write_all(h->log_fd, buf_slice(&out));
    h->log_bytes += (int64_t)buf_len(&out);
    return r;
}

void history_settle(struct history *h)
{
    if (!history_unsettled(h))
        return;
    if (history_write(h) < 0)
        h->gap = true; /* the next base ends it */
    buf_clear(&h->pending);
    buf_clear(&h->pieces);
    if (h->pending.cap > HISTORY_PENDING_MAX / 8)
        buf_done(&h->pending);
}

/* --- bases --- */

static int history_base(struct history *h, struct err *err)
{
    char name[HISTORY_NAME_MAX], path[HISTORY_PATH_MAX + HISTORY_NAME_MAX],
        made[HISTORY_PATH_MAX + HISTORY_NAME_MAX];
    history_path(h, "base.new", made);
    int r = sql_copy(h->db, made, err);
    if (r < 0)
        return r;
    snprintf(name, sizeof(name), "%016llx-%013lld.base", (unsigned long long)h->last,
             (long long)clock_wall_ms());
    if (rename(made, history_path(h, name, path)) < 0)
        return err_set(err, -errno, 0, "the history's base cannot be made");
    fd_release(&h->log_fd);
    h->log_bytes = 0;
    h->gap = false;
    return 0;
}

static void history_remove(struct history *h, const struct history_file *f)
{
    char path[HISTORY_PATH_MAX + HISTORY_NAME_MAX];
    (void)unlink(history_path(h, f->name, path)); /* else at the next tidying */
}

/* The base from which everything that must be kept can be reached: the last one that is older than the limit, or a later
 * one while all files together are too much. */
static size_t history_first_needed(const struct history *h, const struct history_files *files)
{
    int64_t total = 0, least = clock_wall_ms() - (int64_t)HISTORY_DAYS * 24 * 3600 * 1000;
    int64_t most = MAX(HISTORY_SIZES_MAX * sql_size(h->db), (int64_t)HISTORY_TOTAL_MIN);
    size_t first = 0, last_base = 0;
    for (size_t i = 0; i < files->n; i++) {
        total += files->list[i].size;
        if (!files->list[i].base)
            continue;
        last_base = i;
        if (files->list[i].time_ms <= least)
            first = i;
    }
    for (size_t i = 0; i < last_base && (i < first || total > most); i++) {
        total -= files->list[i].size;
        if (files->list[i + 1].base)
            first = MAX(first, i + 1);
    }
    return first;
}

static void history_prune(struct history *h)
{
    AUTO(history_files_done) struct history_files files = {0};
    if (history_list(h->dir, &files) < 0)
        return;
    size_t first = history_first_needed(h, &files);
    for (size_t i = 0; i < first; i++)
        history_remove(h, &files.list[i]);
}

void history_tidy(struct history *h)
{
    history_settle(h);
    if (!h->gap && h->log_bytes <= MAX((int64_t)HISTORY_LOG_MIN, sql_size(h->db)))
        return;
    if (history_base(h, NULL) == 0)
        history_prune(h);
    else
        h->gap = true; /* tried again at the next tidying */
}

/* --- opening --- */

struct history_end {
    uint64_t most; /* number of the database: what is beyond never happened */
    uint64_t last;
};

static int history_see(void *arg, const struct history_record *last, int64_t from, int64_t to)
{
    struct history_end *end = arg;
    (void)from;
    (void)to;
    if (last->number > end->most)
        return 1;
    end->last = last->number;
    return 0;
}

/* The last log is cut behind its last whole commit that the database has; 1 = it holds something. */
static int history_cut(struct history *h, const struct history_file *f, struct history_end *end)
{
    char path[HISTORY_PATH_MAX + HISTORY_NAME_MAX];
    AUTO(fd_release) int fd = open(history_path(h, f->name, path), O_RDWR | O_APPEND | O_CLOEXEC);
    int64_t whole;
    if (fd < 0)
        return -errno;
    int r = history_walk(fd, history_see, end, &whole);
    if (r < 0)
        return r;
    if (whole == 0)
        return unlink(path) < 0 ? -errno : 0;
    if (ftruncate(fd, whole) < 0)
        return -errno;
    h->log_bytes += whole;
    if (h->log_fd < 0)
        h->log_fd = TAKE_FD(fd);
    return 1;
}

/* From the last file back to the last base: what they hold together, up to `most`. */
static int history_load(struct history *h, uint64_t most, uint64_t *ret_last)
{
    AUTO(history_files_done) struct history_files files = {0};
    struct history_end end = {.most = most};
    int r = history_list(h->dir, &files);
    *ret_last = UINT64_MAX;
    for (size_t i = files.n; r >= 0 && i-- > 0;) {
        const struct history_file *f = &files.list[i];
        if (f->base && f->number <= most) {
            *ret_last = MAX(end.last, f->number);
            return 0;
        }
        if (f->base)
            history_remove(h, f);
        else
            r = history_cut(h, f, &end);
    }
    return r < 0 ? r : 0;
}

int history_open(const char *dir, struct sql *db, struct history **ret, struct err *err)
{
    AUTO(history_release) struct history *h = mem_new(sizeof(*h));
    uint64_t held;
    h->db = db;
    h->log_fd = -1;
    h->counted = !(db->flags & SQL_OBJECT);
    snprintf(h->dir, sizeof(h->dir), "%s", dir);
    int r = file_make_dirs(AT_FDCWD, dir, 0700);
    if (r == 0)
        r = history_load(h, h->counted ? sql_txn_number(db) : UINT64_MAX, &held);
    if (r < 0)
        return err_set(err, r, 0, "the history of the database cannot be read");
    h->last = h->counted ? sql_txn_number(db) : held == UINT64_MAX ? 0 : held + 1;
    /* Without a number in the database nobody knows whether its last state is the history's. */
    if (held != h->last || !h->counted)
        h->gap = history_base(h, NULL) < 0;
    sql_on_commit(db, history_committed, h);
    *ret = TAKE(h);
    return 0;
}

void history_release(struct history **h)
{
    history_close(*h);
    *h = NULL;
}

void history_close(struct history *h)
{
    if (h == NULL)
        return;
    history_settle(h);
    buf_done(&h->pending);
    buf_done(&h->pieces);
    fd_release(&h->log_fd);
    mem_release(&h);
}

/* --- finding --- */

uint64_t history_last(const struct history *h)
{
    return h->last;
}

struct history_search {
    int64_t time_ms;
    uint64_t found;
    bool any;
};

static int history_not_after(void *arg, const struct history_record *last, int64_t from, int64_t to)
{
    struct history_search *s = arg;
    (void)from;
    (void)to;
    if (last->time_ms > s->time_ms)
        return 1;
    s->found = last->number;
    s->any = true;
    return 0;
}

int history_at(struct history *h, int64_t time_ms, uint64_t *ret_number, struct err *err)
{
    AUTO(history_files_done) struct history_files files = {0};
    struct history_search s = {.time_ms = time_ms};
    history_settle(h);
    int r = history_list(h->dir, &files);
    for (size_t i = files.n; r >= 0 && !s.any && i-- > 0;) {
        const struct history_file *f = &files.list[i];
        char path[HISTORY_PATH_MAX + HISTORY_NAME_MAX];
        int64_t end;
        if (f->time_ms > time_ms)
            continue;
        if (f->base) {
            s.found = f->number;
            s.any = true;
            break;
        }
        AUTO(fd_release) int fd = open(history_path(h, f->name, path), O_RDONLY | O_CLOEXEC);
        r = fd < 0 ? -errno : history_walk(fd, history_not_after, &s, &end);
    }
    if (r < 0)
        return err_set(err, r, 0, "the history of the database cannot be read");
    if (!s.any)
        return err_set(err, -ENOENT, 0,
                       "the history of this database does not reach back to that time");
    *ret_number = s.found;
    return 0;
}

/* --- building --- */

struct history_target {
    uint64_t number;
    int64_t to;
    bool exact;
};

static int history_up_to(void *arg, const struct history_record *last, int64_t from, int64_t to)
{
    struct history_target *t = arg;
    (void)from;
    if (last->number > t->number)
        return 1;
    t->to = to;
    t->exact |= last->number == t->number;
    return 0;
}

static int history_copy_base(const struct history *h, const struct history_file *f,
                             const char *path)
{
    char from[HISTORY_PATH_MAX + HISTORY_NAME_MAX];
    AUTO(fd_release) int in = open(history_path(h, f->name, from), O_RDONLY | O_CLOEXEC);
    AUTO(fd_release) int out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return -errno;
    ssize_t n;
    while ((n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0)) > 0)
        ;
    return n < 0 ? -errno : TAKE_FD(out);
}

static int history_replay(const struct history *h, const struct history_files *files, size_t base,
                          struct history_target *t, int fd)
{
    for (size_t i = base + 1;
         i < files->n && files->list[i].number <= t->number && !files->list[i].base; i++) {
        char path[HISTORY_PATH_MAX + HISTORY_NAME_MAX];
        AUTO(fd_release)
        int log = open(history_path(h, files->list[i].name, path), O_RDONLY | O_CLOEXEC);
        int64_t end;
        t->to = 0;
        int r = log < 0 ? -errno : history_walk(log, history_up_to, t, &end);
        if (r == 0)
            r = history_apply(log, 0, t->to, fd);
        if (r < 0)
            return r;
    }
    return t->exact ? 0 : -ENOENT;
}

int history_build(struct history *h, uint64_t number, const char *path, struct err *err)
{
    AUTO(history_files_done) struct history_files files = {0};
    size_t base = SIZE_MAX;
    history_settle(h);
    int r = history_list(h->dir, &files);
    for (size_t i = 0; r == 0 && i < files.n; i++) {
        if (files.list[i].base && files.list[i].number <= number)
            base = i;
    }
    if (r == 0 && base == SIZE_MAX)
        r = -ENOENT;
    if (r == 0) {
        struct history_target t = {.number = number, .exact = files.list[base].number == number};
        AUTO(fd_release) int fd = history_copy_base(h, &files.list[base], path);
        r = fd < 0 ? fd : history_replay(h, &files, base, &t, fd);
    }
    if (r == 0)
        return 0;
    (void)unlink(path);
    return r == -ENOENT    ? err_set(err, r, 0, "this state of the database is not kept (any more)")
           : r == -EBADMSG ? err_set(err, r, 0, "the history of the database is damaged")
                           : err_set(err, r, 0, "the earlier state cannot be built");
}

int history_restore(struct history *h, uint64_t number, struct err *err)
{
    char path[HISTORY_PATH_MAX + HISTORY_NAME_MAX];
    int r = history_build(h, number, history_path(h, "restore.new", path), err);
    if (r == 0)
        r = sql_replace(h->db, path, err);
    (void)unlink(path);
    return r;
}
