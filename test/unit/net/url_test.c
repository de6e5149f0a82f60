/*
 * URLs: a table of input, base and result in the manner of the web platform tests, setters, and what
 * the getters say.
 */
#include "net_tests.h"

#include "net/url.h"

#include <errno.h>

static const struct {
    const char *input, *base, *href; /* href NULL: not a URL */
} cases[] = {
    /* Schemes and plain forms. */
    {"http://example.com", NULL, "http://example.com/"},
    {"HTTP://EXAMPLE.com/Path", NULL, "http://example.com/Path"},
    {"https://example.com:443/", NULL, "https://example.com/"},
    {"http://example.com:443/", NULL, "http://example.com:443/"},
    {"http://example.com:80", NULL, "http://example.com/"},
    {"ftp://example.com:21/x", NULL, "ftp://example.com/x"},
    {"ws://example.com:80/", NULL, "ws://example.com/"},
    {"wss://example.com:443/", NULL, "wss://example.com/"},
    {"http://example.com:0080", NULL, "http://example.com/"},
    {"http://example.com:", NULL, "http://example.com/"},
    {"http://example.com:65535", NULL, "http://example.com:65535/"},
    {"http://example.com:65536", NULL, NULL},
    {"http://example.com:-1", NULL, NULL},
    {"http://example.com:8a", NULL, NULL},
    {"http://example.com:99999999999", NULL, NULL},
    {"  http://example.com/ \x1f", NULL, "http://example.com/"},
    {"ht\ntp://exa\tmple.com/a\rb", NULL, "http://example.com/ab"},
    {"http:example.com", NULL, "http://example.com/"},
    {"http:/example.com", NULL, "http://example.com/"},
    {"http:////example.com", NULL, "http://example.com/"},
    {"http:\\\\example.com\\a\\b", NULL, "http://example.com/a/b"},
    {"http://", NULL, NULL},
    {"http:", NULL, NULL},
    {"https://?x", NULL, NULL},
    {"https://#", NULL, NULL},
    {"", NULL, NULL},
    {"example.com", NULL, NULL},
    {"//example.com", NULL, NULL},
    {"1http://x", NULL, NULL},
    {"a+b-c.d://x", NULL, "a+b-c.d://x"},
    {"://x", NULL, NULL},
    {"h_t://x", NULL, NULL},
    /* User information. */
    {"http://user@example.com", NULL, "http://user@example.com/"},
    {"http://user:pass@example.com", NULL, "http://user:pass@example.com/"},
    {"http://:pass@example.com", NULL, "http://:pass@example.com/"},
    {"http://user:@example.com", NULL, "http://user@example.com/"},
    {"http://:@example.com", NULL, "http://example.com/"},
    {"http://@example.com", NULL, "http://example.com/"},
    {"http://a@b@c", NULL, "http://a%40b@c/"},
    {"http://a:b:c@d", NULL, "http://a:b%3Ac@d/"},
    {"http://a:@b@c", NULL, "http://a:%40b@c/"},
    {"http://user@/x", NULL, NULL},
    {"http://@/x", NULL, NULL},
    {"http://u|[]^;=@h", NULL, "http://u%7C%5B%5D%5E%3B%3D@h/"},
    {"non-special://u:p@h:1/x", NULL, "non-special://u:p@h:1/x"},
    {"http://u\\@h", NULL, "http://u/@h"},
    /* Paths. */
    {"http://h/a/../b", NULL, "http://h/b"},
    {"http://h/a/./b", NULL, "http://h/a/b"},
    {"http://h/a/b/..", NULL, "http://h/a/"},
    {"http://h/a/b/.", NULL, "http://h/a/b/"},
    {"http://h/..", NULL, "http://h/"},
    {"http://h/../../a", NULL, "http://h/a"},
    {"http://h/%2e%2E/a/%2e/b", NULL, "http://h/a/b"},
    {"http://h/a/.%2e/b", NULL, "http://h/b"},
    {"http://h/...", NULL, "http://h/..."},
    {"http://h//a//b/", NULL, "http://h//a//b/"},
    {"http://h/a//../b", NULL, "http://h/a/b"},
    {"http://h/a b", NULL, "http://h/a%20b"},
    {"http://h/\"<>`{}^|", NULL, "http://h/%22%3C%3E%60%7B%7D%5E|"},
    {"http://h/%zz%4", NULL, "http://h/%zz%4"},
    {"http://h/\xc3\xa9", NULL, "http://h/%C3%A9"},
    {"http://h/\xf0\x9f\x92\xa9", NULL, "http://h/%F0%9F%92%A9"},
    {"http://h/\x7f", NULL, "http://h/%7F"},
    {"http://h/a;b=c,d:e@f!$&'()*+", NULL, "http://h/a;b=c,d:e@f!$&'()*+"},
    {"http://h/[x]", NULL, "http://h/[x]"},
    {"http://h/a\\..\\b", NULL, "http://h/b"},
    {"x://h/a\\..\\b", NULL, "x://h/a\\..\\b"},
    /* Query and fragment. */
    {"http://h?q", NULL, "http://h/?q"},
    {"http://h#f", NULL, "http://h/#f"},
    {"http://h/?", NULL, "http://h/?"},
    {"http://h/#", NULL, "http://h/#"},
    {"http://h/?a b\"<>'#c", NULL, "http://h/?a%20b%22%3C%3E%27#c"},
    {"x://h/?a'b", NULL, "x://h/?a'b"},
    {"http://h/?q?r#f#g", NULL, "http://h/?q?r#f#g"},
    {"http://h/?`{}|^", NULL, "http://h/?`{}|^"},
    {"http://h/#a b\"<>`", NULL, "http://h/#a%20b%22%3C%3E%60"},
    {"http://h/#{}|^'", NULL, "http://h/#{}|^'"},
    {"http://h/?\xc3\xa9#\xc3\xa9", NULL, "http://h/?%C3%A9#%C3%A9"},
    /* Domains. */
    {"http://EX%41MPLE.com", NULL, "http://example.com/"},
    {"http://ex%2fample", NULL, NULL},
    {"http://a b", NULL, NULL},
    {"http://a%20b", NULL, NULL},
    {"http://a<b", NULL, NULL},
    {"http://a>b", NULL, NULL},
    {"http://a^b", NULL, NULL},
    {"http://a|b", NULL, NULL},
    {"http://a%b", NULL, NULL},
    {"http://a]b", NULL, NULL},
    {"http://a%00b", NULL, NULL},
    {"http://a_b.c-d~e!$&'()*+,;=", NULL, "http://a_b.c-d~e!$&'()*+,;=/"},
    {"http://\xc3\xa9xample.com", NULL, "http://xn--xample-9ua.com/"},
    {"http://B\xc3\xbc"
     "cher.de",
     NULL, "http://xn--bcher-kva.de/"},
    {"http://fa\xc3\x9f.de", NULL, "http://xn--fa-hia.de/"},
    {"http://\xe3\x80\x82", NULL, "http://./"},
    {"http://a\xe3\x80\x82"
     "b",
     NULL, "http://a.b/"},
    {"http://GO\xef\xbc\x8e"
     "com",
     NULL, "http://go.com/"},
    {"http://\xef\xbc\xa7o.com", NULL, "http://go.com/"},
    {"http://a\xc2\xad"
     "b",
     NULL, "http://ab/"},
    {"http://\xc2\xad", NULL, NULL},
    {"http://%ff", NULL, NULL},
    {"http://\xef\xb7\x90zyx.com", NULL, NULL},
    {"http://xn--bcher-kva.de", NULL, "http://xn--bcher-kva.de/"},
    {"http://XN--bcher-KVA.de", NULL, "http://xn--bcher-kva.de/"},
    {"http://xn--", NULL, NULL},
    {"http://xn--a", NULL, NULL},
    {"http://a.b.", NULL, "http://a.b./"},
    {"http://.", NULL, "http://./"},
    {"http://..", NULL, "http://../"},
    {"http://-a-.b", NULL, "http://-a-.b/"},
    {"http://a--b", NULL, "http://a--b/"},
    {"http://ho%C3%A9st", NULL, "http://xn--host-cpa/"},
    {"http://\xf0\x9f\x92\xa9.la", NULL, "http://xn--ls8h.la/"},
    /* IPv4. */
    {"http://127.0.0.1", NULL, "http://127.0.0.1/"},
    {"http://0x7f.1", NULL, "http://127.0.0.1/"},
    {"http://0x7F000001", NULL, "http://127.0.0.1/"},
    {"http://2130706433", NULL, "http://127.0.0.1/"},
    {"http://0177.0.0.01", NULL, "http://127.0.0.1/"},
    {"http://127.1", NULL, "http://127.0.0.1/"},
    {"http://127.0.1", NULL, "http://127.0.0.1/"},
    {"http://192.0x00A80001", NULL, "http://192.168.0.1/"},
    {"http://0", NULL, "http://0.0.0.0/"},
    {"http://0x", NULL, "http://0.0.0.0/"},
    {"http://1.2.3.4.", NULL, "http://1.2.3.4/"},
    {"http://256", NULL, "http://0.0.1.0/"},
    {"http://4294967295", NULL, "http://255.255.255.255/"},
    {"http://4294967296", NULL, NULL},
    {"http://99999999999999999999999", NULL, NULL},
    {"http://1.2.3.256", NULL, NULL},
    {"http://256.1", NULL, NULL},
    {"http://1.2.3.4.5", NULL, NULL},
    {"http://1.2.3.08", NULL, NULL},
    {"http://1..2", NULL, NULL},
    {"http://a.1", NULL, NULL},
    {"http://a.0x", NULL, NULL},
    {"http://a.0xg", NULL, "http://a.0xg/"},
    {"http://1.2.3.a", NULL, "http://1.2.3.a/"},
    {"http://%30%78%63%30.0250.01", NULL, "http://192.168.0.1/"},
    {"http://\xef\xbc\x91.2.3.4", NULL, "http://1.2.3.4/"},
    {"http://foo.2.3.4", NULL, NULL},
    {"x://1.2.3.256", NULL, "x://1.2.3.256"},
    /* IPv6. */
    {"http://[::1]", NULL, "http://[::1]/"},
    {"http://[::1]:8080/x", NULL, "http://[::1]:8080/x"},
    {"http://[1:0:0:2:0:0:0:3]", NULL, "http://[1:0:0:2::3]/"},
    {"http://[1:0:0:2:3:0:0:4]", NULL, "http://[1::2:3:0:0:4]/"},
    {"http://[1:0:2:3:4:5:6:7]", NULL, "http://[1:0:2:3:4:5:6:7]/"},
    {"http://[::]", NULL, "http://[::]/"},
    {"http://[2001:DB8::A]", NULL, "http://[2001:db8::a]/"},
    {"http://[::127.0.0.1]", NULL, "http://[::7f00:1]/"},
    {"http://[::ffff:1.2.3.4]", NULL, "http://[::ffff:102:304]/"},
    {"http://[1:2:3:4:5:6:7::]", NULL, "http://[1:2:3:4:5:6:7:0]/"},
    {"http://[::1:2:3:4:5:6:7]", NULL, "http://[0:1:2:3:4:5:6:7]/"},
    {"http://[1::2::3]", NULL, NULL},
    {"http://[:1]", NULL, NULL},
    {"http://[1:2:3:4:5:6:7]", NULL, NULL},
    {"http://[1:2:3:4:5:6:7:8:9]", NULL, NULL},
    {"http://[1:2:3:4:5:6:7:]", NULL, NULL},
    {"http://[12345::]", NULL, NULL},
    {"http://[::1.2.3]", NULL, NULL},
    {"http://[::1.2.3.4.5]", NULL, NULL},
    {"http://[::1.2.3.]", NULL, NULL},
    {"http://[::1.2.3.04]", NULL, NULL},
    {"http://[::1.2.3.256]", NULL, NULL},
    {"http://[1:2:3:4:5:6:7:1.2.3.4]", NULL, NULL},
    {"http://[::.1.2.3]", NULL, NULL},
    {"http://[::%31]", NULL, NULL},
    {"http://[fe80::1%25eth0]", NULL, NULL},
    {"http://[::1", NULL, NULL},
    {"http://[]", NULL, NULL},
    {"http://[::1]a", NULL, NULL},
    {"http://[g::1]", NULL, NULL},
    {"x://[::1]", NULL, "x://[::1]"},
    /* Opaque hosts and paths. */
    {"x://A b", NULL, NULL},
    {"x://A%20b\xc3\xa9/", NULL, "x://A%20b%C3%A9/"},
    {"x://H:70000", NULL, NULL},
    {"x://h:80", NULL, "x://h:80"},
    {"x://", NULL, "x://"},
    {"x:///p", NULL, "x:///p"},
    {"x://:80", NULL, NULL},
    {"x://u@", NULL, NULL},
    {"x:", NULL, "x:"},
    {"x:/", NULL, "x:/"},
    {"x:/a/../b", NULL, "x:/b"},
    {"x:/..//p", NULL, "x:/.//p"},
    {"x:/.//p", NULL, "x:/.//p"},
    {"x:/a/..//p", NULL, "x:/.//p"},
    {"mailto:a@b c", NULL, "mailto:a@b c"},
    {"mailto:a b ?x", NULL, "mailto:a b%20?x"},
    {"data:text/plain,\xc3\xa9 <x>#f", NULL, "data:text/plain,%C3%A9 <x>#f"},
    {"javascript:alert('/../')", NULL, "javascript:alert('/../')"},
    {"blob:https://a/b", NULL, "blob:https://a/b"},
    {"about:blank", NULL, "about:blank"},
    {"urn:a:b?c#d", NULL, "urn:a:b?c#d"},
    {"x:a\\b", NULL, "x:a\\b"},
    /* Files. */
    {"file:///a/b", NULL, "file:///a/b"},
    {"file:a", NULL, "file:///a"},
    {"file:/a", NULL, "file:///a"},
    {"file://h/a", NULL, "file://h/a"},
    {"file://localhost/a", NULL, "file:///a"},
    {"file://LOCALHOST/a", NULL, "file:///a"},
    {"file:", NULL, "file:///"},
    {"file://", NULL, "file:///"},
    {"file:///C|/a/../..", NULL, "file:///C:/"},
    {"file:C:/a", NULL, "file:///C:/a"},
    {"file://C:/a", NULL, "file:///C:/a"},
    {"file:///C:", NULL, "file:///C:"},
    {"file:///CC|/x", NULL, "file:///CC|/x"},
    {"file:\\\\h\\a", NULL, "file://h/a"},
    {"file://h:80/", NULL, NULL},
    {"file://u@h/", NULL, NULL},
    {"file:////a", NULL, "file:////a"},
    {"file:?q", NULL, "file:///?q"},
    {"file:#f", NULL, "file:///#f"},
    /* Relative to a base. */
    {"", "http://h/a/b?q#f", "http://h/a/b?q"},
    {"#g", "http://h/a/b?q#f", "http://h/a/b?q#g"},
    {"?r", "http://h/a/b?q#f", "http://h/a/b?r"},
    {"c", "http://h/a/b?q", "http://h/a/c"},
    {"./c", "http://h/a/b", "http://h/a/c"},
    {"../c", "http://h/a/b", "http://h/c"},
    {"../../../c", "http://h/a/b", "http://h/c"},
    {"..", "http://h/a/b/c", "http://h/a/"},
    {"/c", "http://u:p@h:1/a/b", "http://u:p@h:1/c"},
    {"//i/c", "http://u:p@h:1/a", "http://i/c"},
    {"\\c", "http://h/a/b", "http://h/c"},
    {"\\\\i", "http://h/a", "http://i/"},
    {"/\\i", "http://h/a", "http://i/"},
    {"///i", "http://h/a", "http://i/"},
    {"http:c", "http://h/a/b", "http://h/a/c"},
    {"http:/c", "http://h/a/b", "http://h/c"},
    {"http:c", "https://h/a/b", "http://c/"},
    {"http:?q", "http://h/a/b", "http://h/a/b?q"},
    {"a:b", "http://h/", "a:b"},
    {"c:d", "http://h/a/b", "c:d"},
    {"./c:d", "http://h/a/b", "http://h/a/c:d"},
    {"c", "x://h/a/b", "x://h/a/c"},
    {"c", "x://h", "x://h/c"},
    {"/c", "x:/a/b", "x:/c"},
    {"//i", "x:/a", "x://i"},
    {"..//c", "x:/a/b", "x:/.//c"},
    {"#f", "mailto:x", "mailto:x#f"},
    {"#f", "data:a?q#old", "data:a?q#f"},
    {"c", "mailto:x", NULL},
    {"?q", "mailto:x", NULL},
    {"", "mailto:x", NULL},
    {"c", "file:///a/b", "file:///a/c"},
    {"/c", "file:///C:/a", "file:///C:/c"},
    {"/D:/c", "file:///C:/a", "file:///D:/c"},
    {"D|c", "file:///C:/a", "file:///C:/D|c"},
    {"D|/c", "file:///C:/a", "file:///D:/c"},
    {"..", "file:///C:/", "file:///C:/"},
    {"//h/c", "file:///a", "file://h/c"},
    {"c", "file://h/a/b", "file://h/a/c"},
    {"/c", "file://h/a/b", "file://h/c"},
    {"", "file:///a?q#f", "file:///a?q"},
    {"file:c", "file:///a/b", "file:///a/c"},
    {"file:", "http://h/", "file:///"},
    {"https://i", "not used://", NULL},
};

