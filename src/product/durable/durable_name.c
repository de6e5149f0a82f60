/* The two halves of an id. */
#include "product/durable/durable_name.h"

#include "core/buf.h"
#include "core/digest.h"

static void name_hmac(const uint8_t key[DURABLE_NAME_KEY], struct buf *data,
                      uint8_t ret[DURABLE_ID_HALF])
{
    uint8_t sum[DIGEST_MAX];
    digest_hmac(DIGEST_SHA256, slice_from((const char *)key, DURABLE_NAME_KEY), buf_slice(data),
                sum);
    memcpy(ret, sum, DURABLE_ID_HALF);
}

void durable_name_front(const uint8_t key[DURABLE_NAME_KEY], struct slice jurisdiction,
                        struct slice name, uint8_t ret[DURABLE_ID_HALF])
{
    AUTO(buf_done) struct buf data = {0};
    buf_append_slice(&data, SLICE("name:"));
    buf_append_slice(&data, jurisdiction);
    buf_append_char(&data, ':');
    buf_append_slice(&data, name);
    name_hmac(key, &data, ret);
}

void durable_name_seal(const uint8_t key[DURABLE_NAME_KEY], struct slice jurisdiction,
                       const uint8_t front[DURABLE_ID_HALF], uint8_t ret[DURABLE_ID_HALF])
{
    AUTO(buf_done) struct buf data = {0};
    buf_append_slice(&data, SLICE("id:"));
    buf_append_slice(&data, jurisdiction);
    buf_append_char(&data, ':');
    buf_append(&data, front, DURABLE_ID_HALF);
    name_hmac(key, &data, ret);
}
