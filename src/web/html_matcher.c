#include "web/html_matcher.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

enum { MATCHER_MEMORY_MAX = 3 * 1024 * 1024 }; /* of the stack: what upstream's may take */
enum { MATCHER_STACK_FIRST = 32, MATCHER_BUCKETS = 256 };

/* A compound of some selector. */
struct matcher_step {
    const struct html_condition *conditions;
    ssize_t next; /* the compound after it; -1: the selector has matched */
    bool next_child;
    unsigned selector;
};

/* How many children of a type an open element has had. */
struct matcher_count {
    size_t depth; /* of the children */
    enum html_tag tag;
    size_t name, name_len;
    int n;
};

struct html_matcher {
    struct matcher_step *steps; /* owned */
    size_t n_steps, *firsts, n_firsts;
    size_t step_words, words,
        stride; /* of a set of steps, of selectors, of both kinds of an element */
    bool esi, counts_types;
    struct html_open *stack; /* owned */
    uint64_t *sets;          /* of each open element: for children, for descendants, matched */
    size_t n, cap;
    struct buf names, type_names;
    struct matcher_count *counts;
    size_t n_counts, cap_counts;
    int n_children; /* of the document */
    unsigned open
        [MATCHER_BUCKETS]; /* open elements by a hash of their names: most stray end tags end here */
    uint64_t *next;        /* sets of the element that begins now */
};

/* What a condition looks at. */
struct matcher_element {
    const char *in;
    const struct html_token *token;
    struct slice name;
    int nth, nth_of_type;
};

/* --- building --- */

static size_t matcher_n_steps(struct html_complex *const *selectors, size_t n, size_t *ret_firsts)
{
    size_t steps = 0;
    for (size_t i = 0; i < n; i++) {
        for (const struct html_complex *one = selectors[i]; one != NULL; one = one->next) {
            ++*ret_firsts;
            for (const struct html_compound *c = one->first; c != NULL; c = c->next)
                steps++;
        }
    }
    return steps;
}

static void matcher_add(struct html_matcher *m, const struct html_complex *one, unsigned selector)
{
    m->firsts[m->n_firsts++] = m->n_steps;
    for (const struct html_compound *c = one->first; c != NULL; c = c->next) {
        struct matcher_step *step = &m->steps[m->n_steps++];
        step->conditions = c->conditions;
        step->selector = selector;
        step->next = c->next == NULL ? -1 : (ssize_t)m->n_steps;
        step->next_child = c->next != NULL && c->next->child;
        for (const struct html_condition *t = c->conditions; t != NULL; t = t->next)
            m->counts_types = m->counts_types || t->test == HTML_TEST_NTH_OF_TYPE;
    }
}

struct html_matcher *html_matcher_create(struct html_complex *const *selectors, size_t n, bool esi)
{
    struct html_matcher *m = mem_new(sizeof *m);
    size_t n_firsts = 0, n_steps = matcher_n_steps(selectors, n, &n_firsts);
    m->steps = mem_new(MAX(n_steps, (size_t)1) * sizeof *m->steps);
    m->firsts = mem_new(MAX(n_firsts, (size_t)1) * sizeof *m->firsts);
    for (size_t i = 0; i < n; i++) {
        for (const struct html_complex *one = selectors[i]; one != NULL; one = one->next)
            matcher_add(m, one, (unsigned)i);
    }
    m->esi = esi;
    m->step_words = (n_steps + 63) / 64;
    m->words = (n + 63) / 64;
    m->stride = 2 * m->step_words + m->words;
    m->next = mem_new(MAX(m->stride, (size_t)1) * sizeof *m->next);
    return m;
}

void html_matcher_destroy(struct html_matcher *m)
{
    if (m == NULL)
        return;
    free(m->steps);
    free(m->firsts);
    free(m->stack);
    free(m->sets);
    free(m->counts);
    free(m->next);
    buf_done(&m->names);
    buf_done(&m->type_names);
    free(m);
}

/* --- conditions --- */

