/* Cron expressions: whatever parses can be asked about any minute, and every set lies in its field. */
#include "fuzz.h"
#include "product/workers/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t minutes[] = {
        0, INT64_C(1709164800000), INT64_C(1795478400000), INT64_MAX, INT64_MIN, -1};
    struct cron cron;

    if (cron_parse(slice_from(data, size), &cron) < 0)
        return 0;
    CHECK(cron.minutes >> 60 == 0 && cron.hours >> 24 == 0 && (cron.days & 1) == 0);
    CHECK(cron.months >> 13 == 0 && (cron.months & 1) == 0 && cron.weekdays >> 7 == 0);
    for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++)
        (void)cron_matches(&cron, minutes[i]); /* any answer will do */
    return 0;
}
