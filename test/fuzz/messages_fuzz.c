/*
 * Every message between processes: what unpacks packs to the same bytes. The first byte is the operation.
 */
#include "fuzz.h"
#include "product/messages.h"

#define CHECK_MESSAGE(name, from, to, fields)                                                      \
    case OP_##name: {                                                                              \
        struct msg_##name m;                                                                       \
        if (msg_##name##_unpack(in, &m) == 0)                                                      \
            msg_##name##_pack(&again, &m);                                                         \
        else                                                                                       \
            in = SLICE_NONE;                                                                       \
        break;                                                                                     \
    }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    AUTO(buf_done) struct buf again = {0};
    struct slice in = slice_from(data + 1, size - 1);

    CHECK(message_name(data[0]) != NULL);
    switch (data[0]) {
        MESSAGES_ALL(CHECK_MESSAGE, MSG_FIELD)
    default:
        return 0;
    }
    CHECK(slice_eq(buf_slice(&again), in));
    return 0;
}
