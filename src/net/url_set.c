/*
 * The setters of the URL API: the parser's states with a "state override".
 * https://url.spec.whatwg.org/#api
 *
 * Each takes the URL apart, changes one part and composes it again. An invalid value changes nothing
 * and is no error, as the standard has it; 1 inside here says "changed".
 */
#include "net/http_token.h"
#include "net/url_impl.h"

#include <errno.h>

static bool url_has_credentials(const struct url_parts *u)
{
    return u->username.len > 0 || u->password.len > 0;
}

/* "Cannot have a username/password/port". */
static bool url_has_no_authority(const struct url_parts *u)
{
    return !u->has_host || u->host.len == 0 || u->kind == URL_FILE;
}

static int url_set_protocol(struct arena *arena, struct url_parts *u, struct slice value)
{
    size_t n = 0;
    char *text = arena_alloc(arena, value.len + 1);

    if (text == NULL)
        return -ENOMEM;
    for (; n < value.len && value.ptr[n] != ':'; n++) {
        char c = value.ptr[n];
        if (!http_is_alnum(c) && c != '+' && c != '-' && c != '.')
            return 0;
        text[n] = http_lower(c);
    }
    if (n == 0 || text[0] < 'a' || text[0] > 'z')
        return 0;
    struct slice scheme = {text, n};
    enum url_scheme kind = url_scheme_of(scheme);
    if ((kind == URL_NOT_SPECIAL) != (u->kind == URL_NOT_SPECIAL))
        return 0;
    if (kind == URL_FILE && (url_has_credentials(u) || u->port != URL_NONE))
        return 0;
    if (u->kind == URL_FILE && u->host.len == 0)
        return 0;
    u->scheme = scheme;
    u->kind = kind;
    if (u->port == url_default_port(kind))
        u->port = URL_NONE;
    return 1;
}

static int url_set_username(struct arena *arena, struct url_parts *u, struct slice value)
{
    if (url_has_no_authority(u))
        return 0;
    int r = url_encode(arena, value, URL_SET_USERINFO, &u->username);
    return r < 0 ? r : 1;
}

static int url_set_password(struct arena *arena, struct url_parts *u, struct slice value)
{
    if (url_has_no_authority(u))
        return 0;
    int r = url_encode(arena, value, URL_SET_USERINFO, &u->password);
    return r < 0 ? r : 1;
}

static size_t url_find_any(const struct url_parts *u, struct slice value)
{
    size_t n = 0;

    while (n < value.len && value.ptr[n] != '/' && value.ptr[n] != '?' && value.ptr[n] != '#' &&
           !(u->kind != URL_NOT_SPECIAL && value.ptr[n] == '\\'))
        n++;
    return n;
}

/* Leading digits are the port; without any, or out of range, nothing changes. */
static int url_change_port(struct url_parts *u, struct slice value)
{
    size_t n = 0;

    while (n < value.len && http_is_digit(value.ptr[n]))
        n++;
    return n > 0 && url_parse_port(slice_from(value.ptr, n), u->kind, &u->port) == 0;
}

static int url_change_host(struct arena *arena, struct url_parts *u, struct slice host)
{
    struct slice parsed = SLICE_NONE;

    if (host.len > 0) {
        int r = url_parse_host(arena, host, u->kind != URL_NOT_SPECIAL, &parsed);
        if (r < 0)
            return r == -ENOMEM ? r : 0;
    }
    if (u->kind == URL_FILE && slice_eq(parsed, SLICE("localhost")))
        parsed = SLICE_NONE;
    u->host = parsed;
    u->has_host = true;
    return 1;
}

