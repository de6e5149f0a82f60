/*
 * One sentence for a human beside the negative errno that the program passes around.
 *
 * A function that a person or client waits for takes `struct err *err` last and fails with
 * `return err_set(err, -EINVAL, CODE, "...")`. err may be NULL.
 */
#pragma once

#include "core/base.h"

enum { ERR_TEXT_MAX = 1024 };

struct err {
    int code; /* public code, for instance an API error number; 0 when there is none */
    char text[ERR_TEXT_MAX];
};

/* Returns `r`, which must be negative. Long texts are cut. */
int err_set(struct err *err, int r, int code, const char *fmt, ...) PRINTF(4, 5);
