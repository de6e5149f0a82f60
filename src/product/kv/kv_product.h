/*
 * Workers KV: a namespace is one LMDB environment. kv.c runs in the keeper, kv_js.c and kv.js in isolates,
 * kv_list.c in both.
 *
 * Surface and error texts: developers.cloudflare.com/kv/api.
 */
#pragma once

#include "product/keeper.h"
#include "product/product.h"
#include "store/kv.h"

enum { KV_N_OPS = 5 };

extern const struct product product_kv;
extern const struct keeper_op kv_ops[KV_N_OPS];
extern const struct keeper_engine kv_engine;

enum {
    KV_LIST_MAX = 1000,
    KV_BULK_MAX = 10000,
    KV_BULK_GET_MAX = 100,
    KV_BULK_BODY_MAX = 112 * 1024 * 1024
};

/* kv_bulk.kind */
enum { KV_BULK_PUT = 1, KV_BULK_DELETE = 2, KV_BULK_GET = 3 };

struct kv_listing {
    struct slice prefix, cursor; /* cursor: as given out before, empty = start */
    size_t limit;
    int64_t now_s;
};

/* Appends {"keys":[{name, expiration?, metadata?}], "list_complete", "cursor"?}. Inside kv_read_start().
 * -EINVAL for a cursor that is none. */
NODISCARD int kv_list_json(struct kv *kv, const struct kv_listing *l, struct buf *out);