static int url_set_host_or_hostname(struct arena *arena, struct url_parts *u, struct slice value,
                                    bool with_port)
{
    bool inside = false;
    size_t n = 0;

    if (u->opaque)
        return 0;
    value.len = url_find_any(u, value);
    if (u->kind == URL_FILE)
        return url_change_host(arena, u, value);
    for (; n < value.len && (value.ptr[n] != ':' || inside); n++)
        inside = value.ptr[n] == '[' || (inside && value.ptr[n] != ']');
    bool has_colon = n < value.len;
    if (has_colon && (n == 0 || !with_port))
        return 0;
    if (n == 0 && (u->kind != URL_NOT_SPECIAL || url_has_credentials(u) || u->port != URL_NONE))
        return 0;
    int r = url_change_host(arena, u, slice_from(value.ptr, n));
    if (r > 0 && has_colon)
        (void)url_change_port(u, slice_skip(value, n + 1)); /* the host stays changed either way */
    return r;
}

static int url_set_host(struct arena *arena, struct url_parts *u, struct slice value)
{
    return url_set_host_or_hostname(arena, u, value, true);
}

static int url_set_hostname(struct arena *arena, struct url_parts *u, struct slice value)
{
    return url_set_host_or_hostname(arena, u, value, false);
}

static int url_set_port(struct arena *arena, struct url_parts *u, struct slice value)
{
    (void)arena;
    if (url_has_no_authority(u))
        return 0;
    if (value.len > 0)
        return url_change_port(u, value);
    u->port = URL_NONE;
    return 1;
}

static int url_set_pathname(struct arena *arena, struct url_parts *u, struct slice value)
{
    bool special = u->kind != URL_NOT_SPECIAL;
    bool slash = value.len > 0 && (value.ptr[0] == '/' || (special && value.ptr[0] == '\\'));

    if (u->opaque)
        return 0;
    if (!special && value.len == 0) {
        u->path = u->has_host ? SLICE_NONE : SLICE("/");
        return 1;
    }
    int r = url_path(arena, u->kind, SLICE_NONE, slash ? slice_skip(value, 1) : value, &u->path);
    return r < 0 ? r : 1;
}

static struct slice url_without_first(struct slice value, char c)
{
    return value.len > 0 && value.ptr[0] == c ? slice_skip(value, 1) : value;
}

static int url_set_search(struct arena *arena, struct url_parts *u, struct slice value)
{
    enum url_set set = u->kind != URL_NOT_SPECIAL ? URL_SET_SPECIAL_QUERY : URL_SET_QUERY;

    u->has_query = value.len > 0;
    u->query = SLICE_NONE;
    int r = url_encode(arena, url_without_first(value, '?'), set, &u->query);
    return r < 0 ? r : 1;
}

static int url_set_hash(struct arena *arena, struct url_parts *u, struct slice value)
{
    u->has_fragment = value.len > 0;
    u->fragment = SLICE_NONE;
    int r = url_encode(arena, url_without_first(value, '#'), URL_SET_FRAGMENT, &u->fragment);
    return r < 0 ? r : 1;
}

static int (*const url_setters[])(struct arena *, struct url_parts *, struct slice) = {
    [URL_PROTOCOL] = url_set_protocol, [URL_USERNAME] = url_set_username,
    [URL_PASSWORD] = url_set_password, [URL_HOST] = url_set_host,
    [URL_HOSTNAME] = url_set_hostname, [URL_PORT] = url_set_port,
    [URL_PATHNAME] = url_set_pathname, [URL_SEARCH] = url_set_search,
    [URL_HASH] = url_set_hash,
};

int url_set(struct arena *arena, struct url *u, enum url_part part, struct slice value)
{
    struct url_parts parts;
    bool raw = part == URL_USERNAME || part == URL_PASSWORD; /* encoded as they are */

    CHECK((size_t)part < ARRAY_LEN(url_setters));
    if (part == URL_HREF)
        return url_parse(arena, value, NULL, u);
    if (value.len > URL_MAX)
        return 0;
    url_take_apart(u, &parts);
    bool empty = value.len == 0;
    int r = raw ? 0 : url_without_newlines(arena, value, &value);
    if (part == URL_PORT && !empty && value.len == 0)
        return 0; /* white space is not the empty string, and no port either */
    if (r == 0)
        r = url_setters[part](arena, &parts, value);
    return r <= 0 ? r : url_compose(arena, &parts, u);
}
