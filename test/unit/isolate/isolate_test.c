/*
 * The isolate process from outside: a child without sandbox, the smallest built-in script (mini.js), and this
 * process as supervisor, gateway and keeper.
 */
#include "../unit.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/loop.h"
#include "proc/wire.h"
#include "product/messages.h"
#include "role/isolate_main.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { WAIT_MS = 10000 };

struct answer {
    struct wire_stream *stream;
    struct buf body;
    int status, error;
    int64_t length;
    uint32_t flags;
    bool over, ended;
    char outcome[64], trace[256], headers[256];
    uint64_t cpu_us;
    uint32_t id;
    bool hold; /* do not read: no credit */
};

static struct {
    struct loop *loop;
    struct wire *control, *main, *keeper;
    pid_t pid;
    char root[64];
    struct buf bundle;
    bool closed, loaded, retired;
    char failed[512];
    struct answer answers[80];
    unsigned n_answers, n_fetches;
    int fetch_mode;
    char spec[512];
} t;

/* --- the other ends --- */

static void on_reply(struct wire_stream *s, struct slice args, int fd UNUSED, bool end)
{
    struct answer *a = wire_stream_user(s);
    struct msg_response m;
    struct msg_outcome o;
    struct msg_linked l;
    if (msg_response_unpack(args, &m) == 0) {
        a->status = m.status;
        a->length = m.content_length;
        a->flags = m.flags;
        snprintf(a->headers, sizeof a->headers, "%.*s", SLICE_ARG(m.headers));
    } else if (msg_outcome_unpack(args, &o) == 0) {
        a->status = 1;
        buf_append_slice(&a->body, o.outcome);
    } else if (msg_linked_unpack(args, &l) == 0) {
        a->status = (int)l.result;
        buf_append_slice(&a->body, l.text);
    }
    a->over |= end;
}

static void on_data(struct wire_stream *s, struct slice bytes, bool end)
{
    struct answer *a = wire_stream_user(s);
    buf_append_slice(&a->body, bytes);
    if (!a->hold)
        wire_consumed(s, bytes.len);
    a->over |= end;
}

static void on_reset(struct wire_stream *s, int reason)
{
    struct answer *a = wire_stream_user(s);
    a->error = reason;
    a->over = true;
}

static const struct wire_stream_events answer_events = {
    .reply = on_reply, .data = on_data, .reset = on_reset};

static void on_note(struct wire *w UNUSED, uint32_t stream_id, uint16_t op, struct slice args,
                    int fd UNUSED)
{
    struct msg_load_failed failed;
    struct msg_event_end end;
    if (op == OP_loaded) {
        t.loaded = true;
    } else if (op == OP_load_failed && msg_load_failed_unpack(args, &failed) == 0) {
        snprintf(t.failed, sizeof t.failed, "%.*s", SLICE_ARG(failed.text));
    } else if (op == OP_isolate_retire) {
        t.retired = true;
    } else if (op == OP_event_end && msg_event_end_unpack(args, &end) == 0) {
        for (unsigned i = 0; i < t.n_answers; i++) {
            struct answer *a = &t.answers[i];
            if (a->id != stream_id || a->ended)
                continue;
            a->ended = true;
            a->cpu_us = end.cpu_us;
            snprintf(a->outcome, sizeof a->outcome, "%.*s", SLICE_ARG(end.outcome));
            snprintf(a->trace, sizeof a->trace, "%.*s", SLICE_ARG(end.trace));
        }
    }
}

/* fetch: 0 answers "METHOD URL " and the body back, 1 refuses, 2 never answers, 3 breaks after the head. */
static void fetch_data(struct wire_stream *s, struct slice bytes, bool end)
{
    wire_consumed(s, bytes.len);
    wire_send(s, bytes, end);
    if (end)
        wire_stream_close(s, 0);
}

static void fetch_reset(struct wire_stream *s, int reason)
{
    wire_stream_close(s, reason);
}

static const struct wire_stream_events fetch_events = {.data = fetch_data, .reset = fetch_reset};

