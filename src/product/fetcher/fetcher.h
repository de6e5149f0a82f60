/*
 * Bindings that answer fetch(): other Workers (`service`, `dispatch_namespace`) and the Worker's own files
 * (`assets`).
 *
 * They have no store and no natives: the script calls io.fetch with the binding's index, and the gateway
 * looks up what it names.
 */
#pragma once

#include "product/product.h"

extern const struct product product_service;
extern const struct product product_assets;
extern const struct product product_dispatch;
extern const struct product product_loader;
