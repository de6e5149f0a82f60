/*
 * Routing: which Worker, in which version, answers a host and path.
 *
 * Order: exact host of a custom domain; the longest matching route pattern; <script>.<domain>; then a
 * preview of one version, <first 8 digits of its id>-<script>.<domain> or <its alias>-<script>.<domain>.
 * A table is built whole and replaces the old one.
 */
#include "role/gateway.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PREVIEW_ID_DIGITS = 8 };

struct route {
    char *host, *path; /* patterns; '*' matches any run of characters */
    struct script *script;
};

struct table {
    uint64_t revision;
    char *domain, *account;
    struct map scripts;    /* name -> struct script */
    struct map domains;    /* host -> struct script */
    struct map buckets;    /* host -> name of a public bucket, owned */
    struct map previews;   /* label -> struct worker, referenced by its script */
    struct map namespaces; /* id -> struct durable_class, owned */
    struct map dispatch;   /* name -> struct dispatch_namespace, owned */
    struct route *routes;  /* longest pattern first */
    size_t n_routes;
};

static void script_free(struct script *s)
{
    for (unsigned i = 0; i < s->n_versions; i++)
        worker_unref(s->versions[i].worker);
    for (unsigned i = 0; i < s->n_previews; i++)
        worker_unref(s->previews[i]);
    mem_release(&s->previews);
    mem_release(&s->name);
    mem_release(&s);
}

void table_destroy(struct gateway *g UNUSED, struct table *table)
{
    struct slice key;
    void *value;

    if (table == NULL)
        return;
    for (size_t at = 0; map_next(&table->scripts, &at, &key, &value);)
        script_free(value);
    for (size_t i = 0; i < table->n_routes; i++) {
        mem_release(&table->routes[i].host);
        mem_release(&table->routes[i].path);
    }
    mem_release(&table->routes);
    map_done(&table->scripts);
    map_done(&table->domains);
    for (size_t at = 0; map_next(&table->buckets, &at, &key, &value);) {
        char *name = value;
        mem_release(&name);
    }
    map_done(&table->buckets);
    map_done(&table->previews);
    for (size_t at = 0; map_next(&table->namespaces, &at, &key, &value);) {
        struct durable_class *class = value;
        mem_release(&class->id);
        mem_release(&class->script);
        mem_release(&class->name);
        mem_release(&class);
    }
    map_done(&table->namespaces);
    for (size_t at = 0; map_next(&table->dispatch, &at, &key, &value);) {
        struct dispatch_namespace *ns = value;
        mem_release(&ns->id);
        mem_release(&ns);
    }
    map_done(&table->dispatch);
    mem_release(&table->domain);
    mem_release(&table->account);
    mem_release(&table);
}

static void preview_put(struct table *t, struct slice label, const char *script, struct worker *w)
{
    AUTO(buf_done) struct buf text = {0};

    buf_printf(&text, "%.*s-%s", SLICE_ARG(label), script);
    map_put(&t->previews, buf_slice(&text), w);
}

/* Newest first, so that an alias given twice names the newer version. */
static void load_previews(struct gateway *g, struct table *t, struct script *s, const json_t *list)
{
    s->previews = mem_new((json_array_size(list) + 1) * sizeof(struct worker *));
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *version = json_array_get(list, i);
        struct worker *w = worker_get(g, slice_of(s->name), version);
        const char *alias = json_str(version, "alias", "");
        struct slice id = slice_of(worker_version(w));
        s->previews[s->n_previews++] = w;
        preview_put(t, slice_from(id.ptr, MIN(id.len, PREVIEW_ID_DIGITS)), s->name, w);
        if (*alias != '\0')
            preview_put(t, slice_of(alias), s->name, w);
    }
}

static void load_script(struct gateway *g, struct table *t, const char *name, const json_t *value)
{
    struct script *s = mem_new(sizeof(*s));
    size_t i;
    json_t *version;

    s->name = strdup(name);
    s->workers_dev = json_bool(value, "workers_dev", true);
    json_array_foreach(json_object_get(value, "versions"), i, version)
    {
        if (s->n_versions == ARRAY_LEN(s->versions))
            break;
        s->versions[s->n_versions].worker = worker_get(g, slice_of(name), version);
        worker_set_consumers(s->versions[s->n_versions].worker,
                             json_object_get(value, "consumers"));
        s->versions[s->n_versions++].percentage = (unsigned)json_int(version, "percentage", 0);
    }
    load_previews(g, t, s, json_object_get(value, "previews"));
    map_put(&t->scripts, slice_of(name), s);
}

