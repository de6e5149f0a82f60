/*
 * Which selectors match the element that begins now: selectors over the stack of open elements.
 *
 * Each selector is a chain of compounds. An open element remembers in two bit sets which compounds its children,
 * and which any of its descendants, would have to match next; so an element is tested once, against the
 * beginnings and what the elements around it left. One owner.
 */
#pragma once

#include "web/html_lexer.h"
#include "web/html_selector.h"

enum { HTML_OPEN_NONE = -1 };

/* An open element, as far as its owner needs it. */
struct html_open {
    enum html_tag tag;
    size_t name; /* of HTML_TAG_OTHER: where its name begins in the matcher's memory */
    int n_children;
    unsigned end_id;     /* the owner's: 0 = nothing to do at the end tag */
    bool remove_content; /* the owner's */
};

struct html_matcher;

/* selectors[i] is matched as number i. The selectors must outlive the matcher. esi: esi:include and esi:comment
 * have no content. */
NODISCARD struct html_matcher *html_matcher_create(struct html_complex *const *selectors, size_t n,
                                                   bool esi);
void html_matcher_destroy(struct html_matcher *m); /* accepts NULL */

/* A start tag. *ret_matched: a bit for each selector, until the next call; the element is on the stack if it can have
 * content. -ENOMEM: too many elements are open. */
NODISCARD int html_matcher_start(struct html_matcher *m, const char *in,
                                 const struct html_token *token, const uint64_t **ret_matched,
                                 bool *ret_content);
/* The open element that an end tag ends, counted from 0 = the outermost; HTML_OPEN_NONE. */
ssize_t html_matcher_find(struct html_matcher *m, enum html_tag tag, struct slice name);
/* The open elements: how many, and one of them with the selectors that it matched. */
size_t html_matcher_depth(const struct html_matcher *m);
struct html_open *html_matcher_at(struct html_matcher *m, size_t depth,
                                  const uint64_t **ret_matched);
/* Closes all from this one inwards. */
void html_matcher_close(struct html_matcher *m, size_t depth);
size_t html_matcher_words(const struct html_matcher *m); /* of a set of selectors */
