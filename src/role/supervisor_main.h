/*
 * `selvedge serve`.
 */
#pragma once

#include "core/json.h"

struct supervisor_options {
    const char *data;   /* directory; made when absent */
    const char *config; /* JSONC file, read again at SIGHUP; NULL = none */
    json_t *flags;      /* settings of the command line, borrowed */
};

/* Runs until SIGTERM or SIGINT. Returns the exit status. */
int supervisor_main(const struct supervisor_options *options);
