/*
 * The output gate.
 */
#include "product/durable/durable_plan.h"

bool gate_is_open(double need, double synced, unsigned barriers)
{
    return barriers == 0 && need <= synced;
}
