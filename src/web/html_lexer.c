#include "web/html_lexer_impl.h"

#include <stdlib.h>
#include <strings.h>

enum { HTML_ATTRIBUTES_FIRST = 16 };

struct html_lexer *html_lexer_create(void)
{
    struct html_lexer *x = mem_new(sizeof *x);
    x->state = x->text = html_data;
    html_tree_init(&x->tree);
    return x;
}

void html_lexer_destroy(struct html_lexer *x)
{
    if (x == NULL)
        return;
    html_tree_finish(&x->tree);
    free(x->token.attributes);
    free(x);
}

static void html_shift(struct html_range *r, size_t by)
{
    r->start -= MIN(by, r->start);
    r->end -= MIN(by, r->end);
}

/* The ranges of an unfinished token move with the bytes that the caller drops. */
void html_lexer_input(struct html_lexer *x, struct slice in, bool last)
{
    size_t by = x->start;
    struct html_token *t = &x->token;
    html_shift(&t->name, by);
    html_shift(&t->public_id, by);
    html_shift(&t->system_id, by);
    for (size_t i = 0; i < t->n_attributes + x->in_attribute; i++) {
        html_shift(&t->attributes[i].name, by);
        html_shift(&t->attributes[i].value, by);
        html_shift(&t->attributes[i].raw, by);
    }
    x->part -= MIN(by, x->part);
    x->pos -= by;
    x->start = 0;
    x->in = in.ptr;
    x->len = in.len;
    x->last = last;
    CHECK(x->pos <= x->len);
}

size_t html_lexer_consumed(struct html_lexer *x)
{
    return x->start;
}

enum html_tag html_lexer_error(const struct html_lexer *x)
{
    return x->error;
}

int html_lexer_next(struct html_lexer *x, const struct html_token **ret)
{
    int r = HTML_GO;
    while (r == HTML_GO) {
        int c = HTML_PAUSE;
        if (x->pos < x->len)
            c = (unsigned char)x->in[x->pos];
        else if (x->last)
            c = HTML_END;
        r = x->state(x, c);
    }
    if (r == -EAGAIN)
        return 0;
    *ret = &x->token;
    return r;
}

static int html_over(struct html_lexer *x UNUSED, int c UNUSED)
{
    return -EAGAIN;
}

static int html_end(struct html_lexer *x, int c UNUSED)
{
    x->state = html_over;
    return html_emit(x, HTML_EOF, x->start);
}

int html_emit_text(struct html_lexer *x, html_state state)
{
    x->state = state;
    return x->pos > x->start ? html_emit(x, HTML_TEXT, x->pos) : HTML_GO;
}

int html_emit_text_end(struct html_lexer *x)
{
    return html_emit_text(x, html_end);
}

int html_emit_end(struct html_lexer *x, enum html_kind kind)
{
    x->state = html_end;
    return html_emit(x, kind, x->len);
}

int html_word(struct html_lexer *x, const char *word, bool any_case)
{
    size_t n = strlen(word), there = MIN(n, x->len - x->pos);
    const char *at = x->in + x->pos;
    int differs = any_case ? strncasecmp(at, word, there) : memcmp(at, word, there);
    if (there == 0 || differs != 0)
        return 0;
    if (there < n)
        return x->last ? 0 : -EAGAIN;
    x->pos += n;
    return 1;
}

bool html_skip_to(struct html_lexer *x, char c)
{
    const char *found = x->pos < x->len ? memchr(x->in + x->pos, c, x->len - x->pos) : NULL;
    x->pos = found == NULL ? x->len : (size_t)(found - x->in);
    return found != NULL;
}

void html_begin_attribute(struct html_lexer *x)
{
    x->part = x->pos;
    if (x->token.kind != HTML_START_TAG)
        return;
    if (x->token.n_attributes == x->cap_attributes) {
        x->cap_attributes = MAX(HTML_ATTRIBUTES_FIRST, x->cap_attributes * 2);
        x->token.attributes =
            mem_grow(x->token.attributes, x->cap_attributes * sizeof *x->token.attributes);
    }
    x->token.attributes[x->token.n_attributes] = (struct html_attribute){0};
    x->in_attribute = true;
}

void html_end_attribute(struct html_lexer *x)
{
    if (x->in_attribute)
        x->token.n_attributes++;
    x->in_attribute = false;
}

/* This byte ends the tag. */
int html_emit_tag(struct html_lexer *x)
{
    x->pos++;
    x->text = html_data;
    if (x->token.kind == HTML_START_TAG) {
        if (html_tree_start(x) < 0)
            return -EINVAL;
        x->last_start = x->token.tag;
    } else {
        html_tree_end(x);
    }
    x->state = x->text;
    return html_emit(x, x->token.kind, x->pos);
}

int html_data(struct html_lexer *x, int c)
{
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (c == HTML_PAUSE) {
        int r = html_emit_text(x, html_data);
        return r == HTML_GO ? -EAGAIN : r;
    }
    if (!html_skip_to(x, '<'))
        return HTML_GO;
    return html_emit_text(x, html_tag_open);
}
