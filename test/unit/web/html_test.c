/*
 * The rewriter of pages without script: tokens as a line of text, changes as bytes. What upstream does with the same
 * pages is compared in test/compat/cases/html.
 */
#include "../unit.h"

#include <errno.h>

#include "web/html_rewriter.h"

enum { ALL = HTML_WANTS_COMMENTS | HTML_WANTS_TEXT | HTML_WANTS_DOCTYPE | HTML_WANTS_END };

/* --- tokens --- */

static const char *const kinds[] = {"none",    "text",    "start",  "end",
                                    "comment", "doctype", "markup", "eof"};

/* "kind raw|" for each token. */
static void lex(const char *html, size_t piece, struct buf *out)
{
    struct html_lexer *x = html_lexer_create();
    AUTO(buf_done) struct buf in = {0};
    size_t len = strlen(html);
    for (size_t at = 0; at == 0 || at < len; at += piece) {
        const struct html_token *t;
        buf_append(&in, html + at, MIN(piece, len - at));
        html_lexer_input(x, buf_slice(&in), at + piece >= len);
        while (html_lexer_next(x, &t) > 0)
            buf_printf(out, "%s %.*s|", kinds[t->kind], (int)(t->raw.end - t->raw.start),
                       t->raw.end == 0 ? "" : buf_slice(&in).ptr + t->raw.start);
        buf_consume(&in, html_lexer_consumed(x));
    }
    EXPECT_EQ(buf_len(&in), 0);
    html_lexer_destroy(x);
}

static const struct {
    const char *html, *tokens;
} lex_cases[] = {
    {"", "eof |"},
    {"a<b c='>'>d</b>", "text a|start <b c='>'>|text d|end </b>|eof |"},
    {"a < b", "text a |text <|text  b|eof |"},
    {"<!--a--><!--b", "comment <!--a-->|comment <!--b|eof |"},
    {"<!doctype x><?y><!z></1>",
     "doctype <!doctype x>|comment <?y>|comment <!z>|comment </1>|eof |"},
    {"</><a b", "markup </>|markup <a b|eof |"},
    {"<title><a></title>b", "start <title>|text <|text a>|end </title>|text b|eof |"},
    {"<script><!--<script></script>--></script>",
     "start <script>|text <!--|text <script>|text </script>--|text >|end </script>|eof |"},
    {"<svg><![CDATA[<a>]]></svg><![CDATA[b]]>",
     "start <svg>|markup <![CDATA[|text <a>|markup ]]>|end </svg>|comment <![CDATA[b]]>|eof |"},
};

static void lexes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lex_cases); i++) {
        AUTO(buf_done) struct buf out = {0};
        lex(lex_cases[i].html, SIZE_MAX / 2, &out);
        assert_string_equal(buf_cstr(&out), lex_cases[i].tokens);
    }
}

static void lexes_markup_over_any_boundary(void **state)
{
    static const char html[] =
        "<!doctype html PUBLIC 'a' \"b\"><p a=1 b='2' c>x</p><!-- -- --><svg><![CDATA[]]></svg>";
    (void)state;
    AUTO(buf_done) struct buf whole = {0};
    lex(html, SIZE_MAX / 2, &whole);
    for (size_t piece = 1; piece < sizeof html; piece++) {
        AUTO(buf_done) struct buf out = {0};
        lex(html, piece, &out);
        assert_string_equal(buf_cstr(&out), buf_cstr(&whole));
    }
}

static void refuses_ambiguous_pages(void **state)
{
    (void)state;
    struct html_lexer *x = html_lexer_create();
    const struct html_token *t;
    html_lexer_input(x, SLICE("<select><xmp>"), true);
    EXPECT_EQ(html_lexer_next(x, &t), 1);
    EXPECT_EQ(html_lexer_next(x, &t), -EINVAL);
    assert_string_equal(html_tag_name(html_lexer_error(x)), "xmp");
    html_lexer_destroy(x);
}

static void knows_tags_in_any_case(void **state)
{
    (void)state;
    for (int i = 1; i < HTML_TAGS; i++)
        EXPECT_EQ(html_tag_of(slice_of(html_tag_name((enum html_tag)i))), i);
    EXPECT_EQ(html_tag_of(SLICE("ScRiPt")), HTML_TAG_SCRIPT);
    EXPECT_EQ(html_tag_of(SLICE("x-script")), HTML_TAG_OTHER);
    EXPECT_EQ(html_tag_of(SLICE_NONE), HTML_TAG_OTHER);
}

