/*
 * How many small commits a second many databases get through one log, and what one alone waits for.
 *
 *     log_speed <directory> [databases [seconds]]
 *
 * The same databases with synchronous=FULL stand beside it, and the disk's own sync. A few threads commit; each database
 * has one commit under way, as in the keeper.
 */
#include "core/clock.h"
#include "core/file.h"
#include "core/list.h"
#include "store/log.h"
#include "store/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 2, LONE = 300, SYNC_BYTES = 1024 };

struct database {
    struct log_append append;
    struct link ready;
    struct sql *db;
};

static struct {
    struct log *log;
    struct database *databases;
    struct link ready;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    unsigned long long n_done;
    bool stop;
} f = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static void commit(struct sql *db)
{
    struct sql_stmt *s = sql_cached(db, "UPDATE t SET v = v + 1 WHERE k = 1");
    CHECK(sql_begin(db, NULL) == 0 && sql_run(s, NULL) == 0 && sql_commit(db, NULL) == 0);
    if (sql_log_pages(db) > 1000 && !sql_log_pending(db))
        sql_checkpoint(db);
}

static void ready(struct database *d)
{
    pthread_mutex_lock(&f.lock);
    list_push_back(&f.ready, &d->ready);
    pthread_cond_signal(&f.cond);
    pthread_mutex_unlock(&f.lock);
}

static void logged(struct log_append *append)
{
    CHECK(append->outcome == LOG_OK);
    __atomic_fetch_add(&f.n_done, 1, __ATOMIC_RELAXED);
    ready(CONTAINER_OF(append, struct database, append));
}

static void *worker(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&f.lock);
    while (!f.stop) {
        struct link *l = list_pop_front(&f.ready);
        if (l == NULL) {
            pthread_cond_wait(&f.cond, &f.lock);
            continue;
        }
        pthread_mutex_unlock(&f.lock);
        struct database *d = LIST_ENTRY(l, struct database, ready);
        if (sql_logged(d->db) && sql_log_pages(d->db) > 1000)
            sql_checkpoint(d->db); /* what was committed before is in the log */
        commit(d->db);
        if (f.log != NULL && sql_logged(d->db)) {
            d->append = (struct log_append){.done = logged};
            sql_log_take(d->db, &d->append.records, &d->append.reserved);
            log_append(f.log, &d->append);
        } else {
            __atomic_fetch_add(&f.n_done, 1, __ATOMIC_RELAXED);
            ready(d);
        }
        pthread_mutex_lock(&f.lock);
    }
    pthread_mutex_unlock(&f.lock);
    return NULL;
}

static void open_all(const char *root, const char *kind, unsigned n)
{
    char path[300];
    f.databases = mem_new(n * sizeof(*f.databases));
    list_init(&f.ready);
    snprintf(path, sizeof(path), "%s/%s", root, kind);
    CHECK(file_make_dirs(AT_FDCWD, path, 0755) == 0);
    for (unsigned i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s/%u.sqlite", root, kind, i);
        struct sql *db;
        CHECK(sql_open(path, SQL_WRITE, &db, NULL) == 0);
        if (!sql_has_table(db, "t")) {
            struct sql_stmt *s;
            struct slice rest =
                SLICE("CREATE TABLE t(k INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 0)");
            while (rest.len > 0) {
                CHECK(sql_prepare(db, rest, &s, &rest, NULL) == 0 && sql_run(s, NULL) == 0);
                sql_finalize(s);
            }
        }
        sql_checkpoint(db);
        f.databases[i].db = db;
        list_push_back(&f.ready, &f.databases[i].ready);
    }
}

static double rate(unsigned n, unsigned seconds)
{
    pthread_t threads[THREADS];
    f.stop = false;
    f.n_done = 0;
    int64_t start = clock_boot_us();
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
    usleep(seconds * 1000000);
    unsigned long long done = __atomic_load_n(&f.n_done, __ATOMIC_RELAXED);
    double took = (double)(clock_boot_us() - start) / 1e6;
    pthread_mutex_lock(&f.lock);
    f.stop = true;
    pthread_cond_broadcast(&f.cond);
    pthread_mutex_unlock(&f.lock);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    (void)n;
    return (double)done / took;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double lone(void)
{
    static double times[LONE];
    struct sql *db = f.databases[0].db;
    for (unsigned i = 0; i < LONE; i++) {
        int64_t start = clock_boot_us();
        struct buf records;
        int64_t reserved;
        commit(db);
        if (sql_logged(db)) {
            sql_log_take(db, &records, &reserved);
            CHECK(log_append_wait(f.log, &records, reserved) == 0);
        }
        times[i] = (double)(clock_boot_us() - start) / 1000;
    }
    qsort(times, LONE, sizeof(double), compare);
    return times[LONE / 2];
}

static double disk(const char *root)
{
    static double times[LONE];
    static char bytes[LONE * SYNC_BYTES];
    char path[300];
    snprintf(path, sizeof(path), "%s/sync", root);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && pwrite(fd, bytes, sizeof(bytes), 0) > 0 && fsync(fd) == 0);
    for (unsigned i = 0; i < LONE; i++) {
        int64_t start = clock_boot_us();
        CHECK(pwrite(fd, bytes, SYNC_BYTES, i * SYNC_BYTES) > 0 && fdatasync(fd) == 0);
        times[i] = (double)(clock_boot_us() - start) / 1000;
    }
    close(fd);
    qsort(times, LONE, sizeof(double), compare);
    return times[LONE / 2];
}

int main(int argc, char **argv)
{
    CHECK(argc > 1);
    unsigned n = argc > 2 ? (unsigned)atoi(argv[2]) : 1000;
    unsigned seconds = argc > 3 ? (unsigned)atoi(argv[3]) : 5;
    char dir[300];
    snprintf(dir, sizeof(dir), "%s/log", argv[1]);
    CHECK(file_make_dirs(AT_FDCWD, dir, 0700) == 0);
    double sync_ms = disk(argv[1]);
    open_all(argv[1], "full", n);
    double full = rate(n, seconds), full_ms = lone();
    struct log_options options = {.disk = &disk_system,
                                  .root = argv[1],
                                  .boot = "speed",
                                  .size_max = 1024 * 1024 * 1024,
                                  .segment_size = 16 * 1024 * 1024,
                                  .threaded = true};
    struct log_facts before, after;
    CHECK(log_open(&options, &f.log, NULL) == 0);
    sql_door(f.log, argv[1]);
    open_all(argv[1], "logged", n);
    for (unsigned i = 0; i < n; i++) {
        struct buf records;
        int64_t reserved;
        sql_log_take(f.databases[i].db, &records, &reserved);
        if (buf_len(&records) > 0)
            CHECK(log_append_wait(f.log, &records, reserved) == 0);
        else
            buf_done(&records);
    }
    log_facts(f.log, &before);
    double logged_rate = rate(n, seconds);
    log_facts(f.log, &after);
    double logged_ms = lone();
    printf("{\"databases\": %u, \"sync_ms\": %.3f, \"full_per_s\": %.0f, \"logged_per_s\": %.0f, "
           "\"per_sync\": %.0f, \"lone_full_ms\": %.3f, \"lone_logged_ms\": %.3f, \"lone_syncs\": "
           "%.2f}\n",
           n, sync_ms, full, logged_rate,
           (double)(after.appends - before.appends) / (double)(after.syncs - before.syncs + 1),
           full_ms, logged_ms, logged_ms / sync_ms);
    return 0;
}
