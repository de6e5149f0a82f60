/*
 * A disk in memory whose power can be cut: it knows what was written and what was synced.
 *
 * At the cut each 512-byte sector that was written and not synced is kept, dropped or torn by itself; the same for sizes and new
 * names. It stands under the durable log (struct disk) and under SQLite (a VFS of the name "power").
 */
#pragma once

#include "store/disk.h"

struct power {
    uint64_t random;
    uint64_t n_events; /* writes, syncs, truncations so far */
    uint64_t cut_at;   /* the event at which everything stops; 0 = never */
    bool dead;         /* nothing works any more */
    bool full;         /* files cannot grow */
    /* Programs that are broken on purpose: */
    bool log_unsynced;      /* the log calls durable what is not */
    bool database_unsynced; /* a checkpoint counts before the database is on disk */
};

extern struct power power;
extern const struct disk power_disk;

uint64_t power_random(uint64_t below);
void power_register(void); /* the VFS; once */
/* What is there after the cut; works again. */
void power_cut(void);
/* The processes are gone, the machine goes on. */
void power_restart(void);
void power_clear(void);
/* Changes one byte of a file on the disk. */
void power_damage(const char *path, int64_t at);
int64_t power_size(const char *path);
