/*
 * Mounts as descriptors: a tree is cloned while its source can be named, and attached where the source can
 * not be named any more. Linux 5.12 or newer.
 */
#pragma once

#include "core/base.h"

enum mount_access { MOUNT_READ, MOUNT_WRITE, MOUNT_DEVICE };

/* A detached, restricted copy of the mount at path (a directory or a file): never set-uid, never executable,
 * no devices unless MOUNT_DEVICE, read-only unless MOUNT_WRITE. Returns a descriptor or negative errno. */
NODISCARD int mount_tree_open(int dir_fd, const char *path, enum mount_access access);
/* Makes the mount point (relative to the working directory; "a/b" is made with its parents) and attaches. */
NODISCARD int mount_tree_attach(int tree_fd, const char *target);
/* Attaches to an existing mount point. */
NODISCARD int mount_tree_move(int tree_fd, const char *target);
/* A small tmpfs at an existing directory, for mount points only. */
NODISCARD int mount_small_tmpfs(const char *target);
NODISCARD int mount_make_read_only(const char *path);
