/*
 * Bulk bytes as files of a store: written once, never changed, named by an id of 32 hex digits.
 *
 * A blob is born in `spool/<id>`, is made durable there (content and directory), then some index commits
 * its id, then blob_settle() moves it to `blobs/<hh>/<id>`. Whoever reads looks in both places, so a
 * crash between commit and move loses nothing; at start blob_recover() settles or removes what is left
 * in the spool. Every function blocks on the disk. `dir` is a path of at most BLOB_PATH_MAX bytes.
 */
#pragma once

#include "core/slice.h"

enum { BLOB_ID_SIZE = 33, BLOB_PATH_MAX = 512 };

/* Makes the directories. */
NODISCARD int blob_make(const char *dir);
/* A new empty file open for writing and reading; `id` is chosen here. Returns the descriptor, which holds a lock:
 * while it is open blob_recover() leaves the file alone. */
NODISCARD int blob_spool(const char *dir, char id[BLOB_ID_SIZE]);
/* A second name for a blob, in the spool of `to`, which may be another store on the same file system. */
NODISCARD int blob_link(const char *from, const char *id, const char *to,
                        char ret_id[BLOB_ID_SIZE]);
/* After both, content and names of all blobs in the spool survive a power cut. */
NODISCARD int blob_sync_content(int fd);
/* The bytes before `end` begin to go to the disk, in steps, so that the sync at the end finds little left. */
void blob_write_back(int fd, uint64_t from, uint64_t end);
NODISCARD int blob_sync_names(const char *dir);
int blob_settle(const char *dir, const char *id);
/* Read-only descriptor, or -ENOENT. */
NODISCARD int blob_open(const char *dir, const char *id);
/* Absent is fine. */
int blob_remove(const char *dir, const char *id);
/* known(): does the index name this blob? What is being written right now is left alone. Returns how many were removed. */
NODISCARD int blob_recover(const char *dir, bool (*known)(void *arg, const char *id), void *arg);
