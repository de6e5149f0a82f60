/* The group `node`. */
#include "node/node.h"

#include <stdlib.h>

#include "node/node_impl.h"

/* A process has one VM, and natives are told only its context. */
static _Thread_local struct vm *node_vm;

/* memory(): [heapSize, heapCapacity, extra] */
static JS_NATIVE(node_memory)
{
    struct vm_memory m = vm_memory(node_vm);
    js_value values[] = {js_number(ctx, (double)m.heap_size),
                         js_number(ctx, (double)m.heap_capacity), js_number(ctx, (double)m.extra)};
    return js_array(ctx, values, ARRAY_LEN(values));
}

static const struct js_native_row node_rows[] = {{"memory", node_memory}};

/* --- native objects --- */

static void object_free(void *ptr, void *arg UNUSED)
{
    struct node_object *object = ptr;
    object->finish(object);
    object->magic = 0;
    free(object);
}

js_value node_object_value(js_context ctx, struct node_object *object, size_t size)
{
    return js_bytes_take(ctx, object, size, object_free, NULL);
}

struct node_object *node_object_of(js_context ctx, js_value v, uint32_t magic)
{
    struct slice bytes;
    if (js_view(ctx, v, &bytes) < 0 || bytes.len < sizeof(struct node_object))
        return NULL;
    struct node_object *object = (struct node_object *)(uintptr_t)bytes.ptr;
    return object->magic == magic ? object : NULL;
}

/* --- arguments --- */

struct slice node_view(js_context ctx, size_t n_args, const js_value args[], size_t i)
{
    struct slice bytes;
    if (i >= n_args || js_view(ctx, args[i], &bytes) < 0)
        return SLICE("");
    return bytes;
}

double node_number(js_context ctx, size_t n_args, const js_value args[], size_t i, double fallback)
{
    return i < n_args ? js_to_number(ctx, args[i], fallback) : fallback;
}

void node_name(js_context ctx, js_value v, char *buf, size_t size)
{
    AUTO(buf_done) struct buf text = {0};
    buf[0] = 0;
    if (js_is_string(ctx, v) && js_append_utf8(ctx, v, &text) == 0 &&
        slice_to_cstr(buf_slice(&text), buf, size) < 0)
        buf[0] = 0;
}

void node_install(struct vm *vm)
{
    node_vm = vm;
    vm_natives(vm, "node", node_rows, ARRAY_LEN(node_rows));
    vm_natives(vm, "node", node_text_rows, node_text_n_rows);
    vm_natives(vm, "node", node_zlib_rows, node_zlib_n_rows);
    vm_natives(vm, "node", node_crypto_rows, node_crypto_n_rows);
    vm_natives(vm, "node", node_cipher_rows, node_cipher_n_rows);
    vm_natives(vm, "node", node_key_rows, node_key_n_rows);
    vm_natives(vm, "node", node_sign_rows, node_sign_n_rows);
}
