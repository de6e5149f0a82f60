#include "web/html_selector.h"

#include <errno.h>

#include "web/html_css.h"

enum { SELECTOR_DEPTH_MAX = 32 }; /* of :not() in :not() */

static const char problem_token[] = "Unexpected token in selector.";
static const char problem_end[] = "Unexpected end of selector.";
static const char problem_empty[] = "The selector is empty.";
static const char problem_dangling[] = "Dangling combinator in selector.";
static const char problem_no_name[] = "Missing attribute name in attribute selector.";
static const char problem_attribute[] = "Unexpected token in the attribute selector.";
static const char problem_pseudo[] = "Unsupported pseudo-class or pseudo-element in selector.";
static const char problem_namespace[] = "Selectors with explicit namespaces are not supported.";
static const char problem_syntax[] = "Unsupported syntax in selector.";
static const char problem_class[] = "Invalid or unescaped class name in selector.";
static const char problem_next[] = "Unsupported combinator `+` in selector.";
static const char problem_later[] = "Unsupported combinator `~` in selector.";

/* Attributes whose values compare without regard to case in HTML.
 * https://html.spec.whatwg.org/#case-sensitivity-of-selectors */
static const char selector_caseless[] = "accept accept-charset align alink axis bgcolor charset "
                                        "checked clear codetype color compact declare defer "
                                        "dir direction disabled enctype face frame hreflang "
                                        "http-equiv lang language link media method multiple "
                                        "nohref noresize noshade nowrap readonly rel rev rules "
                                        "scope scrolling selected shape target text type "
                                        "valign valuetype vlink";

struct selector_parser {
    struct css css;
    const char *problem; /* of the syntax: ends the parse */
    unsigned depth;      /* of :not() */
};

/* A compound while it is read. Parts that are understood but cannot be served are found after the whole list
 * was read, since mistakes of the syntax are reported first. */
struct selector_compound {
    struct html_condition **tail;
    bool negated, any;
    const char *unsupported;
};

static int selector_fail(struct selector_parser *p, const char *problem)
{
    p->problem = problem;
    return -EINVAL;
}

static struct html_condition *selector_add(struct selector_parser *p, struct selector_compound *to,
                                           enum html_test test)
{
    struct html_condition *c = arena_alloc(p->css.arena, sizeof *c);
    if (c == NULL)
        return NULL;
    c->test = test;
    c->negated = to->negated;
    *to->tail = c;
    to->tail = &c->next;
    to->any = true;
    return c;
}

static void selector_unsupported(struct selector_compound *c, const char *problem)
{
    c->any = true;
    if (c->unsupported == NULL)
        c->unsupported = problem;
}

static int selector_type(struct selector_parser *p, struct selector_compound *to)
{
    struct html_condition *c = selector_add(p, to, HTML_TEST_TYPE);
    if (c == NULL)
        return -ENOMEM;
    int r = css_name(&p->css, &c->name);
    c->tag = html_tag_of(c->name);
    return r;
}

/* Behind the bar of a namespace; `none`: nothing stood before it. */
static int selector_after_bar(struct selector_parser *p, struct selector_compound *to, bool none)
{
    if (css_peek(&p->css, 0) < 0)
        return 0; /* then it is as if nothing stood here */
    if (none && selector_add(p, to, HTML_TEST_NEVER) == NULL)
        return -ENOMEM;
    if (css_peek(&p->css, 0) == '*') {
        p->css.pos++;
        return selector_add(p, to, HTML_TEST_ANY) == NULL ? -ENOMEM : 0;
    }
    if (css_at_ident(&p->css, 0))
        return selector_type(p, to);
    return selector_fail(p, problem_token);
}

/* A bar that is one: "|=" is an operator. */
static bool selector_bar(struct selector_parser *p)
{
    if (css_peek(&p->css, 0) != '|' || css_peek(&p->css, 1) == '=')
        return false;
    p->css.pos++;
    return true;
}

static int selector_element(struct selector_parser *p, struct selector_compound *to)
{
    if (css_at_ident(&p->css, 0)) {
        int r = selector_type(p, to);
        if (r < 0)
            return r;
        return selector_bar(p) ? selector_fail(p, problem_namespace) : 0;
    }
    if (css_peek(&p->css, 0) == '*') {
        p->css.pos++;
        if (selector_bar(p))
            return selector_after_bar(p, to, false);
        return selector_add(p, to, HTML_TEST_ANY) == NULL ? -ENOMEM : 0;
    }
    return selector_bar(p) ? selector_after_bar(p, to, true) : 0;
}

