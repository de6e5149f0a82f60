/*
 * Classic web platform tests: each file in a fresh isolate; http URLs are files below the tests' root.
 */
#include "role/test_worker.h"

#include "core/file.h"
#include "product/messages.h"
#include "role/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char wpt_code[] =
    "(rt) => { rt.main = 'main'; rt.esm('main', [], (e) => { e({ default: () => ({}) });"
    " return { setters: [], execute() {} }; }, { line: 0, exports: ['default', 'default'] }); }";

static const char wpt_date[] = "2026-08-22";

/* --- files --- */

/* The file behind a URL, or a negative errno. */
static int wpt_open(const struct test_runner *r, struct slice path)
{
    char plain[TEST_WORKER_PATH_MAX], full[2 * TEST_WORKER_PATH_MAX];
    struct slice rest = path, name = slice_cut(&rest, '?');
    if (slice_find_slice(name, SLICE("/../")) >= 0 || slice_to_cstr(name, plain, sizeof(plain)) < 0)
        return -EINVAL;
    const char *place = plain;
    if (strcmp(plain, "/resources/WebIDLParser.js") == 0) /* a name that the tests' server maps */
        place = "/resources/webidl2/lib/webidl2.js";
    snprintf(full, sizeof(full), "%s%s", r->wpt_root, place);
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void wpt_world(struct call *c)
{
    const struct test_runner *r = c->gateway->world_arg;
    struct stat st;
    if (!r->wpt)
        return call_fail(c, 502, "Network connection lost.");
    int fd = wpt_open(r, c->request.path);
    bool found = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    struct call_head head = {.status = found ? 200 : 404,
                             .status_text = found ? SLICE("OK") : SLICE("Not Found"),
                             .headers = SLICE(""),
                             .content_length = found ? (int64_t)st.st_size : 0};
    head.end = head.content_length == 0;
    if (!head.end)
        return file_answer(c, fd, 0, &head);
    fd_release(&fd);
    call_respond(c, &head);
}

/* --- running them --- */

static int wpt_prepare(struct test_runner *r, struct err *err)
{
    char path[TEST_WORKER_PATH_MAX + 32];
    AUTO(json_release)
    json_t *compat =
        json_pack("{s:s, s:O}", "date", r->date == NULL ? wpt_date : r->date, "flags", r->flags);
    AUTO(json_release) json_t *modules = json_array();
    r->n_services = 1;
    r->services = mem_new(sizeof(*r->services));
    struct test_service *s = &r->services[0];
    *s = (struct test_service){
        .runner = r, .name = "wpt", .bindings = json_array(), .mounts = json_array()};
    snprintf(s->dir, sizeof(s->dir), "%.*s/0", (int)(sizeof(s->dir) - 3), r->root);
    service_spec(s, "main", compat, modules);
    snprintf(path, sizeof(path), "%s/code", s->dir);
    int result = file_make_dirs(AT_FDCWD, path, 0755);
    snprintf(path, sizeof(path), "%s/code/linked.js", s->dir);
    if (result == 0)
        result = file_replace(AT_FDCWD, path, slice_of(wpt_code), 0644);
    return result < 0 ? err_set(err, result, 0, "cannot write %s", path) : 0;
}

static void wpt_event(struct test_service *s, const char *path, const char *variant,
                      json_t **ret_variants)
{
    char url[TEST_WORKER_PATH_MAX];
    snprintf(url, sizeof(url), "http://web-platform.test:8000/%s%s", path, variant);
    printf("# %s%s\n", path, variant);
    world_stop_service(s);
    event_report(s, "WPT", url, "(file)", ret_variants);
}

static void wpt_file(struct test_runner *r, const char *path)
{
    AUTO(json_release) json_t *variants = NULL;
    struct test_service *s = &r->services[0];
    wpt_event(s, path, "", &variants);
    for (size_t i = 0; i < json_array_size(variants); i++)
        wpt_event(s, path, json_string_value(json_array_get(variants, i)), NULL);
}

/* Files are named relative to the root; without one, to the directory of the first. */
int wpt_run(struct test_runner *r, struct err *err)
{
    AUTO(mem_release) char *root = NULL;
    const char *slash = strrchr(r->files[0], '/');
    if (r->wpt_root == NULL) {
        root = strndup(r->files[0], slash == NULL ? 0 : (size_t)(slash - r->files[0]));
        r->wpt_root = root[0] == '\0' ? "." : root;
    }
    int result = wpt_prepare(r, err);
    if (result == 0)
        result = world_set_table(r, err);
    for (int i = 0; i < r->n_files && result == 0; i++) {
        const char *path = r->files[i];
        size_t n = strlen(r->wpt_root);
        if (strncmp(path, r->wpt_root, n) == 0 && path[n] == '/')
            path += n + 1;
        wpt_file(r, path);
    }
    r->wpt_root = NULL;
    return result;
}