static struct slice matcher_part(const struct matcher_element *e, struct html_range r)
{
    return slice_from(e->in + r.start, r.end - r.start);
}

static bool matcher_attribute(const struct matcher_element *e, struct slice name, struct slice *ret)
{
    for (size_t i = 0; i < e->token->n_attributes; i++) {
        struct slice at = matcher_part(e, e->token->attributes[i].name);
        if (at.len == name.len && slice_eq_nocase(at, name)) {
            *ret = matcher_part(e, e->token->attributes[i].value);
            return true;
        }
    }
    return false;
}

static bool matcher_equal(struct slice a, struct slice b, bool any_case)
{
    return any_case ? slice_eq_nocase(a, b) : slice_eq(a, b);
}

static bool matcher_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f';
}

static bool matcher_word(struct slice value, struct slice word, bool any_case)
{
    size_t start = 0;
    for (size_t i = 0; i <= value.len; i++) {
        if (i < value.len && !matcher_is_space(value.ptr[i]))
            continue;
        if (matcher_equal((struct slice){value.ptr + start, i - start}, word, any_case))
            return true;
        start = i + 1;
    }
    return false;
}

static bool matcher_substring(struct slice value, struct slice part, bool any_case)
{
    for (size_t i = 0; i + part.len <= value.len; i++) {
        if (matcher_equal((struct slice){value.ptr + i, part.len}, part, any_case))
            return true;
    }
    return false;
}

static bool matcher_value(const struct html_condition *c, struct slice value, bool any_case)
{
    struct slice wanted = c->value;
    struct slice first = {value.ptr, MIN(value.len, wanted.len)};
    bool parts = c->test == HTML_TEST_PREFIX || c->test == HTML_TEST_SUFFIX ||
                 c->test == HTML_TEST_SUBSTRING;
    if (parts && wanted.len == 0)
        return false; /* of every value, so the standard says: of none */
    switch (c->test) {
    case HTML_TEST_EQUAL:
        return matcher_equal(value, wanted, any_case);
    case HTML_TEST_WORD:
        return matcher_word(value, wanted, any_case);
    case HTML_TEST_DASH:
        return matcher_equal(first, wanted, any_case) &&
               (value.len == wanted.len || value.ptr[wanted.len] == '-');
    case HTML_TEST_PREFIX:
        return matcher_equal(first, wanted, any_case);
    case HTML_TEST_SUFFIX:
        return value.len >= wanted.len &&
               matcher_equal(slice_skip(value, value.len - wanted.len), wanted, any_case);
    default:
        return matcher_substring(value, wanted, any_case);
    }
}

static bool matcher_nth(const struct html_condition *c, int index)
{
    int64_t distance = (int64_t)index - c->offset;
    if (c->step == 0)
        return distance == 0;
    return distance % c->step == 0 && distance / c->step >= 0;
}

static bool matcher_test(const struct html_condition *c, const struct matcher_element *e)
{
    struct slice value;
    switch (c->test) {
    case HTML_TEST_ANY:
        return true;
    case HTML_TEST_NEVER:
        return false;
    case HTML_TEST_TYPE:
        return c->tag == e->token->tag &&
               (c->tag != HTML_TAG_OTHER || slice_eq_nocase(c->name, e->name));
    case HTML_TEST_NTH_CHILD:
        return matcher_nth(c, e->nth);
    case HTML_TEST_NTH_OF_TYPE:
        return matcher_nth(c, e->nth_of_type);
    case HTML_TEST_ID:
        return matcher_attribute(e, SLICE("id"), &value) && slice_eq(value, c->name);
    case HTML_TEST_CLASS:
        return matcher_attribute(e, SLICE("class"), &value) && matcher_word(value, c->name, false);
    case HTML_TEST_HAS:
        return matcher_attribute(e, c->name, &value);
    default: {
        bool html = e->token->ns == HTML_NS_HTML;
        bool any_case = c->letter_case == HTML_CASE_IGNORED ||
                        (c->letter_case == HTML_CASE_IGNORED_IN_HTML && html);
        return matcher_attribute(e, c->name, &value) && matcher_value(c, value, any_case);
    }
    }
}

