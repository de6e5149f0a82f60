/*
 * Parsing, serialising and the getters.
 *
 * The standard's state machine goes byte by byte; here the same states are functions that each take
 * their part of the input at once: scheme, authority, path, query, fragment. What they find is a
 * `struct url_parts` (the standard's URL record); url_compose() serialises it and keeps the offsets.
 * https://url.spec.whatwg.org/#concept-basic-url-parser
 */
#include "net/url_impl.h"

#include "net/http_token.h"

#include <errno.h>
#include <stdio.h>

static const struct {
    struct slice name;
    uint32_t port;
} url_schemes[] = {
    [URL_NOT_SPECIAL] = {{"", 0}, URL_NONE},
    [URL_FILE] = {{"file", 4}, URL_NONE},
    [URL_FTP] = {{"ftp", 3}, 21},
    [URL_HTTP] = {{"http", 4}, 80},
    [URL_HTTPS] = {{"https", 5}, 443},
    [URL_WS] = {{"ws", 2}, 80},
    [URL_WSS] = {{"wss", 3}, 443},
};

enum url_scheme url_scheme_of(struct slice scheme)
{
    for (size_t i = URL_FILE; i < ARRAY_LEN(url_schemes); i++) {
        if (slice_eq(scheme, url_schemes[i].name))
            return (enum url_scheme)i;
    }
    return URL_NOT_SPECIAL;
}

uint32_t url_default_port(enum url_scheme kind)
{
    return url_schemes[kind].port;
}

/* --- the parser --- */

struct url_parser {
    struct arena *arena;
    const struct url_parts *base; /* NULL: none */
    struct slice rest;
    struct url_parts out;
};

static bool url_is_special(const struct url_parser *p)
{
    return p->out.kind != URL_NOT_SPECIAL;
}

static bool url_at(const struct url_parser *p, size_t i, char c)
{
    return p->rest.len > i && p->rest.ptr[i] == c;
}

/* "/", and "\" where the scheme is special. */
static bool url_at_slash(const struct url_parser *p, size_t i)
{
    return url_at(p, i, '/') || (url_is_special(p) && url_at(p, i, '\\'));
}

static void url_skip(struct url_parser *p, size_t n)
{
    p->rest = slice_skip(p->rest, n);
}

/* What ends a part of a URL. */
enum { END_HASH = 1, END_QUESTION = 2, END_SLASH = 4, END_BACKSLASH = 8 };
enum { END_PATH = END_HASH | END_QUESTION, END_AUTHORITY = END_PATH | END_SLASH };

/* Takes the input up to the first byte that is one of `ends`. */
static struct slice url_take_until(struct url_parser *p, unsigned ends)
{
    static const uint8_t kinds[256] = {
        ['#'] = END_HASH, ['?'] = END_QUESTION, ['/'] = END_SLASH, ['\\'] = END_BACKSLASH};
    size_t n = 0;

    while (n < p->rest.len && (kinds[(uint8_t)p->rest.ptr[n]] & ends) == 0)
        n++;
    struct slice taken = {p->rest.ptr, n};
    url_skip(p, n);
    return taken;
}

static struct slice url_take_authority_text(struct url_parser *p)
{
    return url_take_until(p, END_AUTHORITY | (url_is_special(p) ? END_BACKSLASH : 0));
}

static int url_read_fragment(struct url_parser *p)
{
    if (!url_at(p, 0, '#'))
        return 0;
    p->out.has_fragment = true;
    return url_encode(p->arena, slice_skip(p->rest, 1), URL_SET_FRAGMENT, &p->out.fragment);
}

/* What may stand behind a path: "?..." and "#...". */
static int url_read_query(struct url_parser *p)
{
    if (url_at(p, 0, '?')) {
        url_skip(p, 1);
        enum url_set set = url_is_special(p) ? URL_SET_SPECIAL_QUERY : URL_SET_QUERY;
        p->out.has_query = true;
        int r = url_encode(p->arena, url_take_until(p, END_HASH), set, &p->out.query);
        if (r < 0)
            return r;
    }
    return url_read_fragment(p);
}

