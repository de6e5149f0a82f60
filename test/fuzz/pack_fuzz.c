/*
 * Reads the message by the kinds that its own bytes name, and checks that what was read, packed
 * again, is the same bytes.
 */
#include "core/pack.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_done) struct buf again = {0};
    struct unpack u = {.rest = slice_from(data, size)};
    while (u.rest.len > 0 && !u.bad) {
        uint8_t kind = unpack_u8(&u);
        pack_u8(&again, kind);
        switch (kind % 7) {
        case 0:
            pack_u8(&again, unpack_u8(&u));
            break;
        case 1:
            pack_u16(&again, unpack_u16(&u));
            break;
        case 2:
            pack_u32(&again, unpack_u32(&u));
            break;
        case 3:
            pack_u64(&again, unpack_u64(&u));
            break;
        case 4:
            pack_i64(&again, unpack_i64(&u));
            break;
        case 5:
            pack_f64(&again, unpack_f64(&u));
            break;
        default:
            pack_bytes(&again, unpack_bytes(&u));
            break;
        }
    }
    if (unpack_ok(&u))
        CHECK(slice_eq(buf_slice(&again), slice_from(data, size)));
    return 0;
}
