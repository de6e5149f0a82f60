/*
 * What the tokenizer must hear from tree construction, without a tree: a stack of namespaces, and a guard that
 * refuses what only a tree could tell. In a select, in a template inside of one, and after a frameset a browser
 * ignores tags like <xmp>; whether it is in such a place depends on everything before. Tags that turn what
 * follows into text are therefore refused there.
 */
#include "web/html_lexer_impl.h"

#include <stdlib.h>

enum { GUARD_NONE, GUARD_SELECT, GUARD_TEMPLATE, GUARD_FRAMESET };
enum { HTML_STACK_FIRST = 16 };

void html_tree_init(struct html_tree *t)
{
    t->cap = HTML_STACK_FIRST;
    t->stack = mem_new(t->cap);
    t->n = 1;
    t->ns = HTML_NS_HTML;
}

void html_tree_finish(struct html_tree *t)
{
    free(t->stack);
}

static void html_tree_enter(struct html_lexer *x, enum html_namespace ns)
{
    struct html_tree *t = &x->tree;
    if (t->n == t->cap)
        t->stack = mem_grow(t->stack, t->cap *= 2);
    t->stack[t->n++] = (unsigned char)ns;
    t->ns = ns;
    x->cdata = ns != HTML_NS_HTML;
}

static void html_tree_leave(struct html_lexer *x)
{
    struct html_tree *t = &x->tree;
    if (t->n > 1)
        t->n--;
    t->ns = t->stack[t->n - 1];
    x->cdata = t->ns != HTML_NS_HTML;
}

static bool html_guard_start(struct html_tree *t, enum html_tag tag)
{
    bool switches = (html_tag_kinds(tag) & HTML_TEXT_KINDS) != 0;
    switch (t->guard) {
    case GUARD_NONE:
        if (tag == HTML_TAG_SELECT)
            t->guard = GUARD_SELECT;
        else if (tag == HTML_TAG_FRAMESET)
            t->guard = GUARD_FRAMESET;
        return true;
    case GUARD_SELECT:
        if (tag == HTML_TAG_SELECT || tag == HTML_TAG_TEXTAREA || tag == HTML_TAG_INPUT ||
            tag == HTML_TAG_KEYGEN) {
            t->guard = GUARD_NONE;
            return true;
        }
        if (tag == HTML_TAG_TEMPLATE) {
            t->guard = GUARD_TEMPLATE;
            t->nesting = 1;
        }
        return !switches || tag == HTML_TAG_SCRIPT;
    case GUARD_TEMPLATE:
        t->nesting += tag == HTML_TAG_TEMPLATE;
        return !switches;
    default:
        return !switches || tag == HTML_TAG_NOFRAMES;
    }
}

static void html_guard_end(struct html_tree *t, enum html_tag tag)
{
    if (t->guard == GUARD_SELECT && tag == HTML_TAG_SELECT)
        t->guard = GUARD_NONE;
    else if (t->guard == GUARD_TEMPLATE && tag == HTML_TAG_TEMPLATE && --t->nesting == 0)
        t->guard = GUARD_SELECT;
}

static html_state html_tree_text(enum html_tag tag)
{
    unsigned kinds = html_tag_kinds(tag);
    if (kinds & (HTML_RCDATA | HTML_RAWTEXT))
        return html_rawtext;
    if (kinds & HTML_SCRIPT)
        return html_script;
    return kinds & HTML_PLAINTEXT ? html_plaintext : html_data;
}

static struct slice html_part(struct html_lexer *x, struct html_range r)
{
    return slice_from(x->in + r.start, r.end - r.start);
}

static bool html_has_font_attribute(struct html_lexer *x)
{
    for (size_t i = 0; i < x->token.n_attributes; i++) {
        struct slice name = html_part(x, x->token.attributes[i].name);
        if (slice_eq_nocase(name, SLICE("color")) || slice_eq_nocase(name, SLICE("size")) ||
            slice_eq_nocase(name, SLICE("face")))
            return true;
    }
    return false;
}

/* annotation-xml whose content is HTML. */
static bool html_is_html_annotation(struct html_lexer *x)
{
    for (size_t i = 0; i < x->token.n_attributes; i++) {
        struct html_attribute *a = &x->token.attributes[i];
        struct slice value = html_part(x, a->value);
        if (slice_eq_nocase(html_part(x, a->name), SLICE("encoding")) &&
            (slice_eq_nocase(value, SLICE("text/html")) ||
             slice_eq_nocase(value, SLICE("application/xhtml+xml"))))
            return true;
    }
    return false;
}

static void html_tree_foreign(struct html_lexer *x)
{
    enum html_tag tag = x->token.tag;
    unsigned kinds = html_tag_kinds(tag), point = 0;
    if (kinds & HTML_LEAVES_FOREIGN) {
        html_tree_leave(x);
        x->token.ns = x->tree.ns;
        return;
    }
    point = x->tree.ns == HTML_NS_SVG ? HTML_POINT_SVG : HTML_POINT_MATHML;
    if (kinds & point) {
        if (!x->token.self_closing)
            html_tree_enter(x, HTML_NS_HTML);
    } else if (tag == HTML_TAG_FONT) {
        if (html_has_font_attribute(x)) {
            html_tree_leave(x);
            x->token.ns = x->tree.ns;
        }
    } else if (tag == HTML_TAG_ANNOTATION_XML && x->tree.ns == HTML_NS_MATHML) {
        if (!x->token.self_closing && html_is_html_annotation(x))
            html_tree_enter(x, HTML_NS_HTML);
    }
}

int html_tree_start(struct html_lexer *x)
{
    enum html_tag tag = x->token.tag;
    if (!html_guard_start(&x->tree, tag)) {
        x->error = tag;
        return -EINVAL;
    }
    bool root = tag == HTML_TAG_SVG || tag == HTML_TAG_MATH;
    x->token.ns = tag == HTML_TAG_SVG    ? HTML_NS_SVG
                  : tag == HTML_TAG_MATH ? HTML_NS_MATHML
                                         : x->tree.ns;
    if (root && !x->token.self_closing)
        html_tree_enter(x, x->token.ns);
    else if (!root && x->tree.ns != HTML_NS_HTML)
        html_tree_foreign(x);
    else if (!root)
        x->text = html_tree_text(tag);
    return 0;
}

/* The end of content that is HTML inside of SVG or MathML. */
static bool html_tree_leaves_point(const struct html_tree *t, enum html_tag tag)
{
    if (t->n < 2)
        return false;
    if (t->stack[t->n - 2] == HTML_NS_MATHML)
        return (html_tag_kinds(tag) & HTML_POINT_MATHML) || tag == HTML_TAG_ANNOTATION_XML;
    return t->stack[t->n - 2] == HTML_NS_SVG && (html_tag_kinds(tag) & HTML_POINT_SVG);
}

void html_tree_end(struct html_lexer *x)
{
    enum html_tag tag = x->token.tag;
    struct html_tree *t = &x->tree;
    html_guard_end(t, tag);
    bool leaves;
    if (t->ns == HTML_NS_HTML)
        leaves = html_tree_leaves_point(t, tag);
    else
        leaves = tag == HTML_TAG_P || tag == HTML_TAG_BR ||
                 tag == (t->ns == HTML_NS_SVG ? HTML_TAG_SVG : HTML_TAG_MATH);
    if (leaves)
        html_tree_leave(x);
}
