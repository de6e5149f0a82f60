/*
 * The reader is two states, header and payload. Payload bytes are unmasked as they are copied into
 * the message, so nothing of the input is changed.
 */
#include "net/websocket_frame.h"

#include "core/base64.h"
#include "core/digest.h"

#include <errno.h>

enum {
    WEBSOCKET_KEY_BYTES = 16,
    WEBSOCKET_OPCODE = 0x0f,
    WEBSOCKET_RSV = 0x70,
    WEBSOCKET_KEEP_MAX = 16 * 1024 /* a buffer that grew larger is given back */
};

/* --- UTF-8 --- */

/* Length of the sequence that starts here, 0 when it is none (RFC 3629). */
static size_t websocket_utf8_length(const uint8_t *p, size_t len)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (n == 0 || n > len)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0; /* overlong */
    else if (p[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f; /* above U+10FFFF */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

bool websocket_utf8_ok(struct slice text)
{
    const uint8_t *p = (const uint8_t *)text.ptr;
    size_t i = 0;

    while (i < text.len) {
        uint64_t word;
        if (text.len - i >= sizeof(word)) {
            memcpy(&word, p + i, sizeof(word));
            if ((word & 0x8080808080808080u) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        size_t n = p[i] < 0x80 ? 1 : websocket_utf8_length(p + i, text.len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

/* --- reading --- */

static int websocket_fail(struct websocket_reader *r, int error, int code)
{
    r->error_code = code;
    return error;
}

static size_t websocket_header_length(const struct websocket_reader *r)
{
    uint8_t len = r->header[1] & 0x7f;
    size_t extended = len == 126 ? 2 : len == 127 ? 8 : 0;

    return 2 + extended + (r->header[1] & 0x80 ? 4 : 0);
}

static bool websocket_is_control(uint8_t opcode)
{
    return opcode >= WEBSOCKET_CLOSE;
}

/* Which opcode may come now. */
static bool websocket_opcode_ok(const struct websocket_reader *r, uint8_t opcode)
{
    switch (opcode) {
    case 0:
        return r->message_type != 0;
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        return r->message_type == 0;
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        return true;
    default:
        return false;
    }
}

/* The length must be written in the shortest of its three forms. */
static int websocket_read_length(const struct websocket_reader *r, uint64_t *ret)
{
    uint8_t len = r->header[1] & 0x7f;
    unsigned bytes = len == 126 ? 2 : len == 127 ? 8 : 0;
    uint64_t n = 0;

    for (unsigned i = 0; i < bytes; i++)
        n = n << 8 | r->header[2 + i];
    if ((bytes == 2 && n < 126) || (bytes == 8 && (n <= UINT16_MAX || n > INT64_MAX)))
        return -EBADMSG;
    *ret = bytes == 0 ? len : n;
    return 0;
}

/* The reserved bits: one, on the first frame of a message, when it was agreed on. */
static bool websocket_reserved_ok(const struct websocket_reader *r, uint8_t opcode)
{
    uint8_t bits = r->header[0] & WEBSOCKET_RSV;

    return bits == 0 || (bits == WEBSOCKET_RSV1 && r->accepts_compressed && opcode != 0 &&
                         !websocket_is_control(opcode));
}

static int websocket_begin_frame(struct websocket_reader *r)
{
    uint8_t opcode = r->header[0] & WEBSOCKET_OPCODE;
    bool fin = (r->header[0] & WEBSOCKET_FIN) != 0, control = websocket_is_control(opcode);
    size_t max = r->message_max > 0 ? r->message_max : WEBSOCKET_MESSAGE_MAX;

    if (!websocket_reserved_ok(r, opcode) || !websocket_opcode_ok(r, opcode) ||
        websocket_read_length(r, &r->left) < 0 || (control && (!fin || r->left > 125)))
        return websocket_fail(r, -EBADMSG, 1002);
    if (!control && (r->left > max || buf_len(&r->message) > max - r->left)) {
        r->error_size = buf_len(&r->message) + r->left;
        return websocket_fail(r, -E2BIG, 1009);
    }
    if (!control && opcode != 0) {
        r->message_type = opcode;
        r->is_compressed = (r->header[0] & WEBSOCKET_RSV1) != 0;
    }
    r->in_payload = true;
    r->mask_at = 0;
    return 0;
}

/* What can be told from the first two bytes is told then, so that nothing waits for the rest. */
static int websocket_take_header(struct websocket_reader *r, struct slice *in)
{
    while (in->len > 0) {
        r->header[r->header_len++] = (uint8_t)in->ptr[0];
        *in = slice_skip(*in, 1);
        if (r->header_len < 2)
            continue;
        if (!(r->header[1] & 0x80) && !r->accepts_unmasked)
            return websocket_fail(r, -EBADMSG, 1002);
        if (r->header_len == websocket_header_length(r))
            return websocket_begin_frame(r);
    }
    return 0;
}

/* Copies and unmasks; eight bytes at a time, the mask turned to where the frame stands. */
static void websocket_unmask(char *to, struct slice from, const uint8_t *mask, uint64_t at)
{
    uint8_t turned[8];
    uint64_t word, key;
    size_t i = 0;

    for (unsigned k = 0; k < 8; k++)
        turned[k] = mask[(at + k) & 3];
    memcpy(&key, turned, sizeof(key));
    for (; i + 8 <= from.len; i += 8) {
        memcpy(&word, from.ptr + i, sizeof(word));
        word ^= key;
        memcpy(to + i, &word, sizeof(word));
    }
    for (; i < from.len; i++)
        to[i] = (char)((uint8_t)from.ptr[i] ^ turned[i & 7]);
}

static void websocket_take_payload(struct websocket_reader *r, struct slice *in)
{
    bool control = websocket_is_control(r->header[0] & WEBSOCKET_OPCODE);
    struct buf *to = control ? &r->control : &r->message;
    struct slice bytes = {in->ptr, MIN(in->len, r->left)};

    *in = slice_skip(*in, bytes.len);
    char *at = buf_reserve(to, bytes.len);
    if (r->header[1] & 0x80)
        websocket_unmask(at, bytes, r->header + websocket_header_length(r) - 4, r->mask_at);
    else if (bytes.len > 0)
        memcpy(at, bytes.ptr, bytes.len);
    buf_added(to, bytes.len);
    r->mask_at += bytes.len;
    r->left -= bytes.len;
}

static bool websocket_code_ok(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int websocket_give_close(struct websocket_reader *r, struct websocket_message *ret)
{
    const uint8_t *p = (const uint8_t *)ret->payload.ptr;

    ret->close_code = WEBSOCKET_NO_CODE;
    if (ret->payload.len == 0)
        return 1;
    ret->close_code = ret->payload.len < 2 ? 0 : p[0] << 8 | p[1];
    if (!websocket_code_ok(ret->close_code))
        return websocket_fail(r, -EBADMSG, 1002);
    ret->payload = slice_skip(ret->payload, 2);
    if (!websocket_utf8_ok(ret->payload))
        return websocket_fail(r, -EILSEQ, 1007);
    return 1;
}

/* A frame is complete. 1 when that completes a message. */
static int websocket_end_frame(struct websocket_reader *r, struct websocket_message *ret)
{
    uint8_t opcode = r->header[0] & WEBSOCKET_OPCODE;
    bool fin = (r->header[0] & WEBSOCKET_FIN) != 0;

    r->in_payload = false;
    r->header_len = 0;
    if (websocket_is_control(opcode)) {
        *ret = (struct websocket_message){.type = (enum websocket_type)opcode,
                                          .payload = buf_slice(&r->control)};
        r->is_given = true;
        return opcode == WEBSOCKET_CLOSE ? websocket_give_close(r, ret) : 1;
    }
    if (!fin)
        return 0;
    *ret = (struct websocket_message){.type = (enum websocket_type)r->message_type,
                                      .payload = buf_slice(&r->message),
                                      .compressed = r->is_compressed};
    r->message_type = 0;
    r->is_given = true;
    if (ret->type == WEBSOCKET_TEXT && !ret->compressed && !websocket_utf8_ok(ret->payload))
        return websocket_fail(r, -EILSEQ, 1007);
    return 1;
}

/* The owner is done with what the last call gave. */
static void websocket_forget_given(struct websocket_reader *r)
{
    if (!r->is_given)
        return;
    r->is_given = false;
    buf_clear(&r->control);
    if (r->message_type != 0)
        return;
    if (r->message.cap > WEBSOCKET_KEEP_MAX)
        buf_done(&r->message);
    else
        buf_clear(&r->message);
}

int websocket_read(struct websocket_reader *r, struct slice *in, struct websocket_message *ret)
{
    if (r->error_code != 0)
        return -EBADMSG;
    websocket_forget_given(r);
    while (in->len > 0 || (r->in_payload && r->left == 0)) {
        int n = 0;
        if (!r->in_payload)
            n = websocket_take_header(r, in);
        else
            websocket_take_payload(r, in);
        if (n == 0 && r->in_payload && r->left == 0)
            n = websocket_end_frame(r, ret);
        if (n != 0)
            return n;
    }
    return 0;
}

void websocket_reader_done(struct websocket_reader *r)
{
    buf_done(&r->message);
    buf_done(&r->control);
}

/* --- writing --- */

static size_t websocket_put_header(char *p, uint8_t first, size_t len, bool masked)
{
    uint8_t mask_bit = masked ? 0x80 : 0;
    size_t n = 0;

    p[n++] = (char)first;
    if (len < 126) {
        p[n++] = (char)(mask_bit | (uint8_t)len);
        return n;
    }
    unsigned bytes = len <= UINT16_MAX ? 2 : 8;
    p[n++] = (char)(mask_bit | (bytes == 2 ? 126 : 127));
    for (unsigned i = bytes; i > 0; i--)
        p[n++] = (char)((uint64_t)len >> (8 * (i - 1)) & 0xff);
    return n;
}

size_t websocket_put_head(char out[WEBSOCKET_HEADER_MAX], uint8_t first, size_t len)
{
    return websocket_put_header(out, first, len, false);
}

void websocket_write_frame(struct buf *out, uint8_t first, struct slice payload,
                           const uint8_t *mask)
{
    char *p = buf_reserve(out, payload.len + WEBSOCKET_HEADER_MAX);
    size_t n = websocket_put_header(p, first, payload.len, mask != NULL);

    if (mask != NULL) {
        memcpy(p + n, mask, 4);
        n += 4;
        websocket_unmask(p + n, payload, mask, 0);
    } else if (payload.len > 0) {
        memcpy(p + n, payload.ptr, payload.len);
    }
    buf_added(out, n + payload.len);
}

void websocket_write(struct buf *out, enum websocket_type type, struct slice payload,
                     const uint8_t *mask)
{
    websocket_write_frame(out, (uint8_t)(WEBSOCKET_FIN | (uint8_t)type), payload, mask);
}

/* The longest start of the text that ends between characters. */
static struct slice websocket_cut(struct slice text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && ((uint8_t)text.ptr[max] & 0xc0) == 0x80)
        max--;
    return slice_from(text.ptr, max);
}

void websocket_write_close(struct buf *out, int code, struct slice reason, const uint8_t *mask)
{
    char payload[WEBSOCKET_CONTROL_MAX];
    struct slice text = websocket_cut(reason, sizeof(payload) - 2);

    if (code == WEBSOCKET_NO_CODE) {
        websocket_write(out, WEBSOCKET_CLOSE, SLICE_NONE, mask);
        return;
    }
    payload[0] = (char)(code >> 8 & 0xff);
    payload[1] = (char)(code & 0xff);
    if (text.len > 0)
        memcpy(payload + 2, text.ptr, text.len);
    websocket_write(out, WEBSOCKET_CLOSE, slice_from(payload, text.len + 2), mask);
}

/* --- the handshake --- */

void websocket_accept_key(struct slice key, char ret[WEBSOCKET_ACCEPT_SIZE])
{
    AUTO(buf_done) struct buf text = {0};
    uint8_t digest[DIGEST_MAX];

    buf_append_slice(&text, key);
    buf_append_slice(&text, SLICE("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    digest_of(DIGEST_SHA1, buf_slice(&text), digest);
    buf_clear(&text);
    base64_encode(&text, slice_from(digest, digest_size(DIGEST_SHA1)), BASE64_STANDARD);
    CHECK(buf_len(&text) == WEBSOCKET_ACCEPT_SIZE - 1);
    memcpy(ret, buf_cstr(&text), WEBSOCKET_ACCEPT_SIZE);
}

static bool websocket_key_ok(struct slice key)
{
    AUTO(arena_done) struct arena arena = {0};
    struct slice bytes;

    return key.len == 24 && base64_decode(&arena, key, BASE64_STANDARD, &bytes) == 0 &&
           bytes.len == WEBSOCKET_KEY_BYTES;
}

int websocket_accept(const struct http_request *request, struct buf *ret_headers)
{
    char accept[WEBSOCKET_ACCEPT_SIZE];
    struct slice key, version;

    if (!slice_eq(request->method, SLICE("GET")) ||
        !slice_eq(request->upgrade, SLICE("websocket")) ||
        !http_header_get(request->headers, SLICE("sec-websocket-key"), &key) ||
        !http_header_get(request->headers, SLICE("sec-websocket-version"), &version) ||
        !websocket_key_ok(key))
        return -EINVAL;
    if (!slice_eq(version, SLICE("13")))
        return -EOPNOTSUPP;
    websocket_accept_key(key, accept);
    http_header_add(ret_headers, SLICE("sec-websocket-accept"), slice_of(accept));
    return 0;
}
