/*
 * The character encoding of a page: its text as UTF-8, and UTF-8 as its bytes.
 *
 * Text nodes are decoded piece by piece: a character may be cut by the boundary of two chunks. One owner.
 */
#pragma once

#include "core/buf.h"

struct html_codec;

/* name: as the Encoding Standard writes it, in lower case. -EINVAL: its bytes below 0x80 are not ASCII, so that no
 * tag can be found in it. -ENOENT: none of ours. */
NODISCARD int html_codec_open(struct slice name, struct html_codec **ret);
void html_codec_close(struct html_codec *c); /* accepts NULL */

/* Names, values, comments: whole, what is malformed becomes U+FFFD. */
void html_codec_decode(struct html_codec *c, struct slice in, struct buf *out);
/* The next piece of a text node: takes some bytes off `in`. last: the node ends behind them. 1: a piece is in out
 * (which may be empty when it is the last); 0: nothing is left. Pieces end where upstream's end. */
int html_codec_text(struct html_codec *c, struct slice *in, bool last, struct buf *out);
/* A node has begun and has not ended. */
bool html_codec_in_text(const struct html_codec *c);

/* How many bytes are whole characters of UTF-8, when what follows may be the beginning of one more; -EBADMSG otherwise. */
NODISCARD ssize_t html_codec_valid(struct slice utf8);
/* What the encoding lacks becomes a character reference. */
void html_codec_encode(struct html_codec *c, struct slice utf8, struct buf *out);
/* -EILSEQ instead. */
NODISCARD int html_codec_encode_strict(struct html_codec *c, struct slice utf8, struct buf *out);
