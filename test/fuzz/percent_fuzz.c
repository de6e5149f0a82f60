/* Percent encoding: any bytes come back; names and values of a query lie inside it. */
#include "api/text.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(buf_done) struct buf text = {0};
    struct slice in = slice_from(data, size), back, name, value;

    text_percent_encode(&text, in);
    CHECK(text_percent_decode(&arena, buf_slice(&text), true, &back) == 0 && slice_eq(back, in));
    if (text_percent_decode(&arena, in, false, &back) == 0)
        CHECK(back.len <= in.len && back.ptr[back.len] == '\0');
    for (struct slice rest = in; text_query_next(&rest, &name, &value);)
        CHECK(name.len + value.len <= in.len);
    CHECK(!text_is_name(in, 64) || (in.len <= 64 && in.ptr[0] != '.'));
    return 0;
}