bool url_is_drive_letter(struct slice s)
{
    char c = s.len == 2 ? (char)(s.ptr[0] | 0x20) : '\0';

    return c >= 'a' && c <= 'z' && (s.ptr[1] == ':' || s.ptr[1] == '|');
}

bool url_starts_with_drive_letter(struct slice s)
{
    return s.len >= 2 && url_is_drive_letter(slice_from(s.ptr, 2)) &&
           (s.len == 2 || strchr("/\\?#", s.ptr[2]) != NULL) && (s.len == 2 || s.ptr[2] != '\0');
}

struct slice url_path_shorten(enum url_scheme kind, struct slice path)
{
    size_t n = path.len;

    if (kind == URL_FILE && path.len == 3 && path.ptr[2] == ':' &&
        url_is_drive_letter(slice_skip(path, 1)))
        return path;
    while (n > 0 && path.ptr[n - 1] != '/')
        n--;
    return slice_from(path.ptr, n > 0 ? n - 1 : 0);
}

/* 1 for ".", 2 for "..", with dots written as %2e as well; 0 for anything else. */
static int url_dots(struct slice segment)
{
    int n = 0;

    while (segment.len > 0 && n < 3) {
        struct slice escape = {segment.ptr, MIN((size_t)3, segment.len)};
        if (segment.ptr[0] == '.')
            segment = slice_skip(segment, 1);
        else if (slice_eq_nocase(escape, SLICE("%2e")))
            segment = slice_skip(segment, 3);
        else
            return 0;
        n++;
    }
    return n <= 2 ? n : 0;
}

/* Appends one segment to the path that ends at `end`; returns the new end. */
static char *url_put_segment(enum url_scheme kind, char *path, char *end, struct slice segment)
{
    bool is_first = end == path;

    *end++ = '/';
    if (segment.len > 0)
        memcpy(end, segment.ptr, segment.len);
    if (kind == URL_FILE && is_first && url_is_drive_letter(segment))
        end[1] = ':';
    return end + segment.len;
}

static char *url_put_segments(enum url_scheme kind, char *path, char *end, struct slice in)
{
    for (bool more = true; more;) {
        size_t n = 0;
        while (n < in.len && in.ptr[n] != '/' && !(kind != URL_NOT_SPECIAL && in.ptr[n] == '\\'))
            n++;
        struct slice segment = {in.ptr, n};
        more = n < in.len;
        in = slice_skip(in, n + 1);

        int dots = url_dots(segment);
        if (dots == 2)
            end = path + url_path_shorten(kind, slice_from(path, (size_t)(end - path))).len;
        if (dots == 0)
            end = url_put_segment(kind, path, end, segment);
        else if (!more)
            *end++ = '/';
    }
    return end;
}

int url_path(struct arena *arena, enum url_scheme kind, struct slice base, struct slice in,
             struct slice *ret)
{
    struct slice encoded;

    int r = url_encode(arena, in, URL_SET_PATH, &encoded);
    if (r < 0)
        return r;
    char *path = arena_alloc(arena, base.len + encoded.len + 2);
    if (path == NULL)
        return -ENOMEM;
    if (base.len > 0)
        memcpy(path, base.ptr, base.len);
    char *end = url_put_segments(kind, path, path + base.len, encoded);
    *ret = slice_from(path, (size_t)(end - path));
    return 0;
}

/* Path state: the rest up to the query belongs behind `base`. */
static int url_read_path(struct url_parser *p, struct slice base)
{
    struct slice in = url_take_until(p, END_PATH);

    int r = url_path(p->arena, p->out.kind, base, in, &p->out.path);
    return r < 0 ? r : url_read_query(p);
}

/* Path start state. */
static int url_read_path_start(struct url_parser *p)
{
    if (!url_is_special(p) && (p->rest.len == 0 || url_at(p, 0, '?') || url_at(p, 0, '#')))
        return url_read_query(p);
    if (url_at_slash(p, 0))
        url_skip(p, 1);
    return url_read_path(p, SLICE_NONE);
}

static int url_read_credentials(struct url_parser *p, struct slice in)
{
    struct slice password = in, username = slice_cut(&password, ':');

    int r = url_encode(p->arena, username, URL_SET_USERINFO, &p->out.username);
    return r < 0 ? r : url_encode(p->arena, password, URL_SET_USERINFO, &p->out.password);
}

