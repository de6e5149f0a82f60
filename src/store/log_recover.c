/*
 * Reading the log at start: what of it is good, which pages it has for which database, and after a power cut
 * writing them there.
 *
 * Three walks over the segments, in the order of their numbers. The first finds out how far the log goes: the
 * last batch, and which segments were still needed then. The second looks at what is missing or damaged: in the last
 * batch that is where the log ends, in an earlier one it is damage, and the databases it is known to concern are
 * quarantined: left as they are, with a file beside them that says why. The third writes pages into
 * databases; they are absolute, so that doing it again after another power cut is harmless.
 */
#include "store/log_impl.h"
#include "store/sql.h"

#include "core/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECOVER_OPEN_MAX = 256, RECOVER_RESUMES_MAX = 64, RECOVER_PAGE_MAX = 65536 };

struct recover_db {
    uint64_t from, to;        /* records to apply, as ordinals of the walk */
    uint64_t segment;         /* of the first of them */
    uint64_t epoch, sequence; /* of the last record */
    bool known, open;         /* open: a commit of several records is not complete */
    bool damaged;
    bool missing; /* its directory is gone */
    int fd;       /* -1 = not open */
    uint32_t page_size, pages_after;
    char why[160];
    char name[];
};

struct recover {
    struct log *log;
    struct map dbs; /* name -> struct recover_db, owned */
    struct buf file;
    struct log_record resumes[RECOVER_RESUMES_MAX];
    unsigned n_resumes;
    uint64_t last_batch, stray_batch, oldest;
    uint64_t n; /* ordinal of the record being visited */
    bool ended;
    uint64_t batch, left; /* of the record before; batch 0 = none */
    unsigned n_open, n_gaps;
    int failed;
    char page[RECOVER_PAGE_MAX];
};

typedef void (*recover_visit)(struct recover *rec, const struct log_record *r, bool damaged);

/* --- walking --- */

static int recover_parse(const struct recover *rec, size_t at, uint64_t segment,
                         struct log_record *ret)
{
    int r = log_record_parse(slice_skip(buf_slice(&rec->file), at), ret);
    return r != -EBADMSG && ret->segment != segment ? -EBADMSG : r;
}

/* The number of the segment in `file`: that of its first record, or if that is damaged the largest. 0 = none. */
static uint64_t recover_number(const struct recover *rec)
{
    struct log_record r;
    uint64_t number = 0;
    struct slice rest = buf_slice(&rec->file);
    if (log_record_parse(rest, &r) != -EBADMSG)
        return r.segment;
    for (; rest.len >= LOG_RECORD_HEADER; rest = slice_skip(rest, 8)) {
        if (log_record_parse(rest, &r) != -EBADMSG)
            number = MAX(number, r.segment);
    }
    return number;
}

static void recover_walk_file(struct recover *rec, uint64_t segment, recover_visit visit)
{
    size_t at = 0, size = buf_len(&rec->file);
    while (at + LOG_RECORD_HEADER <= size && !rec->ended) {
        struct log_record r;
        int result = recover_parse(rec, at, segment, &r);
        if (result == -EBADMSG) {
            at += 8; /* the end, or damage: there may be more behind it */
            continue;
        }
        visit(rec, &r, result < 0);
        rec->n++;
        at += r.size;
        if (r.left == 0)
            at = (at + LOG_SECTOR - 1) / LOG_SECTOR * LOG_SECTOR;
    }
}

static int recover_load(struct recover *rec, unsigned i)
{
    const struct log_segment *s = &rec->log->segments[i];
    buf_clear(&rec->file);
    char *room = buf_reserve(&rec->file, (size_t)s->size);
    int r = rec->log->disk->read(s->fd, room, (size_t)s->size, 0);
    if (r == 0)
        buf_added(&rec->file, (size_t)s->size);
    return r;
}

/* Segments from rec->oldest on, in order. */
static int recover_walk(struct recover *rec, recover_visit visit)
{
    struct log *log = rec->log;
    uint64_t done = rec->oldest == 0 ? 0 : rec->oldest - 1;
    rec->n = 0;
    rec->batch = rec->left = 0;
    rec->ended = false;
    for (;;) {
        const struct log_segment *next = NULL;
        for (unsigned i = 0; i < log->n_segments; i++) {
            const struct log_segment *s = &log->segments[i];
            if (s->number > done && (next == NULL || s->number < next->number))
                next = s;
        }
        if (next == NULL || rec->ended)
            return rec->failed;
        int r = recover_load(rec, (unsigned)(next - log->segments));
        if (r < 0)
            return r;
        done = next->number;
        recover_walk_file(rec, done, visit);
    }
}