static void load_namespace(struct table *t, const char *id, const json_t *value)
{
    struct durable_class *class = mem_new(sizeof(*class));

    class->id = strdup(id);
    class->script = strdup(json_str(value, "script", ""));
    class->name = strdup(json_str(value, "class", ""));
    map_put(&t->namespaces, slice_of(id), class);
}

static void load_dispatch(struct table *t, const json_t *list)
{
    size_t i;
    json_t *value;

    json_array_foreach(list, i, value)
    {
        const char *name = json_str(value, "name", "");
        if (table_dispatch(t, slice_of(name)) != NULL)
            continue;
        struct dispatch_namespace *ns = mem_new(sizeof(*ns));
        ns->id = strdup(json_str(value, "id", ""));
        ns->trusted = json_bool(value, "trusted", false);
        map_put(&t->dispatch, slice_of(name), ns);
    }
}

static int route_compare(const void *a, const void *b)
{
    const struct route *x = a, *y = b;
    size_t n = strlen(x->host) + strlen(x->path), m = strlen(y->host) + strlen(y->path);

    return n == m ? 0 : n > m ? -1 : 1;
}

static void load_routes(struct table *t, const json_t *routes)
{
    size_t i;
    json_t *value;

    t->routes = mem_new((json_array_size(routes) + 1) * sizeof(*t->routes));
    json_array_foreach(routes, i, value)
    {
        const char *pattern = json_str(value, "pattern", "");
        struct script *s = map_get(&t->scripts, slice_of(json_str(value, "script", "")));
        const char *scheme = strstr(pattern, "://");
        if (s == NULL)
            continue;
        if (scheme != NULL)
            pattern = scheme + 3;
        const char *slash = strchr(pattern, '/');
        struct route *r = &t->routes[t->n_routes++];
        r->host = slash == NULL ? strdup(pattern) : strndup(pattern, (size_t)(slash - pattern));
        r->path = strdup(slash == NULL ? "/" : slash);
        r->script = s;
    }
    qsort(t->routes, t->n_routes, sizeof(*t->routes), route_compare);
}

static bool script_deploys(const struct script *s, const struct worker *w)
{
    for (unsigned i = 0; i < s->n_versions; i++)
        if (s->versions[i].worker == w)
            return true;
    return false;
}

static bool script_previews(const struct script *s, const struct worker *w)
{
    for (unsigned i = 0; i < s->n_previews; i++)
        if (s->previews[i] == w)
            return true;
    return false;
}

static void retire_absent(struct gateway *g, const struct table *t)
{
    struct slice key;
    void *value;

    for (size_t at = 0; map_next(&g->workers, &at, &key, &value);) {
        struct worker *w = value;
        struct script *s = map_get(&t->scripts, slice_of(worker_script(w)));
        if (worker_is_dynamic(w) || (s != NULL && script_deploys(s, w)))
            continue;
        if (s != NULL && script_previews(s, w))
            worker_supersede(w);
        else
            worker_retire(w);
    }
}

int table_load(struct gateway *g, struct slice json, struct err *err)
{
    AUTO(json_release) json_t *root = NULL;
    const char *name;
    json_t *value;
    size_t i;

    int r = json_parse(json, &root, err);
    if (r < 0)
        return r;
    if (!json_is_object(root))
        return err_set(err, -EBADMSG, 0, "table.json is not an object");

    struct table *t = mem_new(sizeof(*t));
    t->revision = (uint64_t)json_int(root, "revision", 0);
    t->domain = strdup(json_str(root, "domain", "localhost"));
    t->account = strdup(json_str(root, "account", ""));
    json_object_foreach(json_object_get(root, "scripts"), name, value)
        load_script(g, t, name, value);
    json_array_foreach(json_object_get(root, "domains"), i, value)
    {
        struct script *s = map_get(&t->scripts, slice_of(json_str(value, "script", "")));
        if (s != NULL)
            map_put(&t->domains, slice_of(json_str(value, "hostname", "")), s);
    }
    json_array_foreach(json_object_get(root, "buckets"), i, value)
    {
        struct slice host = slice_of(json_str(value, "hostname", ""));
        if (map_get(&t->buckets, host) == NULL)
            map_put(&t->buckets, host, strdup(json_str(value, "bucket", "")));
    }
    load_routes(t, json_object_get(root, "routes"));
    json_object_foreach(json_object_get(root, "namespaces"), name, value)
        load_namespace(t, name, value);
    load_dispatch(t, json_object_get(root, "dispatch"));
    retire_absent(g, t);
    table_destroy(g, g->table);
    g->table = t;
    return 0;
}

