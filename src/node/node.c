/* The group `node`. */
#include "node/node.h"

#include <pthread.h>
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

/*
 * What scripts hold is an ArrayBuffer with a number, not with our struct: should one ever get into a tenant's
 * hands, all it can name is another object of the same isolate. The low half is a place, the high half counts
 * how often it was used.
 */
struct object_slot {
    struct node_object *object; /* NULL = free */
    uint32_t generation, next;  /* next: of the free ones, 1 based */
};

static struct {
    pthread_mutex_t mutex; /* the collector frees on threads of its own */
    struct object_slot *slots;
    uint32_t n, cap, free;
} objects = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct object_slot *object_slot(uint64_t id)
{
    uint32_t place = (uint32_t)id;
    struct object_slot *slot = place < objects.n ? &objects.slots[place] : NULL;
    return slot != NULL && slot->object != NULL && slot->generation == id >> 32 ? slot : NULL;
}

static uint64_t object_add(struct node_object *object)
{
    pthread_mutex_lock(&objects.mutex);
    uint32_t place;
    if (objects.free > 0) {
        place = objects.free - 1;
        objects.free = objects.slots[place].next;
    } else {
        place = objects.n++;
        if (objects.n > objects.cap) {
            objects.cap = MAX(objects.cap * 2, 16u);
            objects.slots = mem_grow(objects.slots, objects.cap * sizeof *objects.slots);
        }
        objects.slots[place] = (struct object_slot){0};
    }
    objects.slots[place].object = object;
    uint64_t id = (uint64_t)objects.slots[place].generation << 32 | place;
    pthread_mutex_unlock(&objects.mutex);
    return id;
}

static void object_free(void *ptr, void *arg)
{
    uint64_t id = (uint64_t)(uintptr_t)arg;
    pthread_mutex_lock(&objects.mutex);
    struct object_slot *slot = object_slot(id);
    struct node_object *object = slot == NULL ? NULL : slot->object;
    if (slot != NULL) {
        *slot = (struct object_slot){NULL, slot->generation + 1, objects.free};
        objects.free = (uint32_t)id + 1;
    }
    pthread_mutex_unlock(&objects.mutex);
    if (object != NULL) {
        object->finish(object);
        free(object);
    }
    free(ptr);
}

js_value node_object_value(js_context ctx, struct node_object *object)
{
    uint64_t *handle = mem_new(sizeof *handle);
    *handle = object_add(object);
    return js_bytes_take(ctx, handle, sizeof *handle, object_free, (void *)(uintptr_t)*handle);
}

struct node_object *node_object_of(js_context ctx, js_value v, uint32_t magic)
{
    struct slice bytes;
    uint64_t id;
    if (js_view(ctx, v, &bytes) < 0 || bytes.len != sizeof id)
        return NULL;
    memcpy(&id, bytes.ptr, sizeof id);
    pthread_mutex_lock(&objects.mutex);
    struct object_slot *slot = object_slot(id);
    struct node_object *object = slot == NULL ? NULL : slot->object;
    pthread_mutex_unlock(&objects.mutex);
    return object != NULL && object->magic == magic ? object : NULL;
}

void node_report_extra(size_t bytes)
{
    vm_report_extra(node_vm, bytes);
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
    vm_natives(vm, "node", node_slow_rows, node_slow_n_rows);
    vm_natives(vm, "node", node_x509_rows, node_x509_n_rows);
}