static void fetch_answer(struct wire_stream *s, const struct msg_fetch *m, bool end)
{
    AUTO(buf_done) struct buf reply = {0}, body = {0};
    int64_t result = t.fetch_mode == 1 ? -EACCES : 0;
    msg_fetched_pack(&reply, &(struct msg_fetched){.result = result,
                                                   .error = SLICE("no way"),
                                                   .status = 201,
                                                   .content_length = -1,
                                                   .status_text = SLICE("Made"),
                                                   .headers = SLICE("x-a: \xE9\r\n")});
    wire_reply(s, buf_slice(&reply), -1, result < 0);
    buf_printf(&body, "%.*s %.*s [%.*s] ", SLICE_ARG(m->method), SLICE_ARG(m->url),
               SLICE_ARG(m->parent));
    if (result == 0)
        wire_send(s, buf_slice(&body), end && t.fetch_mode == 0);
    if (t.fetch_mode == 3 || result < 0 || (end && t.fetch_mode == 0))
        wire_stream_close(s, t.fetch_mode == 3 ? -ECONNRESET : 0);
}

static void on_open(struct wire *w UNUSED, struct wire_stream *s, uint16_t op, struct slice args,
                    int fd UNUSED, bool end)
{
    struct msg_fetch m;
    EXPECT_EQ(op, OP_fetch);
    EXPECT_EQ(msg_fetch_unpack(args, &m), 0);
    t.n_fetches++;
    wire_stream_own(s, &fetch_events, NULL);
    if (t.fetch_mode != 2)
        fetch_answer(s, &m, end);
}

static void on_closed(struct wire *w, int reason UNUSED)
{
    t.closed |= w == t.main;
}

static const struct wire_events wire_events = {
    .open = on_open, .note = on_note, .closed = on_closed};

/* --- helpers --- */

static void send_wire(uint8_t which, struct wire **ret)
{
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    *ret = wire_create(t.loop, pair[0], 0, &wire_events, NULL);
    AUTO(buf_done) struct buf args = {0};
    msg_isolate_wire_pack(&args, &(struct msg_isolate_wire){.which = which});
    wire_note(t.control, 0, OP_isolate_wire, buf_slice(&args), pair[1]);
}

#define TURN_UNTIL(cond)                                                                           \
    do {                                                                                           \
        int64_t until_us_ = clock_boot_us() + WAIT_MS * 1000;                                      \
        while (!(cond) && clock_boot_us() < until_us_)                                             \
            loop_turn(t.loop, 50);                                                                 \
        assert_true(cond);                                                                         \
    } while (0)

