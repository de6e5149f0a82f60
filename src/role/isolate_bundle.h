/*
 * The built-in scripts, bundled at build time and part of the program: ASCII, for good, never copied. Each is
 * `(function (native, global) { ... return hooks; })`:
 *
 *     main      the web platform, evaluated in every isolate
 *     linker    hooks.link: modules to one script
 *     test      what test-worker adds to main
 *     node/NAME the module node:NAME
 *     others    parts of main that are evaluated when they are first needed (web/scripts.mjs)
 */
#pragma once

#include "engine/vm.h"

extern const struct vm_scripts isolate_scripts; /* generated: tools/bundle.mjs */
