#include "product/assets/assets_path.h"

#include "core/buf.h"
#include "core/id.h"

#include <errno.h>

/* What to look for, built from `base`: the path without its ending. */
enum file { F_EXACT, F_DOT_HTML, F_DIR_INDEX };
enum dest { D_SERVE, D_BASE, D_SLASH };

struct rule {
    enum file file;
    enum dest dest;
    bool root_only;
    bool used;
};

enum ending { E_INDEX, E_INDEX_HTML, E_SLASH, E_HTML, E_ANY, E_COUNT };
enum { RULES_MAX = 4 };

#define SERVE(f)                                                                                   \
    {                                                                                              \
        F_##f, D_SERVE, false, true                                                                \
    }
#define GOTO(f, d)                                                                                 \
    {                                                                                              \
        F_##f, D_##d, false, true                                                                  \
    }
#define ROOT(f, d)                                                                                 \
    {                                                                                              \
        F_##f, D_##d, true, true                                                                   \
    }

/* The rows are tried from left to right; when none of an ending fits, E_ANY is tried. */
static const struct rule rules[][E_COUNT][RULES_MAX] =
    {
        [ASSETS_AUTO_SLASH] =
            {
                [E_INDEX] = {SERVE(EXACT), GOTO(DIR_INDEX, SLASH), GOTO(DOT_HTML, BASE)},
                [E_INDEX_HTML] = {GOTO(DIR_INDEX, SLASH), GOTO(DOT_HTML, BASE)},
                [E_SLASH] = {SERVE(DIR_INDEX), GOTO(DOT_HTML, BASE)},
                [E_HTML] = {GOTO(DOT_HTML, BASE), GOTO(DIR_INDEX, SLASH)},
                [E_ANY] = {SERVE(EXACT), SERVE(DOT_HTML), GOTO(DIR_INDEX, SLASH)},
            },
        [ASSETS_FORCE_SLASH] =
            {
                [E_INDEX] = {SERVE(EXACT), GOTO(DIR_INDEX, SLASH), GOTO(DOT_HTML, SLASH)},
                [E_INDEX_HTML] = {GOTO(DIR_INDEX, SLASH), GOTO(DOT_HTML, SLASH)},
                [E_SLASH] = {SERVE(DIR_INDEX), SERVE(DOT_HTML)},
                [E_HTML] = {GOTO(DOT_HTML, SLASH), SERVE(EXACT), GOTO(DIR_INDEX, SLASH)},
                [E_ANY] = {SERVE(EXACT), GOTO(DOT_HTML, SLASH), GOTO(DIR_INDEX, SLASH)},
            },
        [ASSETS_DROP_SLASH] =
            {
                [E_INDEX] = {SERVE(EXACT), ROOT(DIR_INDEX, SLASH), GOTO(DOT_HTML, BASE),
                             GOTO(DIR_INDEX, BASE)},
                [E_INDEX_HTML] = {ROOT(DIR_INDEX, SLASH), GOTO(DIR_INDEX, BASE), SERVE(EXACT),
                                  GOTO(DOT_HTML, BASE)},
                [E_SLASH] = {ROOT(DIR_INDEX, SERVE), GOTO(DOT_HTML, BASE), GOTO(DIR_INDEX, BASE)},
                [E_HTML] = {GOTO(DOT_HTML, BASE), GOTO(DIR_INDEX, BASE)},
                [E_ANY] = {SERVE(EXACT), SERVE(DOT_HTML), SERVE(DIR_INDEX)},
            },
        [ASSETS_HTML_NONE] = {[E_ANY] = {SERVE(EXACT)}},
};

static const struct {
    enum ending ending;
    struct slice text;
} endings[] = {
    {E_INDEX_HTML, {"/index.html", 11}},
    {E_INDEX, {"/index", 6}},
    {E_SLASH, {"/", 1}},
    {E_HTML, {".html", 5}},
};