static void start_kind(const char *code, uint8_t kind)
{
    int pair[2];
    char path[128];
    snprintf(t.root, sizeof t.root, "/tmp/isolate-test-XXXXXX");
    EXPECT(mkdtemp(t.root) != NULL);
    snprintf(path, sizeof path, "%s/code", t.root);
    EXPECT_EQ(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/code/linked.js", t.root);
    EXPECT_EQ(file_replace(AT_FDCWD, path, slice_of(code), 0600), 0);
    snprintf(path, sizeof path, "%s/code/m0", t.root);
    EXPECT_EQ(file_replace(AT_FDCWD, path, SLICE("file \xC3\xA9"), 0600), 0);

    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    t.pid = fork();
    if (t.pid == 0) {
        /* cmocka's handlers are not for the child. */
        static const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
        for (size_t i = 0; i < ARRAY_LEN(caught); i++)
            signal(caught[i], SIG_DFL);
        close(pair[0]);
        struct isolate_options options = {
            .root = t.root,
            .bundle = buf_slice(&t.bundle),
            .linker = SLICE("(function () { return { link(options, ...sources) {"
                            " if (sources[0] === 'bad') throw new SyntaxError('no good');"
                            " return JSON.parse(options).main + ':' + sources.join('+'); } }; })")};
        _exit(isolate_run(pair[1], &options));
    }
    close(pair[1]);
    t.loop = loop_create();
    t.control = wire_create(t.loop, pair[0], 0, &wire_events, NULL);
    AUTO(buf_done) struct buf args = {0};
    msg_isolate_assign_pack(&args,
                            &(struct msg_isolate_assign){.kind = kind, .spec = slice_of(t.spec)});
    wire_note(t.control, 0, OP_isolate_assign, buf_slice(&args), -1);
    send_wire(1, &t.main);
    send_wire(2, &t.keeper);
}

static void start(const char *code)
{
    start_kind(code, ISOLATE_WORKER);
    TURN_UNTIL(t.loaded || t.failed[0] != 0);
}

static struct answer *send_op(uint16_t op, struct slice args, const char *body, bool end)
{
    EXPECT(t.n_answers < ARRAY_LEN(t.answers));
    struct answer *a = &t.answers[t.n_answers++];
    a->stream = wire_open(t.main, op, args, -1, body == NULL && end, &answer_events, a);
    EXPECT(a->stream != NULL);
    a->id = wire_stream_id(a->stream);
    if (body != NULL)
        wire_send(a->stream, slice_of(body), end);
    return a;
}

static struct answer *send_request(const char *method, const char *url, const char *body, bool end)
{
    AUTO(buf_done) struct buf args = {0};
    msg_request_pack(&args, &(struct msg_request){.method = slice_of(method),
                                                  .url = slice_of(url),
                                                  .headers = SLICE("a: b\r\n"),
                                                  .cf = SLICE("{}"),
                                                  .request_id = SLICE("req-1")});
    return send_op(OP_request, buf_slice(&args), body, end);
}

static struct answer *request(const char *body)
{
    struct answer *a = send_request("POST", "http://h/", body, true);
    TURN_UNTIL(a->over && a->ended);
    return a;
}

static const char *body_of(struct answer *a)
{
    return buf_cstr(&a->body);
}

static int exit_status(void)
{
    int status = -1;
    int64_t until_us = clock_boot_us() + 3 * WAIT_MS * 1000;
    while (clock_boot_us() < until_us) {
        if (waitpid(t.pid, &status, WNOHANG) == t.pid) {
            t.pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        }
        loop_turn(t.loop, 10);
    }
    return -1000;
}

static int setup(void **state UNUSED)
{
    struct buf bundle = t.bundle;
    memset(&t, 0, sizeof t);
    t.bundle = bundle;
    if (buf_len(&t.bundle) == 0)
        EXPECT_EQ(file_read(AT_FDCWD, MINI_JS, 1 << 20, &t.bundle), 0);
    snprintf(t.spec, sizeof t.spec,
             "{\"main\":\"index.js\",\"code\":\"linked.js\",\"limits\":{\"cpu_ms\":300},"
             "\"compat\":{\"date\":\"2026-01-01\",\"flags\":[]}}");
    return 0;
}

static int teardown(void **state UNUSED)
{
    for (unsigned i = 0; i < t.n_answers; i++) {
        if (t.answers[i].stream != NULL)
            wire_stream_close(t.answers[i].stream, -ECANCELED);
        buf_done(&t.answers[i].body);
    }
    wire_destroy(t.main);
    wire_destroy(t.keeper);
    wire_destroy(t.control);
    if (t.pid > 0) {
        kill(t.pid, SIGKILL);
        waitpid(t.pid, NULL, 0);
    }
    loop_destroy(t.loop);
    return file_remove_tree(AT_FDCWD, t.root);
}

/* --- tests --- */

static void answers(void **state UNUSED)
{
    start("(function (c) { return c.method + ' ' + c.url + ' ' + c.headers.trim() + ' ' + "
          "c.requestId + ' \\u20ac'; })");
    struct answer *a = request(NULL);
    EXPECT_EQ(a->status, 200);
    assert_string_equal(body_of(a), "POST http://h/ a: b req-1 \xE2\x82\xAC");
    EXPECT_EQ(a->length, buf_len(&a->body));
    assert_string_equal(a->headers, "content-type: text/plain\r\n");
    EXPECT(a->flags & MSG_HAS_BODY);
    assert_string_equal(a->outcome, "ok");
}

static void many_at_once(void **state UNUSED)
{
    start("(async function (c) { await 0; return c.url; })");
    struct answer *all[64];
    for (unsigned i = 0; i < 64; i++) {
        char url[32];
        snprintf(url, sizeof url, "http://h/%u", i);
        all[i] = send_request("GET", url, NULL, true);
    }
    for (unsigned i = 0; i < 64; i++) {
        char url[32];
        snprintf(url, sizeof url, "http://h/%u", i);
        TURN_UNTIL(all[i]->over && all[i]->ended);
        assert_string_equal(body_of(all[i]), url);
    }
}

static void reads(void **state UNUSED)
{
    start(
        "(function (c) { return new Promise((resolve) => { let n = 0, text = '';"
        "  const next = (piece, error) => {"
        "    if (piece === null) return resolve(text + ':' + n);"
        "    if (error) return resolve('error ' + error);"
        "    n++; text += String.fromCharCode(...new Uint8Array(piece)); c.io.read(c.ch, next); };"
        "  c.io.read(c.ch, next); }); })");
    assert_string_equal(body_of(request("all of it")), "all of it:1");
    assert_string_equal(body_of(request(NULL)), ":0");
    struct answer *a = send_request("POST", "http://h/", "one ", false);
    for (int i = 0; i < 5; i++)
        loop_turn(t.loop, 20);
    wire_send(a->stream, SLICE("two"), true);
    TURN_UNTIL(a->over);
    assert_string_equal(body_of(a), "one two:2");
    /* Broken in the middle. */
    a = send_request("POST", "http://h/", "half", false);
    for (int i = 0; i < 5; i++)
        loop_turn(t.loop, 20);
    wire_stream_close(TAKE(a->stream), -ECONNRESET);
    TURN_UNTIL(a->ended);
}

static void collects(void **state UNUSED)
{
    start("(function (c) { return new Promise((resolve) => {"
          "  if (c.url.endsWith('text')) c.io.collectText(c.ch, (s) => resolve(s + s.length));"
          "  else c.io.collect(c.ch, (b) => resolve('' + b.byteLength)); }); })");
    struct answer *a = send_request("POST", "http://h/text", "\xEF\xBB\xBFh\xC3\xA9\xFF", true);
    TURN_UNTIL(a->over);
    assert_string_equal(body_of(a), "h\xC3\xA9\xEF\xBF\xBD"
                                    "3");
    a = send_request("POST", "http://h/text", "plain", true);
    TURN_UNTIL(a->over);
    assert_string_equal(body_of(a), "plain5");
    /* Larger than the window: credit comes while it is gathered. */
    char *big = mem_new(3 * 1024 * 1024 + 1);
    memset(big, 'x', 3 * 1024 * 1024);
    a = send_request("POST", "http://h/", big, true);
    mem_release(&big);
    TURN_UNTIL(a->over);
    assert_string_equal(body_of(a), "3145728");
}

static void writes(void **state UNUSED)
{
    start("(function (c) { c.io.respond(c.ch, 201, 0, -1, 'Yes', '', true);"
          "  let n = 0, waits = 0; const piece = new Uint8Array(10000).fill(65);"
          "  return new Promise((resolve) => { const go = (error) => {"
          "    if (error) return resolve();"
          "    while (n < 100) { n++; if (c.io.write(c.ch, piece) === 0) { waits++; return "
          "c.io.whenWritable(c.ch, go); } }"
          "    c.io.write(c.ch, 'end' + (waits > 0)); c.io.end(c.ch); resolve(); }; go(); }); })");
    struct answer *a = send_request("GET", "http://h/", NULL, true);
    TURN_UNTIL(a->over && a->ended);
    EXPECT_EQ(a->status, 201);
    EXPECT_EQ(buf_len(&a->body), 1000000 + strlen("endtrue"));
    EXPECT(slice_ends(buf_slice(&a->body), SLICE("endtrue")));
}

static void pipes(void **state UNUSED)
{
    start("(function (c) { c.io.respond(c.ch, 200, 0, -1, '', '', true);"
          "  return new Promise((resolve) => c.io.pipe(c.ch, c.ch, (error) => { if (error) throw "
          "error; resolve(); })); })");
    char *big = mem_new(2 * 1024 * 1024 + 1);
    for (size_t i = 0; i < 2 * 1024 * 1024; i++)
        big[i] = (char)('a' + i % 23);
    struct answer *a = send_request("POST", "http://h/", big, true);
    TURN_UNTIL(a->over && a->ended);
    EXPECT_EQ(buf_len(&a->body), 2 * 1024 * 1024);
    EXPECT(memcmp(buf_slice(&a->body).ptr, big, 2 * 1024 * 1024) == 0);
    /* Who does not read stops who sends. */
    a = send_request("POST", "http://h/", NULL, false);
    a->hold = true;
    wire_send(a->stream, slice_from(big, 2 * 1024 * 1024), false);
    for (int i = 0; i < 20; i++)
        loop_turn(t.loop, 20);
    EXPECT(buf_len(&a->body) <= 2 * WIRE_WINDOW);
    EXPECT(!a->over);
    mem_release(&big);
}

static const char fetcher[] =
    "(function (c) { const [mode, body] = c.url.split('/').slice(-2);"
    "  return new Promise((resolve) => {"
    "    const ch = c.io.fetch(-1, 0, 'PUT', 'http://other/', 'a: b\\r\\n', '', body === 'stream' "
    "? true : body || null,"
    "      (error, status, text, headers, flags, length, hasBody) => {"
    "        if (error !== null) return resolve('failed ' + error);"
    "        if (mode === 'cancel') { c.io.cancel(ch); return resolve('cancelled'); }"
    "        c.io.collectText(ch, (s, e) => resolve(`${status} ${text} ${headers.charCodeAt(5)} "
    "${hasBody} ${s} ${e}`));"
    "      });"
    "    if (body === 'stream') { c.io.write(ch, 'first '); c.io.write(ch, new Uint8Array([50])); "
    "c.io.end(ch); }"
    "    if (mode === 'reset') { c.io.reset(ch, -125); resolve('gone'); }"
    "  }); })";

static struct answer *fetch_answered(const char *url)
{
    struct answer *a = send_request("GET", url, NULL, true);
    TURN_UNTIL(a->over && a->ended);
    return a;
}

static void fetches(void **state UNUSED)
{
    start(fetcher);
    assert_string_equal(body_of(fetch_answered("http://h/x/")),
                        "201 Made 233 true PUT http://other/ [req-1]  undefined");
    assert_string_equal(body_of(fetch_answered("http://h/x/text")),
                        "201 Made 233 true PUT http://other/ [req-1] text undefined");
    assert_string_equal(body_of(fetch_answered("http://h/x/stream")),
                        "201 Made 233 true PUT http://other/ [req-1] first 2 undefined");
    assert_string_equal(body_of(fetch_answered("http://h/cancel/")), "cancelled");
    assert_string_equal(body_of(fetch_answered("http://h/reset/")), "gone");
    t.fetch_mode = 1;
    assert_string_equal(body_of(fetch_answered("http://h/x/")), "failed no way");
    t.fetch_mode = 3;
    EXPECT(strstr(body_of(fetch_answered("http://h/x/")), "undefined -") != NULL);
    EXPECT_EQ(t.n_fetches, 7);
    loop_turn(t.loop, 20);
    EXPECT_EQ(wire_streams(t.main) - t.n_answers, 0);
}

static void bytes_as_body(void **state UNUSED)
{
    start(
        "(function (c) { const kind = c.url.split('/').pop(); const b = new Uint8Array([1, 2, 3, "
        "4]);"
        "  const body = { view: b.subarray(1, 3), buffer: b.buffer, empty: '', none: null }[kind];"
        "  c.io.respond(c.ch, 200, 0, kind === 'none' ? 0 : -1, '', '', body); })");
    struct answer *a = fetch_answered("http://h/view");
    EXPECT_EQ(a->length, 2);
    assert_string_equal(body_of(a), "\2\3");
    a = fetch_answered("http://h/buffer");
    EXPECT_EQ(a->length, 4);
    a = fetch_answered("http://h/empty");
    EXPECT_EQ(a->length, 0);
    EXPECT(a->flags & MSG_HAS_BODY);
    a = fetch_answered("http://h/none");
    EXPECT(!(a->flags & MSG_HAS_BODY));
}

static void aborts(void **state UNUSED)
{
    start("(function (c) { if (c.url.endsWith('count')) return String(c.global.aborted);"
          "  return new Promise((resolve) => { c.global.onTimer = () => resolve('late'); "
          "c.io.timerAt(Date.now() + 100); }); })");
    struct answer *a = send_request("GET", "http://h/", NULL, true);
    for (int i = 0; i < 3; i++)
        loop_turn(t.loop, 10);
    wire_stream_close(TAKE(a->stream), -EPIPE);
    TURN_UNTIL(a->ended); /* the event goes on without its client */
    assert_string_equal(body_of(fetch_answered("http://h/count")), "1");
}

static void scheduled(void **state UNUSED)
{
    start("(function (c) { globalThis.cron = c.cron; })");
    AUTO(buf_done) struct buf args = {0};
    msg_scheduled_pack(&args, &(struct msg_scheduled){.scheduled_ms = 5,
                                                      .cron = SLICE("* * * * *"),
                                                      .request_id = SLICE("c")});
    struct answer *a = send_op(OP_scheduled, buf_slice(&args), NULL, true);
    TURN_UNTIL(a->over && a->ended);
    assert_string_equal(body_of(a), "ok");
}

static void clock_is_frozen(void **state UNUSED)
{
    start("(async function (c) { const now = c.io.now(); const end = Date.now() + 20; while "
          "(Date.now() < end);"
          "  return String(now === c.io.now() && now > 1e12); })");
    assert_string_equal(body_of(request(NULL)), "true");
}

static void rejections(void **state UNUSED)
{
    start("(async function (c) { if (c.url.endsWith('list')) return c.global.rejections.join();"
          "  Promise.reject('lost'); return 'x'; })");
    request(NULL);
    assert_string_equal(body_of(fetch_answered("http://h/list")), "lost");
}

static void eval_only_while_starting(void **state UNUSED)
{
    start("const two = eval('1 + 1');"
          "(function (c) { try { return eval('3'); } catch (e) { return two + e.name; } })");
    assert_string_equal(body_of(request(NULL)), "2EvalError");
}

static void load_fails(void **state UNUSED)
{
    start("function inner() { throw new TypeError('at the top'); }\ninner();");
    EXPECT(strstr(t.failed, "Uncaught TypeError: at the top\n    at inner (index.js:1") != NULL);
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_LOAD);
}

