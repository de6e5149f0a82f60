/*
 * The embedded scripts of the node: modules: made by bundle.mjs, sorted by name, ASCII, there for good.
 */
#pragma once

#include <stddef.h>

struct node_script {
    const char *name;
    size_t offset, len; /* in node_scripts_text */
};

extern const char node_scripts_text[] __attribute__((visibility("hidden")));
extern const struct node_script node_scripts[] __attribute__((visibility("hidden")));
extern const size_t node_scripts_count __attribute__((visibility("hidden")));
