#include "product/store_call.h"

#include <errno.h>

void store_call_done(struct store_call *call)
{
    buf_done(&call->args);
}

void store_reply_done(struct store_reply *reply)
{
    json_release(&reply->json);
    if (reply->stream != NULL)
        api_stream_drop(reply->stream);
    reply->stream = NULL;
    if (reply->fd > 0)
        fd_release(&reply->fd);
    reply->fd = 0;
}

static int store_take(struct store_call *call, struct api_reply *reply, struct store_reply *ret,
                      struct err *err)
{
    struct msg_done done;
    ret->stream = reply->stream;
    ret->body = reply->body;
    if (msg_done_unpack(reply->args, &done) < 0)
        return err_set(err, -EIO, API_ERR_INTERNAL, "the keeper's answer cannot be read");
    ret->result = done.result;
    if (done.json.len > 0 && json_parse_nul(done.json, &ret->json, NULL) < 0)
        return err_set(err, -EIO, API_ERR_INTERNAL, "the keeper's answer is not JSON");
    if (done.result >= 0)
        return 0;
    if (done.text.len == 0)
        return err_set(err, (int)done.result, call->code, "the store refused (%s)",
                       strerrorname_np((int)-done.result));
    return err_set(err, (int)done.result, call->code, "%.*s", SLICE_ARG(done.text));
}

int store_call(struct api_request *req, struct store_call *call, struct store_reply *ret,
               struct err *err)
{
    struct api_call wanted = {
        .peer = req->api->peers[API_KEEPER],
        .op = call->op,
        .args = buf_slice(&call->args),
        .body = call->body,
        .has_body = call->has_body,
        .body_fd_plus_1 = call->by_file && req->body_fd >= 0 ? req->body_fd + 1 : 0,
        .stream = call->stream,
        .reply_max = call->reply_max,
        .timeout_ms = call->timeout_ms,
        .ends_with_client = call->ends_with_client,
    };
    struct api_reply reply;
    *ret = (struct store_reply){0};
    int r = api_call(req, &wanted, &reply);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "the keeper of this account does not answer: %s",
                       strerrorname_np(-r));
    ret->fd = reply.fd > 0 ? TAKE_FD(reply.fd) : 0;
    return store_take(call, &reply, ret, err);
}

int store_simple(struct api_request *req, uint16_t op, struct slice store, struct store_reply *ret,
                 struct err *err)
{
    AUTO(store_call_done) struct store_call call = {.op = op, .code = API_ERR_INTERNAL};
    pack_bytes(&call.args, store);
    return store_call(req, &call, ret, err);
}
