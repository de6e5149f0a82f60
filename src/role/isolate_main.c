/* The isolate as it is in the program: with the embedded scripts and everything they may call. */
#include "role/isolate_main.h"

#include "node/node.h"
#include "role/isolate_bundle.h"
#include "role/isolate_hook.h"
#include "web/web.h"

#ifdef SELVEDGE_HOOKS
static void isolate_install_all(struct vm *vm)
{
    web_install(vm);
    node_install(vm);
    isolate_hook_install(vm);
}
#else
static void isolate_install_all(struct vm *vm)
{
    web_install(vm);
    node_install(vm);
}
#endif

void isolate_options_default(struct isolate_options *ret)
{
    *ret = (struct isolate_options){
        .root = "/g",
        .bundle = vm_script_text(&isolate_scripts, "main"),
        .linker = vm_script_text(&isolate_scripts, "linker"),
        .scripts = &isolate_scripts,
        .install = isolate_install_all,
    };
}

int isolate_main(int control_fd)
{
    struct isolate_options options;
    isolate_options_default(&options);
    return isolate_run(control_fd, &options);
}
