#include "store/log_record.h"

#include <endian.h>
#include <errno.h>

enum {
    RECORD_MAGIC = 0x524c5653, /* "SVLR" */
    RECORD_WORD = 8,
    RECORD_PAGE_HEADER = 8, /* u32 number, u32 length of what follows */
    RECORD_PLACE_AT = 16
};

/* On the machines that we run on both are the same; the compiler sees that. */
struct record_header {
    uint32_t magic;
    uint8_t kind, flags;
    uint16_t n_name;
    uint32_t size, n_pages;
    uint64_t segment, batch;
    uint32_t left, page_size;
    uint64_t oldest, epoch, sequence, tx;
    int64_t time_ms;
    uint32_t pages_after, index;
    uint64_t body_sum, header_sum;
};

_Static_assert(sizeof(struct record_header) == LOG_RECORD_HEADER, "no holes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little endian");

/* Detects damage, no attacker. Each step is a bijection of the state, so that one changed word always shows. */
static uint64_t record_sum(const char *bytes, size_t n, uint64_t seed)
{
    uint64_t h = seed ^ (n * 0x9e3779b97f4a7c15u);
    for (size_t i = 0; i + RECORD_WORD <= n; i += RECORD_WORD) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof(word));
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static size_t record_align(size_t n)
{
    return (n + RECORD_WORD - 1) & ~(size_t)(RECORD_WORD - 1);
}

/* --- writing --- */

static void record_pad(struct buf *out, size_t start)
{
    static const char zeros[RECORD_WORD];
    size_t n = buf_len(out) - start;
    buf_append(out, zeros, record_align(n) - n);
}

static size_t record_open(struct buf *out, struct slice name)
{
    size_t start = buf_len(out);
    CHECK(name.len <= LOG_NAME_MAX);
    memset(buf_reserve(out, LOG_RECORD_HEADER), 0, LOG_RECORD_HEADER);
    buf_added(out, LOG_RECORD_HEADER);
    buf_append_slice(out, name);
    record_pad(out, start);
    return start;
}

static void record_close(struct buf *out, size_t start, const struct log_record *r)
{
    char *at = out->data + out->start + start;
    size_t size = buf_len(out) - start;
    struct record_header h = {.magic = RECORD_MAGIC,
                              .kind = (uint8_t)r->kind,
                              .flags = (uint8_t)r->flags,
                              .n_name = (uint16_t)r->name.len,
                              .size = (uint32_t)size,
                              .n_pages = r->n_pages,
                              .page_size = r->page_size,
                              .epoch = r->epoch,
                              .sequence = r->sequence,
                              .tx = r->tx,
                              .time_ms = r->time_ms,
                              .pages_after = r->pages_after};
    h.body_sum = record_sum(at + LOG_RECORD_HEADER, size - LOG_RECORD_HEADER, 0);
    h.header_sum = record_sum((const char *)&h, LOG_RECORD_HEADER - RECORD_WORD, h.magic);
    memcpy(at, &h, sizeof(h));
}

/* Pairs of (words of zeros, words that are not), each word 8 bytes; a single zero word among others is copied. */
static void record_page(struct buf *out, const struct sql_page *page, uint32_t page_size)
{
    size_t n = page_size / RECORD_WORD, at = 0;
    size_t worst = page_size + RECORD_PAGE_HEADER + 4 * (n / 2 + 1);
    char *start = buf_reserve(out, worst), *to = start + RECORD_PAGE_HEADER;
    const char *bytes = page->bytes;
    while (at < n) {
        uint64_t word;
        size_t from = at;
        while (at < n && (memcpy(&word, bytes + at * RECORD_WORD, sizeof(word)), word == 0))
            at++;
        uint16_t zeros = (uint16_t)(at - from);
        from = at;
        while (at < n &&
               ((memcpy(&word, bytes + at * RECORD_WORD, sizeof(word)), word != 0) ||
                (at + 1 < n &&
                 (memcpy(&word, bytes + (at + 1) * RECORD_WORD, sizeof(word)), word != 0))))
            at++;
        uint16_t words = (uint16_t)(at - from);
        memcpy(to, &zeros, sizeof(zeros));
        memcpy(to + 2, &words, sizeof(words));
        memcpy(to + 4, bytes + from * RECORD_WORD, (size_t)words * RECORD_WORD);
        to += 4 + (size_t)words * RECORD_WORD;
    }
    uint32_t head[2] = {page->number, (uint32_t)(to - start - RECORD_PAGE_HEADER)};
    memcpy(start, head, sizeof(head));
    buf_added(out, (size_t)(to - start));
}

void log_record_pages(struct buf *out, struct slice name, uint64_t epoch,
                      const struct sql_commit *c)
{
    size_t start = record_open(out, name);
    CHECK(c->n_pages <= LOG_PART_PAGES);
    for (size_t i = 0; i < c->n_pages; i++)
        record_page(out, &c->pages[i], c->page_size);
    record_pad(out, start);
    struct log_record r = {.kind = LOG_PAGES,
                           .flags = (c->first ? LOG_FIRST : 0u) | (c->last ? LOG_LAST : 0u),
                           .name = name,
                           .n_pages = (uint32_t)c->n_pages,
                           .page_size = c->page_size,
                           .pages_after = c->pages_after,
                           .epoch = epoch,
                           .sequence = c->sequence,
                           .tx = c->tx,
                           .time_ms = c->time_ms};
    record_close(out, start, &r);
}

