/*
 * Short messages are gathered, so that a cut between two frames of DATA is not seen behind us; long ones
 * pass in the pieces in which they come, so that nothing here grows with them.
 */
#include "proc/wire_message.h"

#include <errno.h>

/* 0, or -EBADMSG for a type or a length that does not exist. */
static int wire_message_head(const char *ptr, struct wire_message *ret)
{
    struct unpack u = {.rest = slice_from(ptr, WIRE_MESSAGE_HEAD)};
    uint8_t type = unpack_u8(&u);
    uint32_t length = unpack_u32(&u), max = WIRE_MESSAGE_CONTROL_MAX;

    switch (type) {
    case WIRE_MESSAGE_TEXT:
    case WIRE_MESSAGE_BINARY:
        max = WIRE_MESSAGE_MAX;
        break;
    case WIRE_MESSAGE_CLOSE:
    case WIRE_MESSAGE_FAILED:
        break;
    default:
        return -EBADMSG;
    }
    if (length > max)
        return -EBADMSG;
    *ret = (struct wire_message){.type = (enum wire_message_type)type, .length = length};
    return 0;
}

int wire_message_whole(struct slice *in, struct wire_message *ret)
{
    if (in->len < WIRE_MESSAGE_HEAD)
        return 0;
    int r = wire_message_head(in->ptr, ret);
    if (r < 0)
        return r;
    if (in->len - WIRE_MESSAGE_HEAD < ret->length)
        return 0;
    ret->first = ret->last = true;
    ret->bytes = slice_from(in->ptr + WIRE_MESSAGE_HEAD, ret->length);
    *in = slice_skip(*in, WIRE_MESSAGE_HEAD + ret->length);
    return 1;
}

/* The next bytes of a payload that is given in parts. */
static int wire_message_part(struct wire_message_reader *r, struct slice *in,
                             struct wire_message *ret)
{
    if (in->len == 0)
        return 0;
    *ret = (struct wire_message){
        .type = (enum wire_message_type)r->type,
        .length = r->length,
        .first = r->left == r->length,
        .bytes = slice_from(in->ptr, MIN(in->len, (size_t)r->left)),
    };
    r->left -= (uint32_t)ret->bytes.len;
    ret->last = r->left == 0;
    *in = slice_skip(*in, ret->bytes.len);
    return 1;
}

static void wire_message_hold(struct wire_message_reader *r, struct slice *in, size_t n)
{
    n = MIN(n, in->len);
    buf_append(&r->held, in->ptr, n);
    *in = slice_skip(*in, n);
}

/* A message whose head came in an earlier piece. 1 when `held` has all of it. */
static int wire_message_held(struct wire_message_reader *r, struct slice *in,
                             struct wire_message *ret)
{
    size_t have = buf_len(&r->held);

    if (have < WIRE_MESSAGE_HEAD) {
        wire_message_hold(r, in, WIRE_MESSAGE_HEAD - have);
        if (buf_len(&r->held) < WIRE_MESSAGE_HEAD)
            return 0;
    }
    int n = wire_message_head(buf_slice(&r->held).ptr, ret);
    if (n < 0)
        return n;
    if (ret->length > WIRE_MESSAGE_GATHER) {
        r->type = (uint8_t)ret->type;
        r->left = r->length = ret->length;
        buf_clear(&r->held);
        return wire_message_part(r, in, ret);
    }
    wire_message_hold(r, in, WIRE_MESSAGE_HEAD + ret->length - buf_len(&r->held));
    struct slice all = buf_slice(&r->held);
    r->given = wire_message_whole(&all, ret) > 0;
    return r->given;
}

int wire_message_next(struct wire_message_reader *r, struct slice *in, struct wire_message *ret)
{
    if (r->given) {
        r->given = false;
        buf_done(&r->held);
    }
    if (r->left > 0)
        return wire_message_part(r, in, ret);
    if (buf_len(&r->held) == 0) {
        int n = wire_message_whole(in, ret);
        if (n != 0)
            return n;
    }
    return in->len == 0 ? 0 : wire_message_held(r, in, ret);
}

void wire_message_reader_done(struct wire_message_reader *r)
{
    buf_done(&r->held);
}

void wire_message_put(struct buf *out, enum wire_message_type type, struct slice payload)
{
    CHECK(payload.len <= WIRE_MESSAGE_MAX);
    pack_u8(out, (uint8_t)type);
    pack_bytes(out, payload);
}

void wire_message_put_close(struct buf *out, uint16_t code, struct slice reason)
{
    if (code == 0) {
        wire_message_put(out, WIRE_MESSAGE_CLOSE, SLICE_NONE);
        return;
    }
    pack_u8(out, WIRE_MESSAGE_CLOSE);
    pack_u32(out, (uint32_t)(sizeof(code) + reason.len));
    pack_u16(out, code);
    buf_append_slice(out, reason);
}

int wire_message_close(struct slice payload, uint16_t *ret_code, struct slice *ret_reason)
{
    struct unpack u = {.rest = payload};

    *ret_code = payload.len == 0 ? 0 : unpack_u16(&u);
    *ret_reason = u.rest;
    return u.bad ? -EBADMSG : 0;
}
