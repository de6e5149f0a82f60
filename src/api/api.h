/*
 * The REST API of control: what a product's routes are made of. Knows no product.
 *
 * A route is a row of a constant table; its handler is straight-line C on the work pool. It reads the
 * request (api/request.h), answers (api/answer.h) or fails with `return err_set(err, -errno, code, text)`:
 * the errno gives the HTTP status, the code and text the envelope's error.
 *
 * Wire rules: envelope {success, errors, messages, result, result_info}; status and `success` agree.
 */
#pragma once

#include "api/db.h"
#include "core/id.h"

struct api_peer;
struct api_request;
struct api_tokens;
struct loop;
struct work_pool;

/* Error numbers that clients know and that belong to no product. */
enum {
    API_ERR_INTERNAL = 10001,
    API_ERR_AUTH = 10000, /* authentication or permission */
    API_ERR_ROUTE = 7003, /* no such route */
    API_ERR_METHOD = 7001,
    API_ERR_BODY = 10026,  /* unparsable body */
    API_ERR_INPUT = 10021, /* a member is missing or wrong */
    API_ERR_TOO_LARGE = 10027,
    API_ERR_ACCOUNT_TOKEN = 1000
};

enum api_access { API_READ = 1, API_EDIT = 2 };

enum api_route_flags {
    API_PUBLIC =
        1,         /* no token: the path itself is the capability, or there is nothing to protect */
    API_READS = 2, /* a POST that changes nothing: read permission is enough, no audit row */
    API_NO_AUDIT = 4,
    API_ANY_TOKEN = 8 /* a valid token is enough, whatever it permits */
};

/* Path below /client/v4; ":name" is one segment, a last "*name" the rest of the path. */
struct api_route {
    const char *method;
    const char *path;
    int (*run)(struct api_request *req, struct err *err);
    const char *area; /* permission area, NULL with API_PUBLIC or API_ANY_TOKEN */
    unsigned flags;
    uint64_t body_max; /* 0 = API_BODY_DEFAULT */
    /* Decides by the head alone whether the request may go on, before its body is taken; for routes whose
     * right is not an API token. Loop thread: does not block. NULL = it may. */
    bool (*guard)(struct api_request *req);
};

enum { API_BODY_DEFAULT = 4 * 1024 * 1024 };

/* An area gives the permission groups "<name> Read" and "<name> Write". */
struct api_area {
    const char *area;
    const char *name;
};

struct api_product {
    const char *name;
    const struct api_route *routes;
    size_t n_routes;
    const struct api_area *areas;
    size_t n_areas;
    const char *const *schema; /* statements, NULL at the end; each may run again at every start */
};

enum api_peer_kind { API_SUPERVISOR, API_GATEWAY, API_KEEPER, API_PEERS };

/* What lives as long as the process. Fields are set before the first request and then constant. */
struct api {
    struct loop *loop;
    struct work_pool *pool;
    struct db *db;
    struct api_tokens *tokens;
    const struct api_product *const *products; /* NULL at the end */
    struct api_peer *peers[API_PEERS];
    int data_fd;            /* directory that holds workers/ and assets/ */
    const char *spool_path; /* directory for unnamed files */
    char account[ID_HEX_SIZE];
    char domain[256];               /* Workers answer at <name>.<domain> */
    unsigned http_port, https_port; /* of the gateway; 0 = not served */
    unsigned api_port;
    uint8_t key[32]; /* signs upload sessions and download addresses */
    void *state;     /* the role's own */
    /* After hosts or routes have changed: the gateway routes by them when it returns. Work pool. */
    int (*publish)(struct api_request *req, struct err *err);
    /* Requests that are none of the REST API's (S3): true when it is one. Then req->route is set and the request
     * goes on, or the answer is. Loop thread: does not block. NULL = there are none. */
    bool (*front)(struct api_request *req);
};

/* Runs the products' schema statements. */
NODISCARD int api_schema_apply(struct db *db, const struct api_product *const *products,
                               struct err *err);
