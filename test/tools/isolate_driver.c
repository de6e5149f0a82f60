/*
 * Runs one Worker in an isolate without sandbox and sends it requests: for trying and for measuring.
 *
 *     isolate_driver [options] DIR < requests
 *
 * DIR is a version's directory: linked.js, optionally spec.json and module files. A line of input is
 *     METHOD URL-or-path [header: value | header: value ...] [= body]
 * or  @CRON expression. Requests are sent one after another; --parallel sends all at once.
 *
 *     --bundle FILE    other built-in scripts than the embedded ones
 *     --mount T=PATH   makes PATH visible as mount T ("kv-..."); `code` is DIR
 *     --keeper ROOT    runs a keeper on ROOT and mounts the stores of the spec's bindings from it
 *     --link OUT       DIR's files are modules: links them into OUT (index.js, or --main NAME, is the main one)
 *     --bench N        sends the first request N times with 64 streams open, prints the rate
 *     --quiet          only statuses
 *     --stats          how long the start took and what memory the isolate has when it is loaded
 *
 * The world outside: fetch() of anything is answered with JSON that repeats the request.
 */
#include "core/clock.h"
#include "core/file.h"
#include "core/json.h"
#include "core/loop.h"
#include "net/http.h"
#include "proc/wire.h"
#include "product/messages.h"
#include "role/isolate_bundle.h"
#include "role/isolate_main.h"
#include "role/keeper_core.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DRIVER_STREAMS = 64,
    DRIVER_MOUNTS_MAX = 16,
    DRIVER_LINE_MAX = 1024 * 1024,
    DRIVER_MODULES_MAX = 512
};

struct driver {
    struct loop *loop;
    struct wire *control, *main, *keeper;
    pid_t pid;
    const char *dir, *bundle, *link_out, *main_name, *keeper_root;
    const char *mounts[DRIVER_MOUNTS_MAX];
    unsigned n_mounts;
    bool parallel, quiet, stats, loaded, input_ended;
    int64_t fork_us;
    char root[64];
    struct buf input;
    unsigned n_open, n_sent;
    /* bench */
    uint64_t bench, bench_sent, bench_done;
    int64_t begin_us;
    struct buf bench_args;
    struct slice bench_body;
};

struct driver_request {
    struct driver *driver;
    struct wire_stream *stream;
    unsigned number;
    bool over; /* answered to the end */
    struct buf body;
};

static void driver_next(struct driver *d);

static void driver_quit(struct driver *d, int status)
{
    int wait_status = 0;
    if (d->pid > 0) {
        wire_destroy(d->main);
        for (int i = 0; i < 200 && waitpid(d->pid, &wait_status, WNOHANG) == 0; i++)
            usleep(10000);
        kill(d->pid, SIGKILL);
    }
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) != 0)
        fprintf(stderr, "isolate ended with status %d\n", WEXITSTATUS(wait_status));
    if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) != SIGKILL)
        fprintf(stderr, "isolate killed by signal %d\n", WTERMSIG(wait_status));
    if (d->root[0] != 0 && file_remove_tree(AT_FDCWD, d->root) < 0)
        fprintf(stderr, "%s stays behind\n", d->root);
    exit(status);
}

/* --- answers --- */

static void driver_request_done(struct driver_request *q, int error)
{
    struct driver *d = q->driver;
    if (error < 0)
        printf("#%u failed: %s\n", q->number, strerror(-error));
    else if (!d->quiet && d->bench == 0)
        printf("%.*s\n", SLICE_ARG(buf_slice(&q->body)));
    fflush(stdout);
    wire_stream_close(q->stream, error);
    buf_done(&q->body);
    free(q);
    d->n_open--;
    if (!d->parallel && d->bench == 0)
        driver_next(d);
}

static void driver_on_reply(struct wire_stream *s, struct slice args, int fd UNUSED, bool end)
{
    struct driver_request *q = wire_stream_user(s);
    struct msg_response m;
    struct msg_outcome o;
    if (msg_response_unpack(args, &m) == 0) {
        printf("#%u %u %.*s%s\n", q->number, m.status, SLICE_ARG(m.status_text),
               (m.flags & MSG_HAS_BODY) ? "" : " (no body)");
        if (!q->driver->quiet)
            printf("%.*s", SLICE_ARG(m.headers));
    } else if (msg_outcome_unpack(args, &o) == 0) {
        printf("#%u outcome %.*s\n", q->number, SLICE_ARG(o.outcome));
    }
    if (end)
        driver_request_done(q, 0);
}

