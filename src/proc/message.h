/*
 * Makes structs, encoders and decoders from the table of messages (product/messages.h).
 *
 *     #define X_MESSAGES(M, F) M(kv_put, ISOLATE, KEEPER, F(u32, binding) F(bytes, key))
 *     MESSAGES_DECLARE(X_MESSAGES)          in a header: enum message, struct msg_kv_put, prototypes
 *     MESSAGES_DEFINE(X_MESSAGES)           in one source file
 *
 * Slices in decoded messages point into the payload.
 */
#pragma once

#include "core/pack.h"

#include <errno.h>

#define MSG_TYPE_u8 uint8_t
#define MSG_TYPE_u16 uint16_t
#define MSG_TYPE_u32 uint32_t
#define MSG_TYPE_u64 uint64_t
#define MSG_TYPE_i64 int64_t
#define MSG_TYPE_bytes struct slice

#define MSG_FIELD(type, name) MSG_TYPE_##type name;
#define MSG_PACK(type, name) pack_##type(out, m->name);
#define MSG_UNPACK(type, name) m.name = unpack_##type(&u);

#define MSG_ENUM(name, from, to, fields) OP_##name,
#define MSG_STRUCT(name, from, to, fields)                                                         \
    struct msg_##name {                                                                            \
        fields                                                                                     \
    };                                                                                             \
    void msg_##name##_pack(struct buf *out, const struct msg_##name *m);                           \
    NODISCARD int msg_##name##_unpack(struct slice in, struct msg_##name *ret);
#define MSG_DEFINE_PACK(name, from, to, fields)                                                    \
    void msg_##name##_pack(struct buf *out, const struct msg_##name *m)                            \
    {                                                                                              \
        fields                                                                                     \
    }
#define MSG_DEFINE_UNPACK(name, from, to, fields)                                                  \
    int msg_##name##_unpack(struct slice in, struct msg_##name *ret)                               \
    {                                                                                              \
        struct unpack u = {.rest = in};                                                            \
        struct msg_##name m = {0};                                                                 \
        fields if (!unpack_ok(&u)) return -EBADMSG;                                                \
        *ret = m;                                                                                  \
        return 0;                                                                                  \
    }
#define MSG_NAME(name, from, to, fields) [OP_##name] = #name,

#define MESSAGES_DECLARE(TABLE)                                                                    \
    enum message { OP_NONE, TABLE(MSG_ENUM, MSG_FIELD) OP_COUNT };                                 \
    TABLE(MSG_STRUCT, MSG_FIELD)
#define MESSAGES_DEFINE(TABLE)                                                                     \
    TABLE(MSG_DEFINE_PACK, MSG_PACK)                                                               \
    TABLE(MSG_DEFINE_UNPACK, MSG_UNPACK)
