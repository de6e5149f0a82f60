/*
 * Settings of a script, versioned (bindings, compatibility, limits) and not (tags, logpush…), and secrets.
 *
 * Each change of a versioned setting or secret is a new version with the same code.
 */
#include "product/workers/workers_api_impl.h"

#include <errno.h>

enum { SECRET_ERR_NOT_DEPLOYED = 10215, SECRET_ERR_MISSING = 10056 };

/* --- settings of the script itself --- */

static const char *const script_members[] = {"logpush", "tail_consumers", "observability", "tags"};

int script_settings_merge(struct api_request *req, const char *name, const json_t *given,
                          struct err *err)
{
    AUTO(json_release) json_t *script = NULL;
    int r = script_find(req, name, &script, err);
    if (r < 0)
        return r;
    json_t *settings = json_object_get(script, "settings");
    AUTO(json_release)
    json_t *merged = json_is_object(settings) ? json_deep_copy(settings) : json_object();
    for (size_t i = 0; i < ARRAY_LEN(script_members); i++) {
        json_t *value = json_object_get(given, script_members[i]);
        if (value != NULL)
            json_object_set(merged, script_members[i], value);
    }
    r = db_run(req->api->db, "UPDATE scripts SET settings = ?, modified_ms = ? WHERE name = ?",
               "jls", merged, workers_now(), json_str(script, "name", ""));
    return r < 0 ? err_set(err, r, API_ERR_INTERNAL, "the settings cannot be stored") : 0;
}

int script_settings_api_get(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *object = NULL;
    int r = script_object(req, script_param(req), NULL, &object, err);
    if (r < 0)
        return r;
    json_t *result = json_object();
    for (size_t i = 0; i < ARRAY_LEN(script_members); i++) {
        json_t *value = json_object_get(object, script_members[i]);
        if (value != NULL)
            json_object_set(result, script_members[i], value);
    }
    return api_ok(req, result);
}

int script_settings_api_patch(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = script_settings_merge(req, script_param(req), body, err);
    if (r == 0)
        r = table_publish(req, err); /* tail Workers are in it */
    return r < 0 ? r : script_settings_api_get(req, err);
}

/* --- settings of the latest version --- */

static int settings_latest(struct api_request *req, json_t **ret_script, json_t **ret_version,
                           struct err *err)
{
    int r = script_find(req, script_param(req), ret_script, err);
    if (r < 0)
        return r;
    r = version_latest(req, json_str(*ret_script, "name", ""), ret_version);
    return r < 0
               ? err_set(err, r, WORKER_ERR_MISSING, "This Worker does not exist on your account.")
               : 0;
}

static json_t *settings_object(const json_t *script, const json_t *version)
{
    static const char *const members[] = {"compatibility_date", "compatibility_flags", "limits",
                                          "placement", "annotations"};
    json_t *result = json_object();
    const json_t *metadata = json_object_get(version, "metadata");
    const json_t *settings = json_object_get(script, "settings");
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json_t *value = json_object_get(metadata, members[i]);
        if (value != NULL)
            json_object_set(result, members[i], value);
    }
    for (size_t i = 0; i < ARRAY_LEN(script_members); i++) {
        json_t *value = json_object_get(settings, script_members[i]);
        if (value != NULL)
            json_object_set(result, script_members[i], value);
    }
    json_object_set_new(result, "usage_model", json_string("standard"));
    json_object_set_new(
        result, "bindings",
        bindings_public(json_str(script, "tag", ""), json_object_get(version, "bindings")));
    if (json_object_get(script, "migration_tag") != NULL)
        json_object_set(result, "migration_tag", json_object_get(script, "migration_tag"));
    return result;
}

int settings_api_get(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *version = NULL;
    int r = settings_latest(req, &script, &version, err);
    return r < 0 ? r : api_ok(req, settings_object(script, version));
}

int settings_api_bindings(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *version = NULL;
    int r = settings_latest(req, &script, &version, err);
    if (r < 0)
        return r;
    return api_ok(
        req, bindings_public(json_str(script, "tag", ""), json_object_get(version, "bindings")));
}

