/*
 * CSS selectors that can be decided while a page streams by: types, classes, ids, attributes, :nth-child(),
 * :first-child, :nth-of-type(), :first-of-type, :not(), descendants and children, lists.
 *
 * https://drafts.csswg.org/selectors-4/; what is parsed and refused, and in which words, is what the upstream
 * runtime's parser does. Pure functions, any thread.
 */
#pragma once

#include "core/arena.h"
#include "web/html_tag.h"

enum html_test {
    HTML_TEST_ANY,
    HTML_TEST_NEVER, /* an element without a namespace: there is none */
    HTML_TEST_TYPE,
    HTML_TEST_NTH_CHILD,
    HTML_TEST_NTH_OF_TYPE,
    HTML_TEST_ID,
    HTML_TEST_CLASS,
    HTML_TEST_HAS,
    HTML_TEST_EQUAL,
    HTML_TEST_WORD,
    HTML_TEST_DASH,
    HTML_TEST_PREFIX,
    HTML_TEST_SUFFIX,
    HTML_TEST_SUBSTRING,
};

enum html_case { HTML_CASE_EXACT, HTML_CASE_IGNORED, HTML_CASE_IGNORED_IN_HTML };

struct html_condition {
    enum html_test test;
    bool negated;
    enum html_case letter_case;
    enum html_tag tag; /* of a type */
    int step, offset;  /* of :nth-…(): step * n + offset */
    struct slice name; /* a type, id or class; an attribute in lower case */
    struct slice value;
    struct html_condition *next;
};

/* What one element must be, and where it must be below the compound before. */
struct html_compound {
    struct html_condition *conditions;
    bool child; /* its parent matches the compound before; otherwise some ancestor */
    struct html_compound *next;
};

/* One of a list. */
struct html_complex {
    struct html_compound *first;
    struct html_complex *next;
};

/* The result lives in the arena. -EINVAL: *ret_problem says why, a constant sentence. -ENOMEM: over the arena's limit. */
NODISCARD int html_selector_parse(struct slice text, struct arena *arena, struct html_complex **ret,
                                  const char **ret_problem);
