/*
 * Hosts: domains, IPv4 and IPv6 addresses, opaque hosts. https://url.spec.whatwg.org/#host-parsing
 */
#include "net/http_token.h"
#include "net/url_impl.h"

#include <errno.h>
#include <stdio.h>

enum { URL_IPV6_PIECES = 8, URL_IPV6_TEXT = 48, URL_IPV4_TEXT = 16 };

/* Forbidden host code points: U+0000 TAB LF CR space # / : < > ? @ [ \ ] ^ | and, in domains, also the
 * other control characters, % and DEL. */
enum { FORBIDDEN_DOMAIN = 1, FORBIDDEN = 2 };

static bool url_has_forbidden(struct slice host, bool is_domain)
{
    static const uint8_t kinds[256] = {[1 ... 8] = FORBIDDEN_DOMAIN,
                                       [0xb ... 0xc] = FORBIDDEN_DOMAIN,
                                       [0xe ... 0x1f] = FORBIDDEN_DOMAIN,
                                       ['\0'] = FORBIDDEN,
                                       ['\t'] = FORBIDDEN,
                                       ['\n'] = FORBIDDEN,
                                       ['\r'] = FORBIDDEN,
                                       [' '] = FORBIDDEN,
                                       ['#'] = FORBIDDEN,
                                       ['/'] = FORBIDDEN,
                                       [':'] = FORBIDDEN,
                                       ['<'] = FORBIDDEN,
                                       ['>'] = FORBIDDEN,
                                       ['?'] = FORBIDDEN,
                                       ['@'] = FORBIDDEN,
                                       ['['] = FORBIDDEN,
                                       ['\\'] = FORBIDDEN,
                                       [']'] = FORBIDDEN,
                                       ['^'] = FORBIDDEN,
                                       ['|'] = FORBIDDEN,
                                       ['%'] = FORBIDDEN_DOMAIN,
                                       [0x7f] = FORBIDDEN_DOMAIN};
    unsigned refused = is_domain ? FORBIDDEN | FORBIDDEN_DOMAIN : FORBIDDEN;

    for (size_t i = 0; i < host.len; i++)
        if ((kinds[(uint8_t)host.ptr[i]] & refused) != 0)
            return true;
    return false;
}

/* --- IPv4 --- */

/* Decimal, 0x hexadecimal, 0 octal. Saturates, since only small numbers are good anyway. */
static int url_ipv4_number(struct slice s, uint64_t *ret)
{
    unsigned base = 10;
    uint64_t n = 0;

    if (s.len == 0)
        return -EBADMSG;
    if (s.len >= 2 && s.ptr[0] == '0') {
        bool hex = (s.ptr[1] | 0x20) == 'x';
        base = hex ? 16 : 8;
        s = slice_skip(s, hex ? 2 : 1);
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned c = (unsigned)(uint8_t)s.ptr[i], digit = c - '0';
        if (digit > 9)
            digit = (c | 0x20) - 'a' + 10;
        if (!http_is_hex(s.ptr[i]) || digit >= base)
            return -EBADMSG;
        n = MIN(n * base + digit, UINT64_MAX / 32);
    }
    *ret = n;
    return 0;
}

static struct slice url_last_label(struct slice host)
{
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    for (size_t i = host.len; i > 0; i--) {
        if (host.ptr[i - 1] == '.')
            return slice_skip(host, i);
    }
    return host;
}

static bool url_ends_in_number(struct slice host)
{
    struct slice last = url_last_label(host);
    uint64_t n;
    size_t digits = 0;

    while (digits < last.len && http_is_digit(last.ptr[digits]))
        digits++;
    return last.len > 0 && (digits == last.len || url_ipv4_number(last, &n) == 0);
}

