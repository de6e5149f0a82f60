#include "web/html_tag.h"

static const struct {
    struct slice name;
    unsigned kinds;
} html_tags[] = {
    [HTML_TAG_OTHER] = {{"", 0}, 0},
#define HTML_TAG(id, text, bits) [HTML_TAG_##id] = {{text, sizeof(text) - 1}, bits},
#include "web/html_tags.h"
#undef HTML_TAG
};

/* The first name with each letter, or what would follow it. */
static const unsigned char html_tag_first['z' - 'a' + 2] = {
    HTML_TAG_A,      HTML_TAG_B,     HTML_TAG_CENTER, HTML_TAG_DD,  HTML_TAG_EM,
    HTML_TAG_FONT,   HTML_TAG_H1,    HTML_TAG_H1,     HTML_TAG_I,   HTML_TAG_KEYGEN,
    HTML_TAG_KEYGEN, HTML_TAG_LABEL, HTML_TAG_MATH,   HTML_TAG_NAV, HTML_TAG_OL,
    HTML_TAG_P,      HTML_TAG_RUBY,  HTML_TAG_RUBY,   HTML_TAG_S,   HTML_TAG_TABLE,
    HTML_TAG_U,      HTML_TAG_VAR,   HTML_TAG_WBR,    HTML_TAG_XMP, HTML_TAGS,
    HTML_TAGS,       HTML_TAGS,
};

enum html_tag html_tag_of(struct slice name)
{
    unsigned letter = name.len == 0 ? UINT8_MAX : ((unsigned char)name.ptr[0] | 0x20u) - 'a';
    if (letter > 'z' - 'a')
        return HTML_TAG_OTHER;
    for (unsigned i = html_tag_first[letter]; i < html_tag_first[letter + 1]; i++) {
        if (html_tags[i].name.len == name.len && slice_eq_nocase(html_tags[i].name, name))
            return (enum html_tag)i;
    }
    return HTML_TAG_OTHER;
}

unsigned html_tag_kinds(enum html_tag tag)
{
    return html_tags[tag].kinds;
}

const char *html_tag_name(enum html_tag tag)
{
    return html_tags[tag].name.ptr;
}
