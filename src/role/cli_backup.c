/*
 * `selvedge backup` and `selvedge restore`.
 *
 * A backup is a data directory with a list of its files and their SHA-256. While a server runs, control and keeper make
 * consistent copies of their databases beside the originals and this command moves them away; it opens no database itself.
 * Everything acknowledged before it began is in it. Each store is as of one moment, not all of them as of the same.
 */
#include "role/cli.h"

#include "core/clock.h"
#include "core/digest.h"
#include "core/file.h"
#include "core/file_copy.h"
#include "core/id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BACKUP_PATH_MAX = 4096,
    BACKUP_STORE_MAX = 1024,
    BACKUP_SUM_SIZE = 65,
    BACKUP_LIST_MAX = 512 * 1024 * 1024
};

#define BACKUP_LIST "backup.json"

/* Made anew by every server, or worth nothing elsewhere. */
static const char *const backup_skips[] = {"logs", "spool", "cache", NULL};
static const char *const backup_skipped_files[] = {"run.json", BACKUP_LIST, "control.sock", NULL};

struct backup {
    struct cli *cli;
    bool live;
    char id[ID_HEX_SIZE];
    int data, to;
    json_t *files;
    uint64_t bytes;
    struct err *err;
};

static bool backup_names(const char *const *list, const char *name)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, name) == 0)
            return true;
    }
    return false;
}

static int backup_sum(int dir, const char *name, char ret[BACKUP_SUM_SIZE], uint64_t *ret_size)
{
    char piece[65536];
    uint8_t sum[DIGEST_MAX];
    AUTO(digest_release) struct digest *d = digest_create(DIGEST_SHA256);
    AUTO(fd_release) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n;
    *ret_size = 0;
    if (fd < 0)
        return -errno;
    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        digest_update(d, slice_from(piece, (size_t)n));
        *ret_size += (uint64_t)n;
    }
    if (n < 0)
        return -errno;
    digest_value(d, sum);
    hex_encode(sum, 32, ret);
    return 0;
}

/* --- what is not in accounts/ --- */

static int backup_one(void *arg, int from_dir, const char *name, int to_dir, const char *path)
{
    const struct backup *b = arg;
    if (backup_names(backup_skipped_files, path) ||
        (b->live && strncmp(path, "control.db", 10) == 0))
        return 0;
    if (strcmp(path, "control.db") == 0)
        return file_copy_database(from_dir, name, to_dir);
    return strcmp(path, "control.db-wal") == 0 || strcmp(path, "control.db-shm") == 0
               ? 0
               : file_copy_store_file(from_dir, name, to_dir, path, false);
}

static int backup_plain(struct backup *b)
{
    const char *skips[8] = {"accounts"};
    memcpy(skips + 1, backup_skips, sizeof(backup_skips));
    const struct file_tree tree = {.skip = skips, .one = backup_one, .arg = b};
    int r = file_copy_tree(b->data, ".", b->to, ".", &tree);
    return r < 0 ? err_set(b->err, r, 0, "the data directory cannot be copied: %s", strerror(-r))
                 : 0;
}

static int backup_control(struct backup *b)
{
    AUTO(buf_done) struct buf account = {0}, body = {0}, path = {0};
    AUTO(json_release) json_t *result = NULL;
    if (!b->live)
        return 0;
    int r = cli_read_file(b->cli, "account", &account, b->err);
    if (r < 0)
        return r;
    buf_printf(&path, "/accounts/%.*s/selvedge/backup", SLICE_ARG(slice_trim(buf_slice(&account))));
    buf_printf(&body, "{\"id\":\"%s\"}", b->id);
    const struct cli_request q = {
        .method = "POST", .path = buf_cstr(&path), .body = buf_slice(&body)};
    r = cli_api(b->cli, &q, &result, b->err);
    if (r < 0)
        return r;
    char made[96];
    snprintf(made, sizeof(made), "spool/backup-%s.db", b->id);
    r = file_copy(b->data, made, b->to, "control.db");
    (void)unlinkat(b->data, made, 0); /* the spool is emptied at the next start */
    return r < 0 ? err_set(b->err, r, 0, "control.db cannot be copied: %s", strerror(-r)) : 0;
}

/* --- stores --- */

static int backup_store_file(void *arg, int from_dir, const char *name, int to_dir,
                             const char *path)
{
    (void)arg;
    return file_copy_store_file(from_dir, name, to_dir, path, false);
}

static int backup_move_file(void *arg, int from_dir, const char *name, int to_dir, const char *path)
{
    (void)arg, (void)path;
    return renameat(from_dir, name, to_dir, name) == 0 ? 0
                                                       : file_copy(from_dir, name, to_dir, name);
}

