/*
 * Random identifiers and the text forms of bytes. Randomness is getrandom(2); it never fails here.
 */
#pragma once

#include "core/arena.h"

enum { ID_HEX_SIZE = 33, ID_UUID_SIZE = 37 };

void id_random(void *ptr, size_t len);
char *id_hex(char buf[ID_HEX_SIZE]);   /* 32 hex digits */
char *id_uuid(char buf[ID_UUID_SIZE]); /* RFC 9562 version 4 */
bool id_is_hex(struct slice s, size_t len);
bool id_is_uuid(struct slice s);

/* buf needs 2 * len + 1 bytes. */
char *hex_encode(const void *ptr, size_t len, char *buf);
/* Exactly len bytes from 2 * len digits; -EINVAL otherwise. */
NODISCARD int hex_decode(struct slice text, void *ret, size_t len);

/* Equal in time that depends on the length only. */
bool secret_eq(struct slice a, struct slice b);
void secret_wipe(void *ptr, size_t len);
