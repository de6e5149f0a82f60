#include "api/multipart.h"

#include "core/slice.h"

#include <errno.h>

enum { MULTIPART_GROW = 16 };

struct multipart_reader {
    struct arena *arena;
    struct slice rest;
    char delimiter[MULTIPART_BOUNDARY_MAX + 8]; /* CR LF "--" boundary */
    size_t delimiter_len;
    struct multipart_part *parts;
    size_t n, cap;
};

/* --- the boundary --- */

/* The value of `name=` in a header value with parameters; quotes removed, escapes kept. */
static bool multipart_parameter(struct slice header, const char *name, struct slice *ret)
{
    size_t len = strlen(name);
    for (size_t i = 0; i + len < header.len; i++) {
        bool starts = i > 0 && (header.ptr[i - 1] == ';' || header.ptr[i - 1] == ' ' ||
                                header.ptr[i - 1] == '\t');
        struct slice here = slice_from(header.ptr + i, len);
        if (!starts || header.ptr[i + len] != '=' || !slice_eq_nocase(here, slice_of(name)))
            continue;
        struct slice value = slice_skip(header, i + len + 1);
        if (value.len > 0 && value.ptr[0] == '"') {
            size_t end = 1;
            while (end < value.len && value.ptr[end] != '"')
                end += value.ptr[end] == '\\' && end + 1 < value.len && value.ptr[end + 1] == '"'
                           ? 2
                           : 1;
            if (end >= value.len)
                return false;
            *ret = slice_from(value.ptr + 1, end - 1);
            return true;
        }
        *ret = slice_trim(slice_cut(&value, ';'));
        return true;
    }
    return false;
}

bool multipart_is(struct slice content_type, struct slice body)
{
    struct slice kind = content_type;
    if (slice_eq_nocase(slice_trim(slice_cut(&kind, ';')), SLICE("multipart/form-data")))
        return true;
    ssize_t end = slice_find(body, '\n');
    return slice_starts(body, SLICE("--")) && end > 3 && end < MULTIPART_BOUNDARY_MAX &&
           body.ptr[end - 1] == '\r';
}

static int multipart_boundary(struct multipart_reader *m, struct slice content_type,
                              struct slice body, struct err *err)
{
    struct slice boundary;
    if (!multipart_parameter(content_type, "boundary", &boundary)) {
        ssize_t end = slice_find(body, '\n');
        if (!slice_starts(body, SLICE("--")) || end < 4 || body.ptr[end - 1] != '\r')
            return err_set(err, -EBADMSG, 0, "the content type names no boundary");
        boundary = slice_from(body.ptr + 2, (size_t)end - 3);
    }
    if (boundary.len == 0 || boundary.len > MULTIPART_BOUNDARY_MAX)
        return err_set(err, -EBADMSG, 0, "the boundary must have 1 to %d bytes",
                       MULTIPART_BOUNDARY_MAX);
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.ptr, boundary.len);
    m->delimiter_len = boundary.len + 4;
    return 0;
}

/* --- one part --- */

/* %22, %0D and %0A are how clients escape names; \" is how others do. */
static int multipart_unescape(struct arena *arena, struct slice in, struct slice *ret)
{
    char *out = arena_alloc(arena, in.len + 1);
    if (out == NULL)
        return -ENOMEM;
    size_t n = 0;
    while (in.len > 0) {
        size_t used = 1;
        char c = in.ptr[0];
        if (slice_starts(in, SLICE("%22")) || slice_starts(in, SLICE("%0D")) ||
            slice_starts(in, SLICE("%0A"))) {
            c = in.ptr[1] == '2' ? '"' : in.ptr[2] == 'D' ? '\r' : '\n';
            used = 3;
        } else if (slice_starts(in, SLICE("\\\""))) {
            c = '"';
            used = 2;
        }
        out[n++] = c;
        in = slice_skip(in, used);
    }
    *ret = slice_from(out, n);
    return 0;
}

static int multipart_disposition(struct multipart_reader *m, struct slice value,
                                 struct multipart_part *part, struct err *err)
{
    struct slice raw;
    struct slice kind = value;
    if (!slice_eq_nocase(slice_trim(slice_cut(&kind, ';')), SLICE("form-data")) ||
        !multipart_parameter(value, "name", &raw))
        return err_set(err, -EBADMSG, 0, "part %zu has no form-data name", m->n);
    int r = multipart_unescape(m->arena, raw, &part->name);
    if (r == 0 && multipart_parameter(value, "filename", &raw))
        r = multipart_unescape(m->arena, raw, &part->filename);
    return r < 0 ? err_set(err, r, 0, "no memory for the parts") : 0;
}

