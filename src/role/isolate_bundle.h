/*
 * The built-in scripts, bundled at build time and part of the program: ASCII, for good, never copied.
 * Each is `(function (native, global) { ... return hooks; })`.
 */
#pragma once

#include "core/slice.h"

struct slice isolate_bundle_main(void);   /* the web platform and the products' bindings */
struct slice isolate_bundle_linker(void); /* hooks.link: modules to one script */
struct slice isolate_bundle_test(void);   /* what test-worker adds to the first */
