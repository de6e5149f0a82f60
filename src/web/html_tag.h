/*
 * The element names that the HTML syntax treats specially, and what makes them special.
 *
 * A tag is the known name's number or HTML_TAG_OTHER; comparing two numbers is how most names are compared.
 * Pure functions, any thread.
 */
#pragma once

#include "core/slice.h"

enum html_tag {
    HTML_TAG_OTHER,
#define HTML_TAG(id, name, kinds) HTML_TAG_##id,
#include "web/html_tags.h"
#undef HTML_TAG
    HTML_TAGS,
};

enum {
    HTML_VOID = 1,            /* has neither content nor an end tag */
    HTML_RCDATA = 2,          /* its content is text with character references */
    HTML_RAWTEXT = 4,         /* its content is text as it is */
    HTML_SCRIPT = 8,          /* its content is a script */
    HTML_PLAINTEXT = 16,      /* everything after it is text */
    HTML_LEAVES_FOREIGN = 32, /* its start tag ends SVG and MathML content */
    HTML_POINT_SVG = 64,      /* inside SVG, its content is HTML */
    HTML_POINT_MATHML = 128,  /* inside MathML, its content is HTML */
    HTML_TEXT_KINDS = HTML_RCDATA | HTML_RAWTEXT | HTML_SCRIPT | HTML_PLAINTEXT,
};

/* In any letter case. */
enum html_tag html_tag_of(struct slice name);
unsigned html_tag_kinds(enum html_tag tag);
const char *html_tag_name(enum html_tag tag);
