/* All groups of core/, or those named on the command line. */
#include "core_test.h"

#include "core/base.h"

#include <string.h>

static const struct {
    const char *name;
    int (*run)(void);
} groups[] = {
    {"arena", arena_tests},         {"base", base_tests},
    {"base64", base64_tests},       {"buf", buf_tests},
    {"clock", clock_tests},         {"digest", digest_tests},
    {"file", file_tests},           {"id", id_tests},
    {"json", json_tests},           {"log", log_tests},
    {"loop", loop_tests},           {"map", map_tests},
    {"pack", pack_tests},           {"slice", slice_tests},
    {"task", task_tests},           {"timer", timer_tests},
    {"work", work_tests},           {"crc", crc_tests},
    {"keystream", keystream_tests},
};

static bool wanted(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc == 1;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (wanted(argc, argv, groups[i].name))
            failed += groups[i].run();
    }
    return failed > 0;
}