void log_record_append(struct buf *out, const struct log_record *r)
{
    size_t start = record_open(out, r->name);
    buf_append_slice(out, r->body);
    record_pad(out, start);
    record_close(out, start, r);
}

void log_record_place(char *at, const struct log_record *place)
{
    struct record_header h;
    memcpy(&h, at, sizeof(h));
    h.segment = place->segment;
    h.batch = place->batch;
    h.left = place->left;
    h.index = place->index;
    h.oldest = place->oldest;
    h.header_sum = record_sum((const char *)&h, LOG_RECORD_HEADER - RECORD_WORD, h.magic);
    memcpy(at, &h, sizeof(h));
}

/* --- reading --- */

static bool page_size_valid(uint32_t n)
{
    return n >= 512 && n <= 65536 && (n & (n - 1)) == 0;
}

static bool header_valid(const struct record_header *h)
{
    if (h->magic != RECORD_MAGIC || h->n_name > LOG_NAME_MAX || h->size > LOG_RECORD_MAX ||
        h->size % RECORD_WORD != 0 || h->size < record_align(LOG_RECORD_HEADER + h->n_name))
        return false;
    if (h->kind < LOG_PAGES || h->kind > LOG_RESUME || h->n_pages > LOG_PART_PAGES ||
        (h->kind == LOG_PAGES && !page_size_valid(h->page_size)) || h->pages_after > LOG_PAGES_MAX)
        return false;
    return h->header_sum == record_sum((const char *)h, LOG_RECORD_HEADER - RECORD_WORD, h->magic);
}

static void header_take(const struct record_header *header, const char *at, struct log_record *ret)
{
    const struct record_header h = *header;
    size_t body_at = record_align(LOG_RECORD_HEADER + h.n_name);
    *ret = (struct log_record){.kind = h.kind,
                               .flags = h.flags,
                               .name = slice_from(at + LOG_RECORD_HEADER, h.n_name),
                               .n_pages = h.n_pages,
                               .page_size = h.page_size,
                               .pages_after = h.pages_after,
                               .segment = h.segment,
                               .batch = h.batch,
                               .left = h.left,
                               .index = h.index,
                               .oldest = h.oldest,
                               .epoch = h.epoch,
                               .sequence = h.sequence,
                               .tx = h.tx,
                               .time_ms = h.time_ms,
                               .body = slice_from(at + body_at, h.size - body_at),
                               .size = h.size};
}

void log_record_head(const char *at, struct log_record *ret)
{
    struct record_header h;
    memcpy(&h, at, sizeof(h));
    header_take(&h, at, ret);
}

int log_record_parse(struct slice bytes, struct log_record *ret)
{
    struct record_header h;
    if (bytes.len < LOG_RECORD_HEADER)
        return -EBADMSG;
    memcpy(&h, bytes.ptr, sizeof(h));
    if (h.magic != RECORD_MAGIC || !header_valid(&h) || h.size > bytes.len)
        return -EBADMSG;
    header_take(&h, bytes.ptr, ret);
    uint64_t sum = record_sum(bytes.ptr + LOG_RECORD_HEADER, h.size - LOG_RECORD_HEADER, 0);
    return sum == h.body_sum ? 0 : -EIO;
}

/* Fills the page from its runs; false when they do not fit it exactly. */
static bool page_runs(struct slice runs, uint32_t page_size, char *page)
{
    size_t at = 0;
    while (runs.len >= 4) {
        uint16_t zeros, words;
        memcpy(&zeros, runs.ptr, sizeof(zeros));
        memcpy(&words, runs.ptr + 2, sizeof(words));
        size_t n_zeros = (size_t)zeros * RECORD_WORD, n = (size_t)words * RECORD_WORD;
        if (at + n_zeros + n > page_size || n > runs.len - 4)
            return false;
        if (page != NULL) {
            memset(page + at, 0, n_zeros);
            memcpy(page + at + n_zeros, runs.ptr + 4, n);
        }
        at += n_zeros + n;
        runs = slice_skip(runs, 4 + n);
    }
    return runs.len == 0 && at == page_size;
}

/* With page NULL only looks. */
static bool page_take(struct slice *body, uint32_t page_size, uint32_t *ret_number, char *page)
{
    uint32_t head[2];
    if (body->len < RECORD_PAGE_HEADER)
        return false;
    memcpy(head, body->ptr, sizeof(head));
    if (head[1] > body->len - RECORD_PAGE_HEADER || head[0] == 0 ||
        !page_runs(slice_from(body->ptr + RECORD_PAGE_HEADER, head[1]), page_size, page))
        return false;
    *ret_number = head[0];
    *body = slice_skip(*body, RECORD_PAGE_HEADER + head[1]);
    return true;
}

bool log_page_next(struct slice *body, uint32_t page_size, uint32_t *ret_number, char *page)
{
    return page_take(body, page_size, ret_number, page);
}

bool log_record_sound(const struct log_record *r, uint32_t pages_max)
{
    struct slice body = r->body;
    uint32_t number;
    if (r->pages_after > pages_max || r->kind != LOG_PAGES)
        return false;
    for (uint32_t i = 0; i < r->n_pages; i++) {
        if (!page_take(&body, r->page_size, &number, NULL) || number > pages_max)
            return false;
    }
    return body.len < RECORD_WORD; /* padding */
}

bool log_record_fits(uint64_t last_epoch, uint64_t last_sequence, uint64_t epoch, uint64_t sequence)
{
    return epoch > last_epoch ? sequence == 1
                              : epoch == last_epoch && sequence == last_sequence + 1;
}
