/*
 * Values: making, reading, keeping, calling, errors, promises.
 */
#include "engine/js.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/vm_impl.h"

/* --- making values --- */

js_value js_undefined(js_context ctx)
{
    return JSValueMakeUndefined(ctx);
}

js_value js_null(js_context ctx)
{
    return JSValueMakeNull(ctx);
}

js_value js_bool(js_context ctx, bool v)
{
    return JSValueMakeBoolean(ctx, v);
}

js_value js_number(js_context ctx, double v)
{
    return JSValueMakeNumber(ctx, v);
}

static void bytes_free(void *ptr, void *arg UNUSED)
{
    free(ptr);
}

js_value js_bytes_take(js_context ctx, void *ptr, size_t len, void (*release)(void *ptr, void *arg),
                       void *arg)
{
    js_value exception = NULL;
    return JSObjectMakeArrayBufferWithBytesNoCopy(ctx, ptr, len, release, arg, &exception);
}

js_value js_bytes(js_context ctx, struct slice bytes)
{
    /* One byte more, so that an empty buffer has memory too. */
    char *copy = mem_new(bytes.len + 1);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    return js_bytes_take(ctx, copy, bytes.len, bytes_free, NULL);
}

js_value js_bytes_buf(js_context ctx, struct buf *bytes)
{
    struct slice s = buf_slice(bytes);
    if (bytes->start != 0 || bytes->cap - bytes->end > s.len || s.len == 0) {
        js_value v = js_bytes(ctx, s);
        buf_clear(bytes);
        return v;
    }
    void *ptr = bytes->data;
    *bytes = (struct buf){0};
    return js_bytes_take(ctx, ptr, s.len, bytes_free, NULL);
}

static void bytes_keep(void *ptr UNUSED, void *arg UNUSED) {}

js_value js_doubles(js_context ctx, double *values, size_t n)
{
    js_value exception = NULL;
    js_value v =
        JSObjectMakeTypedArrayWithBytesNoCopy(ctx, kJSTypedArrayTypeFloat64Array, values,
                                              n * sizeof *values, bytes_keep, NULL, &exception);
    CHECK(v != NULL);
    return v;
}

js_value js_json(js_context ctx, struct slice json)
{
    AUTO(jsc_string_release) JSStringRef text = js_string_make(json);
    js_value v = JSValueMakeFromJSONString(ctx, text);
    return v == NULL ? js_undefined(ctx) : v;
}

js_value js_array(js_context ctx, const js_value *values, size_t n)
{
    js_value exception = NULL;
    return JSObjectMakeArray(ctx, n, values, &exception);
}

js_value js_object(js_context ctx)
{
    return JSObjectMake(ctx, NULL, NULL);
}

js_value js_function(js_context ctx, const char *name, js_native run)
{
    AUTO(jsc_string_release) JSStringRef text = jsc_name(name);
    return JSObjectMakeFunctionWithCallback(ctx, text, (JSObjectCallAsFunctionCallback)run);
}

/* --- reading values --- */

bool js_is_string(js_context ctx, js_value v)
{
    return JSValueIsString(ctx, v);
}

bool js_is_number(js_context ctx, js_value v)
{
    return JSValueIsNumber(ctx, v);
}

bool js_is_bool(js_context ctx, js_value v)
{
    return JSValueIsBoolean(ctx, v);
}

bool js_is_nullish(js_context ctx, js_value v)
{
    JSType type = JSValueGetType(ctx, v);
    return type == kJSTypeUndefined || type == kJSTypeNull;
}

bool js_is_object(js_context ctx, js_value v)
{
    return JSValueIsObject(ctx, v);
}

bool js_is_function(js_context ctx, js_value v)
{
    return JSValueIsObject(ctx, v) && JSObjectIsFunction(ctx, jsc_object(v));
}

bool js_is_true(js_context ctx, js_value v)
{
    return JSValueToBoolean(ctx, v);
}

double js_to_number(js_context ctx, js_value v, double fallback)
{
    return JSValueIsNumber(ctx, v) ? JSValueToNumber(ctx, v, NULL) : fallback;
}

