/*
 * What a running server says about itself: env and status.
 */
#include "role/cli.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLI_FILE_MAX = 1024 * 1024 };

int cli_read_file(const struct cli *cli, const char *name, struct buf *ret, struct err *err)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/%s", cli->data, name) >= (int)sizeof(path))
        return err_set(err, -ENAMETOOLONG, 0, "the name of the data directory is too long");
    int r = file_read(AT_FDCWD, path, CLI_FILE_MAX, ret);
    return r < 0 ? err_set(err, r, 0, "cannot read %s: %s", path, strerror(-r)) : 0;
}

int cli_read_run(const struct cli *cli, json_t **ret, struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(json_release) json_t *run = NULL;
    int r = cli_read_file(cli, "run.json", &text, err);
    if (r == 0)
        r = json_parse(buf_slice(&text), &run, err);
    if (r == 0 && kill((pid_t)json_int(run, "pid", 0), 0) < 0 && errno == ESRCH)
        r = -ESRCH;
    if (r == -ENOENT || r == -ESRCH)
        return err_set(err, -ESRCH, 0,
                       "no server runs on %s; start one with: selvedge serve --data %s", cli->data,
                       cli->data);
    if (r == 0)
        *ret = TAKE(run);
    return r;
}

int cli_env(struct cli *cli)
{
    AUTO(json_release) json_t *run = NULL;
    AUTO(buf_done) struct buf token = {0}, account = {0};
    struct err err = {0};
    int r = cli_read_run(cli, &run, &err);
    if (r == 0)
        r = cli_read_file(cli, "token", &token, &err);
    if (r == 0)
        r = cli_read_file(cli, "account", &account, &err);
    if (r < 0)
        return cli_fail(&err);
    const char *api = json_str(run, "api", "");
    printf("export CLOUDFLARE_API_BASE_URL=http://%s/client/v4\n", api);
    printf("export CLOUDFLARE_BASE_URL=http://%s/client/v4\n", api);
    printf("export CLOUDFLARE_API_TOKEN=%.*s\n", SLICE_ARG(slice_trim(buf_slice(&token))));
    printf("export CLOUDFLARE_ACCOUNT_ID=%.*s\n", SLICE_ARG(slice_trim(buf_slice(&account))));
    printf("export WRANGLER_SEND_METRICS=false\n");
    printf("export SELVEDGE_URL=http://%s\n", json_str(run, "listen", ""));
    return 0;
}

/* --- status --- */

static int cli_read_status(const struct cli *cli, json_t **ret, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    AUTO(buf_done) struct buf text = {0};
    AUTO(fd_release) int dir = open(cli->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(fd_release) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/status.sock", dir);
    if (dir < 0 || fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return err_set(err, -errno, 0, "cannot ask the server on %s: %m", cli->data);
    ssize_t n;
    do {
        n = read(fd, buf_reserve(&text, 65536), 65536);
        if (n > 0)
            buf_added(&text, (size_t)n);
    } while (n > 0);
    return json_parse(buf_slice(&text), ret, err);
}

static void cli_print_roles(const json_t *status)
{
    size_t i;
    json_t *role;
    printf("\n%-12s %8s %8s %9s %10s\n", "role", "pid", "ready", "restarts", "memory");
    json_array_foreach(json_object_get(status, "roles"), i, role)
        printf("%-12s %8" PRId64 " %8s %9" PRId64 " %7" PRId64 " MB\n", json_str(role, "role", ""),
               json_int(role, "pid", 0), json_bool(role, "ready", false) ? "yes" : "no",
               json_int(role, "restarts", 0), json_int(role, "memory_kb", 0) / 1024);
}

static void cli_print_isolates(const json_t *isolates)
{
    size_t i;
    json_t *iso;
    printf("\n%" PRId64 " isolates alive, %" PRId64 " spares, %" PRId64 " starts waiting; %" PRId64
           " started, %" PRId64 " crashes\n",
           json_int(isolates, "alive", 0), json_int(isolates, "spares", 0),
           json_int(isolates, "waiting", 0), json_int(isolates, "started", 0),
           json_int(isolates, "crashed", 0));
    json_array_foreach(json_object_get(isolates, "list"), i, iso)
    {
        if (json_str(iso, "script", "")[0] == '\0')
            continue;
        printf("  %-8s %-24s %-36s pid %-7" PRId64 " %6" PRId64 " KB of %" PRId64 " KB\n",
               json_str(iso, "state", ""), json_str(iso, "script", ""),
               json_str(iso, "version", ""), json_int(iso, "pid", 0),
               json_int(iso, "private_kb", 0), json_int(iso, "limit_kb", 0));
    }
}

static void cli_print_damaged(const json_t *damaged)
{
    size_t i;
    json_t *store;
    if (json_array_size(damaged) > 0)
        printf("\nDamaged files; everything else goes on:\n");
    json_array_foreach(damaged, i, store)
        printf("  %-40s %s\n  %-40s %s\n", json_str(store, "store", ""),
               json_str(store, "reason", ""), "", json_str(store, "next", ""));
}

int cli_status(struct cli *cli)
{
    AUTO(json_release) json_t *run = NULL, *status = NULL;
    AUTO(buf_done) struct buf out = {0};
    struct err err = {0};
    int r = cli_read_run(cli, &run, &err);
    if (r == 0)
        r = cli_read_status(cli, &status, &err);
    if (r < 0)
        return cli_fail(&err);
    if (cli->n_args > 0 && strcmp(cli->args[0], "--json") == 0) {
        json_print(&out, status);
        printf("%s\n", buf_cstr(&out));
        return 0;
    }
    printf("Selvedge %s, pid %" PRId64 ", up %" PRId64 " s, data in %s\n",
           json_str(status, "version", ""), json_int(status, "pid", 0),
           json_int(status, "uptime_s", 0), json_str(status, "data", ""));
    printf("Workers http://%s, API http://%s, domain %s, control groups: %s\n",
           json_str(status, "workers", ""), json_str(status, "api", ""),
           json_str(status, "domain", ""), json_str(status, "cgroup", ""));
    cli_print_roles(status);
    cli_print_isolates(json_object_get(status, "isolates"));
    cli_print_damaged(json_object_get(status, "damaged"));
    return 0;
}