static int multipart_head(struct multipart_reader *m, struct multipart_part *part, struct err *err)
{
    size_t taken = 0;
    bool named = false;
    part->type = (struct slice){"", 0};
    for (;;) {
        ssize_t end = slice_find(m->rest, '\n');
        if (end < 1 || m->rest.ptr[end - 1] != '\r')
            return err_set(err, -EBADMSG, 0, "part %zu has a broken header line", m->n);
        struct slice line = slice_from(m->rest.ptr, (size_t)end - 1);
        m->rest = slice_skip(m->rest, (size_t)end + 1);
        taken += (size_t)end + 1;
        if (taken > MULTIPART_HEAD_MAX)
            return err_set(err, -E2BIG, 0, "the header lines of part %zu are too long", m->n);
        if (line.len == 0)
            break;
        struct slice value = line, name = slice_cut(&value, ':');
        if (slice_eq_nocase(name, SLICE("content-type"))) {
            part->type = slice_trim(value);
        } else if (slice_eq_nocase(name, SLICE("content-disposition"))) {
            int r = multipart_disposition(m, value, part, err);
            if (r < 0)
                return r;
            named = true;
        }
    }
    return named ? 0 : err_set(err, -EBADMSG, 0, "part %zu has no content-disposition", m->n);
}

/* Content ends at the next delimiter; the reader then stands behind it. */
static int multipart_content(struct multipart_reader *m, struct multipart_part *part,
                             struct err *err)
{
    /* An empty part: the delimiter's line break is the one that ended the header lines. */
    const char *at;
    if (m->rest.len >= m->delimiter_len - 2 &&
        memcmp(m->rest.ptr, m->delimiter + 2, m->delimiter_len - 2) == 0) {
        part->content = slice_from(m->rest.ptr, 0);
        m->rest = slice_skip(m->rest, m->delimiter_len - 2);
        return 0;
    }
    at = memmem(m->rest.ptr, m->rest.len, m->delimiter, m->delimiter_len);
    if (at == NULL)
        return err_set(err, -EBADMSG, 0, "part %zu is not closed by the boundary", m->n);
    part->content = slice_from(m->rest.ptr, (size_t)(at - m->rest.ptr));
    m->rest = slice_skip(m->rest, part->content.len + m->delimiter_len);
    return 0;
}

static struct multipart_part *multipart_add(struct multipart_reader *m, struct err *err)
{
    if (m->n == MULTIPART_PARTS_MAX) {
        (void)err_set(err, -E2BIG, 0, "more than %d parts", MULTIPART_PARTS_MAX);
        return NULL;
    }
    if (m->n == m->cap) {
        size_t cap = m->cap == 0 ? MULTIPART_GROW : m->cap * 2;
        struct multipart_part *parts = arena_alloc(m->arena, cap * sizeof(*parts));
        if (parts == NULL) {
            (void)err_set(err, -ENOMEM, 0, "no memory for the parts");
            return NULL;
        }
        if (m->n > 0)
            memcpy(parts, m->parts, m->n * sizeof(*parts));
        m->parts = parts;
        m->cap = cap;
    }
    return &m->parts[m->n];
}

/* --- all of them --- */

/* After a delimiter: "--" ends, blanks and CR LF begin a part. 1 = another part, 0 = the end. */
static int multipart_after(struct multipart_reader *m, struct err *err)
{
    if (slice_starts(m->rest, SLICE("--")))
        return 0;
    while (m->rest.len > 0 && (m->rest.ptr[0] == ' ' || m->rest.ptr[0] == '\t'))
        m->rest = slice_skip(m->rest, 1);
    if (!slice_starts(m->rest, SLICE("\r\n")))
        return err_set(err, -EBADMSG, 0, "the boundary line after part %zu is broken", m->n);
    m->rest = slice_skip(m->rest, 2);
    return 1;
}

static int multipart_first(struct multipart_reader *m, struct err *err)
{
    if (m->rest.len >= m->delimiter_len - 2 &&
        memcmp(m->rest.ptr, m->delimiter + 2, m->delimiter_len - 2) == 0) {
        m->rest = slice_skip(m->rest, m->delimiter_len - 2);
        return 0;
    }
    const char *at = memmem(m->rest.ptr, m->rest.len, m->delimiter, m->delimiter_len);
    if (at == NULL)
        return err_set(err, -EBADMSG, 0, "the boundary does not occur in the body");
    m->rest = slice_skip(m->rest, (size_t)(at - m->rest.ptr) + m->delimiter_len);
    return 0;
}

int multipart_parse(struct arena *arena, struct slice content_type, struct slice body,
                    struct multipart *ret, struct err *err)
{
    struct multipart_reader m = {.arena = arena, .rest = body};
    if (body.len == 0)
        return err_set(err, -EBADMSG, 0, "the body is empty");
    int r = multipart_boundary(&m, content_type, body, err);
    if (r == 0)
        r = multipart_first(&m, err);
    while (r == 0 && (r = multipart_after(&m, err)) == 1) {
        struct multipart_part *part = multipart_add(&m, err);
        if (part == NULL)
            return m.n == MULTIPART_PARTS_MAX ? -E2BIG : -ENOMEM;
        r = multipart_head(&m, part, err);
        if (r == 0)
            r = multipart_content(&m, part, err);
        m.n++;
    }
    if (r < 0)
        return r;
    *ret = (struct multipart){m.parts, m.n};
    return 0;
}

const struct multipart_part *multipart_find(const struct multipart *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (slice_eq(m->parts[i].name, slice_of(name)))
            return &m->parts[i];
    }
    return NULL;
}
