import { caught } from "../../worker/report.js";

const show = (u) => [u.href, u.origin, u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash];

const absolute = [
    "http://example.com", "HTTP://EXAMPLE.com:80/", "https://u:p%40@h.example:8443/a/b?c#d", "http://a/b/../c/./d",
    "http://a/%7Efoo/%zz/\u00e9", "http://a?b c\"<>'`", "http://a#b c`", "http://[::1]:8080/", "http://[2001:DB8::0:1]/", "http://[::1",
    "http://192.168.0.1/", "http://0x7f.1/", "http://256.1.1.1/", "http://1.2.3/", "http://01.02.03.04/", "http://m\u00fcnchen.de/", "http://xn--mnchen-3ya.de/",
    "http://\u65e5\u672c.jp/", "http://a b/", "http://a%41b/", "http://a%00b/", "http://ex\u00adample.com/", "http://EXAMPLE\uff0ecom/", "http://\u2603.net/", "http://xn--/",
    "file:///C:/a/../b", "file://host/x", "file:c:\\x\\y", "mailto:a@b.c", "data:text/plain,hi there#x", "javascript:alert(1)", "blob:https://a.b/uuid",
    "ws://a:80/", "wss://a:443/x", "ftp://a:21/", "foo://bar:99/baz?q", "foo:bar", "http:///a", "http:\\\\a\\b", "http:a", "//a/b", "", "a", "http://",
    " http://a/ \n", "ht\ntp://a/\tb", "http://a:", "http://a:0/", "http://a:65535/", "http://a:65536/", "http://a:b/", "http://user@/", "http://@a", "http://a@b@c/",
    "http://:p@a/", "http://a/?", "http://a/#", "http://a/??#?#", "http://a/b;c=d/e", "http://a/\\b", "http://a/b/%2e%2E/c", "http://a/%2e", "http://a.b../", "http://a/\ud83d\ude00",
    "http://a/\ud800", "non-special://a b/", "non-special://[::1]/", "non-special:/..//p", "about:blank", "http://a_b/", "http://-a-/", "https://a\u3002b/", "http://%zz/",
];
const relative = [
    ["", "http://a/b/c?d#e"], ["x", "http://a/b/c"], ["/x", "http://a/b/c"], ["//h/x", "https://a/b"], ["?q", "http://a/b?c#d"], ["#f", "http://a/b?c#d"],
    ["../../x", "http://a/b/c/d"], ["./", "http://a/b/c"], ["..", "http://a/b/c/d"], ["http:x", "http://a/b/c"], ["http:x", "https://a/b/c"], ["\\x", "http://a/b"],
    ["x", "mailto:a"], ["#x", "mailto:a"], ["x", "not a url"], ["C|/x", "file:///D:/y"], ["/x", "file:///C:/y"], ["x y", "foo://h/p"], ["http://b/", "garbage"],
];

const table = {};
for (const u of absolute) table[`parse ${JSON.stringify(u)}`] = () => caught(() => show(new URL(u)));
for (const [u, base] of relative) table[`parse ${JSON.stringify(u)} on ${JSON.stringify(base)}`] = () => caught(() => show(new URL(u, base)));
export default table;
