/*
 * Rewriting of a page that streams through: bytes in, bytes out, and a stop at each token that somebody asked for.
 *
 *     html_rewriter_write() → html_rewriter_run() → HTML_EVENT_… → look at the token, change it, write around it
 *                                   ↑______________________________________________________↓
 *
 * run() goes on until a handler must be called, or until the input is used up; what nobody asked for is copied to
 * the output. The stop lasts as long as its owner likes: this is what asynchronous handlers need. After a stop the
 * next run() writes the token as it then is, unless html_rewriter_emit() was called. One owner, any thread.
 */
#pragma once

#include "web/html_codec.h"
#include "web/html_lexer.h"
#include "web/html_selector.h"

enum html_event {
    HTML_EVENT_INPUT, /* all input is used up; with the last of it, the page is over */
    HTML_EVENT_ELEMENT,
    HTML_EVENT_END_TAG,
    HTML_EVENT_TEXT,
    HTML_EVENT_COMMENT,
    HTML_EVENT_DOCTYPE,
    HTML_EVENT_END,
};

/* What a selector's owner, or the document's, wants to see. */
enum {
    HTML_WANTS_ELEMENT = 1,
    HTML_WANTS_COMMENTS = 2,
    HTML_WANTS_TEXT = 4,
    HTML_WANTS_DOCTYPE = 8,
    HTML_WANTS_END = 16
};

struct html_rewriter;

struct html_rewriter_config {
    struct html_complex *const *selectors; /* borrowed for the rewriter's life */
    const unsigned *wants;                 /* of each selector; copied */
    size_t n;
    unsigned document; /* what the document's handlers want */
    bool esi;
    struct html_codec *codec; /* taken */
};

NODISCARD struct html_rewriter *html_rewriter_create(const struct html_rewriter_config *config);
void html_rewriter_destroy(struct html_rewriter *rw); /* accepts NULL */

/* More of the page; copied. last: all of it. -ENOMEM: a token is longer than the memory for one (3 MiB). */
NODISCARD int html_rewriter_write(struct html_rewriter *rw, struct slice in, bool last);
/* An html_event, or -EINVAL: ambiguous markup (html_rewriter_problem() has the sentence), -ENOMEM. */
NODISCARD int html_rewriter_run(struct html_rewriter *rw);
void html_rewriter_problem(struct html_rewriter *rw, struct buf *out);
struct buf *html_rewriter_out(
    struct html_rewriter *rw); /* what has become of the page; the owner takes from it */

/* --- during a stop --- */

/* Whether selector i's handler is to be called; the document's handlers always are. */
bool html_rewriter_active(struct html_rewriter *rw, size_t i);
/* Output counts for nothing inside of removed content. */
bool html_rewriter_emits(const struct html_rewriter *rw);
bool html_rewriter_has_content(const struct html_rewriter *rw); /* the element */
bool html_rewriter_is_last(const struct html_rewriter *rw);     /* of its text node */
const struct html_token *html_rewriter_token(const struct html_rewriter *rw);
/* A part of the token as UTF-8. */
void html_rewriter_decode(struct html_rewriter *rw, struct html_range part, struct buf *out);
struct slice html_rewriter_text(const struct html_rewriter *rw); /* the piece of text, UTF-8 */

/* Content around or instead of the token, as it is or escaped. */
void html_rewriter_put(struct html_rewriter *rw, struct slice utf8, bool html);
/* The same in pieces; characters may be cut. -EBADMSG: not UTF-8. */
NODISCARD int html_rewriter_put_bytes(struct html_rewriter *rw, struct slice bytes, bool html);
/* The token itself, now; removed: nothing of it. */
void html_rewriter_emit(struct html_rewriter *rw, bool removed);

/* What is done with the element's content and its end tag. end_id: given back at the end tag; 0: nothing. */
void html_rewriter_settle(struct html_rewriter *rw, bool remove_content, unsigned end_id);
/* At an end tag: the next id of those that it ends, from the innermost element outwards; 0: no more. */
unsigned html_rewriter_next_end(struct html_rewriter *rw);

/* Changes: UTF-8 that the caller has checked. -EILSEQ: the page's encoding lacks a character. */
NODISCARD int html_rewriter_set_name(struct html_rewriter *rw,
                                     struct slice name); /* tag's, or a comment's text */
void html_rewriter_name(struct html_rewriter *rw, struct buf *out);

/* Attributes as they now are. index counts from 0; -ENOENT behind the last. */
NODISCARD int html_rewriter_attribute(struct html_rewriter *rw, size_t index, struct buf *out_name,
                                      struct buf *out_value);
NODISCARD ssize_t html_rewriter_find(struct html_rewriter *rw,
                                     struct slice lower_name); /* its index, or -ENOENT */
NODISCARD int html_rewriter_set_attribute(struct html_rewriter *rw, struct slice lower_name,
                                          struct slice value);
void html_rewriter_remove_attribute(struct html_rewriter *rw, struct slice lower_name);
void html_rewriter_opens(struct html_rewriter *rw); /* the element gets content: no "/>" */
