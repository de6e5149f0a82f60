/* Values: strings in both directions, bytes, JSON, errors, calls, promises. */
#include "engine_test.h"

#include <errno.h>
#include <stdlib.h>

static void strings_in(void **state UNUSED)
{
    static const struct {
        struct slice utf8;
        const char *expression; /* is true for the string `s` */
    } rows[] = {
        {SLICE(""), "s === ''"},
        {SLICE("plain"), "s === 'plain'"},
        {SLICE("a\0b"), "s === 'a\\0b'"},
        {SLICE("h\xC3\xA9"), "s === 'h\\u00e9'"},
        {SLICE("\xE2\x82\xAC\xF0\x9F\x98\x80"), "s === '\\u20ac\\u{1f600}'"},
        {SLICE("a\xFFz"), "s === 'a\\ufffdz'"},
        /* Maximal prefixes: a cut sequence is one replacement, a surrogate's three bytes are three. */
        {SLICE("\xF0\x9F\x98"), "s === '\\ufffd'"},
        {SLICE("\xED\xA0\x80"), "s === '\\ufffd\\ufffd\\ufffd'"},
        {SLICE("\xC0\xAF"), "s === '\\ufffd\\ufffd'"},
        {SLICE("\xF4\x90\x80\x80"), "s === '\\ufffd\\ufffd\\ufffd\\ufffd'"},
        {SLICE("0123456789\xC3"), "s === '0123456789\\ufffd'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        set("s", js_string(cx, rows[i].utf8));
        EXPECT(js_is_true(cx, run(rows[i].expression)));
        AUTO(buf_done) struct buf copy = {0};
        buf_append_slice(&copy, rows[i].utf8);
        set("s", js_string_buf(cx, &copy));
        EXPECT(js_is_true(cx, run(rows[i].expression)));
    }
    set("s", js_latin1(cx, SLICE("a\xE9\xFF\x80")));
    EXPECT(js_is_true(cx, run("s === 'a\\u00e9\\u00ff\\u0080'")));
}

static void strings_out(void **state UNUSED)
{
    assert_string_equal(run_text("'plain'"), "plain");
    assert_string_equal(run_text("'h\\u00e9'"), "h\xC3\xA9");
    assert_string_equal(run_text("'\\u20ac\\u{1f600}'"), "\xE2\x82\xAC\xF0\x9F\x98\x80");
    assert_string_equal(run_text("'a\\ud800'"), "a\xEF\xBF\xBD");
    assert_string_equal(run_text("'\\udc00\\ud800b'"), "\xEF\xBF\xBD\xEF\xBF\xBD"
                                                       "b");
    assert_string_equal(run_text("12.5"), "12.5");
    assert_string_equal(run_text("'x'.repeat(5) + '\\u00e9'.repeat(3)"),
                        "xxxxx\xC3\xA9\xC3\xA9\xC3\xA9");

    AUTO(buf_done) struct buf out = {0};
    EXPECT_EQ(js_append_utf8(cx, run("'a\\0b'"), &out), 0);
    EXPECT_SLICE(buf_slice(&out), "a\0b");
    EXPECT_EQ(js_append_utf8(cx, run("Symbol()"), &out), -EINVAL);
    EXPECT_EQ(js_append_utf8(cx, run("({toString() { throw 1 }})"), &out), -EINVAL);

    buf_clear(&out);
    EXPECT_EQ(js_append_latin1(cx, run("'a\\u00e9'"), &out), 0);
    EXPECT_SLICE(buf_slice(&out), "a\xE9");
    EXPECT_EQ(js_append_latin1(cx, run("'\\u0100'"), &out), -EINVAL);

    AUTO(arena_done) struct arena arena = {.limit = 64};
    struct slice s;
    EXPECT_EQ(js_to_utf8(cx, run("''"), &arena, &s), 0);
    EXPECT_EQ(s.len, 0);
    EXPECT_EQ(js_to_utf8(cx, run("'abc'"), &arena, &s), 0);
    EXPECT_SLICE(s, "abc");
    EXPECT_EQ(js_to_utf8(cx, run("'x'.repeat(100000)"), &arena, &s), -ENOMEM);
}

static void views(void **state UNUSED)
{
    struct slice s;
    EXPECT_EQ(js_view(cx, run("new Uint8Array([1,2,3,4,5]).subarray(1, 4)"), &s), 0);
    EXPECT_SLICE(s, "\2\3\4");
    EXPECT_EQ(js_view(cx, run("new Uint8Array([7,8]).buffer"), &s), 0);
    EXPECT_SLICE(s, "\7\x8");
    EXPECT_EQ(js_view(cx, run("new DataView(new Uint8Array([1,2,3,4]).buffer, 2, 1)"), &s), 0);
    EXPECT_SLICE(s, "\3");
    EXPECT_EQ(js_view(cx, run("new Uint16Array([0x4241])"), &s), 0);
    EXPECT_SLICE(s, "AB");
    EXPECT_EQ(js_view(cx, run("new ArrayBuffer(0)"), &s), 0);
    EXPECT_EQ(s.len, 0);

    /* Memory of WebAssembly has no pointer in the C API, except through a typed array. */
    run("globalThis.m = new WebAssembly.Memory({initial: 1}); new Uint8Array(m.buffer).set([9, 8], "
        "3); 0");
    EXPECT_EQ(js_view(cx, run("m.buffer"), &s), 0);
    EXPECT_EQ(s.len, 65536);
    EXPECT_EQ(s.ptr[3], 9);
    EXPECT_EQ(js_view(cx, run("new Uint8Array(m.buffer, 3, 2)"), &s), 0);
    EXPECT_SLICE(s, "\x9\x8");
    run("m.grow(1); 0");

    EXPECT_EQ(js_view(cx, run("'text'"), &s), -EINVAL);
    EXPECT_EQ(js_view(cx, run("({})"), &s), -EINVAL);
    EXPECT_EQ(js_view(cx, run("null"), &s), -EINVAL);
    run("globalThis.gone = new ArrayBuffer(8); gone.transfer(); 0");
    if (js_view(cx, run("gone"), &s) == 0)
        EXPECT_EQ(s.len, 0);
}

static unsigned released;

static void count_release(void *ptr, void *arg)
{
    EXPECT(arg == &released);
    free(ptr);
    released++;
}

static void bytes(void **state UNUSED)
{
    set("b", js_bytes(cx, SLICE("abc")));
    assert_string_equal(run_text("new Uint8Array(b).join()"), "97,98,99");
    set("b", js_bytes(cx, SLICE("")));
    assert_string_equal(run_text("b.byteLength"), "0");

    char *memory = mem_new(16);
    memory[0] = 'x';
    set("b", js_bytes_take(cx, memory, 16, count_release, &released));
    assert_string_equal(run_text("new Uint8Array(b)[0] + ',' + b.byteLength"), "120,16");

    AUTO(buf_done) struct buf buf = {0};
    buf_append(&buf, "0123456789", 10);
    set("b", js_bytes_buf(cx, &buf));
    EXPECT_EQ(buf_len(&buf), 0);
    assert_string_equal(run_text("b.byteLength"), "10");
    for (int i = 0; i < 1000; i++)
        buf_append(&buf, "0123456789", 10);
    set("b", js_bytes_buf(cx, &buf));
    EXPECT_EQ(buf_len(&buf), 0);
    assert_string_equal(run_text("b.byteLength + ',' + new Uint8Array(b)[9999]"), "10000,57");
}

static void values(void **state UNUSED)
{
    EXPECT(js_is_nullish(cx, js_undefined(cx)) && js_is_nullish(cx, js_null(cx)));
    EXPECT(!js_is_nullish(cx, js_bool(cx, false)) && js_is_bool(cx, js_bool(cx, true)));
    EXPECT(js_to_number(cx, js_number(cx, 1.5), 0) == 1.5);
    EXPECT(js_to_number(cx, run("'7'"), -1) == -1);
    EXPECT(js_is_object(cx, run("[]")) && !js_is_object(cx, run("1")));

    set("j", js_json(cx, SLICE("{\"a\":[1,\"\xC3\xA9\"]}")));
    assert_string_equal(run_text("JSON.stringify(j)"), "{\"a\":[1,\"\xC3\xA9\"]}");
    EXPECT(js_is_nullish(cx, js_json(cx, SLICE("{"))));

    js_value items[] = {js_number(cx, 1), js_string(cx, SLICE("two"))};
    set("a", js_array(cx, items, 2));
    assert_string_equal(run_text("a.join()"), "1,two");
    js_value object = js_object(cx);
    js_set(cx, object, "x", js_number(cx, 3));
    EXPECT(js_to_number(cx, js_get(cx, object, "x"), 0) == 3);
    EXPECT(js_is_nullish(cx, js_get(cx, run("({get x() { throw 1 }})"), "x")));

    static double shared[2] = {1, 2};
    set("d", js_doubles(cx, shared, 2));
    shared[1] = 7;
    assert_string_equal(run_text("d.join()"), "1,7");
}

static JS_NATIVE(thrower)
{
    return js_throw(ctx, exception, "RangeError", "%d is too %s", 7, "much");
}

static JS_NATIVE(adder)
{
    EXPECT(js_user(ctx) == &vm);
    return js_number(ctx, js_to_number(ctx, args[0], 0) + js_to_number(ctx, args[1], 0));
}

static void natives(void **state UNUSED)
{
    set("add", js_function(cx, "add", adder));
    assert_string_equal(run_text("add(2, 3) + add.name"), "5add");
    set("thrower", js_function(cx, "thrower", thrower));
    assert_string_equal(
        run_text("try { thrower() } catch (e) { `${e instanceof RangeError} ${e}` }"),
        "true RangeError: 7 is too much");
    /* The classes are those from before a script replaced them. */
    run("globalThis.RangeError = class {}; 0");
    assert_string_equal(run_text("try { thrower() } catch (e) { String(e) }"),
                        "RangeError: 7 is too much");

    js_value exception = NULL;
    EXPECT(js_call(cx, run("(function () { throw 5 })"), NULL, 0, &exception) == NULL);
    assert_string_equal(text_of(exception), "5");
    js_value args[] = {js_number(cx, 4)};
    assert_string_equal(text_of(js_call(cx, run("(x => x * 2)"), args, 1, NULL)), "8");
}

static void describing(void **state UNUSED)
{
    AUTO(buf_done) struct buf out = {0};
    js_describe(
        cx,
        run("(function () { function inner() { return new TypeError('bad') } return inner() })()"),
        &out);
    EXPECT(slice_starts(buf_slice(&out), SLICE("TypeError: bad\n    at inner (test.js:1")));
    buf_clear(&out);
    js_describe(cx, run("'just text'"), &out);
    EXPECT_SLICE(buf_slice(&out), "just text");
    buf_clear(&out);
    js_describe(cx, run("Object.create(null)"), &out);
    EXPECT(buf_len(&out) > 0);
}

static void promises(void **state UNUSED)
{
    struct js_promise p;
    set("p", js_promise_start(&p, cx));
    run("globalThis.got = ''; p.then(v => got += 'value ' + v, e => got += 'error ' + e); 0");
    js_promise_resolve(&p, js_number(cx, 4));
    js_promise_resolve(&p, js_number(cx, 5));
    js_promise_reject(&p, js_number(cx, 6));
    assert_string_equal(run_text("got"), "value 4");

    set("p", js_promise_start(&p, cx));
    run("globalThis.got = ''; p.then(v => got += 'value ' + v, e => got += 'error ' + e); 0");
    js_promise_reject(&p, js_number(cx, 6));
    assert_string_equal(run_text("got"), "error 6");

    EXPECT(js_when_settled(cx, run("Promise.resolve(3)"), run("(v => got = 'settled ' + v)"),
                           run("(e => 0)")));
    assert_string_equal(run_text("got"), "settled 3");
    EXPECT(!js_when_settled(cx, run("({})"), run("(v => 0)"), run("(e => 0)")));
}

static void holds(void **state UNUSED)
{
    struct js_hold hold = {0};
    js_hold_set(&hold, cx, run("({kept: 'yes'})"));
    run("for (let i = 0; i < 200000; i++) ({i}); 0");
    vm_collect(vm);
    assert_string_equal(text_of(js_get(cx, hold.v, "kept")), "yes");
    js_hold_set(&hold, cx, hold.v);
    js_hold_clear(&hold);
    js_hold_clear(&hold);
    EXPECT(hold.v == NULL);
}

int js_tests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(strings_in), TEST(strings_out), TEST(views),    TEST(bytes), TEST(values),
        TEST(natives),    TEST(describing),  TEST(promises), TEST(holds),
    };
    return RUN("js", tests);
}
