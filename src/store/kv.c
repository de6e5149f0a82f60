/*
 * LMDB behind kv.h: the only file that knows it.
 *
 * Two trees: `values` (key -> header, metadata, value) and `expiry` (time, big endian -> keys that expire
 * then, as sorted duplicates), which the sweep walks from the front. The map is 64 GiB: address space
 * only, the file grows as it is used, and mapping needs no file size limit in readers since they never
 * extend it. Commits are LMDB's own: fdatasync of the pages, then a synchronous write of the root.
 *
 * A reader keeps one transaction and renews it for each call, which costs no lock and no allocation.
 */
#include "store/kv.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>

static const size_t KV_MAP_SIZE = (size_t)64 << 30;
enum { KV_READERS_MAX = 2048, KV_HEADER_SIZE = 12 };

struct kv {
    MDB_env *env; /* owned */
    MDB_dbi values, expiry;
    MDB_txn *write; /* owned; open between begin and commit */
    MDB_txn *read;  /* owned; reset while no snapshot is wanted */
    bool reading;
};

static int kv_error(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return 0;
    case MDB_NOTFOUND:
        return -ENOENT;
    case MDB_MAP_FULL:
        return -ENOSPC;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return -EUCLEAN;
    case MDB_BAD_VALSIZE:
        return -EINVAL;
    default:
        return rc > 0 ? -rc : -EIO; /* LMDB passes errno through as a positive number */
    }
}

static int kv_open_trees(struct kv *kv, bool write)
{
    MDB_txn *txn = NULL;
    int r = kv_error(mdb_txn_begin(kv->env, NULL, write ? 0 : MDB_RDONLY, &txn));
    if (r < 0)
        return r;
    unsigned make = write ? MDB_CREATE : 0;
    r = kv_error(mdb_dbi_open(txn, "values", make, &kv->values));
    if (r == 0)
        r = kv_error(mdb_dbi_open(txn, "expiry", make | MDB_DUPSORT, &kv->expiry));
    if (r < 0) {
        mdb_txn_abort(txn);
        return r;
    }
    return kv_error(mdb_txn_commit(txn));
}

/* Isolates run under other user ids: they read the data and write the lock file. */
static int kv_open_modes(const char *dir)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/lock.mdb", dir);
    if (chmod(path, 0666) < 0)
        return -errno;
    snprintf(path, sizeof(path), "%s/data.mdb", dir);
    return chmod(path, 0644) < 0 ? -errno : 0;
}

int kv_open(const char *dir, bool write, struct kv **ret)
{
    AUTO(kv_release) struct kv *kv = mem_new(sizeof(*kv));
    int r = kv_error(mdb_env_create(&kv->env));
    if (r < 0)
        return r;
    mdb_env_set_maxdbs(kv->env, 2);
    mdb_env_set_maxreaders(kv->env, KV_READERS_MAX);
    mdb_env_set_mapsize(kv->env, KV_MAP_SIZE);
    unsigned flags = MDB_NOTLS | (write ? 0 : MDB_RDONLY);
    r = kv_error(mdb_env_open(kv->env, dir, flags, 0644));
    if (r == 0 && write)
        r = kv_open_modes(dir);
    if (r == 0)
        r = kv_open_trees(kv, write);
    if (r < 0)
        return r;
    *ret = TAKE(kv);
    return 0;
}

void kv_close(struct kv *kv)
{
    if (kv == NULL)
        return;
    kv_rollback(kv);
    if (kv->read != NULL)
        mdb_txn_abort(kv->read);
    if (kv->env != NULL)
        mdb_env_close(kv->env);
    mem_release(&kv);
}

void kv_release(struct kv **kv)
{
    kv_close(*kv);
    *kv = NULL;
}

int kv_begin(struct kv *kv)
{
    CHECK(kv->write == NULL);
    return kv_error(mdb_txn_begin(kv->env, NULL, 0, &kv->write));
}

int kv_commit(struct kv *kv)
{
    CHECK(kv->write != NULL);
    return kv_error(mdb_txn_commit(TAKE(kv->write)));
}

void kv_rollback(struct kv *kv)
{
    if (kv->write != NULL)
        mdb_txn_abort(TAKE(kv->write));
}

