/*
 * Open addressing with linear probing over 32-byte slots.
 *
 * Keys of at most eight bytes live in the slot itself; a number is such a key, so map_put_u64(m, 7)
 * and map_put() with those eight bytes are the same entry. Longer keys are hashed with SipHash-1-3
 * (Aumasson and Bernstein), short ones with two keyed 64x64->128 bit multiplications. The seed is
 * secret, so nobody outside can choose keys that collide.
 *
 * Removing leaves a dead slot only where a probe could run across it. Live and dead slots together
 * fill at most three quarters; a rehash sweeps out the dead ones.
 */
#include "core/map.h"

#include "core/id.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>

enum { MAP_SLOTS_MIN = 8, MAP_INLINE = 8 };
enum { SLOT_EMPTY = 0, SLOT_DEAD = 1, SLOT_FIRST_HASH = 2 };

struct map_slot {
    uint64_t hash; /* or SLOT_EMPTY, SLOT_DEAD */
    union {
        char *ptr; /* owned */
        uint64_t number;
        char bytes[MAP_INLINE];
    } key;
    uint32_t len;
    void *value; /* borrowed */
};

static pthread_once_t map_once = PTHREAD_ONCE_INIT;
static uint64_t map_seed[2];

static void map_seed_init(void)
{
    id_random(map_seed, sizeof(map_seed));
}

static uint64_t map_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t map_hash_short(uint64_t number, size_t len)
{
    uint64_t h = map_fold(number ^ map_seed[0], map_seed[1] ^ (0x9e3779b97f4a7c15u * (len + 1)));
    h = map_fold(h ^ map_seed[1], map_seed[0] | 1);
    return h < SLOT_FIRST_HASH ? h + SLOT_FIRST_HASH : h;
}

static uint64_t map_rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void map_sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = map_rotate(v[1], 13) ^ v[0];
    v[3] = map_rotate(v[3], 16) ^ v[2];
    v[0] = map_rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = map_rotate(v[1], 17) ^ v[2];
    v[3] = map_rotate(v[3], 21) ^ v[0];
    v[2] = map_rotate(v[2], 32);
}

static uint64_t map_hash_long(struct slice key)
{
    uint64_t v[4] = {map_seed[0] ^ 0x736f6d6570736575u, map_seed[1] ^ 0x646f72616e646f6du,
                     map_seed[0] ^ 0x6c7967656e657261u, map_seed[1] ^ 0x7465646279746573u};
    uint64_t word, last = (uint64_t)key.len << 56;
    size_t i = 0;
    for (; key.len - i >= 8; i += 8) {
        memcpy(&word, key.ptr + i, 8);
        word = le64toh(word);
        v[3] ^= word;
        map_sip_round(v);
        v[0] ^= word;
    }
    for (size_t shift = 0; i < key.len; i++, shift += 8)
        last |= (uint64_t)(unsigned char)key.ptr[i] << shift;
    v[3] ^= last;
    map_sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int round = 0; round < 3; round++)
        map_sip_round(v);
    uint64_t h = v[0] ^ v[1] ^ v[2] ^ v[3];
    return h < SLOT_FIRST_HASH ? h + SLOT_FIRST_HASH : h;
}

static uint64_t map_number_of(struct slice key)
{
    uint64_t n = 0;
    if (key.len > 0)
        memcpy(&n, key.ptr, key.len);
    return n;
}

static uint64_t map_hash(struct slice key)
{
    return key.len <= MAP_INLINE ? map_hash_short(map_number_of(key), key.len) : map_hash_long(key);
}

static bool map_slot_is(const struct map_slot *s, uint64_t hash, struct slice key)
{
    if (s->hash != hash || s->len != key.len)
        return false;
    if (key.len <= MAP_INLINE)
        return s->key.number == map_number_of(key);
    return memcmp(s->key.ptr, key.ptr, key.len) == 0;
}

static struct map_slot *map_find(const struct map *map, uint64_t hash, struct slice key)
{
    size_t mask = map->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct map_slot *s = &map->slots[i];
        if (s->hash == SLOT_EMPTY)
            return NULL;
        if (map_slot_is(s, hash, key))
            return s;
    }
}

static struct map_slot *map_find_u64(const struct map *map, uint64_t key)
{
    uint64_t hash = map_hash_short(key, sizeof(key));
    size_t mask = map->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct map_slot *s = &map->slots[i];
        if (s->hash == hash && s->key.number == key && s->len == sizeof(key))
            return s;
        if (s->hash == SLOT_EMPTY)
            return NULL;
    }
}