static void driver_on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct driver_request *q = wire_stream_user(s);
    buf_append_slice(&q->body, bytes);
    wire_consumed(s, bytes.len);
    if (end)
        driver_request_done(q, 0);
}

static void driver_on_reset(struct wire_stream *s, int reason)
{
    driver_request_done(wire_stream_user(s), reason);
}

static const struct wire_stream_events driver_request_events = {
    .reply = driver_on_reply, .data = driver_on_data, .reset = driver_on_reset};

/* --- requests --- */

static void driver_pack(struct driver *d, struct slice method, struct slice url,
                        struct slice headers, struct buf *ret)
{
    AUTO(buf_done) struct buf full = {0};
    if (slice_starts(url, SLICE("/")))
        buf_append_slice(&full, SLICE("http://worker.localhost"));
    buf_append_slice(&full, url);
    AUTO(buf_done) struct buf id = {0};
    buf_printf(&id, "%016x", ++d->n_sent);
    msg_request_pack(ret, &(struct msg_request){
                              .flags = MSG_TRACE,
                              .method = method,
                              .url = buf_slice(&full),
                              .headers = headers,
                              .cf = SLICE("{\"country\":\"T1\",\"httpProtocol\":\"HTTP/1.1\"}"),
                              .entrypoint = SLICE(""),
                              .request_id = buf_slice(&id),
                          });
}

static void driver_open(struct driver *d, uint16_t op, struct slice args, struct slice body,
                        bool has_body)
{
    struct driver_request *q = mem_new(sizeof *q);
    q->driver = d;
    q->number = d->n_sent;
    d->n_open++;
    q->stream = wire_open(d->main, op, args, -1, !has_body, &driver_request_events, q);
    if (q->stream == NULL)
        driver_quit(d, 1);
    if (has_body)
        wire_send(q->stream, body, true);
}

static void driver_send_line(struct driver *d, struct slice line)
{
    AUTO(buf_done) struct buf args = {0}, headers = {0};
    if (line.ptr[0] == '@') {
        d->n_sent++;
        msg_scheduled_pack(&args, &(struct msg_scheduled){.scheduled_ms = clock_wall_ms(),
                                                          .cron = slice_trim(slice_skip(line, 1)),
                                                          .request_id = SLICE("cron")});
        return driver_open(d, OP_scheduled, buf_slice(&args), SLICE_NONE, false);
    }
    struct slice method = slice_cut(&line, ' '), url = slice_cut(&line, ' '), body = SLICE_NONE;
    ssize_t at = line.ptr == NULL ? -1 : slice_find_slice(line, SLICE("= "));
    if (at >= 0) {
        body = slice_skip(line, (size_t)at + 2);
        line.len = (size_t)at;
    }
    while (line.ptr != NULL && line.len > 0) {
        struct slice value = slice_trim(slice_cut(&line, '|')), name = slice_cut(&value, ':');
        if (name.len > 0 && value.ptr != NULL)
            http_header_add(&headers, name, slice_trim(value));
    }
    if (at >= 0) {
        char length[32];
        snprintf(length, sizeof length, "%zu", body.len);
        http_header_add(&headers, SLICE("content-length"), slice_of(length));
    }
    driver_pack(d, method, url, buf_slice(&headers), &args);
    driver_open(d, OP_request, buf_slice(&args), body, at >= 0);
}

/* The next line of input; at its end waits for what is open. */
static void driver_next(struct driver *d)
{
    char *line = NULL;
    size_t size = 0;
    while (!d->input_ended) {
        ssize_t n = getline(&line, &size, stdin);
        if (n < 0) {
            d->input_ended = true;
            break;
        }
        struct slice s = slice_trim(slice_from(line, (size_t)n));
        if (s.len == 0 || s.ptr[0] == '#')
            continue;
        driver_send_line(d, s);
        if (!d->parallel)
            break;
    }
    free(line);
}

/* --- bench --- */

static void bench_fill(struct driver *d);

