#!/bin/sh
# text.c -> text.wasm: freestanding C, no libc, 1 MiB of stack, memory exported.
set -e
cd "$(dirname "$0")/src"
exec ${CLANG:-clang} --target=wasm32 -O2 -ffreestanding -nostdlib -Wall -Wextra -Werror \
    -Wl,--no-entry -Wl,--export-dynamic -Wl,-z,stack-size=65536 -o text.wasm text.c