static const char *const html_names[] = {"auto-trailing-slash", "force-trailing-slash",
                                         "drop-trailing-slash", "none"};
static const char *const missing_names[] = {"none", "single-page-application", "404-page"};

enum assets_html assets_html_of(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(html_names); i++)
        if (slice_eq(name, slice_of(html_names[i])))
            return (enum assets_html)i;
    return ASSETS_AUTO_SLASH;
}

enum assets_missing assets_missing_of(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(missing_names); i++)
        if (slice_eq(name, slice_of(missing_names[i])))
            return (enum assets_missing)i;
    return ASSETS_MISSING_NONE;
}

/* Decoded paths may hold zero bytes: no printf here. */
static int join(struct arena *arena, struct slice a, const char *b, struct slice *ret)
{
    size_t n = strlen(b);
    char *text = arena_alloc(arena, a.len + n);

    if (text == NULL)
        return -ENOMEM;
    if (a.len > 0)
        memcpy(text, a.ptr, a.len);
    memcpy(text + a.len, b, n);
    *ret = slice_from(text, a.len + n);
    return 0;
}

static int rule_file(struct arena *arena, enum file file, struct slice path, struct slice base,
                     struct slice *ret)
{
    if (file == F_EXACT) {
        *ret = path;
        return 0;
    }
    return join(arena, base, file == F_DOT_HTML ? ".html" : "/index.html", ret);
}

static int resolve(struct arena *arena, const struct assets_tree *tree, struct slice path,
                   bool redirects, struct assets_intent *ret);

/* A redirect is only given when the place it leads to serves exactly this file, without a loop. */
static int redirect_to(struct arena *arena, const struct assets_tree *tree, struct slice file,
                       struct slice dest, struct assets_intent *ret)
{
    struct assets_intent there = {0};

    if (tree->exists(tree->arg, dest))
        return 0;
    int r = resolve(arena, tree, dest, false, &there);
    if (r < 0)
        return r;
    if (there.what == ASSETS_FILE && slice_eq(there.path, file))
        *ret = (struct assets_intent){ASSETS_REDIRECT, 307, dest};
    return 0;
}

static int rule_try(struct arena *arena, const struct assets_tree *tree, const struct rule *rule,
                    struct slice path, struct slice base, struct assets_intent *ret)
{
    struct slice file, dest = base;

    int r = rule_file(arena, rule->file, path, base, &file);
    if (r < 0 || !tree->exists(tree->arg, file))
        return r;
    if (rule->dest == D_SERVE) {
        *ret = (struct assets_intent){ASSETS_FILE, 200, file};
        return 0;
    }
    if (rule->dest == D_SLASH || base.len == 0)
        r = join(arena, base, "/", &dest);
    return r < 0 ? r : redirect_to(arena, tree, file, dest, ret);
}

static int resolve_ending(struct arena *arena, const struct assets_tree *tree, enum ending ending,
                          struct slice path, bool redirects, struct assets_intent *ret)
{
    struct slice base = path;

    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (endings[i].ending == ending)
            base.len -= endings[i].text.len;
    for (size_t i = 0; i < RULES_MAX && ret->what == ASSETS_NOTHING; i++) {
        const struct rule *rule = &rules[tree->html][ending][i];
        if (!rule->used)
            break;
        if ((rule->root_only && base.len != 0) || (rule->dest != D_SERVE && !redirects))
            continue;
        int r = rule_try(arena, tree, rule, path, base, ret);
        if (r < 0)
            return r;
    }
    return 0;
}

static int resolve(struct arena *arena, const struct assets_tree *tree, struct slice path,
                   bool redirects, struct assets_intent *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        if (!slice_ends(path, endings[i].text))
            continue;
        int r = resolve_ending(arena, tree, endings[i].ending, path, redirects, ret);
        if (r < 0 || ret->what != ASSETS_NOTHING)
            return r;
        break;
    }
    return resolve_ending(arena, tree, E_ANY, path, redirects, ret);
}

