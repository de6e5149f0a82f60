/* The text itself is in generated files: tools/bundle.mjs, src/role/meson.build. */
#include "role/isolate_bundle.h"

#define HIDDEN __attribute__((visibility("hidden")))

extern const char bundle_main_start[] HIDDEN, bundle_main_end[] HIDDEN;
extern const char bundle_linker_start[] HIDDEN, bundle_linker_end[] HIDDEN;
extern const char bundle_test_start[] HIDDEN, bundle_test_end[] HIDDEN;

static struct slice bundle(const char *start, const char *end)
{
    return slice_from(start, (size_t)(end - start));
}

struct slice isolate_bundle_main(void)
{
    return bundle(bundle_main_start, bundle_main_end);
}

struct slice isolate_bundle_linker(void)
{
    return bundle(bundle_linker_start, bundle_linker_end);
}

struct slice isolate_bundle_test(void)
{
    return bundle(bundle_test_start, bundle_test_end);
}