static void url_parses_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_done) struct arena arena = {0};
        struct url base, u;
        bool bad_base =
            cases[i].base != NULL && url_parse(&arena, slice_of(cases[i].base), NULL, &base) < 0;
        int r = bad_base ? -EBADMSG
                         : url_parse(&arena, slice_of(cases[i].input),
                                     cases[i].base == NULL ? NULL : &base, &u);
        if (cases[i].href == NULL) {
            if (r != -EBADMSG)
                fail_msg("'%s' gave %.*s", cases[i].input, SLICE_ARG(u.href));
            continue;
        }
        if (r != 0)
            fail_msg("'%s' against '%s' gave %d", cases[i].input, cases[i].base, r);
        if (!slice_eq(u.href, slice_of(cases[i].href)))
            fail_msg("'%s' against '%s' gave '%.*s', not '%s'", cases[i].input, cases[i].base,
                     SLICE_ARG(u.href), cases[i].href);
    }
}

static const struct {
    const char *input, *protocol, *username, *password, *host, *hostname, *port, *pathname, *search,
        *hash, *origin;
} parts[] = {
    {"https://user:pass@example.com:1234/foo/bar?baz#quux", "https:", "user", "pass",
     "example.com:1234", "example.com", "1234", "/foo/bar", "?baz", "#quux",
     "https://example.com:1234"},
    {"http://h/?#", "http:", "", "", "h", "h", "", "/", "", "", "http://h"},
    {"http://:p@h", "http:", "", "p", "h", "h", "", "/", "", "", "http://h"},
    {"http://u@[::1]:1", "http:", "u", "", "[::1]:1", "[::1]", "1", "/", "", "", "http://[::1]:1"},
    {"x:/.//p?q", "x:", "", "", "", "", "", "//p", "?q", "", "null"},
    {"mailto:a?b#c", "mailto:", "", "", "", "", "", "a", "?b", "#c", "null"},
    {"file:///a", "file:", "", "", "", "", "", "/a", "", "", "null"},
    {"blob:https://a:1/b", "blob:", "", "", "", "", "", "https://a:1/b", "", "", "https://a:1"},
    {"blob:ftp://a/b", "blob:", "", "", "", "", "", "ftp://a/b", "", "", "null"},
    {"blob:", "blob:", "", "", "", "", "", "", "", "", "null"},
    {"wss://a.b/", "wss:", "", "", "a.b", "a.b", "", "/", "", "", "wss://a.b"},
    {"x://h", "x:", "", "", "h", "h", "", "", "", "", "null"},
    {"x://", "x:", "", "", "", "", "", "", "", "", "null"},
};

