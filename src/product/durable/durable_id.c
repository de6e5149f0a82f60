/* Ids of objects (durable_name.h) as scripts make and check them. */
#include "product/durable/durable.h"

#include "core/id.h"
#include "product/durable/durable_name.h"
#include "product/isolate.h"

#include <errno.h>

enum { HALF = DURABLE_ID_HALF, JURISDICTION_MAX = 32 };

static const char *const jurisdictions[] = {"", "eu", "fedramp", "fedramp-high", "us"};

static int id_key(js_context ctx, js_value v, uint8_t ret[DURABLE_KEY_LEN])
{
    AUTO(buf_done) struct buf text = {0};
    int r = js_append_utf8(ctx, v, &text);
    return r < 0 ? r : hex_decode(buf_slice(&text), ret, DURABLE_KEY_LEN);
}

static js_value id_finish(js_context ctx, const uint8_t key[DURABLE_KEY_LEN],
                          struct slice jurisdiction, uint8_t id[2 * HALF])
{
    char hex[DURABLE_ID_LEN + 1];
    durable_name_seal(key, jurisdiction, id, id + HALF);
    return js_latin1(ctx, slice_of(hex_encode(id, 2 * HALF, hex)));
}

static int id_arguments(js_context ctx, const js_value args[], uint8_t key[DURABLE_KEY_LEN],
                        struct buf *jurisdiction)
{
    int r = id_key(ctx, args[0], key);
    if (r == 0 && !js_is_nullish(ctx, args[1]))
        r = js_append_utf8(ctx, args[1], jurisdiction);
    return r == 0 && buf_len(jurisdiction) > JURISDICTION_MAX ? -E2BIG : r;
}

/* idOfName(key, jurisdiction, name) */
JS_NATIVE(durable_id_of_name)
{
    CHECK(n_args == 3);
    AUTO(buf_done) struct buf jurisdiction = {0}, name = {0};
    uint8_t key[DURABLE_KEY_LEN], id[2 * HALF];
    if (id_arguments(ctx, args, key, &jurisdiction) < 0)
        return js_throw(ctx, exception, "TypeError", "the namespace has no key");
    if (js_append_utf8(ctx, args[2], &name) < 0)
        return js_throw(ctx, exception, "TypeError", "the name cannot be converted to a string");
    durable_name_front(key, buf_slice(&jurisdiction), buf_slice(&name), id);
    return id_finish(ctx, key, buf_slice(&jurisdiction), id);
}

/* idRandom(key, jurisdiction) */
JS_NATIVE(durable_id_random)
{
    CHECK(n_args == 2);
    AUTO(buf_done) struct buf jurisdiction = {0};
    uint8_t key[DURABLE_KEY_LEN], id[2 * HALF];
    if (id_arguments(ctx, args, key, &jurisdiction) < 0)
        return js_throw(ctx, exception, "TypeError", "the namespace has no key");
    id_random(id, HALF);
    return id_finish(ctx, key, buf_slice(&jurisdiction), id);
}

/* idCheck(key, hex): the jurisdiction ("" for none), or null when the id is not of this namespace. */
JS_NATIVE(durable_id_check)
{
    CHECK(n_args == 2);
    AUTO(buf_done) struct buf hex = {0};
    uint8_t key[DURABLE_KEY_LEN], id[2 * HALF], mac[HALF];
    if (id_key(ctx, args[0], key) < 0)
        return js_throw(ctx, exception, "TypeError", "the namespace has no key");
    if (js_append_utf8(ctx, args[1], &hex) < 0 || hex_decode(buf_slice(&hex), id, sizeof(id)) < 0)
        return js_null(ctx);
    for (size_t i = 0; i < ARRAY_LEN(jurisdictions); i++) {
        durable_name_seal(key, slice_of(jurisdictions[i]), id, mac);
        if (secret_eq(slice_from((const char *)mac, HALF),
                      slice_from((const char *)id + HALF, HALF)))
            return js_string(ctx, slice_of(jurisdictions[i]));
    }
    return js_null(ctx);
}
