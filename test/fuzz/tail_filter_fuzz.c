/* A tail's filters over an event, both JSON from outside, with a zero byte between. */
#include "fuzz.h"
#include "role/control_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_release) json_t *filters = NULL;
    AUTO(json_release) json_t *event = NULL;
    AUTO(buf_done) struct buf text = {0};
    struct slice rest = slice_from(data, size), first = slice_cut(&rest, '\0');

    if (json_parse(first, &filters, NULL) < 0 || json_parse(rest, &event, NULL) < 0)
        return 0;
    filter_complete(event, SLICE("script"), SLICE("version"));
    (void)filter_passes(filters, event, "10.0.0.1"); /* must only not crash */
    json_print(&text, event);
    return 0;
}
