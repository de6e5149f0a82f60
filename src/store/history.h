/*
 * The past of a database: its state after any commit of the last 30 days can be had again.
 *
 * A history is a directory beside the database: *bases* (whole copies) and *logs* (the pages of each commit, compressed).
 * A state is the latest base that is not younger, and the commits from there to it. Commits are numbered: by the
 * transaction number where the database keeps one, else by a counter of the history's own. What was not written when a
 * process died makes a gap: the states in it are unknown (-ENOENT), and a new base begins behind it. Histories are
 * never ahead of what the database holds: what a power cut took back is cut off when the history is opened.
 *
 * It never fails a commit: on a full disk the history has a gap. One history belongs to the thread of its database's
 * writer; everything blocks on the disk. Errors: -ENOENT a state that is not kept, -EBADMSG damaged files, -ENOSPC, -EIO.
 */
#pragma once

#include "store/sql.h"

enum { HISTORY_DAYS = 30 };

struct history;

/* Makes `dir` when absent, and observes `db`, a writer, from now on. Close the history after the database, or neither is
 * used any more. */
NODISCARD int history_open(const char *dir, struct sql *db, struct history **ret, struct err *err);
void history_close(struct history *h); /* accepts NULL */
void history_release(struct history **h);

/* After commits were answered: is anything to be written, and writing it. */
bool history_unsettled(const struct history *h);
void history_settle(struct history *h);
/* When nobody waits: makes a new base where commits from the last one are many, drops what is too old or too much. */
void history_tidy(struct history *h);

/* The number of the last commit. */
uint64_t history_last(const struct history *h);
/* The last commit at that wall time. -ENOENT when it lies before the history. */
NODISCARD int history_at(struct history *h, int64_t time_ms, uint64_t *ret_number, struct err *err);
/* Makes `path` a database with the state after that commit. */
NODISCARD int history_build(struct history *h, uint64_t number, const char *path, struct err *err);
/* The database gets that state as a new commit, so that the one before can be had again. Outside a transaction. */
NODISCARD int history_restore(struct history *h, uint64_t number, struct err *err);