static int kv_parse(MDB_val v, struct kv_value *ret)
{
    int64_t expiration_s;
    uint32_t metadata_len;
    if (v.mv_size < KV_HEADER_SIZE)
        return -EIO;
    memcpy(&expiration_s, v.mv_data, sizeof(expiration_s));
    memcpy(&metadata_len, (char *)v.mv_data + 8, sizeof(metadata_len));
    if (metadata_len > v.mv_size - KV_HEADER_SIZE)
        return -EIO;
    const char *at = (char *)v.mv_data + KV_HEADER_SIZE;
    ret->expiration_s = expiration_s;
    ret->metadata = slice_from(at, metadata_len);
    ret->value = slice_from(at + metadata_len, v.mv_size - KV_HEADER_SIZE - metadata_len);
    return 0;
}

static void kv_time_key(int64_t time_s, uint8_t buf[8])
{
    for (int i = 0; i < 8; i++)
        buf[i] = (uint8_t)((uint64_t)time_s >> (56 - 8 * i));
}

/* Removes the row of `expiry` that belongs to what is stored under the key now. */
static int kv_forget_expiry(struct kv *kv, MDB_val *key)
{
    MDB_val v;
    int r = kv_error(mdb_get(kv->write, kv->values, key, &v));
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    struct kv_value old;
    r = kv_parse(v, &old);
    if (r < 0 || old.expiration_s == 0)
        return r;
    uint8_t time[8];
    kv_time_key(old.expiration_s, time);
    MDB_val t = {sizeof(time), time};
    r = kv_error(mdb_del(kv->write, kv->expiry, &t, key));
    return r == -ENOENT ? 0 : r;
}

int kv_put(struct kv *kv, struct slice key, const struct kv_value *value)
{
    CHECK(kv->write != NULL);
    uint8_t encoded[KV_ENCODED_MAX];
    ssize_t len = kv_key_encode(key, encoded);
    if (len < 0)
        return (int)len;
    MDB_val k = {(size_t)len, encoded};
    int r = kv_forget_expiry(kv, &k);
    if (r < 0)
        return r;
    MDB_val v = {KV_HEADER_SIZE + value->metadata.len + value->value.len, NULL};
    r = kv_error(mdb_put(kv->write, kv->values, &k, &v, MDB_RESERVE));
    if (r < 0)
        return r;
    uint32_t metadata_len = (uint32_t)value->metadata.len;
    char *at = v.mv_data;
    memcpy(at, &value->expiration_s, 8);
    memcpy(at + 8, &metadata_len, 4);
    if (metadata_len > 0)
        memcpy(at + KV_HEADER_SIZE, value->metadata.ptr, metadata_len);
    if (value->value.len > 0)
        memcpy(at + KV_HEADER_SIZE + metadata_len, value->value.ptr, value->value.len);
    if (value->expiration_s == 0)
        return 0;
    uint8_t time[8];
    kv_time_key(value->expiration_s, time);
    MDB_val t = {sizeof(time), time};
    return kv_error(mdb_put(kv->write, kv->expiry, &t, &k, 0));
}

int kv_delete(struct kv *kv, struct slice key)
{
    CHECK(kv->write != NULL);
    uint8_t encoded[KV_ENCODED_MAX];
    ssize_t len = kv_key_encode(key, encoded);
    if (len < 0)
        return (int)len;
    MDB_val k = {(size_t)len, encoded};
    int r = kv_forget_expiry(kv, &k);
    if (r < 0)
        return r;
    r = kv_error(mdb_del(kv->write, kv->values, &k, NULL));
    return r == -ENOENT ? 0 : r;
}

int kv_expire(struct kv *kv, int64_t now_s, size_t n_max)
{
    CHECK(kv->write != NULL);
    MDB_cursor *cursor = NULL;
    int r = kv_error(mdb_cursor_open(kv->write, kv->expiry, &cursor));
    if (r < 0)
        return r;
    uint8_t limit[8];
    kv_time_key(now_s, limit);
    int n = 0;
    while ((size_t)n < n_max) {
        MDB_val t, k;
        r = kv_error(mdb_cursor_get(cursor, &t, &k, MDB_FIRST));
        if (r < 0 || t.mv_size != 8 || memcmp(t.mv_data, limit, 8) > 0)
            break;
        /* The key lies in a page that deleting may change. */
        uint8_t copy[KV_ENCODED_MAX];
        MDB_val key = {k.mv_size, memcpy(copy, k.mv_data, MIN(k.mv_size, sizeof(copy)))};
        r = kv_error(mdb_cursor_del(cursor, 0));
        if (r == 0)
            r = kv_error(mdb_del(kv->write, kv->values, &key, NULL));
        if (r < 0 && r != -ENOENT)
            break;
        n++;
    }
    mdb_cursor_close(cursor);
    return r < 0 && r != -ENOENT ? r : n;
}

