/*
 * Records of a history as a damaged disk may give them: any head, and any compressed bytes behind a head that fits them.
 */
#include "fuzz.h"
#include "store/history_impl.h"

#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_from((const char *)data, size);
    struct history_record r = {0};
    AUTO(buf_done) struct buf raw = {0};
    if (size < HISTORY_HEAD)
        return 0;
    if (history_head_read(slice_from(bytes.ptr, HISTORY_HEAD), &r) == 0)
        CHECK((uint64_t)r.n_pages * r.page_size <= HISTORY_BODY_MAX);
    struct slice body = slice_skip(bytes, HISTORY_HEAD);
    r = (struct history_record){.n_pages = data[0], .page_size = 512, .size = (uint32_t)body.len};
    r.crc = (uint32_t)crc32(0, (const Bytef *)body.ptr, (uInt)body.len);
    if (history_body_read(&r, body, &raw) == 0)
        CHECK(buf_len(&raw) == (size_t)r.n_pages * (r.page_size + 4));
    return 0;
}