static void map_rehash(struct map *map, size_t n_slots)
{
    struct map_slot *old = map->slots;
    size_t n_old = map->n_slots, mask = n_slots - 1;
    map->slots = mem_new(n_slots * sizeof(*map->slots));
    map->n_slots = n_slots;
    map->n_dead = 0;
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].hash < SLOT_FIRST_HASH)
            continue;
        size_t at = old[i].hash & mask;
        while (map->slots[at].hash != SLOT_EMPTY)
            at = (at + 1) & mask;
        map->slots[at] = old[i];
    }
    free(old);
}

static void map_make_room(struct map *map)
{
    if (map->slots == NULL)
        CHECK(pthread_once(&map_once, map_seed_init) == 0);
    if ((map->n + map->n_dead + 1) * 4 <= map->n_slots * 3)
        return;
    size_t n_slots = MAX(map->n_slots, (size_t)MAP_SLOTS_MIN);
    while ((map->n + 1) * 2 > n_slots)
        n_slots *= 2;
    map_rehash(map, n_slots);
}

/* A slot for a key that is known to be absent. */
static struct map_slot *map_claim(struct map *map, uint64_t hash)
{
    size_t mask = map->n_slots - 1, i = hash & mask;
    while (map->slots[i].hash >= SLOT_FIRST_HASH)
        i = (i + 1) & mask;
    struct map_slot *s = &map->slots[i];
    if (s->hash == SLOT_DEAD)
        map->n_dead--;
    s->hash = hash;
    map->n++;
    return s;
}

static void *map_clear_slot(struct map *map, struct map_slot *s)
{
    size_t mask = map->n_slots - 1, i = (size_t)(s - map->slots);
    void *value = s->value;
    if (s->len > MAP_INLINE)
        free(s->key.ptr);
    *s = (struct map_slot){.hash = SLOT_DEAD};
    map->n--;
    map->n_dead++;

    /* Dead slots in front of an empty one stop no probe: they become empty too. */
    if (map->slots[(i + 1) & mask].hash != SLOT_EMPTY)
        return value;
    for (; map->slots[i].hash == SLOT_DEAD; i = (i - 1) & mask) {
        map->slots[i].hash = SLOT_EMPTY;
        map->n_dead--;
    }
    return value;
}

void *map_get(const struct map *map, struct slice key)
{
    if (map->n == 0)
        return NULL;
    struct map_slot *s = map_find(map, map_hash(key), key);
    return s == NULL ? NULL : s->value;
}

void *map_put(struct map *map, struct slice key, void *value)
{
    CHECK(key.len <= UINT32_MAX);
    map_make_room(map);
    uint64_t hash = map_hash(key);
    struct map_slot *s = map_find(map, hash, key);
    if (s != NULL) {
        void *old = s->value;
        s->value = value;
        return old;
    }

    s = map_claim(map, hash);
    s->len = (uint32_t)key.len;
    s->value = value;
    if (key.len <= MAP_INLINE) {
        s->key.number = map_number_of(key);
    } else {
        s->key.ptr = mem_grow(NULL, key.len);
        memcpy(s->key.ptr, key.ptr, key.len);
    }
    return NULL;
}

void *map_remove(struct map *map, struct slice key)
{
    if (map->n == 0)
        return NULL;
    struct map_slot *s = map_find(map, map_hash(key), key);
    return s == NULL ? NULL : map_clear_slot(map, s);
}

bool map_next(const struct map *map, size_t *at, struct slice *ret_key, void **ret_value)
{
    while (*at < map->n_slots) {
        const struct map_slot *s = &map->slots[(*at)++];
        if (s->hash < SLOT_FIRST_HASH)
            continue;
        const char *ptr = s->len <= MAP_INLINE ? s->key.bytes : s->key.ptr;
        *ret_key = (struct slice){ptr, s->len};
        *ret_value = s->value;
        return true;
    }
    return false;
}

void map_done(struct map *map)
{
    for (size_t i = 0; i < map->n_slots; i++) {
        if (map->slots[i].hash >= SLOT_FIRST_HASH && map->slots[i].len > MAP_INLINE)
            free(map->slots[i].key.ptr);
    }
    free(map->slots);
    *map = (struct map){0};
}

void *map_get_u64(const struct map *map, uint64_t key)
{
    if (map->n == 0)
        return NULL;
    struct map_slot *s = map_find_u64(map, key);
    return s == NULL ? NULL : s->value;
}

void *map_put_u64(struct map *map, uint64_t key, void *value)
{
    return map_put(map, slice_from(&key, sizeof(key)), value);
}

void *map_remove_u64(struct map *map, uint64_t key)
{
    if (map->n == 0)
        return NULL;
    struct map_slot *s = map_find_u64(map, key);
    return s == NULL ? NULL : map_clear_slot(map, s);
}
