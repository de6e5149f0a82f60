#include "product/fetcher/fetcher.h"

const struct product product_service = {.binding_type = "service", .js_class = "Fetcher"};
const struct product product_assets = {.binding_type = "assets", .js_class = "Fetcher"};
const struct product product_dispatch = {.binding_type = "dispatch_namespace",
                                         .js_class = "DispatchNamespace"};
const struct product product_loader = {.binding_type = "worker_loader", .js_class = "WorkerLoader"};
