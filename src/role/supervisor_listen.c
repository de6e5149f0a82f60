/*
 * Listening sockets: "ADDR:PORT", "[v6]:PORT", "PORT". Names are not resolved.
 */
#include "role/supervisor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 4096 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int address_parse(const char *text, union address *ret, socklen_t *ret_len)
{
    struct slice s = slice_of(text);
    char host[SUPERVISOR_ADDRESS_MAX] = "127.0.0.1";
    uint64_t port;
    ssize_t colon = -1;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == ':')
            colon = (ssize_t)i;
    }
    if (slice_to_u64(slice_skip(s, (size_t)(colon + 1)), &port) < 0 || port > 65535)
        return -EINVAL;
    struct slice name = {s.ptr, colon < 0 ? 0 : (size_t)colon};
    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = (struct slice){name.ptr + 1, name.len - 2};
    if (slice_eq(name, SLICE("localhost")))
        name = SLICE("127.0.0.1");
    if (name.len > 0 && slice_to_cstr(name, host, sizeof(host)) < 0)
        return -EINVAL;
    *ret = (union address){0};
    if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)port);
        *ret_len = sizeof(ret->v4);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) != 1)
        return -EINVAL;
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = htons((uint16_t)port);
    *ret_len = sizeof(ret->v6);
    return 0;
}

/* As bound: port 0 has become a number. */
static void address_print(int fd, char *ret, size_t size)
{
    union address a = {0};
    socklen_t len = sizeof(a);
    char host[INET6_ADDRSTRLEN] = "";
    if (getsockname(fd, &a.any, &len) < 0)
        return;
    if (a.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host));
        snprintf(ret, size, "[%s]:%u", host, ntohs(a.v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host));
        snprintf(ret, size, "%s:%u", host, ntohs(a.v4.sin_port));
    }
}

/* shared: beside other sockets of the kind, among which the kernel deals connections out. */
static int listen_on(const union address *a, socklen_t len, bool shared)
{
    int on = 1;
    AUTO(fd_release)
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* or bind fails and says so */
    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return -errno;
    if (bind(fd, &a->any, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
        return -errno;
    return TAKE_FD(fd);
}

/* Where another server of ours listens, sockets for several lanes would join it without a word. */
static int listen_alone(union address *a, socklen_t len)
{
    int fd = listen_on(a, len, false);
    if (fd < 0)
        return fd;
    getsockname(fd, &a->any, &len);
    close(fd);
    return 0;
}

int supervisor_listen(struct supervisor *sup, enum listener which, const char *address, unsigned n,
                      struct err *err)
{
    union address a;
    socklen_t len;
    if (address_parse(address, &a, &len) < 0)
        return err_set(err, -EINVAL, 0, "\"%s\" is not an address of the form ADDR:PORT", address);
    int r = n > 1 ? listen_alone(&a, len) : 0;
    for (unsigned lane = 0; lane < n && r >= 0; lane++)
        r = sup->listeners[which][lane] = listen_on(&a, len, n > 1);
    if (r < 0)
        return err_set(err, r, 0, "cannot listen on %s: %s", address, strerror(-r));
    address_print(sup->listeners[which][0], sup->addresses[which], SUPERVISOR_ADDRESS_MAX);
    return 0;
}
