/*
 * Import of a file of SQL.
 *
 *     init --> upload --> ingest --> poll ... poll
 *
 * init hands out an address that carries its own right; the upload lies beside control.db's spool; ingest starts a job
 * that runs all statements as one transaction in the keeper and answers at once; polls wait a moment for its end. What
 * becomes of it stands in control.db. Whoever is killed meanwhile, nothing of the file stays in the database, or all
 * of it: a poll that finds an import without a job says which, by the bookmark.
 */
#include "api/jwt.h"
#include "core/clock.h"
#include "core/digest.h"
#include "core/file.h"
#include "core/work.h"
#include "product/d1/d1_api_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    IMPORT_POLL_MS = 2000, /* clients poll without a pause */
    IMPORT_POLL_STEP_MS = 20,
    IMPORT_TIMEOUT_MS = 11 * 60 * 1000, /* the keeper gives up earlier */
    IMPORT_KEPT_MS = 24 * 3600 * 1000,
    IMPORT_PATH_MAX = 512
};

static const char *import_path(struct api_request *req, const char *filename)
{
    return arena_printf(&req->arena, "%s/d1-%s", req->api->spool_path, filename);
}

/* --- init, upload --- */

static int import_init(struct api_request *req, const char *uuid, const char *etag, struct err *err)
{
    if (!id_is_hex(slice_of(etag), 32))
        return err_set(err, -EINVAL, API_ERR_INPUT, "etag must be the MD5 of the file in hex");
    char id[ID_HEX_SIZE];
    const char *filename = arena_printf(&req->arena, "%s.%s.sql", id_hex(id), etag);
    int r =
        db_run(req->api->db, "DELETE FROM d1_import_jobs WHERE at_ms < ? AND status <> 'active'",
               "l", clock_wall_ms() - IMPORT_KEPT_MS);
    if (r >= 0)
        r = db_run(req->api->db,
                   "INSERT INTO d1_import_jobs (filename, uuid, etag, at_ms) VALUES (?,?,?,?)",
                   "sssl", filename, uuid, etag, clock_wall_ms());
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the import cannot be stored");
    AUTO(json_release) json_t *claims = json_pack("{s:s, s:s}", "file", filename, "etag", etag);
    const char *ticket = jwt_make(req, "d1-upload", D1_TICKET_S, claims);
    const char *url =
        arena_printf(&req->arena, "%s/client/v4/d1-upload/%s", api_origin(req), ticket);
    return api_ok(req, json_pack("{s:b, s:s, s:s, s:s}", "success", 1, "type", "import", "filename",
                                 filename, "upload_url", url));
}

bool d1_api_upload_guard(struct api_request *req)
{
    AUTO(json_release) json_t *claims = NULL;
    return jwt_check(req, "d1-upload", api_param_slice(req, "ticket"), &claims) == 0;
}

int d1_api_upload(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *claims = NULL;
    struct slice body;
    if (jwt_check(req, "d1-upload", api_param_slice(req, "ticket"), &claims) < 0)
        return err_set(err, -EACCES, API_ERR_AUTH, "this upload address is not valid any more");
    int r = api_body(req, &body, err);
    if (r < 0)
        return r;
    uint8_t sum[DIGEST_MAX];
    char hex[ID_HEX_SIZE];
    digest_of(DIGEST_MD5, body, sum);
    hex_encode(sum, 16, hex);
    if (strcmp(hex, json_str(claims, "etag", "")) != 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "the file's MD5 is %s, not the one announced",
                       hex);
    r = file_replace(AT_FDCWD, import_path(req, json_str(claims, "file", "")), body, 0600);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the file cannot be stored");
    api_answer_header(req, "etag", slice_of(arena_printf(&req->arena, "\"%s\"", hex)));
    return api_ok(req, NULL);
}

/* --- the job --- */

