/*
 * Appending: a queue, and one thread that writes all of it and syncs once.
 *
 *     log_append() --> queue --> batch --write, sync--> done() of each
 *
 * A batch lies in one segment and begins at a sector. The next one is written only when it is on disk, so that whoever
 * reads a batch knows that all earlier ones were complete: what is missing from those is damage, what is missing
 * from the last one was never acknowledged.
 */
#include "store/log.h"

#include "store/log_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOG_SPARE = 256 * 1024,       /* room that only checkpoints may use */
    LOG_RESERVE_STEP = 64 * 1024, /* so that small commits ask once */
    LOG_BATCH_RECORDS = 65536
};

/* --- databases --- */

struct log_db *log_db_of(struct log *log, struct slice name)
{
    struct log_db *db = map_get(&log->dbs, name);
    if (db != NULL)
        return db;
    db = mem_new(sizeof(*db) + name.len + 1);
    memcpy(db->name, name.ptr, name.len);
    map_put(&log->dbs, name, db);
    return db;
}

void log_db_needs(struct log *log, struct log_db *db, uint64_t segment)
{
    if (db->first != 0)
        return;
    db->first = segment;
    list_push_back(&log->pending, &db->link);
    log->facts.databases++;
}

static void log_db_settled(struct log *log, struct log_db *db)
{
    if (db->first == 0)
        return;
    db->first = 0;
    list_remove(&db->link);
    log->facts.databases--;
}

static void log_db_forget(struct log *log, struct log_db *db)
{
    if (db->first != 0 || db->n_queued != 0)
        return;
    map_remove(&log->dbs, slice_of(db->name));
    free(db);
}

/* --- appending --- */

static enum log_outcome log_outcome_of(const struct log *log)
{
    return log->failed != 0             ? LOG_UNAVAILABLE
           : log->options.fault != NULL ? log->options.fault(log->options.arg, log)
                                        : LOG_OK;
}

static bool log_chain_fits(const struct log_db *db, const struct log_record *r)
{
    if (!(r->flags & LOG_FIRST) || db->epoch == 0)
        return true;
    return log_record_fits(db->epoch, db->sequence, r->epoch, r->sequence);
}

static enum log_outcome log_chain(struct log *log, struct slice records)
{
    struct log_record r;
    for (; records.len > 0; records = slice_skip(records, r.size)) {
        log_record_head(records.ptr, &r);
        struct log_db *db = log_db_of(log, r.name);
        if (r.kind == LOG_PAGES && !log_chain_fits(db, &r)) {
            log_db_forget(log, db);
            return LOG_CONFLICT;
        }
        if (r.kind == LOG_PAGES) {
            db->epoch = r.epoch;
            db->sequence = r.sequence;
        }
        db->n_queued++;
    }
    return LOG_OK;
}

static void log_unreserve_locked(struct log *log, int64_t *held)
{
    log->reserved -= *held;
    *held = 0;
}

void log_append(struct log *log, struct log_append *append)
{
    pthread_mutex_lock(&log->lock);
    append->outcome = log_outcome_of(log);
    append->position = 0;
    log_unreserve_locked(log, &append->reserved);
    if (append->outcome == LOG_OK || append->outcome == LOG_UNKNOWN) {
        enum log_outcome chain = log_chain(log, buf_slice(&append->records));
        append->outcome = chain == LOG_OK ? append->outcome : chain;
    }
    log->n_queued += (int64_t)buf_len(&append->records);
    list_push_back(&log->queue, &append->link);
    bool idle = !log->busy;
    pthread_mutex_unlock(&log->lock);
    if (idle)
        pthread_cond_signal(&log->work); /* without the lock: who wakes up would wait for it */
}

/* --- a batch --- */

struct log_round {
    struct link finished; /* appends that are complete with this batch, or were refused */
    unsigned n_records;
    int failed;
};