static int url_parse_ipv4(struct arena *arena, struct slice host, struct slice *ret)
{
    uint64_t numbers[4], address;
    unsigned n = 0;

    if (host.ptr[host.len - 1] == '.')
        host.len--;
    for (bool more = true; more;) {
        more = slice_find(host, '.') >= 0;
        struct slice part = slice_cut(&host, '.');
        if (n == 4 || url_ipv4_number(part, &numbers[n++]) < 0)
            return -EBADMSG;
    }
    address = numbers[n - 1];
    if (address >= 1ULL << (8 * (5 - n)))
        return -EBADMSG;
    for (unsigned i = 0; i < n - 1; i++) {
        if (numbers[i] > 255)
            return -EBADMSG;
        address += numbers[i] << (8 * (3 - i));
    }
    char *text = arena_alloc(arena, URL_IPV4_TEXT);
    if (text == NULL)
        return -ENOMEM;
    int len = snprintf(text, URL_IPV4_TEXT, "%u.%u.%u.%u", (unsigned)(address >> 24 & 255),
                       (unsigned)(address >> 16 & 255), (unsigned)(address >> 8 & 255),
                       (unsigned)(address & 255));
    *ret = slice_from(text, (size_t)len);
    return 0;
}

/* --- IPv6 --- */

struct url_ipv6 {
    struct slice rest;
    uint16_t pieces[URL_IPV6_PIECES];
    int n, compress; /* compress: index of the "::", -1 without */
};

/* The last two pieces as an IPv4 address: four decimals without leading zeros. */
static int url_ipv6_tail(struct url_ipv6 *p)
{
    if (p->n > URL_IPV6_PIECES - 2)
        return -EBADMSG;
    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        size_t digits = 0;
        if (i > 0) {
            if (p->rest.len == 0 || p->rest.ptr[0] != '.')
                return -EBADMSG;
            p->rest = slice_skip(p->rest, 1);
        }
        while (digits < p->rest.len && http_is_digit(p->rest.ptr[digits])) {
            if (digits > 0 && value == 0)
                return -EBADMSG;
            value = value * 10 + (unsigned)(p->rest.ptr[digits++] - '0');
            if (value > 255)
                return -EBADMSG;
        }
        if (digits == 0)
            return -EBADMSG;
        p->rest = slice_skip(p->rest, digits);
        p->pieces[p->n] = (uint16_t)(p->pieces[p->n] * 256 + value);
        if (i == 1 || i == 3)
            p->n++;
    }
    return p->rest.len == 0 ? 0 : -EBADMSG;
}