static void bench_on_end(struct driver *d, struct wire_stream *s)
{
    wire_stream_close(s, 0);
    d->bench_done++;
    d->n_open--;
    bench_fill(d);
}

static void bench_on_reply(struct wire_stream *s, struct slice args UNUSED, int fd UNUSED, bool end)
{
    if (end)
        bench_on_end(wire_stream_user(s), s);
}

static void bench_on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    wire_consumed(s, bytes.len);
    if (end)
        bench_on_end(wire_stream_user(s), s);
}

static void bench_on_reset(struct wire_stream *s, int reason)
{
    fprintf(stderr, "bench: reset %s\n", strerror(-reason));
    driver_quit(wire_stream_user(s), 1);
}

static const struct wire_stream_events bench_events = {
    .reply = bench_on_reply, .data = bench_on_data, .reset = bench_on_reset};

static void bench_finish(struct driver *d)
{
    double seconds = (double)(clock_boot_us() - d->begin_us) / 1e6;
    char stat_path[64];
    snprintf(stat_path, sizeof stat_path, "/proc/%d/stat", (int)d->pid);
    AUTO(buf_done) struct buf stat = {0};
    double cpu_s = 0;
    if (file_read(AT_FDCWD, stat_path, 4096, &stat) == 0) {
        unsigned long user = 0, sys = 0;
        const char *p = strrchr(buf_cstr(&stat), ')');
        if (p != NULL &&
            sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) == 2)
            cpu_s = (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
    }
    printf("%llu requests, %.3f s, %.0f requests/s; isolate used %.2f s CPU in all: %.0f requests "
           "per CPU second\n",
           (unsigned long long)d->bench_done, seconds, (double)d->bench_done / seconds, cpu_s,
           cpu_s > 0 ? (double)d->bench_done / cpu_s : 0);
    driver_quit(d, 0);
}

static void bench_fill(struct driver *d)
{
    while (d->n_open < DRIVER_STREAMS && d->bench_sent < d->bench) {
        d->bench_sent++;
        d->n_open++;
        bool has_body = d->bench_body.ptr != NULL;
        struct wire_stream *s = wire_open(d->main, OP_request, buf_slice(&d->bench_args), -1,
                                          !has_body, &bench_events, d);
        CHECK(s != NULL);
        if (has_body)
            wire_send(s, d->bench_body, true);
    }
    if (d->bench_done == d->bench)
        bench_finish(d);
}

static void bench_begin(struct driver *d)
{
    driver_pack(d, SLICE("GET"), SLICE("/"),
                SLICE("host: worker.localhost\r\nuser-agent: bench\r\naccept: */*\r\n"),
                &d->bench_args);
    d->begin_us = clock_boot_us();
    bench_fill(d);
}

static void driver_print_stats(struct driver *d)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)d->pid);
    FILE *f = fopen(path, "re");
    char line[256];
    printf("fork to loaded: %.2f ms\n", (double)(clock_boot_us() - d->fork_us) / 1000);
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "Rss:", 4) == 0 || strncmp(line, "Pss:", 4) == 0 ||
            strncmp(line, "Private_Dirty:", 14) == 0)
            fputs(line, stdout);
    if (f != NULL)
        fclose(f);
}

/* --- the isolate's side of the gateway wire --- */

static void driver_on_note(struct wire *w, uint32_t stream_id, uint16_t op, struct slice args,
                           int fd UNUSED)
{
    struct driver *d = wire_user(w);
    struct msg_loaded loaded;
    struct msg_load_failed failed;
    struct msg_event_end end;
    if (op == OP_loaded && msg_loaded_unpack(args, &loaded) == 0) {
        printf("loaded %.*s\n", SLICE_ARG(loaded.json));
        d->loaded = true;
        if (d->stats)
            driver_print_stats(d);
        if (d->bench > 0)
            bench_begin(d);
        else
            driver_next(d);
    } else if (op == OP_load_failed && msg_load_failed_unpack(args, &failed) == 0) {
        printf("load failed: %.*s\n", SLICE_ARG(failed.text));
        driver_quit(d, 1);
    } else if (op == OP_event_end && d->bench == 0 && msg_event_end_unpack(args, &end) == 0) {
        printf("-- stream %u: %.*s, cpu %llu us, wall %llu us %.*s\n", stream_id,
               SLICE_ARG(end.outcome), (unsigned long long)end.cpu_us,
               (unsigned long long)end.wall_us, SLICE_ARG(end.trace));
    }
    fflush(stdout);
}

