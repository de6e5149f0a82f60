/*
 * Workers that Workers bring (the binding worker_loader): each runs in an isolate of its own like any other.
 *
 *     call for an unknown key --> waits        GET --> 404: bring it      PUT --> (code) --> isolate --> calls go on
 *                                                  \-> 200: it is there   POST --> what waits fails, the key is free
 *
 * A key names a Worker among those of one binding of one version. The code stays here, so that an isolate that was retired
 * or has crashed starts again without asking; it goes after ten minutes without a call. The modules are linked in the
 * isolate that runs them, which may do with its own memory what it likes.
 */
#include "role/gateway_isolate.h"

#include "core/id.h"
#include "product/messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOADER_CODE_MAX = 65 * 1024 * 1024, /* modules and env of one Worker */
    LOADER_ALL_MAX = 256 * 1024 * 1024, /* of all that are here */
    LOADER_BINDINGS_MAX = 1024,         /* granted to one */
    LOADER_KEYS_MAX = 4096,
    LOADER_CPU_MS_MAX = 300 * 1000, /* of one event, whatever is asked for */
    LOADER_SUBREQUESTS_MAX = 10000,
    LOADER_HEAD = 4 /* bytes of the length before the description */
};
#define LOADER_IDLE_US (600LL * 1000 * 1000)
#define LOADER_ASK_AGAIN_US (30LL * 1000 * 1000) /* who was asked may have gone */

/* --- the Workers --- */

void dynamic_free(struct gateway *g, struct dynamic *d)
{
    if (d == NULL)
        return;
    g->loaded_bytes -= buf_len(&d->modules);
    mem_release(&d->key);
    buf_done(&d->spec);
    buf_done(&d->options);
    buf_done(&d->modules);
    buf_done(&d->load_error);
    mem_release(&d);
}

static void loader_forget(struct gateway *g, struct worker *w)
{
    map_remove(&g->loaders, slice_of(w->dynamic->key));
    worker_retire(w);
    worker_unref(w);
}

static bool loader_is_unused(const struct worker *w, int64_t now_us)
{
    return w->n_isolates == 0 && w->n_queued == 0 && now_us - w->dynamic->used_us > LOADER_IDLE_US;
}

void loaders_sweep(struct gateway *g)
{
    int64_t now = loop_now_us(g->loop);
    struct slice key;
    void *value;

    for (size_t at = 0; map_next(&g->loaders, &at, &key, &value);) {
        struct worker *w = value;
        if (!loader_is_unused(w, now))
            continue;
        loader_forget(g, w);
        at = 0; /* the map has changed */
    }
}

static struct worker *loader_find(struct worker *self, uint32_t binding, const char *name)
{
    struct gateway *g = self->gateway;
    AUTO(buf_done) struct buf key = {0};
    char id[ID_HEX_SIZE], version[ID_HEX_SIZE + 8];

    buf_printf(&key, "%s\n%u\n%s", self->key, binding, name);
    struct worker *w = map_get(&g->loaders, buf_slice(&key));
    if (w != NULL)
        return w;
    if (g->loaders.n >= LOADER_KEYS_MAX)
        return NULL;
    snprintf(version, sizeof(version), "dynamic-%s", id_hex(id));
    AUTO(json_release) json_t *about = json_pack("{s:s, s:[]}", "id", version, "bindings");
    w = worker_get(g, slice_of(self->script), about);
    w->dynamic = mem_new(sizeof(*w->dynamic));
    w->dynamic->key = strdup(buf_cstr(&key));
    w->dynamic->used_us = loop_now_us(g->loop);
    map_put(&g->loaders, buf_slice(&key), w);
    return w;
}

/* --- what it may reach --- */

/* The index of the grant among its bindings; -1 when there is none to give. */
static int dynamic_grant(struct worker *w, const struct worker *self, const json_t *given)
{
    AUTO(json_release) json_t *binding = grant_make(self, given);
    size_t n = json_array_size(w->bindings);

    for (size_t i = 0; binding != NULL && i < n; i++)
        if (json_equal(json_array_get(w->bindings, i), binding))
            return (int)i;
    if (binding == NULL || n >= LOADER_BINDINGS_MAX)
        return -1;
    json_array_append(w->bindings, binding);
    return (int)n;
}

/* {"packed", "services"} of the caller -> {"packed", "bindings"} for the isolate; NULL when a grant fails. */
static json_t *dynamic_unpack(struct worker *w, const struct worker *self, const json_t *given)
{
    json_t *indices = json_array(), *service;
    size_t i;

    json_array_foreach(json_object_get(given, "services"), i, service)
    {
        int index = dynamic_grant(w, self, service);
        if (index < 0) {
            json_release(&indices);
            return NULL;
        }
        json_array_append_new(indices, json_integer(index));
    }
    return json_pack("{s:s, s:o}", "packed", json_str(given, "packed", ""), "bindings", indices);
}

