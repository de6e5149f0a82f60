/*
 * Log lines: one JSON object per line on the process's stderr (the supervisor collects them).
 *
 * Fixed fields: time, level, role, event; values are fields, never part of a sentence. Tenants'
 * content and secrets are never logged. Callable from any thread.
 *
 *     LOG(LOG_INFO, "listening", F("address", "%s", text), F("port", "%d", port));
 */
#pragma once

#include "core/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Called once at start; role is kept by pointer. */
void log_init(const char *role, enum log_level least);
const char *log_role(void);
void log_field(const char *name, const char *fmt, ...) PRINTF(2, 3);

/* log_begin .. log_field* .. log_end on one thread makes one line. */
void log_begin(enum log_level level, const char *event);
void log_end(void);

#define LOG(level, event, ...)                                                                     \
    do {                                                                                           \
        log_begin(level, event);                                                                   \
        __VA_ARGS__;                                                                               \
        log_end();                                                                                 \
    } while (0)
#define F(name, ...) log_field(name, __VA_ARGS__)
