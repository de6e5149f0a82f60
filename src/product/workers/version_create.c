/*
 * A new version: files, linked code, spec.json, one start in a probe, and only then its row.
 *
 * Everything lies in workers/<script>/<version>/, which no one knows of before the row is there; a failure
 * anywhere removes it again.
 */
#include "product/workers/workers_impl.h"

#include "core/digest.h"
#include "core/file.h"
#include "product/durable_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

enum { VERSION_FILE_MODE = 0644, VERSION_DIR_MODE = 0755, VERSION_LOCKS = 16 };

struct version_job {
    struct api_request *req;
    const char *script;
    struct upload *upload;
    const char *dir;
    char id[ID_UUID_SIZE];
    char etag[2 * DIGEST_MAX + 1];
    int64_t number, now_ms;
    json_t *before;                    /* owned: the version that is latest so far; may be NULL */
    json_t *tag;                       /* owned */
    json_t *manifest;                  /* owned; NULL without assets */
    json_t *handlers, *named_handlers; /* owned */
    json_t *plan;                      /* owned: its Durable Object classes */
    int64_t startup_ms;
};

static void version_job_done(struct version_job *job)
{
    json_release(&job->before);
    json_release(&job->tag);
    json_release(&job->manifest);
    json_release(&job->handlers);
    json_release(&job->named_handlers);
    json_release(&job->plan);
}

static int version_write(struct version_job *job, const char *name, struct slice content,
                         struct err *err)
{
    char path[WORKER_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", job->dir, name);
    int r = file_replace(job->req->api->data_fd, path, content, VERSION_FILE_MODE);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the version cannot be stored") : 0;
}

static int version_write_json(struct version_job *job, const char *name, const json_t *value,
                              struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    json_print(&text, value);
    return version_write(job, name, buf_slice(&text), err);
}

/* --- code --- */

static int version_write_modules(struct version_job *job, struct err *err)
{
    AUTO(digest_release) struct digest *sum = digest_create(DIGEST_SHA256);
    uint8_t value[DIGEST_MAX];
    for (size_t i = 0; i < job->upload->n_modules; i++) {
        const struct upload_module *m = &job->upload->modules[i];
        int r = version_write(job, m->file, m->content, err);
        if (r < 0)
            return r;
        digest_update(sum, slice_of(m->name));
        digest_update(sum, m->content);
    }
    digest_value(sum, value);
    hex_encode(value, digest_size(DIGEST_SHA256), job->etag);
    return 0;
}

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
    return strcmp(json_str(a, key, ""), json_str(b, key, "")) == 0;
}

/* The linked code of the version before can be used again: same modules, same compatibility. */
static bool version_can_reuse(const struct version_job *job)
{
    const json_t *old = json_object_get(job->before, "metadata"), *new = job->upload->metadata;
    json_t *old_flags = json_object_get(old, "compatibility_flags");
    json_t *new_flags = json_object_get(new, "compatibility_flags");
    return job->upload->same_code_as != NULL && job->before != NULL &&
           strcmp(job->upload->same_code_as, json_str(job->before, "id", "")) == 0 &&
           same_text(old, new, "compatibility_date") &&
           (old_flags == new_flags || json_equal(old_flags, new_flags));
}

static int version_reuse(struct version_job *job, struct err *err)
{
    char from[WORKER_PATH_MAX], to[WORKER_PATH_MAX];
    int data_fd = job->req->api->data_fd;
    snprintf(from, sizeof(from), "%s/linked.js",
             version_dir(job->req, job->script, job->upload->same_code_as));
    snprintf(to, sizeof(to), "%s/linked.js", job->dir);
    if (linkat(data_fd, from, data_fd, to, 0) < 0)
        return err_set(err, -errno, API_ERR_INTERNAL, "the version cannot be stored");
    job->handlers = json_incref(json_object_get(job->before, "handlers"));
    job->named_handlers = json_incref(json_object_get(job->before, "named_handlers"));
    job->startup_ms = json_int(job->before, "startup_ms", 0);
    return 0;
}

static bool version_links(const struct version_job *job)
{
    return job->upload->main != NULL && strcmp(job->upload->format, "wasi") != 0;
}

static int version_link(struct version_job *job, struct err *err)
{
    struct slice code;
    int r = job_link(job->req, job->upload, &code, err);
    return r < 0 ? r : version_write(job, "linked.js", code, err);
}

/* --- the spec --- */

static json_t *version_spec_modules(const struct upload *upload)
{
    json_t *list = json_array();
    for (size_t i = 0; i < upload->n_modules; i++) {
        const struct upload_module *m = &upload->modules[i];
        bool script = strcmp(m->type, "esm") == 0 || strcmp(m->type, "script") == 0 ||
                      strcmp(m->type, "cjs") == 0 || strcmp(m->type, "map") == 0;
        if (!script)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", m->name, "type",
                                                  m->type, "file", m->file, "part", m->part));
    }
    return list;
}

