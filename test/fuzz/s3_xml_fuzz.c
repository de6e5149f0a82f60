/*
 * The documents that S3 clients send, and the framing of aws-chunked bodies.
 */
#include "fuzz.h"
#include "product/r2/s3_impl.h"

#include <stdlib.h>

static void read_document(struct slice text)
{
    AUTO(s3_xml_done) struct s3_xml_reader x = {.rest = text};
    unsigned n = 0;
    while (s3_xml_next(&x) == 1) {
        CHECK(x.depth >= 1 && x.depth <= ARRAY_LEN(x.open));
        CHECK(slice_eq(x.name, x.open[x.depth - 1]));
        CHECK(buf_len(&x.text) <= text.len);
        n++;
    }
    CHECK(n <= text.len);
}

static void read_chunks(const struct s3_auth *auth, const uint8_t *data, size_t size)
{
    AUTO(mem_release) char *bytes = mem_new(size + 1);
    struct slice trailers;
    size_t n = 0;
    memcpy(bytes, data, size);
    if (s3_chunks_decode(auth, bytes, size, &n, &trailers) < 0)
        return;
    CHECK(n <= size && trailers.len <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct s3_auth auth = {.date = {"d", 1}, .scope = {"s", 1}};
    read_document(slice_from(data, size));
    read_chunks(NULL, data, size);
    read_chunks(&auth, data, size);
    return 0;
}
