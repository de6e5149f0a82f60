/*
 * Bindings of a version: filled in from the version before, checked against what exists, and turned into the
 * forms that answers and isolates see. Types that are not known here are kept as they are.
 */
#include "product/workers/workers_impl.h"

#include "core/digest.h"

#include <errno.h>

json_t *binding_find(const json_t *bindings, const char *name)
{
    size_t i;
    json_t *binding;
    json_array_foreach(bindings, i, binding)
    {
        if (strcmp(json_str(binding, "name", ""), name) == 0)
            return binding;
    }
    return NULL;
}

bool binding_is_secret(const json_t *binding)
{
    const char *type = json_str(binding, "type", "");
    return strcmp(type, "secret_text") == 0 || strcmp(type, "secret_key") == 0;
}

void durable_namespace_id(const char *script_tag, const char *class_name, char ret[ID_HEX_SIZE])
{
    AUTO(buf_done) struct buf text = {0};
    uint8_t sum[DIGEST_MAX];
    buf_printf(&text, "durable:%s:%s", script_tag, class_name);
    digest_of(DIGEST_MD5, buf_slice(&text), sum);
    hex_encode(sum, 16, ret);
}

/* --- what must exist --- */

/* A type whose member must name a row; the sentence and code are those that clients know. */
static const struct binding_rule {
    const char *type, *member, *other_member;
    const char *sql;
    const char *sentence; /* binding name, value */
    int code;
} binding_rules[] = {
    {"kv_namespace", "namespace_id", NULL, "SELECT count(*) FROM kv_namespaces WHERE id = ?",
     "KV namespace '%2$s' not found (binding %1$s)", 10041},
    {"d1", "id", "database_id", "SELECT count(*) FROM d1_databases WHERE uuid = ?",
     "binding %1$s of type d1 must have a valid `id` specified", WORKER_ERR_INVALID},
    {"r2_bucket", "bucket_name", NULL, "SELECT count(*) FROM r2_buckets WHERE name = ?",
     "R2 bucket '%2$s' not found (binding %1$s)", 10085},
    {"service", "service", NULL, "SELECT count(*) FROM scripts WHERE name = ?",
     "Could not resolve service binding '%1$s'. Target script '%2$s' not found", 10143},
    {"dispatch_namespace", "namespace", NULL,
     "SELECT count(*) FROM dispatch_namespaces WHERE name = ?",
     "Dispatch namespace '%2$s' not found (binding %1$s); create it with wrangler "
     "dispatch-namespace create",
     100119},
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int binding_missing(const struct binding_rule *rule, const char *name, const char *value,
                           struct err *err)
{
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof(text), rule->sentence, name, value);
    return err_set(err, -EINVAL, rule->code, "%s", text);
}
#pragma GCC diagnostic pop

static int binding_check_exists(struct api_request *req, const char *script, json_t *binding,
                                struct err *err)
{
    const char *type = json_str(binding, "type", ""), *name = json_str(binding, "name", "");
    for (size_t i = 0; i < ARRAY_LEN(binding_rules); i++) {
        const struct binding_rule *rule = &binding_rules[i];
        if (strcmp(rule->type, type) != 0)
            continue;
        const char *value = json_str(binding, rule->member, "");
        if (*value == '\0' && rule->other_member != NULL)
            value = json_str(binding, rule->other_member, "");
        /* A Worker may bind itself before it exists. */
        if (strcmp(type, "service") == 0 && strcmp(value, script) == 0)
            return 0;
        int64_t n = 0;
        int r = db_int(req->api->db, &n, rule->sql, "s", value);
        if (r < 0)
            return err_set(err, r, API_ERR_INTERNAL, "the database cannot be read");
        return n == 0 ? binding_missing(rule, name, value, err) : 0;
    }
    return 0;
}

/* {limit, period}: the period is one that counts are kept for. */
static int binding_check_rate(const json_t *binding, const char *name, struct err *err)
{
    const json_t *simple = json_object_get(binding, "simple");
    json_int_t period = json_int(simple, "period", 0);
    if (json_str(binding, "namespace_id", "")[0] == '\0')
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "binding %s has no namespace_id", name);
    if (!json_is_number(json_object_get(simple, "limit")) || json_int(simple, "limit", -1) < 0)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID,
                       "simple.limit of binding %s must be a number that is not negative", name);
    if (period != 10 && period != 60)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID,
                       "simple.period of binding %s must be 10 or 60 (seconds)", name);
    return 0;
}

