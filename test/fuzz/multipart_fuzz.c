/*
 * Forms: whatever parses has parts inside the body, and their names rebuild an object or fail. The first
 * line of the input is the content type, what follows the body.
 */
#include "api/multipart.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_done) struct arena arena = {.limit = 64 * 1024 * 1024};
    AUTO(json_release) json_t *flat = NULL;
    struct slice body = slice_from(data, size);
    struct slice type = slice_cut(&body, '\n');
    struct multipart m;
    struct err err = {0};

    (void)multipart_is(type, body); /* must only not crash */
    if (body.ptr == NULL || multipart_parse(&arena, type, body, &m, &err) < 0)
        return 0;
    CHECK(m.n <= MULTIPART_PARTS_MAX);
    for (size_t i = 0; i < m.n; i++) {
        const struct multipart_part *part = &m.parts[i];
        CHECK(part->name.ptr != NULL && part->name.ptr[part->name.len] == '\0');
        CHECK(part->content.ptr >= body.ptr);
        CHECK(part->content.ptr + part->content.len <= body.ptr + body.len);
    }
    if (multipart_unflatten(&m, "metadata", &flat, &err) == 0 && flat != NULL)
        CHECK(json_is_object(flat));
    return 0;
}
