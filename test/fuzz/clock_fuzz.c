/* A date that parses prints as a date that parses to the same moment. */
#include "core/clock.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t ms, again;
    if (clock_parse_http_date(slice_from(data, size), &ms) < 0)
        return 0;
    char text[CLOCK_TEXT_SIZE];
    if (ms > INT64_C(253402300799000)) /* a leap second at the end of 9999 */
        return 0;
    CHECK(clock_parse_http_date(slice_of(clock_http_date(ms, text)), &again) == 0);
    CHECK(ms == again);
    return 0;
}
