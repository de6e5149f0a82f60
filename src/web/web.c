#include "web/web.h"

#include <errno.h>

#include "engine/vm.h"
#include "web/web_impl.h"

void web_install(struct vm *vm)
{
    vm_natives(vm, "url", web_url_rows, web_url_n_rows);
    vm_native_value(vm, "url", "places", web_url_places(vm_context(vm)));
    vm_natives(vm, "text", web_text_rows, web_text_n_rows);
    vm_natives(vm, "crypto", web_crypto_rows, web_crypto_n_rows);
    vm_natives(vm, "zlib", web_zlib_rows, web_zlib_n_rows);
    vm_natives(vm, "html", web_html_rows, web_html_n_rows);
}

int web_bytes(js_context ctx, size_t n_args, const js_value args[], size_t at, struct slice *ret)
{
    return at < n_args ? js_view(ctx, args[at], ret) : -EINVAL;
}

uint32_t *web_scratch(js_context ctx, size_t n_args, const js_value args[], size_t at, size_t n)
{
    struct slice bytes;
    if (web_bytes(ctx, n_args, args, at, &bytes) < 0 || bytes.len < n * sizeof(uint32_t) ||
        (uintptr_t)bytes.ptr % sizeof(uint32_t) != 0)
        return NULL;
    return (uint32_t *)(uintptr_t)bytes.ptr;
}

double web_number(js_context ctx, size_t n_args, const js_value args[], size_t at)
{
    return at < n_args ? js_to_number(ctx, args[at], 0) : 0;
}