static void load_fails_syntax(void **state UNUSED)
{
    start("1 +");
    EXPECT(strncmp(t.failed, "Uncaught SyntaxError", 20) == 0);
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_LOAD);
}

static void load_takes_too_long(void **state UNUSED)
{
    start("for (;;);");
    assert_string_equal(t.failed, "Error: Script startup exceeded CPU time limit.");
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_LOAD);
}

static void load_promises(void **state UNUSED)
{
    start("Promise.resolve().then(() => '[\"late\"]')");
    EXPECT(t.loaded);
}

static void load_never_settles(void **state UNUSED)
{
    start("new Promise(() => 0)");
    EXPECT(strstr(t.failed, "Top-level await in module is unsettled.") != NULL);
}

static void load_bad_spec(void **state UNUSED)
{
    snprintf(t.spec, sizeof t.spec, "{");
    start("1");
    EXPECT(strncmp(t.failed, "Uncaught Error", 14) == 0);
}

static void cpu_limit_sync(void **state UNUSED)
{
    start("(function (c) { if (c.url.endsWith('wait')) return new Promise(() => 0); for (;;); })");
    struct answer *waiting = send_request("GET", "http://h/wait", NULL, true);
    struct answer *guilty = send_request("GET", "http://h/", NULL, true);
    TURN_UNTIL(guilty->ended && waiting->ended && guilty->over && waiting->over);
    assert_string_equal(guilty->outcome, "exceededCpu");
    assert_string_equal(guilty->trace, "{\"logs\":[\"last words\"]}");
    EXPECT(guilty->cpu_us >= 300 * 1000);
    assert_string_equal(waiting->outcome, "exceededCpu");
    EXPECT(guilty->error < 0);
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_CPU);
}

