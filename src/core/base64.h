/*
 * Base64 (RFC 4648 section 4) and base64url without padding (section 5).
 */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

enum base64_kind { BASE64_STANDARD, BASE64_URL };

void base64_encode(struct buf *out, struct slice in, enum base64_kind kind);
/* Padding may be absent; any other stray character is -EINVAL. -ENOMEM over the arena's limit. */
NODISCARD int base64_decode(struct arena *arena, struct slice in, enum base64_kind kind,
                            struct slice *ret);
