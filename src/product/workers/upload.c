/*
 * What clients upload: metadata and modules out of a form of any dialect, checked before anything is kept.
 */
#include "product/workers/workers_impl.h"

#include "core/base64.h"
#include "core/file.h"

#include <errno.h>

void upload_done(struct upload *upload)
{
    json_release(&upload->metadata);
}

/* --- modules --- */

static const struct {
    const char *content_type, *type;
} module_types[] = {
    {"application/javascript+module", "esm"},
    {"application/javascript", "script"},
    {"text/javascript+module", "esm"},
    {"text/javascript", "script"},
    {"application/node+commonjs", "cjs"},
    {"application/wasm", "wasm"},
    {"text/plain", "text"},
    {"application/octet-stream", "data"},
    {"application/json", "json"},
    {"application/source-map", "map"},
    {"text/x-python", "python"},
    {"text/x-python-requirement", "python"},
};

const char *module_type_of(struct slice content_type)
{
    struct slice rest = content_type;
    struct slice kind = slice_trim(slice_cut(&rest, ';'));
    for (size_t i = 0; i < ARRAY_LEN(module_types); i++) {
        if (slice_eq_nocase(kind, slice_of(module_types[i].content_type)))
            return module_types[i].type;
    }
    return NULL;
}

const char *module_content_type(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(module_types); i++) {
        if (strcmp(module_types[i].type, type) == 0)
            return module_types[i].content_type;
    }
    return "application/octet-stream";
}

/* Names never become file names, but a name that walks upwards means nothing good. */
static int module_name_check(struct slice name, struct err *err)
{
    if (name.len == 0 || name.len > WORKER_MODULE_NAME_MAX)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "a module name must have 1 to %d bytes",
                       WORKER_MODULE_NAME_MAX);
    struct slice rest = name;
    bool bad = name.ptr[0] == '/' || memchr(name.ptr, '\0', name.len) != NULL ||
               slice_find(name, '\\') >= 0;
    while (rest.len > 0)
        bad = slice_eq(slice_cut(&rest, '/'), SLICE("..")) || bad;
    json_t *whole = json_stringn(name.ptr, name.len);
    bad = bad || whole == NULL; /* not UTF-8 */
    json_decref(whole);
    if (!bad)
        return 0;
    json_t *shown = api_text(name);
    int r = err_set(err, -EINVAL, WORKER_ERR_INVALID,
                    "the module name \"%s\" is not allowed: it must be "
                    "relative UTF-8 text, without \"..\"",
                    json_string_value(shown));
    json_decref(shown);
    return r;
}

static const struct upload_module *upload_find(const struct upload *upload, const char *name)
{
    for (size_t i = 0; i < upload->n_modules; i++) {
        if (strcmp(upload->modules[i].name, name) == 0)
            return &upload->modules[i];
    }
    return NULL;
}

static int upload_add(struct upload *upload, struct slice name, struct slice part,
                      struct slice content_type, struct slice content, struct err *err)
{
    int r = module_name_check(name, err);
    if (r == 0 && part.ptr != name.ptr && slice_of(part.ptr).len > 0)
        r = module_name_check(part, err);
    if (r < 0)
        return r;
    const char *type = module_type_of(content_type);
    if (type == NULL)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID,
                       "module %.*s has the content type \"%.*s\", which is none of a module",
                       (int)MIN(name.len, (size_t)200), name.ptr,
                       (int)MIN(content_type.len, (size_t)100), content_type.ptr);
    if (strcmp(type, "python") == 0)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "Python Workers are not supported");
    if (upload_find(upload, name.ptr) != NULL)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "module %s was sent twice", name.ptr);
    struct upload_module *module = &upload->modules[upload->n_modules];
    *module = (struct upload_module){
        .name = name.ptr, .part = part.ptr, .type = type, .content = content};
    snprintf(module->file, sizeof(module->file), "m%zu", upload->n_modules++);
    return 0;
}

/* The total without source maps, which are kept for error messages and never run. */
static int upload_size_check(const struct upload *upload, struct err *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < upload->n_modules; i++) {
        if (strcmp(upload->modules[i].type, "map") != 0)
            total += upload->modules[i].content.len;
    }
    if (total <= WORKER_SIZE_MAX)
        return 0;
    return err_set(err, -E2BIG, WORKER_ERR_TOO_LARGE,
                   "Script too large: %llu bytes in all modules; the limit is %d MiB",
                   (unsigned long long)total, WORKER_SIZE_MAX / (1024 * 1024));
}

