/*
 * Operations on stores as control asks for them: one message to the keeper, its `done` taken apart.
 *
 * Work pool, blocking. The store is named directly ("kv/<id>"): control's wire is trusted to.
 */
#pragma once

#include "api/call.h"
#include "product/messages.h"

enum { STORE_NAME_MAX = 160 };

struct store_call {
    uint16_t op;
    struct buf args; /* packed message */
    struct slice body;
    bool has_body, stream;
    bool ends_with_client; /* as the next, those of struct api_call */
    int timeout_ms;
    bool by_file;     /* a body that lies in the request's file goes as this file */
    size_t reply_max; /* of a collected body */
    int code;         /* API error number when it fails without a number of its own */
};

struct store_reply {
    int64_t result;
    json_t *json;              /* owned; NULL when none came */
    struct slice body;         /* in the request's arena */
    struct api_stream *stream; /* owned until api_streamed() */
    int fd;                    /* owned: a file that the keeper passed; 0 = none */
};

void store_call_done(struct store_call *call);
void store_reply_done(struct store_reply *reply);
/* A negative result of the keeper is returned as it is, with its sentence in err. */
NODISCARD int store_call(struct api_request *req, struct store_call *call, struct store_reply *ret,
                         struct err *err);
/* store_make, store_drop, store_info: messages whose only argument is the store. */
NODISCARD int store_simple(struct api_request *req, uint16_t op, struct slice store,
                           struct store_reply *ret, struct err *err);