/* ArrayBuffers of WebAssembly memories and DataViews have no pointer in the C API; a typed array over
 * the same memory has. It stays alive as long as its buffer does, which the caller's value holds. */
static js_value view_through_helper(js_context ctx, js_value v)
{
    js_value exception = NULL;
    js_value typed = js_call(ctx, vm_here()->helper_view, &v, 1, &exception);
    return typed != NULL && js_is_object(ctx, typed) ? typed : NULL;
}

static int view_typed(js_context ctx, js_value v, struct slice *ret)
{
    js_value exception = NULL;
    char *base = JSObjectGetTypedArrayBytesPtr(ctx, jsc_object(v), &exception);
    size_t len = JSObjectGetTypedArrayByteLength(ctx, jsc_object(v), &exception);
    size_t offset = JSObjectGetTypedArrayByteOffset(ctx, jsc_object(v), &exception);
    if (exception != NULL)
        return -EINVAL;
    *ret = base == NULL || len == 0 ? slice_from("", 0) : slice_from(base + offset, len);
    return 0;
}

int js_view(js_context ctx, js_value v, struct slice *ret)
{
    js_value exception = NULL;
    JSTypedArrayType type = JSValueGetTypedArrayType(ctx, v, &exception);
    if (type == kJSTypedArrayTypeNone) {
        if (!js_is_object(ctx, v))
            return -EINVAL;
        js_value typed = view_through_helper(ctx, v);
        return typed == NULL ? -EINVAL : view_typed(ctx, typed, ret);
    }
    if (type != kJSTypedArrayTypeArrayBuffer)
        return view_typed(ctx, v, ret);

    void *ptr = JSObjectGetArrayBufferBytesPtr(ctx, jsc_object(v), &exception);
    if (exception != NULL) {
        js_value typed = view_through_helper(ctx, v);
        return typed == NULL ? -EINVAL : view_typed(ctx, typed, ret);
    }
    size_t len = JSObjectGetArrayBufferByteLength(ctx, jsc_object(v), &exception);
    *ret = len == 0 ? slice_from("", 0) : slice_from(ptr, len);
    return 0;
}

js_value js_get(js_context ctx, js_value object, const char *name)
{
    AUTO(jsc_string_release) JSStringRef text = jsc_name(name);
    js_value exception = NULL;
    js_value v = JSObjectGetProperty(ctx, jsc_object(object), text, &exception);
    return v == NULL || exception != NULL ? js_undefined(ctx) : v;
}

void js_set(js_context ctx, js_value object, const char *name, js_value v)
{
    AUTO(jsc_string_release) JSStringRef text = jsc_name(name);
    js_value exception = NULL;
    JSObjectSetProperty(ctx, jsc_object(object), text, v, kJSPropertyAttributeNone, &exception);
}

/* --- errors --- */

static js_value error_class(js_context ctx, const char *class_name)
{
    struct vm *vm = vm_here();
    for (size_t i = 0; i < VM_CLASSES; i++)
        if (strcmp(vm->classes[i].name, class_name) == 0)
            return vm->classes[i].constructor;
    return js_get(ctx, JSContextGetGlobalObject(ctx), class_name);
}

js_value js_error(js_context ctx, const char *class_name, struct slice message)
{
    js_value exception = NULL, args[] = {js_string(ctx, message)};
    js_value class_value = error_class(ctx, class_name);
    js_value error = NULL;
    if (js_is_object(ctx, class_value) && JSObjectIsConstructor(ctx, jsc_object(class_value)))
        error = JSObjectCallAsConstructor(ctx, jsc_object(class_value), 1, args, &exception);
    return error != NULL ? error : JSObjectMakeError(ctx, 1, args, &exception);
}

js_value js_throw_value(js_value *exception, js_value v)
{
    *exception = v;
    return NULL;
}

js_value js_throw(js_context ctx, js_value *exception, const char *class_name, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : MIN((size_t)n, sizeof text - 1);
    return js_throw_value(exception, js_error(ctx, class_name, slice_from(text, len)));
}