static int binding_check_shape(const json_t *binding, size_t i, struct err *err)
{
    const char *name = json_str(binding, "name", ""), *type = json_str(binding, "type", "");
    if (*name == '\0')
        return err_set(err, -EINVAL, 10052, "bindings[%zu] has no name", i);
    if (*type == '\0')
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "binding %s has no type", name);
    const char *text = json_str(binding, "text", NULL);
    bool wants_text = strcmp(type, "plain_text") == 0 || strcmp(type, "secret_text") == 0;
    if (wants_text && text == NULL)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "binding %s of type %s has no text", name,
                       type);
    if (wants_text && strlen(text) > WORKER_TEXT_MAX)
        return err_set(err, -EINVAL, 10054, "the text of binding %s has %zu bytes; the most are %d",
                       name, strlen(text), WORKER_TEXT_MAX);
    if (strcmp(type, "ratelimit") == 0)
        return binding_check_rate(binding, name, err);
    return 0;
}

/* --- inheritance --- */

/* The binding that {type: inherit} stands for; a new reference, NULL when it may be left out. */
static int binding_inherit(struct api_request *req, const json_t *wanted, const json_t *before,
                           json_t **ret, struct err *err)
{
    const char *name = json_str(wanted, "name", "");
    const json_t *old =
        binding_find(json_object_get(before, "bindings"), json_str(wanted, "old_name", name));
    *ret = NULL;
    if (old == NULL) {
        if (strcmp(api_query(req, "bindings_inherit", ""), "strict") != 0)
            return 0;
        return err_set(
            err, -EINVAL, WORKER_ERR_INHERIT,
            "inherit binding '%s' is invalid: the latest version has no binding of this name",
            name);
    }
    *ret = json_deep_copy(old);
    json_object_set_new(*ret, "name", json_string(name));
    return 0;
}

static bool binding_type_kept(const json_t *keep, const char *type)
{
    size_t i;
    json_t *kept;
    json_array_foreach(keep, i, kept)
    {
        if (json_is_string(kept) && strcmp(json_string_value(kept), type) == 0)
            return true;
    }
    return false;
}

static void bindings_keep(json_t *bindings, const json_t *keep, const json_t *before)
{
    size_t i;
    json_t *old;
    json_array_foreach(json_object_get(before, "bindings"), i, old)
    {
        if (binding_type_kept(keep, json_str(old, "type", "")) &&
            binding_find(bindings, json_str(old, "name", "")) == NULL)
            json_array_append_new(bindings, json_deep_copy(old));
    }
}

/* A secret without text means the one that is there. */
static void binding_fill_secret(json_t *binding, const json_t *before)
{
    const json_t *old =
        binding_find(json_object_get(before, "bindings"), json_str(binding, "name", ""));
    if (binding_is_secret(binding) && json_object_get(binding, "text") == NULL && old != NULL &&
        binding_is_secret(old))
        json_object_update_missing(binding, (json_t *)old);
}

static int binding_add(struct api_request *req, json_t *into, const json_t *wanted,
                       const json_t *before, struct err *err)
{
    AUTO(json_release) json_t *binding = NULL;
    int r = 0;
    if (strcmp(json_str(wanted, "type", ""), "inherit") == 0)
        r = binding_inherit(req, wanted, before, &binding, err);
    else
        binding = json_deep_copy(wanted);
    if (r < 0 || binding == NULL)
        return r;
    binding_fill_secret(binding, before);
    r = binding_check_shape(binding, json_array_size(into), err);
    if (r < 0)
        return r;
    const char *name = json_str(binding, "name", "");
    if (binding_find(into, name) != NULL)
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "two bindings are called %s", name);
    json_array_append(into, binding);
    return 0;
}

