/* Selectors: any bytes parse or are refused with a sentence; what parses can be matched. */
#include "fuzz.h"
#include "web/html_matcher.h"

#include <errno.h>

static const char page[] =
    "<div id=a class='b c'><p><p lang=en-US t=\"x y\">q</p><br><svg><g/></svg></div>";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_done) struct arena arena = {.limit = 1 << 20};
    struct html_complex *selector = NULL;
    const char *problem = NULL;
    int r = html_selector_parse(slice_from(data, size), &arena, &selector, &problem);
    CHECK(r == 0 || r == -ENOMEM || (r == -EINVAL && problem != NULL));
    if (r < 0)
        return 0;

    struct html_matcher *m = html_matcher_create(&selector, 1, false);
    struct html_lexer *x = html_lexer_create();
    const struct html_token *t;
    html_lexer_input(x, SLICE(page), true);
    while (html_lexer_next(x, &t) > 0) {
        const uint64_t *matched;
        bool content;
        if (t->kind == HTML_START_TAG)
            CHECK(html_matcher_start(m, page, t, &matched, &content) == 0);
    }
    html_lexer_destroy(x);
    html_matcher_destroy(m);
    return 0;
}
