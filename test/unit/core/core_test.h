/*
 * One function per module; each runs its group and returns the number of failed tests.
 */
#pragma once

#include "../unit.h"

int arena_tests(void);
int base_tests(void);
int base64_tests(void);
int buf_tests(void);
int clock_tests(void);
int crc_tests(void);
int digest_tests(void);
int file_tests(void);
int id_tests(void);
int json_tests(void);
int keystream_tests(void);
int log_tests(void);
int loop_tests(void);
int map_tests(void);
int pack_tests(void);
int slice_tests(void);
int task_tests(void);
int timer_tests(void);
int work_tests(void);

#define RUN(name, tests) cmocka_run_group_tests_name(name, tests, NULL, NULL)
