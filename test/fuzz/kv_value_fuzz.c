/*
 * Values as they lie in the map: a header of any bytes gives slices inside the value, or an error. The
 * source is included for its static function.
 */
#include "fuzz.h"
#include "store/kv.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kv_value value;
    const char *start = (const char *)data;
    MDB_val stored = {.mv_size = size, .mv_data = (void *)(uintptr_t)data};

    if (kv_parse(stored, &value) < 0)
        return 0;
    CHECK(value.metadata.ptr >= start && value.value.ptr >= start);
    CHECK(value.metadata.ptr + value.metadata.len <= start + size);
    CHECK(value.value.ptr + value.value.len == start + size);
    return 0;
}
