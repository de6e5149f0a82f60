test(() => assert_equals(1, 2, 'numbers'), 'fails');
promise_test(async () => {
    throw new Error('no');
}, 'rejects');
test(() => {}, 'passes');
