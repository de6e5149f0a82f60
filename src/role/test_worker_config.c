/*
 * From the command line or a description to services that can be started.
 *
 * The description: {"services": [{"name", "modules": [{"name", KIND: content}], "bindings": [{"name", KIND:
 * value}], "durableObjectNamespaces", "compatibilityDate", "compatibilityFlags", "globalOutbound"}], "main": "name of
 * one"}. Content is a path relative to the description, or {"text": "..."}.
 */
#include "role/test_worker.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char newest_date[] = "2026-08-22";

/* What the linker and the isolate call the kinds of modules. */
static const struct module_kind {
    const char *key, *type;
    bool script;
} module_kinds[] = {
    {"esModule", "esm", true}, {"commonJsModule", "cjs", true}, {"text", "text", false},
    {"data", "data", false},   {"json", "json", false},         {"wasm", "wasm", false},
};

/* --- the description --- */

static void config_add_file(json_t *modules, const char *file)
{
    static const struct {
        const char *ending, *kind;
    } rows[] = {{".cjs", "commonJsModule"}, {".json", "json"}, {".txt", "text"},
                {".wasm", "wasm"},          {".bin", "data"},  {"", "esModule"}};
    size_t i = 0;
    while (!slice_ends(slice_of(file), slice_of(rows[i].ending)))
        i++;
    const char *name = file;
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    json_array_append_new(modules, json_pack("{s:s, s:s}", "name", name, rows[i].kind, file));
}

/* A service out of files and options: the first file is the main module. */
static json_t *config_from_files(const struct test_runner *r)
{
    json_t *modules = json_array(), *bindings = json_array();
    const char *name;
    json_t *text;
    for (int i = 0; i < r->n_files; i++)
        config_add_file(modules, r->files[i]);
    json_object_foreach(r->texts, name, text)
    {
        json_array_append_new(bindings, json_pack("{s:s, s:O}", "name", name, "text", text));
    }
    return json_pack("{s:[{s:s, s:o, s:o, s:O, s:s}]}", "services", "name", "main", "modules",
                     modules, "bindings", bindings, "compatibilityFlags", r->flags,
                     "compatibilityDate", r->date == NULL ? newest_date : r->date);
}

int config_read(struct test_runner *r, struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    int result = 0;
    if (r->config_file == NULL) {
        r->config = config_from_files(r);
    } else {
        result = file_read(AT_FDCWD, r->config_file, TEST_WORKER_FILE_MAX, &text);
        if (result < 0)
            return err_set(err, result, 0, "cannot read %s: %s", r->config_file, strerror(-result));
        result = json_parse(buf_slice(&text), &r->config, err);
    }
    if (result < 0)
        return result;
    const json_t *services = json_object_get(r->config, "services");
    r->n_services = json_array_size(services);
    r->services = mem_new((r->n_services + 1) * sizeof(*r->services));
    for (size_t i = 0; i < r->n_services; i++) {
        const json_t *config = json_array_get(services, i);
        r->services[i] = (struct test_service){
            .runner = r, .config = config, .name = json_str(config, "name", "")};
    }
    return r->n_services > 0 ? 0 : err_set(err, -EINVAL, 0, "the description has no services");
}

int config_content(struct test_runner *r, const json_t *value, struct buf *ret, struct err *err)
{
    const char *path = json_string_value(value);
    const json_t *text = json_object_get(value, "text");
    char full[2 * TEST_WORKER_PATH_MAX] = "";
    if (text != NULL) {
        buf_append(ret, json_string_value(text), json_string_length(text));
        return 0;
    }
    if (path == NULL)
        return err_set(err, -EINVAL, 0, "content must be a path or {\"text\": \"...\"}");
    const char *slash = r->config_file == NULL ? NULL : strrchr(r->config_file, '/');
    if (slash != NULL && path[0] != '/')
        snprintf(full, sizeof(full), "%.*s/", (int)(slash - r->config_file), r->config_file);
    snprintf(full + strlen(full), sizeof(full) - strlen(full), "%s", path);
    int result = file_read(AT_FDCWD, full, TEST_WORKER_FILE_MAX, ret);
    return result < 0 ? err_set(err, result, 0, "cannot read %s: %s", full, strerror(-result)) : 0;
}

struct test_service *config_find(struct test_runner *r, const char *name)
{
    for (size_t i = 0; i < r->n_services; i++) {
        if (strcmp(r->services[i].name, name) == 0)
            return &r->services[i];
    }
    return NULL;
}

/* --- a service's directory --- */