void js_describe(js_context ctx, js_value v, struct buf *out)
{
    if (js_append_utf8(ctx, v, out) < 0)
        buf_append_slice(out, SLICE("(a value without text)"));
    if (!js_is_object(ctx, v))
        return;
    js_value stack = js_get(ctx, v, "stack");
    AUTO(buf_done) struct buf text = {0};
    if (!js_is_string(ctx, stack) || js_append_utf8(ctx, stack, &text) < 0 || buf_len(&text) == 0)
        return;
    /* Engine frames are "name@place"; most errors carry the other form already, behind a title. */
    ssize_t frames = slice_find_slice(buf_slice(&text), SLICE("\n    at "));
    if (frames >= 0 || slice_starts(buf_slice(&text), buf_slice(out))) {
        buf_append_slice(out,
                         slice_skip(buf_slice(&text), frames >= 0 ? (size_t)frames : buf_len(out)));
        return;
    }
    struct slice rest = buf_slice(&text);
    while (rest.ptr != NULL) {
        struct slice line = slice_cut(&rest, '\n'), place = line;
        if (line.len == 0)
            continue;
        struct slice name = slice_cut(&place, '@');
        if (place.ptr == NULL)
            buf_printf(out, "\n    at %.*s", SLICE_ARG(line));
        else if (name.len == 0)
            buf_printf(out, "\n    at %.*s", SLICE_ARG(place));
        else
            buf_printf(out, "\n    at %.*s (%.*s)", SLICE_ARG(name), SLICE_ARG(place));
    }
}

/* --- keeping, calling --- */

void js_hold_set(struct js_hold *h, js_context ctx, js_value v)
{
    JSValueProtect(ctx, v);
    js_hold_clear(h);
    /* The global context: a callback's own context may be gone later. */
    *h = (struct js_hold){JSContextGetGlobalContext(ctx), v};
}

void js_hold_clear(struct js_hold *h)
{
    if (h->v != NULL)
        JSValueUnprotect(h->ctx, h->v);
    *h = (struct js_hold){0};
}

js_value js_call(js_context ctx, js_value function, const js_value *args, size_t n,
                 js_value *exception)
{
    js_value thrown = NULL;
    js_value v = JSObjectCallAsFunction(ctx, jsc_object(function), NULL, n, args, &thrown);
    if (thrown != NULL && exception != NULL)
        *exception = thrown;
    return thrown != NULL ? NULL : v;
}

js_value js_promise_start(struct js_promise *p, js_context ctx)
{
    JSObjectRef resolve = NULL, reject = NULL;
    js_value exception = NULL;
    js_value promise = JSObjectMakeDeferredPromise(ctx, &resolve, &reject, &exception);
    CHECK(promise != NULL);
    *p = (struct js_promise){JSContextGetGlobalContext(ctx), resolve, reject};
    JSValueProtect(ctx, p->resolve);
    JSValueProtect(ctx, p->reject);
    return promise;
}

static void promise_settle(struct js_promise *p, js_value v, bool resolved)
{
    if (p->ctx == NULL)
        return;
    struct js_promise ended = *p;
    *p = (struct js_promise){0};
    js_value exception = NULL;
    js_call(ended.ctx, resolved ? ended.resolve : ended.reject, &v, 1, &exception);
    JSValueUnprotect(ended.ctx, ended.resolve);
    JSValueUnprotect(ended.ctx, ended.reject);
}

void js_promise_resolve(struct js_promise *p, js_value v)
{
    promise_settle(p, v, true);
}

void js_promise_reject(struct js_promise *p, js_value error)
{
    promise_settle(p, error, false);
}

bool js_when_settled(js_context ctx, js_value promise, js_value on_value, js_value on_error)
{
    js_value args[] = {promise, on_value, on_error}, exception = NULL;
    return js_call(ctx, vm_here()->helper_then, args, ARRAY_LEN(args), &exception) != NULL;
}
