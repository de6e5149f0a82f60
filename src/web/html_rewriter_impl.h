/* The rewriter's state, for html_rewriter.c (the walk) and html_unit.c (the token at a stop). */
#pragma once

#include <errno.h>

#include "web/html_matcher.h"
#include "web/html_rewriter.h"

/* An attribute of a changed element: pieces of html_rewriter.memory, in the page's encoding. */
struct html_changed {
    struct html_range name, value, raw; /* raw: empty when the value was set */
};

struct html_rewriter {
    struct html_lexer *lexer;     /* owned */
    struct html_codec *codec;     /* owned */
    struct html_matcher *matcher; /* owned; NULL without selectors */
    unsigned *wants;              /* owned */
    unsigned *comments,
        *texts; /* owned: how many open elements have switched selector i's handler on */
    size_t n, n_comments, n_texts, n_elements;
    unsigned document;
    struct buf in, out;
    size_t raw; /* in `in`: what lies before it is written or dropped */
    bool last, over, emits;
    size_t n_removed; /* open elements whose content is removed */

    /* the stop */
    const struct html_token *token; /* of the lexer; NULL: get the next */
    enum html_event event;
    bool emitted, has_content, is_last, begun;
    const uint64_t *matched;
    struct slice rest; /* of a text that is given out in pieces */
    struct buf text;
    unsigned *ends; /* owned: ids of closed elements, the innermost last */
    size_t n_ends, cap_ends;

    /* changes to the token */
    bool changed, has_name, opened;
    struct buf name; /* the page's encoding */
    struct buf memory;
    struct html_changed *attributes; /* owned; valid when has_attributes */
    size_t n_attributes, cap_attributes;
    bool has_attributes;
    char cut[4]; /* an unfinished character of html_rewriter_put_bytes() */
    size_t n_cut;
};

/* html_unit.c */
void html_unit_begin(struct html_rewriter *rw);
void html_unit_write(struct html_rewriter *rw); /* the token as it is now */