static int service_write(struct test_service *s, const char *file, struct slice content,
                         struct err *err)
{
    char path[TEST_WORKER_PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/code/%s", s->dir, file);
    FILE *f = fopen(path, "we");
    bool ok = f != NULL && fwrite(content.ptr, 1, content.len, f) == content.len;
    if (f != NULL && fclose(f) != 0)
        ok = false;
    return ok ? 0 : err_set(err, -EIO, 0, "cannot write %s", path);
}

int service_write_next(struct test_service *s, unsigned *n, struct slice content, char file[16],
                       struct err *err)
{
    snprintf(file, 16, "m%u", (*n)++);
    return service_write(s, file, content, err);
}

struct service_link {
    struct test_service *service;
    json_t *listed, *spec_modules; /* for the linker, for the spec */
    struct buf body;
    unsigned n_files;
};

static const struct module_kind *module_kind_of(const json_t *module)
{
    for (size_t i = 0; i < ARRAY_LEN(module_kinds); i++) {
        if (json_object_get(module, module_kinds[i].key) != NULL)
            return &module_kinds[i];
    }
    return NULL;
}

static int link_add(struct service_link *l, const json_t *module, struct err *err)
{
    const struct module_kind *kind = module_kind_of(module);
    const char *name = json_str(module, "name", "");
    AUTO(buf_done) struct buf content = {0};
    char file[16];
    if (kind == NULL)
        return err_set(err, -EINVAL, 0, "module %s: its kind is not known", name);
    int result =
        config_content(l->service->runner, json_object_get(module, kind->key), &content, err);
    if (result < 0)
        return result;
    json_array_append_new(l->listed, json_pack("{s:s, s:s, s:I}", "name", name, "type", kind->type,
                                               "size", (json_int_t)buf_len(&content)));
    buf_append_slice(&l->body, buf_slice(&content));
    if (kind->script)
        return 0;
    result = service_write_next(l->service, &l->n_files, buf_slice(&content), file, err);
    json_array_append_new(l->spec_modules, json_pack("{s:s, s:s, s:s}", "name", name, "type",
                                                     kind->type, "file", file));
    return result;
}

static const char *service_main(const struct test_service *s)
{
    const json_t *modules = json_object_get(s->config, "modules");
    return json_str(json_array_get(modules, 0), "name", "worker");
}

static json_t *service_compat(const struct test_service *s)
{
    const struct test_runner *r = s->runner;
    json_t *flags = json_incref(json_object_get(s->config, "compatibilityFlags"));
    const char *date = json_str(s->config, "compatibilityDate", newest_date);
    return json_pack("{s:s, s:o}", "date", r->date == NULL ? date : r->date, "flags",
                     flags == NULL ? json_array() : flags);
}

static int link_run(struct service_link *l, json_t *compat, struct err *err)
{
    struct test_service *s = l->service;
    AUTO(buf_done) struct buf options = {0}, code = {0};
    AUTO(json_release)
    json_t *about = json_pack("{s:s, s:s, s:O, s:O}", "main", service_main(s), "format", "modules",
                              "compat", compat, "modules", l->listed);
    json_print(&options, about);
    int result = service_link(s->runner, buf_slice(&options), buf_slice(&l->body), &code, err);
    return result < 0 ? result : service_write(s, "linked.js", buf_slice(&code), err);
}

/* --- all of it --- */

void service_spec(struct test_service *s, const char *main, json_t *compat, json_t *modules)
{
    AUTO(json_release)
    json_t *spec =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O, s:O, s:O, s:{s:i, s:i, s:i}, s:[]}",
                  "account", TEST_WORKER_ACCOUNT, "script", s->name, "version", TEST_WORKER_VERSION,
                  "format", "modules", "main", main, "code", "linked.js", "modules", modules,
                  "compat", compat, "bindings", s->bindings, "limits", "cpu_ms", TEST_WORKER_CPU_MS,
                  "memory_mb", TEST_WORKER_MEMORY_MB, "subrequests", 10000, "mounts");
    json_print(&s->spec, spec);
}

static int service_prepare(struct test_service *s, struct err *err)
{
    struct service_link l = {.service = s, .listed = json_array(), .spec_modules = json_array()};
    AUTO(json_release) json_t *compat = service_compat(s);
    const json_t *modules = json_object_get(s->config, "modules");
    int result = 0;
    for (size_t i = 0; i < json_array_size(modules) && result == 0; i++)
        result = link_add(&l, json_array_get(modules, i), err);
    if (result == 0)
        result = service_bindings(s, &l.n_files, err);
    if (result == 0)
        result = link_run(&l, compat, err);
    if (result == 0)
        service_spec(s, service_main(s), compat, l.spec_modules);
    json_decref(l.listed);
    json_decref(l.spec_modules);
    buf_done(&l.body);
    return result;
}

int config_prepare(struct test_runner *r, struct err *err)
{
    config_namespaces(r);
    for (size_t i = 0; i < r->n_services; i++) {
        struct test_service *s = &r->services[i];
        char code[TEST_WORKER_PATH_MAX + 8];
        int n = snprintf(s->dir, sizeof(s->dir), "%s/%zu", r->root, i);
        CHECK(n > 0 && (size_t)n < sizeof(s->dir));
        snprintf(code, sizeof(code), "%s/code", s->dir);
        int result = file_make_dirs(AT_FDCWD, code, 0755);
        if (result < 0)
            return err_set(err, result, 0, "cannot make %s", code);
        result = service_prepare(s, err);
        if (result < 0)
            return result;
    }
    return 0;
}