/* A part "settings" (JSON), or its members flattened, or a JSON body. */
static int settings_wanted(struct api_request *req, json_t **ret, struct err *err)
{
    struct multipart form;
    struct slice body;
    struct err why = {0};
    struct slice type = api_header(req, "content-type");
    int r = api_body(req, &body, err);
    if (r < 0)
        return r;
    if (!multipart_is(type, body))
        return api_json_object(req, false, ret, err);
    r = multipart_parse(&req->arena, type, body, &form, &why);
    if (r == 0) {
        const struct multipart_part *part = multipart_find(&form, "settings");
        r = part != NULL ? json_parse(part->content, ret, &why)
                         : multipart_unflatten(&form, "settings", ret, &why);
    }
    if (r < 0 || !json_is_object(*ret))
        return err_set(err, -EINVAL, WORKER_ERR_BODY, "the settings cannot be read: %s", why.text);
    return 0;
}

/* Deploys a version with the code of `before` and other metadata; the upload's reference is given up. */
static int settings_deploy(struct api_request *req, const char *name, struct upload *upload,
                           const char *trigger, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *version = NULL;
    int r = version_create(req, name, upload, trigger, &version, err);
    if (r == 0)
        r = deployment_of(req, name, json_str(version, "id", ""), trigger, err);
    if (r == 0 && ret != NULL)
        *ret = TAKE(version);
    return r;
}

int settings_api_patch(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *version = NULL, *wanted = NULL, *created = NULL;
    AUTO(upload_done) struct upload upload = {0};
    int r = settings_latest(req, &script, &version, err);
    if (r == 0)
        r = settings_wanted(req, &wanted, err);
    if (r == 0)
        r = upload_load(req, version, &upload, err);
    if (r < 0)
        return r;
    json_object_update(upload.metadata, wanted);
    r = settings_deploy(req, json_str(script, "name", ""), &upload, "upload", &created, err);
    if (r == 0)
        r = script_settings_merge(req, json_str(script, "name", ""), wanted, err);
    if (r == 0)
        r = table_publish(req, err);
    if (r < 0)
        return r;
    return settings_api_get(req, err);
}

/* --- secrets --- */

static json_t *secret_shown(const json_t *binding)
{
    return json_pack("{s:s, s:s}", "name", json_str(binding, "name", ""), "type",
                     json_str(binding, "type", ""));
}

int secrets_api_list(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *version = NULL;
    json_t *list = json_array(), *binding;
    size_t i;
    int r = settings_latest(req, &script, &version, err);
    if (r < 0) {
        json_decref(list);
        return r;
    }
    json_array_foreach(json_object_get(version, "bindings"), i, binding)
    {
        if (binding_is_secret(binding))
            json_array_append_new(list, secret_shown(binding));
    }
    return api_ok_all(req, list);
}

int secrets_api_get(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *version = NULL;
    int r = settings_latest(req, &script, &version, err);
    if (r < 0)
        return r;
    const json_t *binding =
        binding_find(json_object_get(version, "bindings"), api_param(req, "name"));
    if (binding == NULL || !binding_is_secret(binding))
        return err_set(err, -ENOENT, SECRET_ERR_MISSING, "Binding not found.");
    return api_ok(req, secret_shown(binding));
}

/* What is not null in `changes` is put, null is taken away. A name that another binding has is refused. */
static int secrets_apply(json_t *bindings, const json_t *changes, struct err *err)
{
    const char *name;
    json_t *change;
    json_object_foreach((json_t *)changes, name, change)
    {
        size_t at;
        json_t *old = NULL;
        json_array_foreach(bindings, at, old)
        {
            if (strcmp(json_str(old, "name", ""), name) == 0)
                break;
        }
        bool found = at < json_array_size(bindings);
        if (found && !binding_is_secret(old))
            return err_set(
                err, -EINVAL, 10053,
                "Binding name '%s' already in use. Please use a different name and try again.",
                name);
        if (found)
            json_array_remove(bindings, at);
        if (json_is_null(change))
            continue;
        json_t *binding = json_deep_copy(change);
        json_object_set_new(binding, "name", json_string(name));
        if (json_object_get(binding, "type") == NULL)
            json_object_set_new(binding, "type", json_string("secret_text"));
        json_array_append_new(bindings, binding);
        if (!binding_is_secret(binding))
            return err_set(err, -EINVAL, WORKER_ERR_INVALID, "%s is not a secret", name);
    }
    return 0;
}