int url_parse_port(struct slice digits, enum url_scheme kind, uint32_t *ret)
{
    uint32_t port = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (!http_is_digit(digits.ptr[i]))
            return -EBADMSG;
        port = port * 10 + (uint32_t)(digits.ptr[i] - '0');
        if (port > UINT16_MAX)
            return -EBADMSG;
    }
    *ret = digits.len == 0 || port == url_default_port(kind) ? URL_NONE : port;
    return 0;
}

/* The first ":" outside of brackets, or the length. */
static size_t url_find_port(struct slice in)
{
    bool inside = false;

    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] == ':' && !inside)
            return i;
        if (in.ptr[i] == '[')
            inside = true;
        else if (in.ptr[i] == ']')
            inside = false;
    }
    return in.len;
}

static int url_read_host_and_port(struct url_parser *p, struct slice in)
{
    size_t colon = url_find_port(in);
    struct slice host = {in.ptr, colon};

    if (host.len == 0 && (url_is_special(p) || colon < in.len))
        return -EBADMSG;
    p->out.has_host = true;
    int r = host.len == 0 ? 0 : url_parse_host(p->arena, host, url_is_special(p), &p->out.host);
    return r < 0 ? r : url_parse_port(slice_skip(in, colon + 1), p->out.kind, &p->out.port);
}

/* Authority state; the rest stands behind "//". */
static int url_read_authority(struct url_parser *p)
{
    struct slice in = url_take_authority_text(p);
    size_t at = in.len;

    while (at > 0 && in.ptr[at - 1] != '@')
        at--;
    if (at > 0) {
        if (at == in.len)
            return -EBADMSG;
        int r = url_read_credentials(p, slice_from(in.ptr, at - 1));
        if (r < 0)
            return r;
    }
    int r = url_read_host_and_port(p, slice_skip(in, at));
    return r < 0 ? r : url_read_path_start(p);
}

/* Special authority ignore slashes state. */
static int url_read_special_authority(struct url_parser *p)
{
    while (url_at_slash(p, 0))
        url_skip(p, 1);
    return url_read_authority(p);
}

static void url_take_authority(struct url_parser *p)
{
    p->out.username = p->base->username;
    p->out.password = p->base->password;
    p->out.host = p->base->host;
    p->out.has_host = p->base->has_host;
    p->out.port = p->base->port;
}

/* Relative slash state; "/" was seen and is still there. */
static int url_read_relative_slash(struct url_parser *p)
{
    if (url_is_special(p) && url_at_slash(p, 1))
        return url_read_special_authority(p);
    if (url_at(p, 1, '/')) {
        url_skip(p, 2);
        return url_read_authority(p);
    }
    url_take_authority(p);
    url_skip(p, 1);
    return url_read_path(p, SLICE_NONE);
}

/* What both relative and file state do without a slash: the base's path and query, unless given. */
static int url_read_from_base(struct url_parser *p, struct slice base_path)
{
    p->out.path = p->base->path;
    if (p->rest.len > 0 && !url_at(p, 0, '?') && !url_at(p, 0, '#'))
        return url_read_path(p, base_path);
    if (!url_at(p, 0, '?')) {
        p->out.query = p->base->query;
        p->out.has_query = p->base->has_query;
    }
    return url_read_query(p);
}

/* Relative state. */
static int url_read_relative(struct url_parser *p)
{
    p->out.scheme = p->base->scheme;
    p->out.kind = p->base->kind;
    if (url_at_slash(p, 0))
        return url_read_relative_slash(p);
    url_take_authority(p);
    return url_read_from_base(p, url_path_shorten(p->out.kind, p->base->path));
}

/* File host state; the rest stands behind "//". */
static int url_read_file_host(struct url_parser *p)
{
    struct url_parser before = *p;
    struct slice in = url_take_authority_text(p);

    if (url_is_drive_letter(in)) {
        p->rest = before.rest;
        return url_read_path(p, SLICE_NONE);
    }
    if (in.len > 0) {
        int r = url_parse_host(p->arena, in, true, &p->out.host);
        if (r < 0)
            return r;
        if (slice_eq(p->out.host, SLICE("localhost")))
            p->out.host = SLICE_NONE;
    }
    return url_read_path_start(p);
}

