/* The lexical side of selectors: identifiers, strings, blanks. Shared by html_css.c and html_selector.c only. */
#pragma once

#include "core/arena.h"

struct css {
    struct slice in;
    size_t pos;
    struct arena *arena;
};

/* The byte n behind the position, -1 behind the end. */
static inline int css_peek(const struct css *c, size_t n)
{
    return c->pos + n < c->in.len ? (unsigned char)c->in.ptr[c->pos + n] : -1;
}

/* Skips blanks and comments; true when there were blanks. */
bool css_space(struct css *c);
/* Comments only. */
void css_comments(struct css *c);
bool css_at_ident(const struct css *c, size_t n);
bool css_is_name(int c);
/* At an identifier, or at a name's character for a hash. -ENOMEM. */
NODISCARD int css_name(struct css *c, struct slice *ret);
/* At a quote. -EBADMSG: a line ends in it. */
NODISCARD int css_string(struct css *c, struct slice *ret);
/* a*n+b. -EBADMSG, -ENODATA: nothing there. */
NODISCARD int css_nth(struct css *c, int *ret_step, int *ret_offset);
