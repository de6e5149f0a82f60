/*
 * Which addresses outgoing connections may reach.
 *
 * Refused unless allowed: everything that is not the public internet (RFC 6890 and its like), also
 * when an IPv4 address hides in an IPv6 one. Rules: "10.0.0.0/8", "fd00::/8", "127.0.0.1",
 * "127.0.0.1:8080", "[::1]:80", "host", "host:8080". Immutable once made; any thread.
 */
#pragma once

#include "core/err.h"
#include "core/slice.h"

#include <sys/socket.h>

struct egress_policy;

/* allow: NULL-terminated, may be NULL. -EINVAL for a rule that is none. */
NODISCARD int egress_policy_create(bool allow_private, const char *const *allow,
                                   struct egress_policy **ret, struct err *err);
void egress_policy_destroy(struct egress_policy *policy);
/* host: the name that resolved to the address, lower case. Families other than IP are refused. */
bool egress_policy_allows(const struct egress_policy *policy, struct slice host,
                          const struct sockaddr *address);
