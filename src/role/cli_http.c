/*
 * One blocking request to our own API: just enough HTTP/1.1 for our own server.
 */
#include "role/cli.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    API_ANSWER_MAX = 64 * 1024 * 1024,
    API_TIMEOUT_S = 600 /* copies of large stores take a while */
};

static int api_connect(const char *address, struct err *err)
{
    char host[128];
    const char *colon = strrchr(address, ':');
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
        return err_set(err, -EINVAL, 0, "the server's API address is not known");
    bool v6 = address[0] == '[' && colon[-1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(colon - address) - (v6 ? 2 : 0),
             address + (v6 ? 1 : 0));
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return err_set(err, -EINVAL, 0, "\"%s\" is not an address", address);
    AUTO(fd_release) int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval wait = {.tv_sec = API_TIMEOUT_S};
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait,
                         sizeof(wait)); /* else it waits longer */
    int r = fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0 ? -errno : 0;
    freeaddrinfo(found);
    return r < 0 ? err_set(err, r, 0, "cannot reach the API at %s: %s", address, strerror(-r))
                 : TAKE_FD(fd);
}

static int api_read_all(int fd, struct buf *ret)
{
    for (;;) {
        ssize_t n = read(fd, buf_reserve(ret, 65536), 65536);
        if (n == 0)
            return 0;
        if (n < 0)
            return -errno;
        buf_added(ret, (size_t)n);
        if (buf_len(ret) > API_ANSWER_MAX)
            return -E2BIG;
    }
}

static bool api_is_chunked(struct slice head)
{
    while (head.len > 0) {
        struct slice value = slice_cut(&head, '\n');
        struct slice name = slice_cut(&value, ':');
        if (slice_eq_nocase(name, SLICE("transfer-encoding")))
            return slice_eq_nocase(slice_trim(value), SLICE("chunked"));
    }
    return false;
}

static int api_unchunk(struct slice in, struct buf *ret)
{
    for (;;) {
        struct slice line = slice_trim(slice_cut(&in, '\n'));
        char digits[16];
        char *end;
        if (slice_to_cstr(slice_cut(&line, ';'), digits, sizeof(digits)) < 0)
            return -EBADMSG;
        unsigned long n = strtoul(digits, &end, 16);
        if (end == digits || n > in.len)
            return -EBADMSG;
        if (n == 0)
            return 0;
        buf_append(ret, in.ptr, n);
        in = slice_skip(in, n + 2);
    }
}

static int api_body(const struct buf *answer, struct buf *ret, struct err *err)
{
    struct slice all = buf_slice(answer);
    ssize_t end = slice_find_slice(all, SLICE("\r\n\r\n"));
    if (end < 0)
        return err_set(err, -EBADMSG, 0, "the API gave no answer");
    struct slice head = {all.ptr, (size_t)end};
    struct slice body = slice_skip(all, (size_t)end + 4);
    if (!api_is_chunked(head)) {
        buf_append_slice(ret, body);
        return 0;
    }
    int r = api_unchunk(body, ret);
    return r < 0 ? err_set(err, r, 0, "the API's answer is cut off") : 0;
}

static int api_result(const struct buf *body, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *envelope = NULL;
    int r = json_parse(buf_slice(body), &envelope, err);
    if (r < 0)
        return r;
    if (!json_bool(envelope, "success", false)) {
        const json_t *first = json_array_get(json_object_get(envelope, "errors"), 0);
        return err_set(err, -EREMOTEIO, (int)json_int(first, "code", 0), "%s",
                       json_str(first, "message", "the API refused"));
    }
    *ret = json_incref(json_object_get(envelope, "result"));
    return 0;
}

int cli_api(const struct cli *cli, const struct cli_request *q, json_t **ret, struct err *err)
{
    AUTO(json_release) json_t *run = NULL;
    AUTO(buf_done) struct buf token = {0}, out = {0}, answer = {0}, body = {0};
    int r = cli_read_run(cli, &run, err);
    if (r == 0)
        r = cli_read_file(cli, "token", &token, err);
    if (r < 0)
        return r;
    const char *api = json_str(run, "api", "");
    AUTO(fd_release) int fd = api_connect(api, err);
    if (fd < 0)
        return fd;
    buf_printf(&out, "%s /client/v4%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %.*s\r\n",
               q->method, q->path, api, SLICE_ARG(slice_trim(buf_slice(&token))));
    if (q->body.len > 0)
        buf_printf(&out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", q->body.len);
    buf_printf(&out, "Connection: close\r\n\r\n");
    buf_append_slice(&out, q->body);
    if (send(fd, buf_slice(&out).ptr, buf_len(&out), MSG_NOSIGNAL) != (ssize_t)buf_len(&out) ||
        api_read_all(fd, &answer) < 0)
        return err_set(err, -EIO, 0, "the connection to the API broke: %m");
    r = api_body(&answer, &body, err);
    return r < 0 ? r : api_result(&body, ret, err);
}
