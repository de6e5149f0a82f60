/*
 * Records of the durable log, as bytes.
 *
 * A record is a header, the database's name, and the pages that one commit (or a part of a large one) wrote, without
 * their runs of zeros: small databases consist of little else. All integers are little endian, everything is aligned
 * to 8 bytes.
 *
 *     0 u32 magic     4 u8 kind   5 u8 flags   6 u16 length of the name    8 u32 length of all   12 u32 pages
 *    16 u64 segment  24 u64 batch             32 u32 records left in the batch                   36 u32 page size
 *    40 u64 oldest segment that is still needed                            48 u64 epoch          56 u64 sequence
 *    64 u64 tx       72 i64 time, ms          80 u32 pages of the database after it              84 u32 index in the batch
 *    88 u64 checksum of what follows          96 u64 checksum of the header                     104 name, pages
 *
 * The parser takes bytes from disks and from isolates: it checks everything.
 */
#pragma once

#include "core/buf.h"
#include "store/sql.h"

enum {
    LOG_RECORD_HEADER = 104,
    LOG_NAME_MAX = 255,
    LOG_PART_PAGES = 64,              /* pages of one record */
    LOG_RECORD_MAX = 5 * 1024 * 1024, /* bytes: 64 pages of 64 KiB */
    LOG_PAGES_MAX = 0x7fffffff
};

enum log_kind {
    LOG_PAGES = 1,
    LOG_CHECKPOINT = 2, /* everything before it is in the database's file */
    LOG_RESUME =
        3 /* a process has begun; `sequence` was the last batch, `tx` of its records are good */
};

enum log_record_flags { LOG_FIRST = 1, LOG_LAST = 2 };

struct log_record {
    enum log_kind kind;
    unsigned flags;
    struct slice name; /* of the database: its path below the account's directory */
    uint32_t n_pages, page_size, pages_after;
    uint64_t segment, batch, oldest;
    uint32_t left, index; /* in the batch: records behind and before it */
    uint64_t epoch, sequence, tx;
    int64_t time_ms;
    struct slice body; /* pages; walk with log_page_next() */
    size_t size;       /* of all */
};

/* Appends a record without place (segment, batch). The pages of `c`, whose name and epoch are r's. */
void log_record_pages(struct buf *out, struct slice name, uint64_t epoch,
                      const struct sql_commit *c);
/* Any other, or one whose body is there already. */
void log_record_append(struct buf *out, const struct log_record *r);
/* Fills in the place of the record at `at`, which was made by the functions above. */
void log_record_place(char *at, const struct log_record *place);

/* 0; -EBADMSG: no record begins here; -EIO: the header is good (*ret is filled), the rest is damaged. */
NODISCARD int log_record_parse(struct slice bytes, struct log_record *ret);
/* One of ours, in memory: nothing is checked. */
void log_record_head(const char *at, struct log_record *ret);
/* The next page of a body that was parsed without error; page has room for page_size bytes. False at the end. */
bool log_page_next(struct slice *body, uint32_t page_size, uint32_t *ret_number, char *page);
/* The pages of the body are what the header says, none beyond `pages_max`. */
bool log_record_sound(const struct log_record *r, uint32_t pages_max);

/* A commit may come behind the last one of its database: each owner's are numbered without a gap, and no earlier
 * owner's come behind a later one's. Pure. */
bool log_record_fits(uint64_t last_epoch, uint64_t last_sequence, uint64_t epoch,
                     uint64_t sequence);