struct import_job {
    struct work work;
    struct api_request req; /* of its own: nobody waits for it */
    char store[STORE_NAME_MAX];
    char filename[IMPORT_PATH_MAX];
};

static int import_run(struct import_job *job, json_t **ret, struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(json_release) json_t *results = NULL;
    AUTO(json_release) json_t *statements = NULL;
    struct api_request *req = &job->req;
    char bookmark[D1_BOOKMARK_SIZE];
    int r = file_read(AT_FDCWD, import_path(req, job->filename), D1_IMPORT_MAX, &text);
    if (r < 0)
        return err_set(err, r, API_ERR_INPUT, "the file was not uploaded");
    statements = json_pack("[{s:s%}]", "sql", buf_cstr(&text), buf_len(&text));
    if (statements == NULL)
        return err_set(err, -EINVAL, D1_ERR_SQL, "the file is not UTF-8 text");
    struct d1_running how = {.flags = D1_NO_RESULTS | D1_LONG, .timeout_ms = IMPORT_TIMEOUT_MS};
    r = d1_run(req, job->store, statements, &how, &results, err);
    if (r == 0)
        r = d1_bookmark(req, job->store, bookmark, err);
    if (r == 0) {
        *ret = json_incref(json_array_get(results, 0));
        json_object_del(*ret, "success");
        json_object_set_new(*ret, "final_bookmark", json_string(bookmark));
    }
    return r;
}

static void import_job_run(struct work *work)
{
    struct import_job *job = CONTAINER_OF(work, struct import_job, work);
    struct api_request *req = &job->req;
    AUTO(json_release) json_t *result = NULL;
    AUTO(buf_done) struct buf text = {0};
    struct err err = {0};
    int r = import_run(job, &result, &err);
    if (r == 0)
        json_print(&text, result);
    /* The keeper was lost, or did not answer: it may have committed before. */
    bool lost = r == -EPIPE || r == -ETIMEDOUT || r == -ECONNRESET;
    r = db_run(req->api->db,
               "UPDATE d1_import_jobs SET status = ?, result = ?, error = ? WHERE filename = ?",
               "ssss",
               r == 0 ? "complete"
               : lost ? "lost"
                      : "error",
               r == 0 ? buf_cstr(&text) : NULL, r == 0 ? NULL : err.text, job->filename);
    /* Where that fails the import is found without a job when control starts again. */
    if (r >= 0)
        (void)unlink(import_path(req, job->filename));
}

static void import_job_done(struct work *work)
{
    struct import_job *job = CONTAINER_OF(work, struct import_job, work);
    api_request_done(&job->req);
    free(job);
}

static void import_start(struct api_request *req, const char *store, const char *filename)
{
    struct import_job *job = mem_new(sizeof(*job));
    api_request_init(&job->req, req->api);
    snprintf(job->store, sizeof(job->store), "%s", store);
    snprintf(job->filename, sizeof(job->filename), "%s", filename);
    job->work = (struct work){.run = import_job_run, .done = import_job_done};
    work_start(req->api->pool, &job->work);
}

/* --- ingest, poll --- */

static json_t *import_answer(const char *status, const char *bookmark, const char *message)
{
    return json_pack("{s:b, s:s, s:s, s:s, s:[s]}", "success", strcmp(status, "error") != 0, "type",
                     "import", "status", status, "at_bookmark", bookmark, "messages", message);
}

static int import_ingest(struct api_request *req, const char *store, const char *filename,
                         struct err *err)
{
    char bookmark[D1_BOOKMARK_SIZE];
    const char *uuid = store + strlen("d1/");
    int r = d1_bookmark(req, store, bookmark, err);
    if (r < 0)
        return r;
    int64_t begun = 0;
    r = db_int(req->api->db, &begun,
               "SELECT 1 FROM d1_import_jobs WHERE filename = ? AND uuid = ? AND status = 'init'",
               "ss", filename, uuid);
    if (r < 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "no import of the file \"%s\" was begun",
                       filename);
    if (access(import_path(req, filename), F_OK) < 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "the file was not uploaded");
    r = db_run(req->api->db,
               "UPDATE d1_import_jobs SET status = 'active', at_bookmark = ?, at_ms = ? WHERE "
               "filename = ?",
               "sls", bookmark, clock_wall_ms(), filename);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the import cannot be stored");
    import_start(req, store, filename);
    return api_ok(req, import_answer("active", bookmark, "Import started"));
}