static void expect_part(const char *input, struct slice got, const char *wanted)
{
    if (!slice_eq(got, slice_of(wanted)))
        fail_msg("%s: '%.*s', not '%s'", input, SLICE_ARG(got), wanted);
}

static void url_gives_its_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        AUTO(arena_done) struct arena arena = {0};
        struct url u;
        struct slice origin;
        const char *in = parts[i].input;

        assert_int_equal(url_parse(&arena, slice_of(in), NULL, &u), 0);
        assert_int_equal(url_origin(&arena, &u, &origin), 0);
        expect_part(in, url_protocol(&u), parts[i].protocol);
        expect_part(in, url_username(&u), parts[i].username);
        expect_part(in, url_password(&u), parts[i].password);
        expect_part(in, url_host(&u), parts[i].host);
        expect_part(in, url_hostname(&u), parts[i].hostname);
        expect_part(in, url_port(&u), parts[i].port);
        expect_part(in, url_pathname(&u), parts[i].pathname);
        expect_part(in, url_search(&u), parts[i].search);
        expect_part(in, url_hash(&u), parts[i].hash);
        expect_part(in, origin, parts[i].origin);
    }
}

static const struct {
    const char *url;
    enum url_part part;
    const char *value, *href;
} changes[] = {
    {"https://a/", URL_PROTOCOL, "http", "http://a/"},
    {"https://a/", URL_PROTOCOL, "http:x", "http://a/"},
    {"https://a/", URL_PROTOCOL, "x", "https://a/"},
    {"https://a/", URL_PROTOCOL, "", "https://a/"},
    {"https://a/", URL_PROTOCOL, "0x", "https://a/"},
    {"https://a/", URL_PROTOCOL, "h\nttp", "http://a/"},
    {"https://a:80/", URL_PROTOCOL, "http", "http://a/"},
    {"https://u@a/", URL_PROTOCOL, "file", "https://u@a/"},
    {"https://a:1/", URL_PROTOCOL, "file", "https://a:1/"},
    {"file:///x", URL_PROTOCOL, "http", "file:///x"},
    {"file://h/x", URL_PROTOCOL, "http", "http://h/x"},
    {"x:y", URL_PROTOCOL, "z", "z:y"},
    {"x:y", URL_PROTOCOL, "http", "x:y"},
    {"https://a/", URL_USERNAME, "u:@ \xc3\xa9", "https://u%3A%40%20%C3%A9@a/"},
    {"https://u:p@a/", URL_USERNAME, "", "https://:p@a/"},
    {"file:///x", URL_USERNAME, "u", "file:///x"},
    {"x:y", URL_USERNAME, "u", "x:y"},
    {"https://u@a/", URL_PASSWORD, "p", "https://u:p@a/"},
    {"https://u:p@a/", URL_PASSWORD, "", "https://u@a/"},
    {"https://:p@a/", URL_PASSWORD, "", "https://a/"},
    {"https://a:1/x", URL_HOST, "b", "https://b:1/x"},
    {"https://a:1/x", URL_HOST, "b:2", "https://b:2/x"},
    {"https://a:1/x", URL_HOST, "b:443", "https://b/x"},
    {"https://a:1/x", URL_HOST, "b:2x", "https://b:2/x"},
    {"https://a:1/x", URL_HOST, "b:65536", "https://b:1/x"},
    {"https://a:1/x", URL_HOST, "b:", "https://b:1/x"},
    {"https://a/x", URL_HOST, "b/y", "https://b/x"},
    {"https://a/x", URL_HOST, "b\\y", "https://b/x"},
    {"https://a/x", URL_HOST, "", "https://a/x"},
    {"https://a/x", URL_HOST, ":2", "https://a/x"},
    {"https://a/x", URL_HOST, "b c", "https://a/x"},
    {"https://a/x", URL_HOST, "[::1]:2", "https://[::1]:2/x"},
    {"x://a/y", URL_HOST, "", "x:///y"},
    {"x://a:1/y", URL_HOST, "", "x://a:1/y"},
    {"x:y", URL_HOST, "b", "x:y"},
    {"x:/y", URL_HOST, "b", "x://b/y"},
    {"x:/.//y", URL_HOST, "b", "x://b//y"},
    {"file:///x", URL_HOST, "h:1", "file:///x"},
    {"file:///x", URL_HOST, "h", "file://h/x"},
    {"file://h/x", URL_HOST, "localhost", "file:///x"},
    {"file://h/x", URL_HOST, "", "file:///x"},
    {"https://a:1/x", URL_HOSTNAME, "b", "https://b:1/x"},
    {"https://a:1/x", URL_HOSTNAME, "b:2", "https://a:1/x"},
    {"https://a/x", URL_HOSTNAME, "[::2]", "https://[::2]/x"},
    {"https://a/x", URL_HOSTNAME, "0x7f.1", "https://127.0.0.1/x"},
    {"https://a/", URL_PORT, "8080", "https://a:8080/"},
    {"https://a/", URL_PORT, "8080x", "https://a:8080/"},
    {"https://a:1/", URL_PORT, "", "https://a/"},
    {"https://a:1/", URL_PORT, "443", "https://a/"},
    {"https://a:1/", URL_PORT, "x", "https://a:1/"},
    {"https://a:1/", URL_PORT, "65536", "https://a:1/"},
    {"file:///x", URL_PORT, "1", "file:///x"},
    {"https://a/x?q#f", URL_PATHNAME, "y/../z ?#", "https://a/z%20%3F%23?q#f"},
    {"https://a/x", URL_PATHNAME, "", "https://a/"},
    {"https://a/x", URL_PATHNAME, "\\y", "https://a/y"},
    {"x:y", URL_PATHNAME, "z", "x:y"},
    {"x:/y", URL_PATHNAME, "//z", "x:/.//z"},
    {"x:/y", URL_PATHNAME, "", "x:/"},
    {"x://h/y", URL_PATHNAME, "", "x://h"},
    {"file:///C:/x", URL_PATHNAME, "/D|/y", "file:///D:/y"},
    {"https://a/?q", URL_SEARCH, "", "https://a/"},
    {"https://a/", URL_SEARCH, "?", "https://a/?"},
    {"https://a/", URL_SEARCH, "a=b&'#", "https://a/?a=b&%27%23"},
    {"https://a/", URL_SEARCH, "??a", "https://a/??a"},
    {"mailto:x", URL_SEARCH, "q", "mailto:x?q"},
    {"https://a/#f", URL_HASH, "", "https://a/"},
    {"https://a/", URL_HASH, "#", "https://a/#"},
    {"https://a/", URL_HASH, "a b#`", "https://a/#a%20b#%60"},
    {"https://a/", URL_HREF, " http://b ", "http://b/"},
};