/* --- attributes --- */

static void selector_lower(struct slice *s)
{
    char *at = (char *)(uintptr_t)s->ptr; /* our own copy in the arena */
    for (size_t i = 0; i < s->len; i++)
        at[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] | 0x20 : at[i]);
}

static bool selector_is_caseless(struct slice name)
{
    struct slice rest = slice_of(selector_caseless);
    while (rest.ptr != NULL) {
        if (slice_eq(slice_cut(&rest, ' '), name))
            return name.len > 0;
    }
    return false;
}

static bool selector_at_close(struct selector_parser *p, char close)
{
    css_space(&p->css);
    return css_peek(&p->css, 0) < 0 || css_peek(&p->css, 0) == close;
}

static int selector_attribute_name(struct selector_parser *p, struct selector_compound *to,
                                   struct slice *ret)
{
    if (selector_at_close(p, ']'))
        return selector_fail(p, problem_end);
    if (css_at_ident(&p->css, 0)) {
        int r = css_name(&p->css, ret);
        if (r < 0)
            return r;
        return selector_bar(p) ? selector_fail(p, problem_namespace) : 0;
    }
    if (css_peek(&p->css, 0) == '*') {
        p->css.pos++;
        if (!selector_bar(p))
            return selector_fail(p, css_peek(&p->css, 0) < 0 ? problem_end : problem_attribute);
        selector_unsupported(to, problem_namespace);
    } else if (!selector_bar(p)) {
        return selector_fail(p, problem_no_name);
    }
    if (!css_at_ident(&p->css, 0))
        return selector_fail(p, css_peek(&p->css, 0) < 0 ? problem_end : problem_attribute);
    return css_name(&p->css, ret);
}

static const struct {
    const char *text;
    enum html_test test;
} selector_operators[] = {
    {"=", HTML_TEST_EQUAL},   {"~=", HTML_TEST_WORD},   {"|=", HTML_TEST_DASH},
    {"^=", HTML_TEST_PREFIX}, {"$=", HTML_TEST_SUFFIX}, {"*=", HTML_TEST_SUBSTRING},
};

static int selector_operator(struct selector_parser *p, enum html_test *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(selector_operators); i++) {
        struct slice text = slice_of(selector_operators[i].text);
        if (slice_starts(slice_skip(p->css.in, p->css.pos), text)) {
            p->css.pos += text.len;
            *ret = selector_operators[i].test;
            return 0;
        }
    }
    return selector_fail(p, problem_attribute);
}

static int selector_value(struct selector_parser *p, struct html_condition *c)
{
    if (selector_at_close(p, ']'))
        return selector_fail(p, problem_end);
    int next = css_peek(&p->css, 0), r = -EBADMSG;
    if (next == '"' || next == '\'')
        r = css_string(&p->css, &c->value);
    else if (css_at_ident(&p->css, 0))
        r = css_name(&p->css, &c->value);
    return r == -EBADMSG ? selector_fail(p, problem_attribute) : r;
}

/* i or s, or nothing. */
static int selector_case(struct selector_parser *p, struct html_condition *c)
{
    c->letter_case = selector_is_caseless(c->name) ? HTML_CASE_IGNORED_IN_HTML : HTML_CASE_EXACT;
    if (selector_at_close(p, ']'))
        return 0;
    if (!css_at_ident(&p->css, 0))
        return selector_fail(p, problem_token);
    struct slice flag;
    int r = css_name(&p->css, &flag);
    if (r < 0)
        return r;
    if (slice_eq_nocase(flag, SLICE("i")))
        c->letter_case = HTML_CASE_IGNORED;
    else if (slice_eq_nocase(flag, SLICE("s")))
        c->letter_case = HTML_CASE_EXACT;
    else
        return selector_fail(p, problem_token);
    return 0;
}

static int selector_close(struct selector_parser *p, char close)
{
    if (!selector_at_close(p, close))
        return selector_fail(p, problem_token);
    p->css.pos += css_peek(&p->css, 0) == close;
    return 0;
}

