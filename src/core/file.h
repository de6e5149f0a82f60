/*
 * Whole-file helpers. All block; all take paths relative to a directory descriptor (AT_FDCWD works).
 */
#pragma once

#include "core/buf.h"

/* -ENOENT, -E2BIG over size_max, -EIO. */
NODISCARD int file_read(int dir_fd, const char *path, size_t size_max, struct buf *ret);
/* Temporary name, fsync, rename, fsync of the directory: readers see the old or the new content,
 * and after 0 the new one survives a power cut. */
NODISCARD int file_replace(int dir_fd, const char *path, struct slice content, mode_t mode);
/* Like mkdir -p; existing directories are fine. */
NODISCARD int file_make_dirs(int dir_fd, const char *path, mode_t mode);
/* Removes a tree; absent is fine. */
NODISCARD int file_remove_tree(int dir_fd, const char *path);
/* Writes everything or fails. */
NODISCARD int file_write_all(int fd, struct slice content);
NODISCARD int file_sync_dir(int dir_fd, const char *path);
