/* Which addresses are refused, and what rules open. */
#include "net_tests.h"

#include "net/egress_policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

static bool allows(const struct egress_policy *policy, const char *host, const char *ip, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
        return egress_policy_allows(policy, slice_of(host), (struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
    return egress_policy_allows(policy, slice_of(host), (struct sockaddr *)&v6);
}

static void egress_refuses_what_is_not_public(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001::1",
        "::7f00:1",
        "2001:db8::1",
        "64:ff9b:1::1",
    };
    static const char *const allowed[] = {
        "1.1.1.1",      "9.255.255.255",        "11.0.0.0",    "100.63.255.255",  "100.128.0.0",
        "128.0.0.1",    "126.255.255.255",      "169.253.0.1", "172.15.255.255",  "172.32.0.0",
        "192.167.0.1",  "198.17.255.255",       "198.20.0.0",  "223.255.255.255", "2606:4700::1",
        "2a00:1450::1", "::ffff:93.184.216.34", "fb00::1",
    };
    struct egress_policy *policy = NULL;

    assert_int_equal(egress_policy_create(false, NULL, &policy, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (allows(policy, "h", refused[i], 80))
            fail_msg("%s was allowed", refused[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        if (!allows(policy, "h", allowed[i], 80))
            fail_msg("%s was refused", allowed[i]);
    }
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    assert_false(egress_policy_allows(policy, SLICE("h"), (struct sockaddr *)&local));
    egress_policy_destroy(policy);
}

static void egress_opens_what_rules_name(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "10.1.0.0/16",      "127.0.0.1:8080", "[::1]:9000",  "fd00::/8",
        "Db.internal:5432", "cache",          "192.168.7.7", NULL};
    struct egress_policy *policy = NULL;

    assert_int_equal(egress_policy_create(false, rules, &policy, NULL), 0);
    assert_true(allows(policy, "h", "10.1.2.3", 1));
    assert_true(allows(policy, "h", "::ffff:10.1.2.3", 1));
    assert_false(allows(policy, "h", "10.2.2.3", 1));
    assert_true(allows(policy, "h", "127.0.0.1", 8080));
    assert_false(allows(policy, "h", "127.0.0.1", 8081));
    assert_true(allows(policy, "h", "::1", 9000));
    assert_false(allows(policy, "h", "::1", 9001));
    assert_true(allows(policy, "h", "fd12::1", 1));
    assert_true(allows(policy, "db.internal", "10.9.9.9", 5432));
    assert_false(allows(policy, "db.internal", "10.9.9.9", 5433));
    assert_true(allows(policy, "cache", "172.16.0.1", 1));
    assert_false(allows(policy, "x.cache", "172.16.0.1", 1));
    assert_true(allows(policy, "h", "192.168.7.7", 1));
    assert_false(allows(policy, "h", "192.168.7.8", 1));
    egress_policy_destroy(policy);

    assert_int_equal(egress_policy_create(true, NULL, &policy, NULL), 0);
    assert_true(allows(policy, "h", "127.0.0.1", 1));
    egress_policy_destroy(policy);
}

static void egress_refuses_bad_rules(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "10.0.0.0/33", "10.0.0.0/x", "::/129", "a b",
                                      "host:0",   "host:65536",  "host:x",     "[::1",   "[::1]x",
                                      "10.0.0/8", "a/b",         "h:1:2x"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *const rules[] = {bad[i], NULL};
        struct egress_policy *policy = NULL;
        struct err err = {0};
        if (egress_policy_create(false, rules, &policy, &err) != -EINVAL || err.text[0] == '\0')
            fail_msg("'%s' was taken", bad[i]);
    }
}

int egress_policy_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(egress_refuses_what_is_not_public),
        cmocka_unit_test(egress_opens_what_rules_name),
        cmocka_unit_test(egress_refuses_bad_rules),
    };
    return cmocka_run_group_tests_name("egress_policy", tests, NULL, NULL);
}