/* The nearest 404.html, from the path's directory upwards. */
static int missing_page(struct arena *arena, const struct assets_tree *tree, struct slice path,
                        struct assets_intent *ret)
{
    while (path.len > 0) {
        struct slice page;
        while (path.len > 0 && path.ptr[path.len - 1] != '/')
            path.len--;
        if (path.len > 0)
            path.len--;
        int r = join(arena, path, "/404.html", &page);
        if (r < 0)
            return r;
        if (tree->exists(tree->arg, page)) {
            *ret = (struct assets_intent){ASSETS_FILE, 404, page};
            return 0;
        }
    }
    return 0;
}

int assets_resolve(struct arena *arena, const struct assets_tree *tree, struct slice path,
                   struct assets_intent *ret)
{
    *ret = (struct assets_intent){0};
    int r = resolve(arena, tree, path, true, ret);
    if (r < 0 || ret->what != ASSETS_NOTHING)
        return r;
    if (tree->missing == ASSETS_MISSING_PAGE)
        return missing_page(arena, tree, path, ret);
    if (tree->missing == ASSETS_MISSING_SPA && tree->exists(tree->arg, SLICE("/index.html")))
        *ret = (struct assets_intent){ASSETS_FILE, 200, SLICE("/index.html")};
    return 0;
}

/* Well-formed UTF-8 without overlong forms or surrogates (RFC 3629 section 4). */
static bool utf8_ok(struct slice s)
{
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t n = c < 0x80 ? 1 : (c >> 5) == 6 ? 2 : (c >> 4) == 14 ? 3 : (c >> 3) == 30 ? 4 : 0;
        if (n == 0 || i + n > s.len)
            return false;
        uint32_t point = n == 1 ? c : c & (0x7fu >> n);
        for (size_t j = 1; j < n; j++) {
            unsigned char d = (unsigned char)s.ptr[i + j];
            if ((d & 0xc0) != 0x80)
                return false;
            point = point << 6 | (d & 0x3f);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
        i += n;
    }
    return true;
}

static void decode_segment(struct buf *out, struct slice segment)
{
    AUTO(buf_done) struct buf decoded = {0};
    bool ok = true;

    for (size_t i = 0; i < segment.len && ok; i++) {
        uint8_t byte;
        if (segment.ptr[i] != '%') {
            buf_append_char(&decoded, segment.ptr[i]);
            continue;
        }
        ok = i + 2 < segment.len && hex_decode(slice_from(segment.ptr + i + 1, 2), &byte, 1) == 0;
        if (ok)
            buf_append_char(&decoded, (char)byte);
        i += 2;
    }
    buf_append_slice(out, ok && utf8_ok(buf_slice(&decoded)) ? buf_slice(&decoded) : segment);
}

static void encode_segment(struct buf *out, struct slice segment)
{
    static const char plain[] = "-_.!~*'()";

    for (size_t i = 0; i < segment.len; i++) {
        char c = segment.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (letter || (c != '\0' && strchr(plain, c) != NULL))
            buf_append_char(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned char)c);
    }
}

static int each_segment(struct arena *arena, struct slice path, bool collapse,
                        void (*fn)(struct buf *, struct slice), struct slice *ret)
{
    AUTO(buf_done) struct buf out = {0};

    while (path.ptr != NULL) {
        struct slice segment = slice_cut(&path, '/');
        fn(&out, segment);
        struct slice so_far = buf_slice(&out);
        if (path.ptr != NULL && !(collapse && slice_ends(so_far, SLICE("/"))))
            buf_append_char(&out, '/');
    }
    return arena_copy(arena, buf_slice(&out).ptr, buf_len(&out), ret);
}

int assets_decode(struct arena *arena, struct slice path, struct slice *ret)
{
    return each_segment(arena, path, true, decode_segment, ret);
}

int assets_encode(struct arena *arena, struct slice path, struct slice *ret)
{
    return each_segment(arena, path, false, encode_segment, ret);
}
