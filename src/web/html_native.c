/*
 * Group `html`: the natives behind HTMLRewriter (js/html_rewriter.js).
 *
 *     check(selector)                             undefined, or what is wrong with it
 *     open(encoding, wants, document, esi, ...selectors)   a handle, or what is wrong
 *     write(h, bytes, last) · run(h, scratch)     0 or -errno · the next event
 *     take(h) · problem(h)                        output so far, or undefined · why run() failed
 *     text · name · part · attribute · find       of the token at a stop
 *     setName · set · remove · opens              changes to it
 *     put · putBytes · emit · settle · nextEnd    what goes out, and what happens at the end tag
 *
 * A handle is an ArrayBuffer over the state, as in zlib.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "web/html_rewriter.h"
#include "web/web_impl.h"

enum { HTML_MAGIC = 0x68746d6c, HTML_SELECTORS_MEMORY_MAX = 8 * 1024 * 1024 };
/* run() writes here: flags, namespace, bytes of output that wait, how many handlers, which. */
enum { SCRATCH_FLAGS, SCRATCH_NS, SCRATCH_OUT, SCRATCH_N, SCRATCH_ACTIVE };
enum { FLAG_EMITS = 1, FLAG_CONTENT = 2, FLAG_LAST = 4 };

struct html_handle {
    uint32_t magic;
    size_t n;
    struct html_rewriter *rw; /* owned */
    struct html_complex **selectors;
    struct arena arena; /* of the selectors */
};

static void html_handle_release(void *ptr, void *arg UNUSED)
{
    struct html_handle *h = ptr;
    html_rewriter_destroy(h->rw);
    free(h->selectors);
    arena_done(&h->arena);
    free(h);
}

static struct html_handle *html_handle(js_context ctx, size_t n_args, const js_value args[])
{
    struct slice s;
    if (web_bytes(ctx, n_args, args, 0, &s) < 0 || s.len != sizeof(struct html_handle))
        return NULL;
    struct html_handle *h = (struct html_handle *)(uintptr_t)s.ptr;
    return h->magic == HTML_MAGIC ? h : NULL;
}

/* The rewriter of the handle; a script that passes something else is ours, and wrong. */
static struct html_rewriter *html_args(js_context ctx, size_t n_args, const js_value args[],
                                       size_t n)
{
    struct html_handle *h = n_args < n ? NULL : html_handle(ctx, n_args, args);
    CHECK(h != NULL);
    return h->rw;
}

static struct slice html_string(js_context ctx, js_value v, struct buf *out)
{
    int r = js_append_utf8(ctx, v, out);
    return r < 0 ? SLICE_NONE : buf_slice(out);
}

static js_value html_problem(js_context ctx, int r, const char *problem)
{
    if (r == -ENOMEM)
        problem = "The memory limit has been exceeded.";
    return js_latin1(ctx, slice_of(problem));
}

static JS_NATIVE(web_html_check)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(arena_done) struct arena arena = {.limit = HTML_SELECTORS_MEMORY_MAX};
    struct html_complex *selector;
    const char *problem = NULL;
    int r = html_selector_parse(html_string(ctx, args[0], &text), &arena, &selector, &problem);
    return r < 0 ? html_problem(ctx, r, problem) : js_undefined(ctx);
}

/* Operands are compared with bytes of the page. */
static int html_encode_operand(struct html_codec *codec, struct arena *arena, struct slice *s)
{
    AUTO(buf_done) struct buf bytes = {0};
    if (s->len == 0)
        return 0;
    if (html_codec_encode_strict(codec, *s, &bytes) < 0)
        return -EILSEQ;
    return arena_copy(arena, buf_slice(&bytes).ptr, buf_len(&bytes), s);
}

static int html_encode_selector(struct html_codec *codec, struct arena *arena,
                                struct html_complex *one)
{
    for (; one != NULL; one = one->next) {
        for (struct html_compound *c = one->first; c != NULL; c = c->next) {
            for (struct html_condition *t = c->conditions; t != NULL; t = t->next) {
                int r = html_encode_operand(codec, arena, &t->name);
                if (r == 0)
                    r = html_encode_operand(codec, arena, &t->value);
                if (r == -ENOMEM)
                    return r;
                if (r < 0)
                    t->test = HTML_TEST_NEVER; /* no page in this encoding has such a name */
            }
        }
    }
    return 0;
}

