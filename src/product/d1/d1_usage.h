/*
 * How often each statement of a database ran, how long it took and what it read and wrote, by the hour: the figures of
 * `wrangler d1 info` and `d1 insights`.
 *
 * They are collected in memory and written beside the database (`usage.sqlite`) every half a minute, so a keeper that is
 * killed forgets the last of them, and nothing else. In the keeper, in the lane of the database's store. Parameters are
 * not kept, texts up to a length, and of one hour up to a number of texts: others count as the empty text.
 */
#pragma once

#include "core/err.h"
#include "core/json.h"

enum { D1_USAGE_TEXT_MAX = 1000, D1_USAGE_REPORT_MAX = 256 };

struct d1_use {
    uint64_t runs, us, read, written, returned;
    bool writes;
};

struct d1_usage;

/* `dir`: the store's. The file is made when there is something to write. */
struct d1_usage *d1_usage_create(const char *dir);
void d1_usage_destroy(struct d1_usage *usage); /* writes what it has; accepts NULL */
void d1_usage_add(struct d1_usage *usage, struct slice sql, const struct d1_use *use);
/* What an isolate has run in place: [[sql, runs, us, read, returned], ...]. -EBADMSG. */
NODISCARD int d1_usage_report(struct d1_usage *usage, struct slice json);
/* When nobody waits: writes what is due. */
void d1_usage_tidy(struct d1_usage *usage);

/* What is asked for, hours since 1970, both included. */
struct d1_usage_question {
    int64_t from_hour, to_hour;
    struct slice
        order; /* "sum_rowsRead_DESC" and so on; empty: figures by the hour, not by the statement */
    uint32_t limit;
};
/* Appends a JSON array: [{hour, readQueries, writeQueries, rowsRead, rowsWritten}] by the hour, or by statement [{query, key,
 * count, queryDurationMs, rowsRead, rowsWritten, rowsReturned}], `key` being what it is ordered by. */
NODISCARD int d1_usage_answer(struct d1_usage *usage, const struct d1_usage_question *q,
                              struct buf *out, struct err *err);