/* --- the entry and the format --- */

static bool upload_is_wasi(const struct upload_module *main)
{
    return slice_ends(slice_of(main->name), SLICE(".wasm")) && strcmp(main->type, "wasm") == 0;
}

static int upload_pick_main(struct upload *upload, struct err *err)
{
    const char *main = json_str(upload->metadata, "main_module", "");
    const char *body = json_str(upload->metadata, "body_part", "");
    upload->format = *main != '\0' ? "modules" : *body != '\0' ? "service-worker" : "assets";
    if (strcmp(upload->format, "assets") == 0) {
        if (json_is_object(json_object_get(upload->metadata, "assets")) ||
            json_bool(upload->metadata, "keep_assets", false))
            return 0;
        return err_set(err, -EINVAL, WORKER_ERR_INVALID,
                       "the metadata names no main_module, body_part or assets");
    }
    upload->main = upload_find(upload, *main != '\0' ? main : body);
    for (size_t i = 0; upload->main == NULL && i < upload->n_modules; i++) {
        if (strcmp(upload->modules[i].part, *main != '\0' ? main : body) == 0)
            upload->main = &upload->modules[i];
    }
    if (upload->main == NULL)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID,
                       "No such module \"%s\": the main module was not "
                       "uploaded",
                       *main != '\0' ? main : body);
    if (upload_is_wasi(upload->main))
        upload->format = "wasi";
    return 0;
}

/* "application/javascript" is CommonJS beside ES modules, but for a main module it is what some clients say
 * when they mean an ES module. */
static void upload_fix_types(struct upload *upload)
{
    for (size_t i = 0; i < upload->n_modules; i++) {
        struct upload_module *m = &upload->modules[i];
        if (strcmp(upload->format, "modules") == 0 && strcmp(m->type, "script") == 0)
            m->type = m == upload->main ? "esm" : "cjs";
    }
}

static int upload_check(struct upload *upload, struct err *err)
{
    int r = upload_size_check(upload, err);
    if (r == 0)
        r = upload_pick_main(upload, err);
    if (r == 0)
        upload_fix_types(upload);
    return r;
}

/* --- forms --- */

static bool upload_part_is_field(struct slice name)
{
    return slice_eq(name, SLICE("metadata")) || slice_starts(name, SLICE("metadata[")) ||
           slice_eq(name, SLICE("settings")) || slice_starts(name, SLICE("settings["));
}

/* files, files[], files[x]: the module is called like the file. */
static struct slice upload_module_name(const struct multipart_part *part)
{
    bool generic =
        slice_eq(part->name, SLICE("files")) || slice_starts(part->name, SLICE("files["));
    return generic && part->filename.ptr != NULL ? part->filename : part->name;
}

static int upload_metadata(struct api_request *req, const struct multipart *form, json_t **ret,
                           struct err *err)
{
    (void)req;
    const struct multipart_part *part = multipart_find(form, "metadata");
    struct err why = {0};
    int r = part != NULL ? json_parse(part->content, ret, &why)
                         : multipart_unflatten(form, "metadata", ret, &why);
    if (r < 0)
        return err_set(err, -EINVAL, WORKER_ERR_BODY, "the metadata cannot be read: %s", why.text);
    if (!json_is_object(*ret))
        return err_set(err, -EINVAL, WORKER_ERR_BODY, "the form has no metadata object");
    return 0;
}

static int upload_modules(struct api_request *req, const struct multipart *form,
                          struct upload *upload, struct err *err)
{
    upload->modules = arena_alloc(&req->arena, (form->n + 1) * sizeof(*upload->modules));
    if (upload->modules == NULL)
        return err_set(err, -ENOMEM, API_ERR_INTERNAL, "no memory for the modules");
    for (size_t i = 0; i < form->n; i++) {
        const struct multipart_part *part = &form->parts[i];
        if (upload_part_is_field(part->name))
            continue;
        int r = upload_add(upload, upload_module_name(part), part->name, part->type, part->content,
                           err);
        if (r < 0)
            return r;
    }
    return 0;
}