/* --- selectors --- */

static const struct {
    const char *selector, *problem;
} selector_problems[] = {
    {"a, b > c", NULL},
    {"", "The selector is empty."},
    {"a >", "Dangling combinator in selector."},
    {"a + b", "Unsupported combinator `+` in selector."},
    {"[a=b", NULL},
    {"[a=", "Unexpected end of selector."},
    {".1", "The selector is empty."},
    {"a:hover", "Unsupported pseudo-class or pseudo-element in selector."},
    {":root >", "Dangling combinator in selector."},
    {"x|a", "Selectors with explicit namespaces are not supported."},
    {"a)", "Unexpected token in selector."},
};

static void says_what_is_wrong_with_selectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(selector_problems); i++) {
        AUTO(arena_done) struct arena arena = {.limit = 65536};
        struct html_complex *selector;
        const char *problem = NULL;
        int r = html_selector_parse(slice_of(selector_problems[i].selector), &arena, &selector,
                                    &problem);
        EXPECT_EQ(r, selector_problems[i].problem == NULL ? 0 : -EINVAL);
        if (r < 0)
            assert_string_equal(problem, selector_problems[i].problem);
    }
}

static void selectors_have_a_limit(void **state)
{
    (void)state;
    AUTO(arena_done) struct arena arena = {.limit = 512};
    struct html_complex *selector;
    const char *problem;
    EXPECT_EQ(
        html_selector_parse(SLICE("a b c d e f g h i j k l m n o p"), &arena, &selector, &problem),
        -ENOMEM);
}

/* --- rewriting --- */

struct page {
    struct arena arena;
    struct html_complex *selector;
    struct html_rewriter *rw;
};

static void page_open(struct page *p, const char *selector, unsigned wants, unsigned document,
                      const char *encoding)
{
    const char *problem;
    struct html_codec *codec;
    *p = (struct page){.arena.limit = 65536};
    EXPECT_EQ(html_selector_parse(slice_of(selector), &p->arena, &p->selector, &problem), 0);
    EXPECT_EQ(html_codec_open(slice_of(encoding), &codec), 0);
    struct html_rewriter_config config = {
        .selectors = &p->selector, .wants = &wants, .n = 1, .document = document, .codec = codec};
    p->rw = html_rewriter_create(&config);
}

static void page_close(struct page *p)
{
    html_rewriter_destroy(p->rw);
    arena_done(&p->arena);
}

static void copies_what_nobody_asked_for(void **state)
{
    static const char html[] = "<!doctype html><p a = 'b'>x &amp; <!-- y --></P ><";
    struct page p;
    (void)state;
    page_open(&p, "nothing", HTML_WANTS_ELEMENT, 0, "utf-8");
    EXPECT_EQ(html_rewriter_write(p.rw, SLICE(html), true), 0);
    EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_INPUT);
    EXPECT_SLICE(buf_slice(html_rewriter_out(p.rw)), html);
    page_close(&p);
}

static void changes_an_element_and_its_end(void **state)
{
    struct page p;
    (void)state;
    page_open(&p, "p", HTML_WANTS_ELEMENT, 0, "utf-8");
    EXPECT_EQ(html_rewriter_write(p.rw, SLICE("a<p b=1>c<i></p>d"), true), 0);
    EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_ELEMENT);
    EXPECT_EQ(html_rewriter_set_attribute(p.rw, SLICE("q"), SLICE("\"")), 0);
    html_rewriter_put(p.rw, SLICE("<"), false);
    html_rewriter_settle(p.rw, true, 7);
    EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_END_TAG);
    EXPECT_EQ(html_rewriter_next_end(p.rw), 7);
    EXPECT_EQ(html_rewriter_next_end(p.rw), 0);
    EXPECT_EQ(html_rewriter_set_name(p.rw, SLICE("x")), 0);
    EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_INPUT);
    EXPECT_SLICE(buf_slice(html_rewriter_out(p.rw)), "a&lt;<p b=1 q=\"&quot;\"></x>d");
    page_close(&p);
}