static void cpu_limit_async(void **state UNUSED)
{
    start("(async function (c) { await 0; for (;;) await 0; })");
    struct answer *a = send_request("GET", "http://h/", NULL, true);
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_CPU);
    TURN_UNTIL(a->over);
    assert_string_equal(a->outcome, "exceededCpu");
    EXPECT(strstr(a->trace, "\"outcome\":\"exceededCpu\"") != NULL);
}

static void cpu_limit_regexp(void **state UNUSED)
{
    start("(function (c) { /(a+)+$/.test('a'.repeat(40) + 'b'); return 'never'; })");
    send_request("GET", "http://h/", NULL, true);
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_CPU);
}

static void cpu_adds_up(void **state UNUSED)
{
    /* Each turn is short; together they are too much. */
    start("(function (c) { return new Promise((resolve) => { const turn = () => {"
          "  for (let i = 0; i < 2e7; i++) globalThis.n = i; c.io.fetch(-1, 0, 'GET', 'http://x/', "
          "'', '', null, turn); };"
          "  turn(); }); })");
    struct answer *a = send_request("GET", "http://h/", NULL, true);
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_CPU);
    TURN_UNTIL(a->over);
}

static void memory_limit(void **state UNUSED)
{
    snprintf(t.spec, sizeof t.spec, "{\"limits\":{\"memory_mb\":32}}");
    start("(function (c) { (globalThis.kept = globalThis.kept || []).push(new "
          "Uint8Array(16e6).fill(1)); return String(kept.length); })");
    for (int i = 0; i < 40 && !t.closed; i++) {
        struct answer *a = send_request("GET", "http://h/", NULL, true);
        TURN_UNTIL(a->over);
        for (int k = 0; k < 6; k++)
            loop_turn(t.loop, 25);
    }
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_MEMORY);
    EXPECT(t.retired || t.closed);
}

