/*
 * Says what our parser makes of request heads, for test/js/http1_compare.test.mjs.
 *
 * Input: heads, each a 32-bit little-endian length and its bytes. Output: a line for each,
 * "ok METHOD TARGET FRAMING", "no STATUS" or "more"; FRAMING is "none", "chunked" or the length.
 */
#include "net/http1_parse.h"

#include "core/pack.h"

#include <stdio.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

static void print_framing(const struct http1_head *head)
{
    if (head->chunked)
        printf("chunked\n");
    else if (head->content_length >= 0)
        printf("%lld\n", (long long)head->content_length);
    else
        printf("none\n");
}

static void judge(struct slice in)
{
    AUTO(arena_done) struct arena arena = {0};
    struct http1_head head;
    size_t at = 0;

    ssize_t n = http1_head_end(in, &at);
    if (n == 0) {
        printf("more\n");
        return;
    }
    if (n < 0) {
        printf("no 400\n");
        return;
    }
    if (http1_head_parse(slice_from(in.ptr, (size_t)n), &arena, &head) < 0) {
        printf("no %d\n", head.status);
        return;
    }
    printf("ok %.*s %.*s ", SLICE_ARG(head.method), SLICE_ARG(head.target));
    print_framing(&head);
}

/* Standard input may be a socket, which cannot be opened by name. */
static bool read_input(struct buf *ret)
{
    ssize_t n;

    while ((n = read(STDIN_FILENO, buf_reserve(ret, READ_SIZE), READ_SIZE)) > 0)
        buf_added(ret, (size_t)n);
    return n == 0;
}

int main(void)
{
    AUTO(buf_done) struct buf input = {0};

    if (!read_input(&input))
        return 1;
    struct unpack u = {.rest = buf_slice(&input)};
    while (u.rest.len > 0 && !u.bad)
        judge(unpack_bytes(&u));
    return u.bad ? 1 : 0;
}
