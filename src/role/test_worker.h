/*
 * `selvedge test-worker`: runs Workers' own tests and classic web platform tests in isolates of its own.
 *
 * test_worker.c: options, the list of tests, what is printed. test_worker_config.c: from files or a JSON
 * description to services. test_worker_service.c: links a service and runs its isolate.
 * test_worker_call.c: fetches of isolates: service bindings, and files of web platform tests.
 *
 * One thread, one loop; everything that takes time is waited for with runner_wait().
 */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"
#include "core/loop.h"
#include "proc/spawn.h"
#include "proc/wire.h"
#include "role/isolate_main.h"

enum {
    TEST_WORKER_PATH_MAX = 1024,
    TEST_WORKER_FILE_MAX = 64 * 1024 * 1024,
    TEST_WORKER_START_S = 30,
    TEST_WORKER_TIMEOUT_S = 60,
    TEST_WORKER_WPT_TIMEOUT_S = 300,
    TEST_WORKER_MEMORY_MB = 512,
    TEST_WORKER_CPU_MS = 300000
};

/* One Worker of the description. */
struct test_service {
    struct test_runner *runner; /* borrowed */
    const char *name;           /* borrowed from config, as is the next */
    const json_t *config;
    char dir[TEST_WORKER_PATH_MAX]; /* has code/, seen by the isolate as its mount */
    struct buf spec;
    json_t *bindings; /* owned: of the spec */

    /* its isolate */
    struct process process;
    struct wire *control, *wire, *keeper;
    bool running, loaded, failed;
    int status;    /* of its end, as waitpid() has it */
    json_t *tests; /* owned: names; NULL until loaded */
    struct buf load_error;
};

struct test_runner {
    struct loop *loop;
    char root[TEST_WORKER_PATH_MAX]; /* temporary directory, absolute */
    json_t *config;
    struct test_service *services;
    size_t n_services;
    struct isolate_options options; /* of all isolates, but for root */

    /* options */
    const char *config_file, *wpt_root, *date, *filter;
    json_t *flags, *texts; /* --compat-flag, --binding */
    bool wpt, no_sandbox, verbose;
    unsigned timeout_s;
    char **files;
    int n_files;

    unsigned passed, failed;
};

/* Turns the loop until *done or the time is over. */
bool runner_wait(struct test_runner *r, const bool *done, unsigned seconds);

/* --- test_worker_config.c --- */

/* Fills r->config: {"services": [...], "main": name}. */
NODISCARD int config_read(struct test_runner *r, struct err *err);
/* The bytes of a module or of a binding: a path beside the description, or {"text": ...}. */
NODISCARD int config_content(struct test_runner *r, const json_t *value, struct buf *ret,
                             struct err *err);
/* Makes the directories, files and specs of all services, and links them. */
NODISCARD int config_prepare(struct test_runner *r, struct err *err);
struct test_service *config_find(struct test_runner *r, const char *name);

/* --- test_worker_service.c --- */

/* Links modules (options of message `link`) in an isolate of their own; ret gets the code. */
NODISCARD int service_link(struct test_runner *r, struct slice options, struct slice body,
                           struct buf *ret, struct err *err);
/* Starts its isolate and waits until it is loaded. */
NODISCARD int service_start(struct test_service *s, struct err *err);
void service_stop(struct test_service *s);
/* "the isolate ended with status 11", after service->running became false. */
void service_describe_end(const struct test_service *s, struct buf *ret);

/* --- test_worker_call.c --- */

/* The isolate of `s` opened a stream. */
void call_open(struct test_service *s, struct wire_stream *stream, uint16_t op, struct slice args,
               bool end);

/* --- test_worker.c --- */

/* event_end of an event of `s`. */
void runner_event_end(struct test_service *s, uint32_t stream_id, struct slice args);
