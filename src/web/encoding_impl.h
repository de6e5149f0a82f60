/* What the files of the old encodings share. */
#pragma once

#include "core/buf.h"

struct decoding {
    bool fatal, stream; /* stream: more bytes will come */
    uint32_t state;     /* of encodings with shifts; 0 at the start */
    uint32_t pending;   /* bytes at the end that belong to an unfinished character */
    struct buf *out;    /* UTF-8, borrowed */
};

/* encoding_own.c. -ENOENT: the encoding is not among ours. -EBADMSG: malformed, and fatal. */
NODISCARD int encoding_own_decode(struct slice encoding, struct slice in, struct decoding *d);

/* encoding_legacy.c. Those and the ones that ICU decodes; not UTF-8, UTF-16 and windows-1252. -ENOENT, -EBADMSG. */
NODISCARD int encoding_decode(struct slice encoding, struct slice in, struct decoding *d);

/* A code point as UTF-8. */
void encoding_append(struct buf *out, uint32_t c);
/* encoding.c: what windows-1252, the standard's "latin1", has for the bytes 0x80 to 0x9f. */
extern const uint16_t encoding_windows_1252[32];
