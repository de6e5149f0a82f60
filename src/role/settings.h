/*
 * Every setting of the program: one row each, in settings.c.
 *
 * Values live in one flat JSON object, "isolates.spares": 4. They come from the defaults, then the file of
 * --config (JSONC: comments and trailing commas; objects may be nested), then the command line.
 */
#pragma once

#include "core/json.h"

enum setting_type { SETTING_TEXT, SETTING_INT, SETTING_BOOL };

struct setting {
    const char *name;
    enum setting_type type;
    const char *standard; /* as text; NULL = none, the part that uses it decides */
    int64_t least, most;  /* SETTING_INT */
    const char *unit;
    const char *sentence;
};

extern const struct setting settings_table[];
extern const size_t settings_count;

/* An object with all defaults. */
json_t *settings_defaults(void);
/* Puts what the JSONC text says into settings. -EINVAL with a sentence for unknown names, wrong types, values
 * out of range; settings are then partly changed. */
NODISCARD int settings_apply(json_t *settings, struct slice text, struct err *err);
/* One value given as text. */
NODISCARD int settings_put(json_t *settings, const char *name, const char *value, struct err *err);
/* The table for people. current may be NULL. */
void settings_print(struct buf *out, const json_t *current);
/* JSON from JSONC: comments and trailing commas become blanks, so that lines and columns stay. */
void settings_plain_json(struct buf *text);
