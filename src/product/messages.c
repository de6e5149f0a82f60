/*
 * Encoders and decoders of all messages, made from the table.
 */
#include "product/messages.h"

MESSAGES_DEFINE(MESSAGES_ALL)

const char *message_name(uint16_t op)
{
    static const char *const names[OP_COUNT] = {MESSAGES_ALL(MSG_NAME, MSG_FIELD)};
    return op < OP_COUNT && names[op] != NULL ? names[op] : "?";
}