/* fetch(): the request again, as JSON, then its body. */
static void driver_fetch_data(struct wire_stream *s, struct slice bytes, bool end)
{
    wire_consumed(s, bytes.len);
    wire_send(s, bytes, end);
    if (end)
        wire_stream_close(s, 0);
}

static void driver_fetch_reset(struct wire_stream *s, int reason)
{
    wire_stream_close(s, reason);
}

static const struct wire_stream_events driver_fetch_events = {.data = driver_fetch_data,
                                                              .reset = driver_fetch_reset};

static void driver_on_open(struct wire *w UNUSED, struct wire_stream *s, uint16_t op,
                           struct slice args, int fd UNUSED, bool end)
{
    struct msg_fetch m;
    if (op != OP_fetch || msg_fetch_unpack(args, &m) < 0)
        return wire_stream_close(s, -EOPNOTSUPP);
    wire_stream_own(s, &driver_fetch_events, NULL);
    AUTO(buf_done) struct buf json = {0}, reply = {0};
    buf_printf(&json, "{\"binding\":%lld,\"method\":",
               m.binding == BINDING_NONE ? -1LL : (long long)m.binding);
    json_quote(&json, m.method);
    buf_append_slice(&json, SLICE(",\"url\":"));
    json_quote(&json, m.url);
    buf_append_slice(&json, SLICE(",\"headers\":"));
    json_quote(&json, m.headers);
    buf_append_slice(&json, SLICE("}\n"));
    msg_fetched_pack(&reply,
                     &(struct msg_fetched){.status = 200,
                                           .flags = MSG_HAS_BODY,
                                           .content_length = -1,
                                           .status_text = SLICE("OK"),
                                           .headers = SLICE("content-type: application/json\r\n")});
    wire_reply(s, buf_slice(&reply), -1, false);
    wire_send(s, buf_slice(&json), end);
    if (end)
        wire_stream_close(s, 0);
}

static void driver_on_closed(struct wire *w, int reason)
{
    struct driver *d = wire_user(w);
    if (reason < 0)
        fprintf(stderr, "wire closed: %s\n", strerror(-reason));
    if (w == d->main)
        driver_quit(d, 1);
}

static const struct wire_events driver_wire_events = {
    .open = driver_on_open, .note = driver_on_note, .closed = driver_on_closed};

/* --- linking --- */

struct driver_link {
    struct driver *driver;
    struct buf code;
};

static void link_on_reply(struct wire_stream *s, struct slice args, int fd UNUSED, bool end)
{
    struct driver_link *l = wire_stream_user(s);
    struct msg_linked m;
    if (msg_linked_unpack(args, &m) < 0 || m.result < 0 || end) {
        fprintf(stderr, "link failed: %.*s\n", SLICE_ARG(m.text));
        driver_quit(l->driver, 1);
    }
}

static void link_on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct driver_link *l = wire_stream_user(s);
    buf_append_slice(&l->code, bytes);
    wire_consumed(s, bytes.len);
    if (!end)
        return;
    int r = file_replace(AT_FDCWD, l->driver->link_out, buf_slice(&l->code), 0644);
    driver_quit(l->driver, r < 0);
}

static void link_on_reset(struct wire_stream *s, int reason)
{
    struct driver_link *l = wire_stream_user(s);
    fprintf(stderr, "link: %s\n", strerror(-reason));
    driver_quit(l->driver, 1);
}

static const struct wire_stream_events link_events = {
    .reply = link_on_reply, .data = link_on_data, .reset = link_on_reset};