static void url_sets_its_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        AUTO(arena_done) struct arena arena = {0};
        struct url u;

        assert_int_equal(url_parse(&arena, slice_of(changes[i].url), NULL, &u), 0);
        assert_int_equal(url_set(&arena, &u, changes[i].part, slice_of(changes[i].value)), 0);
        if (!slice_eq(u.href, slice_of(changes[i].href)))
            fail_msg("%s part %d = '%s' gave %.*s, not %s", changes[i].url, changes[i].part,
                     changes[i].value, SLICE_ARG(u.href), changes[i].href);
    }
}

static void url_refuses_a_bad_href(void **state)
{
    (void)state;
    AUTO(arena_done) struct arena arena = {0};
    struct url u;

    assert_int_equal(url_parse(&arena, SLICE("http://a/"), NULL, &u), 0);
    assert_int_equal(url_set(&arena, &u, URL_HREF, SLICE("nothing")), -EBADMSG);
    assert_true(slice_eq(u.href, SLICE("http://a/")));
}

static void url_keeps_its_limits(void **state)
{
    (void)state;
    AUTO(arena_done) struct arena small = {.limit = 64}, arena = {0};
    AUTO(buf_done) struct buf text = {0};
    struct url u;

    buf_printf(&text, "http://a/%0100d", 0);
    assert_int_equal(url_parse(&small, buf_slice(&text), NULL, &u), -ENOMEM);
    buf_clear(&text);
    buf_printf(&text, "http://%020000d/", 1);
    assert_int_equal(url_parse(&arena, buf_slice(&text), NULL, &u), -EBADMSG);
    /* A NUL is an ordinary byte of a path and never one of a host. */
    assert_int_equal(url_parse(&arena, SLICE("http://a/b\0c"), NULL, &u), 0);
    assert_true(slice_eq(u.href, SLICE("http://a/b%00c")));
    assert_int_equal(url_parse(&arena, SLICE("http://a\0b/"), NULL, &u), -EBADMSG);
}

static void url_decodes_escapes(void **state)
{
    (void)state;
    char out[32];

    size_t n = url_percent_decode(SLICE("a%41%zz%4%c3%A9%"), out);
    assert_true(slice_eq(slice_from(out, n), SLICE("aA%zz%4\xc3\xa9%")));
    AUTO(buf_done) struct buf form = {0};
    url_percent_encode(&form, SLICE("a b&c=\xc3\xa9~*"), URL_SET_FORM);
    assert_true(slice_eq(buf_slice(&form), SLICE("a%20b%26c%3D%C3%A9%7E*")));
}

int url_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_parses_the_table), cmocka_unit_test(url_gives_its_parts),
        cmocka_unit_test(url_sets_its_parts),   cmocka_unit_test(url_refuses_a_bad_href),
        cmocka_unit_test(url_keeps_its_limits), cmocka_unit_test(url_decodes_escapes),
    };
    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
