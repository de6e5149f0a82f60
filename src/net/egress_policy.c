/*
 * The egress policy. Every address is 16 bytes here, IPv4 as ::ffff:a.b.c.d, so that one comparison
 * serves both and a mapped address is the IPv4 address that it stands for.
 */
#include "net/egress_policy.h"

#include "net/http_token.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { EGRESS_RULES_MAX = 1024, EGRESS_TEXT_MAX = 300, EGRESS_V4_BITS = 96 };

struct egress_rule {
    uint8_t address[16];
    unsigned bits;
    uint16_t port; /* 0: any */
    bool is_name;
    struct slice name; /* owned when is_name, lower case */
};

struct egress_policy {
    bool allow_private;
    size_t n_allowed, n_refused;
    struct egress_rule *allowed; /* owned */
    struct egress_rule *refused; /* owned */
};

/* What is not the public internet. */
static const char *const egress_special[] = {
    "0.0.0.0/8",       /* "this" network */
    "10.0.0.0/8",      /* private */
    "100.64.0.0/10",   /* carriers' NAT */
    "127.0.0.0/8",     /* loopback */
    "169.254.0.0/16",  /* link-local; cloud metadata */
    "172.16.0.0/12",   /* private */
    "192.0.0.0/24",    /* protocol assignments */
    "192.0.2.0/24",    /* documentation */
    "192.88.99.0/24",  /* 6to4 relays */
    "192.168.0.0/16",  /* private */
    "198.18.0.0/15",   /* benchmarks */
    "198.51.100.0/24", /* documentation */
    "203.0.113.0/24",  /* documentation */
    "224.0.0.0/4",     /* multicast */
    "240.0.0.0/4",     /* reserved, broadcast */
    "::/96",           /* unspecified, loopback, IPv4-compatible */
    "64:ff9b::/96",    /* NAT64: reaches IPv4 behind our back */
    "64:ff9b:1::/48",  /* local NAT64 */
    "100::/64",        /* discard */
    "2001::/23",       /* protocol assignments, Teredo */
    "2001:db8::/32",   /* documentation */
    "2002::/16",       /* 6to4: hides an IPv4 address */
    "3fff::/20",       /* documentation */
    "5f00::/16",       /* segment routing */
    "fc00::/7",        /* unique local */
    "fe80::/10",       /* link-local */
    "fec0::/10",       /* site-local */
    "ff00::/8",        /* multicast */
    NULL,
};

static void egress_map_v4(const void *address, uint8_t ret[16])
{
    memset(ret, 0, 10);
    ret[10] = ret[11] = 0xff;
    memcpy(ret + 12, address, 4);
}

/* Family of the text, or 0. */
static int egress_parse_address(const char *text, uint8_t ret[16])
{
    struct in_addr v4;

    if (inet_pton(AF_INET, text, &v4) == 1) {
        egress_map_v4(&v4, ret);
        return AF_INET;
    }
    return inet_pton(AF_INET6, text, ret) == 1 ? AF_INET6 : 0;
}

/* "address" or "address/bits". */
static int egress_parse_network(struct slice text, struct egress_rule *ret)
{
    char address[INET6_ADDRSTRLEN];
    struct slice bits = text, host = slice_cut(&bits, '/');
    uint64_t n = 0;

    if (slice_to_cstr(host, address, sizeof(address)) < 0)
        return -EINVAL;
    int family = egress_parse_address(address, ret->address);
    unsigned most = family == AF_INET ? 32 : 128;
    if (family == 0)
        return -EINVAL;
    if (bits.ptr == NULL)
        n = most;
    else if (slice_to_u64(bits, &n) < 0 || n > most)
        return -EINVAL;
    ret->bits = (unsigned)n + (family == AF_INET ? EGRESS_V4_BITS : 0);
    return 0;
}

static int egress_keep_name(struct slice text, struct egress_rule *ret)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!http_is_alnum(text.ptr[i]) && text.ptr[i] != '-' && text.ptr[i] != '.' &&
            text.ptr[i] != '_')
            return -EINVAL;
    }
    if (text.len == 0)
        return -EINVAL;
    char *name = mem_new(text.len);
    for (size_t i = 0; i < text.len; i++)
        name[i] = http_lower(text.ptr[i]);
    ret->name = slice_from(name, text.len);
    ret->is_name = true;
    return 0;
}

