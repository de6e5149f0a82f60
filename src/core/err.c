/* The sentence beside the errno. */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *err, int r, int code, const char *fmt, ...)
{
    CHECK(r < 0);
    if (err == NULL)
        return r;

    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, args); /* cut when too long */
    va_end(args);
    err->code = code;
    return r;
}
