/*
 * Lanes come and go; calls find the one that owns their object.
 */
#include "product/durable/durable_plan.h"

void lane_table_change(struct lane_table *table, unsigned lane, bool lives)
{
    uint64_t bit = (uint64_t)1 << lane;

    CHECK(lane < PLACEMENT_LANES_MAX);
    table->revision++;
    table->live = lives ? table->live | bit : table->live & ~bit;
    if ((table->live >> table->first & 1) == 0 && table->live != 0)
        table->first = (unsigned)__builtin_ctzll(table->live);
}

unsigned lane_owner(const struct lane_table *table, struct slice object)
{
    CHECK(table->live != 0);
    return object.len == 0 ? table->first : placement_owner(object, table->live);
}

struct lane_choice lane_choose(const struct lane_table *table, unsigned self, struct slice object,
                               uint64_t revision, unsigned hops)
{
    if (table->live == 0 || revision > table->revision)
        return (struct lane_choice){.todo = LANE_WAIT};
    unsigned owner = lane_owner(table, object);
    if (owner == self)
        return (struct lane_choice){.todo = LANE_SERVE};
    if (hops >= LANE_HOPS_MAX)
        return (struct lane_choice){.todo = LANE_REFUSE};
    return (struct lane_choice){.todo = LANE_FORWARD, .lane = owner};
}
