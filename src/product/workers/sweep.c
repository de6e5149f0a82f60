/*
 * What a process that died has left behind, removed at the next start: versions without a row, sessions
 * and tails that are over, uploads of imports.
 */
#include "product/workers/workers_impl.h"

#include "core/file.h"
#include "core/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { SWEEP_SESSION_MS = 24 * 3600 * 1000 };

static DIR *sweep_open(int dir_fd, const char *path)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL && fd >= 0)
        close(fd);
    return dir;
}

static void sweep_close(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

static void sweep_version(struct api *api, const char *script, const char *id)
{
    char path[WORKER_PATH_MAX];
    int64_t n = 0;
    int r = db_int(api->db, &n, "SELECT count(*) FROM versions WHERE id = ? AND script = ?", "ss",
                   id, script);
    if (r < 0 || n > 0)
        return;
    snprintf(path, sizeof(path), "workers/%.*s/%.*s", WORKER_NAME_MAX, script, ID_UUID_SIZE, id);
    r = file_remove_tree(api->data_fd, path);
    LOG(LOG_INFO, "version_swept", F("path", "%s", path), F("result", "%d", r));
}

static void sweep_script(struct api *api, const char *script)
{
    char path[WORKER_PATH_MAX];
    struct dirent *entry;
    snprintf(path, sizeof(path), "workers/%.*s", WORKER_NAME_MAX, script);
    AUTO(sweep_close) DIR *dir = sweep_open(api->data_fd, path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (id_is_uuid(slice_of(entry->d_name)))
            sweep_version(api, script, entry->d_name);
    }
    /* Goes only when nothing is left in it: the script itself was deleted. */
    (void)unlinkat(api->data_fd, path, AT_REMOVEDIR);
}

void workers_sweep(struct api *api)
{
    struct dirent *entry;
    AUTO(sweep_close) DIR *dir = sweep_open(api->data_fd, "workers");
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (script_name_check(entry->d_name, NULL) == 0)
            sweep_script(api, entry->d_name);
    }
    int r = db_run(api->db, "DELETE FROM worker_asset_sessions WHERE at_ms < ?", "l",
                   workers_now() - SWEEP_SESSION_MS);
    if (r >= 0)
        r = db_run(api->db, "DELETE FROM worker_tails WHERE expires_ms < ?", "l", workers_now());
    if (r < 0)
        LOG(LOG_WARN, "sweep_failed", F("error", "%d", r));
}
