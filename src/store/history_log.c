/*
 * The files of a history: records of logs, and which files there are.
 */
#include "store/history_impl.h"

#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    HISTORY_MAGIC = 0x31485653,
    HISTORY_LEVEL = 1,
    HISTORY_PAGE_MIN = 512,
    HISTORY_PAGE_MAX = 65536
};

/* --- records --- */

static uint32_t history_crc(struct slice bytes)
{
    return (uint32_t)crc32(0, (const Bytef *)bytes.ptr, (uInt)bytes.len);
}

int history_record_append(struct buf *out, struct history_record *r, struct slice raw)
{
    uLongf size = compressBound(raw.len);
    AUTO(mem_release) Bytef *packed = mem_new(size);
    if (compress2(packed, &size, (const Bytef *)raw.ptr, raw.len, HISTORY_LEVEL) != Z_OK)
        return -EIO;
    r->size = (uint32_t)size;
    r->crc = history_crc(slice_from(packed, size));
    size_t head = buf_len(out);
    pack_u32(out, HISTORY_MAGIC);
    pack_u32(out, r->n_pages);
    pack_u32(out, r->page_size);
    pack_u32(out, r->pages_after);
    pack_u64(out, r->number);
    pack_i64(out, r->time_ms);
    pack_u32(out, r->last);
    pack_u32(out, r->size);
    pack_u32(out, r->crc);
    pack_u32(out, history_crc(slice_skip(buf_slice(out), head)));
    buf_append(out, packed, size);
    return 0;
}

int history_head_read(struct slice bytes, struct history_record *ret)
{
    struct unpack u = {.rest = bytes};
    uint32_t magic = unpack_u32(&u);
    ret->n_pages = unpack_u32(&u);
    ret->page_size = unpack_u32(&u);
    ret->pages_after = unpack_u32(&u);
    ret->number = unpack_u64(&u);
    ret->time_ms = unpack_i64(&u);
    ret->last = unpack_u32(&u) != 0;
    ret->size = unpack_u32(&u);
    ret->crc = unpack_u32(&u);
    uint32_t crc = unpack_u32(&u);
    bool fine = !u.bad && magic == HISTORY_MAGIC &&
                crc == history_crc(slice_from(bytes.ptr, HISTORY_HEAD - sizeof(crc))) &&
                ret->page_size >= HISTORY_PAGE_MIN && ret->page_size <= HISTORY_PAGE_MAX &&
                (uint64_t)ret->n_pages * (ret->page_size + sizeof(uint32_t)) <= HISTORY_BODY_MAX &&
                ret->size <= compressBound(HISTORY_BODY_MAX);
    return fine ? 0 : -EBADMSG;
}

int history_body_read(const struct history_record *r, struct slice body, struct buf *out)
{
    uLongf size = (uLongf)r->n_pages * (r->page_size + sizeof(uint32_t)), want = size;
    if (body.len != r->size || history_crc(body) != r->crc)
        return -EBADMSG;
    buf_clear(out);
    buf_grow(out, size + 1);
    if (uncompress((Bytef *)out->data + out->start, &size, (const Bytef *)body.ptr, body.len) !=
            Z_OK ||
        size != want)
        return -EBADMSG;
    out->end = out->start + size;
    return 0;
}

/* 1 = a head, 0 = the file ends here, or what follows is none. */
static int history_head_at(int fd, int64_t at, struct history_record *ret)
{
    char head[HISTORY_HEAD];
    ssize_t n = pread(fd, head, sizeof(head), at);
    if (n < 0)
        return -EIO;
    return n == HISTORY_HEAD && history_head_read(slice_from(head, sizeof(head)), ret) == 0;
}

int history_walk(int fd, history_commit commit, void *arg, int64_t *ret_end)
{
    struct history_record r;
    struct stat st;
    int64_t from = 0, at = 0;
    int found;
    if (fstat(fd, &st) < 0)
        return -EIO;
    *ret_end = 0;
    while ((found = history_head_at(fd, at, &r)) == 1) {
        at += HISTORY_HEAD + (int64_t)r.size;
        if (at > st.st_size)
            break;
        if (!r.last)
            continue;
        int stop = commit(arg, &r, from, at);
        if (stop != 0)
            return stop < 0 ? stop : 0;
        *ret_end = from = at;
    }
    return found < 0 ? found : 0;
}

static int history_apply_pages(const struct history_record *r, struct slice raw, int fd)
{
    struct unpack u = {.rest = raw};
    for (uint32_t i = 0; i < r->n_pages; i++) {
        uint32_t number = unpack_u32(&u);
        if (number == 0)
            return -EBADMSG;
        ssize_t n = pwrite(fd, u.rest.ptr, r->page_size, (off_t)(number - 1) * r->page_size);
        if (n != (ssize_t)r->page_size)
            return n < 0 ? -errno : -ENOSPC;
        u.rest = slice_skip(u.rest, r->page_size);
    }
    return r->last && ftruncate(fd, (off_t)r->pages_after * r->page_size) < 0 ? -errno : 0;
}

int history_apply(int log_fd, int64_t from, int64_t to, int to_fd)
{
    AUTO(buf_done) struct buf body = {0};
    AUTO(buf_done) struct buf raw = {0};
    struct history_record r;
    while (from < to) {
        if (history_head_at(log_fd, from, &r) != 1)
            return -EBADMSG;
        buf_clear(&body);
        buf_grow(&body, r.size + 1);
        if (pread(log_fd, body.data + body.start, r.size, from + HISTORY_HEAD) != (ssize_t)r.size)
            return -EBADMSG;
        int done = history_body_read(&r, slice_from(body.data + body.start, r.size), &raw);
        if (done == 0)
            done = history_apply_pages(&r, buf_slice(&raw), to_fd);
        if (done < 0)
            return done;
        from += HISTORY_HEAD + (int64_t)r.size;
    }
    return 0;
}

/* --- files --- */

static bool history_file_of(const char *dir, const char *name, struct history_file *ret)
{
    char path[HISTORY_PATH_MAX + HISTORY_NAME_MAX], kind[8];
    unsigned long long number;
    long long time_ms = 0;
    struct stat st;
    int n = sscanf(name, "%16llx-%13lld.%7s", &number, &time_ms, kind);
    if (n != 3 || strlen(name) >= HISTORY_NAME_MAX ||
        (strcmp(kind, "base") != 0 && strcmp(kind, "log") != 0))
        return false;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (stat(path, &st) < 0)
        return false;
    *ret = (struct history_file){.number = number,
                                 .time_ms = time_ms,
                                 .size = st.st_size,
                                 .base = strcmp(kind, "base") == 0};
    snprintf(ret->name, sizeof(ret->name), "%s", name);
    return true;
}

static int history_file_compare(const void *a, const void *b)
{
    const struct history_file *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->base == y->base ? strcmp(x->name, y->name) : y->base - x->base;
}

static void dir_release(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

int history_list(const char *dir, struct history_files *ret)
{
    AUTO(dir_release) DIR *d = opendir(dir);
    struct dirent *entry;
    if (d == NULL)
        return -errno;
    *ret = (struct history_files){.list = mem_new(HISTORY_FILES_MAX * sizeof(*ret->list))};
    while ((entry = readdir(d)) != NULL && ret->n < HISTORY_FILES_MAX)
        ret->n += history_file_of(dir, entry->d_name, &ret->list[ret->n]);
    qsort(ret->list, ret->n, sizeof(*ret->list), history_file_compare);
    return 0;
}

void history_files_done(struct history_files *files)
{
    mem_release(&files->list);
}