static void garbage_is_no_memory(void **state UNUSED)
{
    snprintf(t.spec, sizeof t.spec, "{\"limits\":{\"memory_mb\":48}}");
    start("(function (c) { let n = 0; for (let i = 0; i < 20; i++) n += new "
          "Uint8Array(2e6).fill(1)[5]; return String(n); })");
    for (int i = 0; i < 15; i++)
        assert_string_equal(body_of(request(NULL)), "20");
    EXPECT(!t.retired);
}

static void stops_when_told(void **state UNUSED)
{
    start("(function (c) { return new Promise((resolve) => { c.global.onTimer = () => "
          "resolve('late');"
          " c.io.timerAt(Date.now() + 100); }); })");
    struct answer *a = send_request("GET", "http://h/", NULL, true);
    for (int i = 0; i < 3; i++)
        loop_turn(t.loop, 10);
    AUTO(buf_done) struct buf args = {0};
    msg_role_stop_pack(&args, &(struct msg_role_stop){.grace_ms = 1000});
    wire_note(t.control, 0, OP_role_stop, buf_slice(&args), -1);
    TURN_UNTIL(a->over && a->ended);
    assert_string_equal(body_of(a), "late");
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_OK);
}

static void bad_message(void **state UNUSED)
{
    start("(function (c) { return ''; })");
    send_op(OP_request, SLICE("nonsense"), NULL, true);
    EXPECT_EQ(exit_status(), ISOLATE_EXIT_PROTOCOL);
}

