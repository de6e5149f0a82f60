/*
 * What product and web code in the isolate may use of the process around it.
 *
 * js_user(ctx) is the `struct isolate *`. Everything on the VM's thread.
 *
 * Channels. Body bytes that come or go over a wire are *channels* in JavaScript: small integers made by
 * C, used with the natives of group `io` (see docs/architecture.md, "Inside the isolate").
 */
#pragma once

#include "engine/js.h"
#include "product/product.h"

struct isolate;
struct loop;
struct work_pool;

struct loop *isolate_loop(struct isolate *iso);
struct work_pool *isolate_pool(struct isolate *iso);
struct wire *isolate_keeper(struct isolate *iso);
struct wire *isolate_gateway(struct isolate *iso);
/* NULL when the index is none of this version's. */
struct binding *isolate_binding(struct isolate *iso, double index);
/* Path under which a mount of the spec is visible here: "/g/<target>". */
int isolate_mount_path(struct isolate *iso, const char *target, char *buf, size_t size);

/* Sends one operation to the keeper. `body`: null, string, ArrayBuffer or view (sent at once), or the
 * boolean true (bytes follow with io.write on the returned channel). Returns the channel number; later
 * `callback(result, text, json, hasBody)` is called exactly once: result is a number (< 0 = errno), json a
 * string or null; when hasBody, bytes are read from the same channel with io.read/io.collect. */
js_value isolate_keeper_call(js_context ctx, uint16_t op, struct slice args, js_value body,
                             js_value callback);

/* One call of fn in an entry of its own that no event pays for; fn is held by the caller. */
void isolate_run_callback(struct isolate *iso, js_value fn, const js_value *args, size_t n);
enum { ISOLATE_TURNS_MAX = 2 };
/* run(arg) after each entry, when its microtasks have run and before anything else does. May enter the VM itself
 * by isolate_run_callback(). There is room for ISOLATE_TURNS_MAX. */
void isolate_on_turn(struct isolate *iso, void (*run)(void *arg), void *arg);
