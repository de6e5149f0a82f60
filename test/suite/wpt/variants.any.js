// META: variant=?1
// META: variant=?2
test(() => assert_true(/^\?[12]$/.test(location.search)), `variant ${location.search}`);