static int html_parse_selectors(js_context ctx, struct html_handle *h, struct html_codec *codec,
                                const js_value *texts, const char **problem)
{
    for (size_t i = 0; i < h->n; i++) {
        AUTO(buf_done) struct buf text = {0};
        struct slice s = html_string(ctx, texts[i], &text);
        int r = html_selector_parse(s, &h->arena, &h->selectors[i], problem);
        if (r == 0)
            r = html_encode_selector(codec, &h->arena, h->selectors[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static js_value html_open(js_context ctx, struct html_codec *codec, size_t n_args,
                          const js_value args[])
{
    struct html_handle *h = mem_new(sizeof *h);
    h->magic = HTML_MAGIC;
    h->arena.limit = HTML_SELECTORS_MEMORY_MAX;
    h->n = n_args - 4;
    h->selectors = mem_new(MAX(h->n, (size_t)1) * sizeof *h->selectors);
    uint32_t none = 0, *wants = h->n == 0 ? &none : web_scratch(ctx, n_args, args, 1, h->n);
    CHECK(wants != NULL);
    const char *problem = NULL;
    int r = html_parse_selectors(ctx, h, codec, args + 4, &problem);
    if (r < 0) {
        html_codec_close(codec);
        html_handle_release(h, NULL);
        return html_problem(ctx, r, problem);
    }
    struct html_rewriter_config config = {.selectors = h->selectors,
                                          .wants = wants,
                                          .n = h->n,
                                          .document = (unsigned)js_to_number(ctx, args[2], 0),
                                          .esi = js_is_true(ctx, args[3]),
                                          .codec = codec};
    h->rw = html_rewriter_create(&config);
    return js_bytes_take(ctx, h, sizeof *h, html_handle_release, NULL);
}

static JS_NATIVE(web_html_open)
{
    AUTO(buf_done) struct buf name = {0};
    struct html_codec *codec;
    CHECK(n_args >= 4);
    int r = html_codec_open(html_string(ctx, args[0], &name), &codec);
    if (r == -EINVAL)
        return js_latin1(ctx, SLICE("Expected ASCII-compatible encoding."));
    if (r < 0)
        return js_latin1(ctx, SLICE("Unknown character encoding has been provided."));
    return html_open(ctx, codec, n_args, args);
}

static JS_NATIVE(web_html_write)
{
    struct html_rewriter *rw = html_args(ctx, n_args, args, 3);
    struct slice in = SLICE_NONE;
    if (!js_is_nullish(ctx, args[1]) && js_view(ctx, args[1], &in) < 0)
        return js_number(ctx, -EINVAL);
    return js_number(ctx, html_rewriter_write(rw, in, js_is_true(ctx, args[2])));
}

static JS_NATIVE(web_html_run)
{
    struct html_rewriter *rw = html_args(ctx, n_args, args, 2);
    size_t n = html_handle(ctx, n_args, args)->n, active = 0;
    uint32_t *scratch = web_scratch(ctx, n_args, args, 1, SCRATCH_ACTIVE + n);
    CHECK(scratch != NULL);
    int event = html_rewriter_run(rw);
    scratch[SCRATCH_OUT] = (uint32_t)MIN(buf_len(html_rewriter_out(rw)), (size_t)UINT32_MAX);
    if (event <= 0)
        return js_number(ctx, event);
    scratch[SCRATCH_FLAGS] = (html_rewriter_emits(rw) ? FLAG_EMITS : 0) |
                             (html_rewriter_has_content(rw) ? FLAG_CONTENT : 0) |
                             (html_rewriter_is_last(rw) ? FLAG_LAST : 0);
    scratch[SCRATCH_NS] = (uint32_t)html_rewriter_token(rw)->ns;
    bool selectors =
        event == HTML_EVENT_ELEMENT || event == HTML_EVENT_TEXT || event == HTML_EVENT_COMMENT;
    for (size_t i = 0; selectors && i < n; i++) {
        if (html_rewriter_active(rw, i))
            scratch[SCRATCH_ACTIVE + active++] = (uint32_t)i;
    }
    scratch[SCRATCH_N] = (uint32_t)active;
    return js_number(ctx, event);
}

static JS_NATIVE(web_html_take)
{
    struct buf *out = html_rewriter_out(html_args(ctx, n_args, args, 1));
    return buf_len(out) == 0 ? js_undefined(ctx) : js_bytes_buf(ctx, out);
}

static JS_NATIVE(web_html_problem)
{
    AUTO(buf_done) struct buf text = {0};
    html_rewriter_problem(html_args(ctx, n_args, args, 1), &text);
    return js_string(ctx, buf_slice(&text));
}

/* --- the token --- */

static js_value html_lower(js_context ctx, struct buf *text)
{
    for (size_t i = text->start; i < text->end; i++) {
        char c = text->data[i];
        text->data[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    return js_string(ctx, buf_slice(text));
}

static JS_NATIVE(web_html_text)
{
    return js_string(ctx, html_rewriter_text(html_args(ctx, n_args, args, 1)));
}

/* name(h, lower) */
static JS_NATIVE(web_html_name)
{
    AUTO(buf_done) struct buf text = {0};
    html_rewriter_name(html_args(ctx, n_args, args, 2), &text);
    return js_is_true(ctx, args[1]) ? html_lower(ctx, &text) : js_string(ctx, buf_slice(&text));
}

/* part(h, 0 = name, 1 = public id, 2 = system id): null when the doctype has none */
static JS_NATIVE(web_html_part)
{
    AUTO(buf_done) struct buf text = {0};
    struct html_rewriter *rw = html_args(ctx, n_args, args, 2);
    const struct html_token *t = html_rewriter_token(rw);
    unsigned which = (unsigned)js_to_number(ctx, args[1], 0);
    const bool has[] = {t->has_name, t->has_public_id, t->has_system_id};
    const struct html_range parts[] = {t->name, t->public_id, t->system_id};
    CHECK(which < ARRAY_LEN(has));
    if (!has[which])
        return js_null(ctx);
    html_rewriter_decode(rw, parts[which], &text);
    return which == 0 ? html_lower(ctx, &text) : js_string(ctx, buf_slice(&text));
}

/* attribute(h, index): [name, value], or undefined */
static JS_NATIVE(web_html_attribute)
{
    AUTO(buf_done) struct buf name = {0}, value = {0};
    struct html_rewriter *rw = html_args(ctx, n_args, args, 2);
    size_t index = (size_t)js_to_number(ctx, args[1], 0);
    if (html_rewriter_attribute(rw, index, &name, &value) < 0)
        return js_undefined(ctx);
    js_value pair[] = {html_lower(ctx, &name), js_string(ctx, buf_slice(&value))};
    return js_array(ctx, pair, ARRAY_LEN(pair));
}

/* find(h, lower name): the value, or null */
static JS_NATIVE(web_html_find)
{
    AUTO(buf_done) struct buf name = {0}, ignored = {0}, value = {0};
    struct html_rewriter *rw = html_args(ctx, n_args, args, 2);
    ssize_t at = html_rewriter_find(rw, html_string(ctx, args[1], &name));
    if (at < 0 || html_rewriter_attribute(rw, (size_t)at, &ignored, &value) < 0)
        return js_null(ctx);
    return js_string(ctx, buf_slice(&value));
}

static JS_NATIVE(web_html_set_name)
{
    AUTO(buf_done) struct buf name = {0};
    struct html_rewriter *rw = html_args(ctx, n_args, args, 2);
    return js_number(ctx, html_rewriter_set_name(rw, html_string(ctx, args[1], &name)));
}

static JS_NATIVE(web_html_set)
{
    AUTO(buf_done) struct buf name = {0}, value = {0};
    struct html_rewriter *rw = html_args(ctx, n_args, args, 3);
    return js_number(ctx, html_rewriter_set_attribute(rw, html_string(ctx, args[1], &name),
                                                      html_string(ctx, args[2], &value)));
}

static JS_NATIVE(web_html_remove)
{
    AUTO(buf_done) struct buf name = {0};
    struct html_rewriter *rw = html_args(ctx, n_args, args, 2);
    html_rewriter_remove_attribute(rw, html_string(ctx, args[1], &name));
    return js_undefined(ctx);
}

static JS_NATIVE(web_html_opens)
{
    html_rewriter_opens(html_args(ctx, n_args, args, 1));
    return js_undefined(ctx);
}

/* --- output --- */

static JS_NATIVE(web_html_put)
{
    AUTO(buf_done) struct buf text = {0};
    struct html_rewriter *rw = html_args(ctx, n_args, args, 3);
    html_rewriter_put(rw, html_string(ctx, args[1], &text), js_is_true(ctx, args[2]));
    return js_undefined(ctx);
}

static JS_NATIVE(web_html_put_bytes)
{
    struct html_rewriter *rw = html_args(ctx, n_args, args, 3);
    struct slice bytes;
    if (js_view(ctx, args[1], &bytes) < 0)
        return js_number(ctx, -EINVAL);
    return js_number(ctx, html_rewriter_put_bytes(rw, bytes, js_is_true(ctx, args[2])));
}

static JS_NATIVE(web_html_emit)
{
    struct html_rewriter *rw = html_args(ctx, n_args, args, 2);
    html_rewriter_emit(rw, js_is_true(ctx, args[1]));
    return js_undefined(ctx);
}

static JS_NATIVE(web_html_settle)
{
    struct html_rewriter *rw = html_args(ctx, n_args, args, 3);
    html_rewriter_settle(rw, js_is_true(ctx, args[1]), (unsigned)js_to_number(ctx, args[2], 0));
    return js_undefined(ctx);
}

static JS_NATIVE(web_html_next_end)
{
    return js_number(ctx, html_rewriter_next_end(html_args(ctx, n_args, args, 1)));
}

const struct js_native_row web_html_rows[] = {
    {"check", web_html_check},
    {"open", web_html_open},
    {"write", web_html_write},
    {"run", web_html_run},
    {"take", web_html_take},
    {"problem", web_html_problem},
    {"text", web_html_text},
    {"name", web_html_name},
    {"part", web_html_part},
    {"attribute", web_html_attribute},
    {"find", web_html_find},
    {"setName", web_html_set_name},
    {"set", web_html_set},
    {"remove", web_html_remove},
    {"opens", web_html_opens},
    {"put", web_html_put},
    {"putBytes", web_html_put_bytes},
    {"emit", web_html_emit},
    {"settle", web_html_settle},
    {"nextEnd", web_html_next_end},
};
const size_t web_html_n_rows = ARRAY_LEN(web_html_rows);
