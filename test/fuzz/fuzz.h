/*
 * The one function of a fuzz target. Includes what targets need; bytes are the fuzzer's.
 */
#pragma once

#include "core/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
