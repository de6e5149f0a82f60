/* Policies of a token: rights to edit include those to read, and nothing comes of policies that only deny. */
#include "api/permission.h"
#include "fuzz.h"

static const struct api_area areas[] = {{"things", "Things"}, {"others", "Others"}};
static const struct api_product product = {
    .name = "fuzz", .areas = areas, .n_areas = ARRAY_LEN(areas)};
static const struct api_product *const products[] = {&product, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_release) json_t *policies = NULL;
    struct permission_set set;
    struct err err = {0};
    bool allows = false;
    size_t i;
    json_t *policy;

    if (json_parse(slice_from(data, size), &policies, NULL) < 0)
        return 0;
    if (permission_compile(products, "account", policies, &set, &err) < 0) {
        CHECK(err.text[0] != '\0');
        return 0;
    }
    json_array_foreach(policies, i, policy)
    {
        allows = allows || strcmp(json_str(policy, "effect", ""), "allow") == 0;
    }
    CHECK((set.edit & ~set.read) == 0);
    CHECK(allows || set.read == 0);
    return 0;
}
