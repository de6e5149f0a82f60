/*
 * Request targets: the router, its parameters and the query of any target. The input is the target.
 */
#include "api/request.h"
#include "api/router.h"
#include "fuzz.h"

static const struct api_route routes[] = {
    {"GET", "/a/:one/b/:two", NULL, NULL, API_PUBLIC, 0, NULL},
    {"GET", "/a/:one/b/fixed", NULL, NULL, API_PUBLIC, 0, NULL},
    {"GET", "/a/:one/objects/*rest", NULL, NULL, API_PUBLIC, 0, NULL},
    {"GET", "/:any", NULL, NULL, API_PUBLIC, 0, NULL},
};
static const struct api_product product = {
    .name = "fuzz", .routes = routes, .n_routes = ARRAY_LEN(routes)};
static const struct api_product *const products[] = {&product, NULL};

static void check_params(const struct api_request *req)
{
    static const char *const names[][2] = {
        {"one", "two"}, {"one", NULL}, {"one", "rest"}, {"any", NULL}};
    size_t route = (size_t)(req->route - routes);
    for (size_t i = 0; i < 2 && names[route][i] != NULL; i++) {
        struct slice value = api_param_slice(req, names[route][i]);
        CHECK(value.ptr != NULL && value.ptr[value.len] == '\0');
        CHECK(strlen(api_param(req, names[route][i])) <= value.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api api = {.products = products};
    struct api_request req;
    int bad;
    size_t at = 0;
    int64_t number = 0;

    api_request_init(&req, &api);
    req.method = SLICE("GET");
    if (router_split(slice_from(data, size), &req.path, &req.query) == 0) {
        if (router_match(&req, &bad) == ROUTER_FOUND && bad == 0)
            check_params(&req);
        while (api_query_next(&req, "name", &at) != NULL)
            CHECK(at <= req.query.len);
        int64_t page, per_page;
        api_page_of(&req, &page, &per_page);
        CHECK(page >= 1 && per_page >= 1);
        if (api_query_int(&req, "n", &number, NULL) < 0)
            number = 0;
    }
    api_request_done(&req);
    return 0;
}
