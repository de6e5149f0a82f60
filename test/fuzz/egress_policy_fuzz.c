/*
 * Rules of egress and the addresses under them. The input is an address (family bit, 16 bytes, port), then
 * rules on lines: what no rule names and is not public stays refused.
 */
#include "fuzz.h"
#include "net/egress_policy.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { ADDRESS_SIZE = 19, RULES_MAX = 16 };

static struct sockaddr_storage address_of(const uint8_t *data)
{
    struct sockaddr_storage address = {0};
    uint16_t port = (uint16_t)(data[17] << 8 | data[18]);

    if (data[0] & 1) {
        struct sockaddr_in *in = (struct sockaddr_in *)&address;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, data + 1, 4);
    } else {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)&address;
        in->sin6_family = AF_INET6;
        in->sin6_port = htons(port);
        memcpy(&in->sin6_addr, data + 1, 16);
    }
    return address;
}

static bool allows(bool allow_private, const char *const *rules, const uint8_t *data)
{
    struct egress_policy *policy = NULL;
    struct sockaddr_storage address = address_of(data);

    if (egress_policy_create(allow_private, rules, &policy, NULL) < 0)
        return false;
    bool is = egress_policy_allows(policy, SLICE("host.example"), (struct sockaddr *)&address);
    egress_policy_destroy(policy);
    return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < ADDRESS_SIZE)
        return 0;
    AUTO(mem_release) char *text = mem_new(size - ADDRESS_SIZE + 1);
    const char *rules[RULES_MAX + 1] = {NULL};
    char *rest = text;

    memcpy(text, data + ADDRESS_SIZE, size - ADDRESS_SIZE);
    for (size_t n = 0; n < RULES_MAX && rest != NULL; n++)
        rules[n] = strsep(&rest, "\n");
    bool plain = allows(false, NULL, data);
    if (allows(false, rules, data))
        CHECK(plain || rules[0] != NULL);
    CHECK(allows(true, NULL, data) || !plain);
    /* Loopback hides in no form. */
    if ((data[0] & 1) && data[1] == 127)
        CHECK(!plain);
    return 0;
}