/* accounts/<account>/<kind>/<name>: by the keeper; what it does not know is copied as it lies there. */
static int backup_store(struct backup *b, const char *account, const char *store)
{
    AUTO(buf_done) struct buf body = {0}, path = {0};
    AUTO(json_release) json_t *result = NULL;
    char from[BACKUP_PATH_MAX], to[BACKUP_PATH_MAX];
    struct file_tree tree = {.one = backup_store_file};
    struct err refused = {0};
    buf_printf(&path, "/accounts/%s/selvedge/backup", account);
    buf_printf(&body, "{\"id\":\"%s\",\"store\":\"%s\"}", b->id, store);
    const struct cli_request q = {
        .method = "POST", .path = buf_cstr(&path), .body = buf_slice(&body)};
    snprintf(to, sizeof(to), "accounts/%s/%s", account, store);
    snprintf(from, sizeof(from), "accounts/%s/%s", account, store);
    if (b->live && cli_api(b->cli, &q, &result, &refused) == 0) {
        snprintf(from, sizeof(from), "accounts/%s/.backup/%s/%s", account, b->id, store);
        tree.one = backup_move_file;
    }
    int r = file_copy_tree(b->data, from, b->to, to, &tree);
    if (r == 0 ||
        (r == -ENOENT && tree.one == backup_store_file)) /* it may have been deleted meanwhile */
        return 0;
    return err_set(b->err, r, 0, "the store %s cannot be copied: %s%s%s", store, strerror(-r),
                   refused.text[0] != 0 ? "; the server said: " : "", refused.text);
}

typedef int (*backup_each)(struct backup *b, const char *dir, const char *name);

