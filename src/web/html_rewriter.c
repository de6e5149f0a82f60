#include "web/html_rewriter_impl.h"

#include <stdlib.h>

enum { REWRITER_MEMORY_MAX = 3 * 1024 * 1024 }; /* one token's bytes, as upstream */

struct html_rewriter *html_rewriter_create(const struct html_rewriter_config *config)
{
    struct html_rewriter *rw = mem_new(sizeof *rw);
    size_t n = MAX(config->n, (size_t)1);
    rw->lexer = html_lexer_create();
    rw->codec = config->codec;
    if (config->n > 0)
        rw->matcher = html_matcher_create(config->selectors, config->n, config->esi);
    rw->wants = mem_new(n * sizeof *rw->wants);
    rw->comments = mem_new(n * sizeof *rw->comments);
    rw->texts = mem_new(n * sizeof *rw->texts);
    memcpy(rw->wants, config->wants, config->n * sizeof *rw->wants);
    rw->n = config->n;
    rw->document = config->document;
    rw->emits = true;
    return rw;
}

void html_rewriter_destroy(struct html_rewriter *rw)
{
    if (rw == NULL)
        return;
    html_lexer_destroy(rw->lexer);
    html_codec_close(rw->codec);
    html_matcher_destroy(rw->matcher);
    free(rw->wants);
    free(rw->comments);
    free(rw->texts);
    free(rw->ends);
    free(rw->attributes);
    buf_done(&rw->in);
    buf_done(&rw->out);
    buf_done(&rw->text);
    buf_done(&rw->name);
    buf_done(&rw->memory);
    free(rw);
}

int html_rewriter_write(struct html_rewriter *rw, struct slice in, bool last)
{
    if (buf_len(&rw->in) > 0 && buf_len(&rw->in) + in.len > REWRITER_MEMORY_MAX)
        return -ENOMEM;
    buf_append_slice(&rw->in, in);
    rw->last = last;
    html_lexer_input(rw->lexer, buf_slice(&rw->in), last);
    return 0;
}

struct buf *html_rewriter_out(struct html_rewriter *rw)
{
    return &rw->out;
}

void html_rewriter_problem(struct html_rewriter *rw, struct buf *out)
{
    buf_printf(
        out,
        "The parser has encountered a text content tag (`<%s>`) in the context where it is "
        "ambiguous whether this tag should be ignored or not. And, thus, it is unclear whether "
        "consequent content should be parsed as raw text or HTML markup.\n\n"
        "This error occurs due to the limited capabilities of the streaming parsing. However, "
        "almost all of the cases of this error are caused by a non-conforming markup (e.g. a "
        "`<script>` element in `<select>` element).",
        html_tag_name(html_lexer_error(rw->lexer)));
}

/* --- which handlers are on --- */

static bool rewriter_has(const uint64_t *set, size_t i)
{
    return (set[i / 64] >> (i % 64) & 1) != 0;
}

static void rewriter_count(struct html_rewriter *rw, const uint64_t *matched, bool on)
{
    for (size_t w = 0; w < html_matcher_words(rw->matcher); w++) {
        for (uint64_t bits = matched[w]; bits != 0; bits &= bits - 1) {
            size_t i = w * 64 + (size_t)__builtin_ctzll(bits);
            size_t by = on ? 1 : (size_t)-1;
            if (rw->wants[i] & HTML_WANTS_COMMENTS) {
                rw->comments[i] += (unsigned)by;
                rw->n_comments += by;
            }
            if (rw->wants[i] & HTML_WANTS_TEXT) {
                rw->texts[i] += (unsigned)by;
                rw->n_texts += by;
            }
        }
    }
}

static bool rewriter_wants_element(struct html_rewriter *rw)
{
    for (size_t w = 0; w < html_matcher_words(rw->matcher); w++) {
        for (uint64_t bits = rw->matched[w]; bits != 0; bits &= bits - 1) {
            if (rw->wants[w * 64 + (size_t)__builtin_ctzll(bits)] & HTML_WANTS_ELEMENT)
                return true;
        }
    }
    return false;
}

bool html_rewriter_active(struct html_rewriter *rw, size_t i)
{
    if (rw->event == HTML_EVENT_ELEMENT)
        return rewriter_has(rw->matched, i) && (rw->wants[i] & HTML_WANTS_ELEMENT);
    if (rw->event == HTML_EVENT_TEXT)
        return rw->texts[i] > 0;
    return rw->event == HTML_EVENT_COMMENT && rw->comments[i] > 0;
}

/* --- the walk --- */

/* What lies between the last token that was stopped at and this place goes out as it is. */
static void rewriter_copy(struct html_rewriter *rw, size_t to)
{
    if (rw->emits && to > rw->raw)
        buf_append(&rw->out, buf_slice(&rw->in).ptr + rw->raw, to - rw->raw);
    rw->raw = to;
}

static int rewriter_stop(struct html_rewriter *rw, enum html_event event)
{
    rw->event = event;
    rw->emitted = false;
    html_unit_begin(rw);
    return (int)event;
}

static int rewriter_start_tag(struct html_rewriter *rw)
{
    if (rw->matcher == NULL)
        return 0;
    int r = html_matcher_start(rw->matcher, buf_slice(&rw->in).ptr, rw->token, &rw->matched,
                               &rw->has_content);
    if (r < 0)
        return r;
    if (rw->has_content)
        rewriter_count(rw, rw->matched, true);
    if (!rewriter_wants_element(rw))
        return 0;
    rewriter_copy(rw, rw->token->raw.start);
    return rewriter_stop(rw, HTML_EVENT_ELEMENT);
}

