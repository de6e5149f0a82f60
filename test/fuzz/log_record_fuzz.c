/*
 * Records of the durable log, as an isolate could send them and as a damaged disk could give them. The checksum is made right for half of
 * the inputs, else nothing would get past it.
 */
#include "fuzz.h"
#include "role/keeper_core.h"
#include "store/log_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char page[65536];
    AUTO(buf_done) struct buf made = {0}, out = {0};
    struct slice bytes = slice_from(data, size);
    struct log_record r;
    if (size > 1 && data[0] & 1) {
        struct log_record head = {.kind = LOG_PAGES,
                                  .flags = LOG_FIRST | LOG_LAST,
                                  .n_pages = data[1],
                                  .page_size = 4096,
                                  .pages_after = 8,
                                  .epoch = 7,
                                  .sequence = 1,
                                  .body = slice_skip(bytes, 2)};
        log_record_append(&made, &head);
        bytes = buf_slice(&made);
    }
    if (log_record_parse(bytes, &r) == 0 && log_record_sound(&r, 1000)) {
        struct slice body = r.body;
        uint32_t number, n = 0;
        while (n < r.n_pages && log_page_next(&body, r.page_size, &number, page))
            n++;
        CHECK(n == r.n_pages);
    }
    if (keeper_object_records(bytes, SLICE("durable/n/objects/o.sqlite"), 7, &out) == 0) {
        CHECK(log_record_parse(buf_slice(&out), &r) == 0);
        CHECK(slice_eq(r.name, SLICE("durable/n/objects/o.sqlite")));
    }
    return 0;
}
