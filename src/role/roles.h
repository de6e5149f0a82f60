/*
 * Every role of the program. main.c starts the one that `--role NAME` asks for.
 *
 * Sides of the wires between roles (wire_create): the gateway is side 0 towards everyone; the keeper is
 * side 0 towards control and isolates; control is side 0 towards the isolates of its jobs and side 1
 * towards gateway and keeper; isolates are side 1 everywhere.
 */
#pragma once

#include "core/json.h"
#include "core/log.h"
#include "proc/role.h"

extern const struct role role_template;
extern const struct role role_gateway;
extern const struct role role_control;
extern const struct role role_keeper;

/* NULL when there is none of this name. */
const struct role *role_find(const char *name);
/* Of the setting log.level. */
enum log_level role_log_level(const json_t *settings);
