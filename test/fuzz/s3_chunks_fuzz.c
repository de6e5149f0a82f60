/*
 * Bodies in aws-chunked: in place, never longer than they came, and none is taken for signed that the key has
 * not signed.
 */
#include "fuzz.h"
#include "product/r2/s3_impl.h"

static int decode(const struct s3_auth *auth, struct slice in)
{
    AUTO(mem_release) char *bytes = mem_new(in.len);
    struct slice trailers;
    size_t len;

    if (in.len > 0)
        memcpy(bytes, in.ptr, in.len);
    int r = s3_chunks_decode(auth, bytes, in.len, &len, &trailers);
    if (r < 0)
        return r;
    CHECK(len <= in.len);
    CHECK(trailers.len == 0 ||
          (trailers.ptr >= bytes + len && trailers.ptr + trailers.len <= bytes + in.len));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct s3_auth auth = {
        .date = {"d", 1}, .scope = {"s", 1}, .key = {1, 2, 3}, .signature = "x"};

    CHECK(decode(&auth, slice_from(data, size)) < 0);
    (void)(decode(NULL, slice_from(data, size)) < 0); /* must only not crash */
    return 0;
}
