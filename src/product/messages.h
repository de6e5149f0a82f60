/*
 * Every message between processes: its name, who sends it, who receives it, what it carries.
 *
 * Who may send what is enforced by who holds which wire: a receiver has one table of handlers per kind
 * of peer (messages_allowed()). Rows marked with body carry bytes after the arguments; the field `how` of
 * proc/wire.h applies: S = stream (OPEN, answered by REPLY), N = note.
 *
 * Header blocks are those of net/http.h. `binding` is an index into the version's list of bindings: the
 * receiver looks the grant up and never trusts the isolate's word about what it may reach. `store` names
 * a store directly ("kv/<id>", "d1/<id>", "r2/<bucket>") and is obeyed only on control's wire.
 */
#pragma once

#include "proc/message.h"

#include "product/messages_data.h"

#define MESSAGES_ALL(M, F)                                                                         \
    MESSAGES_CORE(M, F)                                                                            \
    MESSAGES_DATA(M, F)

/* clang-format off */
#define MESSAGES_CORE(M, F)                                                                        \
    /* --- supervisor and its children (control channel of each role) --- */                       \
    M(role_start,   SUPERVISOR, ROLE, F(bytes, settings) /* JSON of all settings */)               \
    M(role_fd,      SUPERVISOR, ROLE, F(bytes, name) /* with a descriptor: "listen.http", "wire.control" ... */) \
    M(role_begin,   SUPERVISOR, ROLE, F(u32, n_fds) /* everything was sent: enter the sandbox, answer ready */) \
    M(role_ready,   ROLE, SUPERVISOR, F(u32, tier))                                                \
    M(role_stop,    SUPERVISOR, ROLE, F(u32, grace_ms) /* drain, then exit 0 */)                   \
    M(lanes,        SUPERVISOR, ROLE, F(u64, revision) F(u64, live) F(u32, first) /* N: struct lane_table of durable_plan.h */) \
    M(table,        SUPERVISOR, GATEWAY, F(u64, revision) F(bytes, json))                          \
    M(table_changed, CONTROL, SUPERVISOR, F(u64, revision) /* workers/table.json was replaced */)  \
    M(table_applied, GATEWAY, CONTROL, F(u64, revision) /* N: requests are routed by this table now */) \
    M(isolate_want, GATEWAY, SUPERVISOR, F(bytes, script) F(bytes, version) F(bytes, spec) /* S; REPLY carries the wire. spec: of a dynamic Worker, which has no file of it */) \
    M(isolate_given, SUPERVISOR, GATEWAY, F(u64, isolate) F(i64, result) F(bytes, text) F(bytes, spec)) \
    M(isolate_drop, GATEWAY, SUPERVISOR, F(u64, isolate) F(bytes, why) /* N: retire or kill it */) \
    M(isolate_gone, SUPERVISOR, GATEWAY, F(u64, isolate) F(bytes, outcome) F(bytes, text) /* N */) \
    M(job_want,     CONTROL, SUPERVISOR, F(u8, kind) F(bytes, spec) /* S: 1 = link (spec empty), 2 = probe: spec.json's text */) \
    M(job_given,    SUPERVISOR, CONTROL, F(u64, isolate) F(i64, result) F(bytes, text) /* with the wire */) \
    M(isolate_attach, SUPERVISOR, KEEPER, F(u64, isolate) F(bytes, spec) /* N with the wire */)    \
    M(isolate_assign, SUPERVISOR, ISOLATE, F(u8, kind) F(bytes, spec) /* N; then isolate_wire */)  \
    M(isolate_wire, SUPERVISOR, ISOLATE, F(u8, which) /* N with a descriptor: 1 = gateway or control, 2 = keeper */) \
    M(status_get,   ROLE, SUPERVISOR, F(u8, detail) /* S: REPLY is status_is */)                   \
    M(status_is,    SUPERVISOR, ROLE, F(bytes, json))                                              \
    M(store_damaged, KEEPER, SUPERVISOR, F(bytes, store) F(bytes, reason) /* N: its files are; no reason: not any more */) \
    M(crash,        SUPERVISOR, CONTROL, F(bytes, json) /* N: crash record with attribution */)    \
    /* --- template process: forks, sandboxes and grants --- */                                    \
    M(spare_make,   SUPERVISOR, TEMPLATE, F(u64, isolate) /* N with the isolate's control channel */) \
    M(spare_made,   TEMPLATE, SUPERVISOR, F(u64, isolate) F(u32, pid) F(i64, result))              \
    M(grant,        SUPERVISOR, TEMPLATE, F(u64, isolate) F(u32, pid) F(bytes, mounts) /* S */)    \
    M(granted,      TEMPLATE, SUPERVISOR, F(i64, result) F(bytes, text))                           \
    M(reaped,       TEMPLATE, SUPERVISOR, F(u64, isolate) F(u32, pid) F(u32, status) F(bytes, report)) \
    /* --- gateway (or control, for a job) and isolate --- */                                      \
    M(loaded,       ISOLATE, GATEWAY, F(bytes, json) /* N: handlers, start-up time */)             \
    M(isolate_retire, ISOLATE, GATEWAY, F(bytes, why) /* N: send no more events, it ends after those it has */) \
    M(load_failed,  ISOLATE, GATEWAY, F(bytes, text) /* N: the exception; the isolate exits */)    \
    M(request,      GATEWAY, ISOLATE, F(u32, flags) F(bytes, method) F(bytes, url) F(bytes, headers) \
                                      F(bytes, cf) F(bytes, entrypoint) F(bytes, request_id)         \
                                      F(bytes, object) F(bytes, object_name) F(bytes, props)         \
                                      F(u32, cpu_ms) F(u32, subrequests) /* S, body; object: id of a Durable Object of the class `entrypoint`; props: JSON; \
                                      0: the version's own limit */) \
    M(response,     ISOLATE, GATEWAY, F(u16, status) F(u32, flags) F(i64, content_length)          \
                                      F(bytes, status_text) F(bytes, headers) F(u32, socket) /* REPLY, body; socket: see MSG_JOIN, MSG_HIBERNATE */) \
    M(scheduled,    GATEWAY, ISOLATE, F(i64, scheduled_ms) F(bytes, cron) F(bytes, request_id) /* S */) \
    M(tailed,       GATEWAY, ISOLATE, F(bytes, script) F(bytes, version) F(bytes, trace) F(bytes, request_id) /* S: what that script did, JSON of its isolate */) \
    M(alarm,        GATEWAY, ISOLATE, F(bytes, class_name) F(bytes, object) F(i64, scheduled_ms)   \
                                      F(u32, retry) F(bytes, request_id) /* S: REPLY is outcome */) \
    M(objects_reset, GATEWAY, ISOLATE, F(bytes, why) F(bytes, object) /* N: its Durable Objects, or that one of them, begin anew elsewhere */) \
    M(alarm_fire,   KEEPER, GATEWAY, F(bytes, ns) F(bytes, object) F(i64, scheduled_ms) F(u32, retry) /* S: REPLY is outcome */) \
    M(object_query, CONTROL, GATEWAY, F(bytes, ns) F(bytes, object) F(bytes, object_name) F(bytes, json) /* S: [{sql, params}] for a Durable Object */) \
    M(object_queried, GATEWAY, CONTROL, F(u16, status) F(bytes, text) /* REPLY: 200 and the results as JSON, or a sentence */) \
    M(sockets,      GATEWAY, ISOLATE, F(bytes, class_name) F(bytes, object) F(bytes, object_name)  \
                                      F(bytes, request_id) /* S, body both ways: frames of proc/wire_socket.h; REPLY is outcome */) \
    M(socket_read,  ISOLATE, GATEWAY, F(u8, unused) /* N on a stream fetch that was answered with MSG_JOINABLE: its messages are wanted here */) \
    M(event_part,   ISOLATE, GATEWAY, F(bytes, trace) /* N on a stream sockets: one message of it was an event */) \
    M(object_over,  ISOLATE, GATEWAY, F(bytes, ns) F(bytes, object) /* N: the object is not here any more */) \
    M(outcome,      ISOLATE, GATEWAY, F(bytes, outcome) /* REPLY of scheduled: "ok", "exception" */) \
    M(event_end,    ISOLATE, GATEWAY, F(bytes, outcome) F(u64, cpu_us) F(u64, wall_us) F(bytes, trace) \
                                      /* N on the event's stream id: nothing of it runs any more */) \
    M(fetch,        ISOLATE, GATEWAY, F(u32, binding) F(u32, flags) F(bytes, method) F(bytes, url) \
                                      F(bytes, headers) F(bytes, cf) F(bytes, parent)                \
                                      F(bytes, object) F(bytes, object_name) /* S, body; REPLY is fetched */) \
    M(fetched,      GATEWAY, ISOLATE, F(i64, result) F(bytes, error) F(u16, status) F(u32, flags)  \
                                      F(i64, content_length) F(bytes, status_text) F(bytes, headers) /* REPLY, body */) \
    M(connect,      ISOLATE, GATEWAY, F(bytes, address) F(u8, tls) F(u32, upgrade) /* S, body: bytes of a TCP connection; REPLY is \
                                      fetched, with the fields local and remote. upgrade: the stream whose connection goes over to TLS when its \
                                      body has ended, address its name; 0: none */) \
    M(cache,        ISOLATE, GATEWAY, F(u8, operation) F(bytes, name) F(bytes, url) F(bytes, headers) \
                                      F(u16, status) F(bytes, response) /* S, body of the response; REPLY is fetched. The Cache API: CACHE_*, headers of the request */) \
    /* options: {"main","format","compat":{"date","flags"},"modules":[{"name","type","size"}]}; the body is    \
     * the modules' bytes one after another in that order (type: esm, cjs, script, text, data, wasm, json) */ \
    M(link,         CONTROL, ISOLATE, F(bytes, options) /* S, body: the modules; REPLY is linked, body: code. GATEWAY to a dynamic Worker: \
     * the code it is to run, options has env_size too: bytes before the modules; loaded or load_failed follow */) \
    /* result < 0: text is the sentence for the client, without a body */                          \
    M(linked,       ISOLATE, CONTROL, F(i64, result) F(bytes, text))                               \
    /* --- gateways of two lanes --- */                                                            \
    M(lane_call,    GATEWAY, GATEWAY, F(u64, revision) F(u8, hops) F(u8, kind) F(u32, flags)       \
                                      F(bytes, method) F(bytes, url) F(bytes, headers) F(bytes, cf)  \
                                      F(i64, content_length) F(bytes, request_id) F(u32, depth)      \
                                      F(bytes, ns) F(bytes, object) F(bytes, object_name)            \
                                      F(bytes, cache_owner) F(bytes, args) /* S, body; REPLY is lane_answer. kind: enum lane_kind, to which args belong */) \
    M(lane_answer,  GATEWAY, GATEWAY, F(u16, status) F(u8, failed) F(u32, flags) F(i64, content_length) \
                                      F(bytes, status_text) F(bytes, headers) /* REPLY, body. failed: status_text is the sentence */) \
    M(lane_drained, GATEWAY, GATEWAY, F(u8, unused) /* N: the sender has no clients any more */) \
    /* --- gateway and control --- */                                                              \
    M(tail_watch,   CONTROL, GATEWAY, F(bytes, script) F(u8, on) /* N */)                          \
    M(tail_event,   GATEWAY, CONTROL, F(bytes, script) F(bytes, version) F(bytes, json) /* N */)   \
    M(cron_run,     CONTROL, GATEWAY, F(bytes, script) F(i64, scheduled_ms) F(bytes, cron) /* S: REPLY is outcome */) \
    M(cache_purge,  CONTROL, GATEWAY, F(bytes, json) /* S: REPLY is outcome. What to remove: role/gateway_purge.c */)
