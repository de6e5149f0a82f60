#include "api/permission.h"

#include "core/digest.h"

#include <errno.h>

static const char permission_everything[] = "Everything";

/* Group ids must be the same on every machine, since Terraform configurations carry them. */
static void permission_id(const char *area, enum api_access access, char ret[ID_HEX_SIZE])
{
    AUTO(buf_done) struct buf text = {0};
    uint8_t sum[DIGEST_MAX];
    buf_printf(&text, "selvedge:%s:%s", area, access == API_READ ? "read" : "edit");
    digest_of(DIGEST_MD5, buf_slice(&text), sum);
    hex_encode(sum, 16, ret);
}

static const struct api_area *permission_area(const struct api_product *const *products, int index)
{
    for (; *products != NULL; products++) {
        if ((size_t)index < (*products)->n_areas)
            return &(*products)->areas[index];
        index -= (int)(*products)->n_areas;
    }
    return NULL;
}

int permission_index(const struct api_product *const *products, const char *area)
{
    const struct api_area *row;
    for (int i = 0; (row = permission_area(products, i)) != NULL; i++) {
        CHECK(i < PERMISSION_AREAS_MAX);
        if (strcmp(row->area, area) == 0)
            return i;
    }
    return -1;
}

bool permission_has(const struct permission_set *set, int index, enum api_access access)
{
    if (index < 0)
        return false;
    uint64_t bits = access == API_READ ? set->read | set->edit : set->edit;
    return (bits >> index & 1) != 0;
}

static json_t *permission_group(const char *area, const char *name, enum api_access access)
{
    char id[ID_HEX_SIZE];
    permission_id(area, access, id);
    AUTO(buf_done) struct buf text = {0};
    buf_printf(&text, "%s %s", name, access == API_READ ? "Read" : "Write");
    return json_pack("{s:s, s:s, s:[s]}", "id", id, "name", buf_cstr(&text), "scopes",
                     "com.cloudflare.api.account");
}

json_t *permission_groups(const struct api_product *const *products, const char *account)
{
    (void)account; /* every group is one of the account's scope */
    json_t *groups = json_array();
    json_array_append_new(groups, permission_group("*", permission_everything, API_READ));
    json_array_append_new(groups, permission_group("*", permission_everything, API_EDIT));
    const struct api_area *row;
    for (int i = 0; (row = permission_area(products, i)) != NULL; i++) {
        json_array_append_new(groups, permission_group(row->area, row->name, API_READ));
        json_array_append_new(groups, permission_group(row->area, row->name, API_EDIT));
    }
    return groups;
}

static bool permission_matches(const char *area, enum api_access access, const char *id)
{
    char own[ID_HEX_SIZE];
    permission_id(area, access, own);
    return strcmp(own, id) == 0;
}

/* The rights that one group gives; false when there is no such group. */
static bool permission_of_group(const struct api_product *const *products, const char *id,
                                struct permission_set *ret)
{
    *ret = (struct permission_set){0};
    if (permission_matches("*", API_READ, id))
        ret->read = UINT64_MAX;
    if (permission_matches("*", API_EDIT, id))
        ret->edit = UINT64_MAX;
    const struct api_area *row;
    for (int i = 0; (row = permission_area(products, i)) != NULL; i++) {
        if (permission_matches(row->area, API_READ, id))
            ret->read |= (uint64_t)1 << i;
        if (permission_matches(row->area, API_EDIT, id))
            ret->edit |= (uint64_t)1 << i;
    }
    return (ret->read | ret->edit) != 0;
}

/* Resources look like "com.cloudflare.api.account.<id>", "…account.*", "…account.zone.<id>", "…user.<id>". */
static bool permission_reaches(const json_t *resources, const char *account)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)resources, name, value)
    {
        const char *last = strrchr(name, '.');
        if (last == NULL)
            continue;
        if (strcmp(last + 1, "*") == 0 || strcmp(last + 1, account) == 0)
            return true;
        if (strncmp(name, "com.cloudflare.api.user.", 24) == 0)
            return true;
    }
    return false;
}

static int permission_add_groups(const struct api_product *const *products, const json_t *groups,
                                 struct permission_set *io, struct err *err)
{
    size_t i;
    json_t *group;
    json_array_foreach(groups, i, group)
    {
        struct permission_set one;
        const char *id = json_str(group, "id", "");
        if (!permission_of_group(products, id, &one))
            return err_set(err, -EINVAL, API_ERR_INPUT,
                           "permission_groups[%zu].id \"%s\" is not a permission group", i, id);
        io->read |= one.read;
        io->edit |= one.edit;
    }
    return 0;
}

int permission_compile(const struct api_product *const *products, const char *account,
                       const json_t *policies, struct permission_set *ret, struct err *err)
{
    struct permission_set allowed = {0}, denied = {0};
    if (!json_is_array(policies) || json_array_size(policies) == 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "policies must be a non-empty array");

    size_t i;
    json_t *policy;
    json_array_foreach(policies, i, policy)
    {
        const json_t *resources = json_object_get(policy, "resources");
        const json_t *groups = json_object_get(policy, "permission_groups");
        const char *effect = json_str(policy, "effect", "");
        bool allow = strcmp(effect, "allow") == 0;
        if ((!allow && strcmp(effect, "deny") != 0) || !json_is_object(resources) ||
            !json_is_array(groups))
            return err_set(err, -EINVAL, API_ERR_INPUT,
                           "policies[%zu] needs effect (allow or deny), resources and "
                           "permission_groups",
                           i);
        struct permission_set one = {0};
        int r = permission_add_groups(products, groups, &one, err);
        if (r < 0)
            return r;
        if (!permission_reaches(resources, account))
            continue;
        struct permission_set *into = allow ? &allowed : &denied;
        into->read |= one.read;
        into->edit |= one.edit;
    }
    /* Who may not read may not edit either. */
    ret->read = (allowed.read | allowed.edit) & ~denied.read;
    ret->edit = allowed.edit & ~(denied.edit | denied.read);
    return 0;
}

json_t *permission_policy_all(const char *account)
{
    char id[ID_HEX_SIZE];
    AUTO(buf_done) struct buf resource = {0};
    permission_id("*", API_EDIT, id);
    buf_printf(&resource, "com.cloudflare.api.account.%s", account);
    return json_pack("{s:s, s:s, s:{s:s}, s:[{s:s, s:s}]}", "id", id, "effect", "allow",
                     "resources", buf_cstr(&resource), "*", "permission_groups", "id", id, "name",
                     "Everything Write");
}
