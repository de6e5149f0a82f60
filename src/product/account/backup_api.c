/*
 * What `selvedge backup` asks of a running server: consistent copies of control.db and of one store at a time, made beside
 * the originals; the command then moves them away.
 */
#include "core/file.h"
#include "product/account/account_api_impl.h"
#include "product/store_call.h"

#include <errno.h>
#include <fcntl.h>

static int backup_control(struct api_request *req, const char *id, struct err *err)
{
    const char *path = arena_printf(&req->arena, "%s/backup-%s.db", req->api->spool_path, id);
    int r = db_copy(req->api->db, path, err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "control", path));
}

static int backup_store(struct api_request *req, const char *id, const char *store, struct err *err)
{
    AUTO(store_call_done) struct store_call call = {.op = OP_store_copy, .code = API_ERR_INTERNAL};
    AUTO(store_reply_done) struct store_reply reply = {0};
    struct msg_store_copy m = {.store = slice_of(store), .backup = slice_of(id)};
    msg_store_copy_pack(&call.args, &m);
    int r = store_call(req, &call, &reply, err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "store", store));
}

/* {"id": 32 hex digits, "store": "d1/<uuid>"}; without a store: control's database. */
int backup_api(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *body = NULL;
    int r = api_json_object(req, false, &body, err);
    if (r < 0)
        return r;
    const char *id = json_str(body, "id", ""), *store = json_str(body, "store", NULL);
    if (!id_is_hex(slice_of(id), 32))
        return err_set(err, -EINVAL, API_ERR_INPUT, "id must be 32 hex digits");
    return store == NULL ? backup_control(req, id, err) : backup_store(req, id, store, err);
}