static void rewriter_push_end(struct html_rewriter *rw, unsigned id)
{
    if (rw->n_ends == rw->cap_ends) {
        rw->cap_ends = MAX((size_t)8, rw->cap_ends * 2);
        rw->ends = mem_grow(rw->ends, rw->cap_ends * sizeof *rw->ends);
    }
    rw->ends[rw->n_ends++] = id;
}

/* The element that an end tag ends, and those in it that had none. */
static void rewriter_close(struct html_rewriter *rw, size_t depth)
{
    for (size_t i = depth; i < html_matcher_depth(rw->matcher); i++) {
        const uint64_t *matched;
        struct html_open *open = html_matcher_at(rw->matcher, i, &matched);
        rewriter_count(rw, matched, false);
        rw->n_removed -= open->remove_content;
        if (open->end_id != 0)
            rewriter_push_end(rw, open->end_id);
    }
    html_matcher_close(rw->matcher, depth);
}

static int rewriter_end_tag(struct html_rewriter *rw)
{
    if (rw->matcher == NULL)
        return 0;
    struct html_range name = rw->token->name;
    struct slice text = slice_from(buf_slice(&rw->in).ptr + name.start, name.end - name.start);
    ssize_t depth = html_matcher_find(rw->matcher, rw->token->tag, text);
    if (depth >= 0)
        rewriter_close(rw, (size_t)depth);
    if (!rw->emits && rw->n_removed == 0) {
        rewriter_copy(rw, rw->token->raw.start);
        rw->emits = true;
    }
    if (rw->n_ends == 0)
        return 0;
    rewriter_copy(rw, rw->token->raw.start);
    return rewriter_stop(rw, HTML_EVENT_END_TAG);
}

/* The next piece of this text, or the end of the node that went before. */
static int rewriter_text(struct html_rewriter *rw, bool last)
{
    if (html_codec_text(rw->codec, &rw->rest, last, &rw->text) == 0)
        return 0;
    rw->is_last = last;
    return rewriter_stop(rw, HTML_EVENT_TEXT);
}

static int rewriter_text_token(struct html_rewriter *rw)
{
    if (!rw->begun) {
        if (rw->n_texts == 0 && !(rw->document & HTML_WANTS_TEXT))
            return 0;
        struct html_range raw = rw->token->raw;
        rewriter_copy(rw, raw.start);
        rw->rest = slice_from(buf_slice(&rw->in).ptr + raw.start, raw.end - raw.start);
        rw->raw = raw.end;
        rw->begun = true;
    }
    return rewriter_text(rw, false);
}

static int rewriter_stop_at(struct html_rewriter *rw, enum html_event event)
{
    rewriter_copy(rw, rw->token->raw.start);
    return rewriter_stop(rw, event);
}

/* >0: a stop; 0: the token needs none, or no further one. */
static int rewriter_token(struct html_rewriter *rw)
{
    if (rw->token->kind == HTML_TEXT)
        return rewriter_text_token(rw);
    if (html_codec_in_text(rw->codec)) {
        rewriter_copy(rw, rw->token->raw.start);
        rw->rest = SLICE_NONE;
        return rewriter_text(rw, true);
    }
    if (rw->begun)
        return 0;
    rw->begun = true;
    switch (rw->token->kind) {
    case HTML_START_TAG:
        return rewriter_start_tag(rw);
    case HTML_END_TAG:
        return rewriter_end_tag(rw);
    case HTML_COMMENT:
        if (rw->n_comments > 0 || (rw->document & HTML_WANTS_COMMENTS))
            return rewriter_stop_at(rw, HTML_EVENT_COMMENT);
        return 0;
    case HTML_DOCTYPE:
        return rw->document & HTML_WANTS_DOCTYPE ? rewriter_stop_at(rw, HTML_EVENT_DOCTYPE) : 0;
    case HTML_EOF:
        rewriter_copy(rw, rw->token->raw.end);
        rw->over = true;
        rw->emits = true;
        return rw->document & HTML_WANTS_END ? rewriter_stop(rw, HTML_EVENT_END) : 0;
    default:
        return 0;
    }
}

/* What the last stop was about is written. */
static void rewriter_go_on(struct html_rewriter *rw)
{
    enum html_event event = rw->event;
    if (!rw->emitted && rw->emits && event != HTML_EVENT_INPUT)
        html_unit_write(rw);
    rw->event = HTML_EVENT_INPUT;
    if (event == HTML_EVENT_INPUT || event == HTML_EVENT_END)
        return;
    if (event != HTML_EVENT_TEXT)
        rw->raw = rw->token->raw.end;
    if (event == HTML_EVENT_ELEMENT)
        rw->emits = rw->n_removed == 0;
    rw->n_ends = 0;
}

static int rewriter_pause(struct html_rewriter *rw)
{
    size_t used = html_lexer_consumed(rw->lexer);
    rewriter_copy(rw, used);
    buf_consume(&rw->in, used);
    rw->raw = 0;
    /* The lexer forgets what was consumed with its next input, which may be none. */
    html_lexer_input(rw->lexer, buf_slice(&rw->in), rw->last);
    return buf_len(&rw->in) > REWRITER_MEMORY_MAX ? -ENOMEM : HTML_EVENT_INPUT;
}

int html_rewriter_run(struct html_rewriter *rw)
{
    rewriter_go_on(rw);
    for (;;) {
        if (rw->token == NULL) {
            int r = html_lexer_next(rw->lexer, &rw->token);
            if (r <= 0) {
                rw->token = NULL;
                return r < 0 ? r : rewriter_pause(rw);
            }
            rw->begun = false;
        }
        int r = rewriter_token(rw);
        if (r != 0)
            return r;
        rw->token = NULL;
    }
}
