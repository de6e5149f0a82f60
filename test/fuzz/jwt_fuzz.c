/* Capabilities: what the input says is never one of ours, and one of ours with the input put in is none. */
#include "api/jwt.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct api api = {.key = {1, 2, 3}};
    AUTO(buf_done) struct buf changed = {0};
    AUTO(json_release) json_t *claims = json_pack("{s:s}", "session", "x");
    AUTO(json_release) json_t *got = NULL;
    struct api_request req;
    struct slice in = slice_from(data, size);

    api_request_init(&req, &api);
    CHECK(jwt_check(&req, "use", in, &got) < 0);
    const char *ours = jwt_make(&req, "use", 60, claims);
    CHECK(ours != NULL && jwt_check(&req, "use", slice_of(ours), &got) == 0);
    size_t at = size == 0 ? 0 : data[0] % strlen(ours);
    buf_append(&changed, ours, at);
    buf_append_slice(&changed, slice_skip(in, 1));
    buf_append_slice(&changed, slice_skip(slice_of(ours), at + MIN(size, (size_t)1)));
    json_release(&got);
    /* The last digit of the signature has unused bits; nothing before it is free. */
    struct slice fixed = slice_from(ours, strlen(ours) - 1);
    if (!slice_starts(buf_slice(&changed), fixed))
        CHECK(jwt_check(&req, "use", buf_slice(&changed), &got) < 0);
    api_request_done(&req);
    return 0;
}
