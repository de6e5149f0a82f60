/*
 * Header blocks as a less trusted process could send them: what passes the check splits into fields
 * that, put together again, are the same block.
 */
#include "fuzz.h"
#include "net/http.h"
#include "net/http_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_done) struct buf again = {0};
    struct slice in = slice_from(data, size), rest = in, name, value, member, first;

    (void)http_authority_ok(in); /* must only not crash */
    if (http_header_check(in) < 0)
        return 0;
    while (http_header_next(&rest, &name, &value)) {
        CHECK(http_name_ok(name) && http_value_ok(value) && !http_field_is_framing(name));
        CHECK(http_header_get(in, name, &first));
        http_header_add(&again, name, value);
        for (struct slice list = value; http_list_next(&list, &member);)
            CHECK(member.ptr >= value.ptr && member.ptr + member.len <= value.ptr + value.len);
    }
    CHECK(slice_eq(buf_slice(&again), in));
    return 0;
}