static struct answer *link_job(const char *options, const char *body)
{
    AUTO(buf_done) struct buf args = {0};
    msg_link_pack(&args, &(struct msg_link){.options = slice_of(options)});
    struct answer *a = send_op(OP_link, buf_slice(&args), body, true);
    TURN_UNTIL(a->over);
    return a;
}

static void links(void **state UNUSED)
{
    start_kind("", ISOLATE_LINKER);
    const char *options =
        "{\"main\":\"a.js\",\"modules\":[{\"name\":\"a.js\",\"type\":\"esm\",\"size\":3},"
        "{\"name\":\"b\",\"type\":\"wasm\",\"size\":2},{\"name\":\"c\",\"type\":\"text\",\"size\":"
        "1}]}";
    struct answer *a = link_job(options, "onexx3");
    EXPECT_EQ(a->status, 0);
    assert_string_equal(body_of(a), "a.js:one++3");
    a = link_job(options, "badxx3");
    EXPECT(a->status < 0);
    assert_string_equal(body_of(a), "no good");
    EXPECT(link_job(options, "onexx")->status == -EBADMSG);
    EXPECT(link_job("{", "")->status == -EBADMSG);
}

static void keeper_absent(void **state UNUSED)
{
    /* A keeper that dies is replaced by a new wire. */
    start("(function (c) { return 'alive'; })");
    wire_destroy(t.keeper);
    t.keeper = NULL;
    loop_turn(t.loop, 20);
    assert_string_equal(body_of(request(NULL)), "alive");
    send_wire(2, &t.keeper);
    assert_string_equal(body_of(request(NULL)), "alive");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        TEST(answers),
        TEST(many_at_once),
        TEST(reads),
        TEST(collects),
        TEST(writes),
        TEST(pipes),
        TEST(fetches),
        TEST(bytes_as_body),
        TEST(aborts),
        TEST(scheduled),
        TEST(clock_is_frozen),
        TEST(rejections),
        TEST(eval_only_while_starting),
        TEST(load_fails),
        TEST(load_fails_syntax),
        TEST(load_takes_too_long),
        TEST(load_promises),
        TEST(load_never_settles),
        TEST(load_bad_spec),
        TEST(cpu_limit_sync),
        TEST(cpu_limit_async),
        TEST(cpu_limit_regexp),
        TEST(cpu_adds_up),
        TEST(memory_limit),
        TEST(garbage_is_no_memory),
        TEST(stops_when_told),
        TEST(bad_message),
        TEST(links),
        TEST(keeper_absent),
    };
    return cmocka_run_group_tests_name("isolate", tests, NULL, NULL);
}
