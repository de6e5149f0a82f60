#include "product/ratelimit/ratelimit.h"

const struct product product_ratelimit = {.binding_type = "ratelimit", .js_class = "RateLimit"};