static bool matcher_conditions(const struct html_condition *c, const struct matcher_element *e)
{
    for (; c != NULL; c = c->next) {
        if (matcher_test(c, e) == c->negated)
            return false;
    }
    return true;
}

/* --- counting --- */

static struct slice matcher_count_name(struct html_matcher *m, const struct matcher_count *c)
{
    return slice_from(buf_slice(&m->type_names).ptr + c->name, c->name_len);
}

/* One more child of its type; the counts of this depth are the last ones. */
static int matcher_count_type(struct html_matcher *m, enum html_tag tag, struct slice name)
{
    for (size_t i = m->n_counts; i > 0 && m->counts[i - 1].depth == m->n; i--) {
        struct matcher_count *c = &m->counts[i - 1];
        if (c->tag == tag &&
            (tag != HTML_TAG_OTHER || slice_eq_nocase(matcher_count_name(m, c), name)))
            return ++c->n;
    }
    if (m->n_counts == m->cap_counts) {
        m->cap_counts = MAX((size_t)MATCHER_STACK_FIRST, m->cap_counts * 2);
        m->counts = mem_grow(m->counts, m->cap_counts * sizeof *m->counts);
    }
    m->counts[m->n_counts++] =
        (struct matcher_count){.depth = m->n,
                               .tag = tag,
                               .name = buf_len(&m->type_names),
                               .name_len = tag == HTML_TAG_OTHER ? name.len : 0,
                               .n = 1};
    if (tag == HTML_TAG_OTHER)
        buf_append_slice(&m->type_names, name);
    return 1;
}

/* Counts of children whose parent is closed. */
static void matcher_uncount(struct html_matcher *m, size_t depth)
{
    while (m->n_counts > 0 && m->counts[m->n_counts - 1].depth > depth) {
        m->n_counts--;
        m->type_names.end = m->type_names.start + m->counts[m->n_counts].name;
    }
}

/* --- the stack --- */

static unsigned matcher_bucket(enum html_tag tag, struct slice name)
{
    unsigned hash = 0;
    if (tag != HTML_TAG_OTHER)
        return (unsigned)tag % MATCHER_BUCKETS;
    for (size_t i = 0; i < name.len; i++)
        hash = hash * 31 + ((unsigned char)name.ptr[i] | 0x20);
    return hash % MATCHER_BUCKETS;
}

static struct slice matcher_name(struct html_matcher *m, size_t depth)
{
    size_t end = depth + 1 < m->n ? m->stack[depth + 1].name : buf_len(&m->names);
    if (end == m->stack[depth].name)
        return SLICE_NONE;
    return slice_from(buf_slice(&m->names).ptr + m->stack[depth].name, end - m->stack[depth].name);
}

static int matcher_push(struct html_matcher *m, const struct matcher_element *e)
{
    size_t each = sizeof *m->stack + m->stride * sizeof *m->sets;
    if ((m->n + 1) * each + buf_len(&m->names) + e->name.len + m->n_counts * sizeof *m->counts +
            buf_len(&m->type_names) >
        MATCHER_MEMORY_MAX)
        return -ENOMEM;
    if (m->n == m->cap) {
        m->cap = MAX((size_t)MATCHER_STACK_FIRST, m->cap * 2);
        m->stack = mem_grow(m->stack, m->cap * sizeof *m->stack);
        m->sets = mem_grow(m->sets, m->cap * MAX(m->stride, (size_t)1) * sizeof *m->sets);
    }
    m->stack[m->n] = (struct html_open){.tag = e->token->tag, .name = buf_len(&m->names)};
    if (e->token->tag == HTML_TAG_OTHER)
        buf_append_slice(&m->names, e->name);
    memcpy(m->sets + m->n * m->stride, m->next, m->stride * sizeof *m->sets);
    m->open[matcher_bucket(e->token->tag, e->name)]++;
    m->n++;
    return 0;
}

