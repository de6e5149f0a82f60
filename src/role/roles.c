#include "role/roles.h"

#include <string.h>

static const struct role *const roles[] = {&role_template, &role_keeper, &role_control,
                                           &role_gateway};

const struct role *role_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (strcmp(roles[i]->name, name) == 0)
            return roles[i];
    }
    return NULL;
}
