#include "role/roles.h"

#include <string.h>

static const struct role *const roles[] = {
    &role_template,
#ifdef ROLE_KEEPER
    &role_keeper,
#endif
#ifdef ROLE_CONTROL
    &role_control,
#endif
#ifdef ROLE_GATEWAY
    &role_gateway,
#endif
};

const struct role *role_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (strcmp(roles[i]->name, name) == 0)
            return roles[i];
    }
    return NULL;
}
