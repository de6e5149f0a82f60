/* The isolate as it is in the program: with the embedded scripts and everything they may call. */
#include "role/isolate_main.h"

#include "role/isolate_bundle.h"
#include "web/web.h"

void isolate_options_default(struct isolate_options *ret)
{
    *ret = (struct isolate_options){
        .root = "/g",
        .bundle = isolate_bundle_main(),
        .linker = isolate_bundle_linker(),
        .install = web_install,
    };
}

int isolate_main(int control_fd)
{
    struct isolate_options options;
    isolate_options_default(&options);
    return isolate_run(control_fd, &options);
}
