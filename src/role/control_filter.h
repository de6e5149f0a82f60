/*
 * Which trace events a tail's filters let through. Pure functions.
 */
#pragma once

#include "core/json.h"

/* Adds what the isolate does not know (script, version) and what clients expect to be there. */
void filter_complete(json_t *event, struct slice script, struct slice version);
/* filters: array of single-member objects, all of which must hold; own_ip stands for "self". */
bool filter_passes(const json_t *filters, const json_t *event, const char *own_ip);
