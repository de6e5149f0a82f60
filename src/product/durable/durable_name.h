/*
 * Ids of Durable Objects: 16 bytes that name the object (an HMAC of its name, or random) and 16 that tie them to the
 * namespace, both under the namespace's key. Jurisdictions are part of both. Pure functions, any thread.
 */
#pragma once

#include "core/slice.h"

enum { DURABLE_ID_HALF = 16, DURABLE_NAME_KEY = 32 /* bytes of a key */ };

/* The first half of the id of a name. */
void durable_name_front(const uint8_t key[DURABLE_NAME_KEY], struct slice jurisdiction,
                        struct slice name, uint8_t ret[DURABLE_ID_HALF]);
/* The second half. */
void durable_name_seal(const uint8_t key[DURABLE_NAME_KEY], struct slice jurisdiction,
                       const uint8_t front[DURABLE_ID_HALF], uint8_t ret[DURABLE_ID_HALF]);