int bindings_resolve(struct api_request *req, const char *script, json_t *metadata,
                     const json_t *before, struct err *err)
{
    const json_t *wanted = json_object_get(metadata, "bindings");
    json_t *result = json_array(), *binding;
    size_t i;
    int r = 0;
    if (json_array_size(wanted) > WORKER_BINDINGS_MAX)
        r = err_set(err, -EINVAL, 10055, "more than %d bindings", WORKER_BINDINGS_MAX);
    for (i = 0; r == 0 && i < json_array_size(wanted); i++)
        r = binding_add(req, result, json_array_get(wanted, i), before, err);
    if (r == 0)
        bindings_keep(result, json_object_get(metadata, "keep_bindings"), before);
    json_object_set_new(metadata, "bindings", result);
    if (r < 0)
        return r;
    json_array_foreach(result, i, binding)
    {
        r = binding_check_exists(req, script, binding, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- as answers show them --- */

json_t *bindings_public(const char *script_tag, const json_t *bindings)
{
    static const char *const hidden[] = {"key_base64", "key_jwk"};
    json_t *list = json_array(), *binding;
    size_t i;
    json_array_foreach(bindings, i, binding)
    {
        json_t *shown = json_deep_copy(binding);
        const char *type = json_str(binding, "type", "");
        if (binding_is_secret(binding))
            json_object_del(shown, "text");
        for (size_t k = 0; k < ARRAY_LEN(hidden); k++)
            json_object_del(shown, hidden[k]);
        if (strcmp(type, "d1") == 0) {
            const char *id = json_str(binding, "id", json_str(binding, "database_id", ""));
            json_object_set_new(shown, "id", json_string(id));
            json_object_set_new(shown, "database_id", json_string(id));
        } else if (strcmp(type, "durable_object_namespace") == 0 &&
                   json_object_get(shown, "namespace_id") == NULL) { /* of an older upload */
            char id[ID_HEX_SIZE];
            durable_namespace_id(json_str(binding, "script_name", script_tag),
                                 json_str(binding, "class_name", ""), id);
            json_object_set_new(shown, "namespace_id", json_string(id));
        }
        json_array_append_new(list, shown);
    }
    return list;
}

/* --- as isolates see them --- */

static const struct binding_store {
    const char *type, *member, *other_member;
    const char *store;  /* first part of the store's name */
    const char *access; /* of the mount */
} binding_stores[] = {
    {"kv_namespace", "namespace_id", NULL, "kv", "lmdb"},
    {"d1", "id", "database_id", "d1", "read"},
    {"r2_bucket", "bucket_name", NULL, "r2", "read"},
};

static void binding_mount(json_t *mounts, const char *source, const char *target,
                          const char *access)
{
    size_t i;
    json_t *mount;
    json_array_foreach(mounts, i, mount)
    {
        if (strcmp(json_str(mount, "target", ""), target) == 0)
            return; /* two bindings of one store share it */
    }
    json_array_append_new(
        mounts, json_pack("{s:s, s:s, s:s}", "source", source, "target", target, "access", access));
}

static void binding_add_store(json_t *binding, const char *account, json_t *mounts)
{
    for (size_t i = 0; i < ARRAY_LEN(binding_stores); i++) {
        const struct binding_store *row = &binding_stores[i];
        if (strcmp(json_str(binding, "type", ""), row->type) != 0)
            continue;
        const char *id = json_str(binding, row->member, "");
        if (*id == '\0' && row->other_member != NULL)
            id = json_str(binding, row->other_member, "");
        char store[WORKER_PATH_MAX], target[WORKER_PATH_MAX], source[WORKER_PATH_MAX];
        snprintf(store, sizeof(store), "%s/%s", row->store, id);
        snprintf(target, sizeof(target), "%s-%s", row->store, id);
        snprintf(source, sizeof(source), "accounts/%s/%s/%s", account, row->store, id);
        json_object_set_new(binding, row->member, json_string(id));
        json_object_set_new(binding, "store", json_string(store));
        json_object_set_new(binding, "mount", json_string(target));
        binding_mount(mounts, source, target, row->access);
    }
}

json_t *bindings_spec(const char *account, const json_t *bindings, json_t *mounts)
{
    json_t *list = json_deep_copy(bindings), *binding;
    size_t i;
    json_array_foreach(list, i, binding)
    {
        binding_add_store(binding, account, mounts);
    }
    return list;
}
