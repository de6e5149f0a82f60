#include "api/jwt.h"

#include "core/base64.h"
#include "core/clock.h"
#include "core/digest.h"

#include <errno.h>

/* {"alg":"HS256","typ":"JWT"} */
static const char jwt_head[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

static void jwt_sign(const struct api *api, struct slice text, uint8_t ret[32])
{
    digest_hmac(DIGEST_SHA256, slice_from(api->key, sizeof(api->key)), text, ret);
}

const char *jwt_make(struct api_request *req, const char *use, int64_t ttl_s, json_t *claims)
{
    AUTO(buf_done) struct buf payload = {0};
    AUTO(buf_done) struct buf text = {0};
    uint8_t sum[32];
    json_object_set_new(claims, "use", json_string(use));
    json_object_set_new(claims, "exp", json_integer(clock_wall_ms() / 1000 + ttl_s));
    json_print(&payload, claims);
    buf_printf(&text, "%s.", jwt_head);
    base64_encode(&text, buf_slice(&payload), BASE64_URL);
    jwt_sign(req->api, buf_slice(&text), sum);
    buf_append_char(&text, '.');
    base64_encode(&text, slice_from(sum, sizeof(sum)), BASE64_URL);
    struct slice copy;
    int r = arena_copy(&req->arena, buf_slice(&text).ptr, buf_len(&text), &copy);
    return r < 0 ? NULL : copy.ptr;
}

int jwt_check(struct api_request *req, const char *use, struct slice text, json_t **ret)
{
    AUTO(json_release) json_t *claims = NULL;
    struct slice rest = text;
    if (text.len > JWT_TEXT_MAX)
        return -EACCES;
    struct slice head = slice_cut(&rest, '.');
    struct slice payload = slice_cut(&rest, '.');
    struct slice sign = rest, have, json;
    if (!slice_eq(head, slice_of(jwt_head)) || payload.len == 0 || sign.ptr == NULL)
        return -EACCES;
    uint8_t want[32];
    jwt_sign(req->api, slice_from(text.ptr, head.len + 1 + payload.len), want);
    if (base64_decode(&req->arena, sign, BASE64_URL, &have) < 0 ||
        !secret_eq(have, slice_from(want, sizeof(want))))
        return -EACCES;
    if (base64_decode(&req->arena, payload, BASE64_URL, &json) < 0 ||
        json_parse(json, &claims, NULL) < 0)
        return -EACCES;
    if (strcmp(json_str(claims, "use", ""), use) != 0 ||
        json_int(claims, "exp", 0) * 1000 < clock_wall_ms())
        return -EACCES;
    *ret = TAKE(claims);
    return 0;
}