static void dir_release(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

/* Calls each(b, dir, name) for the directories in data/<dir>; files beside them are copied. */
static int backup_list(struct backup *b, const char *dir, backup_each each)
{
    int fd = openat(b->data, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_set(b->err, -errno, 0, "%s cannot be read: %m", dir);
    AUTO(dir_release) DIR *d = fdopendir(fd);
    AUTO(fd_release) int to = -1;
    struct dirent *e;
    int r = file_make_dirs(b->to, dir, 0755);
    if (r == 0)
        to = openat(b->to, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st, own;
    if (to >= 0 && fstat(fd, &own) == 0)
        r = (fchown(to, own.st_uid, own.st_gid) < 0 && errno != EPERM && errno != EINVAL) ? -errno
                                                                                          : 0;
    while (r == 0 && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        r = S_ISDIR(st.st_mode)   ? each(b, dir, e->d_name)
            : S_ISREG(st.st_mode) ? file_copy_store_file(fd, e->d_name, to, e->d_name, false)
                                  : 0;
        if (r == -ENOENT)
            r = 0;
    }
    return r < 0 && b->err->text[0] == 0
               ? err_set(b->err, r, 0, "%s cannot be copied: %s", dir, strerror(-r))
               : r;
}

static int backup_in_kind(struct backup *b, const char *dir, const char *name)
{
    char account[ID_HEX_SIZE], store[BACKUP_STORE_MAX];
    struct slice rest = slice_of(dir);
    (void)slice_cut(&rest, '/');
    if (slice_to_cstr(slice_cut(&rest, '/'), account, sizeof(account)) < 0)
        return 0;
    if (snprintf(store, sizeof(store), "%.*s/%s", SLICE_ARG(rest), name) >= (int)sizeof(store))
        return -ENAMETOOLONG;
    return backup_store(b, account, store);
}

static int backup_kind(struct backup *b, const char *dir, const char *name)
{
    char path[BACKUP_PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    return backup_list(b, path, backup_in_kind);
}

static int backup_account(struct backup *b, const char *dir, const char *name)
{
    char path[BACKUP_PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int r = backup_list(b, path, backup_kind);
    snprintf(path, sizeof(path), "%s/%s/.backup/%s", dir, name, b->id);
    int removed = file_remove_tree(b->data, path);
    if (removed < 0) /* the keeper tries again at its next start */
        fprintf(stderr, "selvedge: %s cannot be removed: %s\n", path, strerror(-removed));
    return r;
}

/* --- the list --- */

/* Walks the backup itself; nothing is copied. */
static int backup_note(void *arg, int from_dir, const char *name, int to_dir, const char *path)
{
    struct backup *b = arg;
    char sum[BACKUP_SUM_SIZE];
    uint64_t size;
    (void)to_dir;
    if (strcmp(path, BACKUP_LIST) == 0)
        return 0;
    int r = backup_sum(from_dir, name, sum, &size);
    if (r < 0)
        return r;
    b->bytes += size;
    json_array_append_new(b->files, json_pack("{s:s, s:I, s:s}", "path", path, "size",
                                              (json_int_t)size, "sha256", sum));
    return 0;
}

static int backup_write_list(struct backup *b)
{
    const struct file_tree tree = {.one = backup_note, .arg = b};
    AUTO(json_release) json_t *list = NULL;
    AUTO(buf_done) struct buf text = {0};
    char now[CLOCK_TEXT_SIZE];
    b->files = json_array();
    list = json_pack("{s:s, s:s, s:o}", "version", SELVEDGE_VERSION, "made",
                     clock_rfc3339(clock_wall_ms(), now), "files", b->files);
    int r = file_copy_tree(b->to, ".", b->to, ".", &tree);
    if (r == 0) {
        json_print(&text, list);
        r = syncfs(b->to) < 0 ? -errno : file_replace(b->to, BACKUP_LIST, buf_slice(&text), 0600);
    }
    return r < 0 ? err_set(b->err, r, 0, "the backup's list cannot be written: %s", strerror(-r))
                 : (int)json_array_size(b->files);
}

/* --- commands --- */

/* An empty directory, made when absent. */
static int backup_target(const char *path, struct err *err)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_set(err, -errno, 0, "%s cannot be made: %m", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, 0, "%s cannot be opened: %m", path);
    AUTO(dir_release) DIR *d = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    struct dirent *e;
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            fd_release(&fd);
            return err_set(err, -EEXIST, 0,
                           "%s is not empty; give a directory that is, or does not exist", path);
        }
    }
    return fd;
}

static int backup_run(struct backup *b)
{
    int r = backup_control(b);
    if (r == 0)
        r = backup_plain(b);
    if (r == 0)
        r = backup_list(b, "accounts", backup_account);
    return r < 0 ? r : backup_write_list(b);
}

static int backup_args(struct cli *cli, const char *verb, struct err *err)
{
    return cli->n_args == 1 ? 0
                            : err_set(err, -EINVAL, 0, "give one directory: selvedge %s DIR", verb);
}

int cli_backup(struct cli *cli)
{
    AUTO(json_release) json_t *run = NULL;
    struct err err = {0};
    struct backup b = {.cli = cli, .err = &err};
    int r = backup_args(cli, "backup", &err);
    if (r < 0)
        return cli_fail(&err);
    AUTO(fd_release) int data = open(cli->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data < 0) {
        err_set(&err, -errno, 0, "there is no data directory %s; name it with --data", cli->data);
        return cli_fail(&err);
    }
    r = cli_read_run(cli, &run, &err);
    b.live = r == 0;
    if (r < 0 && r != -ESRCH)
        return cli_fail(&err);
    err = (struct err){0};
    AUTO(fd_release) int to = backup_target(cli->args[0], &err);
    if (to < 0)
        return cli_fail(&err);
    b.data = data;
    b.to = to;
    id_hex(b.id);
    r = backup_run(&b);
    if (r < 0)
        return cli_fail(&err);
    printf("%d files, %llu bytes: %s\nTo get it back: selvedge restore --data NEW %s\n", r,
           (unsigned long long)b.bytes, cli->args[0], cli->args[0]);
    return 0;
}

/* --- restore --- */

static int restore_check(int from, const json_t *file, struct err *err)
{
    char sum[BACKUP_SUM_SIZE];
    uint64_t size;
    const char *path = json_str(file, "path", "");
    int r = backup_sum(from, path, sum, &size);
    if (r < 0)
        return err_set(err, r, 0, "the backup is damaged: %s cannot be read: %s", path,
                       strerror(-r));
    if (strcmp(sum, json_str(file, "sha256", "")) != 0)
        return err_set(err, -EBADMSG, 0,
                       "the backup is damaged: %s is not what was backed up; nothing was restored",
                       path);
    return 0;
}

static int restore_all_checked(int from, const json_t *list, struct err *err)
{
    const json_t *files = json_object_get(list, "files");
    size_t i;
    json_t *file;
    json_array_foreach(files, i, file)
    {
        int r = restore_check(from, file, err);
        if (r < 0)
            return r;
    }
    return (int)i;
}

static int restore_one(void *arg, int from_dir, const char *name, int to_dir, const char *path)
{
    (void)arg;
    return strcmp(path, BACKUP_LIST) == 0 ? 0 : file_copy(from_dir, name, to_dir, name);
}

static int restore_list(int from, json_t **ret, struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    int r = file_read(from, BACKUP_LIST, BACKUP_LIST_MAX, &text);
    if (r < 0)
        return err_set(err, r, 0, "this is no backup: " BACKUP_LIST " cannot be read: %s",
                       strerror(-r));
    return json_parse(buf_slice(&text), ret, err);
}

int cli_restore(struct cli *cli)
{
    static const struct file_tree tree = {.one = restore_one};
    AUTO(json_release) json_t *list = NULL;
    struct err err = {0};
    int r = backup_args(cli, "restore", &err);
    if (r < 0)
        return cli_fail(&err);
    AUTO(fd_release) int from = open(cli->args[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0) {
        err_set(&err, -errno, 0, "%s cannot be opened: %m", cli->args[0]);
        return cli_fail(&err);
    }
    r = restore_list(from, &list, &err);
    int n = r < 0 ? r : restore_all_checked(from, list, &err);
    AUTO(fd_release) int to = n < 0 ? -1 : backup_target(cli->data, &err);
    if (n < 0 || to < 0)
        return cli_fail(&err);
    r = file_copy_tree(from, ".", to, ".", &tree);
    if (r == 0 && syncfs(to) < 0)
        r = -errno;
    if (r < 0) {
        err_set(&err, r, 0, "%s cannot be filled: %s", cli->data, strerror(-r));
        return cli_fail(&err);
    }
    printf("%d files restored; start it with: selvedge serve --data %s\n", n, cli->data);
    return 0;
}
