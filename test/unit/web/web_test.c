/*
 * The natives of the web platform in a real VM: a table of scripts and what they must give. What the scripts in
 * src/web/js make of them is tested in test/js and test/compat.
 */
#include "../unit.h"

#include <pthread.h>

#include "engine/vm.h"
#include "web/web.h"

struct web_case {
    const char *script, *expected;
};

static struct vm *vm;

/* Helpers that the scripts below use. */
static const char prelude[] =
    "(function (native, global) {"
    "  global.native = native;"
    "  global.u8 = (...b) => new Uint8Array(b);"
    "  global.bytes = (s) => Uint8Array.from(s, (c) => c.charCodeAt(0));"
    "  global.hex = (b) => Array.from(new Uint8Array(b), (x) => x.toString(16).padStart(2, "
    "'0')).join('');"
    "  global.url = (input, base) => { const p = new Uint32Array(native.url.places); const h = "
    "native.url.parse(input, base); return h === undefined ? 'none' : h + ' ' + [...p].map((n) "
    "=> n === 0xffffffff ? '-' : n); };"
    "  global.set = (href, part, value) => native.url.set(href, part, value);"
    "  global.repeat = (n) => new Uint8Array(n).fill(97);"
    "  return {}; })";

/* clang-format off */
static const struct web_case url_cases[] = {
    {"url('https://user:pass@example.com:1234/foo/bar?baz#quux')",
     "https://user:pass@example.com:1234/foo/bar?baz#quux 6,12,18,29,34,42,46,1"},
    {"url('HTTP://Example.COM:80')", "http://example.com/ 5,7,7,18,18,-,-,1"},
    {"url('http://u@h/')", "http://u@h/ 5,8,9,10,10,-,-,1"},
    {"url('http://:p@h/')", "http://:p@h/ 5,7,10,11,11,-,-,1"},
    {"url('mailto:a@b?c')", "mailto:a@b?c 7,7,7,7,7,10,-,0"},
    {"url('file:///x')", "file:///x 5,7,7,7,7,-,-,1"},
    {"url('../d?e', 'http://a/b/c/')", "http://a/b/d?e 5,7,7,8,8,12,-,1"},
    {"url('web+x:/.//p')", "web+x:/.//p 6,6,6,6,8,-,-,0"},
    {"url('nonsense')", "none"},
    {"url('x', 'nonsense')", "none"},
    {"set('http://a/b', 8, 'q=1')", "http://a/b?q=1"},
    {"set('http://a/b', 6, '99999')", "http://a/b"},
    {"String(set('http://a/b', 0, 'bad'))", "undefined"},
    {"try { native.url.parse() } catch (e) { e.name }", "TypeError"},
};

static const struct web_case text_cases[] = {
    {"hex(native.text.encode('a\\u20ac\\ud83d\\ude00'))", "61e282acf09f9880"},
    {"hex(native.text.encode('\\ud800x'))", "efbfbd78"},
    {"hex(native.text.encode(''))", ""},
    {"native.text.decode(bytes('abc'), 0, 0)", "abc"},
    {"native.text.decode(u8(0xef, 0xbb, 0xbf, 65), 0, 0)", "A"},
    {"String(native.text.decode(u8(0xef, 0xbb, 0xbf, 65), 0, 2).length)", "2"},
    {"native.text.decode(u8(0x61, 0xff, 0xe2, 0x82, 0x62), 0, 0)", "a\xef\xbf\xbd\xef\xbf\xbd" "b"},
    {"String(native.text.decode(u8(0x61, 0xff), 0, 1))", "undefined"},
    {"String(native.text.decode(u8(0xed, 0xa0, 0x80), 0, 1))", "undefined"},
    {"String(native.text.decode(u8(0xc0, 0x80), 0, 1))", "undefined"},
    {"String(native.text.decode(u8(0xf4, 0x90, 0x80, 0x80), 0, 1))", "undefined"},
    {"native.text.decode(u8(0xe9, 0x80, 65), 1, 0)", "\xc3\xa9\xe2\x82\xac" "A"},
    {"native.text.decode(u8(0x3d, 0xd8, 0x00, 0xde), 2, 0)", "\xf0\x9f\x98\x80"},
    {"native.text.decode(u8(0xd8, 0x3d, 0xde, 0x00, 0), 3, 0)", "\xf0\x9f\x98\x80\xef\xbf\xbd"},
    {"String(native.text.decode(u8(0x00, 0xd8), 2, 1))", "undefined"},
    {"const c = new Uint32Array(2), b = new Uint8Array(4); native.text.encodeInto('a\\u20acb', b, c); hex(b) + [...c]",
     "61e282ac2,4"},
    {"const d = new Uint32Array(2); native.text.encodeInto('\\ud83d\\ude00', new Uint8Array(3), d); String([...d])", "0,0"},
    {"native.text.latin1(u8(65, 0xe9))", "A\xc3\xa9"},
    {"native.text.btoa('\\u00ff\\u0000a')", "/wBh"},
    {"String(native.text.btoa('\\u0100'))", "undefined"},
    {"native.text.atob(' Y W J j ') + native.text.atob('YQ') + native.text.atob('YQ==')", "abcaa"},
    {"String([native.text.atob('Y'), native.text.atob('YQ='), native.text.atob('Y?=='), native.text.atob('====')].every((v) => v === undefined))",
     "true"},
    {"native.text.percentDecode('%41%e2%82%ac%zz%4')", "A\xe2\x82\xac%zz%4"},
    {"hex(native.text.percentBytes('%ff%00a%'))", "ff006125"},
    {"native.text.label('sjis') + native.text.label('l2') + native.text.label('none')", "shift_jisiso-8859-2undefined"},
    {"const p = new Uint32Array(2); native.text.decodeLegacy(u8(0x93, 0xfa, 0x96), 'shift_jis', 4, p) + p[0]",
     "\xe6\x97\xa5" "1"},
    {"native.text.decodeLegacy(u8(0xcf, 0xf0), 'windows-1251', 0, new Uint32Array(2))", "\xd0\x9f\xd1\x80"},
    {"String(native.text.decodeLegacy(u8(0x81), 'shift_jis', 1, new Uint32Array(2)))", "undefined"},
};