static const char *link_type(const char *name)
{
    static const struct {
        const char *ending, *type;
    } rows[] = {{".js", "esm"},   {".mjs", "esm"},   {".cjs", "cjs"},  {".json", "json"},
                {".txt", "text"}, {".html", "text"}, {".wasm", "wasm"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (slice_ends(slice_of(name), slice_of(rows[i].ending)))
            return rows[i].type;
    return "data";
}

static void driver_link(struct driver *d)
{
    struct driver_link *l = mem_new(sizeof *l);
    l->driver = d;
    AUTO(buf_done) struct buf body = {0}, options = {0}, args = {0};
    buf_printf(&options, "{\"main\":\"%s\",\"format\":\"modules\",\"modules\":[", d->main_name);
    DIR *dir = opendir(d->dir);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char path[512];
        AUTO(buf_done) struct buf file = {0};
        if (e->d_name[0] == '.' || e->d_type == DT_DIR)
            continue;
        snprintf(path, sizeof path, "%s/%s", d->dir, e->d_name);
        if (file_read(AT_FDCWD, path, 64 << 20, &file) < 0)
            continue;
        buf_printf(&options, "%s{\"name\":\"%s\",\"type\":\"%s\",\"size\":%zu}",
                   buf_len(&body) > 0 ? "," : "", e->d_name, link_type(e->d_name), buf_len(&file));
        buf_append_slice(&body, buf_slice(&file));
    }
    if (dir != NULL)
        closedir(dir);
    buf_append_slice(&options, SLICE("]}"));
    msg_link_pack(&args, &(struct msg_link){.options = buf_slice(&options)});
    struct wire_stream *s =
        wire_open(d->main, OP_link, buf_slice(&args), -1, false, &link_events, l);
    wire_send(s, buf_slice(&body), true);
}

/* --- start --- */

static void driver_make_root(struct driver *d)
{
    snprintf(d->root, sizeof d->root, "/tmp/isolate-driver-XXXXXX");
    CHECK(mkdtemp(d->root) != NULL);
    char path[128];
    AUTO(mem_release) char *dir = realpath(d->dir, NULL);
    if (dir == NULL) {
        fprintf(stderr, "no directory %s\n", d->dir);
        driver_quit(d, 2);
    }
    snprintf(path, sizeof path, "%s/code", d->root);
    CHECK(symlink(dir, path) == 0);
    for (unsigned i = 0; i < d->n_mounts; i++) {
        const char *eq = strchr(d->mounts[i], '=');
        AUTO(mem_release) char *target = eq == NULL ? NULL : realpath(eq + 1, NULL);
        snprintf(path, sizeof path, "%s/%.*s", d->root, eq == NULL ? 0 : (int)(eq - d->mounts[i]),
                 d->mounts[i]);
        if (target == NULL || symlink(target, path) < 0)
            fprintf(stderr, "mount %s: %s\n", d->mounts[i], strerror(errno));
    }
}

/* The stores of the bindings: made, and visible to the isolate. */
static void driver_make_stores(struct driver *d, struct slice spec)
{
    AUTO(json_release) json_t *root = NULL;
    AUTO(mem_release) char *base = realpath(d->keeper_root, NULL);
    if (json_parse(spec, &root, NULL) < 0 || base == NULL)
        return;
    json_t *bindings = json_object_get(root, "bindings");
    for (size_t i = 0; i < json_array_size(bindings); i++) {
        const json_t *b = json_array_get(bindings, i);
        const char *store = json_str(b, "store", NULL);
        char path[512], link[512];
        if (store == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", base, store);
        snprintf(link, sizeof link, "%s/%s", d->root, json_str(b, "mount", ""));
        if (file_make_dirs(AT_FDCWD, path, 0755) < 0 ||
            (symlink(path, link) < 0 && errno != EEXIST))
            fprintf(stderr, "store %s: %s\n", store, strerror(errno));
    }
}

static void driver_start_keeper(struct driver *d, struct slice spec)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    struct keeper_options options = {.root = d->keeper_root, .boot = "one", .n_threads = 4};
    struct keeper *keeper;
    CHECK(keeper_create(d->loop, &options, &keeper, NULL) == 0);
    CHECK(keeper_add_isolate(keeper, pair[0], 1, spec) == 0);
    AUTO(buf_done) struct buf args = {0};
    msg_isolate_wire_pack(&args, &(struct msg_isolate_wire){.which = 2});
    wire_note(d->control, 0, OP_isolate_wire, buf_slice(&args), pair[1]);
}

static void driver_child(struct driver *d, int fd)
{
    struct isolate_options options;
    isolate_options_default(&options);
    options.root = d->root;
    struct buf bundle = {0};
    if (d->bundle != NULL && file_read(AT_FDCWD, d->bundle, 64 << 20, &bundle) == 0)
        options.bundle = buf_slice(&bundle);
    _exit(isolate_run(fd, &options));
}

static void driver_send_wire(struct driver *d, uint8_t which, struct wire **ret)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    *ret = wire_create(d->loop, pair[0], 0, &driver_wire_events, d);
    AUTO(buf_done) struct buf args = {0};
    msg_isolate_wire_pack(&args, &(struct msg_isolate_wire){.which = which});
    wire_note(d->control, 0, OP_isolate_wire, buf_slice(&args), pair[1]);
}