/* Splits ":port" off; a bare IPv6 address has colons and no port. */
static int egress_split_port(struct slice *text, uint16_t *ret)
{
    struct slice rest = *text, host = slice_cut(&rest, ':');
    uint64_t port = 0;

    if (text->len > 0 && text->ptr[0] == '[') {
        ssize_t end = slice_find(*text, ']');
        if (end < 0)
            return -EINVAL;
        host = slice_from(text->ptr + 1, (size_t)end - 1);
        rest = slice_skip(*text, (size_t)end + 1);
        if (rest.len > 0 && rest.ptr[0] != ':')
            return -EINVAL;
        rest = rest.len > 0 ? slice_skip(rest, 1) : SLICE_NONE;
    } else if (rest.ptr == NULL || slice_find(rest, ':') >= 0) {
        return 0;
    }
    *text = host;
    if (rest.ptr == NULL)
        return 0;
    if (slice_to_u64(rest, &port) < 0 || port == 0 || port > UINT16_MAX)
        return -EINVAL;
    *ret = (uint16_t)port;
    return 0;
}

static int egress_parse_rule(struct slice text, struct egress_rule *ret)
{
    if (text.len > EGRESS_TEXT_MAX || egress_split_port(&text, &ret->port) < 0)
        return -EINVAL;
    if (egress_parse_network(text, ret) == 0)
        return 0;
    return egress_keep_name(text, ret);
}

static void egress_release(struct egress_policy **policy)
{
    egress_policy_destroy(*policy);
}

static int egress_parse_rules(const char *const *texts, struct egress_rule **ret, size_t *ret_n,
                              struct err *err)
{
    size_t n = 0;

    while (texts != NULL && texts[n] != NULL)
        n++;
    if (n > EGRESS_RULES_MAX)
        return err_set(err, -EINVAL, 0, "%zu egress rules; the most is %d", n, EGRESS_RULES_MAX);
    *ret = mem_new((n + 1) * sizeof(**ret));
    for (*ret_n = 0; *ret_n < n; ++*ret_n) {
        const char *text = texts[*ret_n];
        if (egress_parse_rule(slice_of(text), *ret + *ret_n) < 0)
            return err_set(err, -EINVAL, 0, "'%s' is no address, network or host", text);
    }
    return 0;
}

int egress_policy_create(bool allow_private, const char *const *allow, struct egress_policy **ret,
                         struct err *err)
{
    AUTO(egress_release) struct egress_policy *policy = mem_new(sizeof(*policy));

    policy->allow_private = allow_private;
    int r = egress_parse_rules(egress_special, &policy->refused, &policy->n_refused, NULL);
    CHECK(r == 0);
    r = egress_parse_rules(allow, &policy->allowed, &policy->n_allowed, err);
    if (r < 0)
        return r;
    *ret = TAKE(policy);
    return 0;
}

void egress_policy_destroy(struct egress_policy *policy)
{
    if (policy == NULL)
        return;
    for (size_t i = 0; i < policy->n_allowed; i++)
        free((char *)(uintptr_t)policy->allowed[i].name.ptr);
    free(policy->allowed);
    free(policy->refused);
    free(policy);
}

static bool egress_in_network(const struct egress_rule *rule, const uint8_t address[16])
{
    unsigned bytes = rule->bits / 8, bits = rule->bits % 8;

    if (memcmp(rule->address, address, bytes) != 0)
        return false;
    return bits == 0 || (rule->address[bytes] ^ address[bytes]) >> (8 - bits) == 0;
}

static bool egress_matches(const struct egress_rule *rule, struct slice host,
                           const uint8_t address[16], uint16_t port)
{
    if (rule->port != 0 && rule->port != port)
        return false;
    return rule->is_name ? slice_eq(rule->name, host) : egress_in_network(rule, address);
}

static bool egress_any(const struct egress_rule *rules, size_t n, struct slice host,
                       const uint8_t address[16], uint16_t port)
{
    for (size_t i = 0; i < n; i++) {
        if (egress_matches(&rules[i], host, address, port))
            return true;
    }
    return false;
}

bool egress_policy_allows(const struct egress_policy *policy, struct slice host,
                          const struct sockaddr *address)
{
    uint8_t bytes[16];
    uint16_t port;

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        egress_map_v4(&in->sin_addr, bytes);
        port = ntohs(in->sin_port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;
        memcpy(bytes, &in->sin6_addr, sizeof(bytes));
        port = ntohs(in->sin6_port);
    } else {
        return false;
    }
    if (policy->allow_private)
        return true;
    return !egress_any(policy->refused, policy->n_refused, host, bytes, port) ||
           egress_any(policy->allowed, policy->n_allowed, host, bytes, port);
}
