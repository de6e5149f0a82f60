/* The token at a stop: its parts, changes to it, its bytes. */
#include <stdlib.h>

#include "web/html_rewriter_impl.h"

void html_unit_begin(struct html_rewriter *rw)
{
    rw->changed = rw->has_name = rw->has_attributes = rw->opened = false;
    rw->n_cut = 0;
    buf_clear(&rw->name);
    buf_clear(&rw->memory);
}

bool html_rewriter_emits(const struct html_rewriter *rw)
{
    return rw->emits;
}

bool html_rewriter_has_content(const struct html_rewriter *rw)
{
    return rw->has_content;
}

bool html_rewriter_is_last(const struct html_rewriter *rw)
{
    return rw->is_last;
}

const struct html_token *html_rewriter_token(const struct html_rewriter *rw)
{
    return rw->token;
}

struct slice html_rewriter_text(const struct html_rewriter *rw)
{
    return buf_slice(&rw->text);
}

static struct slice unit_in(struct html_rewriter *rw, struct html_range r)
{
    return slice_from(buf_slice(&rw->in).ptr + r.start, r.end - r.start);
}

static struct slice unit_memory(struct html_rewriter *rw, struct html_range r)
{
    return r.end == r.start ? SLICE_NONE
                            : slice_from(buf_slice(&rw->memory).ptr + r.start, r.end - r.start);
}

void html_rewriter_decode(struct html_rewriter *rw, struct html_range part, struct buf *out)
{
    html_codec_decode(rw->codec, unit_in(rw, part), out);
}

/* --- output --- */

static struct slice unit_reference(char c)
{
    if (c == '<')
        return SLICE("&lt;");
    if (c == '>')
        return SLICE("&gt;");
    return c == '&' ? SLICE("&amp;") : SLICE_NONE;
}

static void unit_escape(struct slice text, struct buf *out)
{
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        struct slice reference = unit_reference(text.ptr[i]);
        if (reference.len == 0)
            continue;
        buf_append(out, text.ptr + start, i - start);
        buf_append_slice(out, reference);
        start = i + 1;
    }
    buf_append(out, text.ptr + start, text.len - start);
}

static void unit_put(struct html_rewriter *rw, struct slice utf8, bool html)
{
    if (html) {
        html_codec_encode(rw->codec, utf8, &rw->out);
        return;
    }
    AUTO(buf_done) struct buf escaped = {0};
    unit_escape(utf8, &escaped);
    html_codec_encode(rw->codec, buf_slice(&escaped), &rw->out);
}

void html_rewriter_put(struct html_rewriter *rw, struct slice utf8, bool html)
{
    if (!rw->emits)
        return;
    if (rw->n_cut > 0)
        unit_put(rw, SLICE("\xef\xbf\xbd"), true); /* a stream ended within a character */
    rw->n_cut = 0;
    if (utf8.len > 0)
        unit_put(rw, utf8, html);
}

int html_rewriter_put_bytes(struct html_rewriter *rw, struct slice bytes, bool html)
{
    AUTO(buf_done) struct buf whole = {0};
    if (!rw->emits)
        return 0;
    buf_append(&whole, rw->cut, rw->n_cut);
    buf_append_slice(&whole, bytes);
    ssize_t valid = html_codec_valid(buf_slice(&whole));
    if (valid < 0)
        return (int)valid;
    rw->n_cut = buf_len(&whole) - (size_t)valid;
    if (rw->n_cut > 0)
        memcpy(rw->cut, buf_slice(&whole).ptr + valid, rw->n_cut);
    if (valid > 0)
        unit_put(rw, (struct slice){buf_slice(&whole).ptr, (size_t)valid}, html);
    return 0;
}

static void unit_quote(struct slice value, struct buf *out)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"')
            buf_append_slice(out, SLICE("&quot;"));
        else
            buf_append_char(out, value.ptr[i]);
    }
}

