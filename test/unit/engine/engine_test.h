/*
 * Each test gets a VM of its own on a thread that is not the main one.
 */
#pragma once

#include "../unit.h"

#include "engine/vm.h"

int js_tests(void);
int vm_tests(void);

#define RUN(name, tests) cmocka_run_group_tests_name(name, tests, NULL, NULL)
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)

int engine_setup(void **state);
int engine_teardown(void **state);

/* Gives the engine its signal handlers back; for tests that end scripts or leave WebAssembly's bounds. */
void engine_signals(void);

extern struct vm *vm;
extern js_context cx;

/* The value of an expression; fails the test when it throws. */
js_value run(const char *source);
/* The same as text, valid until the next call. */
const char *run_text(const char *source);
const char *text_of(js_value v);
/* Sets a global. */
void set(const char *name, js_value v);
