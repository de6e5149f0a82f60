/*
 * Functions that libjavascriptcoregtk exports without a public header. They have been stable for years
 * and other embedders use them; all are declared weak, and vm_create() refuses a library that lacks one
 * (see vm_missing()), so that a future library fails with a clear message instead of a crash.
 */
#pragma once

#include <JavaScriptCore/JavaScript.h>

#define JSC_WEAK __attribute__((weak))

typedef bool (*JSShouldTerminateCallback)(JSContextRef ctx, void *context);

/* The engine measures thread CPU time per entry, and calls back when it is over: true ends the script,
 * uncatchably. While a limit is set every entry and every microtask costs one read of the thread's CPU
 * clock (0.2 to 0.6 us). */
JSC_WEAK void JSContextGroupSetExecutionTimeLimit(JSContextGroupRef group, double seconds,
                                                  JSShouldTerminateCallback callback,
                                                  void *context);
JSC_WEAK void JSContextGroupClearExecutionTimeLimit(JSContextGroupRef group);

/* Called as fn(promise, reason) after the microtask queue was drained. */
JSC_WEAK void JSGlobalContextSetUnhandledRejectionCallback(JSGlobalContextRef ctx, JSObjectRef fn,
                                                           JSValueRef *exception);
JSC_WEAK void JSGlobalContextSetEvalEnabled(JSGlobalContextRef ctx, bool enabled,
                                            JSStringRef message);

/* An object with heapSize, heapCapacity, extraMemorySize...; walks the heap (20 ms for 500,000 objects). */
JSC_WEAK JSObjectRef JSGetMemoryUsageStatistics(JSContextRef ctx);
JSC_WEAK void JSReportExtraMemoryCost(JSContextRef ctx, size_t size);
JSC_WEAK void JSSynchronousGarbageCollectForDebugging(JSContextRef ctx);

/* Between them everything is one entry: microtasks run at the last JSUnlock(). */
JSC_WEAK void JSLock(JSContextRef ctx);
JSC_WEAK void JSUnlock(JSContextRef ctx);

/* Scripts whose text stays where it is: ASCII that lives as long as the process. */
typedef struct OpaqueJSScript *JSScriptRef;
JSC_WEAK JSScriptRef JSScriptCreateReferencingImmortalASCIIText(JSContextGroupRef group,
                                                                JSStringRef url, int first_line,
                                                                const char *source, size_t length,
                                                                JSStringRef *error_text,
                                                                int *error_line);
JSC_WEAK JSValueRef JSScriptEvaluate(JSContextRef ctx, JSScriptRef script, JSValueRef self,
                                     JSValueRef *exception);
JSC_WEAK void JSScriptRelease(JSScriptRef script);

/* Makes the calling thread the engine's "main" one. Without it the collector's timer of a full collection
 * runs into a null pointer, some 200,000 requests later. */
JSC_WEAK void jsc_initialize_main_thread(void) __asm__("_ZN3WTF20initializeMainThreadEv");
/* The alternative: collections happen only when enough was allocated. */
JSC_WEAK void JSDisableGCTimer(void);

/* Gives pages that the allocator keeps for later back to the system; optional. */
JSC_WEAK void jsc_release_free_memory(void) __asm__("_ZN3WTF27releaseFastMallocFreeMemoryEv");