static void unit_attributes(struct html_rewriter *rw)
{
    struct buf *out = &rw->out;
    for (size_t i = 0; !rw->has_attributes && i < rw->token->n_attributes; i++) {
        buf_append_char(out, ' ');
        buf_append_slice(out, unit_in(rw, rw->token->attributes[i].raw));
    }
    for (size_t i = 0; rw->has_attributes && i < rw->n_attributes; i++) {
        const struct html_changed *a = &rw->attributes[i];
        buf_append_char(out, ' ');
        if (a->raw.end > a->raw.start) {
            buf_append_slice(out, unit_memory(rw, a->raw));
            continue;
        }
        buf_append_slice(out, unit_memory(rw, a->name));
        buf_append_slice(out, SLICE("=\""));
        unit_quote(unit_memory(rw, a->value), out);
        buf_append_char(out, '"');
    }
}

static void unit_start_tag(struct html_rewriter *rw)
{
    size_t n = rw->has_attributes ? rw->n_attributes : rw->token->n_attributes;
    buf_append_char(&rw->out, '<');
    buf_append_slice(&rw->out, rw->has_name ? buf_slice(&rw->name) : unit_in(rw, rw->token->name));
    unit_attributes(rw);
    if (!rw->token->self_closing || rw->opened) {
        buf_append_char(&rw->out, '>');
        return;
    }
    /* Behind a value without quotes a slash would be part of the value. */
    buf_append_slice(&rw->out, n > 0 ? SLICE(" />") : SLICE("/>"));
}

void html_unit_write(struct html_rewriter *rw)
{
    if (rw->event == HTML_EVENT_END)
        return;
    if (rw->event == HTML_EVENT_TEXT) {
        if (buf_len(&rw->text) > 0)
            html_codec_encode(rw->codec, buf_slice(&rw->text), &rw->out);
    } else if (!rw->changed) {
        buf_append_slice(&rw->out, unit_in(rw, rw->token->raw));
    } else if (rw->token->kind == HTML_START_TAG) {
        unit_start_tag(rw);
    } else {
        bool tag = rw->token->kind == HTML_END_TAG;
        buf_append_slice(&rw->out, tag ? SLICE("</") : SLICE("<!--"));
        buf_append_slice(&rw->out, buf_slice(&rw->name));
        buf_append_slice(&rw->out, tag ? SLICE(">") : SLICE("-->"));
    }
}

void html_rewriter_emit(struct html_rewriter *rw, bool removed)
{
    rw->emitted = true;
    if (rw->emits && !removed)
        html_unit_write(rw);
}

/* --- elements --- */

void html_rewriter_settle(struct html_rewriter *rw, bool remove_content, unsigned end_id)
{
    const uint64_t *matched;
    if (rw->event != HTML_EVENT_ELEMENT || !rw->has_content)
        return;
    struct html_open *open =
        html_matcher_at(rw->matcher, html_matcher_depth(rw->matcher) - 1, &matched);
    rw->n_removed += remove_content && !open->remove_content;
    open->remove_content = open->remove_content || remove_content;
    open->end_id = end_id;
}

unsigned html_rewriter_next_end(struct html_rewriter *rw)
{
    return rw->n_ends == 0 ? 0 : rw->ends[--rw->n_ends];
}

int html_rewriter_set_name(struct html_rewriter *rw, struct slice name)
{
    AUTO(buf_done) struct buf bytes = {0};
    int r = html_codec_encode_strict(rw->codec, name, &bytes);
    if (r < 0)
        return r;
    buf_clear(&rw->name);
    buf_append_slice(&rw->name, buf_slice(&bytes));
    rw->changed = rw->has_name = true;
    return 0;
}

void html_rewriter_name(struct html_rewriter *rw, struct buf *out)
{
    if (rw->has_name)
        html_codec_decode(rw->codec, buf_slice(&rw->name), out);
    else
        html_rewriter_decode(rw, rw->token->name, out);
}

void html_rewriter_opens(struct html_rewriter *rw)
{
    rw->opened = true;
}

/* --- attributes: the lexer's until one is changed, then copies --- */

static struct html_range unit_keep(struct html_rewriter *rw, struct slice bytes)
{
    size_t start = buf_len(&rw->memory);
    buf_append_slice(&rw->memory, bytes);
    return (struct html_range){start, start + bytes.len};
}

