/*
 * The node: modules of the isolate: natives of group `node`, and the scripts that are evaluated when a Worker
 * first imports one of them. On the VM's thread. Nothing here fails; natives throw to the script.
 */
#pragma once

#include "engine/vm.h"

/* Makes the natives; costs a few microseconds. Once per VM. */
void node_install(struct vm *vm);