/* --- first: how far --- */

static void recover_measure(struct recover *rec, const struct log_record *r, bool damaged)
{
    rec->stray_batch = MAX(rec->stray_batch, r->batch);
    if (damaged)
        return;
    if (r->batch >= rec->last_batch) {
        rec->last_batch = r->batch;
        rec->oldest = MAX(rec->oldest, r->oldest);
    }
    if (r->kind == LOG_RESUME && rec->n_resumes < RECOVER_RESUMES_MAX)
        rec->resumes[rec->n_resumes++] = *r;
}

static int recover_numbers(struct recover *rec)
{
    struct log *log = rec->log;
    for (unsigned i = 0; i < log->n_segments; i++) {
        int r = recover_load(rec, i);
        if (r < 0)
            return r;
        log->segments[i].number = recover_number(rec);
        log->last_segment = MAX(log->last_segment, log->segments[i].number);
    }
    int r = recover_walk(rec, recover_measure);
    for (unsigned i = 0; i < log->n_segments; i++) {
        if (log->segments[i].number < rec->oldest)
            log->segments[i].number = 0;
    }
    return r;
}

/* --- second: what is good --- */

static struct recover_db *recover_db_of(struct recover *rec, struct slice name)
{
    struct recover_db *db = map_get(&rec->dbs, name);
    if (db != NULL)
        return db;
    db = mem_new(sizeof(*db) + name.len + 1);
    memcpy(db->name, name.ptr, name.len);
    db->fd = -1;
    map_put(&rec->dbs, name, db);
    return db;
}

/* A process that took over an unfinished batch has said what of it counts. */
static bool recover_void(const struct recover *rec, const struct log_record *r)
{
    for (unsigned i = 0; i < rec->n_resumes; i++) {
        const struct log_record *m = &rec->resumes[i];
        if ((r->batch > m->sequence && r->batch < m->batch) ||
            (r->batch == m->sequence && r->left < m->tx))
            return true;
    }
    return false;
}

static bool recover_follows(const struct recover *rec, const struct log_record *r)
{
    if (r->kind == LOG_RESUME)
        return true;
    if (rec->batch != 0 && rec->left > 0)
        return r->batch == rec->batch && r->left == rec->left - 1;
    return r->index == 0 && (rec->batch == 0 || r->batch == rec->batch + 1);
}

static void recover_damage(struct recover_db *db, const struct log_record *r, const char *what)
{
    if (db->damaged)
        return;
    db->damaged = true;
    snprintf(db->why, sizeof(db->why), "%s (segment %llu, batch %llu)", what,
             (unsigned long long)r->segment, (unsigned long long)r->batch);
}

/* The chain of a database: nothing of it is missing in between. */
static bool recover_chain(const struct recover_db *db, const struct log_record *r)
{
    if (!(r->flags & LOG_FIRST))
        return db->open && r->epoch == db->epoch && r->sequence == db->sequence;
    if (!db->known)
        return true;
    return log_record_fits(db->epoch, db->sequence, r->epoch, r->sequence);
}

static void recover_note(struct recover *rec, struct recover_db *db, const struct log_record *r)
{
    if (r->kind == LOG_CHECKPOINT) {
        db->known = r->epoch != 0;
        db->epoch = r->epoch;
        db->sequence = r->sequence;
        db->from = db->to = rec->n + 1;
        db->segment = 0;
        db->open = db->damaged = false;
        return;
    }
    if (!recover_chain(db, r))
        recover_damage(db, r, "a record before this one is missing");
    if (db->segment == 0)
        db->segment = r->segment;
    db->known = true;
    db->epoch = r->epoch;
    db->sequence = r->sequence;
    db->open = !(r->flags & LOG_LAST);
    if (!db->open)
        db->to = rec->n + 1;
}

static void recover_judge(struct recover *rec, const struct log_record *r, bool damaged)
{
    if (recover_void(rec, r))
        return;
    if (!recover_follows(rec, r)) {
        /* Between two good records something is missing: all of it from the last batch? */
        uint64_t from = rec->left > 0 ? rec->batch : rec->batch + 1;
        rec->ended = (rec->batch == 0 ? r->batch : from) >= rec->last_batch;
        rec->n_gaps += !rec->ended;
    }
    if (damaged && r->batch >= rec->last_batch)
        rec->ended = true;
    if (rec->ended)
        return;
    rec->batch = r->batch;
    rec->left = r->left;
    if (r->kind == LOG_RESUME)
        return;
    struct recover_db *db = recover_db_of(rec, r->name);
    if (damaged)
        recover_damage(db, r, "its record is damaged");
    recover_note(rec, db, r);
}

