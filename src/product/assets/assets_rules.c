/*
 * A pattern is split at ':' and '*' into captures: ":name" takes one segment, "*" takes the rest under the
 * name "splat". Matching is by hand, left to right, with one '*' at most as the original allows.
 */
#include "product/assets/assets_rules.h"

#include "net/http.h"

#include <errno.h>

enum { CAPTURES_MAX = 16, SET_MAX = 64 };

struct capture {
    struct slice name, value;
};

struct captures {
    struct capture list[CAPTURES_MAX];
    size_t n;
};

struct redirect {
    struct slice from, to;
    int status;
    bool dynamic;
};

struct header_set {
    struct slice name, value;
    bool unset;
};

struct header_rule {
    struct slice pattern;
    size_t first, n; /* in sets */
};

struct assets_rules {
    struct arena arena;
    struct redirect *redirects;
    size_t n_redirects, n_dynamic;
    struct header_rule rules[ASSETS_HEADER_RULES_MAX];
    size_t n_rules;
    struct header_set *sets;
    size_t n_sets;
};

bool assets_glob_match(struct slice glob, struct slice path)
{
    size_t g = 0, p = 0, star = SIZE_MAX, back = 0;

    while (p < path.len) {
        if (g < glob.len && glob.ptr[g] == '*') {
            star = g++;
            back = p;
        } else if (g < glob.len && glob.ptr[g] == path.ptr[p]) {
            g++;
            p++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            p = ++back;
        } else {
            return false;
        }
    }
    while (g < glob.len && glob.ptr[g] == '*')
        g++;
    return g == glob.len;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void capture_add(struct captures *cs, struct slice name, struct slice value)
{
    if (cs->n < CAPTURES_MAX)
        cs->list[cs->n++] = (struct capture){name, value};
}

/* The ":name" at the start of pattern, without the colon; empty when it is only a colon. */
static struct slice placeholder_name(struct slice pattern)
{
    size_t n = 1;

    while (n < pattern.len && name_char(pattern.ptr[n]))
        n++;
    return slice_from(pattern.ptr + 1, n - 1);
}

static bool pattern_match(struct slice pattern, struct slice text, struct captures *cs)
{
    while (pattern.len != 0) {
        if (pattern.ptr[0] == '*') {
            struct slice tail = slice_skip(pattern, 1);
            if (!slice_ends(text, tail))
                return false;
            capture_add(cs, SLICE("splat"), slice_from(text.ptr, text.len - tail.len));
            return true;
        }
        struct slice name = pattern.ptr[0] == ':' ? placeholder_name(pattern) : SLICE_NONE;
        if (name.len != 0) {
            size_t n = 0;
            while (n < text.len && text.ptr[n] != '/')
                n++;
            if (n == 0)
                return false;
            capture_add(cs, name, slice_from(text.ptr, n));
            pattern = slice_skip(pattern, name.len + 1);
            text = slice_skip(text, n);
            continue;
        }
        if (text.len == 0 || text.ptr[0] != pattern.ptr[0])
            return false;
        pattern = slice_skip(pattern, 1);
        text = slice_skip(text, 1);
    }
    return text.len == 0;
}

/* "https://host/path" matches both parts; "/path" only the path. */
static bool rule_match(struct slice pattern, struct slice host, struct slice path,
                       struct captures *cs)
{
    cs->n = 0;
    if (!slice_starts(pattern, SLICE("https://")))
        return pattern_match(pattern, path, cs);

    struct slice rest = slice_skip(pattern, 8);
    ssize_t slash = slice_find(rest, '/');
    struct slice host_pattern = slash < 0 ? rest : slice_from(rest.ptr, (size_t)slash);
    struct slice path_pattern = slash < 0 ? SLICE("/") : slice_skip(rest, (size_t)slash);
    return pattern_match(host_pattern, host, cs) && pattern_match(path_pattern, path, cs);
}

static void substitute(struct buf *out, struct slice template, const struct captures *cs)
{
    for (size_t i = 0; i < template.len;) {
        struct slice rest = slice_skip(template, i);
        struct slice name = rest.ptr[0] == ':' ? placeholder_name(rest) : SLICE_NONE;
        const struct capture *found = NULL;
        for (size_t c = 0; name.len != 0 && c < cs->n; c++)
            if (slice_eq(cs->list[c].name, name))
                found = &cs->list[c];
        if (found != NULL) {
            buf_append_slice(out, found->value);
            i += name.len + 1;
        } else {
            buf_append_char(out, rest.ptr[0]);
            i++;
        }
    }
}

/* --- parsing --- */

static struct slice next_word(struct slice *line)
{
    *line = slice_trim(*line);
    size_t n = 0;
    while (n < line->len && line->ptr[n] != ' ' && line->ptr[n] != '\t')
        n++;
    struct slice word = slice_from(line->ptr, n);
    *line = slice_skip(*line, n);
    return word;
}

static bool pattern_ok(struct slice from)
{
    return from.len != 0 && (from.ptr[0] == '/' || slice_starts(from, SLICE("https://")));
}

static bool redirect_parse(struct slice line, struct redirect *ret)
{
    static const int statuses[] = {200, 301, 302, 303, 307, 308};
    struct slice from = next_word(&line), to = next_word(&line), status = next_word(&line);
    uint64_t code = 302;
    bool known = false;

    if (!pattern_ok(from) || to.len == 0 || (status.len != 0 && slice_to_u64(status, &code) < 0))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        known |= (int)code == statuses[i];
    bool wild = slice_find(from, '*') >= 0;
    bool loops = code == 200 && wild && slice_starts(to, SLICE("/index"));
    if (!known || loops || (code == 200 && to.ptr[0] != '/'))
        return false;
    struct slice path = slice_starts(from, SLICE("https://")) ? slice_skip(from, 8) : from;
    *ret = (struct redirect){from, to, (int)code, wild || slice_find(path, ':') >= 0};
    return true;
}

static bool next_line(struct slice *text, struct slice *ret)
{
    if (text->ptr == NULL || text->len == 0)
        return false;
    *ret = slice_cut(text, '\n');
    return true;
}

static void redirects_parse(struct assets_rules *rules, struct slice text)
{
    enum { MAX = ASSETS_REDIRECTS_STATIC_MAX + ASSETS_REDIRECTS_DYNAMIC_MAX };
    struct slice line;
    size_t n_static = 0;

    rules->redirects = mem_new(MAX * sizeof(*rules->redirects));
    while (next_line(&text, &line)) {
        struct redirect redirect;
        line = slice_trim(line);
        if (line.len == 0 || line.ptr[0] == '#' || line.len > ASSETS_LINE_MAX ||
            !redirect_parse(line, &redirect))
            continue;
        size_t *count = redirect.dynamic ? &rules->n_dynamic : &n_static;
        size_t most = redirect.dynamic ? ASSETS_REDIRECTS_DYNAMIC_MAX : ASSETS_REDIRECTS_STATIC_MAX;
        if (*count == most)
            continue;
        (*count)++;
        rules->redirects[rules->n_redirects++] = redirect;
    }
}

static void header_line(struct assets_rules *rules, struct slice line)
{
    struct header_set set = {0};

    if (rules->n_rules == 0 || rules->n_sets == ASSETS_HEADER_RULES_MAX * SET_MAX ||
        rules->rules[rules->n_rules - 1].n == SET_MAX)
        return;
    if (line.ptr[0] == '!') {
        set.unset = true;
        set.name = slice_trim(slice_skip(line, 1));
    } else {
        set.name = slice_trim(slice_cut(&line, ':'));
        set.value = slice_trim(line);
    }
    if (!http_name_ok(set.name) || !http_value_ok(set.value) || (!set.unset && set.value.len == 0))
        return;
    rules->sets[rules->n_sets++] = set;
    rules->rules[rules->n_rules - 1].n++;
}

static void headers_parse(struct assets_rules *rules, struct slice text)
{
    struct slice line;
    bool skipping = false;

    rules->sets = mem_new(ASSETS_HEADER_RULES_MAX * SET_MAX * sizeof(*rules->sets));
    while (next_line(&text, &line)) {
        bool indented = line.len != 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
        line = slice_trim(line);
        if (line.len == 0 || line.ptr[0] == '#' || line.len > ASSETS_LINE_MAX)
            continue;
        bool pattern = pattern_ok(line) && !indented;
        if (!pattern) {
            if (!skipping)
                header_line(rules, line);
            continue;
        }
        skipping = rules->n_rules == ASSETS_HEADER_RULES_MAX;
        if (!skipping)
            rules->rules[rules->n_rules++] = (struct header_rule){line, rules->n_sets, 0};
    }
}

struct assets_rules *assets_rules_parse(struct slice headers, struct slice redirects)
{
    struct assets_rules *rules = mem_new(sizeof(*rules));

    if (arena_copy(&rules->arena, headers.ptr, headers.len, &headers) == 0)
        headers_parse(rules, headers);
    if (arena_copy(&rules->arena, redirects.ptr, redirects.len, &redirects) == 0)
        redirects_parse(rules, redirects);
    return rules;
}

void assets_rules_destroy(struct assets_rules *rules)
{
    if (rules == NULL)
        return;
    mem_release(&rules->redirects);
    mem_release(&rules->sets);
    arena_done(&rules->arena);
    mem_release(&rules);
}

/* --- matching --- */

/* The target with captures put in, runs of '/' collapsed in relative ones, and the request's query unless
 * the target has its own. */
static int redirect_location(struct arena *arena, const struct redirect *redirect,
                             const struct captures *cs, struct slice query, struct slice *ret)
{
    AUTO(buf_done) struct buf raw = {0}, out = {0};

    substitute(&raw, redirect->to, cs);
    struct slice to = buf_slice(&raw), fragment = SLICE_NONE;
    ssize_t hash = slice_find(to, '#');
    if (hash >= 0) {
        fragment = slice_skip(to, (size_t)hash);
        to.len = (size_t)hash;
    }
    for (size_t i = 0; i < to.len; i++)
        if (!(to.ptr[0] == '/' && i > 0 && to.ptr[i] == '/' && to.ptr[i - 1] == '/'))
            buf_append_char(&out, to.ptr[i]);
    if (query.len != 0 && slice_find(to, '?') < 0) {
        buf_append_char(&out, '?');
        buf_append_slice(&out, query);
    }
    buf_append_slice(&out, fragment);
    return arena_copy(arena, buf_slice(&out).ptr, buf_len(&out), ret);
}

int assets_redirect_match(struct arena *arena, const struct assets_rules *rules, struct slice host,
                          struct slice path, struct slice query, struct assets_redirect *ret)
{
    struct captures cs = {.n = 0};

    *ret = (struct assets_redirect){0};
    for (int dynamic = 0; dynamic <= 1; dynamic++)
        for (size_t i = 0; i < rules->n_redirects; i++) {
            const struct redirect *redirect = &rules->redirects[i];
            if (redirect->dynamic != dynamic || !rule_match(redirect->from, host, path, &cs))
                continue;
            ret->status = redirect->status;
            return redirect_location(arena, redirect, &cs, query, &ret->location);
        }
    return 0;
}

static void block_remove(struct buf *block, struct slice name)
{
    AUTO(buf_done) struct buf kept = {0};
    struct slice rest = buf_slice(block), n, v;

    while (http_header_next(&rest, &n, &v))
        if (!slice_eq_nocase(n, name))
            http_header_add(&kept, n, v);
    buf_clear(block);
    buf_append_slice(block, buf_slice(&kept));
}

static bool set_before(const struct slice *names, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(names[i], name))
            return true;
    return false;
}

