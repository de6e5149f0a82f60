/*
 * Cyclic redundancy checks with reflected polynomials: CRC-32 (ISO-HDLC), CRC-32C (Castagnoli), CRC-64/NVME.
 *
 * Pure functions, any thread. The tables are filled at the first call.
 */
#pragma once

#include "core/slice.h"

enum crc_kind { CRC_32, CRC_32C, CRC_64NVME, CRC_KINDS };

size_t crc_size(enum crc_kind kind); /* bytes of a value */
/* The value of everything so far and `data`; `before` is 0 at the beginning. */
uint64_t crc_update(enum crc_kind kind, uint64_t before, struct slice data);
/* The value of two texts one after another, from the values of both and the second's length. */
uint64_t crc_combine(enum crc_kind kind, uint64_t first, uint64_t second, uint64_t second_len);
/* The value as clients write it, most significant byte first: crc_size() bytes. */
void crc_bytes(enum crc_kind kind, uint64_t value, uint8_t *ret);
uint64_t crc_of_bytes(enum crc_kind kind, const uint8_t *bytes);
