/*
 * The part of the application that is worth compiling: splits a text into passages and turns a question
 * into search words. Freestanding C for wasm32; the Worker writes UTF-8 at input() and reads results back.
 */
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    INPUT_MAX = 8 * 1024 * 1024, /* bytes of one document */
    PASSAGES_MAX = 32 * 1024,
    PASSAGE_LEAST = 240, /* bytes: a shorter paragraph is joined with the next */
    PASSAGE_MOST = 900,  /* bytes: a longer one is cut at a sentence, or at a word */
    WORD_MOST = 48,
    WORDS_MAX = 24
};

static uint8_t text[INPUT_MAX];
static struct {
    uint32_t start, end;
} passages[PASSAGES_MAX];
static uint8_t words[WORDS_MAX * (WORD_MOST + 1)];

EXPORT uint8_t *input(void)
{
    return text;
}

EXPORT uint32_t input_max(void)
{
    return INPUT_MAX;
}

EXPORT void *passage_table(void)
{
    return passages;
}

EXPORT uint8_t *word_list(void)
{
    return words;
}

static int is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

/* A paragraph ends at an empty line. Returns the place behind it. */
static uint32_t paragraph_end(uint32_t at, uint32_t len)
{
    int newlines = 0;

    for (; at < len; at++) {
        if (text[at] == '\n')
            newlines++;
        else if (!is_blank(text[at]))
            newlines = 0;
        if (newlines == 2)
            return at + 1;
    }
    return len;
}

/* Where to cut a run that is too long: behind a sentence, else behind a word, else between characters. */
static uint32_t cut_before(uint32_t start, uint32_t most)
{
    uint32_t word = 0;

    for (uint32_t at = most; at > start + PASSAGE_LEAST; at--) {
        if (!is_blank(text[at]))
            continue;
        uint8_t before = text[at - 1];
        if (before == '.' || before == '!' || before == '?' || before == ':' || before == ';')
            return at;
        if (word == 0)
            word = at;
    }
    if (word != 0)
        return word;
    while (most > start + 1 && (text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

static uint32_t add(uint32_t n, uint32_t start, uint32_t end)
{
    while (start < end && is_blank(text[start]))
        start++;
    while (end > start && is_blank(text[end - 1]))
        end--;
    if (start == end || n == PASSAGES_MAX)
        return n;
    passages[n].start = start;
    passages[n].end = end;
    return n + 1;
}

/* Number of passages of the first `len` bytes of input; their places are in passage_table(). */
EXPORT uint32_t split(uint32_t len)
{
    uint32_t n = 0, start = 0, end = 0;

    if (len > INPUT_MAX)
        len = INPUT_MAX;
    while (end < len) {
        end = paragraph_end(end, len);
        while (end - start > PASSAGE_MOST) {
            uint32_t cut = cut_before(start, start + PASSAGE_MOST);
            n = add(n, start, cut);
            start = cut;
        }
        if (end - start >= PASSAGE_LEAST || end == len) {
            n = add(n, start, end);
            start = end;
        }
    }
    return n;
}

/* Words that say nothing about a question, sorted by nothing in particular: the list is short. */
static const char *const common[] = {
    "a",    "an",   "and",  "are",  "as",    "at",    "be",  "by",    "can",   "do",
    "does", "for",  "from", "how",  "i",     "if",    "in",  "is",    "it",    "may",
    "my",   "not",  "of",   "on",   "or",    "that",  "the", "there", "these", "this",
    "to",   "was",  "what", "when", "where", "which", "who", "why",   "will",  "with",
    "you",  "your", "has",  "have", "must",  "should"};

static int is_common(const uint8_t *word, uint32_t len)
{
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        uint32_t at = 0;
        while (at < len && common[i][at] != '\0' && (uint8_t)common[i][at] == word[at])
            at++;
        if (at == len && common[i][at] == '\0')
            return 1;
    }
    return 0;
}

static int is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

/* Search words of the question in input, lower case, one per line at word_list(); returns the bytes. */
EXPORT uint32_t tokenise(uint32_t len)
{
    uint32_t out = 0, n = 0;

    for (uint32_t at = 0; at < len && n < WORDS_MAX;) {
        while (at < len && !is_word(text[at]))
            at++;
        uint32_t first = out;
        while (at < len && is_word(text[at])) {
            uint8_t c = text[at++];
            if (out - first < WORD_MOST)
                words[out++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        }
        if (out == first)
            break;
        if (is_common(words + first, out - first)) {
            out = first;
            continue;
        }
        words[out++] = '\n';
        n++;
    }
    return out;
}
