/*
 * Placement by the highest of one weight per lane: no table has to be agreed on but the one of who lives.
 */
#include "product/durable/durable_plan.h"

/* FNV-1a; ids are random or keyed digests, so that its weakness against chosen input does not matter. */
static uint64_t placement_hash(struct slice object)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < object.len; i++)
        hash = (hash ^ (uint8_t)object.ptr[i]) * 0x100000001b3u;
    return hash;
}

/* The finalizer of MurmurHash3. */
static uint64_t placement_mix(uint64_t x)
{
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
    return x ^ (x >> 33);
}

unsigned placement_owner(struct slice object, uint64_t lanes)
{
    uint64_t hash = placement_hash(object), best_weight = 0;
    unsigned best = PLACEMENT_LANES_MAX;
    CHECK(lanes != 0);
    for (unsigned i = 0; i < PLACEMENT_LANES_MAX; i++) {
        uint64_t weight = placement_mix(hash ^ placement_mix(i + 1));
        if ((lanes >> i & 1) == 0 || (best < PLACEMENT_LANES_MAX && weight <= best_weight))
            continue;
        best = i;
        best_weight = weight;
    }
    return best;
}

unsigned placement_version(struct slice object, unsigned percentage)
{
    unsigned share = 0;
    CHECK(object.len >= 8);
    for (size_t i = 0; i < 8; i++)
        share = (share * 31 + (unsigned char)object.ptr[i]) % 100;
    return share < percentage ? 0 : 1;
}