static void speaks_the_encoding_of_the_page(void **state)
{
    struct page p;
    (void)state;
    page_open(&p, "p", HTML_WANTS_TEXT, 0, "windows-1251");
    EXPECT_EQ(html_rewriter_write(p.rw, SLICE("<p>\xc6</p>"), true), 0);
    EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_TEXT);
    EXPECT_SLICE(html_rewriter_text(p.rw), "\xd0\x96");
    html_rewriter_put(p.rw, SLICE("\xd0\x96\xc3\xa9"), true);
    EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_TEXT);
    EXPECT(html_rewriter_is_last(p.rw));
    EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_INPUT);
    EXPECT_SLICE(buf_slice(html_rewriter_out(p.rw)), "<p>\xc6&#233;\xc6</p>");
    page_close(&p);
}

static void refuses_bytes_that_are_not_utf8(void **state)
{
    struct page p;
    (void)state;
    page_open(&p, "p", HTML_WANTS_ELEMENT, ALL, "utf-8");
    EXPECT_EQ(html_rewriter_write(p.rw, SLICE("<p>"), false), 0);
    EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_ELEMENT);
    EXPECT_EQ(html_rewriter_put_bytes(p.rw, SLICE("\xe2\x82"), true), 0);
    EXPECT_EQ(html_rewriter_put_bytes(p.rw, SLICE("\xac"), true), 0);
    EXPECT_EQ(html_rewriter_put_bytes(p.rw, SLICE("\xff"), true), -EBADMSG);
    EXPECT_SLICE(buf_slice(html_rewriter_out(p.rw)), "\xe2\x82\xac");
    page_close(&p);
}

static void tokens_have_a_limit(void **state)
{
    static char piece[1 << 20];
    struct page p;
    int r = 0;
    (void)state;
    memset(piece, 'x', sizeof piece);
    page_open(&p, "p", HTML_WANTS_ELEMENT, 0, "utf-8");
    EXPECT_EQ(html_rewriter_write(p.rw, SLICE("<p a='"), false), 0);
    EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_INPUT);
    for (int i = 0; i < 4 && r == 0; i++) {
        r = html_rewriter_write(p.rw, slice_from(piece, sizeof piece), false);
        if (r == 0)
            EXPECT_EQ(html_rewriter_run(p.rw), HTML_EVENT_INPUT);
    }
    EXPECT_EQ(r, -ENOMEM);
    page_close(&p);
}

static void open_elements_have_a_limit(void **state)
{
    struct page p;
    int r = 0;
    (void)state;
    page_open(&p, "p", HTML_WANTS_ELEMENT, 0, "utf-8");
    for (int i = 0; i < 200000 && r == 0; i++) {
        EXPECT_EQ(html_rewriter_write(p.rw, SLICE("<div>"), false), 0);
        r = html_rewriter_run(p.rw);
    }
    EXPECT_EQ(r, -ENOMEM);
    page_close(&p);
}

static void knows_its_encodings(void **state)
{
    struct html_codec *codec = NULL;
    (void)state;
    EXPECT_EQ(html_codec_open(SLICE("utf-16le"), &codec), -EINVAL);
    EXPECT_EQ(html_codec_open(SLICE("nope"), &codec), -ENOENT);
    EXPECT_EQ(html_codec_open(SLICE("shift_jis"), &codec), 0);
    html_codec_close(codec);
    html_codec_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lexes),
        cmocka_unit_test(lexes_markup_over_any_boundary),
        cmocka_unit_test(refuses_ambiguous_pages),
        cmocka_unit_test(knows_tags_in_any_case),
        cmocka_unit_test(says_what_is_wrong_with_selectors),
        cmocka_unit_test(selectors_have_a_limit),
        cmocka_unit_test(copies_what_nobody_asked_for),
        cmocka_unit_test(changes_an_element_and_its_end),
        cmocka_unit_test(speaks_the_encoding_of_the_page),
        cmocka_unit_test(refuses_bytes_that_are_not_utf8),
        cmocka_unit_test(tokens_have_a_limit),
        cmocka_unit_test(open_elements_have_a_limit),
        cmocka_unit_test(knows_its_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
