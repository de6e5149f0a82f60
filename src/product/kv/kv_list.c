/*
 * Listing of keys as JSON; the cursor is the last name given, in base64.
 */
#include "product/kv/kv_product.h"

#include "core/base64.h"

#include <errno.h>

struct kv_list_walk {
    struct buf *out;
    size_t n, limit;
    bool more;
    char last[KV_KEY_MAX];
    size_t last_len;
};

static int kv_list_visit(void *arg, struct slice key, const struct kv_value *value)
{
    struct kv_list_walk *w = arg;
    if (w->n == w->limit) {
        w->more = true;
        return 1;
    }
    buf_append_slice(w->out, w->n++ == 0 ? SLICE("{\"name\":") : SLICE(",{\"name\":"));
    json_quote(w->out, key);
    if (value->expiration_s != 0)
        buf_printf(w->out, ",\"expiration\":%lld", (long long)value->expiration_s);
    if (value->metadata.len > 0) {
        buf_append_slice(w->out, SLICE(",\"metadata\":"));
        buf_append_slice(w->out, value->metadata);
    }
    buf_append_char(w->out, '}');
    memcpy(w->last, key.ptr, key.len);
    w->last_len = key.len;
    return 0;
}

int kv_list_json(struct kv *kv, const struct kv_listing *l, struct buf *out)
{
    AUTO(arena_done) struct arena arena = {0};
    struct kv_range range = {.prefix = l->prefix, .now_s = l->now_s};
    if (l->cursor.len > 0 && base64_decode(&arena, l->cursor, BASE64_STANDARD, &range.after) < 0)
        return -EINVAL;
    struct kv_list_walk w = {.out = out, .limit = l->limit};
    buf_append_slice(out, SLICE("{\"keys\":["));
    int r = kv_walk(kv, &range, kv_list_visit, &w);
    if (r < 0)
        return r;
    if (!w.more) {
        buf_append_slice(out, SLICE("],\"list_complete\":true}"));
        return 0;
    }
    buf_append_slice(out, SLICE("],\"list_complete\":false,\"cursor\":\""));
    base64_encode(out, slice_from(w.last, w.last_len), BASE64_STANDARD);
    buf_append_slice(out, SLICE("\"}"));
    return 0;
}
