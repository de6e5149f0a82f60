/*
 * SQL over one object, as the data studio sends it: POST …/durable_objects/namespaces/<id>/query with
 * {durable_object_id | durable_object_name, queries: [{sql, params}]}, answered by [{columns, rows, meta}].
 *
 * The statements run in the object itself, where they see what its code sees: the gateway finds it.
 */
#include "api/answer.h"
#include "api/call.h"
#include "api/db.h"
#include "core/id.h"
#include "core/json.h"
#include "product/durable/durable_name.h"
#include "product/durable_plan.h"
#include "product/messages.h"

#include <errno.h>

enum { QUERY_ERR = 10001, QUERY_ERR_NAMESPACE = 10066, QUERY_ID_SIZE = 4 * DURABLE_ID_HALF + 1 };

/* The object's id of its name. */
static int query_name_id(const json_t *row, const char *name, char ret[QUERY_ID_SIZE])
{
    uint8_t key[DURABLE_NAME_KEY], id[2 * DURABLE_ID_HALF];
    int r = hex_decode(slice_of(json_str(row, "key", "")), key, sizeof(key));
    if (r < 0)
        return r;
    durable_name_front(key, SLICE(""), slice_of(name), id);
    durable_name_seal(key, SLICE(""), id, id + DURABLE_ID_HALF);
    hex_encode(id, sizeof(id), ret);
    return 0;
}

/* The object that the body names. */
static int query_object(const json_t *row, const json_t *body, char ret[QUERY_ID_SIZE],
                        struct err *err)
{
    const char *id = json_str(body, "durable_object_id", "");
    const char *name = json_str(body, "durable_object_name", "");
    if (*id == '\0' && *name == '\0')
        return err_set(err, -EINVAL, QUERY_ERR,
                       "durable_object_id or durable_object_name is required");
    if (*id == '\0')
        return query_name_id(row, name, ret) < 0
                   ? err_set(err, -EIO, API_ERR_INTERNAL, "the namespace has no key")
                   : 0;
    if (!id_is_hex(slice_of(id), QUERY_ID_SIZE - 1))
        return err_set(err, -EINVAL, QUERY_ERR, "Invalid Durable Object ID: must be 64 hex digits");
    memcpy(ret, id, QUERY_ID_SIZE);
    return 0;
}

static int query_ask(struct api_request *req, const json_t *row, const char *object,
                     const json_t *body, json_t **ret, struct err *err)
{
    AUTO(buf_done) struct buf args = {0}, queries = {0};
    struct api_reply reply;
    struct msg_object_queried m;
    json_print(&queries, json_object_get(body, "queries"));
    msg_object_query_pack(&args, &(struct msg_object_query){.ns = slice_of(json_str(row, "id", "")),
                                                            .object = slice_of(object),
                                                            .object_name = slice_of(json_str(
                                                                body, "durable_object_name", "")),
                                                            .json = buf_slice(&queries)});
    int r = api_call(req,
                     &(struct api_call){.peer = req->api->peers[API_GATEWAY],
                                        .op = OP_object_query,
                                        .args = buf_slice(&args)},
                     &reply);
    if (r == 0)
        r = msg_object_queried_unpack(reply.args, &m);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the object cannot be asked now; try again");
    if (m.status != 200)
        return err_set(err, -EINVAL, QUERY_ERR, "%.*s", SLICE_ARG(m.text));
    return json_parse(m.text, ret, NULL) < 0
               ? err_set(err, -EBADMSG, API_ERR_INTERNAL, "the object's answer is broken")
               : 0;
}

int durable_api_query(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *row = NULL, *body = NULL;
    char object[QUERY_ID_SIZE];
    json_t *result = NULL;
    int r = db_row(req->api->db, &row,
                   "SELECT id, key, use_sqlite FROM durable_namespaces WHERE id = ?", "s",
                   api_param(req, "namespace"));
    if (r < 0)
        return err_set(err, r, QUERY_ERR_NAMESPACE, "Durable Object namespace not found");
    if (json_int(row, "use_sqlite", 0) == 0)
        return err_set(err, -EINVAL, QUERY_ERR, "Namespace does not use SQLite storage: %s",
                       json_str(row, "id", ""));
    r = api_json_object(req, false, &body, err);
    if (r < 0)
        return r;
    if (json_array_size(json_object_get(body, "queries")) == 0)
        return err_set(err, -EINVAL, QUERY_ERR, "No queries provided");
    r = query_object(row, body, object, err);
    if (r == 0)
        r = query_ask(req, row, object, body, &result, err);
    return r < 0 ? r : api_ok(req, result);
}
