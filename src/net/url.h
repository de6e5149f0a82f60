/*
 * URLs by the WHATWG URL standard (parsing, serialising, setters), IDNA by ICU.
 *
 * The href is kept as one run of bytes with offsets of its components (as in the "ada" shape), so that
 * getters are slices. Pure functions, any thread. https://url.spec.whatwg.org/
 */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

struct url {
    struct slice href; /* in the arena given to url_parse() */
    /* Offsets into href:  https://user:pass@example.com:1234/foo/bar?baz#quux
     *                           |   |       |          |    |       |   |
     *                  scheme_end   |       host_start |    |       |   fragment_start (at "#")
     *                     username_end         host_end     |       query_start (at "?")
     *                                                  path_start
     * Without a host, username_end, host_start and host_end equal scheme_end; without a user name
     * username_end is past "//". */
    uint32_t scheme_end, username_end, host_start, host_end, path_start;
    uint32_t query_start, fragment_start; /* URL_NONE when absent */
    uint32_t port;                        /* URL_NONE when absent */
    bool has_host, opaque_path;
};
enum { URL_NONE = UINT32_MAX };

/* base may be NULL. -EBADMSG when it is not a URL, -ENOMEM
 * over the arena's limit. Input is UTF-8 (lone surrogates already replaced). */
NODISCARD int url_parse(struct arena *arena, struct slice input, const struct url *base,
                        struct url *ret);
struct slice url_protocol(const struct url *u); /* "https:" */
struct slice url_username(const struct url *u);
struct slice url_password(const struct url *u);
struct slice url_host(const struct url *u); /* with port */
struct slice url_hostname(const struct url *u);
struct slice url_port(const struct url *u);
struct slice url_pathname(const struct url *u);
struct slice url_search(const struct url *u); /* "" or "?..." */
struct slice url_hash(const struct url *u);
/* "null" for opaque origins; allocated in arena. */
NODISCARD int url_origin(struct arena *arena, const struct url *u, struct slice *ret);

enum url_part {
    URL_HREF,
    URL_PROTOCOL,
    URL_USERNAME,
    URL_PASSWORD,
    URL_HOST,
    URL_HOSTNAME,
    URL_PORT,
    URL_PATHNAME,
    URL_SEARCH,
    URL_HASH
};
/* The API's setters: an invalid value leaves *u as it is and returns 0; only URL_HREF fails. */
NODISCARD int url_set(struct arena *arena, struct url *u, enum url_part part, struct slice value);

/* The percent-encode sets of the standard (section 1.3). */
enum url_set {
    URL_SET_C0,
    URL_SET_FRAGMENT,
    URL_SET_QUERY,
    URL_SET_SPECIAL_QUERY,
    URL_SET_PATH,
    URL_SET_USERINFO,
    URL_SET_COMPONENT,
    URL_SET_FORM
};

void url_percent_encode(struct buf *out, struct slice in, enum url_set set);
/* Bytes that are no escape stay. out has room for in.len bytes (and may be in.ptr); returns how many
 * were written. */
size_t url_percent_decode(struct slice in, char *out);
