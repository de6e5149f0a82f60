/*
 * Bindings of a service: of the description's kinds to those of a version's spec, with the stores that they need.
 *
 * Durable Objects: "durableObjectNamespaces": [{"className", "enableSql"}] of a service makes the namespaces of its
 * classes, {"durableObjectNamespace": "Class" or {"className", "serviceName"}} binds one.
 */
#include "role/test_worker.h"

#include "core/id.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BINDING_PATH_MAX = 2 * TEST_WORKER_PATH_MAX, NAMESPACE_KEY_LEN = 32 };

/* What becomes of the bindings of one service. */
struct binding_list {
    struct test_service *service;
    unsigned *n_files;
};

/* --- namespaces --- */

static json_t *namespace_of(const struct test_runner *r, const char *service, const char *class)
{
    AUTO(buf_done) struct buf key = {0};
    buf_printf(&key, "%s\n%s", service, class);
    return json_object_get(r->namespaces, buf_cstr(&key));
}

static void namespace_add(struct test_runner *r, const char *service, const json_t *config)
{
    AUTO(buf_done) struct buf name = {0};
    char id[ID_HEX_SIZE], key[2 * NAMESPACE_KEY_LEN + 1];
    uint8_t random[NAMESPACE_KEY_LEN];
    id_random(random, sizeof(random));
    buf_printf(&name, "%s\n%s", service, json_str(config, "className", ""));
    json_object_set_new(r->namespaces, buf_cstr(&name),
                        json_pack("{s:s, s:s, s:b}", "id", id_hex(id), "key",
                                  hex_encode(random, sizeof(random), key), "sqlite",
                                  json_bool(config, "enableSql", false)));
}

void config_namespaces(struct test_runner *r)
{
    size_t i;
    json_t *config;
    r->namespaces = json_object();
    for (size_t k = 0; k < r->n_services; k++) {
        const struct test_service *s = &r->services[k];
        json_array_foreach(json_object_get(s->config, "durableObjectNamespaces"), i, config)
            namespace_add(r, s->name, config);
    }
}

/* --- stores --- */

/* Makes the store and lets the isolate see it (below `part`, when that is not empty). */
static int store_add(struct test_service *s, json_t *binding, const char *store, const char *part,
                     struct err *err)
{
    char source[BINDING_PATH_MAX], target[BINDING_PATH_MAX];
    struct slice name = slice_of(store);
    const char *access = slice_starts(name, SLICE("kv/"))        ? "lmdb"
                         : slice_starts(name, SLICE("durable/")) ? "write"
                                                                 : "read";
    snprintf(source, sizeof(source), "%s/data/%s%s", s->runner->root, store, part);
    snprintf(target, sizeof(target), "%s", store);
    *strchr(target, '/') = '-';
    json_object_set_new(binding, "store", json_string(store));
    json_object_set_new(binding, "mount", json_string(target));
    json_array_append_new(s->mounts, json_pack("{s:s, s:s, s:s}", "source", source, "target",
                                               target, "access", access));
    return world_make_store(s->runner, store, err);
}

/* The classes of the service itself: nameless bindings, absent from env. */
static int classes_add(struct test_service *s, struct err *err)
{
    size_t i;
    json_t *config;
    int result = 0;
    json_array_foreach(json_object_get(s->config, "durableObjectNamespaces"), i, config)
    {
        char store[BINDING_PATH_MAX];
        const char *class = json_str(config, "className", "");
        const json_t *ns = namespace_of(s->runner, s->name, class);
        json_t *binding =
            json_pack("{s:s, s:s, s:s, s:s, s:O, s:O}", "name", "", "type", "durable_object_class",
                      "class_name", class, "namespace_id", json_str(ns, "id", ""), "key",
                      json_object_get(ns, "key"), "sqlite", json_object_get(ns, "sqlite"));
        json_array_append_new(s->bindings, binding);
        snprintf(store, sizeof(store), "durable/%s", json_str(ns, "id", ""));
        result = store_add(s, binding, store, "/objects", err);
        if (result < 0)
            return result;
    }
    return result;
}

/* --- kinds --- */

/* Each gives the binding without its name, or NULL with a reason. */

static json_t *make_text(struct binding_list *l UNUSED, json_t *value, struct err *err UNUSED)
{
    return json_pack("{s:s, s:O}", "type", "plain_text", "text", value);
}

static json_t *make_json(struct binding_list *l UNUSED, json_t *value, struct err *err UNUSED)
{
    return json_pack("{s:s, s:O}", "type", "json", "json", value);
}

/* "name", or {"name", "entrypoint", "props"} */
static json_t *make_service(struct binding_list *l UNUSED, json_t *value, struct err *err UNUSED)
{
    const char *name =
        json_is_string(value) ? json_string_value(value) : json_str(value, "name", "");
    json_t *binding = json_pack("{s:s, s:s, s:s}", "type", "service", "service", name, "entrypoint",
                                json_str(value, "entrypoint", ""));
    json_t *props = json_object_get(value, "props");
    if (props != NULL)
        json_object_set(binding, "props", props);
    return binding;
}

static json_t *make_file(struct binding_list *l, json_t *value, const char *type, struct err *err)
{
    AUTO(buf_done) struct buf content = {0};
    char file[16];
    if (config_content(l->service->runner, value, &content, err) < 0 ||
        service_write_next(l->service, l->n_files, buf_slice(&content), file, err) < 0)
        return NULL;
    return json_pack("{s:s, s:s}", "type", type, "file", file);
}