static bool url_base_is_file(const struct url_parser *p)
{
    return p->base != NULL && p->base->kind == URL_FILE;
}

/* File slash state; one slash was seen and skipped. */
static int url_read_file_slash(struct url_parser *p)
{
    struct slice path = SLICE_NONE;

    if (url_at_slash(p, 0)) {
        url_skip(p, 1);
        return url_read_file_host(p);
    }
    if (url_base_is_file(p)) {
        struct slice base = p->base->path;
        bool has_drive = base.len >= 3 && base.ptr[2] == ':' &&
                         url_is_drive_letter(slice_from(base.ptr + 1, 2)) &&
                         (base.len == 3 || base.ptr[3] == '/');
        p->out.host = p->base->host;
        if (has_drive && !url_starts_with_drive_letter(p->rest))
            path = slice_from(base.ptr, 3);
    }
    return url_read_path(p, path);
}

/* File state. */
static int url_read_file(struct url_parser *p)
{
    p->out.scheme = SLICE("file");
    p->out.kind = URL_FILE;
    p->out.has_host = true;
    if (url_at_slash(p, 0)) {
        url_skip(p, 1);
        return url_read_file_slash(p);
    }
    if (!url_base_is_file(p))
        return url_read_path(p, SLICE_NONE);

    p->out.host = p->base->host;
    struct slice base = url_starts_with_drive_letter(p->rest)
                            ? SLICE_NONE
                            : url_path_shorten(URL_FILE, p->base->path);
    return url_read_from_base(p, base);
}

/* Opaque path state. A blank before the query or fragment would be lost with them, so that one is
 * escaped. */
static int url_read_opaque(struct url_parser *p)
{
    struct slice in = url_take_until(p, END_PATH), encoded;
    bool escapes = in.len > 0 && in.ptr[in.len - 1] == ' ' && p->rest.len > 0;

    p->out.opaque = true;
    in.len -= escapes;
    int r = url_encode(p->arena, in, URL_SET_C0, &encoded);
    if (r < 0)
        return r;
    p->out.path = encoded;
    if (escapes) {
        char *text = arena_printf(p->arena, "%.*s%%20", SLICE_ARG(encoded));
        if (text == NULL)
            return -ENOMEM;
        p->out.path = slice_from(text, encoded.len + 3);
    }
    return url_read_query(p);
}

/* What follows "scheme:". */
static int url_read_after_scheme(struct url_parser *p)
{
    if (p->out.kind == URL_FILE)
        return url_read_file(p);
    if (url_is_special(p)) {
        bool same = p->base != NULL && p->base->kind == p->out.kind;
        if (same && !(url_at(p, 0, '/') && url_at(p, 1, '/')))
            return url_read_relative(p);
        return url_read_special_authority(p);
    }
    if (!url_at(p, 0, '/'))
        return url_read_opaque(p);
    url_skip(p, 1);
    if (!url_at(p, 0, '/'))
        return url_read_path(p, SLICE_NONE);
    url_skip(p, 1);
    return url_read_authority(p);
}

/* No scheme state. */
static int url_read_without_scheme(struct url_parser *p)
{
    if (p->base == NULL || (p->base->opaque && !url_at(p, 0, '#')))
        return -EBADMSG;
    if (!p->base->opaque)
        return p->base->kind == URL_FILE ? url_read_file(p) : url_read_relative(p);

    p->out = *p->base;
    p->out.has_fragment = false;
    return url_read_fragment(p);
}

