#include "api/dispatch.h"

#include "api/audit.h"
#include "api/router.h"

#include <errno.h>

void api_refuse(struct api_request *req, int status, int code, const char *text)
{
    struct err err = {0};
    req->answer.status = status;
    api_finish(req, err_set(&err, -EINVAL, code, "%s", text), &err);
}

static struct slice api_credentials(const struct api_request *req)
{
    struct slice value = api_header(req, "authorization");
    struct slice scheme = slice_cut(&value, ' ');
    if (slice_eq_nocase(scheme, SLICE("bearer")))
        return slice_trim(value);
    value = api_header(req, "x-auth-key");
    return value.len > 0 ? value : api_header(req, "x-auth-user-service-key");
}

static bool api_begin_route(struct api_request *req)
{
    int bad;
    switch (router_match(req, &bad)) {
    case ROUTER_NO_PATH:
        api_refuse(
            req, 404, API_ERR_ROUTE,
            "Could not route to this path: Selvedge does not serve it. See docs/compatibility "
            "for what exists.");
        return false;
    case ROUTER_NO_METHOD:
        api_refuse(req, 405, API_ERR_METHOD, "This path exists, but not with this method.");
        return false;
    case ROUTER_FOUND:
        break;
    }
    if (bad < 0)
        api_refuse(req, 400, API_ERR_ROUTE, "The path is not validly percent-encoded.");
    return bad == 0;
}

static enum api_access api_needs(const struct api_request *req)
{
    bool reads = slice_eq(req->method, SLICE("GET")) || slice_eq(req->method, SLICE("HEAD")) ||
                 (req->route->flags & API_READS) != 0;
    return reads ? API_READ : API_EDIT;
}

static bool api_begin_rights(struct api_request *req)
{
    const struct api_route *route = req->route;
    if (route->guard != NULL && !route->guard(req)) {
        api_refuse(req, 401, API_ERR_AUTH, "Authentication error");
        return false;
    }
    if ((route->flags & API_PUBLIC) != 0)
        return true;
    if (tokens_check(req->api->tokens, api_credentials(req), req->remote_ip, &req->who) < 0) {
        api_refuse(req, 401, API_ERR_AUTH, "Authentication error");
        return false;
    }
    if ((route->flags & API_ANY_TOKEN) != 0)
        return true;
    int index = permission_index(req->api->products, route->area);
    if (!permission_has(&req->who.rights, index, api_needs(req))) {
        api_refuse(req, 403, API_ERR_AUTH, "Authentication error: the token lacks a permission");
        return false;
    }
    return true;
}

/* There is one account; a token for it says nothing about others. */
static bool api_begin_account(struct api_request *req)
{
    if (strncmp(req->route->path, "/accounts/:account", 18) != 0)
        return true;
    if (slice_eq(req->params[0], slice_of(req->api->account)))
        return true;
    api_refuse(req, 403, API_ERR_AUTH, "Authentication error: the token is not for this account");
    return false;
}

bool api_begin(struct api_request *req)
{
    if (req->api->front != NULL && req->api->front(req))
        return req->route != NULL;
    int r = router_split(req->target, &req->path, &req->query);
    if (r < 0) {
        api_refuse(req, r == -ENOENT ? 404 : 400, API_ERR_ROUTE,
                   "Could not route to this path: the API lives under /client/v4.");
        return false;
    }
    return api_begin_route(req) && api_begin_rights(req) && api_begin_account(req);
}

void api_run(struct api_request *req)
{
    struct err err = {0};
    int r = req->route->run(req, &err);
    api_finish(req, r, &err);
    audit_request(req);
}

int api_schema_apply(struct db *db, const struct api_product *const *products, struct err *err)
{
    for (; *products != NULL; products++) {
        for (const char *const *sql = (*products)->schema; sql != NULL && *sql != NULL; sql++) {
            int r = db_run(db, *sql, NULL);
            if (r < 0)
                return err_set(err, r, 0, "control.db: the schema of %s fails", (*products)->name);
        }
    }
    return 0;
}