static int secrets_version(struct api_request *req, const char *name, const json_t *version,
                           const json_t *changes, bool deploy, json_t **ret, struct err *err)
{
    AUTO(upload_done) struct upload upload = {0};
    int r = upload_load(req, version, &upload, err);
    if (r < 0)
        return r;
    json_t *bindings = json_object_get(upload.metadata, "bindings");
    if (!json_is_array(bindings)) {
        bindings = json_array();
        json_object_set_new(upload.metadata, "bindings", bindings);
    }
    r = secrets_apply(bindings, changes, err);
    if (r < 0)
        return r;
    return deploy ? settings_deploy(req, name, &upload, "secret", ret, err)
                  : version_create(req, name, &upload, "secret", ret, err);
}

/* Changes and deploys; refused while a newer version waits undeployed, since that one would be lost. */
static int secrets_change(struct api_request *req, const json_t *changes, struct err *err)
{
    AUTO(json_release) json_t *script = NULL, *version = NULL, *deployed = NULL;
    int r = settings_latest(req, &script, &version, err);
    if (r < 0)
        return r;
    const char *name = json_str(script, "name", "");
    r = version_deployed(req, name, &deployed);
    if (r == 0 && strcmp(json_str(version, "id", ""), json_str(deployed, "id", "")) != 0)
        return err_set(
            err, -EINVAL, SECRET_ERR_NOT_DEPLOYED,
            "The latest version of your Worker is not the deployed one; change secrets with "
            "`wrangler versions secret`");
    return secrets_version(req, name, version, changes, true, NULL, err);
}

int secrets_api_put(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL, *changes = json_object();
    int r = api_json_object(req, false, &body, err);
    const char *name = r < 0 ? NULL : api_need_str(body, "name", err);
    if (name == NULL)
        return -EINVAL;
    json_object_set(changes, name, body);
    r = secrets_change(req, changes, err);
    return r < 0 ? r : api_ok(req, secret_shown(body));
}

int secrets_api_delete(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *changes = json_object();
    int r = secrets_api_get(req, err); /* 404 when there is none */
    if (r < 0)
        return r;
    json_object_set_new(changes, api_param(req, "name"), json_null());
    r = secrets_change(req, changes, err);
    return r < 0 ? r : api_ok(req, NULL);
}

int secrets_api_bulk(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = api_json_object(req, false, &body, err);
    if (r < 0)
        return r;
    json_t *changes = json_object_get(body, "secrets");
    if (!json_is_object(changes))
        return err_set(err, -EINVAL, WORKER_ERR_INVALID, "secrets must be an object");
    r = secrets_change(req, changes, err);
    return r < 0 ? r : secrets_api_list(req, err);
}

/* PATCH workers/workers/:script/versions/latest {env: {NAME: {type, text} | null}}: not deployed. */
int secrets_api_version_patch(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL, *script = NULL, *version = NULL, *created = NULL;
    int r = api_json_object(req, false, &body, err);
    if (r == 0)
        r = script_find(req, script_param(req), &script, err);
    if (r < 0)
        return r;
    const char *name = json_str(script, "name", "");
    if (version_latest(req, name, &version) < 0)
        return err_set(err, -ENOENT, WORKER_ERR_NO_VERSION, "This Worker has no version.");
    json_t *annotations = json_object_get(body, "annotations");
    if (json_is_object(annotations))
        json_object_set(json_object_get(version, "metadata"), "annotations", annotations);
    r = secrets_version(req, name, version, json_object_get(body, "env"), false, &created, err);
    return r < 0 ? r : api_ok(req, version_object(script, created));
}