/* clang-format on */

enum { MSG_DEPTH_MAX = 16 };        /* Workers and objects calling one another in one chain */
enum { BINDING_NONE = UINT32_MAX }; /* `fetch` to the world instead of a binding */
enum { JOB_LINK = 1, JOB_PROBE = 2 };
/* Exit statuses of an isolate: why it ended. */
enum isolate_exit {
    ISOLATE_EXIT_OK = 0,
    ISOLATE_EXIT_LOAD = 10,     /* load_failed was sent */
    ISOLATE_EXIT_CPU = 11,      /* outcome exceededCpu */
    ISOLATE_EXIT_MEMORY = 12,   /* outcome exceededMemory */
    ISOLATE_EXIT_PROTOCOL = 13, /* a message that breaks the rules, or a wire lost */
    ISOLATE_EXIT_ENGINE = 14    /* the engine cannot be used here */
};
/* cache.operation. match: 200, 206, 304 with cf-cache-status HIT, else 504. put: 204, 413 when it is not stored.
 * delete: 200, or 404 when nothing was there. */
enum { CACHE_MATCH = 1, CACHE_PUT = 2, CACHE_DELETE = 3 };
enum { ISOLATE_WORKER = 0, ISOLATE_LINKER = 1, ISOLATE_PROBE = 2 };
/* request.flags, fetch.flags, response.flags, fetched.flags */
enum {
    MSG_HAS_BODY = 1,
    MSG_ENCODE_MANUAL = 2, /* content-encoding is already applied: pass through */
    MSG_PASS_THROUGH = 4,  /* response: passOnException said so */
    MSG_REDIRECT_MANUAL = 8,
    MSG_TRACE = 16, /* request: somebody tails this Worker, report the event in any case */
    MSG_THREW = 32, /* response to a Worker: the handler threw; status_text is "Name: message" */
    /* request, fetch: a WebSocket is asked for, the stream stays open both ways. response, fetched: status 101,
     * from here DATA both ways is messages (proc/wire_message.h). */
    MSG_WEBSOCKET = 64,
    MSG_COMPRESS = 128,  /* response with MSG_WEBSOCKET: permessage-deflate may be agreed on */
    MSG_RETRYABLE = 256, /* fetched with an error: it may be tried again */
    /* request, fetch, and the answers to them: both bodies are frames of an RPC session (src/web/js/rpc). */
    MSG_RPC = 512,
    MSG_OVERLOADED = 1024,   /* fetched with an error, response that threw: too many requests */
    MSG_OBJECT_RESET = 2048, /* the same: the Durable Object was reset */
    /* fetched with MSG_WEBSOCKET: its messages are held back until the isolate asks for them (socket_read) or answers
     * a request of its own with MSG_JOIN. */
    MSG_JOINABLE = 4096,
    /* response with MSG_WEBSOCKET: the socket goes on with the other side of the stream fetch `socket`; both of the
     * isolate's streams are over. */
    MSG_JOIN = 8192,
    /* the same, of a Durable Object: from here the socket is number `socket` of the object's stream sockets. */
    MSG_HIBERNATE = 16384,
    /* request: not for the object's code, but SQL of the data studio. */
    MSG_QUERY = 1048576,
    /* request: props are {"packed": bytes of serialize() as characters, "bindings": [index of each stub in it]}. */
    MSG_PACKED = 2097152,
    MSG_VARIABLES = 32768,      /* request: props are variables of its env instead */
    MSG_CACHE_NO_STORE = 65536, /* fetch: neither answered from the cache nor kept in it */
    MSG_CACHE_RENEW = 131072,   /* fetch: what is in the cache is asked for again */
    MSG_ERROR_FLAGS = MSG_RETRYABLE | MSG_OVERLOADED | MSG_OBJECT_RESET
};

MESSAGES_DECLARE(MESSAGES_ALL)

/* For traces. "?" for numbers that are none. */
const char *message_name(uint16_t op);