static void driver_read_spec(struct driver *d, struct buf *ret)
{
    char path[512];
    snprintf(path, sizeof path, "%s/spec.json", d->dir);
    if (file_read(AT_FDCWD, path, 4 << 20, ret) < 0) {
        buf_clear(ret);
        buf_append_slice(
            ret,
            SLICE("{\"account\":\"\",\"script\":\"driver\",\"version\":\"\",\"format\":\"modules\","
                  "\"main\":\"index.js\",\"code\":\"linked.js\",\"modules\":[],"
                  "\"compat\":{\"date\":\"2026-01-01\",\"flags\":[\"nodejs_compat\"]},"
                  "\"limits\":{},\"bindings\":[],\"mounts\":[]}"));
    }
}

static void driver_start(struct driver *d)
{
    int pair[2];
    AUTO(buf_done) struct buf spec = {0};
    driver_make_root(d);
    driver_read_spec(d, &spec);
    if (d->keeper_root != NULL)
        driver_make_stores(d, buf_slice(&spec));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    d->fork_us = clock_boot_us();
    d->pid = fork();
    if (d->pid == 0) {
        close(pair[0]);
        driver_child(d, pair[1]);
    }
    close(pair[1]);
    d->loop = loop_create();
    d->control = wire_create(d->loop, pair[0], 0, &driver_wire_events, d);

    AUTO(buf_done) struct buf args = {0};
    msg_isolate_assign_pack(
        &args,
        &(struct msg_isolate_assign){.kind = d->link_out == NULL ? ISOLATE_WORKER : ISOLATE_LINKER,
                                     .spec = buf_slice(&spec)});
    wire_note(d->control, 0, OP_isolate_assign, buf_slice(&args), -1);
    driver_send_wire(d, 1, &d->main);
    if (d->keeper_root != NULL)
        driver_start_keeper(d, buf_slice(&spec));
    else
        driver_send_wire(d, 2, &d->keeper);
    if (d->link_out != NULL)
        driver_link(d);
}

static void driver_options(struct driver *d, int argc, char **argv)
{
    static const struct option options[] = {
        {"bundle", required_argument, NULL, 'b'}, {"mount", required_argument, NULL, 'm'},
        {"link", required_argument, NULL, 'l'},   {"main", required_argument, NULL, 'M'},
        {"bench", required_argument, NULL, 'n'},  {"parallel", no_argument, NULL, 'p'},
        {"quiet", no_argument, NULL, 'q'},        {"keeper", required_argument, NULL, 'k'},
        {"stats", no_argument, NULL, 's'},        {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'b':
            d->bundle = optarg;
            break;
        case 'm':
            if (d->n_mounts < DRIVER_MOUNTS_MAX)
                d->mounts[d->n_mounts++] = optarg;
            break;
        case 'k':
            d->keeper_root = optarg;
            break;
        case 'l':
            d->link_out = optarg;
            break;
        case 'M':
            d->main_name = optarg;
            break;
        case 'n':
            d->bench = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            d->parallel = true;
            break;
        case 'q':
            d->quiet = true;
            break;
        case 's':
            d->stats = true;
            break;
        default:
            exit(2);
        }
    }
    if (optind >= argc) {
        fprintf(stderr, "usage: isolate_driver [options] DIR < requests (see the source)\n");
        exit(2);
    }
    d->dir = argv[optind];
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    struct driver *d = mem_new(sizeof *d);
    d->main_name = "index.js";
    driver_options(d, argc, argv);
    driver_start(d);
    while (!d->input_ended || d->n_open > 0 || d->link_out != NULL)
        loop_turn(d->loop, 100);
    /* Events that go on after their answers. */
    for (int i = 0; i < 5; i++)
        loop_turn(d->loop, 20);
    driver_quit(d, 0);
}