static json_t *version_spec_assets(const struct version_job *job)
{
    if (job->manifest == NULL)
        return json_null();
    const json_t *config =
        json_object_get(json_object_get(job->upload->metadata, "assets"), "config");
    json_t *first = json_object_get(config, "run_worker_first");
    const char *path = arena_printf(&job->req->arena, "%s/assets.json", job->dir);
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s}", "manifest", path, "html_handling",
                     json_str(config, "html_handling", "auto-trailing-slash"), "not_found_handling",
                     json_str(config, "not_found_handling", "none"), "run_worker_first",
                     first == NULL ? json_false() : json_incref(first), "redirects",
                     json_str(config, "_redirects", ""), "headers",
                     json_str(config, "_headers", ""));
}

static json_t *version_spec_limits(const json_t *metadata)
{
    const json_t *given = json_object_get(metadata, "limits");
    return json_pack("{s:I, s:I, s:i}", "cpu_ms", (json_int_t)json_int(given, "cpu_ms", 30000),
                     "subrequests", (json_int_t)json_int(given, "subrequests", 1000), "memory_mb",
                     128);
}

static json_t *version_spec(struct version_job *job, struct err *err)
{
    const json_t *metadata = job->upload->metadata;
    const json_t *annotations = json_object_get(metadata, "annotations");
    json_t *flags = json_object_get(metadata, "compatibility_flags");
    json_t *mounts =
        json_pack("[{s:s, s:s, s:s}]", "source", job->dir, "target", "code", "access", "read");
    json_t *bindings =
        bindings_spec(job->req->api->account, json_object_get(metadata, "bindings"), mounts);
    if (durable_plan_spec(job->req, job->plan, bindings, mounts, err) < 0) {
        json_decref(mounts);
        json_decref(bindings);
        return NULL;
    }
    json_t *spec = json_pack(
        "{s:s, s:s, s:O, s:s, s:I, s:I, s:s, s:s, s:s, s:{s:s, s:o}, s:o, s:o, s:o, s:o, s:o}",
        "account", job->req->api->account, "script", job->script, "tag", job->tag, "version",
        job->id, "number", (json_int_t)job->number, "created_ms", (json_int_t)job->now_ms,
        "version_tag", json_str(annotations, "workers/tag", ""), "message",
        json_str(annotations, "workers/message", ""), "format", job->upload->format, "compat",
        "date", json_str(metadata, "compatibility_date", ""), "flags",
        json_is_array(flags) ? json_incref(flags) : json_array(), "modules",
        version_spec_modules(job->upload), "limits", version_spec_limits(metadata), "bindings",
        bindings, "mounts", mounts, "assets", version_spec_assets(job));
    if (job->upload->main != NULL)
        json_object_set_new(spec, "main", json_string(job->upload->main->name));
    if (version_links(job))
        json_object_set_new(spec, "code", json_string("linked.js"));
    return spec;
}

/* --- what the probe says --- */

/* The isolate gives either {handlers: [...], named: {...}} or a bare array of names. */
static void version_take_handlers(struct version_job *job, const json_t *probed)
{
    const json_t *said = json_object_get(probed, "handlers");
    const json_t *list = json_is_array(said) ? said : json_object_get(said, "handlers");
    const json_t *named = json_object_get(said, "named_handlers");
    job->handlers = json_is_array(list) ? json_deep_copy(list) : json_array();
    job->named_handlers = json_is_array(named) ? json_deep_copy(named) : json_array();
    job->startup_ms = (json_int(probed, "startup_us", 0) + 999) / 1000;
}

static int version_probe(struct version_job *job, const json_t *spec, struct err *err)
{
    AUTO(json_release) json_t *probed = NULL;
    int r = job_probe(job->req, spec, &probed, err);
    if (r < 0)
        return r;
    version_take_handlers(job, probed);
    return 0;
}

/* --- assets --- */

static int version_assets(struct version_job *job, struct err *err)
{
    json_t *assets = json_object_get(job->upload->metadata, "assets");
    const char *jwt = json_str(assets, "jwt", NULL);
    json_t *kept = json_object_get(job->before, "manifest");
    if (jwt != NULL) {
        int r = assets_manifest(job->req, jwt, &job->manifest, err);
        if (r < 0)
            return r;
        json_object_del(assets, "jwt"); /* a capability, used up */
    } else if (json_is_object(kept) && (job->upload->same_code_as != NULL || assets != NULL ||
                                        json_bool(job->upload->metadata, "keep_assets", false))) {
        job->manifest = json_incref(kept);
        if (assets == NULL)
            json_object_set(job->upload->metadata, "assets",
                            json_object_get(json_object_get(job->before, "metadata"), "assets"));
    }
    if (job->manifest == NULL)
        return 0;
    return version_write_json(job, "assets.json", job->manifest, err);
}

/* --- the row --- */

static json_t *version_modules_row(const struct upload *upload)
{
    json_t *list = json_array();
    for (size_t i = 0; i < upload->n_modules; i++) {
        const struct upload_module *m = &upload->modules[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", m->name, "part",
                                              m->part, "type", m->type, "file", m->file, "size",
                                              (json_int_t)m->content.len));
    }
    return list;
}

