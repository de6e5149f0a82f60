/* Messages as bytes: little-endian, unaligned, so everything goes through memcpy. */
#include "core/pack.h"

#include <endian.h>

void pack_u8(struct buf *b, uint8_t v)
{
    buf_append_char(b, (char)v);
}

void pack_u16(struct buf *b, uint16_t v)
{
    v = htole16(v);
    buf_append(b, &v, sizeof(v));
}

void pack_u32(struct buf *b, uint32_t v)
{
    v = htole32(v);
    buf_append(b, &v, sizeof(v));
}

void pack_u64(struct buf *b, uint64_t v)
{
    v = htole64(v);
    buf_append(b, &v, sizeof(v));
}

void pack_i64(struct buf *b, int64_t v)
{
    pack_u64(b, (uint64_t)v);
}

void pack_f64(struct buf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    pack_u64(b, bits);
}

void pack_bytes(struct buf *b, struct slice s)
{
    CHECK(s.len <= UINT32_MAX);
    pack_u32(b, (uint32_t)s.len);
    buf_append_slice(b, s);
}

/* Takes n bytes, or makes the reader bad and returns NULL. */
static const char *unpack_take(struct unpack *u, size_t n)
{
    if (UNLIKELY(u->bad || u->rest.len < n)) {
        u->bad = true;
        return NULL;
    }
    const char *p = u->rest.ptr;
    u->rest = slice_skip(u->rest, n);
    return p;
}

uint8_t unpack_u8(struct unpack *u)
{
    const char *p = unpack_take(u, 1);
    return p == NULL ? 0 : (uint8_t)*p;
}

uint16_t unpack_u16(struct unpack *u)
{
    uint16_t v = 0;
    const char *p = unpack_take(u, sizeof(v));
    if (p != NULL)
        memcpy(&v, p, sizeof(v));
    return le16toh(v);
}

uint32_t unpack_u32(struct unpack *u)
{
    uint32_t v = 0;
    const char *p = unpack_take(u, sizeof(v));
    if (p != NULL)
        memcpy(&v, p, sizeof(v));
    return le32toh(v);
}

uint64_t unpack_u64(struct unpack *u)
{
    uint64_t v = 0;
    const char *p = unpack_take(u, sizeof(v));
    if (p != NULL)
        memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

int64_t unpack_i64(struct unpack *u)
{
    return (int64_t)unpack_u64(u);
}

double unpack_f64(struct unpack *u)
{
    uint64_t bits = unpack_u64(u);
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

struct slice unpack_bytes(struct unpack *u)
{
    uint32_t len = unpack_u32(u);
    const char *p = unpack_take(u, len);
    return p == NULL ? SLICE_NONE : (struct slice){p, len};
}

bool unpack_ok(const struct unpack *u)
{
    return !u->bad && u->rest.len == 0;
}
