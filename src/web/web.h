/*
 * The natives behind the web platform's scripts (js/): groups `url`, `text`, `crypto`, `zlib` and `html`.
 *
 * They compute and answer at once; nothing here waits or knows the process
 * around the VM. On the VM's thread.
 */
#pragma once

struct vm;

/* Before vm_bootstrap() of the main script. */
void web_install(struct vm *vm);
