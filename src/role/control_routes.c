/*
 * The products that control serves. A new product is a new row.
 */
#include "product/products_api.h"
#include "role/control_impl.h"

const struct api_product *const control_products[] = {
    &account_api, &workers_api, &kv_api, &d1_api, &r2_api, &cache_api, NULL,
};
