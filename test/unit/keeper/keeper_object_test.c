/* Durable Objects through the keeper: leases, and what may be said under one. */
#include "keeper_test.h"

#include "store/sql.h"

#include <errno.h>
#include <sys/socket.h>

#define NAMESPACE "00112233445566778899aabbccddeeff"
#define OBJECT NAMESPACE NAMESPACE

static const char object_spec[] =
    "{\"bindings\":[{\"name\":\"C\",\"type\":\"durable_object_class\",\"store\":"
    "\"durable/" NAMESPACE "\",\"mount\":\"objects\"}]}";

/* Two isolates that run the same class. */
struct objects {
    struct keeper_fixture *f;
    struct peer first, second;
};

static void isolate_connect(struct keeper_fixture *f, struct peer *ret, uint64_t number)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(keeper_add_isolate(f->keeper, pair[0], number, SLICE(object_spec)), 0);
    peer_connect(ret, f->loop, pair[1]);
}

static void objects_connect(struct objects *o)
{
    isolate_connect(o->f, &o->first, 11);
    isolate_connect(o->f, &o->second, 12);
}

static void objects_end(struct objects *o)
{
    wire_destroy(o->first.wire);
    wire_destroy(o->second.wire);
}

static int objects_setup(void **state)
{
    int r = keeper_setup(state);
    static struct objects o;
    o = (struct objects){.f = *state};
    PACK(&args, store_make, .store = SLICE("durable/" NAMESPACE));
    assert_int_equal(call(&o.f->control, OP_store_make, &args, SLICE_NONE)->result, 0);
    objects_connect(&o);
    *state = &o;
    return r;
}

static int objects_teardown(void **state)
{
    struct objects *o = *state;
    void *f = o->f;
    objects_end(o);
    return keeper_teardown(&f);
}

static uint64_t lease(struct peer *p)
{
    PACK(&args, object_lease, .binding = 0, .object = SLICE(OBJECT));
    struct answer *a = call(p, OP_object_lease, &args, SLICE_NONE);
    assert_true(a->result > 0);
    return (uint64_t)a->result;
}

static int64_t tell(struct peer *p, uint64_t epoch, int64_t time_ms)
{
    PACK(&args, alarm_set, .binding = 0, .object = SLICE(OBJECT), .epoch = epoch,
         .time_ms = time_ms);
    return call(p, OP_alarm_set, &args, SLICE_NONE)->result;
}

/* What the index has; -1: nothing. */
static int64_t indexed(const struct objects *o)
{
    char path[200];
    AUTO(sql_release) struct sql *db = NULL;
    snprintf(path, sizeof(path), "%s/durable/%s/alarms.sqlite", o->f->root, NAMESPACE);
    assert_int_equal(sql_open(path, 0, &db, NULL), 0);
    struct sql_stmt *s = sql_cached(db, "SELECT at FROM alarms");
    int64_t at = sql_step(s, NULL) == 1 ? sql_column_int(s, 0) : -1;
    sql_reset(s);
    return at;
}

static void test_a_late_alarm_is_refused(void **state)
{
    struct objects *o = *state;
    int64_t far = INT64_C(4102444800000);
    uint64_t old = lease(&o->first);
    assert_int_equal(tell(&o->first, old, far), 0);
    uint64_t new = lease(&o->second);
    assert_true(new > old);
    assert_int_equal(tell(&o->second, new, far + 1), 0);
    assert_int_equal(tell(&o->first, old, -1), -ESTALE);
    assert_int_equal(tell(&o->first, new, -1), -ESTALE); /* a number is not enough */
    assert_int_equal(tell(&o->second, old, -1), -ESTALE);
    assert_int_equal(indexed(o), far + 1);
    assert_int_equal(tell(&o->second, new, -1), 0);
    assert_int_equal(indexed(o), -1);
}

/* The keeper has begun anew: whoever comes with a number from before keeps it, until somebody asks. */
static void test_a_lease_outlives_the_keeper(void **state)
{
    struct objects *o = *state;
    uint64_t old = lease(&o->first);
    objects_end(o);
    keeper_restart(o->f);
    objects_connect(o);
    assert_int_equal(tell(&o->first, old, 5), 0);
    assert_int_equal(tell(&o->second, old, 6), -ESTALE);
    uint64_t new = lease(&o->second);
    assert_int_equal(tell(&o->first, old, 7), -ESTALE);
    assert_int_equal(tell(&o->second, new, -1), 0);
    assert_int_equal(indexed(o), -1);
}

static void cut_off(struct peer *p)
{
    assert_int_not_equal(call(p, OP_alarm_set, &args, SLICE_NONE)->reset, 0);
    while (!p->closed)
        loop_turn(p->loop, 1000);
}

/* Only of objects, and only of a class that it runs. */
static void test_strangers_are_cut_off(void **state)
{
    struct objects *o = *state;
    PACK(&args, alarm_set, .binding = 1, .object = SLICE(OBJECT), .epoch = 1, .time_ms = 1);
    cut_off(&o->first);
    uint64_t epoch = lease(&o->second);
    PACK(&args, alarm_set, .binding = 0, .object = SLICE("../x"), .epoch = epoch, .time_ms = 1);
    cut_off(&o->second);
}

int keeper_object_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_late_alarm_is_refused, objects_setup,
                                        objects_teardown),
        cmocka_unit_test_setup_teardown(test_a_lease_outlives_the_keeper, objects_setup,
                                        objects_teardown),
        cmocka_unit_test_setup_teardown(test_strangers_are_cut_off, objects_setup,
                                        objects_teardown),
    };
    return cmocka_run_group_tests_name("keeper objects", tests, NULL, NULL);
}
