/* Shared by gateway_cache.c and gateway_cache_fetch.c. */
#pragma once

#include "role/gateway.h"

#include "product/cache/cache_policy.h"

/* What somebody wants instead of what a response says; ttl -1: nothing. */
struct cache_wish {
    int64_t ttl_s;
    bool forced; /* ttl_s holds whatever the headers say */
};

/* Whether and how long a response is stored: its times, and its headers as they are kept. */
bool cache_storable(int status, struct slice headers, const struct cache_wish *wish,
                    struct cache_meta *ret, struct buf *kept);
