/* What begins with "<!": comments, doctypes, the opening of CDATA sections. */
#include "web/html_lexer_impl.h"

static int html_comment(struct html_lexer *x, int c);
static int html_comment_end(struct html_lexer *x, int c);
static int html_comment_end_dash(struct html_lexer *x, int c);

static void html_begin_comment(struct html_lexer *x)
{
    x->part = x->pos;
    x->token.name = (struct html_range){x->pos, x->pos};
}

/* The comment's text ends before this byte, as far as is known. */
static void html_comment_mark(struct html_lexer *x)
{
    x->token.name = (struct html_range){x->part, x->pos};
}

static int html_comment_over(struct html_lexer *x)
{
    x->pos++;
    x->state = html_data;
    return html_emit(x, HTML_COMMENT, x->pos);
}

int html_bogus_comment(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c != HTML_END && !html_skip_to(x, '>'))
        return HTML_GO;
    html_comment_mark(x);
    return c == HTML_END ? html_emit_end(x, HTML_COMMENT) : html_comment_over(x);
}

static int html_comment_bang_dash_dash(struct html_lexer *x, int c UNUSED)
{
    return html_again(x, html_comment_end);
}

static int html_comment_bang_dash(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    return c == '-' ? html_to(x, html_comment_bang_dash_dash)
                    : html_again(x, html_comment_end_dash);
}

static int html_comment_bang(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    html_comment_mark(x);
    return c == '-' ? html_to(x, html_comment_bang_dash) : html_again(x, html_comment);
}

static int html_comment_less(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    html_comment_mark(x);
    if (c == '!')
        return html_to(x, html_comment_bang);
    return c == '<' ? html_to(x, html_comment_less) : html_again(x, html_comment);
}

static int html_comment_end_bang(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_end(x, HTML_COMMENT);
    if (c == '>')
        return html_comment_over(x);
    x->token.name.end += 3; /* "--!" was text */
    return c == '-' ? html_to(x, html_comment_end_dash) : html_again(x, html_comment);
}

static int html_comment_end(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_end(x, HTML_COMMENT);
    if (c == '>')
        return html_comment_over(x);
    if (c == '!')
        return html_to(x, html_comment_end_bang);
    if (c != '-')
        return html_again(x, html_comment);
    x->token.name.end++;
    return html_to(x, html_comment_end);
}

static int html_comment_end_dash(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_end(x, HTML_COMMENT);
    return c == '-' ? html_to(x, html_comment_end) : html_again(x, html_comment);
}

static int html_comment(struct html_lexer *x, int c)
{
    while (x->pos < x->len && c != '-' && c != '<') {
        if (++x->pos < x->len)
            c = (unsigned char)x->in[x->pos];
    }
    html_comment_mark(x);
    if (x->pos == x->len)
        return x->last ? html_emit_end(x, HTML_COMMENT) : -EAGAIN;
    return html_to(x, c == '-' ? html_comment_end_dash : html_comment_less);
}

static int html_comment_start_dash(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_end(x, HTML_COMMENT);
    if (c == '>')
        return html_comment_over(x);
    return c == '-' ? html_to(x, html_comment_end) : html_again(x, html_comment);
}

static int html_comment_start(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    html_begin_comment(x);
    if (c == '>')
        return html_comment_over(x);
    return c == '-' ? html_to(x, html_comment_start_dash) : html_again(x, html_comment);
}

/* --- doctype: a name, a keyword, one or two identifiers; what is wrong in between is skipped --- */

static int html_doctype_over(struct html_lexer *x)
{
    x->pos++;
    x->state = html_data;
    return html_emit(x, HTML_DOCTYPE, x->pos);
}

static int html_doctype_bogus(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_end(x, HTML_DOCTYPE);
    return html_skip_to(x, '>') ? html_doctype_over(x) : HTML_GO;
}

/* What every place between parts allows: blanks, the end. True when that was it. */
static bool html_doctype_between(struct html_lexer *x, int c, int *r)
{
    if (c == HTML_PAUSE)
        *r = -EAGAIN;
    else if (c == HTML_END)
        *r = html_emit_end(x, HTML_DOCTYPE);
    else if (c == '>')
        *r = html_doctype_over(x);
    else if (html_is_space(c))
        *r = html_to(x, x->state);
    else
        return false;
    return true;
}

static int html_doctype_after_all(struct html_lexer *x, int c)
{
    int r;
    return html_doctype_between(x, c, &r) ? r : html_to(x, html_doctype_bogus);
}

static int html_doctype_system(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c != HTML_END && c != x->quote && c != '>')
        return html_to(x, html_doctype_system);
    x->token.has_system_id = true;
    x->token.system_id = (struct html_range){x->part, x->pos};
    if (c == x->quote)
        return html_to(x, html_doctype_after_all);
    return c == '>' ? html_doctype_over(x) : html_emit_end(x, HTML_DOCTYPE);
}

static int html_doctype_quote(struct html_lexer *x, int c, html_state identifier)
{
    if (c != '"' && c != '\'')
        return html_to(x, html_doctype_bogus);
    x->quote = c;
    x->part = x->pos + 1;
    return html_to(x, identifier);
}

static int html_doctype_before_system(struct html_lexer *x, int c)
{
    int r;
    return html_doctype_between(x, c, &r) ? r : html_doctype_quote(x, c, html_doctype_system);
}

static int html_doctype_public(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c != HTML_END && c != x->quote && c != '>')
        return html_to(x, html_doctype_public);
    x->token.has_public_id = true;
    x->token.public_id = (struct html_range){x->part, x->pos};
    if (c == x->quote)
        return html_to(x, html_doctype_before_system);
    return c == '>' ? html_doctype_over(x) : html_emit_end(x, HTML_DOCTYPE);
}

static int html_doctype_before_public(struct html_lexer *x, int c)
{
    int r;
    return html_doctype_between(x, c, &r) ? r : html_doctype_quote(x, c, html_doctype_public);
}

static int html_doctype_after_name(struct html_lexer *x, int c)
{
    int r;
    if (html_doctype_between(x, c, &r))
        return r;
    r = html_word(x, "public", true);
    if (r != 0)
        return r < 0 ? r : html_again(x, html_doctype_before_public);
    r = html_word(x, "system", true);
    if (r != 0)
        return r < 0 ? r : html_again(x, html_doctype_before_system);
    return html_to(x, html_doctype_bogus);
}

static int html_doctype_name(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c != HTML_END && c != '>' && !html_is_space(c))
        return html_to(x, html_doctype_name);
    x->token.has_name = true;
    x->token.name = (struct html_range){x->part, x->pos};
    return html_again(x, html_doctype_after_name);
}

static int html_doctype(struct html_lexer *x, int c)
{
    int r;
    if (html_doctype_between(x, c, &r))
        return r;
    x->part = x->pos;
    return html_to(x, html_doctype_name);
}

/* Behind "<!". */
int html_markup(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    x->part = x->pos;
    int r = html_word(x, "--", false);
    if (r != 0)
        return r < 0 ? r : html_again(x, html_comment_start);
    r = html_word(x, "doctype", true);
    if (r > 0)
        x->token.has_name = x->token.has_public_id = x->token.has_system_id = false;
    if (r != 0)
        return r < 0 ? r : html_again(x, html_doctype);
    r = html_word(x, "[CDATA[", false);
    if (r <= 0)
        return r < 0 ? r : html_again(x, html_bogus_comment);
    if (!x->cdata)
        return html_again(x, html_bogus_comment);
    x->state = html_cdata;
    return html_emit(x, HTML_MARKUP, x->pos);
}
