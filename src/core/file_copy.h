/*
 * Copies of files and trees, and of SQLite databases that others may be writing. All block.
 */
#pragma once

#include "core/slice.h"

#include <sys/types.h>

/* Content (shared with the original where the file system can), mode, and owner where that is allowed. `to` must not
 * exist. -ENOENT, -EEXIST, -ENOSPC, -EIO. */
NODISCARD int file_copy(int from_dir, const char *from, int to_dir, const char *to);
/* A database in WAL mode with its log, as of a moment during the call, read as bytes: again while a checkpoint ran
 * meanwhile. What was committed before the call is in the copy. -EAGAIN when it never held still. */
NODISCARD int file_copy_database(int from_dir, const char *name, int to_dir);

/* Directories are made as the originals; one(arg, from_dir, name, to_dir, path) copies each regular file, or leaves it;
 * path is relative to the tree. Directories named in `skip` (NULL-terminated, may be NULL) and links are left out; what
 * vanishes meanwhile is no error. */
typedef int (*file_copy_one)(void *arg, int from_dir, const char *name, int to_dir,
                             const char *path);
struct file_tree {
    const char *const *skip;
    file_copy_one one;
    void *arg;
};
NODISCARD int file_copy_tree(int from_dir, const char *from, int to_dir, const char *to,
                             const struct file_tree *tree);

/* What a store's directory consists of: databases and their logs, their indexes of logs (left out: made anew), contents that never
 * change (directories blobs, files *.base: hard links when `link`). */
NODISCARD int file_copy_store_file(int from_dir, const char *name, int to_dir, const char *path,
                                   bool link);