int kv_read_start(struct kv *kv)
{
    CHECK(!kv->reading);
    if (kv->write != NULL) {
        kv->reading = true;
        return 0;
    }
    int rc = kv->read == NULL ? mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &kv->read)
                              : mdb_txn_renew(kv->read);
    if (UNLIKELY(rc == MDB_MAP_RESIZED)) {
        if (kv->read != NULL)
            mdb_txn_abort(TAKE(kv->read));
        mdb_env_set_mapsize(kv->env, 0);
        rc = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &kv->read);
    }
    kv->reading = rc == 0;
    return kv_error(rc);
}

void kv_read_end(struct kv *kv)
{
    if (kv->reading && kv->write == NULL)
        mdb_txn_reset(kv->read);
    kv->reading = false;
}

static MDB_txn *kv_reader(struct kv *kv)
{
    CHECK(kv->reading);
    return kv->write != NULL ? kv->write : kv->read;
}

int kv_get(struct kv *kv, struct slice key, int64_t now_s, struct kv_value *ret)
{
    uint8_t encoded[KV_ENCODED_MAX];
    ssize_t len = kv_key_encode(key, encoded);
    if (len < 0)
        return (int)len;
    MDB_val k = {(size_t)len, encoded}, v;
    int r = kv_error(mdb_get(kv_reader(kv), kv->values, &k, &v));
    if (r < 0)
        return r;
    struct kv_value value;
    r = kv_parse(v, &value);
    if (r < 0)
        return r;
    if (value.expiration_s != 0 && value.expiration_s <= now_s)
        return -ENOENT;
    *ret = value;
    return 0;
}

/* One entry: 0 go on, 1 past the range, other values from the visitor. */
static int kv_walk_visit(const struct kv_range *range, MDB_val k, MDB_val v, kv_visit visit,
                         void *arg)
{
    uint8_t key_buf[KV_KEY_MAX];
    ssize_t len = kv_key_decode(slice_from(k.mv_data, k.mv_size), key_buf);
    if (len < 0)
        return -EIO;
    struct slice key = slice_from(key_buf, (size_t)len);
    if (!slice_starts(key, range->prefix))
        return 1;
    struct kv_value value;
    int r = kv_parse(v, &value);
    if (r < 0)
        return r;
    if (value.expiration_s != 0 && value.expiration_s <= range->now_s)
        return 0;
    return visit(arg, key, &value);
}

int kv_walk(struct kv *kv, const struct kv_range *range, kv_visit visit, void *arg)
{
    bool resume = range->after.len > 0 && slice_compare(range->after, range->prefix) >= 0;
    struct slice from = resume ? range->after : range->prefix;
    uint8_t encoded[KV_ENCODED_MAX];
    ssize_t len = from.len == 0 ? 0 : kv_key_encode(from, encoded);
    if (len < 0)
        return (int)len;
    MDB_cursor *cursor = NULL;
    int r = kv_error(mdb_cursor_open(kv_reader(kv), kv->values, &cursor));
    if (r < 0)
        return r;
    MDB_val k = {(size_t)len, encoded}, v;
    r = kv_error(mdb_cursor_get(cursor, &k, &v, len == 0 ? MDB_FIRST : MDB_SET_RANGE));
    bool equal =
        r == 0 && resume && k.mv_size == (size_t)len && memcmp(k.mv_data, encoded, k.mv_size) == 0;
    if (equal)
        r = kv_error(mdb_cursor_get(cursor, &k, &v, MDB_NEXT));
    while (r == 0) {
        r = kv_walk_visit(range, k, v, visit, arg);
        if (r == 0)
            r = kv_error(mdb_cursor_get(cursor, &k, &v, MDB_NEXT));
    }
    mdb_cursor_close(cursor);
    return r == -ENOENT || r == 1 ? 0 : r;
}

int kv_stat(struct kv *kv, struct kv_stat *ret)
{
    MDB_stat stat;
    int r = kv_error(mdb_stat(kv_reader(kv), kv->values, &stat));
    if (r < 0)
        return r;
    MDB_envinfo info;
    r = kv_error(mdb_env_info(kv->env, &info));
    if (r < 0)
        return r;
    ret->n_keys = stat.ms_entries;
    ret->bytes = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
    return 0;
}

int kv_reap_readers(struct kv *kv)
{
    int n = 0;
    int r = kv_error(mdb_reader_check(kv->env, &n));
    return r < 0 ? r : n;
}
