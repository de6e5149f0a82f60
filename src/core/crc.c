/*
 * Eight bytes a step by tables ("slicing"), the same code for both widths: what a narrow polynomial does not use
 * stays zero.
 */
#include "core/crc.h"

#include <pthread.h>

enum { CRC_SLICES = 8 };

static const struct crc_row {
    unsigned bits;
    uint64_t polynomial; /* reflected */
} crc_rows[] = {
    [CRC_32] = {32, 0xEDB88320u},
    [CRC_32C] = {32, 0x82F63B78u},
    [CRC_64NVME] = {64, 0x9A6C9329AC4BC9B5ull},
};

static uint64_t crc_tables[CRC_KINDS][CRC_SLICES][256];

static void crc_fill(void)
{
    for (size_t k = 0; k < CRC_KINDS; k++) {
        uint64_t(*t)[256] = crc_tables[k];
        for (unsigned i = 0; i < 256; i++) {
            uint64_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = (c & 1) != 0 ? crc_rows[k].polynomial ^ (c >> 1) : c >> 1;
            t[0][i] = c;
        }
        for (unsigned i = 0; i < 256; i++) {
            for (unsigned s = 1; s < CRC_SLICES; s++)
                t[s][i] = t[0][t[s - 1][i] & 0xff] ^ (t[s - 1][i] >> 8);
        }
    }
}

static uint64_t crc_mask(enum crc_kind kind)
{
    return crc_rows[kind].bits == 64 ? UINT64_MAX : UINT32_MAX;
}

size_t crc_size(enum crc_kind kind)
{
    return crc_rows[kind].bits / 8;
}

uint64_t crc_update(enum crc_kind kind, uint64_t before, struct slice data)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, crc_fill);
    const uint64_t(*t)[256] = (const uint64_t(*)[256])crc_tables[kind];
    uint64_t c = before ^ crc_mask(kind);
    const uint8_t *p = (const uint8_t *)data.ptr;
    size_t n = data.len;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        w ^= c;
        c = t[7][w & 0xff] ^ t[6][(w >> 8) & 0xff] ^ t[5][(w >> 16) & 0xff] ^
            t[4][(w >> 24) & 0xff] ^ t[3][(w >> 32) & 0xff] ^ t[2][(w >> 40) & 0xff] ^
            t[1][(w >> 48) & 0xff] ^ t[0][w >> 56];
    }
    for (; n > 0; n--, p++)
        c = t[0][(c ^ *p) & 0xff] ^ (c >> 8);
    return c ^ crc_mask(kind);
}

/* a * b modulo the polynomial; the highest bit is x^0. */
static uint64_t crc_multiply(const struct crc_row *row, uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    for (uint64_t bit = 1ull << (row->bits - 1); bit != 0; bit >>= 1) {
        if ((a & bit) != 0)
            product ^= b;
        b = (b & 1) != 0 ? (b >> 1) ^ row->polynomial : b >> 1;
    }
    return product;
}

uint64_t crc_combine(enum crc_kind kind, uint64_t first, uint64_t second, uint64_t second_len)
{
    const struct crc_row *row = &crc_rows[kind];
    uint64_t shift = 1ull << (row->bits - 1), square = 1ull << (row->bits - 9); /* 1 and x^8 */
    for (; second_len > 0; second_len >>= 1) {
        if ((second_len & 1) != 0)
            shift = crc_multiply(row, square, shift);
        square = crc_multiply(row, square, square);
    }
    return crc_multiply(row, shift, first) ^ second;
}

void crc_bytes(enum crc_kind kind, uint64_t value, uint8_t *ret)
{
    size_t size = crc_size(kind);
    for (size_t i = 0; i < size; i++)
        ret[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

uint64_t crc_of_bytes(enum crc_kind kind, const uint8_t *bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < crc_size(kind); i++)
        value = value << 8 | bytes[i];
    return value;
}
