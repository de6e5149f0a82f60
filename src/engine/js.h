/*
 * JavaScript values for the C code of web/, node/ and product/: thin, typed access to the engine.
 *
 * Only engine/ includes JavaScriptCore's headers; here its handles appear under our names. A js_value
 * on the C stack is safe (the collector scans the stack); one that is kept in a heap struct must be a
 * `struct js_hold`. Everything runs on the VM's thread. A native returns NULL after js_throw*().
 *
 * Costs to keep in mind: a call from JavaScript into C is about 0.15 us; so is creating a string or
 * reading a property from C. Hot objects therefore live in JavaScript and cross once with everything.
 */
#pragma once

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

struct OpaqueJSContext;
struct OpaqueJSValue;
typedef const struct OpaqueJSContext *js_context;
typedef const struct OpaqueJSValue *js_value;

/* Exactly the engine's callback type, so that a native costs nothing more. */
#define JS_NATIVE(name)                                                                            \
    js_value name(js_context ctx, js_value function UNUSED, js_value self UNUSED,                  \
                  size_t n_args UNUSED, const js_value args[] UNUSED, js_value *exception UNUSED)
typedef js_value (*js_native)(js_context, js_value, js_value, size_t, const js_value[], js_value *);

struct js_native_row {
    const char *name;
    js_native run;
};

/* What the process hung on the VM (struct isolate *); constant after creation. */
void *js_user(js_context ctx);

/* --- making values --- */
js_value js_undefined(js_context ctx);
js_value js_null(js_context ctx);
js_value js_bool(js_context ctx, bool v);
js_value js_number(js_context ctx, double v);
/* UTF-8 in; invalid sequences become U+FFFD. Pure ASCII takes a fast path. */
js_value js_string(js_context ctx, struct slice utf8);
/* The same for a buffer that may be changed behind its end: long ASCII is not copied twice. */
js_value js_string_buf(js_context ctx, struct buf *utf8);
/* Each byte one code unit. */
js_value js_latin1(js_context ctx, struct slice bytes);
/* Copies into a new ArrayBuffer. */
js_value js_bytes(js_context ctx, struct slice bytes);
/* Takes the buffer's memory where that wastes little; the buffer is empty afterwards. */
js_value js_bytes_buf(js_context ctx, struct buf *bytes);
/* The ArrayBuffer takes `ptr`, and calls release(ptr, arg) from the collector, on any thread. */
js_value js_bytes_take(js_context ctx, void *ptr, size_t len, void (*release)(void *ptr, void *arg),
                       void *arg);
/* A Float64Array over memory of ours that lives as long as the VM: C writes, scripts read for nothing. */
js_value js_doubles(js_context ctx, double *values, size_t n);
js_value js_json(js_context ctx, struct slice json); /* parsed; undefined when it is not JSON */
js_value js_array(js_context ctx, const js_value *values, size_t n);
js_value js_object(js_context ctx);
js_value js_function(js_context ctx, const char *name, js_native run);

/* --- reading values --- */
bool js_is_string(js_context ctx, js_value v);
bool js_is_number(js_context ctx, js_value v);
bool js_is_bool(js_context ctx, js_value v);
bool js_is_nullish(js_context ctx, js_value v);
bool js_is_object(js_context ctx, js_value v);
bool js_is_function(js_context ctx, js_value v);
bool js_is_true(js_context ctx, js_value v); /* ToBoolean */
double js_to_number(js_context ctx, js_value v, double fallback);
/* UTF-8 copy in the arena; lone surrogates become U+FFFD. -ENOMEM, or -EINVAL when ToString threw. */
NODISCARD int js_to_utf8(js_context ctx, js_value v, struct arena *arena, struct slice *ret);
/* Appends instead. */
NODISCARD int js_append_utf8(js_context ctx, js_value v, struct buf *out);
/* Each code unit one byte; -EINVAL when one is above 0xFF. */
NODISCARD int js_append_latin1(js_context ctx, js_value v, struct buf *out);
/* The bytes of an ArrayBuffer, typed array or DataView; valid until the next call into the engine that
 * may run script. -EINVAL for other values and detached buffers. */
NODISCARD int js_view(js_context ctx, js_value v, struct slice *ret);
js_value js_get(js_context ctx, js_value object,
                const char *name); /* undefined when a getter throws */
void js_set(js_context ctx, js_value object, const char *name, js_value v);

/* --- errors --- */
/* Return NULL so that `return js_throw_type(...)` works in natives. */
js_value js_throw(js_context ctx, js_value *exception, const char *class_name, const char *fmt, ...)
    PRINTF(4, 5);
js_value js_throw_value(js_value *exception, js_value v);
js_value js_error(js_context ctx, const char *class_name,
                  struct slice message); /* "TypeError", "RangeError", "Error" */
/* "Name: message" and the stack, for logs and API errors. */
void js_describe(js_context ctx, js_value v, struct buf *out);

/* --- keeping, calling --- */
struct js_hold {
    js_context ctx;
    js_value v;
};
void js_hold_set(struct js_hold *h, js_context ctx, js_value v);
void js_hold_clear(struct js_hold *h); /* accepts zeroed */

/* NULL when it threw; *exception (may be NULL) gets the value. */
js_value js_call(js_context ctx, js_value function, const js_value *args, size_t n,
                 js_value *exception);

/* A promise made in C. Settling it queues its reactions; they run when the outermost entry ends. */
struct js_promise {
    js_context ctx;
    js_value resolve, reject; /* held */
};
js_value js_promise_start(struct js_promise *p, js_context ctx);
/* Each ends the promise; calling on an ended one does nothing. From C outside script these enter the VM. */
void js_promise_resolve(struct js_promise *p, js_value v);
void js_promise_reject(struct js_promise *p, js_value error);
/* Calls on_value(v) or on_error(e) when the promise settles. False when it is no promise. */
bool js_when_settled(js_context ctx, js_value promise, js_value on_value, js_value on_error);
