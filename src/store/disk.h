/*
 * What the durable log does with files, as a table, so that tests can cut the power between any two writes.
 *
 * Descriptors are small numbers of the table's own. Everything blocks and returns a negative errno on failure. What was
 * written survives a power cut only after sync() of the file, a new name only after sync_dir().
 */
#pragma once

#include "core/slice.h"

struct disk {
    /* Opens for reading and writing; makes it when `create` (with `mode`, whatever the umask). -ENOENT. */
    int (*open)(const char *path, bool create, mode_t mode);
    void (*close)(int fd);
    /* Everything, or an error; reading past the end gives zeros. */
    int (*read)(int fd, void *buf, size_t n, int64_t at);
    int (*write)(int fd, const void *buf, size_t n, int64_t at);
    int64_t (*size)(int fd);
    int (*truncate)(int fd, int64_t size);
    int (*sync)(int fd); /* content and what is needed to read it */
    int (*sync_dir)(const char *path);
    int (*sync_all)(const char *path); /* everything on the file system of `path` */
    /* The whole file at once: the old or the new content after a power cut. */
    int (*replace)(const char *path, struct slice content);
    int (*rename)(const char *from, const char *to);
    /* visit(arg, path) for every plain file below `path`, at any depth. */
    int (*walk)(const char *path, void (*visit)(void *arg, const char *path), void *arg);
};

extern const struct disk disk_system;