static json_t *make_data(struct binding_list *l, json_t *value, struct err *err)
{
    return make_file(l, value, "data_blob", err);
}

static json_t *make_wasm(struct binding_list *l, json_t *value, struct err *err)
{
    return make_file(l, value, "wasm_module", err);
}

static json_t *make_namespace(struct binding_list *l, json_t *value, struct err *err)
{
    const char *class =
        json_is_string(value) ? json_string_value(value) : json_str(value, "className", "");
    const char *service = json_str(value, "serviceName", l->service->name);
    const json_t *ns = namespace_of(l->service->runner, service, class);
    if (ns == NULL) {
        err_set(err, -EINVAL, 0, "%s: the service %s has no namespace of the class %s",
                l->service->name, service, class);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:O, s:O}", "type", "durable_object_namespace", "class_name",
                     class, "namespace_id", json_object_get(ns, "id"), "key",
                     json_object_get(ns, "key"));
}

static json_t *make_stored(struct binding_list *l, json_t *value, const char *const names[3],
                           struct err *err)
{
    char store[BINDING_PATH_MAX];
    const char *id = json_string_value(value);
    if (id == NULL) {
        err_set(err, -EINVAL, 0, "%s: a store is named by a string", l->service->name);
        return NULL;
    }
    json_t *binding = json_pack("{s:s, s:s}", "type", names[0], names[1], id);
    snprintf(store, sizeof(store), "%s/%s", names[2], id);
    if (store_add(l->service, binding, store, "", err) < 0)
        json_release(&binding);
    return binding;
}

static json_t *make_kv(struct binding_list *l, json_t *value, struct err *err)
{
    return make_stored(l, value, (const char *[]){"kv_namespace", "namespace_id", "kv"}, err);
}

static json_t *make_r2(struct binding_list *l, json_t *value, struct err *err)
{
    return make_stored(l, value, (const char *[]){"r2_bucket", "bucket_name", "r2"}, err);
}

static json_t *make_d1(struct binding_list *l, json_t *value, struct err *err)
{
    return make_stored(l, value, (const char *[]){"d1", "id", "d1"}, err);
}

static json_t *make_loader(struct binding_list *l UNUSED, json_t *value UNUSED,
                           struct err *err UNUSED)
{
    return json_pack("{s:s}", "type", "worker_loader");
}

static const struct binding_kind {
    const char *key;
    json_t *(*make)(struct binding_list *l, json_t *value, struct err *err);
} binding_kinds[] = {
    {"text", make_text},           {"json", make_json},
    {"service", make_service},     {"data", make_data},
    {"wasm", make_wasm},           {"wasmModule", make_wasm},
    {"kvNamespace", make_kv},      {"durableObjectNamespace", make_namespace},
    {"r2Bucket", make_r2},         {"d1Database", make_d1},
    {"workerLoader", make_loader},
};

/* Kinds without a counterpart are absent from env. */
static int binding_add(struct binding_list *l, const json_t *config, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(binding_kinds); i++) {
        json_t *value = json_object_get(config, binding_kinds[i].key);
        if (value == NULL)
            continue;
        json_t *binding = binding_kinds[i].make(l, value, err);
        if (binding == NULL)
            return -EINVAL;
        json_object_set_new(binding, "name", json_string(json_str(config, "name", "")));
        json_array_append_new(l->service->bindings, binding);
        return 0;
    }
    return 0;
}

int service_bindings(struct test_service *s, unsigned *n_files, struct err *err)
{
    struct binding_list l = {.service = s, .n_files = n_files};
    json_t *outbound = json_object_get(s->config, "globalOutbound");
    size_t i;
    json_t *config;
    s->bindings = json_array();
    s->mounts = json_array();
    if (outbound != NULL)
        s->outbound = make_service(&l, outbound, err);
    json_array_foreach(json_object_get(s->config, "bindings"), i, config)
    {
        int result = binding_add(&l, config, err);
        if (result < 0)
            return result;
    }
    return classes_add(s, err);
}

/* --- the table --- */

static json_t *table_namespaces(const struct test_runner *r)
{
    json_t *out = json_object(), *ns;
    const char *key;
    json_object_foreach(r->namespaces, key, ns)
    {
        const char *class = strchr(key, '\n');
        AUTO(buf_done) struct buf script = {0};
        buf_append(&script, key, (size_t)(class - key));
        json_object_set_new(
            out, json_str(ns, "id", ""),
            json_pack("{s:s, s:s}", "script", buf_cstr(&script), "class", class + 1));
    }
    return out;
}

json_t *config_table(const struct test_runner *r)
{
    json_t *scripts = json_object();
    for (size_t i = 0; i < r->n_services; i++) {
        const struct test_service *s = &r->services[i];
        json_t *version = json_pack("{s:s, s:i, s:b, s:O}", "id", TEST_WORKER_VERSION, "percentage",
                                    100, "has_code", 1, "bindings", s->bindings);
        if (s->outbound != NULL)
            json_object_set(version, "global_outbound", s->outbound);
        json_object_set_new(scripts, s->name,
                            json_pack("{s:b, s:[o]}", "workers_dev", 0, "versions", version));
    }
    return json_pack("{s:i, s:s, s:s, s:o, s:o}", "revision", 1, "domain", "localhost", "account",
                     TEST_WORKER_ACCOUNT, "scripts", scripts, "namespaces", table_namespaces(r));
}