/* Its world: what was given, nothing, or that of who brought it. */
static json_t *dynamic_world(const struct worker *self, const json_t *about)
{
    const json_t *given = json_object_get(about, "outbound");

    if (given == NULL)
        return json_incref(self->world);
    return json_is_null(given) ? json_pack("{s:s}", "type", "none") : grant_make(self, given);
}

/* --- its code --- */

static json_int_t loader_limit(const json_t *limits, const char *name, int64_t usual, int64_t most)
{
    int64_t n = json_int(limits, name, usual);

    return n < 1 ? usual : MIN(n, most);
}

/* about: {main, compat, limits, modules: [{name, type, size}], env_size, services, outbound}. */
static json_t *dynamic_spec(const struct worker *w, const json_t *about, json_t *env_bindings)
{
    json_t *modules = json_array(), *module;
    const json_t *limits = json_object_get(about, "limits");
    size_t i;

    json_array_foreach(json_object_get(about, "modules"), i, module)
    {
        char file[32];
        snprintf(file, sizeof(file), "m%zu", i);
        json_array_append_new(modules,
                              json_pack("{s:s, s:s, s:s}", "name", json_str(module, "name", ""),
                                        "type", json_str(module, "type", ""), "file", file));
    }
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:O, s:[], s:[], s:{s:I, s:I, s:I}, s:b, s:O}",
        "account", table_account(w->gateway->table), "script", w->script, "version", w->version,
        "format", "modules", "main", json_str(about, "main", ""), "code", "linked.js", "modules",
        modules, "compat", json_object_get(about, "compat"), "bindings", "mounts", "limits",
        "cpu_ms", loader_limit(limits, "cpuMs", 30000, LOADER_CPU_MS_MAX), "memory_mb",
        (json_int_t)128, "subrequests",
        loader_limit(limits, "subRequests", 1000, LOADER_SUBREQUESTS_MAX), "dynamic", 1,
        "env_bindings", env_bindings);
}

static int dynamic_take_code(struct worker *w, struct worker *self, const struct buf *body)
{
    struct slice bytes = buf_slice(body);
    struct dynamic *d = w->dynamic;
    AUTO(json_release) json_t *about = NULL, *env = NULL, *spec = NULL;
    uint32_t n = 0;

    if (bytes.len < LOADER_HEAD)
        return -EBADMSG;
    memcpy(&n, bytes.ptr, LOADER_HEAD);
    bytes = slice_skip(bytes, LOADER_HEAD);
    if (n > bytes.len || json_parse(slice_from(bytes.ptr, n), &about, NULL) < 0 ||
        !json_is_object(json_object_get(about, "compat")))
        return -EBADMSG;
    env = dynamic_unpack(w, self, about);
    w->world = dynamic_world(self, about);
    if (env == NULL || (json_object_get(about, "outbound") != NULL && w->world == NULL))
        return -EACCES;
    spec = dynamic_spec(w, about, json_object_get(env, "bindings"));
    json_print(&d->spec, spec);
    json_print(&d->options, about);
    buf_append_slice(&d->modules, slice_skip(bytes, n));
    w->gateway->loaded_bytes += buf_len(&d->modules);
    d->has_code = true;
    return 0;
}

static void code_over(struct wire_stream *s, int reason UNUSED)
{
    wire_stream_close(s, 0);
}

static void code_reply(struct wire_stream *s, struct slice args UNUSED, int fd, bool end UNUSED)
{
    fd_release(&fd);
    wire_stream_close(s, 0);
}

void dynamic_send_code(struct isolate_link *l)
{
    static const struct wire_stream_events events = {.reply = code_reply, .reset = code_over};
    const struct dynamic *d = l->worker->dynamic;
    AUTO(buf_done) struct buf args = {0};

    l->loading = true;
    msg_link_pack(&args, &(struct msg_link){.options = buf_slice(&d->options)});
    struct wire_stream *s = wire_open(l->wire, OP_link, buf_slice(&args), -1, false, &events, NULL);
    if (s != NULL)
        wire_send(s, buf_slice(&d->modules), true);
}

/* --- calls about a Worker --- */

static void loader_answer(struct call *c, int status)
{
    call_respond(c, &(struct call_head){
                        .status = status, .headers = SLICE(""), .content_length = 0, .end = true});
}

static void loader_ask(struct call *c, struct worker *w)
{
    int64_t now = loop_now_us(w->gateway->loop);
    bool wanted = !w->dynamic->has_code &&
                  (w->dynamic->asked_us == 0 || now - w->dynamic->asked_us > LOADER_ASK_AGAIN_US);

    if (wanted)
        w->dynamic->asked_us = now;
    loader_answer(c, wanted ? 404 : 200);
}

