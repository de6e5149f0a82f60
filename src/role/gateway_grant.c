/*
 * What a Worker passes on to one that it has brought: its own bindings, its own entrypoints, stubs of objects.
 *
 * The isolate says which of its bindings it means; what stands behind it is copied from its version. So nobody gives
 * what he does not have.
 */
#include "role/gateway_isolate.h"

#include "core/id.h"

#include <string.h>

enum { OBJECT_LEN = 64 };

static bool grant_kind_ok(const char *type)
{
    return strcmp(type, "service") == 0 || strcmp(type, "durable_object_namespace") == 0;
}

static json_t *grant_binding(const struct worker *self, const json_t *given)
{
    int64_t index = json_int(given, "binding", -1);
    const json_t *binding =
        index < 0 || index > UINT32_MAX ? NULL : worker_binding(self, (uint32_t)index);
    const char *object = json_str(given, "object", NULL);

    if (binding == NULL || !grant_kind_ok(json_str(binding, "type", "")) ||
        (object != NULL && !id_is_hex(slice_of(object), OBJECT_LEN)))
        return NULL;
    json_t *copy = json_deep_copy(binding);
    if (object != NULL && json_object_get(copy, "object") == NULL) {
        json_object_set_new(copy, "object", json_string(object));
        json_object_set_new(copy, "object_name", json_string(json_str(given, "name", "")));
    }
    return copy;
}

json_t *grant_make(const struct worker *self, const json_t *given)
{
    const char *entrypoint = json_str(given, "entrypoint", NULL);

    if (entrypoint == NULL)
        return grant_binding(self, given);
    if (self->dynamic != NULL)
        return NULL; /* nobody could load it again */
    json_t *binding = json_pack("{s:s, s:s, s:s}", "type", "service", "service", self->script,
                                "entrypoint", entrypoint);
    json_t *props = json_object_get(given, "props");
    if (json_is_object(props)) {
        json_object_set(binding, "props", props);
        json_object_set_new(binding, "packed", json_true());
    }
    return binding;
}
