#include "proc/grant.h"

#include "core/slice.h"
#include "proc/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool grant_part_is_plain(struct slice part)
{
    return part.len > 0 && !slice_eq(part, SLICE(".")) && !slice_eq(part, SLICE(".."));
}

static bool grant_source_is_plain(const char *source)
{
    struct slice rest = slice_of(source);
    while (rest.ptr != NULL) {
        if (!grant_part_is_plain(slice_cut(&rest, '/')))
            return false;
    }
    return true;
}

static int grant_parse_one(const json_t *row, struct grant_mount *ret)
{
    const char *source = json_str(row, "source", "");
    const char *target = json_str(row, "target", "");
    const char *access = json_str(row, "access", "");
    static const char *const names[] = {
        [GRANT_READ] = "read", [GRANT_LMDB] = "lmdb", [GRANT_WRITE] = "write"};
    unsigned kind = 0;
    while (kind < ARRAY_LEN(names) && strcmp(access, names[kind]) != 0)
        kind++;
    if (!grant_source_is_plain(source) || !grant_part_is_plain(slice_of(target)) ||
        strchr(target, '/') != NULL || kind == ARRAY_LEN(names))
        return -EINVAL;
    /* Only a Durable Object's files are its isolate's to write. */
    if (kind == GRANT_WRITE && (!slice_starts(slice_of(source), SLICE("accounts/")) ||
                                slice_find_slice(slice_of(source), SLICE("/durable/")) < 0))
        return -EACCES;
    ret->access = (enum grant_access)kind;
    int r = slice_to_cstr(slice_of(source), ret->source, sizeof(ret->source));
    return r < 0 ? r : slice_to_cstr(slice_of(target), ret->target, sizeof(ret->target));
}

int grant_parse(const json_t *mounts, struct grant *ret, struct err *err)
{
    ret->n = 0;
    size_t n = json_array_size(mounts);
    if (n > GRANT_MOUNTS_MAX)
        return err_set(err, -E2BIG, 0, "more than %d mounts", GRANT_MOUNTS_MAX);
    for (size_t i = 0; i < n; i++) {
        int r = grant_parse_one(json_array_get(mounts, i), &ret->mounts[i]);
        if (r < 0)
            return err_set(err, r, 0, "mount %zu of the version is not valid", i);
    }
    ret->n = (unsigned)n;
    return 0;
}

struct grant_trees {
    int tree, lock; /* owned */
};

static int grant_open(const struct grant_mount *m, int data_fd, struct grant_trees *ret)
{
    char path[GRANT_SOURCE_MAX + 16];
    *ret = (struct grant_trees){-1, -1};
    ret->tree =
        mount_tree_open(data_fd, m->source, m->access == GRANT_WRITE ? MOUNT_WRITE : MOUNT_READ);
    if (ret->tree < 0 || m->access != GRANT_LMDB)
        return MIN(ret->tree, 0);
    snprintf(path, sizeof(path), "%s/lock.mdb", m->source);
    ret->lock = mount_tree_open(data_fd, path, MOUNT_WRITE);
    return MIN(ret->lock, 0);
}

static int grant_attach(const struct grant_mount *m, const struct grant_trees *t)
{
    char path[GRANT_TARGET_MAX + 16];
    int r = mount_tree_attach(t->tree, m->target);
    if (r < 0 || t->lock < 0)
        return r;
    snprintf(path, sizeof(path), "%s/lock.mdb", m->target);
    return mount_tree_move(t->lock, path);
}

static int grant_go_inside(int pidfd)
{
    int flags = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
    if (setns(pidfd, flags) < 0 || chdir("/g") < 0)
        return -errno;
    umask(0022);
    return 0;
}

int grant_enter(const struct grant *g, int data_fd, int pidfd, struct err *err)
{
    struct grant_trees trees[GRANT_MOUNTS_MAX];
    for (unsigned i = 0; i < g->n; i++) {
        int r = grant_open(&g->mounts[i], data_fd, &trees[i]);
        if (r < 0)
            return err_set(err, r, 0, "cannot mount %s: %s", g->mounts[i].source, strerror(-r));
    }
    int r = grant_go_inside(pidfd);
    if (r < 0)
        return err_set(err, r, 0, "cannot enter the isolate's namespaces: %s", strerror(-r));
    for (unsigned i = 0; i < g->n; i++) {
        r = grant_attach(&g->mounts[i], &trees[i]);
        if (r < 0)
            return err_set(err, r, 0, "cannot attach %s: %s", g->mounts[i].target, strerror(-r));
    }
    r = mount_make_read_only("/g");
    return r < 0 ? err_set(err, r, 0, "cannot seal /g: %s", strerror(-r)) : 0;
}