/* Behind the bracket. */
static int selector_attribute(struct selector_parser *p, struct selector_compound *to)
{
    struct slice name;
    int r = selector_attribute_name(p, to, &name);
    if (r < 0)
        return r;
    selector_lower(&name);
    struct html_condition *c = selector_add(p, to, HTML_TEST_HAS);
    if (c == NULL)
        return -ENOMEM;
    c->name = name;
    if (!selector_at_close(p, ']')) {
        r = selector_operator(p, &c->test);
        if (r == 0)
            r = selector_value(p, c);
        if (r == 0)
            r = selector_case(p, c);
    }
    return r < 0 ? r : selector_close(p, ']');
}

/* --- pseudo-classes --- */

static int selector_list(struct selector_parser *p, struct selector_compound *inside,
                         struct html_complex **ret);

static const struct {
    const char *name;
    bool function;
    int test; /* an html_test; -1: upstream's parser knows it, its matcher does not */
} selector_pseudos[] = {
    {"first-child", false, HTML_TEST_NTH_CHILD},
    {"first-of-type", false, HTML_TEST_NTH_OF_TYPE},
    {"nth-child", true, HTML_TEST_NTH_CHILD},
    {"nth-of-type", true, HTML_TEST_NTH_OF_TYPE},
    {"nth-last-child", true, -1},
    {"nth-last-of-type", true, -1},
    {"last-child", false, -1},
    {"last-of-type", false, -1},
    {"only-child", false, -1},
    {"only-of-type", false, -1},
    {"root", false, -1},
    {"empty", false, -1},
    {"scope", false, -1},
    {"host", false, -1},
};

static int selector_nth(struct selector_parser *p, struct selector_compound *to, int test,
                        bool function)
{
    int step = 0, offset = 1;
    if (function) {
        int r = css_nth(&p->css, &step, &offset);
        if (r < 0)
            return selector_fail(p, r == -ENODATA ? problem_end : problem_token);
        r = selector_close(p, ')');
        if (r < 0)
            return r;
    }
    if (test < 0) {
        selector_unsupported(to, problem_pseudo);
        return 0;
    }
    struct html_condition *c = selector_add(p, to, (enum html_test)test);
    if (c == NULL)
        return -ENOMEM;
    c->step = step;
    c->offset = offset;
    return 0;
}

/* Everything in the list must fail. */
static int selector_not(struct selector_parser *p, struct selector_compound *to)
{
    if (++p->depth > SELECTOR_DEPTH_MAX)
        return selector_fail(p, problem_pseudo);
    to->negated = !to->negated;
    int r = selector_list(p, to, NULL);
    to->negated = !to->negated;
    to->any = true;
    p->depth--;
    return r < 0 ? r : selector_close(p, ')');
}

/* Behind the colon. */
static int selector_pseudo(struct selector_parser *p, struct selector_compound *to)
{
    bool element = css_peek(&p->css, 0) == ':';
    p->css.pos += element;
    if (css_peek(&p->css, 0) < 0)
        return selector_fail(p, problem_end);
    if (element || !css_at_ident(&p->css, 0))
        return selector_fail(p, element && p->depth > 0 ? problem_syntax : problem_pseudo);
    struct slice name;
    int r = css_name(&p->css, &name);
    if (r < 0)
        return r;
    bool function = css_peek(&p->css, 0) == '(';
    p->css.pos += function;
    if (function && slice_eq_nocase(name, SLICE("not")))
        return selector_not(p, to);
    for (size_t i = 0; i < ARRAY_LEN(selector_pseudos); i++) {
        if (selector_pseudos[i].function == function &&
            slice_eq_nocase(name, slice_of(selector_pseudos[i].name)))
            return selector_nth(p, to, selector_pseudos[i].test, function);
    }
    return selector_fail(p, problem_pseudo);
}

/* --- compounds and lists --- */

static int selector_named(struct selector_parser *p, struct selector_compound *to,
                          enum html_test test)
{
    p->css.pos++;
    struct html_condition *c = selector_add(p, to, test);
    return c == NULL ? -ENOMEM : css_name(&p->css, &c->name);
}