/* Scheme state: 1 and the scheme in lower case, or 0. */
static int url_read_scheme(struct url_parser *p)
{
    size_t n = 0;

    while (n < p->rest.len && (http_is_alnum(p->rest.ptr[n]) || url_at(p, n, '+') ||
                               url_at(p, n, '-') || url_at(p, n, '.')))
        n++;
    if (n == 0 || !url_at(p, n, ':') || http_is_digit(p->rest.ptr[0]) ||
        !http_is_alnum(p->rest.ptr[0]))
        return 0;
    char *text = arena_alloc(p->arena, n);
    if (text == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        text[i] = http_lower(p->rest.ptr[i]);
    p->out.scheme = slice_from(text, n);
    p->out.kind = url_scheme_of(p->out.scheme);
    url_skip(p, n + 1);
    return 1;
}

static struct slice url_trim(struct slice in)
{
    while (in.len > 0 && (uint8_t)in.ptr[0] <= 0x20)
        in = slice_skip(in, 1);
    while (in.len > 0 && (uint8_t)in.ptr[in.len - 1] <= 0x20)
        in.len--;
    return in;
}

int url_parse(struct arena *arena, struct slice input, const struct url *base, struct url *ret)
{
    struct url_parts base_parts;
    struct url_parser p = {.arena = arena, .out.port = URL_NONE};

    if (input.len > URL_MAX)
        return -EBADMSG;
    if (base != NULL) {
        url_take_apart(base, &base_parts);
        p.base = &base_parts;
    }
    int r = url_without_newlines(arena, url_trim(input), &p.rest);
    if (r == 0)
        r = url_read_scheme(&p);
    if (r >= 0)
        r = r > 0 ? url_read_after_scheme(&p) : url_read_without_scheme(&p);
    return r < 0 ? r : url_compose(arena, &p.out, ret);
}

/* --- serialising --- */

static void url_put(char **p, struct slice s)
{
    if (s.len > 0)
        memcpy(*p, s.ptr, s.len);
    *p += s.len;
}

static void url_put_port(char **p, uint32_t port)
{
    char digits[8];
    size_t n = sizeof(digits);

    for (uint32_t left = port; n == sizeof(digits) || left > 0; left /= 10)
        digits[--n] = (char)('0' + left % 10);
    url_put(p, SLICE(":"));
    url_put(p, slice_from(digits + n, sizeof(digits) - n));
}

static void url_put_authority(char **p, const char *start, const struct url_parts *parts,
                              struct url *u)
{
    url_put(p, SLICE("//"));
    url_put(p, parts->username);
    u->username_end = (uint32_t)(*p - start);
    if (parts->password.len > 0) {
        url_put(p, SLICE(":"));
        url_put(p, parts->password);
    }
    if (parts->username.len + parts->password.len > 0)
        url_put(p, SLICE("@"));
    u->host_start = (uint32_t)(*p - start);
    url_put(p, parts->host);
    u->host_end = (uint32_t)(*p - start);
    if (parts->port != URL_NONE)
        url_put_port(p, parts->port);
}

static size_t url_length(const struct url_parts *parts)
{
    return parts->scheme.len + parts->username.len + parts->password.len + parts->host.len +
           parts->path.len + parts->query.len + parts->fragment.len + 32;
}

int url_compose(struct arena *arena, const struct url_parts *parts, struct url *ret)
{
    size_t size = url_length(parts);
    char *start = size > 4 * (size_t)URL_MAX ? NULL : arena_alloc(arena, size), *p = start;
    struct url u = {.query_start = URL_NONE, .fragment_start = URL_NONE};

    if (start == NULL)
        return -ENOMEM;
    url_put(&p, parts->scheme);
    url_put(&p, SLICE(":"));
    u.scheme_end = u.username_end = u.host_start = u.host_end = (uint32_t)(p - start);
    if (parts->has_host)
        url_put_authority(&p, start, parts, &u);
    else if (!parts->opaque && slice_starts(parts->path, SLICE("//")))
        url_put(&p, SLICE("/.")); /* else the path would read as an authority */
    u.path_start = (uint32_t)(p - start);
    url_put(&p, parts->path);
    if (parts->has_query) {
        u.query_start = (uint32_t)(p - start);
        url_put(&p, SLICE("?"));
        url_put(&p, parts->query);
    }
    if (parts->has_fragment) {
        u.fragment_start = (uint32_t)(p - start);
        url_put(&p, SLICE("#"));
        url_put(&p, parts->fragment);
    }
    u.port = parts->port;
    u.has_host = parts->has_host;
    u.opaque_path = parts->opaque;
    u.href = slice_from(start, (size_t)(p - start));
    *ret = u;
    return 0;
}

/* --- getters --- */

static struct slice url_part(const struct url *u, uint32_t from, uint32_t to)
{
    return slice_from(u->href.ptr + from, to - from);
}

static uint32_t url_end_of_path(const struct url *u)
{
    uint32_t end = u->query_start != URL_NONE ? u->query_start : u->fragment_start;

    return end != URL_NONE ? end : (uint32_t)u->href.len;
}

static uint32_t url_end_of_query(const struct url *u)
{
    return u->fragment_start != URL_NONE ? u->fragment_start : (uint32_t)u->href.len;
}

struct slice url_protocol(const struct url *u)
{
    return url_part(u, 0, u->scheme_end);
}

struct slice url_username(const struct url *u)
{
    return u->has_host ? url_part(u, u->scheme_end + 2, u->username_end) : SLICE_NONE;
}

struct slice url_password(const struct url *u)
{
    /* "user:password@": the "@" is there even when only one of both is. */
    if (!u->has_host || u->host_start - u->username_end < 2)
        return SLICE_NONE;
    return url_part(u, u->username_end + 1, u->host_start - 1);
}

struct slice url_hostname(const struct url *u)
{
    return url_part(u, u->host_start, u->host_end);
}

struct slice url_host(const struct url *u)
{
    return url_part(u, u->host_start, u->port == URL_NONE ? u->host_end : u->path_start);
}

struct slice url_port(const struct url *u)
{
    return u->port == URL_NONE ? SLICE_NONE : url_part(u, u->host_end + 1, u->path_start);
}

struct slice url_pathname(const struct url *u)
{
    return url_part(u, u->path_start, url_end_of_path(u));
}

struct slice url_search(const struct url *u)
{
    struct slice s =
        u->query_start == URL_NONE ? SLICE_NONE : url_part(u, u->query_start, url_end_of_query(u));

    return s.len > 1 ? s : SLICE_NONE;
}

struct slice url_hash(const struct url *u)
{
    struct slice s = u->fragment_start == URL_NONE
                         ? SLICE_NONE
                         : url_part(u, u->fragment_start, (uint32_t)u->href.len);

    return s.len > 1 ? s : SLICE_NONE;
}

void url_take_apart(const struct url *u, struct url_parts *ret)
{
    *ret = (struct url_parts){
        .scheme = url_part(u, 0, u->scheme_end - 1),
        .username = url_username(u),
        .password = url_password(u),
        .host = url_hostname(u),
        .path = url_pathname(u),
        .port = u->port,
        .has_host = u->has_host,
        .opaque = u->opaque_path,
        .has_query = u->query_start != URL_NONE,
        .has_fragment = u->fragment_start != URL_NONE,
    };
    ret->kind = url_scheme_of(ret->scheme);
    if (ret->has_query)
        ret->query = url_part(u, u->query_start + 1, url_end_of_query(u));
    if (ret->has_fragment)
        ret->fragment = url_part(u, u->fragment_start + 1, (uint32_t)u->href.len);
}

int url_origin(struct arena *arena, const struct url *u, struct slice *ret)
{
    enum url_scheme kind = url_scheme_of(url_part(u, 0, u->scheme_end - 1));
    struct slice host = url_host(u);

    *ret = SLICE("null");
    if (slice_eq(url_protocol(u), SLICE("blob:"))) {
        struct url inner;
        int r = url_parse(arena, url_pathname(u), NULL, &inner);
        if (r == -ENOMEM)
            return r;
        kind = r < 0 ? URL_NOT_SPECIAL : url_scheme_of(url_part(&inner, 0, inner.scheme_end - 1));
        return kind == URL_HTTP || kind == URL_HTTPS ? url_origin(arena, &inner, ret) : 0;
    }
    if (kind == URL_NOT_SPECIAL || kind == URL_FILE)
        return 0;
    char *text = arena_printf(arena, "%.*s//%.*s", SLICE_ARG(url_protocol(u)), SLICE_ARG(host));
    if (text == NULL)
        return -ENOMEM;
    *ret = slice_of(text);
    return 0;
}
