/*
 * Header blocks: walking, checking and building them; what every HTTP version here shares.
 */
#include "net/http.h"

#include "net/http_token.h"

#include <errno.h>

/* RFC 9110 section 5.6.2: the value is the byte in lower case, 0 for bytes outside a token. */
const uint8_t http_token_lower[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`',   ['|'] = '|',
    ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',   ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['A'] = 'a', ['B'] = 'b',   ['C'] = 'c',
    ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i',   ['J'] = 'j',
    ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p',   ['Q'] = 'q',
    ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w',   ['X'] = 'x',
    ['Y'] = 'y', ['Z'] = 'z', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd',   ['e'] = 'e',
    ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k',   ['l'] = 'l',
    ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r',   ['s'] = 's',
    ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y',   ['z'] = 'z',
};

/* Fields that belong to one connection and never cross it. `expect` is answered by the server;
 * `host` and the pseudo fields are not fields of a block either, but of the request. */
static const struct {
    struct slice name;
    enum http_field field;
} http_fields[] = {
    {{"te", 2}, HTTP_FIELD_HOP},
    {{"host", 4}, HTTP_FIELD_HOST},
    {{"expect", 6}, HTTP_FIELD_EXPECT},
    {{"trailer", 7}, HTTP_FIELD_HOP},
    {{"upgrade", 7}, HTTP_FIELD_UPGRADE},
    {{"connection", 10}, HTTP_FIELD_CONNECTION},
    {{"keep-alive", 10}, HTTP_FIELD_HOP},
    {{"http2-settings", 14}, HTTP_FIELD_HOP},
    {{"content-length", 14}, HTTP_FIELD_CONTENT_LENGTH},
    {{"proxy-connection", 16}, HTTP_FIELD_HOP},
    {{"transfer-encoding", 17}, HTTP_FIELD_TRANSFER_ENCODING},
};

enum http_field http_field_of(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(http_fields); i++) {
        if (http_fields[i].name.len == name.len && http_fields[i].name.ptr[0] == name.ptr[0] &&
            memcmp(http_fields[i].name.ptr, name.ptr, name.len) == 0)
            return http_fields[i].field;
    }
    return HTTP_FIELD_OTHER;
}

bool http_header_next(struct slice *block, struct slice *ret_name, struct slice *ret_value)
{
    if (block->len == 0)
        return false;

    const char *end = memchr(block->ptr, '\n', block->len);
    const char *colon = memchr(block->ptr, ':', block->len);
    if (end == NULL || colon == NULL || end - colon < 3)
        return false;

    *ret_name = slice_from(block->ptr, (size_t)(colon - block->ptr));
    *ret_value = slice_from(colon + 2, (size_t)(end - colon) - 3);
    *block = slice_skip(*block, (size_t)(end + 1 - block->ptr));
    return true;
}

bool http_header_get(struct slice block, struct slice name, struct slice *ret_value)
{
    struct slice n, v;

    while (http_header_next(&block, &n, &v)) {
        if (n.len == name.len && memcmp(n.ptr, name.ptr, n.len) == 0) {
            *ret_value = v;
            return true;
        }
    }
    return false;
}

struct slice http_header_without_length(struct slice block, struct buf *out, int64_t *ret_length)
{
    struct slice rest = block, name, value, found;
    const char *run = block.ptr, *before = block.ptr;
    uint64_t n;

    if (!http_header_get(block, SLICE("content-length"), &found))
        return block;
    buf_clear(out);
    while (http_header_next(&rest, &name, &value)) {
        if (slice_eq(name, SLICE("content-length"))) {
            if (slice_to_u64(value, &n) == 0 && *ret_length < 0)
                *ret_length = (int64_t)n;
            buf_append(out, run, (size_t)(before - run));
            run = rest.ptr;
        }
        before = rest.ptr;
    }
    buf_append(out, run, (size_t)(block.ptr + block.len - run));
    return buf_slice(out);
}

void http_header_add(struct buf *block, struct slice name, struct slice value)
{
    char *p = buf_reserve(block, name.len + value.len + 4);

    memcpy(p, name.ptr, name.len);
    p += name.len;
    *p++ = ':';
    *p++ = ' ';
    if (value.len > 0)
        memcpy(p, value.ptr, value.len);
    p += value.len;
    *p++ = '\r';
    *p++ = '\n';
    buf_added(block, name.len + value.len + 4);
}

bool http_name_ok(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (http_token_lower[(uint8_t)name.ptr[i]] == 0)
            return false;
    }
    return name.len > 0;
}

bool http_value_ok(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = (uint8_t)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return value.len == 0 ||
           (!http_is_blank(value.ptr[0]) && !http_is_blank(value.ptr[value.len - 1]));
}

static bool http_name_is_lower(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t lower = http_token_lower[(uint8_t)name.ptr[i]];
        if (lower == 0 || lower != (uint8_t)name.ptr[i])
            return false;
    }
    return name.len > 0;
}

int http_header_check(struct slice block)
{
    unsigned n = 0;

    if (block.len > HTTP_HEAD_MAX)
        return -EBADMSG;
    while (block.len > 0) {
        const char *end = memchr(block.ptr, '\n', block.len);
        const char *colon = memchr(block.ptr, ':', block.len);
        if (end == NULL || colon == NULL || end - colon < 3 || colon[1] != ' ' || end[-1] != '\r' ||
            ++n > HTTP_FIELDS_MAX)
            return -EBADMSG;

        struct slice name = {block.ptr, (size_t)(colon - block.ptr)};
        struct slice value = {colon + 2, (size_t)(end - colon) - 3};
        if (!http_name_is_lower(name) || !http_value_ok(value) || http_field_is_framing(name))
            return -EBADMSG;
        block = slice_skip(block, (size_t)(end + 1 - block.ptr));
    }
    return 0;
}

bool http_field_is_framing(struct slice name)
{
    enum http_field field = http_field_of(name);

    return field == HTTP_FIELD_HOP || field == HTTP_FIELD_UPGRADE ||
           field == HTTP_FIELD_CONNECTION || field == HTTP_FIELD_TRANSFER_ENCODING;
}

/* A list member of a field value: `a , B,c` gives "a", "B", "c"; empty members are skipped. */
bool http_list_next(struct slice *list, struct slice *ret_member)
{
    while (list->len > 0) {
        const char *comma = memchr(list->ptr, ',', list->len);
        size_t len = comma == NULL ? list->len : (size_t)(comma - list->ptr);
        struct slice member = slice_trim(slice_from(list->ptr, len));
        *list = slice_skip(*list, comma == NULL ? len : len + 1);
        if (member.len > 0) {
            *ret_member = member;
            return true;
        }
    }
    return false;
}

/* RFC 9110 section 7.2 with the characters of RFC 3986 section 3.2.2: a host and an optional port,
 * no user information. */
bool http_authority_ok(struct slice authority)
{
    static const char extra[] = "-._~!$&'()*+,;=%";
    struct slice host = authority, port = SLICE_NONE;

    if (authority.len == 0 || authority.len > HTTP_AUTHORITY_MAX)
        return false;
    if (authority.ptr[0] == '[') {
        const char *end = memchr(authority.ptr, ']', authority.len);
        if (end == NULL || end - authority.ptr < 3)
            return false;
        for (const char *p = authority.ptr + 1; p < end; p++) {
            if (!http_is_hex(*p) && *p != ':' && *p != '.')
                return false;
        }
        port = slice_skip(authority, (size_t)(end + 1 - authority.ptr));
        if (port.len > 0 && port.ptr[0] != ':')
            return false;
        port = slice_skip(port, 1);
    } else {
        ssize_t colon = slice_find(authority, ':');
        if (colon >= 0) {
            host.len = (size_t)colon;
            port = slice_skip(authority, (size_t)colon + 1);
        }
        for (size_t i = 0; i < host.len; i++) {
            char c = host.ptr[i];
            if (!http_is_alnum(c) && (c == '\0' || strchr(extra, c) == NULL))
                return false;
        }
    }
    uint64_t number = 0;
    return host.len > 0 && (port.len == 0 || (port.len <= 5 && slice_to_u64(port, &number) == 0 &&
                                              number <= UINT16_MAX));
}

static const struct {
    int status;
    const char *reason;
} http_reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {510, "Not Extended"},
    {511, "Network Authentication Required"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(http_reasons); i++) {
        if (http_reasons[i].status == status)
            return http_reasons[i].reason;
    }
    return "";
}

bool http_bodiless(struct slice method, int status)
{
    return status < 200 || status == 204 || status == 304 || slice_eq(method, SLICE("HEAD"));
}
