/*
 * sim_test                       some thousand seeds, and every broken variant must be caught (cmocka)
 * sim_test seeds FIRST N         more of them
 * sim_test replay SEED [VARIANT] one
 * sim_test week SEED             a week of simulated time
 */
#include "sim.h"

#include "linear.h"
#include "unit.h"

#include <stdlib.h>

enum {
    SEEDS = 3000,
    SECONDS = 30,
    THINK_MS = 700,
    TRIES = 20000,
    WEEK_S = 7 * 24 * 3600,
    WEEK_THINK_MS = 20000
};

static bool seed_fine(uint64_t seed, enum sim_variant variant, bool show)
{
    struct sim_result r = sim_run(seed, variant, SECONDS, THINK_MS);
    if (show)
        printf("seed %llu: %s; %u events, %u operations, %u acknowledged, %u alarms handled, %u "
               "faults, %u stale commits\n",
               (unsigned long long)seed, r.why == NULL ? "fine" : r.why, r.events, r.ops,
               r.acknowledged, r.fired, r.crashes, r.stale);
    if (r.why != NULL && variant == SIM_SOUND)
        printf("replay: build/test/sim/sim_test replay %llu\n", (unsigned long long)seed);
    return r.why == NULL;
}

static unsigned seeds_bad(uint64_t first, uint64_t n)
{
    unsigned bad = 0;
    for (uint64_t i = 0; i < n && bad < 5; i++)
        bad += !seed_fine(first + i, SIM_SOUND, false);
    return bad;
}

static void test_seeds(void **state UNUSED)
{
    EXPECT_EQ(seeds_bad(1, SEEDS), 0);
}

static void test_variants(void **state UNUSED)
{
    for (enum sim_variant v = SIM_SOUND + 1; v < SIM_VARIANTS; v++) {
        unsigned seed = 1;
        while (seed <= TRIES && seed_fine(seed, v, false))
            seed++;
        printf("variant %d: caught by seed %u\n", (int)v, seed);
        EXPECT(seed <= TRIES);
    }
}

static void test_linear(void **state UNUSED)
{
    struct linear_op ops[] = {
        {.kind = LINEAR_WRITE, .value = 5, .begin = 0, .end = 10},
        {.kind = LINEAR_ADD, .value = 6, .begin = 5, .end = 20},
        {.kind = LINEAR_READ, .value = 6, .begin = 21, .end = 22},
    };
    EXPECT(linear_check(ops, 3));
    ops[2].value = 5; /* the addition is lost */
    EXPECT(!linear_check(ops, 3));
    ops[1].maybe = true;
    EXPECT(linear_check(ops, 3));
    ops[1].maybe = false;
    ops[2] = (struct linear_op){.kind = LINEAR_READ, .value = 0, .begin = 21, .end = 22};
    EXPECT(!linear_check(ops, 3));
}

static int week(uint64_t seed)
{
    struct sim_result r = sim_run(seed, SIM_SOUND, WEEK_S, WEEK_THINK_MS);
    printf("a week: %s; %u events, %u operations, %u acknowledged, %u alarms handled, %u faults, "
           "%u stale commits\n",
           r.why == NULL ? "fine" : r.why, r.events, r.ops, r.acknowledged, r.fired, r.crashes,
           r.stale);
    return r.why != NULL;
}

int main(int argc, char **argv)
{
    uint64_t a = argc > 2 ? strtoull(argv[2], NULL, 10) : 1,
             b = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    if (argc > 1 && strcmp(argv[1], "seeds") == 0)
        return seeds_bad(a, b) > 0;
    if (argc > 1 && strcmp(argv[1], "replay") == 0)
        return !seed_fine(a, (enum sim_variant)b, true);
    if (argc > 1 && strcmp(argv[1], "week") == 0)
        return week(a);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear), cmocka_unit_test(test_seeds),
                                       cmocka_unit_test(test_variants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
