/*
 * The binding `ratelimit`: no store, no natives. The script asks the gateway, which counts in memory.
 */
#pragma once

#include "product/product.h"

extern const struct product product_ratelimit;