/* --- third: into the databases --- */

/* An object's file is written by isolates of any user. */
static int recover_open(struct recover *rec, struct recover_db *db)
{
    const struct disk *disk = rec->log->disk;
    char path[LOG_PATH_MAX];
    if (rec->n_open == RECOVER_OPEN_MAX) {
        size_t at = 0;
        struct slice name;
        void *value;
        while (map_next(&rec->dbs, &at, &name, &value)) {
            struct recover_db *other = value;
            if (other->fd >= 0)
                disk->close(other->fd);
            other->fd = -1;
        }
        rec->n_open = 0;
    }
    snprintf(path, sizeof(path), "%s/%s", rec->log->root, db->name);
    bool object = slice_starts(slice_of(db->name), SLICE("durable/")) &&
                  slice_find_slice(slice_of(db->name), SLICE("/objects/")) >= 0;
    int fd = disk->open(path, true, object ? 0666 : 0644);
    if (fd == -ENOENT || fd == -ENOTDIR) {
        db->missing = true; /* the store was removed */
        return -ENOENT;
    }
    if (fd < 0)
        return fd;
    db->fd = fd;
    rec->n_open++;
    return 0;
}

static void recover_apply(struct recover *rec, const struct log_record *r, bool damaged)
{
    if (recover_void(rec, r) || r->kind != LOG_PAGES || damaged)
        return;
    struct recover_db *db = map_get(&rec->dbs, r->name);
    if (db == NULL || db->damaged || db->missing || rec->n < db->from || rec->n >= db->to)
        return;
    int result = db->fd < 0 ? recover_open(rec, db) : 0;
    struct slice body = r->body;
    uint32_t number;
    for (uint32_t i = 0; i < r->n_pages && result == 0; i++) {
        if (!log_page_next(&body, r->page_size, &number, rec->page))
            result = -EBADMSG;
        else
            result = rec->log->disk->write(db->fd, rec->page, r->page_size,
                                           (int64_t)(number - 1) * r->page_size);
    }
    if (result == -EBADMSG)
        recover_damage(db, r, "its record cannot be read");
    else if (result < 0 && result != -ENOENT)
        rec->failed = result;
    if (r->flags & LOG_LAST) {
        db->page_size = r->page_size;
        db->pages_after = r->pages_after;
    }
}

/* A file of a quarantined database says so. */
static int recover_quarantine(struct recover *rec, const struct recover_db *db)
{
    char path[LOG_PATH_MAX], text[400];
    snprintf(path, sizeof(path), "%s/%s%s", rec->log->root, db->name, LOG_QUARANTINE);
    int n = snprintf(text, sizeof(text), "the durable log is damaged: %s\n", db->why);
    LOG(LOG_ERROR, "database_quarantined", F("database", "%s", db->name),
        F("reason", "%s", db->why));
    rec->log->facts.quarantined++;
    int r = rec->log->disk->replace(path, slice_from(text, (size_t)n));
    return r == -ENOENT ? 0 : r;
}

static int recover_finish_db(struct recover *rec, struct recover_db *db)
{
    if (db->damaged)
        return recover_quarantine(rec, db);
    if (db->missing || db->page_size == 0)
        return 0;
    int r = db->fd < 0 ? recover_open(rec, db) : 0;
    return r == 0 ? rec->log->disk->truncate(db->fd, (int64_t)db->pages_after * db->page_size) : r;
}

/* The log knows everything that was committed: what lies in `-wal` files is old, or was never acknowledged. */
static void recover_cut(void *arg, const char *path)
{
    struct recover *rec = arg;
    struct slice name = slice_skip(slice_of(path), strlen(rec->log->root) + 1);
    if (!slice_ends(name, SLICE("-wal")))
        return;
    name.len -= strlen("-wal");
    const struct recover_db *db = map_get(&rec->dbs, name);
    if (db != NULL && db->damaged)
        return;
    int fd = rec->log->disk->open(path, false, 0);
    int r = fd < 0 ? fd : 0;
    if (fd >= 0 && rec->log->disk->size(fd) > 0)
        r = rec->log->disk->truncate(fd, 0);
    if (fd >= 0)
        rec->log->disk->close(fd);
    if (r < 0)
        rec->failed = r;
}

