/*
 * Content in which tags are text: raw text, scripts with their comments inside, plain text, CDATA sections.
 *
 * Pieces end where a "<" turned out to be one of the text: whoever looks for tags in there had to stop, too.
 */
#include "web/html_lexer_impl.h"

/* The states at whose end a chunk's text is given out rather than kept. */
static int html_pause(struct html_lexer *x, html_state state)
{
    int r = html_emit_text(x, state);
    return r == HTML_GO ? -EAGAIN : r;
}

static bool html_is_last_start(struct html_lexer *x)
{
    struct slice name = slice_from(x->in + x->part, x->pos - x->part);
    return html_tag_of(name) == x->last_start;
}

/* "</" and letters. */
static int html_raw_name(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (html_is_alpha(c))
        return html_to(x, html_raw_name);
    bool ends = html_is_space(c) || c == '/' || c == '>';
    if (!ends || !html_is_last_start(x))
        return html_emit_text(x, x->back);
    x->token.name = (struct html_range){x->part, x->pos};
    x->token.tag = x->last_start;
    if (c == '>')
        return html_emit_tag(x);
    return html_to(x, c == '/' ? html_self_closing : html_before_attribute);
}

static int html_raw_slash(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (!html_is_alpha(c))
        return html_emit_text(x, x->back);
    html_begin_tag(x, HTML_END_TAG);
    return html_to(x, html_raw_name);
}

static int html_raw_less(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    return c == '/' ? html_to(x, html_raw_slash) : html_emit_text(x, x->back);
}

/* The "<" begins a token of its own. */
static int html_less(struct html_lexer *x, html_state back, html_state next)
{
    x->back = back;
    int r = html_emit_text(x, next);
    x->pos++;
    return r;
}

int html_rawtext(struct html_lexer *x, int c)
{
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (c == HTML_PAUSE)
        return html_pause(x, html_rawtext);
    return html_skip_to(x, '<') ? html_less(x, html_rawtext, html_raw_less) : HTML_GO;
}

int html_plaintext(struct html_lexer *x, int c)
{
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (c == HTML_PAUSE)
        return html_pause(x, html_plaintext);
    x->pos = x->len;
    return HTML_GO;
}

/* --- scripts: "<!--" hides "</script>" from "<script" on --- */

static int html_escaped(struct html_lexer *x, int c);
static int html_escaped_dashes(struct html_lexer *x, int c);
static int html_twice(struct html_lexer *x, int c);

/* One of two states by whether a word is here. */
static int html_word_or(struct html_lexer *x, const char *word, html_state found,
                        html_state not_found)
{
    int r = html_word(x, word, true);
    return r < 0 ? r : html_again(x, r > 0 ? found : not_found);
}

static int html_twice_after(struct html_lexer *x, int c, html_state found, html_state not_found)
{
    if (html_is_space(c) || c == '/' || c == '>')
        return html_to(x, found);
    return html_again(x, not_found);
}

static int html_twice_start(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    return c == HTML_END ? html_emit_text_end(x) : html_twice_after(x, c, html_twice, html_escaped);
}

static int html_twice_end(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    return c == HTML_END ? html_emit_text_end(x) : html_twice_after(x, c, html_escaped, html_twice);
}

static int html_twice_end_name(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    return c == HTML_END ? html_emit_text_end(x)
                         : html_word_or(x, "script", html_twice_end, html_twice);
}

static int html_twice_less(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    return c == '/' ? html_to(x, html_twice_end_name) : html_again(x, html_twice);
}

static int html_twice_dashes(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (c == '-')
        return html_to(x, html_twice_dashes);
    if (c == '>')
        return html_emit_text(x, html_script);
    return html_to(x, c == '<' ? html_twice_less : html_twice);
}

static int html_twice(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (c == '-') {
        int r = html_word(x, "--", false);
        if (r != 0)
            return r < 0 ? r : html_again(x, html_twice_dashes);
    }
    if (c != '<')
        return html_to(x, html_twice);
    int r = html_emit_text(x, html_twice_less);
    x->pos++;
    return r;
}

static int html_escaped_less(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    int r = html_word(x, "script", true);
    if (r != 0)
        return r < 0 ? r : html_again(x, html_twice_start);
    return html_raw_less(x, c);
}

static int html_escaped_dashes(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (c == '<')
        return html_less(x, html_escaped, html_escaped_less);
    if (c == '>')
        return html_emit_text(x, html_script);
    return html_to(x, c == '-' ? html_escaped_dashes : html_escaped);
}

static int html_escaped(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (c == '-') {
        int r = html_word(x, "--", false);
        if (r != 0)
            return r < 0 ? r : html_again(x, html_escaped_dashes);
    }
    return c == '<' ? html_less(x, html_escaped, html_escaped_less) : html_to(x, html_escaped);
}

static int html_escape_start(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    int r = html_word(x, "--", false);
    if (r != 0)
        return r < 0 ? r : html_again(x, html_escaped_dashes);
    return html_emit_text(x, html_script);
}

static int html_script_less(struct html_lexer *x, int c)
{
    return c == '!' ? html_to(x, html_escape_start) : html_raw_less(x, c);
}

int html_script(struct html_lexer *x, int c)
{
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (c == HTML_PAUSE)
        return html_pause(x, html_script);
    return html_skip_to(x, '<') ? html_less(x, html_script, html_script_less) : HTML_GO;
}

/* --- CDATA --- */

static int html_cdata_bracket(struct html_lexer *x, int c)
{
    if (c == HTML_PAUSE)
        return -EAGAIN;
    if (c == HTML_END)
        return html_emit_text_end(x);
    int r = html_word(x, "]>", false);
    if (r < 0)
        return r;
    if (r == 0)
        return html_emit_text(x, html_cdata);
    x->state = html_data;
    return html_emit(x, HTML_MARKUP, x->pos);
}

int html_cdata(struct html_lexer *x, int c)
{
    if (c == HTML_END)
        return html_emit_text_end(x);
    if (c == HTML_PAUSE)
        return html_pause(x, html_cdata);
    return html_skip_to(x, ']') ? html_less(x, html_cdata, html_cdata_bracket) : HTML_GO;
}