int upload_read(struct api_request *req, struct upload *ret, struct err *err)
{
    struct multipart form;
    struct slice body;
    struct err why = {0};
    struct slice type = api_header(req, "content-type");
    *ret = (struct upload){0};
    int r = api_body(req, &body, err);
    if (r < 0)
        return r;
    if (!multipart_is(type, body))
        return err_set(err, -EINVAL, WORKER_ERR_BODY, "the body must be multipart/form-data");
    r = multipart_parse(&req->arena, type, body, &form, &why);
    if (r < 0)
        return err_set(err, r == -E2BIG ? r : -EINVAL, WORKER_ERR_BODY, "the form is broken: %s",
                       why.text);
    r = upload_metadata(req, &form, &ret->metadata, err);
    if (r == 0)
        r = upload_modules(req, &form, ret, err);
    return r < 0 ? r : upload_check(ret, err);
}

/* --- JSON --- */

static int upload_json_module(struct api_request *req, struct upload *upload, const json_t *module,
                              struct err *err)
{
    struct slice content, name;
    struct slice text = slice_of(json_str(module, "content_base64", ""));
    const char *given = json_str(module, "name", "");
    if (base64_decode(&req->arena, text, BASE64_STANDARD, &content) < 0)
        return err_set(err, -EINVAL, WORKER_ERR_BODY, "content_base64 of module %s is not base64",
                       given);
    int r = arena_copy(&req->arena, given, strlen(given), &name);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "no memory for the modules");
    return upload_add(upload, name, name, slice_of(json_str(module, "content_type", "")), content,
                      err);
}

int upload_from_json(struct api_request *req, json_t *body, struct upload *ret, struct err *err)
{
    const json_t *modules = json_object_get(body, "modules");
    *ret = (struct upload){.metadata = json_copy(body)};
    ret->modules = arena_alloc(&req->arena, (json_array_size(modules) + 1) * sizeof(*ret->modules));
    if (ret->modules == NULL)
        return err_set(err, -ENOMEM, API_ERR_INTERNAL, "no memory for the modules");
    size_t i;
    json_t *module;
    json_array_foreach(modules, i, module)
    {
        int r = upload_json_module(req, ret, module, err);
        if (r < 0)
            return r;
    }
    json_object_del(ret->metadata, "modules");
    return upload_check(ret, err);
}

/* --- a stored version --- */

static int upload_load_module(struct api_request *req, const char *dir, const json_t *row,
                              struct upload *upload, struct err *err)
{
    AUTO(buf_done) struct buf content = {0};
    struct upload_module *module = &upload->modules[upload->n_modules];
    char path[WORKER_PATH_MAX];
    snprintf(module->file, sizeof(module->file), "%s", json_str(row, "file", ""));
    snprintf(path, sizeof(path), "%s/%s", dir, module->file);
    int r = file_read(req->api->data_fd, path, WORKER_BODY_MAX, &content);
    if (r == 0)
        r = arena_copy(&req->arena, buf_slice(&content).ptr, buf_len(&content), &module->content);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "a module of the stored version cannot be read");
    module->name = arena_printf(&req->arena, "%s", json_str(row, "name", ""));
    module->part = arena_printf(&req->arena, "%s", json_str(row, "part", ""));
    /* Types are constants of the table above. */
    module->type = module_type_of(slice_of(module_content_type(json_str(row, "type", ""))));
    upload->n_modules++;
    return 0;
}

int upload_load(struct api_request *req, const json_t *version, struct upload *ret, struct err *err)
{
    const json_t *rows = json_object_get(version, "modules");
    const char *id = json_str(version, "id", "");
    const char *dir = version_dir(req, json_str(version, "script", ""), id);
    *ret = (struct upload){.metadata = json_deep_copy(json_object_get(version, "metadata"))};
    ret->modules = arena_alloc(&req->arena, (json_array_size(rows) + 1) * sizeof(*ret->modules));
    if (ret->modules == NULL)
        return err_set(err, -ENOMEM, API_ERR_INTERNAL, "no memory for the modules");
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        int r = upload_load_module(req, dir, row, ret, err);
        if (r < 0)
            return r;
    }
    ret->same_code_as = arena_printf(&req->arena, "%s", id);
    return upload_check(ret, err);
}