static struct html_changed *unit_add(struct html_rewriter *rw)
{
    if (rw->n_attributes == rw->cap_attributes) {
        rw->cap_attributes = MAX((size_t)16, rw->cap_attributes * 2);
        rw->attributes = mem_grow(rw->attributes, rw->cap_attributes * sizeof *rw->attributes);
    }
    return &rw->attributes[rw->n_attributes++];
}

static void unit_copy_attributes(struct html_rewriter *rw)
{
    if (rw->has_attributes)
        return;
    rw->has_attributes = true;
    rw->n_attributes = 0;
    for (size_t i = 0; i < rw->token->n_attributes; i++) {
        const struct html_attribute *a = &rw->token->attributes[i];
        struct html_changed copy = {
            .name = unit_keep(rw, unit_in(rw, a->name)),
            .value = unit_keep(rw, unit_in(rw, a->value)),
            .raw = unit_keep(rw, unit_in(rw, a->raw)),
        };
        *unit_add(rw) = copy;
    }
}

static struct slice unit_attribute_name(struct html_rewriter *rw, size_t i)
{
    return rw->has_attributes ? unit_memory(rw, rw->attributes[i].name)
                              : unit_in(rw, rw->token->attributes[i].name);
}

static size_t unit_n_attributes(struct html_rewriter *rw)
{
    return rw->has_attributes ? rw->n_attributes : rw->token->n_attributes;
}

int html_rewriter_attribute(struct html_rewriter *rw, size_t index, struct buf *out_name,
                            struct buf *out_value)
{
    if (index >= unit_n_attributes(rw))
        return -ENOENT;
    struct slice value = rw->has_attributes ? unit_memory(rw, rw->attributes[index].value)
                                            : unit_in(rw, rw->token->attributes[index].value);
    html_codec_decode(rw->codec, unit_attribute_name(rw, index), out_name);
    html_codec_decode(rw->codec, value, out_value);
    return 0;
}

static ssize_t unit_find(struct html_rewriter *rw, struct slice name)
{
    for (size_t i = 0; i < unit_n_attributes(rw); i++) {
        if (slice_eq_nocase(unit_attribute_name(rw, i), name))
            return (ssize_t)i;
    }
    return -ENOENT;
}

ssize_t html_rewriter_find(struct html_rewriter *rw, struct slice lower_name)
{
    AUTO(buf_done) struct buf name = {0};
    int r = html_codec_encode_strict(rw->codec, lower_name, &name);
    return r < 0 ? -ENOENT : unit_find(rw, buf_slice(&name));
}

int html_rewriter_set_attribute(struct html_rewriter *rw, struct slice lower_name,
                                struct slice value)
{
    AUTO(buf_done) struct buf name = {0}, bytes = {0};
    int r = html_codec_encode_strict(rw->codec, lower_name, &name);
    if (r < 0)
        return r;
    html_codec_encode(rw->codec, value, &bytes);
    unit_copy_attributes(rw);
    ssize_t at = unit_find(rw, buf_slice(&name));
    struct html_changed *a = at < 0 ? unit_add(rw) : &rw->attributes[at];
    if (at < 0)
        a->name = unit_keep(rw, buf_slice(&name));
    a->value = unit_keep(rw, buf_slice(&bytes));
    a->raw = (struct html_range){0};
    rw->changed = true;
    return 0;
}

void html_rewriter_remove_attribute(struct html_rewriter *rw, struct slice lower_name)
{
    AUTO(buf_done) struct buf name = {0};
    if (html_codec_encode_strict(rw->codec, lower_name, &name) < 0)
        return;
    for (ssize_t at = unit_find(rw, buf_slice(&name)); at >= 0;
         at = unit_find(rw, buf_slice(&name))) {
        unit_copy_attributes(rw);
        rw->n_attributes--;
        memmove(rw->attributes + at, rw->attributes + at + 1,
                (rw->n_attributes - (size_t)at) * sizeof *rw->attributes);
        rw->changed = true;
    }
}
