/* Frames of `sockets` streams. A frame is only given whole: what it may hold is bounded by its type. */
#include "proc/wire_socket.h"

#include <errno.h>

/* The longest payload of a type; false when there is no such type. */
static bool wire_socket_limit(uint8_t type, uint32_t *ret)
{
    static const struct {
        uint8_t type;
        uint32_t max;
    } rows[] = {
        {WIRE_SOCKET_TEXT, WIRE_MESSAGE_MAX},
        {WIRE_SOCKET_BINARY, WIRE_MESSAGE_MAX},
        {WIRE_SOCKET_CLOSE, WIRE_MESSAGE_CONTROL_MAX},
        {WIRE_SOCKET_FAILED, WIRE_MESSAGE_CONTROL_MAX},
        {WIRE_SOCKET_GONE, 0},
        {WIRE_SOCKET_KNOWN, WIRE_SOCKET_KNOWN_MAX},
        {WIRE_SOCKET_READY, WIRE_SOCKET_PAIR_MAX},
        {WIRE_SOCKET_ANSWERED, 8},
        {WIRE_SOCKET_TAGS, WIRE_SOCKET_TAGS_MAX},
        {WIRE_SOCKET_ATTACHMENT, WIRE_SOCKET_ATTACHMENT_MAX},
        {WIRE_SOCKET_PAIR, WIRE_SOCKET_PAIR_MAX},
        {WIRE_SOCKET_SLEEP, 8},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].type == type) {
            *ret = rows[i].max;
            return true;
        }
    return false;
}

int wire_socket_next(struct slice *in, struct wire_socket_frame *ret)
{
    uint32_t max;

    if (in->len < WIRE_SOCKET_HEAD)
        return 0;
    struct unpack u = {.rest = slice_from(in->ptr, WIRE_SOCKET_HEAD)};
    uint8_t type = unpack_u8(&u);
    uint32_t socket = unpack_u32(&u), length = unpack_u32(&u);
    if (!wire_socket_limit(type, &max) || length > max)
        return -EBADMSG;
    if (in->len - WIRE_SOCKET_HEAD < length)
        return 0;
    *ret = (struct wire_socket_frame){
        .type = (enum wire_socket_type)type,
        .socket = socket,
        .payload = slice_from(in->ptr + WIRE_SOCKET_HEAD, length),
    };
    *in = slice_skip(*in, WIRE_SOCKET_HEAD + length);
    return 1;
}

static void wire_socket_put_head(struct buf *out, enum wire_socket_type type, uint32_t socket,
                                 size_t length)
{
    pack_u8(out, (uint8_t)type);
    pack_u32(out, socket);
    pack_u32(out, (uint32_t)length);
}

void wire_socket_put(struct buf *out, enum wire_socket_type type, uint32_t socket,
                     struct slice payload)
{
    wire_socket_put_head(out, type, socket, payload.len);
    buf_append_slice(out, payload);
}

void wire_socket_put_known(struct buf *out, uint32_t socket, const struct wire_socket_known *known)
{
    enum { FIXED = 8 + 1 + 4 };

    wire_socket_put_head(out, WIRE_SOCKET_KNOWN, socket,
                         FIXED + known->tags.len + known->attachment.len);
    pack_i64(out, known->answered_ms);
    pack_u8(out, known->close_out ? 1 : 0);
    pack_bytes(out, known->tags);
    buf_append_slice(out, known->attachment);
}

int wire_socket_known(struct slice payload, struct wire_socket_known *ret)
{
    struct unpack u = {.rest = payload};

    ret->answered_ms = unpack_i64(&u);
    ret->close_out = unpack_u8(&u) != 0;
    ret->tags = unpack_bytes(&u);
    if (u.bad)
        return -EBADMSG;
    ret->attachment = u.rest;
    return 0;
}

void wire_socket_put_pair(struct buf *out, enum wire_socket_type type, bool has,
                          struct slice request, struct slice response)
{
    wire_socket_put_head(out, type, 0, has ? 8 + request.len + response.len : 0);
    if (!has)
        return;
    pack_bytes(out, request);
    pack_bytes(out, response);
}

int wire_socket_pair(struct slice payload, bool *ret_has, struct slice *ret_request,
                     struct slice *ret_response)
{
    struct unpack u = {.rest = payload};

    *ret_has = payload.len > 0;
    *ret_request = *ret_response = SLICE_NONE;
    if (!*ret_has)
        return 0;
    *ret_request = unpack_bytes(&u);
    *ret_response = unpack_bytes(&u);
    return unpack_ok(&u) ? 0 : -EBADMSG;
}
