/*
 * The deployed versions that the table names, and those whose isolates still finish what they have.
 */
#include "role/gateway_isolate.h"

#include <stdlib.h>
#include <string.h>

struct worker *worker_get(struct gateway *g, struct slice script, const json_t *version)
{
    AUTO(buf_done) struct buf key = {0};
    const char *id = json_str(version, "id", "");

    buf_printf(&key, "%.*s/%s", SLICE_ARG(script), id);
    struct worker *w = map_get(&g->workers, buf_slice(&key));
    if (w != NULL)
        return worker_ref(w);

    w = mem_new(sizeof(*w));
    w->gateway = g;
    w->refs = 1;
    w->key = strdup(buf_cstr(&key));
    w->script = strndup(script.ptr, script.len);
    w->version = strdup(id);
    w->has_code = json_bool(version, "has_code", true);
    w->bindings = json_incref(json_object_get(version, "bindings"));
    w->world = json_incref(json_object_get(version, "global_outbound"));
    w->assets_config = json_incref(json_object_get(version, "assets"));
    list_init(&w->isolates);
    list_init(&w->queue);
    map_put(&g->workers, buf_slice(&key), w);
    return w;
}

struct worker *worker_ref(struct worker *w)
{
    w->refs++;
    return w;
}

void worker_unref(struct worker *w)
{
    if (--w->refs > 0)
        return;
    CHECK(list_empty(&w->queue) && w->n_isolates == 0);
    map_remove(&w->gateway->workers, slice_of(w->key));
    json_release(&w->bindings);
    json_release(&w->world);
    dynamic_free(w->gateway, w->dynamic);
    json_release(&w->assets_config);
    json_release(&w->consumers);
    assets_destroy(w->assets);
    mem_release(&w->key);
    mem_release(&w->script);
    mem_release(&w->version);
    mem_release(&w);
}

const char *worker_script(const struct worker *w)
{
    return w->script;
}

const char *worker_version(const struct worker *w)
{
    return w->version;
}

/* Read at the first request: most previews never get one, and a manifest may be large. */
const struct assets *worker_assets(struct worker *w)
{
    if (w->assets == NULL && json_is_object(w->assets_config))
        w->assets = assets_load(w->gateway, w->assets_config);
    return w->assets;
}

void worker_set_consumers(struct worker *w, const json_t *names)
{
    json_release(&w->consumers);
    w->consumers = json_array_size(names) == 0 ? NULL : json_deep_copy(names);
}

bool worker_has_code(const struct worker *w)
{
    return w->has_code;
}

bool worker_is_dynamic(const struct worker *w)
{
    return w->dynamic != NULL;
}

const json_t *worker_binding(const struct worker *w, uint32_t index)
{
    return json_array_get(w->bindings, index);
}

void worker_supersede(struct worker *w)
{
    LIST_FOR (at, &w->isolates)
        objects_leave(LIST_ENTRY(at, struct isolate_link, in_worker), "superseded");
}

void worker_retire(struct worker *w)
{
    w->retired = true;
    LIST_FOR_SAFE (at, &w->isolates) {
        struct isolate_link *l = LIST_ENTRY(at, struct isolate_link, in_worker);
        if (l->state == ISOLATE_READY)
            link_leave(l, "superseded");
    }
}
