/* Tags and their attributes. A name, a value in quotes and what stands between are read in one go each. */
#include "web/html_lexer_impl.h"

static int html_end_tag_open(struct html_lexer *x, int c);

/* The bytes of a tag that the end of the input cut off belong to no token. */
static int html_cut(struct html_lexer *x)
{
    return html_emit_end(x, HTML_MARKUP);
}

void html_begin_tag(struct html_lexer *x, enum html_kind kind)
{
    x->token.kind = kind;
    x->token.self_closing = false;
    x->token.n_attributes = 0;
    x->part = x->pos;
}

static int html_tag_name_state(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_cut(x);
    while (!html_is_space(c) && c != '>' && c != '/') {
        if (++x->pos == x->len)
            return HTML_GO;
        c = (unsigned char)x->in[x->pos];
    }
    x->token.name = (struct html_range){x->part, x->pos};
    x->token.tag = html_tag_of(slice_from(x->in + x->part, x->pos - x->part));
    if (c == '>')
        return html_emit_tag(x);
    return html_to(x, c == '/' ? html_self_closing : html_before_attribute);
}

/* Stands on the "<", which x->start is too. */
int html_tag_open(struct html_lexer *x, int c UNUSED)
{
    if (x->pos + 1 >= x->len && !x->last)
        return -EAGAIN;
    int next = x->pos + 1 < x->len ? (unsigned char)x->in[x->pos + 1] : HTML_END;
    x->pos++;
    if (html_is_alpha(next)) {
        html_begin_tag(x, HTML_START_TAG);
        return html_again(x, html_tag_name_state);
    }
    if (next == '/')
        return html_to(x, html_end_tag_open);
    if (next == '!')
        return html_to(x, html_markup);
    if (next == '?') {
        x->part = x->pos;
        return html_to(x, html_bogus_comment);
    }
    return next == HTML_END ? html_emit_text_end(x) : html_emit_text(x, html_data);
}

static int html_end_tag_open(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (html_is_alpha(c)) {
        html_begin_tag(x, HTML_END_TAG);
        return html_again(x, html_tag_name_state);
    }
    if (c == '>') {
        x->pos++;
        x->state = html_data;
        return html_emit(x, HTML_MARKUP, x->pos);
    }
    x->part = x->pos;
    return html_again(x, html_bogus_comment);
}

int html_self_closing(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_cut(x);
    if (c != '>')
        return html_again(x, html_before_attribute);
    x->token.self_closing = true;
    return html_emit_tag(x);
}

static struct html_attribute *html_attribute(struct html_lexer *x)
{
    return x->in_attribute ? &x->token.attributes[x->token.n_attributes] : NULL;
}

static void html_end_name(struct html_lexer *x)
{
    struct html_attribute *a = html_attribute(x);
    if (a != NULL)
        a->raw = a->name = (struct html_range){x->part, x->pos};
    if (a != NULL)
        a->value = (struct html_range){x->pos, x->pos};
}

/* raw includes a closing quote. */
static void html_end_value(struct html_lexer *x, size_t raw_end)
{
    struct html_attribute *a = html_attribute(x);
    if (a != NULL) {
        a->value = (struct html_range){x->part, x->pos};
        a->raw.end = raw_end;
    }
    html_end_attribute(x);
}

static int html_unquoted(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_cut(x);
    while (!html_is_space(c) && c != '>') {
        if (++x->pos == x->len)
            return HTML_GO;
        c = (unsigned char)x->in[x->pos];
    }
    html_end_value(x, x->pos);
    return c == '>' ? html_emit_tag(x) : html_to(x, html_before_attribute);
}

static int html_quoted(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_cut(x);
    if (!html_skip_to(x, (char)x->quote))
        return HTML_GO;
    html_end_value(x, x->pos + 1);
    return html_to(x, html_before_attribute);
}

static int html_before_value(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_cut(x);
    if (html_is_space(c))
        return html_to(x, html_before_value);
    if (c == '>') {
        html_end_attribute(x);
        return html_emit_tag(x);
    }
    x->part = x->pos;
    if (c != '"' && c != '\'')
        return html_again(x, html_unquoted);
    x->quote = c;
    x->part++;
    return html_to(x, html_quoted);
}

static int html_attribute_name(struct html_lexer *x, int c);

static int html_after_name(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_cut(x);
    if (html_is_space(c))
        return html_to(x, html_after_name);
    if (c == '=')
        return html_to(x, html_before_value);
    html_end_attribute(x);
    if (c == '/')
        return html_to(x, html_self_closing);
    if (c == '>')
        return html_emit_tag(x);
    html_begin_attribute(x);
    return html_to(x, html_attribute_name);
}

static int html_attribute_name(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_cut(x);
    while (!html_is_space(c) && c != '=' && c != '/' && c != '>') {
        if (++x->pos == x->len)
            return HTML_GO;
        c = (unsigned char)x->in[x->pos];
    }
    html_end_name(x);
    return html_again(x, html_after_name);
}

int html_before_attribute(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_cut(x);
    if (html_is_space(c))
        return html_to(x, html_before_attribute);
    if (c == '/')
        return html_to(x, html_self_closing);
    if (c == '>')
        return html_emit_tag(x);
    html_begin_attribute(x);
    return html_to(x, html_attribute_name);
}