static const struct web_case crypto_cases[] = {
    {"hex(native.crypto.digest(2, bytes('abc')))", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"hex(native.crypto.digest(0, u8()))", "d41d8cd98f00b204e9800998ecf8427e"},
    {"const h = native.crypto.digestOpen(1); native.crypto.digestPush(h, bytes('a')); native.crypto.digestPush(h, bytes('bc')); hex(native.crypto.digestEnd(h))",
     "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {"try { native.crypto.digestEnd(h) } catch (e) { e.name }", "TypeError"},
    {"try { native.crypto.digestPush(new ArrayBuffer(24), u8(1)) } catch (e) { e.name }", "TypeError"},
    /* RFC 4231, case 2 */
    {"hex(native.crypto.hmac(2, bytes('Jefe'), bytes('what do ya want for nothing?')))",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"String(native.crypto.equal(u8(1, 2), u8(1, 2))) + native.crypto.equal(u8(1, 2), u8(1, 3)) + native.crypto.equal(u8(1), u8())",
     "truefalsefalse"},
    {"native.crypto.uuid().replace(/[0-9a-f]/g, 'x')", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"},
    {"const v = new Uint8Array(32); String(native.crypto.random(v) === v && v.some((x) => x !== 0))", "true"},
    /* NIST SP 800-38A F.2.1, first block */
    {"const k = Uint8Array.from('2b7e151628aed2a6abf7158809cf4f3c'.match(/../g), (x) => parseInt(x, 16)); const n = Uint8Array.from({ length: 16 }, (_, i) => i);"
     "const m = Uint8Array.from('6bc1bee22e409f96e93d7e117393172a'.match(/../g), (x) => parseInt(x, 16)); hex(native.crypto.cipher(0, true, k, n, m, null, 0)).slice(0, 32)",
     "7649abac8119b246cee98e9b12e9197d"},
    {"const g = native.crypto.cipher(2, true, k, n.subarray(0, 12), bytes('secret'), bytes('aad'), 128); const o = native.crypto.cipher(2, false, k, n.subarray(0, 12), new Uint8Array(g), bytes('aad'), 128); native.text.latin1(new Uint8Array(o)) + g.byteLength",
     "secret22"},
    {"String(native.crypto.cipher(2, false, k, n.subarray(0, 12), new Uint8Array(g), bytes('other'), 128))", "undefined"},
    {"String(native.crypto.cipher(2, false, k, n.subarray(0, 12), u8(1), null, 128))", "undefined"},
    {"String(native.crypto.cipher(0, false, k, n, u8(1, 2, 3), null, 0))", "undefined"},
    /* A counter of 4 bits wraps inside itself: blocks 2 and 3 are 0 and 1 of the same prefix. */
    {"const c0 = new Uint8Array(16), c15 = new Uint8Array(16); c15[15] = 15; const z = new Uint8Array(32); const w = hex(native.crypto.cipher(1, true, k, c15, z, null, 4)); "
     "String(w.slice(32) === hex(native.crypto.cipher(1, true, k, c0, z, null, 128)).slice(0, 32))",
     "true"},
    {"String(native.crypto.cipher(1, true, k, c0, new Uint8Array(16 * 17), null, 4))", "undefined"},
    /* RFC 3394 4.1 */
    {"hex(native.crypto.cipher(3, true, Uint8Array.from({ length: 16 }, (_, i) => i), null, Uint8Array.from('00112233445566778899aabbccddeeff'.match(/../g), (x) => parseInt(x, 16)), null, 0))",
     "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
    /* RFC 6070, case 2 */
    {"hex(native.crypto.pbkdf2(1, bytes('password'), bytes('salt'), 2, 20))", "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
    /* RFC 5869, case 1 */
    {"hex(native.crypto.hkdf(2, new Uint8Array(22).fill(11), Uint8Array.from({ length: 13 }, (_, i) => i), Uint8Array.from({ length: 10 }, (_, i) => 0xf0 + i), 42))",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"String(native.crypto.hkdf(2, u8(1), u8(), u8(), 255 * 32 + 1))", "undefined"},
};

static const struct web_case pair_cases[] = {
    /* RFC 8032, 7.1, test 1 */
    {"const un = (h) => Uint8Array.from(h.match(/../g), (x) => parseInt(x, 16)); const seed = un('302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'); "
     "const pub = new Uint8Array(native.crypto.pairPublic(seed, true)); hex(pub).slice(-64)",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
    {"const sig = native.crypto.pairSign(3, 0, seed, u8(), 0); hex(sig)",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"String([native.crypto.pairVerify(3, 0, pub, u8(), 0, sig), native.crypto.pairVerify(3, 0, pub, u8(1), 0, sig), native.crypto.pairVerify(3, 0, pub, u8(), 0, new Uint8Array(sig).subarray(1))])",
     "true,false,false"},
    {"const made = (k, p) => { const d = new Uint8Array(native.crypto.pairGenerate(k, p, 65537)); return [d, new Uint8Array(native.crypto.pairPublic(d, true))]; };"
     "const round = (scheme, k, p, salt) => { const [d, q] = made(k, p); const s = native.crypto.pairSign(scheme, 2, d, bytes('m'), salt); const t = new Uint8Array(s.slice(0)); t[3] ^= 1;"
     "  return [s.byteLength, native.crypto.pairVerify(scheme, 2, q, bytes('m'), salt, s), native.crypto.pairVerify(scheme, 2, q, bytes('m'), salt, t), native.crypto.pairVerify(scheme, 2, q, bytes('n'), salt, s)].join(); };"
     "[round(0, 0, 1024, 0), round(1, 0, 1024, 20), round(2, 1, 0, 0), round(2, 1, 1, 0), round(2, 1, 2, 0), round(3, 2, 0, 0)].join(' ')",
     "128,true,false,false 128,true,false,false 64,true,false,false 96,true,false,false 132,true,false,false 64,true,false,false"},
    {"const [rd, rq] = made(0, 1024); const sealed = native.crypto.pairCrypt(true, 1, rq, bytes('hello'), bytes('l')); native.text.latin1(new Uint8Array(native.crypto.pairCrypt(false, 1, rd, new Uint8Array(sealed), bytes('l')))) + native.crypto.pairCrypt(false, 1, rd, new Uint8Array(sealed), bytes('x'))",
     "helloundefined"},
    {"[[1, 0], [1, 2], [3, 0]].map(([k, p]) => { const [a, b] = made(k, p), [x, y] = made(k, p); const s = native.crypto.pairDerive(a, y); return s.byteLength + String(hex(s) === hex(native.crypto.pairDerive(x, b))); }).join()",
     "32true,66true,32true"},
    {"String([native.crypto.pairPublic(u8(1, 2, 3), true), native.crypto.pairPublic(u8(), false), native.crypto.pairPublic(u8(...seed, 0), true), native.crypto.pairSign(0, 2, u8(9), u8(), 0), native.crypto.pairSign(2, 2, seed, u8(), 0), native.crypto.pairDerive(seed, pub), native.crypto.pairGenerate(1, 9, 0), native.crypto.pairGenerate(0, 99999, 3)].every((v) => v === undefined))",
     "true"},
    {"String([native.crypto.pairVerify(0, 2, pub, u8(), 0, u8(1)), native.crypto.pairVerify(2, 2, rq, u8(), 0, u8(1, 2)), native.crypto.pairVerify(2, 2, u8(1), u8(), 0, u8())])",
     "false,false,false"},
    {"try { native.crypto.pairSign(7, 0, seed, u8(), 0) } catch (e) { e.name }", "TypeError"},
};

static const struct web_case zlib_cases[] = {
    {"const z = native.zlib.open('gzip', false); const a = new Uint8Array(native.zlib.push(z, repeat(100000), true)); const i = native.zlib.open('gzip', true); String(native.zlib.push(i, a, true).byteLength) + (a.length < 1000)",
     "100000true"},
    {"const j = native.zlib.open('gzip', true); let n = 0; for (const b of a) n += native.zlib.push(j, u8(b), false).byteLength; String(n + native.zlib.push(j, u8(), true).byteLength)",
     "100000"},
    {"const t = native.zlib.open('gzip', true); String(native.zlib.push(t, a.subarray(0, a.length - 4), true))", "undefined"},
    {"const x = native.zlib.open('gzip', true); String(native.zlib.push(x, u8(...a, 1), false)) + native.zlib.trailing(x)",
     "undefinedtrue"},
    {"String(native.zlib.push(native.zlib.open('deflate', true), bytes('garbage'), true))", "undefined"},
    {"String(native.zlib.push(native.zlib.open('deflate-raw', false), u8(), true).byteLength > 0)", "true"},
    {"try { native.zlib.open('brotli', true) } catch (e) { e.name }", "TypeError"},
    {"try { native.zlib.push(new ArrayBuffer(128), u8(), true) } catch (e) { e.name }", "TypeError"},
};

/* clang-format on */

static void run_cases(const struct web_case *cases, size_t n)
{
    AUTO(buf_done) struct buf text = {0};
    js_context ctx = vm_context(vm);
    for (size_t i = 0; i < n; i++) {
        js_value exception = NULL;
        js_value v = vm_eval(vm, "test.js", slice_of(cases[i].script), &exception);
        buf_clear(&text);
        if (v == NULL)
            js_describe(ctx, exception, &text);
        else
            EXPECT_EQ(js_append_utf8(ctx, v, &text), 0);
        if (strcmp(buf_cstr(&text), cases[i].expected) != 0)
            fail_msg("%s\n   gives %s\n   not   %s", cases[i].script, buf_cstr(&text),
                     cases[i].expected);
    }
}

#define CASES(name)                                                                                \
    static void name(void **state UNUSED)                                                          \
    {                                                                                              \
        run_cases(name##_cases, ARRAY_LEN(name##_cases));                                          \
    }
CASES(url)
CASES(text)
CASES(crypto)
CASES(pair)
CASES(zlib)

static void handles_are_collected(void **state UNUSED)
{
    js_value exception = NULL;
    static const char script[] = "for (let i = 0; i < 2000; i++) { native.zlib.open('gzip', i % 2 "
                                 "=== 0); native.crypto.digestOpen(2); } ''";
    EXPECT(vm_eval(vm, "test.js", slice_of(script), &exception) != NULL);
    vm_collect(vm);
}

static int setup(void **state UNUSED)
{
    EXPECT_EQ(vm_create(&vm, &vm), 0);
    web_install(vm);
    vm_bootstrap(vm, "prelude", slice_of(prelude));
    return 0;
}

static int teardown(void **state UNUSED)
{
    vm_destroy(vm);
    return 0;
}

static void *thread(void *arg)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(url, setup, teardown),
        cmocka_unit_test_setup_teardown(text, setup, teardown),
        cmocka_unit_test_setup_teardown(crypto, setup, teardown),
        cmocka_unit_test_setup_teardown(pair, setup, teardown),
        cmocka_unit_test_setup_teardown(zlib, setup, teardown),
        cmocka_unit_test_setup_teardown(handles_are_collected, setup, teardown),
    };
    *(int *)arg = cmocka_run_group_tests(tests, NULL, NULL);
    return NULL;
}

/* A VM wants a thread of its own. */
int main(void)
{
    pthread_attr_t attr;
    pthread_t id;
    int failed = 1;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, VM_STACK_SIZE);
    if (pthread_create(&id, &attr, thread, &failed) != 0)
        return 1;
    pthread_join(id, NULL);
    return failed > 0;
}
