/* What the lexer's files share: its state, the steps of states, how tokens are begun and ended. */
#pragma once

#include <errno.h>

#include "web/html_lexer.h"

/* What a state gets instead of a byte when the input is over, or when only this chunk of it is. */
enum { HTML_END = 256, HTML_PAUSE = 257 };

/* Steps: go on; one token is ready (1); more bytes are needed (-EAGAIN). */
enum { HTML_GO = 0, HTML_TOKEN = 1 };

struct html_lexer;
typedef int (*html_state)(struct html_lexer *x, int c);

/* tree.c: what tree construction would know. */
struct html_tree {
    unsigned char *stack; /* of enum html_namespace, owned */
    size_t n, cap;
    enum html_namespace ns;
    int guard;      /* enum of html_tree.c */
    size_t nesting; /* templates within a select */
};

struct html_lexer {
    const char *in;         /* borrowed */
    size_t len, pos, start; /* start: of the token being read */
    bool last, cdata;
    html_state state, text; /* text: the state for the content that follows a tag */
    html_state back;        /* where "<" goes on that turned out to be text */
    size_t part;            /* where a name, a value, a comment's text begins */
    int quote;
    enum html_tag last_start; /* whose end tag ends raw text */
    enum html_tag error;
    struct html_tree tree;
    struct html_token token; /* attributes: owned here */
    size_t cap_attributes;
    bool in_attribute;
};

static inline bool html_is_space(int c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

static inline bool html_is_alpha(int c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < HTML_END;
}

/* Goes to a state behind this byte, or with it. */
static inline int html_to(struct html_lexer *x, html_state state)
{
    x->pos++;
    x->state = state;
    return HTML_GO;
}

static inline int html_again(struct html_lexer *x, html_state state)
{
    x->state = state;
    return HTML_GO;
}

/* The token that begins at x->start ends before `end`. */
static inline int html_emit(struct html_lexer *x, enum html_kind kind, size_t end)
{
    x->token.kind = kind;
    x->token.raw = (struct html_range){x->start, end};
    x->start = end;
    return HTML_TOKEN;
}

/* html_lexer.c */
/* The text before this byte as a token, if there is any, then `state`, which sees the byte again. */
int html_emit_text(struct html_lexer *x, html_state state);
/* The last text, if there is any, then the end of all. */
int html_emit_text_end(struct html_lexer *x);
/* What is there of `kind`, then the end. */
int html_emit_end(struct html_lexer *x, enum html_kind kind);
/* 1: the word is here and was skipped; 0: it is not; -EAGAIN: that depends on bytes to come. */
int html_word(struct html_lexer *x, const char *word, bool any_case);
/* Up to this byte, not included, or to the end of the input. */
bool html_skip_to(struct html_lexer *x, char c);
void html_begin_attribute(struct html_lexer *x);
void html_end_attribute(struct html_lexer *x);
int html_emit_tag(struct html_lexer *x);
void html_begin_tag(struct html_lexer *x, enum html_kind kind);

int html_data(struct html_lexer *x, int c);

/* html_lexer_tag.c */
int html_tag_open(struct html_lexer *x, int c);
int html_before_attribute(struct html_lexer *x, int c);
int html_self_closing(struct html_lexer *x, int c);

/* html_lexer_text.c */
int html_rawtext(struct html_lexer *x, int c);
int html_script(struct html_lexer *x, int c);
int html_plaintext(struct html_lexer *x, int c);
int html_cdata(struct html_lexer *x, int c);

/* html_lexer_markup.c */
int html_markup(struct html_lexer *x, int c);
int html_bogus_comment(struct html_lexer *x, int c);

/* html_tree.c */
void html_tree_init(struct html_tree *t);
void html_tree_finish(struct html_tree *t);
/* The content's state follows from x->token, a tag with all its attributes. -EINVAL: ambiguous. */
NODISCARD int html_tree_start(struct html_lexer *x);
void html_tree_end(struct html_lexer *x);