/* 1: one more part was read; 0: there is none. */
static int selector_part(struct selector_parser *p, struct selector_compound *to)
{
    struct css *css = &p->css;
    int c = css_peek(css, 0), r;
    css_comments(css);
    c = css_peek(css, 0);
    if (c == '#' && css_at_ident(css, 1)) {
        r = selector_named(p, to, HTML_TEST_ID);
    } else if (c == '.' && !(css_peek(css, 1) >= '0' && css_peek(css, 1) <= '9')) {
        if (css_peek(css, 1) < 0)
            return selector_fail(p, problem_end);
        if (!css_at_ident(css, 1))
            return selector_fail(p, problem_class);
        r = selector_named(p, to, HTML_TEST_CLASS);
    } else if (c == '[') {
        css->pos++;
        r = selector_attribute(p, to);
    } else if (c == ':') {
        css->pos++;
        r = selector_pseudo(p, to);
    } else {
        return 0;
    }
    return r < 0 ? r : 1;
}

static int selector_compound(struct selector_parser *p, struct selector_compound *to)
{
    css_space(&p->css);
    int r = selector_element(p, to);
    for (bool more = true; r >= 0 && more;) {
        r = selector_part(p, to);
        more = r > 0;
    }
    return MIN(r, 0);
}

/* ' ', '>', '+', '~', or 0: no further compound. */
static char selector_combinator(struct selector_parser *p)
{
    bool blank = css_space(&p->css);
    int c = css_peek(&p->css, 0);
    if (c == '>' || c == '+' || c == '~') {
        p->css.pos++;
        return (char)c;
    }
    return blank && c >= 0 && c != ',' && c != ')' ? ' ' : 0;
}

/* The problem that is found first from the right. */
static const char *selector_worse(const char *compound, char combinator, const char *before)
{
    if (compound != NULL)
        return compound;
    if (combinator == '+')
        return problem_next;
    return combinator == '~' ? problem_later : before;
}

/* One of a list; inside :not() its conditions go to the compound around. */
static int selector_complex(struct selector_parser *p, struct selector_compound *inside,
                            struct html_complex *ret, const char **ret_unsupported)
{
    struct html_compound **tail = ret == NULL ? NULL : &ret->first;
    const char *unsupported = NULL;
    char combinator = 0;
    bool combined = false;
    do {
        struct html_compound *compound = arena_alloc(p->css.arena, sizeof *compound);
        if (compound == NULL)
            return -ENOMEM;
        struct selector_compound to = {.tail = &compound->conditions};
        if (inside != NULL) {
            to.tail = inside->tail;
            to.negated = inside->negated;
        }
        int r = selector_compound(p, &to);
        if (r < 0)
            return r;
        if (!to.any)
            return selector_fail(p, combined ? problem_dangling : problem_empty);
        if (inside != NULL)
            inside->tail = to.tail;
        else
            *tail = compound, tail = &compound->next;
        compound->child = combinator == '>';
        unsupported = selector_worse(to.unsupported, combinator, unsupported);
        combinator = selector_combinator(p);
        combined = combined || combinator != 0;
    } while (combinator != 0);
    if (inside != NULL && combined)
        unsupported = problem_pseudo;
    *ret_unsupported = unsupported;
    return 0;
}

static bool selector_comma(struct selector_parser *p)
{
    css_space(&p->css);
    if (css_peek(&p->css, 0) != ',')
        return false;
    p->css.pos++;
    return true;
}

/* ret is NULL within :not(). */
static int selector_list(struct selector_parser *p, struct selector_compound *inside,
                         struct html_complex **ret)
{
    const char *unsupported = NULL;
    do {
        struct html_complex *one = arena_alloc(p->css.arena, sizeof *one);
        const char *problem = NULL;
        if (one == NULL)
            return -ENOMEM;
        int r = selector_complex(p, inside, one, &problem);
        if (r < 0)
            return r;
        unsupported = unsupported == NULL ? problem : unsupported;
        if (ret != NULL)
            *ret = one, ret = &one->next;
    } while (selector_comma(p));
    if (inside != NULL) {
        if (unsupported != NULL)
            selector_unsupported(inside, unsupported);
        return 0;
    }
    if (css_peek(&p->css, 0) >= 0)
        return selector_fail(p, problem_token);
    return unsupported == NULL ? 0 : selector_fail(p, unsupported);
}

int html_selector_parse(struct slice text, struct arena *arena, struct html_complex **ret,
                        const char **ret_problem)
{
    struct selector_parser p = {.css = {text, 0, arena}};
    struct html_complex *first = NULL;
    int r = selector_list(&p, NULL, &first);
    if (r == 0)
        *ret = first;
    else if (r == -EINVAL)
        *ret_problem = p.problem;
    return r;
}
