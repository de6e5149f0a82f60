/* The settings file: JSONC. What is accepted is settings still, of the types of the table. */
#include "fuzz.h"
#include "role/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_release) json_t *settings = settings_defaults();
    AUTO(json_release) json_t *again = settings_defaults();
    AUTO(buf_done) struct buf text = {0}, shown = {0};
    struct err err = {0};

    if (settings_apply(settings, slice_from(data, size), &err) < 0) {
        CHECK(err.text[0] != '\0');
        return 0;
    }
    json_print(&text, settings);
    CHECK(settings_apply(again, buf_slice(&text), &err) == 0);
    CHECK(json_equal(settings, again));
    settings_print(&shown, settings);
    return 0;
}
