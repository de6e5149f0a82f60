/*
 * Where the template hands over: the process is sandboxed already and has one descriptor.
 *
 * control_fd is a wire (side 1) to the supervisor, which sends isolate_assign and isolate_wire. When its
 * keeper was restarted, another isolate_wire brings the new wire. Returns the exit status of the process:
 * one of enum isolate_exit (product/messages.h), if it does not exit by itself.
 */
#pragma once

#include "core/slice.h"

struct vm;
struct vm_scripts;

int isolate_main(int control_fd);

/* For tests and tools: another place for mounts than "/g", other built-in scripts than the embedded ones. */
struct isolate_options {
    const char *root;
    struct slice bundle, linker;      /* ASCII, live as long as the process */
    const struct vm_scripts *scripts; /* native.script(); may be NULL */
    void (*install)(
        struct vm *vm); /* natives besides `io` and those of the products; may be NULL */
    struct slice extra; /* evaluated last: its hooks replace those of the bundle, which it finds
                                as native.test.inside; empty = none */
    bool allow_eval;    /* eval() after the start, too */
};

/* What isolate_main() uses. */
void isolate_options_default(struct isolate_options *ret);
int isolate_run(int control_fd, const struct isolate_options *options);
