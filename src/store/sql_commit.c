/*
 * What a commit wrote, told to those who asked: the durable log and the history of a database.
 */
#include "store/sql_impl.h"

#include "core/clock.h"

#include <endian.h>
#include <errno.h>

enum { COMMIT_PIECE_PAGES = 64, COMMIT_VERSION_AT = 60 /* user_version in page 1 */ };

static uint32_t be32_at(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return be32toh(v);
}

void sql_on_commit(struct sql *db, void (*committed)(void *arg, const struct sql_commit *c),
                   void *arg)
{
    CHECK(db->n_observers < SQL_OBSERVERS);
    db->observers[db->n_observers++] = (struct sql_observer){committed, arg};
}

static void commit_tell(struct sql *db, const struct sql_commit *c)
{
    for (unsigned i = 0; i < db->n_observers; i++)
        db->observers[i].committed(db->observers[i].arg, c);
}

/* Frames [first, first + n) of the log's file as pages. -EIO. */
static int commit_pages(struct sql *db, int64_t first, size_t n, struct sql_page *ret,
                        uint32_t *ret_pages_after)
{
    struct slice bytes;
    size_t frame = db->page_size + TAP_FRAME_HEADER;
    int r = sql_tap_read(&db->tap, TAP_WAL_HEADER + first * (int64_t)frame, n * frame,
                         &db->tap_scratch, &bytes);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        const char *at = bytes.ptr + i * frame;
        ret[i] = (struct sql_page){.number = be32_at(at), .bytes = at + TAP_FRAME_HEADER};
        *ret_pages_after = be32_at(at + 4);
        if (ret[i].number == 1 && !(db->flags & SQL_OBJECT))
            db->tx = be32_at(ret[i].bytes + COMMIT_VERSION_AT);
    }
    return 0;
}

/* The number of the transaction lies in its first page, wherever that comes: told once all pages were seen. */
int sql_commit_tell(struct sql *db, uint32_t n_frames)
{
    struct sql_page pages[COMMIT_PIECE_PAGES];
    size_t frame = db->page_size + TAP_FRAME_HEADER;
    int64_t at = (db->tap.base - TAP_WAL_HEADER) / (int64_t)frame, end = n_frames;
    struct sql_commit c = {.sequence = ++db->sequence,
                           .time_ms = clock_wall_ms(),
                           .page_size = db->page_size,
                           .pages = pages,
                           .first = true};
    if (db->flags & SQL_OBJECT)
        db->tx++;
    int r = 0;
    while (at < end && r == 0) {
        c.n_pages = (size_t)MIN(end - at, (int64_t)COMMIT_PIECE_PAGES);
        r = commit_pages(db, at, c.n_pages, pages, &c.pages_after);
        if (r < 0)
            break;
        at += (int64_t)c.n_pages;
        c.last = at == end;
        c.tx = db->tx;
        commit_tell(db, &c);
        c.first = false;
    }
    sql_tap_next(&db->tap, TAP_WAL_HEADER + end * (int64_t)frame);
    if (db->flags & SQL_OBJECT) { /* there are many, and most write seldom */
        buf_done(&db->tap.bytes);
        buf_done(&db->tap_scratch);
    }
    return r;
}

int sql_pragma(struct sql *db, const char *text, uint32_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->db, text, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret = (uint32_t)sqlite3_column_int64(stmt, 0);
    int end = sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? 0 : sql_failed(db, rc == SQLITE_DONE ? end : rc, err);
}

int sql_commit_open(struct sql *db, struct err *err)
{
    uint32_t tx = 0;
    int r = sql_pragma(db, "PRAGMA page_size", &db->page_size, err);
    if (r == 0 && !(db->flags & SQL_OBJECT))
        r = sql_pragma(db, "PRAGMA user_version", &tx, err);
    db->tx = tx;
    return r;
}
