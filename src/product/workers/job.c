/*
 * What control lets others do with hostile code: link it, start it once. Both happen in isolates that the
 * supervisor lends for one job each.
 */
#include "product/workers/workers_impl.h"

#include "product/messages.h"

#include <errno.h>

enum { JOB_TIMEOUT_MS = 60 * 1000, JOB_PROBE_TIMEOUT_MS = 20 * 1000 };

/* A lent isolate, spoken to over its own wire. */
static int job_take(struct api_request *req, uint8_t kind, struct slice spec, struct api_peer **ret,
                    struct err *err)
{
    AUTO(buf_done) struct buf args = {0};
    AUTO(fd_release) int fd = -1;
    struct msg_job_want want = {.kind = kind, .spec = spec};
    struct msg_job_given given;
    struct api_reply reply;
    msg_job_want_pack(&args, &want);
    struct api_call call = {
        .peer = req->api->peers[API_SUPERVISOR], .op = OP_job_want, .args = buf_slice(&args)};
    int r = api_call(req, &call, &reply);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "no isolate for the upload: %s",
                       strerrorname_np(-r));
    fd = reply.fd;
    if (msg_job_given_unpack(reply.args, &given) < 0)
        return err_set(err, -EIO, API_ERR_INTERNAL, "the supervisor's answer cannot be read");
    if (given.result < 0 || fd < 0)
        return err_set(err, -EAGAIN, API_ERR_INTERNAL, "no isolate for the upload: %.*s",
                       SLICE_ARG(given.text));
    *ret = api_peer_adopt(req->api, TAKE_FD(fd));
    return 0;
}

/* --- linking --- */

/* Only the linker reads texts; of the other modules it needs the names. */
static bool job_sends(const struct upload_module *m)
{
    return strcmp(m->type, "wasm") != 0 && strcmp(m->type, "data") != 0;
}

static json_t *job_link_options(const struct upload *upload, struct buf *body)
{
    json_t *modules = json_array();
    for (size_t i = 0; i < upload->n_modules; i++) {
        const struct upload_module *m = &upload->modules[i];
        if (strcmp(m->type, "map") == 0)
            continue;
        size_t size = job_sends(m) ? m->content.len : 0;
        json_array_append_new(modules,
                              json_pack("{s:s, s:s, s:I, s:s}", "name", m->name, "type", m->type,
                                        "size", (json_int_t)size, "file", m->file));
        if (size > 0)
            buf_append_slice(body, m->content);
    }
    json_t *flags = json_object_get(upload->metadata, "compatibility_flags");
    return json_pack("{s:s, s:s, s:{s:s, s:o}, s:o}", "main", upload->main->name, "format",
                     upload->format, "compat", "date",
                     json_str(upload->metadata, "compatibility_date", ""), "flags",
                     json_is_array(flags) ? json_incref(flags) : json_array(), "modules", modules);
}

static int job_link_answer(const struct api_reply *reply, struct slice *ret_code, struct err *err)
{
    struct msg_linked linked;
    if (msg_linked_unpack(reply->args, &linked) < 0)
        return err_set(err, -EIO, API_ERR_INTERNAL, "the linker's answer cannot be read");
    if (linked.result < 0)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "%.*s", SLICE_ARG(linked.text));
    *ret_code = reply->body;
    return 0;
}

int job_link(struct api_request *req, const struct upload *upload, struct slice *ret_code,
             struct err *err)
{
    AUTO(api_peer_release) struct api_peer *peer = NULL;
    AUTO(json_release) json_t *options = NULL;
    AUTO(buf_done) struct buf body = {0}, text = {0}, args = {0};
    struct api_reply reply;
    int r = job_take(req, JOB_LINK, SLICE_NONE, &peer, err);
    if (r < 0)
        return r;
    options = job_link_options(upload, &body);
    json_print(&text, options);
    struct msg_link m = {.options = buf_slice(&text)};
    msg_link_pack(&args, &m);
    struct api_call call = {
        .peer = peer,
        .op = OP_link,
        .args = buf_slice(&args),
        .body = buf_slice(&body),
        .has_body = true,
        .reply_max = 4ul * WORKER_SIZE_MAX,
        .timeout_ms = JOB_TIMEOUT_MS,
    };
    if (text.end - text.start > WIRE_PAYLOAD_MAX / 2)
        return err_set(err, -E2BIG, WORKER_ERR_TOO_LARGE, "the names of the modules are too long");
    r = api_call(req, &call, &reply);
    if (r < 0)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID,
                       "the script could not be linked: the linker ran out of time or memory (%s)",
                       strerrorname_np(-r));
    fd_release(&reply.fd);
    return job_link_answer(&reply, ret_code, err);
}

/* --- the probe --- */

static int job_probe_note(uint16_t op, struct slice args, json_t **ret, struct err *err)
{
    struct msg_loaded loaded;
    struct msg_load_failed failed;
    if (op == OP_load_failed && msg_load_failed_unpack(args, &failed) == 0)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "%.*s", SLICE_ARG(failed.text));
    if (op == OP_loaded && msg_loaded_unpack(args, &loaded) == 0 &&
        json_parse(loaded.json, ret, NULL) == 0)
        return 0;
    return err_set(err, -EINVAL, WORKER_ERR_INVALID, "the script's start gave no readable answer");
}

int job_probe(struct api_request *req, const json_t *spec, json_t **ret, struct err *err)
{
    AUTO(api_peer_release) struct api_peer *peer = NULL;
    AUTO(buf_done) struct buf text = {0}, args = {0};
    uint16_t op = 0;
    json_print(&text, spec);
    int r = job_take(req, JOB_PROBE, buf_slice(&text), &peer, err);
    if (r == 0) {
        r = api_peer_wait(peer, JOB_PROBE_TIMEOUT_MS, &op, &args);
        if (r < 0)
            return err_set(
                err, -EINVAL, WORKER_ERR_INVALID,
                r == -ETIMEDOUT
                    ? "Script startup exceeded time limit."
                    : "The script's process ended during startup (CPU or memory limit).");
        r = job_probe_note(op, buf_slice(&args), ret, err);
    }
    return r;
}
