/* Random identifiers, hexadecimal text and the two helpers for secrets. */
#include "core/id.h"

#include <errno.h>
#include <sys/random.h>

enum { ID_BYTES = 16 };

void id_random(void *ptr, size_t len)
{
    char *p = ptr;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        CHECK(n > 0);
        p += n;
        len -= (size_t)n;
    }
}

char *hex_encode(const void *ptr, size_t len, char *buf)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = ptr;
    for (size_t i = 0; i < len; i++) {
        buf[2 * i] = digits[p[i] >> 4];
        buf[2 * i + 1] = digits[p[i] & 15];
    }
    buf[2 * len] = '\0';
    return buf;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(struct slice text, void *ret, size_t len)
{
    if (text.len % 2 != 0 || text.len / 2 != len)
        return -EINVAL;
    for (size_t i = 0; i < text.len; i++) {
        if (hex_value(text.ptr[i]) < 0)
            return -EINVAL;
    }
    uint8_t *p = ret;
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(hex_value(text.ptr[2 * i]) << 4 | hex_value(text.ptr[2 * i + 1]));
    return 0;
}

char *id_hex(char buf[ID_HEX_SIZE])
{
    uint8_t bytes[ID_BYTES];
    id_random(bytes, sizeof(bytes));
    return hex_encode(bytes, sizeof(bytes), buf);
}

char *id_uuid(char buf[ID_UUID_SIZE])
{
    uint8_t b[ID_BYTES];
    char hex[ID_HEX_SIZE];
    id_random(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* the variant of RFC 9562 */
    hex_encode(b, sizeof(b), hex);

    char *o = buf;
    for (size_t i = 0; i < 2 * ID_BYTES; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *o++ = '-';
        *o++ = hex[i];
    }
    *o = '\0';
    return buf;
}

bool id_is_hex(struct slice s, size_t len)
{
    if (s.len != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (hex_value(s.ptr[i]) < 0)
            return false;
    }
    return true;
}

bool id_is_uuid(struct slice s)
{
    if (s.len != ID_UUID_SIZE - 1)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.ptr[i] != '-' : hex_value(s.ptr[i]) < 0)
            return false;
    }
    return true;
}

bool secret_eq(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    volatile uint8_t differs = 0;
    for (size_t i = 0; i < a.len; i++)
        differs = (uint8_t)(differs | (uint8_t)(a.ptr[i] ^ b.ptr[i]));
    return differs == 0;
}

void secret_wipe(void *ptr, size_t len)
{
    if (len > 0)
        explicit_bzero(ptr, len);
}