static void matcher_try(struct html_matcher *m, size_t at, const struct matcher_element *e)
{
    const struct matcher_step *step = &m->steps[at];
    if (!matcher_conditions(step->conditions, e))
        return;
    if (step->next < 0) {
        m->next[2 * m->step_words + step->selector / 64] |= 1ull << (step->selector % 64);
        return;
    }
    size_t next = (size_t)step->next;
    m->next[(step->next_child ? 0 : m->step_words) + next / 64] |= 1ull << (next % 64);
}

/* What the elements around have left to be matched. */
static void matcher_try_set(struct html_matcher *m, const uint64_t *set,
                            const struct matcher_element *e)
{
    for (size_t w = 0; w < m->step_words; w++) {
        for (uint64_t bits = set[w] | set[m->step_words + w]; bits != 0; bits &= bits - 1)
            matcher_try(m, w * 64 + (size_t)__builtin_ctzll(bits), e);
    }
}

static void matcher_run(struct html_matcher *m, const struct matcher_element *e)
{
    memset(m->next, 0, m->stride * sizeof *m->next);
    if (m->n > 0) {
        const uint64_t *parent = m->sets + (m->n - 1) * m->stride;
        memcpy(m->next + m->step_words, parent + m->step_words, m->step_words * sizeof *m->next);
        matcher_try_set(m, parent, e);
    }
    for (size_t i = 0; i < m->n_firsts; i++)
        matcher_try(m, m->firsts[i], e);
}

static bool matcher_has_content(const struct html_matcher *m, const struct matcher_element *e)
{
    if (e->token->ns != HTML_NS_HTML)
        return !e->token->self_closing;
    if (html_tag_kinds(e->token->tag) & HTML_VOID)
        return false;
    return !m->esi || (!slice_eq_nocase(e->name, SLICE("esi:include")) &&
                       !slice_eq_nocase(e->name, SLICE("esi:comment")));
}

int html_matcher_start(struct html_matcher *m, const char *in, const struct html_token *token,
                       const uint64_t **ret_matched, bool *ret_content)
{
    struct matcher_element e = {.in = in, .token = token};
    e.name = matcher_part(&e, token->name);
    e.nth = ++*(m->n > 0 ? &m->stack[m->n - 1].n_children : &m->n_children);
    if (m->counts_types)
        e.nth_of_type = matcher_count_type(m, token->tag, e.name);
    matcher_run(m, &e);
    *ret_matched = m->next + 2 * m->step_words;
    *ret_content = matcher_has_content(m, &e);
    return *ret_content ? matcher_push(m, &e) : 0;
}

ssize_t html_matcher_find(struct html_matcher *m, enum html_tag tag, struct slice name)
{
    if (m->open[matcher_bucket(tag, name)] == 0)
        return HTML_OPEN_NONE;
    for (size_t i = m->n; i > 0; i--) {
        if (m->stack[i - 1].tag == tag &&
            (tag != HTML_TAG_OTHER || slice_eq_nocase(matcher_name(m, i - 1), name)))
            return (ssize_t)i - 1;
    }
    return HTML_OPEN_NONE;
}

size_t html_matcher_depth(const struct html_matcher *m)
{
    return m->n;
}

size_t html_matcher_words(const struct html_matcher *m)
{
    return m->words;
}

struct html_open *html_matcher_at(struct html_matcher *m, size_t depth,
                                  const uint64_t **ret_matched)
{
    *ret_matched = m->sets + depth * m->stride + 2 * m->step_words;
    return &m->stack[depth];
}

void html_matcher_close(struct html_matcher *m, size_t depth)
{
    for (size_t i = m->n; i > depth; i--)
        m->open[matcher_bucket(m->stack[i - 1].tag, matcher_name(m, i - 1))]--;
    if (depth < m->n)
        m->names.end = m->names.start + m->stack[depth].name;
    matcher_uncount(m, depth);
    m->n = depth;
}
