/*
 * An ordered map from keys to values with expiry and metadata, on disk: many readers, one writer.
 *
 * One `struct kv` is one LMDB environment, used by one thread at a time, and at most one exists per
 * directory and process (LMDB's locks are per process). The keeper opens it for writing; isolates open
 * it read-only through a read-only mount in which only lock.mdb is writable. Calls may block on the
 * disk. Errors: -ENOENT absent, -ENOSPC map full, -EINVAL a key that is no UTF-8 or is too long,
 * -EUCLEAN the file is damaged, -EIO for what else the disk can do.
 *
 * Order is that of the keys' UTF-8 bytes. Semantics: Workers KV (developers.cloudflare.com/kv).
 */
#pragma once

#include "core/slice.h"

enum {
    KV_KEY_MAX = 512,
    KV_METADATA_MAX = 1024,
    KV_VALUE_MAX = 25 * 1024 * 1024,
    KV_ENCODED_MAX = 511 /* what LMDB takes as a key */
};

struct kv;

/* Slices are borrowed: from the caller when putting, from the map until kv_read_end() when getting. */
struct kv_value {
    int64_t expiration_s;  /* seconds since 1970; 0 = never */
    struct slice metadata; /* JSON text, or empty */
    struct slice value;
};

/* Opens; with `write` the files are made when absent (0644, lock.mdb 0666). */
NODISCARD int kv_open(const char *dir, bool write, struct kv **ret);
void kv_close(struct kv *kv); /* accepts NULL; ends what is open */
void kv_release(struct kv **kv);

/* --- writer: begin, any number of puts and deletes, commit (durable when it returns 0) --- */
NODISCARD int kv_begin(struct kv *kv);
NODISCARD int kv_commit(struct kv *kv);
void kv_rollback(struct kv *kv);
NODISCARD int kv_put(struct kv *kv, struct slice key, const struct kv_value *value);
NODISCARD int kv_delete(struct kv *kv, struct slice key); /* absent is fine */
/* Deletes up to n_max expired entries; returns how many. */
NODISCARD int kv_expire(struct kv *kv, int64_t now_s, size_t n_max);

/* --- reading: one snapshot between start and end; inside kv_begin() it sees what was put --- */
NODISCARD int kv_read_start(struct kv *kv);
void kv_read_end(struct kv *kv);
/* Expired entries (expiration_s <= now_s) are absent. */
NODISCARD int kv_get(struct kv *kv, struct slice key, int64_t now_s, struct kv_value *ret);
/* Visits keys that begin with `prefix` and are greater than `after` (empty = from the start), in order,
 * without the expired ones, until visit() returns non-zero: 1 ends the walk well, a negative number is returned. Keys are valid during
 * the visit only. */
typedef int (*kv_visit)(void *arg, struct slice key, const struct kv_value *value);
struct kv_range {
    struct slice prefix, after;
    int64_t now_s;
};
NODISCARD int kv_walk(struct kv *kv, const struct kv_range *range, kv_visit visit, void *arg);

struct kv_stat {
    uint64_t n_keys, bytes;
};
NODISCARD int kv_stat(struct kv *kv, struct kv_stat *ret);
/* Clears reader slots of processes that died; returns how many. */
int kv_reap_readers(struct kv *kv);

/* The order-keeping form in which keys are stored (exposed for its tests). buf has KV_ENCODED_MAX bytes;
 * decode needs KV_KEY_MAX. Both return the length or -EINVAL. */
NODISCARD ssize_t kv_key_encode(struct slice key, uint8_t *buf);
NODISCARD ssize_t kv_key_decode(struct slice encoded, uint8_t *buf);