static int recover_write(struct recover *rec)
{
    size_t at = 0;
    struct slice name;
    void *value;
    int r = recover_walk(rec, recover_apply);
    while (r == 0 && map_next(&rec->dbs, &at, &name, &value))
        r = recover_finish_db(rec, value);
    if (r == 0)
        r = rec->log->disk->walk(rec->log->root, recover_cut, rec);
    if (r == 0)
        r = rec->failed;
    return r == 0 ? rec->log->disk->sync_all(rec->log->root) : r;
}

/* --- after a process has ended --- */

static int recover_by_segment(const void *a, const void *b)
{
    const struct recover_db *const *x = a, *const *y = b;
    return (*x)->segment < (*y)->segment ? -1 : (*x)->segment > (*y)->segment;
}

/* What was written is in the kernel's memory, databases included: only the table of what is needed is made anew. */
static int recover_take_over(struct recover *rec)
{
    struct log *log = rec->log;
    struct recover_db **list = mem_new((rec->dbs.n + 1) * sizeof(struct recover_db *));
    size_t at = 0, n = 0;
    struct slice name;
    void *value;
    while (map_next(&rec->dbs, &at, &name, &value)) {
        if (((struct recover_db *)value)->segment != 0)
            list[n++] = value;
    }
    qsort(list, n, sizeof(struct recover_db *), recover_by_segment);
    for (size_t i = 0; i < n; i++) {
        struct log_db *db = log_db_of(log, slice_of(list[i]->name));
        db->epoch = list[i]->epoch;
        db->sequence = list[i]->sequence;
        log_db_needs(log, db, list[i]->segment);
    }
    free(list);
    int r = 0;
    for (unsigned i = 0; i < log->n_segments && r == 0; i++)
        r = log->disk->sync(log->segments[i].fd);
    return r;
}

/* --- databases from before there was a log --- */

static void recover_adopt(void *arg UNUSED, const char *path)
{
    char file[LOG_PATH_MAX];
    struct err err = {0};
    AUTO(sql_release) struct sql *db = NULL;
    struct slice name = slice_of(path);
    if (!slice_ends(name, SLICE("-wal")))
        return;
    snprintf(file, sizeof(file), "%.*s", (int)(name.len - strlen("-wal")), path);
    if (sql_open(file, SQL_WRITE, &db, &err) < 0) {
        LOG(LOG_WARN, "database_not_adopted", F("error", "%s", err.text));
        return;
    }
    sql_checkpoint(db);
}

static void recover_done(struct recover *rec)
{
    size_t at = 0;
    struct slice name;
    void *value;
    while (map_next(&rec->dbs, &at, &name, &value)) {
        struct recover_db *db = value;
        if (db->fd >= 0)
            rec->log->disk->close(db->fd);
        free(db);
    }
    map_done(&rec->dbs);
    buf_done(&rec->file);
    free(rec);
}

static int recover_run(struct recover *rec, bool cut)
{
    struct log *log = rec->log;
    int r = recover_numbers(rec);
    if (r == 0)
        r = recover_walk(rec, recover_judge);
    if (r < 0)
        return r;
    uint64_t batch = rec->batch, left = rec->left;
    if (rec->n_gaps > 0)
        LOG(LOG_ERROR, "log_damaged", F("gaps", "%u", rec->n_gaps));
    r = cut ? recover_write(rec) : recover_take_over(rec);
    if (r < 0)
        return r;
    log->batch = MAX(rec->stray_batch, rec->last_batch);
    bool clean = left == 0 && log->batch == batch;
    if (batch == 0 && cut)
        log_segments_empty(log);
    if (batch == 0 || (clean && !cut))
        return 0;
    AUTO(buf_done) struct buf record = {0};
    log_record_append(&record,
                      &(struct log_record){.kind = LOG_RESUME, .sequence = batch, .tx = left});
    return log_resume(log, &record, cut);
}

int log_recover(struct log *log, bool fresh, bool cut)
{
    if (fresh)
        return log->disk->walk(log->root, recover_adopt, log);
    struct recover *rec = mem_new(sizeof(*rec));
    rec->log = log;
    int r = recover_run(rec, cut);
    recover_done(rec);
    return r;
}
