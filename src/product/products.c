/*
 * Everything Selvedge can bind, in one list.
 */
#include "product/product.h"

#include "product/d1/d1.h"
#include "product/durable/durable.h"
#include "product/fetcher/fetcher.h"
#include "product/kv/kv_product.h"
#include "product/r2/r2.h"
#include "product/ratelimit/ratelimit.h"

const struct product *const products[] = {
    &product_kv,
    &product_d1,
    &product_r2,
    &product_durable,
    &product_durable_class,
    &product_service,
    &product_assets,
    &product_dispatch,
    &product_loader,
    &product_ratelimit,
    NULL,
};

const struct product *product_by_binding(const char *type)
{
    for (size_t i = 0; products[i] != NULL; i++) {
        if (strcmp(products[i]->binding_type, type) == 0)
            return products[i];
    }
    return NULL;
}

const struct product *product_by_store(struct slice name)
{
    for (size_t i = 0; products[i] != NULL; i++) {
        if (products[i]->store != NULL && slice_eq(name, slice_of(products[i]->store)))
            return products[i];
    }
    return NULL;
}
