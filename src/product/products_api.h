/*
 * The REST halves of the products. Listed in role/control_routes.c.
 */
#pragma once

#include "api/api.h"

extern const struct api_product account_api, kv_api, d1_api, r2_api, workers_api, cache_api;
