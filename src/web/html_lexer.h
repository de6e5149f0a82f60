/*
 * The HTML syntax as a stream of tokens: bytes in, one token at a time out, over any boundaries of chunks.
 *
 * The tokens cover the input without gaps, and character references stay as they are written: who copies every
 * token's bytes gets the input back. What a browser's tree construction tells its tokenizer (raw text, scripts,
 * CDATA in SVG and MathML) is followed without a tree; where that is impossible, html_lexer_next() fails rather
 * than guess, since a guess lets scripts past whoever rewrites the page.
 * https://html.spec.whatwg.org/#tokenization. One owner, any thread.
 */
#pragma once

#include "core/buf.h"
#include "web/html_tag.h"

enum html_kind {
    HTML_NONE,
    HTML_TEXT,
    HTML_START_TAG,
    HTML_END_TAG,
    HTML_COMMENT,
    HTML_DOCTYPE,
    HTML_MARKUP, /* belongs to nothing else: "</>", the brackets of CDATA, a tag that the end cut off */
    HTML_EOF, /* empty; the last */
};

enum html_namespace { HTML_NS_HTML, HTML_NS_SVG, HTML_NS_MATHML };

struct html_range {
    size_t start, end; /* offsets in the lexer's input */
};

struct html_attribute {
    struct html_range name, value, raw;
};

struct html_token {
    enum html_kind kind;
    struct html_range raw;
    struct html_range name; /* of a tag or a doctype; a comment's text */
    enum html_tag tag;
    enum html_namespace ns; /* of a start tag */
    bool self_closing;
    bool has_name, has_public_id, has_system_id; /* of a doctype */
    struct html_range public_id, system_id;
    struct html_attribute *attributes; /* of a start tag; until the next call */
    size_t n_attributes;
};

struct html_lexer;

NODISCARD struct html_lexer *html_lexer_create(void);
void html_lexer_destroy(struct html_lexer *x); /* accepts NULL */

/* The input is what was not consumed yet, with more behind; it may lie elsewhere each time. Offsets of tokens
 * count from its beginning. last: nothing will follow. */
void html_lexer_input(struct html_lexer *x, struct slice in, bool last);
/* 1: a token. 0: the input is used up, but html_lexer_consumed() says from where on it is needed again.
 * -EINVAL: html_lexer_error() says what makes the page ambiguous. */
NODISCARD int html_lexer_next(struct html_lexer *x, const struct html_token **ret);
/* The tokens so far end here; the next html_lexer_input() begins with this byte. */
size_t html_lexer_consumed(struct html_lexer *x);
/* The tag that must not be here. */
enum html_tag html_lexer_error(const struct html_lexer *x);
