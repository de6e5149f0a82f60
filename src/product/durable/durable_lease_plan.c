/*
 * Leases: the last number given counts.
 */
#include "product/durable/durable_plan.h"

enum lease_answer lease_check(const struct lease_plan *lease, uint64_t owner, uint64_t epoch,
                              uint64_t first_epoch)
{
    if (lease == NULL)
        return epoch != 0 && epoch < first_epoch ? LEASE_ADOPT : LEASE_REFUSED;
    return lease->epoch == epoch && lease->owner == owner ? LEASE_HOLDS : LEASE_REFUSED;
}
