/*
 * Starts: what the gateway and control ask for, read and checked, waiting for a spare, answered.
 */
#include "role/supervisor.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void start_free(struct start *start)
{
    if (start == NULL)
        return;
    if (link_is_in_list(&start->link)) {
        list_remove(&start->link);
        start->sup->n_starts--;
    }
    timer_stop(&start->timeout);
    if (start->stream != NULL)
        wire_stream_close(start->stream, -ECANCELED);
    buf_done(&start->spec_text);
    json_release(&start->spec);
    free(start);
}

void start_answer(struct start *start, uint64_t isolate, int64_t result, const char *text, int fd)
{
    AUTO(buf_done) struct buf out = {0};
    if (start->stream == NULL)
        return fd_release(&fd);
    if (start->owner->kind == CHILD_GATEWAY)
        msg_isolate_given_pack(&out, &(struct msg_isolate_given){.isolate = isolate,
                                                                 .result = result,
                                                                 .text = slice_of(text)});
    else
        msg_job_given_pack(&out, &(struct msg_job_given){
                                     .isolate = isolate, .result = result, .text = slice_of(text)});
    wire_reply(start->stream, buf_slice(&out), fd, true);
    wire_stream_close(TAKE(start->stream), 0);
}

static void start_refuse(struct start *start, int result, const char *text)
{
    LOG(LOG_WARN, "start_refused", F("script", "%s", start->script),
        F("version", "%s", start->version), F("reason", "%s", text));
    start_answer(start, 0, result, text, -1);
    start_free(start);
}

static void start_on_reset(struct wire_stream *s, UNUSED int reason)
{
    struct start *start = wire_stream_user(s);
    wire_stream_close(TAKE(start->stream), 0);
    if (link_is_in_list(&start->link))
        start_free(start);
}

static const struct wire_stream_events start_events = {.reset = start_on_reset};

static void start_on_timeout(struct timer *t)
{
    struct start *start = CONTAINER_OF(t, struct start, timeout);
    start_refuse(start, -ETIMEDOUT, "No isolate became free in time.");
}

static bool start_name_is_plain(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

static int start_take_spec(struct start *start, struct err *err)
{
    if (buf_len(&start->spec_text) == 0) {
        start->spec = json_object();
        return 0;
    }
    if (json_parse(buf_slice(&start->spec_text), &start->spec, err) < 0)
        return -EIO;
    snprintf(start->script, sizeof(start->script), "%s", json_str(start->spec, "script", ""));
    snprintf(start->version, sizeof(start->version), "%s", json_str(start->spec, "version", ""));
    snprintf(start->account, sizeof(start->account), "%s", json_str(start->spec, "account", ""));
    return 0;
}

static int start_read_want(struct start *start, struct slice args, struct err *err)
{
    struct msg_isolate_want m;
    char path[SUPERVISOR_SCRIPT_MAX + 2 * SUPERVISOR_ID_MAX];
    if (msg_isolate_want_unpack(args, &m) < 0)
        return err_set(err, -EBADMSG, 0, "malformed");
    if (slice_to_cstr(m.script, start->script, sizeof(start->script)) < 0 ||
        slice_to_cstr(m.version, start->version, sizeof(start->version)) < 0 ||
        !start_name_is_plain(start->script) || !start_name_is_plain(start->version))
        return err_set(err, -EINVAL, 0, "There is no such version.");
    int r = breaker_check(start->sup, start, err);
    if (r < 0)
        return r;
    if (m.spec.len > 0) {
        buf_append_slice(&start->spec_text, m.spec);
        return start_take_spec(start, err);
    }
    snprintf(path, sizeof(path), "workers/%s/%s/spec.json", start->script, start->version);
    r = file_read(start->sup->data_fd, path, SUPERVISOR_SPEC_MAX, &start->spec_text);
    if (r < 0)
        return err_set(err, r, 0, "The files of this version cannot be read (error %d).", -r);
    return start_take_spec(start, err);
}

static int start_read_job(struct start *start, struct slice args, struct err *err)
{
    struct msg_job_want m;
    if (msg_job_want_unpack(args, &m) < 0)
        return err_set(err, -EBADMSG, 0, "malformed");
    start->kind = m.kind == JOB_LINK ? ISOLATE_LINKER : ISOLATE_PROBE;
    buf_append_slice(&start->spec_text, m.spec);
    return start_take_spec(start, err);
}

static struct start *start_new(struct child *c, struct wire_stream *s)
{
    struct start *start = mem_new(sizeof(*start));
    start->sup = c->sup;
    start->owner = c;
    start->stream = s;
    start->kind = ISOLATE_WORKER;
    start->asked_us = clock_boot_us();
    wire_stream_own(s, &start_events, start);
    return start;
}

static int start_queue(struct start *start, int r, const struct err *err)
{
    struct supervisor *sup = start->sup;
    if (r == 0 && (sup->stopping || sup->n_starts >= SUPERVISOR_STARTS_MAX)) {
        start_refuse(start, -EBUSY, "The server starts no more Workers now.");
        return 0;
    }
    if (r < 0) {
        start_refuse(start, r == -EBADMSG ? -EINVAL : r, err->text);
        return r == -EBADMSG ? r : 0;
    }
    list_push_back(&sup->starts, &start->link);
    sup->n_starts++;
    int64_t timeout_ms = json_int(sup->settings, "isolates.start_timeout_ms", 10000);
    timer_start(sup->loop, &start->timeout, timeout_ms * 1000, start_on_timeout);
    start_go(start);
    return 0;
}

int isolate_on_want(struct child *c, struct wire_stream *s, struct slice args)
{
    struct err err = {0};
    struct start *start = start_new(c, s);
    return start_queue(start, start_read_want(start, args, &err), &err);
}

int isolate_on_job_want(struct child *c, struct wire_stream *s, struct slice args)
{
    struct err err = {0};
    struct start *start = start_new(c, s);
    return start_queue(start, start_read_job(start, args, &err), &err);
}
