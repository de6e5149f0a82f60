#pragma once

struct vm;

/* Test builds only (-Dhooks=true): raw system calls for Workers. */
void isolate_hook_install(struct vm *vm);
