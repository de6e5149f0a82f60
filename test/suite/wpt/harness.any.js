// META: title=The harness itself
// META: script=helper.js
// META: script=/wpt/helper2.js
// META: timeout=long

test(() => {
    assert_equals(fromHelper, 'helper');
    assert_true(new Helper() instanceof Helper);
    assert_equals(fromRoot, 'root');
}, 'declarations of included scripts are visible');

test(() => {
    assert_equals(NaN, NaN);
    assert_not_equals(0, -0);
    assert_array_equals([1, 'a'], [1, 'a']);
    assert_throws_js(TypeError, () => null.x);
    assert_throws_dom('DataCloneError', () => structuredClone(() => {}));
    assert_throws_exactly(fromHelper, () => {
        throw fromHelper;
    });
    assert_class_string([], 'Array');
    assert_regexp_match('abc', /b/);
    assert_in_array(1, [1, 2]);
    assert_approx_equals(1, 1.05, 0.1);
}, 'assertions hold');

for (const [name, fn] of Object.entries({
    assert_equals: () => assert_equals(1, 2),
    assert_throws_js: () => assert_throws_js(RangeError, () => null.x),
    assert_unreached: () => assert_unreached(),
    assert_array_equals: () => assert_array_equals([1], [2]),
})) {
    test(() => {
        let thrown = null;
        try {
            fn();
        } catch (error) {
            thrown = error;
        }
        assert_not_equals(thrown, null);
        assert_true(thrown.message.startsWith(name));
    }, `${name} fails`);
}

promise_test(async (t) => {
    await promise_rejects_js(t, TypeError, Promise.reject(new TypeError()));
    await new Promise((resolve) => t.step_timeout(resolve, 1));
    assert_equals((await fetch_json('data.json')).one, 1);
    assert_equals((await (await fetch('data.json')).json()).one, 1);
}, 'promise tests');

let cleaned = false;
promise_test(async (t) => {
    t.add_cleanup(() => {
        cleaned = true;
    });
}, 'cleanup is run');
promise_test(async () => assert_true(cleaned), 'before the next promise test');

async_test((t) => {
    setTimeout(t.step_func_done(() => assert_true(true)), 1);
}, 'asynchronous tests');

const manual = async_test('a test without a function');
manual.step(() => queueMicrotask(() => manual.done()));

test(() => {
    assert_true(GLOBAL.isWorker());
    assert_equals(eval('1 + 1'), 2);
    assert_equals(self, globalThis);
}, 'the global scope');