static int version_insert(struct version_job *job, const char *trigger, struct err *err)
{
    struct upload *upload = job->upload;
    AUTO(json_release) json_t *modules = version_modules_row(upload);
    json_t *given = json_object_get(upload->metadata, "annotations");
    AUTO(json_release)
    json_t *annotations = json_is_object(given) ? json_deep_copy(given) : json_object();
    json_object_set_new(annotations, "workers/triggered_by", json_string(trigger));
    json_object_del(upload->metadata, "annotations");
    json_object_del(upload->metadata, "keep_bindings");
    int r = db_run(
        job->req->api->db,
        "INSERT INTO versions (id, script, number, created_ms, source, author, annotations, "
        "metadata, modules, format, main, handlers, named_handlers, startup_ms, etag, manifest) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "ssllssjjjssjjlsj", job->id, job->script, job->number, job->now_ms,
        version_source(job->req), job->req->who.name, annotations, upload->metadata, modules,
        upload->format, upload->main == NULL ? NULL : upload->main->name, job->handlers,
        job->named_handlers, job->startup_ms, job->etag, job->manifest);
    return r < 0 ? err_set(err, r == -EEXIST ? -EAGAIN : r, 10035,
                           "another change of this Worker was made at the same time")
                 : 0;
}

/* --- all of it --- */

static int version_begin(struct version_job *job, struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    int r = script_find(job->req, job->script, &script, err);
    if (r < 0)
        return r;
    job->tag = json_incref(json_object_get(script, "tag"));
    r = version_latest(job->req, job->script, &job->before);
    if (r < 0 && r != -ENOENT)
        return err_set(err, r, API_ERR_INTERNAL, "the versions cannot be read");
    job->number = json_int(job->before, "number", 0) + 1;
    r = bindings_resolve(job->req, job->script, job->upload->metadata, job->before, err);
    if (r == 0)
        r = durable_plan_make(job->req, job->script, job->upload->metadata, &job->plan, err);
    if (r == 0)
        r = durable_plan_bind(job->req, job->script, job->plan,
                              json_object_get(job->upload->metadata, "bindings"), err);
    if (r < 0)
        return r;
    r = file_make_dirs(job->req->api->data_fd, job->dir, VERSION_DIR_MODE);
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the version cannot be stored") : 0;
}

static int version_code(struct version_job *job, struct err *err)
{
    AUTO(json_release) json_t *spec = NULL;
    int r = version_write_modules(job, err);
    bool reuse = r == 0 && version_links(job) && version_can_reuse(job);
    if (r == 0 && reuse)
        r = version_reuse(job, err);
    else if (r == 0 && version_links(job))
        r = version_link(job, err);
    if (r == 0)
        r = version_assets(job, err);
    if (r < 0)
        return r;
    spec = version_spec(job, err);
    if (spec == NULL)
        return err->text[0] != '\0' ? -EIO
                                    : err_set(err, -EINVAL, WORKER_ERR_INVALID,
                                              "the metadata holds text that is not UTF-8");
    r = version_write_json(job, "spec.json", spec, err);
    if (r == 0 && job->upload->main != NULL && !reuse)
        r = version_probe(job, spec, err);
    return r;
}

/* Versions of one script are made one after another: each builds on the one before and has the next
 * number. Scripts share a few locks by name. */
static pthread_mutex_t *version_lock(const char *script)
{
    static pthread_mutex_t locks[VERSION_LOCKS] = {[0 ... VERSION_LOCKS - 1] =
                                                       PTHREAD_MUTEX_INITIALIZER};
    uint8_t sum[DIGEST_MAX];
    digest_of(DIGEST_MD5, slice_of(script), sum);
    pthread_mutex_t *lock = &locks[sum[0] % VERSION_LOCKS];
    pthread_mutex_lock(lock);
    return lock;
}

static void version_unlock(pthread_mutex_t **lock)
{
    pthread_mutex_unlock(*lock);
}

int version_create(struct api_request *req, const char *script, struct upload *upload,
                   const char *trigger, json_t **ret, struct err *err)
{
    AUTO(version_unlock) UNUSED pthread_mutex_t *lock = version_lock(script);
    AUTO(version_job_done)
    struct version_job job = {
        .req = req, .script = script, .upload = upload, .now_ms = workers_now()};
    id_uuid(job.id);
    job.dir = version_dir(req, script, job.id);
    int r = version_begin(&job, err);
    if (r == 0)
        r = version_code(&job, err);
    if (job.handlers == NULL) {
        job.handlers = json_array();
        job.named_handlers = json_array();
    }
    if (r == 0)
        r = version_insert(&job, trigger, err);
    if (r == 0)
        r = durable_plan_commit(req, job.plan, err);
    if (r < 0) {
        durable_plan_undo(req, job.plan);
        int removed = file_remove_tree(req->api->data_fd, job.dir);
        return removed < 0 ? removed : r;
    }
    return version_find(req, script, job.id, ret, err);
}