static void header_set_apply(const struct header_set *set, const struct captures *cs, bool append,
                             struct buf *block)
{
    AUTO(buf_done) struct buf value = {0}, lower = {0};

    for (size_t i = 0; i < set->name.len; i++) {
        char c = set->name.ptr[i];
        buf_append_char(&lower, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    if (set->unset || !append)
        block_remove(block, buf_slice(&lower));
    if (set->unset)
        return;
    substitute(&value, set->value, cs);
    if (http_value_ok(buf_slice(&value)))
        http_header_add(block, buf_slice(&lower), buf_slice(&value));
}

void assets_headers_apply(const struct assets_rules *rules, struct slice host, struct slice path,
                          struct buf *block)
{
    struct slice set_names[SET_MAX];
    size_t n_set = 0;

    for (size_t i = 0; i < rules->n_rules; i++) {
        const struct header_rule *rule = &rules->rules[i];
        struct captures cs = {.n = 0};
        if (!rule_match(rule->pattern, host, path, &cs))
            continue;
        for (int unset = 1; unset >= 0; unset--)
            for (size_t k = 0; k < rule->n; k++) {
                const struct header_set *set = &rules->sets[rule->first + k];
                if (set->unset != unset)
                    continue;
                header_set_apply(set, &cs, set_before(set_names, n_set, set->name), block);
                if (!unset && n_set < SET_MAX)
                    set_names[n_set++] = set->name;
            }
    }
}
