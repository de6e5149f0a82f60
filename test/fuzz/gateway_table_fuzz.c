/*
 * table.json, and hosts and paths against it: "host|path|table" with zero bytes between. Workers are
 * played here.
 */
#include "fuzz.h"
#include "role/gateway.h"

#include <stdlib.h>

struct worker {
    unsigned refs;
    char *script, *version;
};

static unsigned n_workers;

void worker_set_consumers(UNUSED struct worker *w, UNUSED const json_t *names) {}

struct worker *worker_get(UNUSED struct gateway *g, struct slice script, const json_t *version)
{
    struct worker *w = mem_new(sizeof(*w));

    w->script = strndup(script.ptr, script.len);
    w->version = strdup(json_str(version, "id", ""));
    n_workers++;
    return w;
}

void worker_unref(struct worker *w)
{
    free(w->script);
    free(w->version);
    free(w);
    n_workers--;
}

const char *worker_script(const struct worker *w)
{
    return w->script;
}

const char *worker_version(const struct worker *w)
{
    return w->version;
}

void worker_supersede(struct worker *w UNUSED) {}
bool worker_is_dynamic(const struct worker *w UNUSED)
{
    return false;
}

void worker_retire(UNUSED struct worker *w) {}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gateway g = {0};
    struct slice rest = slice_from(data, size);
    struct slice host = slice_cut(&rest, '\0'), path = slice_cut(&rest, '\0');

    if (table_load(&g, rest, NULL) == 0) {
        const struct worker *w = table_route(g.table, host, path);
        CHECK(w == NULL || table_script(g.table, slice_of(worker_script(w))) != NULL);
        CHECK(table_load(&g, rest, NULL) == 0); /* the new one replaces the old one */
        (void)table_route(g.table, SLICE("api.a.example:80"), SLICE("/x?y")); /* must only end */
    }
    table_destroy(&g, g.table);
    CHECK(n_workers == 0);
    return 0;
}
