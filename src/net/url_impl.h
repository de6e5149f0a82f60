/*
 * Between the sources of the URL module: a URL taken apart, and hosts.
 */
#pragma once

#include "net/url.h"

enum {
    URL_MAX = 8 * 1024 * 1024, /* of an input and of an href, bytes */
    URL_HOST_MAX = 16 * 1024
};

enum url_scheme { URL_NOT_SPECIAL, URL_FILE, URL_FTP, URL_HTTP, URL_HTTPS, URL_WS, URL_WSS };

/* A URL record of the standard. Slices point into the input, a base's href or the arena. */
struct url_parts {
    struct slice scheme; /* lower case, without ":" */
    enum url_scheme kind;
    struct slice username, password, host, path, query, fragment;
    uint32_t port; /* URL_NONE: null */
    bool has_host; /* false: the host is null */
    bool opaque;   /* the path is opaque */
    bool has_query, has_fragment;
};

enum url_scheme url_scheme_of(struct slice scheme);
uint32_t url_default_port(enum url_scheme kind);

void url_take_apart(const struct url *u, struct url_parts *ret);
NODISCARD int url_compose(struct arena *arena, const struct url_parts *parts, struct url *ret);

/* The input without ASCII tabs and newlines; copied only when it has some. */
NODISCARD int url_without_newlines(struct arena *arena, struct slice in, struct slice *ret);
/* Percent-encoded in the arena; the input itself when nothing needs it. */
NODISCARD int url_encode(struct arena *arena, struct slice in, enum url_set set, struct slice *ret);

/* The path state of the standard: appends the segments of `in` to `base` (the path so far) and
 * returns the serialised path. */
NODISCARD int url_path(struct arena *arena, enum url_scheme kind, struct slice base,
                       struct slice in, struct slice *ret);
/* The path without its last segment. */
struct slice url_path_shorten(enum url_scheme kind, struct slice path);
bool url_is_drive_letter(struct slice s); /* "C:" or "C|" */
bool url_starts_with_drive_letter(struct slice s);

/* The port state: decimal digits only. -EBADMSG. */
NODISCARD int url_parse_port(struct slice digits, enum url_scheme kind, uint32_t *ret);

/* Host parsing, serialised. -EBADMSG. */
NODISCARD int url_parse_host(struct arena *arena, struct slice in, bool special, struct slice *ret);
/* UTS 46 ToASCII of a domain whose percent escapes were decoded. -EBADMSG. */
NODISCARD int url_domain_to_ascii(struct arena *arena, struct slice domain, struct slice *ret);