/* The record is on its way into the current segment. */
static void log_placed(struct log *log, const struct log_record *r)
{
    struct log_db *db = log_db_of(log, r->name);
    db->n_queued -= db->n_queued > 0 ? 1 : 0;
    if (r->kind == LOG_PAGES)
        log_db_needs(log, db, log->current->number);
    else
        log_db_settled(log, db);
    log_db_forget(log, db);
}

/* True when the record is in the batch; false when the batch has to end before it. */
static bool log_place(struct log *log, struct log_round *round, struct slice bytes,
                      size_t *ret_size)
{
    struct log_record r;
    log_record_head(bytes.ptr, &r);
    int64_t end = log->at + (int64_t)(buf_len(&log->out) + r.size);
    if (round->n_records == LOG_BATCH_RECORDS)
        return false;
    if (log->current == NULL || end > log->current->size) {
        if (round->n_records > 0)
            return false;
        round->failed = log_segment_next(log);
        if (round->failed < 0 || log->current->size < (int64_t)r.size)
            return false;
    }
    buf_append(&log->out, bytes.ptr, r.size);
    round->n_records++;
    log_placed(log, &r);
    *ret_size = r.size;
    return true;
}

static bool log_refused(const struct log_append *a)
{
    return a->outcome == LOG_CONFLICT || a->outcome == LOG_UNAVAILABLE;
}

static void log_gather(struct log *log, struct log_round *round)
{
    while (!list_empty(&log->queue) && buf_len(&log->out) < LOG_BATCH_MAX) {
        struct log_append *a = LIST_ENTRY(log->queue.next, struct log_append, link);
        size_t size;
        if (log_refused(a))
            buf_consume(&a->records, buf_len(&a->records));
        while (buf_len(&a->records) > 0) {
            if (!log_place(log, round, buf_slice(&a->records), &size))
                return;
            buf_consume(&a->records, size);
            log->n_queued -= (int64_t)size;
        }
        list_remove(&a->link);
        list_push_back(&round->finished, &a->link);
    }
}

static void log_seal(struct log *log, const struct log_round *round)
{
    struct log_record place = {.segment = log->current->number,
                               .batch = ++log->batch,
                               .oldest = log_oldest_segment(log),
                               .left = round->n_records};
    char *at = log->out.data + log->out.start;
    for (unsigned i = 0; i < round->n_records; i++) {
        struct log_record r;
        log_record_head(at, &r);
        place.left--;
        place.index = i;
        log_record_place(at, &place);
        at += r.size;
    }
}

static int log_write(struct log *log)
{
    int fd = log->current->fd;
    struct slice bytes = buf_slice(&log->out);
    int64_t at = log->at;
    pthread_mutex_unlock(&log->lock);
    int r = log->disk->write(fd, bytes.ptr, bytes.len, at);
    if (r == 0)
        r = log->disk->sync(fd);
    pthread_mutex_lock(&log->lock);
    log->at = (at + (int64_t)bytes.len + LOG_SECTOR - 1) / LOG_SECTOR * LOG_SECTOR;
    log->facts.syncs++;
    return r;
}

/* Nobody knows what of the batch is on disk, and syncing again would not tell. */
static void log_fail(struct log *log, struct log_round *round, int r)
{
    log->failed = r;
    LIST_FOR (l, &round->finished) {
        struct log_append *a = LIST_ENTRY(l, struct log_append, link);
        if (!log_refused(a))
            a->outcome = LOG_UNKNOWN;
    }
    struct link *l;
    while ((l = list_pop_front(&log->queue)) != NULL) {
        struct log_append *a = LIST_ENTRY(l, struct log_append, link);
        log->n_queued -= (int64_t)buf_len(&a->records);
        if (!log_refused(a))
            a->outcome = LOG_UNKNOWN;
        list_push_back(&round->finished, l);
    }
}

