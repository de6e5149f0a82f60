#include "unit/unit.h"

#include "role/control_filter.h"

static bool passes(const char *filters)
{
    AUTO(json_release) json_t *list = json_loads(filters, 0, NULL);
    AUTO(json_release)
    json_t *event = json_loads("{\"outcome\":\"exception\",\"logs\":[{\"message\":[\"hello "
                               "world\",{\"a\":1}],\"level\":\"log\"}],"
                               "\"event\":{\"request\":{\"method\":\"POST\",\"headers\":{\"X-"
                               "Test\":\"abc\",\"cf-connecting-ip\":"
                               "\"10.0.0.1\"}}}}",
                               0, NULL);
    assert_non_null(list);
    assert_non_null(event);
    filter_complete(event, SLICE("script"), SLICE("v1"));
    return filter_passes(list, event, "10.0.0.1");
}

static void test_each_filter(void **state)
{
    (void)state;
    EXPECT(passes("[]"));
    EXPECT(passes("[{\"outcome\":[\"ok\",\"exception\"]}]"));
    EXPECT(!passes("[{\"outcome\":[\"ok\"]}]"));
    EXPECT(passes("[{\"method\":[\"post\"]}]"));
    EXPECT(!passes("[{\"method\":[\"GET\"]}]"));
    EXPECT(passes("[{\"header\":{\"key\":\"x-test\"}}]"));
    EXPECT(passes("[{\"header\":{\"key\":\"x-test\",\"query\":\"b\"}}]"));
    EXPECT(!passes("[{\"header\":{\"key\":\"x-test\",\"query\":\"z\"}}]"));
    EXPECT(!passes("[{\"header\":{\"key\":\"absent\"}}]"));
    EXPECT(passes("[{\"client_ip\":[\"self\"]}]"));
    EXPECT(!passes("[{\"client_ip\":[\"10.0.0.2\"]}]"));
    EXPECT(passes("[{\"query\":\"world\"}]"));
    EXPECT(!passes("[{\"query\":\"nothing\"}]"));
    EXPECT(passes("[{\"scriptVersion\":\"v1\"}]"));
    EXPECT(!passes("[{\"scriptVersion\":\"v2\"}]"));
    EXPECT(passes("[{\"sampling_rate\":2}]"));
    EXPECT(!passes("[{\"sampling_rate\":0}]"));
    EXPECT(!passes("[{\"outcome\":[\"exception\"]},{\"method\":[\"GET\"]}]"));
}

/* What a client may have put there instead. */
static void test_odd_filters(void **state)
{
    (void)state;
    EXPECT(passes("[1,null,\"x\",{}]"));
    EXPECT(!passes("[{\"outcome\":7}]"));
    EXPECT(!passes("[{\"header\":[]}]"));
    EXPECT(!passes("[{\"query\":[]}]"));
}

static void test_complete(void **state)
{
    (void)state;
    AUTO(json_release) json_t *event = json_object();
    filter_complete(event, SLICE("s"), SLICE("v"));
    EXPECT(json_is_array(json_object_get(event, "logs")));
    EXPECT(json_is_array(json_object_get(event, "exceptions")));
    assert_string_equal(json_str(event, "outcome", ""), "unknown");
    assert_string_equal(json_str(event, "scriptName", ""), "s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_filter),
        cmocka_unit_test(test_odd_filters),
        cmocka_unit_test(test_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