const char *table_account(const struct table *table)
{
    return table == NULL ? "" : table->account;
}

const struct durable_class *table_namespace(const struct table *table, struct slice id)
{
    return table == NULL ? NULL : map_get(&table->namespaces, id);
}

const struct dispatch_namespace *table_dispatch(const struct table *table, struct slice name)
{
    return table == NULL ? NULL : map_get(&table->dispatch, name);
}

bool table_is_untrusted(const struct table *table, const char *script)
{
    struct slice key;
    void *value;

    if (table == NULL || strchr(script, '.') == NULL)
        return false;
    for (size_t at = 0; map_next(&table->dispatch, &at, &key, &value);) {
        const struct dispatch_namespace *ns = value;
        if (ns->trusted && slice_starts(slice_of(script), slice_of(ns->id)))
            return false;
    }
    return true;
}

struct script *table_script(const struct table *table, struct slice name)
{
    return table == NULL ? NULL : map_get(&table->scripts, name);
}

struct worker *script_pick(const struct script *script)
{
    if (script->n_versions < 2)
        return script->n_versions == 0 ? NULL : script->versions[0].worker;

    static uint32_t state = 0x2545f491;
    state = state * 1664525u + 1013904223u;
    unsigned at = (state >> 16) % 100;
    return script->versions[at < script->versions[0].percentage ? 0 : 1].worker;
}

/* Greedy match of '*' without recursion: one point to come back to is enough. */
static bool pattern_match(const char *pattern, struct slice s)
{
    const char *star = NULL;
    size_t i = 0, back = 0;

    while (i < s.len) {
        if (*pattern == '*') {
            star = pattern++;
            back = i;
        } else if (*pattern == s.ptr[i]) {
            pattern++;
            i++;
        } else if (star != NULL) {
            pattern = star + 1;
            i = ++back;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* "[::1]:80" -> "[::1]", "a.example:80" -> "a.example". */
static struct slice host_without_port(struct slice host)
{
    for (size_t i = host.len; i > 0; i--) {
        char c = host.ptr[i - 1];
        if (c == ':')
            return slice_from(host.ptr, i - 1);
        if (c < '0' || c > '9')
            break;
    }
    return host;
}

static struct worker *subdomain_route(const struct table *t, struct slice host)
{
    struct slice domain = slice_of(t->domain);

    if (host.len <= domain.len + 1 || !slice_ends(host, domain) ||
        host.ptr[host.len - domain.len - 1] != '.')
        return NULL;
    struct slice label = slice_from(host.ptr, host.len - domain.len - 1);
    struct script *s = table_script(t, label);
    if (s != NULL && s->workers_dev)
        return script_pick(s);
    return map_get(&t->previews, label);
}

const char *table_bucket(const struct table *table, struct slice host)
{
    return table == NULL ? NULL : map_get(&table->buckets, host_without_port(host));
}

struct worker *table_route(const struct table *table, struct slice host, struct slice path)
{
    if (table == NULL)
        return NULL;
    host = host_without_port(host);
    struct slice query = path;
    path = slice_cut(&query, '?');

    struct script *s = map_get(&table->domains, host);
    for (size_t i = 0; s == NULL && i < table->n_routes; i++)
        if (pattern_match(table->routes[i].host, host) &&
            pattern_match(table->routes[i].path, path))
            s = table->routes[i].script;
    return s != NULL ? script_pick(s) : subdomain_route(table, host);
}