static void log_tell(struct log *log, struct log_round *round)
{
    struct link *l;
    while ((l = list_pop_front(&round->finished)) != NULL) {
        struct log_append *a = LIST_ENTRY(l, struct log_append, link);
        if (a->outcome == LOG_OK) {
            a->position = ++log->position;
            log->facts.appends++;
        }
        buf_done(&a->records);
        pthread_mutex_unlock(&log->lock);
        a->done(a);
        pthread_mutex_lock(&log->lock);
    }
}

/* With the lock. */
static void log_round(struct log *log)
{
    struct log_round round = {0};
    list_init(&round.finished);
    buf_clear(&log->out);
    log_gather(log, &round);
    int r = round.failed;
    if (round.n_records > 0) {
        log_seal(log, &round);
        r = log_write(log);
    }
    if (r < 0)
        log_fail(log, &round, r);
    else
        log_segments_free(log);
    log_tell(log, &round);
}

void log_flush(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    while (!list_empty(&log->queue))
        log_round(log);
    pthread_mutex_unlock(&log->lock);
}

/* --- threads --- */

static void *log_thread(void *arg)
{
    struct log *log = arg;
    pthread_mutex_lock(&log->lock);
    for (;;) {
        while (list_empty(&log->queue) && !log->stopping)
            pthread_cond_wait(&log->work, &log->lock);
        if (list_empty(&log->queue))
            break;
        log->busy = true;
        log_round(log);
        log->busy = false;
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

static bool log_wants_segment(const struct log *log)
{
    return log_room(log) - log->reserved - log->n_queued < log->options.segment_size / 4;
}

/* Makes files ahead, so that no commit waits for their zeros. */
static void *log_maker(void *arg)
{
    struct log *log = arg;
    pthread_mutex_lock(&log->lock);
    while (!log->stopping) {
        if (!log_wants_segment(log) || log_segment_make(log) < 0)
            pthread_cond_wait(&log->idle, &log->lock);
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* --- room --- */

static int log_room_for(struct log *log, int64_t more)
{
    while (log_room(log) < log->reserved + log->n_queued + more + LOG_SPARE) {
        int r = log_segment_make(log);
        if (r < 0)
            return r;
    }
    if (log_wants_segment(log))
        pthread_cond_signal(&log->idle);
    return 0;
}

int log_reserve(struct log *log, int64_t *held, int64_t size)
{
    int64_t want = (size + LOG_RESERVE_STEP) / LOG_RESERVE_STEP * LOG_RESERVE_STEP;
    if (want <= *held)
        return 0;
    pthread_mutex_lock(&log->lock);
    int r = log->failed != 0 ? -EIO : log_room_for(log, want - *held);
    if (r == 0) {
        log->reserved += want - *held;
        *held = want;
    }
    pthread_mutex_unlock(&log->lock);
    return r;
}

void log_unreserve(struct log *log, int64_t held)
{
    pthread_mutex_lock(&log->lock);
    log->reserved -= held;
    pthread_mutex_unlock(&log->lock);
}

/* --- waiting --- */

struct log_wait {
    struct log_append append;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

static void log_wait_done(struct log_append *append)
{
    struct log_wait *w = CONTAINER_OF(append, struct log_wait, append);
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

int log_append_wait(struct log *log, struct buf *records, int64_t reserved)
{
    static const int results[] = {
        [LOG_OK] = 0, [LOG_CONFLICT] = -ESTALE, [LOG_UNKNOWN] = -EIO, [LOG_UNAVAILABLE] = -ENOSPC};
    struct log_wait w = {
        .append = {.records = *records, .reserved = reserved, .done = log_wait_done},
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .cond = PTHREAD_COND_INITIALIZER};
    *records = (struct buf){0};
    log_append(log, &w.append);
    if (!log->options.threaded)
        log_flush(log);
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.cond, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return results[w.append.outcome];
}

/* --- checkpoints --- */

struct log_note {
    struct log_append append;
};

static void log_note_done(struct log_append *append)
{
    free(CONTAINER_OF(append, struct log_note, append));
}

static void log_note(struct log *log, const struct log_record *r)
{
    struct log_note *note = mem_new(sizeof(*note));
    note->append.done = log_note_done;
    log_record_append(&note->append.records, r);
    log_append(log, &note->append);
}

void log_checkpoint(struct log *log, struct slice name)
{
    pthread_mutex_lock(&log->lock);
    const struct log_db *db = map_get(&log->dbs, name);
    struct log_record r = {.kind = LOG_CHECKPOINT, .flags = LOG_FIRST | LOG_LAST, .name = name};
    if (db != NULL) {
        r.epoch = db->epoch;
        r.sequence = db->sequence;
    }
    pthread_mutex_unlock(&log->lock);
    if (db != NULL)
        log_note(log, &r);
}

void log_forget(struct log *log, struct slice prefix)
{
    AUTO(buf_done) struct buf names = {0};
    size_t at = 0;
    struct slice name;
    void *value;
    pthread_mutex_lock(&log->lock);
    while (map_next(&log->dbs, &at, &name, &value)) {
        if (slice_starts(name, prefix)) {
            buf_append_slice(&names, name);
            buf_append_char(&names, 0);
        }
    }
    pthread_mutex_unlock(&log->lock);
    AUTO(buf_done) struct buf records = {0};
    for (struct slice rest = buf_slice(&names); rest.len > 0;) {
        struct log_record r = {.kind = LOG_CHECKPOINT, .name = slice_cut(&rest, 0)};
        log_record_append(&records, &r);
    }
    /* When it fails, what is left in the log has nowhere to go. */
    if (buf_len(&records) > 0 && log_append_wait(log, &records, 0) < 0)
        return;
}

bool log_holds(struct log *log, struct slice name)
{
    pthread_mutex_lock(&log->lock);
    bool holds = map_get(&log->dbs, name) != NULL;
    pthread_mutex_unlock(&log->lock);
    return holds;
}

void log_oldest(struct log *log, struct buf *ret)
{
    pthread_mutex_lock(&log->lock);
    uint64_t oldest = log_oldest_segment(log), newest = log->last_segment;
    int64_t used = (int64_t)(newest + 1 - oldest) * log->options.segment_size;
    uint64_t limit = used > log->options.size_max / 2 ? oldest + (newest + 1 - oldest) / 2 : 0;
    LIST_FOR (l, &log->pending) {
        const struct log_db *db = LIST_ENTRY(l, struct log_db, link);
        if (db->first >= limit)
            break;
        buf_append(ret, db->name, strlen(db->name) + 1);
    }
    pthread_mutex_unlock(&log->lock);
}

/* --- life --- */

uint64_t log_epoch(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t epoch = ++log->epoch;
    pthread_mutex_unlock(&log->lock);
    return epoch;
}

int log_failed(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    int r = log->failed;
    pthread_mutex_unlock(&log->lock);
    return r;
}

void log_facts(struct log *log, struct log_facts *ret)
{
    pthread_mutex_lock(&log->lock);
    *ret = log->facts;
    ret->bytes = 0;
    for (unsigned i = 0; i < log->n_segments; i++)
        ret->bytes += log->segments[i].number != 0 ? log->segments[i].size : 0;
    pthread_mutex_unlock(&log->lock);
}

static void log_free(struct log *log)
{
    size_t at = 0;
    struct slice name;
    void *value;
    while (map_next(&log->dbs, &at, &name, &value))
        free(value);
    map_done(&log->dbs);
    log_segments_close(log);
    buf_done(&log->out);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->work);
    pthread_cond_destroy(&log->idle);
    pthread_cond_destroy(&log->made);
    free(log);
}

static void log_resumed(struct log_append *append UNUSED) {}

int log_resume(struct log *log, struct buf *record, bool applied)
{
    struct log_append append = {.records = *record, .done = log_resumed};
    *record = (struct buf){0};
    int r = 0;
    pthread_mutex_lock(&log->lock);
    log->starting = true; /* a log that is full must be able to begin nevertheless */
    if (log_room(log) == 0)
        r = log_segment_make(log);
    if (r < 0 && applied) {
        log_segments_empty(log);
        r = 0;
    }
    log->starting = false;
    pthread_mutex_unlock(&log->lock);
    if (r < 0) {
        buf_done(&append.records);
        return r;
    }
    log_append(log, &append);
    log_flush(log);
    return append.outcome == LOG_OK ? 0 : log->failed;
}

/* "<boot> <incarnation>\n": who had the log last. It is written when the recovery is complete, so that one that
 * was interrupted is done again. */
struct log_state {
    char path[LOG_PATH_MAX];
    bool fresh, cut;
    unsigned long long incarnation;
};

static int log_state_read(struct log *log, struct log_state *ret)
{
    char text[256] = {0}, boot[128] = {0};
    *ret = (struct log_state){.fresh = log->n_segments == 0, .cut = true};
    snprintf(ret->path, sizeof(ret->path), "%s/state", log->dir);
    int fd = log->disk->open(ret->path, false, 0600);
    if (fd == -ENOENT)
        return 0;
    int r = fd < 0 ? fd : log->disk->read(fd, text, sizeof(text) - 1, 0);
    if (fd >= 0)
        log->disk->close(fd);
    if (r < 0)
        return r;
    if (sscanf(text, "%127s %llu", boot, &ret->incarnation) != 2)
        return -EBADMSG;
    ret->fresh = false;
    ret->cut = strcmp(boot, log->options.boot) != 0;
    return 0;
}

static int log_state_write(struct log *log, const struct log_state *s)
{
    char text[256];
    int n = snprintf(text, sizeof(text), "%s %llu\n", log->options.boot, s->incarnation + 1);
    log->epoch = (uint64_t)(s->incarnation + 1) << 32;
    return log->disk->replace(s->path, slice_from(text, (size_t)n));
}

static int log_begin(struct log *log)
{
    struct log_state state;
    int r = log_segments_open(log);
    if (r == 0)
        r = log_state_read(log, &state);
    if (r == 0)
        r = log_recover(log, state.fresh, state.cut);
    return r == 0 ? log_state_write(log, &state) : r;
}

int log_open(const struct log_options *options, struct log **ret, struct err *err)
{
    struct log *log = mem_new(sizeof(*log));
    log->options = *options;
    log->disk = options->disk;
    snprintf(log->root, sizeof(log->root), "%s", options->root);
    snprintf(log->dir, sizeof(log->dir), "%s/log", options->root);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->work, NULL);
    pthread_cond_init(&log->idle, NULL);
    pthread_cond_init(&log->made, NULL);
    list_init(&log->queue);
    list_init(&log->pending);
    int r = log_begin(log);
    if (r < 0) {
        log_free(log);
        return err_set(err, r, 0, "the durable log in %s/log cannot be used (%d)", options->root,
                       r);
    }
    if (options->threaded) {
        CHECK(pthread_create(&log->thread, NULL, log_thread, log) == 0);
        CHECK(pthread_create(&log->maker, NULL, log_maker, log) == 0);
    }
    *ret = log;
    return 0;
}

void log_close(struct log *log)
{
    if (log == NULL)
        return;
    if (log->options.threaded) {
        pthread_mutex_lock(&log->lock);
        log->stopping = true;
        pthread_cond_broadcast(&log->work);
        pthread_cond_broadcast(&log->idle);
        pthread_mutex_unlock(&log->lock);
        pthread_join(log->thread, NULL);
        pthread_join(log->maker, NULL);
    } else {
        log_flush(log);
    }
    log_free(log);
}

/* FNV-1a: stable, and even enough for 1,024 shards. */
unsigned log_shard_of(const char *store_name)
{
    uint32_t h = 2166136261u;
    for (const char *at = store_name; *at != 0; at++)
        h = (h ^ (uint8_t)*at) * 16777619u;
    return h % LOG_SHARDS;
}