/* One piece of up to four digits and what follows it. 1: the address ended with an IPv4 address. */
static int url_ipv6_piece(struct url_ipv6 *p)
{
    unsigned value = 0;
    size_t digits = 0;

    while (digits < 4 && digits < p->rest.len && http_is_hex(p->rest.ptr[digits])) {
        unsigned c = (unsigned)(uint8_t)p->rest.ptr[digits++];
        value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    struct slice after = slice_skip(p->rest, digits);
    if (after.len > 0 && after.ptr[0] == '.') {
        int r = digits == 0 ? -EBADMSG : url_ipv6_tail(p);
        return r < 0 ? r : 1;
    }
    if (after.len > 0 && (after.ptr[0] != ':' || after.len == 1))
        return -EBADMSG;
    p->rest = slice_skip(after, 1);
    p->pieces[p->n++] = (uint16_t)value;
    return 0;
}

static int url_ipv6_read(struct url_ipv6 *p)
{
    if (p->rest.len > 0 && p->rest.ptr[0] == ':') {
        if (p->rest.len < 2 || p->rest.ptr[1] != ':')
            return -EBADMSG;
        p->rest = slice_skip(p->rest, 2);
        p->compress = ++p->n;
    }
    int r = 0;
    while (r == 0 && p->rest.len > 0) {
        if (p->n == URL_IPV6_PIECES)
            return -EBADMSG;
        if (p->rest.ptr[0] != ':') {
            r = url_ipv6_piece(p);
            continue;
        }
        if (p->compress >= 0)
            return -EBADMSG;
        p->rest = slice_skip(p->rest, 1);
        p->compress = ++p->n;
    }
    return MIN(r, 0);
}

/* "::" stands at index `compress`: what was read behind it moves to the end. */
static int url_ipv6_expand(struct url_ipv6 *p)
{
    if (p->compress < 0)
        return p->n == URL_IPV6_PIECES ? 0 : -EBADMSG;

    int behind = p->n - p->compress;
    for (int i = 0; i < behind; i++) {
        int from = p->compress + behind - 1 - i, to = URL_IPV6_PIECES - 1 - i;
        if (from == to)
            break;
        p->pieces[to] = p->pieces[from];
        p->pieces[from] = 0;
    }
    return 0;
}

/* The first longest run of two or more zero pieces. */
static int url_ipv6_zeros(const uint16_t *pieces, int *ret_len)
{
    int best = -1, best_len = 1;

    for (int i = 0; i < URL_IPV6_PIECES; i++) {
        int len = 0;
        while (i + len < URL_IPV6_PIECES && pieces[i + len] == 0)
            len++;
        if (len > best_len) {
            best = i;
            best_len = len;
        }
        i += len;
    }
    *ret_len = best_len;
    return best;
}

static int url_ipv6_print(struct arena *arena, const uint16_t *pieces, struct slice *ret)
{
    int run, zeros = url_ipv6_zeros(pieces, &run), n = 0;
    char *text = arena_alloc(arena, URL_IPV6_TEXT);

    if (text == NULL)
        return -ENOMEM;
    text[n++] = '[';
    for (int i = 0; i < URL_IPV6_PIECES; i++) {
        if (i == zeros) {
            n += snprintf(text + n, 3, "%s", i == 0 ? "::" : ":");
            i += run - 1;
            continue;
        }
        n += snprintf(text + n, 6, "%x%s", (unsigned)pieces[i], i < URL_IPV6_PIECES - 1 ? ":" : "");
    }
    text[n++] = ']';
    *ret = slice_from(text, (size_t)n);
    return 0;
}

static int url_parse_ipv6(struct arena *arena, struct slice in, struct slice *ret)
{
    struct url_ipv6 p = {.rest = in, .compress = -1};

    int r = url_ipv6_read(&p);
    if (r == 0)
        r = url_ipv6_expand(&p);
    return r < 0 ? r : url_ipv6_print(arena, p.pieces, ret);
}

/* --- domains --- */

/* Nothing that UTS 46 would change but case: most hosts, and no call of ICU for them. */
static bool url_is_plain(struct slice domain)
{
    for (size_t i = 0; i < domain.len; i++) {
        bool starts_label = i == 0 || domain.ptr[i - 1] == '.';
        struct slice label = {domain.ptr + i, MIN((size_t)4, domain.len - i)};
        if ((uint8_t)domain.ptr[i] >= 0x80 ||
            (starts_label && slice_eq_nocase(label, SLICE("xn--"))))
            return false;
    }
    return true;
}

static int url_lower(struct arena *arena, struct slice in, struct slice *ret)
{
    char *text = arena_alloc(arena, in.len);

    if (text == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < in.len; i++)
        text[i] = http_lower(in.ptr[i]);
    *ret = slice_from(text, in.len);
    return 0;
}

static int url_parse_domain(struct arena *arena, struct slice in, struct slice *ret)
{
    struct slice domain = in, ascii = SLICE_NONE;

    if (slice_find(in, '%') >= 0) {
        char *text = arena_alloc(arena, in.len);
        if (text == NULL)
            return -ENOMEM;
        domain = slice_from(text, url_percent_decode(in, text));
    }
    int r = url_is_plain(domain) ? url_lower(arena, domain, &ascii)
                                 : url_domain_to_ascii(arena, domain, &ascii);
    if (r < 0)
        return r;
    if (ascii.len == 0 || url_has_forbidden(ascii, true))
        return -EBADMSG;
    if (url_ends_in_number(ascii))
        return url_parse_ipv4(arena, ascii, ret);
    *ret = ascii;
    return 0;
}

int url_parse_host(struct arena *arena, struct slice in, bool special, struct slice *ret)
{
    if (in.len > URL_HOST_MAX)
        return -EBADMSG;
    if (in.len > 0 && in.ptr[0] == '[') {
        if (in.len < 2 || in.ptr[in.len - 1] != ']')
            return -EBADMSG;
        return url_parse_ipv6(arena, slice_from(in.ptr + 1, in.len - 2), ret);
    }
    if (special)
        return url_parse_domain(arena, in, ret);
    if (url_has_forbidden(in, false))
        return -EBADMSG;
    return url_encode(arena, in, URL_SET_C0, ret);
}