/* Whether it was committed says the bookmark, as long as nobody else has written. */
static const char *import_lost_text(struct api_request *req, const json_t *job, const char *store)
{
    char now[D1_BOOKMARK_SIZE];
    const char *before = json_str(job, "at_bookmark", "");
    if (d1_bookmark(req, store, now, NULL) < 0)
        return "The import was interrupted, and the database does not answer. Poll again.";
    return strcmp(now, before) == 0
               ? "The import was interrupted by a restart. Nothing of the file is in the database: "
                 "import it again."
               : arena_printf(
                     &req->arena,
                     "The import was interrupted by a restart. The database has changed "
                     "since bookmark %s: all of the file is in it, or nothing. Look before "
                     "you import it again.",
                     before);
}

static int import_told(struct api_request *req, const char *store, const json_t *job)
{
    const char *status = json_str(job, "status", ""), *bookmark = json_str(job, "at_bookmark", "");
    if (strcmp(status, "active") == 0)
        return api_ok(req, import_answer("active", bookmark, "Importing"));
    if (strcmp(status, "complete") == 0) {
        json_t *answer = import_answer("complete", bookmark, "Import complete"), *result = NULL;
        if (json_parse(slice_of(json_str(job, "result", "{}")), &result, NULL) == 0)
            json_object_set_new(answer, "result", result);
        return api_ok(req, answer);
    }
    const char *error = strcmp(status, "lost") == 0 ? import_lost_text(req, job, store)
                                                    : json_str(job, "error", "the import failed");
    json_t *answer = import_answer("error", bookmark, "Import failed");
    json_object_set_new(answer, "error", json_string(error));
    json_object_set_new(answer, "errors", json_pack("[s]", error));
    return api_ok(req, answer);
}

static int import_poll(struct api_request *req, const char *store, const char *bookmark,
                       struct err *err)
{
    int64_t until_us = clock_boot_us() + IMPORT_POLL_MS * 1000;
    for (;;) {
        AUTO(json_release) json_t *job = NULL;
        int r = db_row(req->api->db, &job,
                       "SELECT status, at_bookmark, result, error FROM d1_import_jobs WHERE uuid = "
                       "?1 AND status <> 'init' ORDER BY at_bookmark = ?2 DESC, at_ms DESC LIMIT 1",
                       "ss", store + strlen("d1/"), bookmark);
        if (r < 0)
            return err_set(err, -EINVAL, API_ERR_INPUT,
                           "Not currently importing anything into this database.");
        bool active = strcmp(json_str(job, "status", ""), "active") == 0;
        if (!active || clock_boot_us() > until_us)
            return import_told(req, store, job);
        usleep(IMPORT_POLL_STEP_MS * 1000);
    }
}

int d1_api_import(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    char store[STORE_NAME_MAX];
    int r = d1_store_name(req, store, err);
    if (r == 0)
        r = api_json_object(req, false, &body, err);
    if (r < 0)
        return r;
    const char *action = json_str(body, "action", "");
    if (strcmp(action, "init") == 0)
        return import_init(req, store + strlen("d1/"), json_str(body, "etag", ""), err);
    if (strcmp(action, "ingest") == 0)
        return import_ingest(req, store, json_str(body, "filename", ""), err);
    if (strcmp(action, "poll") == 0)
        return import_poll(req, store, json_str(body, "current_bookmark", ""), err);
    return err_set(err, -EINVAL, API_ERR_INPUT, "action must be init, ingest or poll");
}