/* Code that is coming. */
struct loader_body {
    struct worker *worker, *self; /* referenced */
    struct buf bytes;
    struct call *call;
    struct timer timer;    /* the answer leaves from the loop, never from inside a call */
    bool fails, too_large; /* what comes is the reason why there is none */
};

static void body_free(struct loader_body *b)
{
    timer_stop(&b->timer);
    worker_unref(b->worker);
    worker_unref(b->self);
    buf_done(&b->bytes);
    mem_release(&b);
}

/* Takes it off the keys, so that the next call asks again. */
static void loader_fail(struct worker *w, struct slice why)
{
    struct gateway *g = w->gateway;

    worker_ref(w);
    loader_forget(g, w);
    worker_queue_fail(w, 500, why);
    worker_unref(w);
}

static void body_over(struct loader_body *b)
{
    struct worker *w = b->worker;

    if (w->dynamic->has_code)
        return;
    if (b->fails || b->too_large) {
        loader_fail(w, b->fails ? buf_slice(&b->bytes)
                                : SLICE("Error: The code of the dynamic Worker is too large."));
        return;
    }
    int r = w->gateway->loaded_bytes > LOADER_ALL_MAX ? -ENOSPC
                                                      : dynamic_take_code(w, b->self, &b->bytes);
    if (r == -ENOSPC)
        loader_fail(w, SLICE("Error: Too much code of dynamic Workers is loaded."));
    else if (r < 0)
        loader_fail(
            w, SLICE("Error: The dynamic Worker was given something that cannot be passed on."));
    else
        isolate_start(w);
}

static void body_done(struct timer *t)
{
    struct loader_body *b = CONTAINER_OF(t, struct loader_body, timer);
    struct call *c = b->call;

    body_over(b);
    body_free(b);
    call_back_done(c);
    loader_answer(c, 200);
}

static void body_send(struct call *c, struct slice bytes, bool end)
{
    struct loader_body *b = c->back_data;

    if (buf_len(&b->bytes) + bytes.len > LOADER_CODE_MAX)
        b->too_large = true;
    else
        buf_append_slice(&b->bytes, bytes);
    if (end)
        timer_start(c->gateway->loop, &b->timer, 0, body_done);
}

static size_t body_room(struct call *c UNUSED)
{
    return SIZE_MAX;
}

static void body_consumed(struct call *c UNUSED, size_t n UNUSED) {}

static void body_cancel(struct call *c, int reason UNUSED)
{
    struct loader_body *b = c->back_data;

    if (!b->worker->dynamic->has_code)
        loader_fail(b->worker, SLICE("Error: The code of the dynamic Worker did not come."));
    body_free(b);
}

static const struct back_ops body_back = {
    .send = body_send, .room = body_room, .consumed = body_consumed, .cancel = body_cancel};

static void loader_take(struct call *c, struct worker *w, struct worker *self, bool fails)
{
    struct loader_body *b = mem_new(sizeof(*b));

    b->worker = worker_ref(w);
    b->self = worker_ref(self);
    b->call = c;
    b->fails = fails;
    call_set_back(c, &body_back, b);
}

static void loader_go(struct call *c, struct worker *w, const struct worker *self,
                      const json_t *said)
{
    static struct buf text;
    const json_t *given = json_object_get(said, "props");

    if (given != NULL) {
        AUTO(json_release) json_t *props = dynamic_unpack(w, self, given);
        if (props == NULL) {
            call_fail(c, 403, "The props hold something that cannot be passed on.");
            return;
        }
        buf_clear(&text);
        json_print(&text, props);
        c->request.props = buf_slice(&text);
        c->request.packed = true;
    }
    const json_t *limits = json_object_get(said, "limits");
    c->request.cpu_ms = (uint32_t)loader_limit(limits, "cpuMs", 0, LOADER_CPU_MS_MAX);
    c->request.subrequests =
        (uint32_t)loader_limit(limits, "subRequests", 0, LOADER_SUBREQUESTS_MAX);
    c->worker = worker_ref(w);
    isolate_call_start(c);
}

void loader_call(struct call *c, struct worker *self, uint32_t binding, struct slice options,
                 struct slice entrypoint)
{
    AUTO(json_release) json_t *said = NULL;
    struct slice method = c->request.method;

    if (json_parse(options, &said, NULL) < 0 || !json_is_object(said)) {
        call_fail(c, 400, "A call on a loader names no Worker.");
        return;
    }
    struct worker *w = loader_find(self, binding, json_str(said, "key", ""));
    if (w == NULL) {
        call_fail(c, 503, "Too many dynamic Workers are loaded.");
        return;
    }
    w->dynamic->used_us = loop_now_us(w->gateway->loop);
    c->request.entrypoint = entrypoint;
    if (!json_bool(said, "about", false))
        loader_go(c, w, self, said);
    else if (slice_eq(method, SLICE("GET")))
        loader_ask(c, w);
    else
        loader_take(c, w, self, slice_eq(method, SLICE("POST")));
}
