/*
 * JSON outside the engine: jansson behind a few helpers with our idioms. Not for hot paths.
 *
 * json_t values are reference counted by jansson; AUTO(json_release) ends a reference. Parsing takes
 * bytes from outside: depth is limited by jansson (2048) and size by the caller.
 */
#pragma once

#include "core/buf.h"
#include "core/err.h"

#include <jansson.h>

void json_release(json_t **value); /* for AUTO() */
/* -EBADMSG with line and column in err. Duplicate keys are refused. */
NODISCARD int json_parse(struct slice text, json_t **ret, struct err *err);
/* The same for data whose strings may hold zero bytes: only json_string_length() tells where they end. */
NODISCARD int json_parse_nul(struct slice text, json_t **ret, struct err *err);
void json_print(struct buf *out, const json_t *value); /* compact */
/* Member lookups that do not fail: absent or of another type gives the fallback. */
const char *json_str(const json_t *object, const char *key, const char *fallback);
int64_t json_int(const json_t *object, const char *key, int64_t fallback);
bool json_bool(const json_t *object, const char *key, bool fallback);
/* Appends text as a JSON string with quotes. */
void json_quote(struct buf *out, struct slice text);
