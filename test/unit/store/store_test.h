#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

int kv_tests(void);
int sql_tests(void);
int commit_tests(void);
int log_tests(void);
int history_tests(void);
int blob_tests(void);

/* A fresh directory; valid until the next call. */
const char *store_test_dir(void);
void store_test_remove(const char *dir);
