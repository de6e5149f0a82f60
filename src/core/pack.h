/*
 * The byte format of messages between our processes: little-endian integers, length-prefixed bytes.
 *
 * Writers append to a struct buf and cannot fail. Readers take from a slice; the first short or
 * oversized read makes the reader `bad`, every later read returns zero or nothing, and the caller
 * checks `unpack_ok()` once at the end.
 */
#pragma once

#include "core/buf.h"

void pack_u8(struct buf *b, uint8_t v);
void pack_u16(struct buf *b, uint16_t v);
void pack_u32(struct buf *b, uint32_t v);
void pack_u64(struct buf *b, uint64_t v);
void pack_i64(struct buf *b, int64_t v);
void pack_f64(struct buf *b, double v);
void pack_bytes(struct buf *b, struct slice s); /* u32 length, bytes */

struct unpack {
    struct slice rest; /* borrowed */
    bool bad;
};

uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
int64_t unpack_i64(struct unpack *u);
double unpack_f64(struct unpack *u);
struct slice unpack_bytes(struct unpack *u); /* borrowed from the message */
/* True when nothing was short and nothing is left over. */
bool unpack_ok(const struct unpack *u);
