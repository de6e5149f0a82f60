/*
 * Dispatch namespaces: a Worker is called by the name that its caller gives, and what it fetches from the
 * world may have to pass an outbound Worker of its caller's choice first.
 *
 * Which outbound Worker that is belongs to the event in which the fetch happens. An isolate that has ever
 * been given one, and now names no event that it serves, gets the last one: lying buys no way out.
 */
#include "product/messages.h"
#include "role/gateway.h"
#include "role/gateway_isolate.h"

#include <stdlib.h>
#include <string.h>

struct outbound {
    unsigned refs;
    char *service;
    struct buf variables; /* JSON: for the env of the outbound Worker */
};

struct outbound *outbound_ref(struct outbound *o)
{
    if (o != NULL)
        o->refs++;
    return o;
}

void outbound_unref(struct outbound *o)
{
    if (o == NULL || --o->refs > 0)
        return;
    mem_release(&o->service);
    buf_done(&o->variables);
    mem_release(&o);
}

/* Of what the caller gives, the parameters that the binding declares. */
static struct outbound *outbound_create(const json_t *config, const json_t *given)
{
    AUTO(json_release) json_t *variables = json_object();
    const char *service = json_str(json_object_get(config, "worker"), "service", "");
    size_t i;
    json_t *param;

    if (*service == '\0')
        return NULL;
    json_array_foreach(json_object_get(config, "params"), i, param)
    {
        const char *name = json_str(param, "name", "");
        json_t *value = json_object_get(given, name);
        if (value != NULL)
            json_object_set(variables, name, value);
    }
    struct outbound *o = mem_new(sizeof(*o));
    o->refs = 1;
    o->service = strdup(service);
    json_print(&o->variables, variables);
    return o;
}

static struct worker *dispatch_worker(struct gateway *g, const struct dispatch_namespace *ns,
                                      struct slice name)
{
    AUTO(buf_done) struct buf key = {0};

    buf_printf(&key, "%s.%.*s", ns->id, SLICE_ARG(name));
    struct script *script = table_script(g->table, buf_slice(&key));
    return script == NULL ? NULL : script_pick(script);
}

/* ctx.props of the Worker: valid until the next call. */
static struct slice dispatch_props(const json_t *options)
{
    static struct buf text;
    const json_t *props = json_object_get(options, "props");

    if (!json_is_object(props))
        return SLICE_NONE;
    buf_clear(&text);
    json_print(&text, props);
    return buf_slice(&text);
}

static uint32_t dispatch_limit(const json_t *options, const char *name)
{
    int64_t n = json_int(json_object_get(options, "limits"), name, 0);

    return n < 0 || n > INT32_MAX ? 0 : (uint32_t)n;
}

void dispatch_call(struct call *c, const json_t *binding, struct slice options, struct slice name)
{
    AUTO(json_release) json_t *said = NULL;
    const struct dispatch_namespace *ns =
        table_dispatch(c->gateway->table, slice_of(json_str(binding, "namespace", "")));
    struct worker *w = ns == NULL ? NULL : dispatch_worker(c->gateway, ns, name);

    if (w == NULL || json_parse(options, &said, NULL) < 0) {
        call_fail(c, 404, "Worker not found.");
        return;
    }
    if (!ns->trusted && !c->request.rpc) /* there it is the first bytes of the session */
        c->request.cf = SLICE_NONE;
    c->request.props = dispatch_props(said);
    c->request.cpu_ms = dispatch_limit(said, "cpuMs");
    c->request.subrequests = dispatch_limit(said, "subRequests");
    c->outbound =
        outbound_create(json_object_get(binding, "outbound"), json_object_get(said, "outbound"));
    call_dispatch(c, w);
}

/* --- what its fetches pass --- */

void event_set_outbound(struct event *e, const struct call *c)
{
    if (c->outbound == NULL)
        return;
    memcpy(e->request_id, c->request.id, sizeof(e->request_id));
    e->outbound = outbound_ref(c->outbound);
    outbound_unref(e->link->outbound);
    e->link->outbound = outbound_ref(c->outbound);
}

static struct outbound *outbound_of(struct isolate_link *l, struct slice request_id)
{
    struct slice key;
    void *value;

    for (size_t at = 0; map_next(&l->events, &at, &key, &value);) {
        struct event *e = value;
        if (slice_eq(slice_of(e->request_id), request_id))
            return e->outbound;
    }
    return l->outbound;
}

bool outbound_take(struct isolate_link *l, struct call *c, struct slice request_id)
{
    struct outbound *o = l->outbound == NULL ? NULL : outbound_of(l, request_id);
    if (o == NULL)
        return false;

    struct script *script = table_script(c->gateway->table, slice_of(o->service));
    struct worker *w = script == NULL ? NULL : script_pick(script);
    if (w == NULL) {
        call_fail(c, 503, "The outbound Worker \"%s\" is not deployed.", o->service);
        return true;
    }
    c->request.props = buf_slice(&o->variables);
    c->request.variables = true;
    call_dispatch(c, w);
    return true;
}
