/*
 * `selvedge test-worker`: runs Workers' own tests and classic web platform tests in isolates of its own.
 *
 * test_worker.c: options, the list of tests. test_worker_event.c: one event that runs tests, and what is printed
 * of it. test_worker_wpt.c: web platform tests and the files that they fetch. test_worker_config.c: from files or a
 * JSON description to services; test_worker_binding.c: their bindings and stores. test_worker_service.c: links a
 * service and forks its isolates. test_worker_world.c: the gateway in this process, the keeper beside it, and what the
 * supervisor does for both.
 *
 * One thread, one loop; everything that takes time is waited for with runner_wait().
 */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"
#include "core/loop.h"
#include "proc/role.h"
#include "proc/spawn.h"
#include "proc/wire.h"
#include "role/isolate_main.h"

enum {
    TEST_WORKER_PATH_MAX = 1024,
    TEST_WORKER_ROOT_MAX = 160, /* of the temporary directory: the keeper's paths begin with it */
    TEST_WORKER_FILE_MAX = 64 * 1024 * 1024,
    TEST_WORKER_START_S = 30,
    TEST_WORKER_TIMEOUT_S = 60,
    TEST_WORKER_WPT_TIMEOUT_S = 300,
    TEST_WORKER_MEMORY_MB = 512,
    TEST_WORKER_CPU_MS = 300000
};

#define TEST_WORKER_ACCOUNT "00000000000000000000000000000000"
#define TEST_WORKER_VERSION "00000000-0000-4000-8000-000000000000"

struct gateway;
struct call;

/* One Worker of the description. */
struct test_service {
    struct test_runner *runner; /* borrowed */
    const char *name;           /* borrowed from config, as is the next */
    const json_t *config;
    char dir[TEST_WORKER_PATH_MAX]; /* has code/, seen by the isolate as its mount */
    struct buf spec;
    json_t *bindings, *mounts; /* owned: of the spec; sources of mounts are paths of the machine */
    json_t *outbound;          /* owned: the binding behind its fetch(); NULL: none */
    json_t *tests;             /* owned: names; NULL until probed */
    struct buf load_error;
    struct buf end; /* how its last isolate ended */
};

struct test_runner {
    struct loop *loop;
    char root[TEST_WORKER_PATH_MAX]; /* temporary directory, absolute */
    json_t *config;
    json_t *namespaces; /* "service\nclass" -> {"id", "key", "sqlite"} */
    struct test_service *services;
    size_t n_services;
    struct isolate_options options; /* of all isolates, but for root */

    /* the world around the isolates */
    struct role_context rc; /* of the gateway */
    struct gateway *gateway;
    struct wire *supervisor, *control, *keeper, *stores; /* our ends */
    struct process keeper_process;
    struct link isolates; /* struct test_isolate */
    uint64_t n_isolates;  /* ever started */

    /* options */
    const char *config_file, *wpt_root, *date, *filter;
    json_t *flags, *texts; /* --compat-flag, --binding */
    bool wpt, no_sandbox, network, verbose;
    unsigned timeout_s;
    char **files;
    int n_files;

    unsigned passed, failed;
};

/* --- test_worker.c --- */

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
/* Writes a file that is no script: m0, m1... */
NODISCARD int service_write_next(struct test_service *s, unsigned *n, struct slice content,
                                 char file[16], struct err *err);
/* The isolate's spec, out of what is known of the service. modules: borrowed. */
void service_spec(struct test_service *s, const char *main, json_t *compat, json_t *modules);

/* --- test_worker_binding.c --- */

/* Namespaces of Durable Objects of all services, before any binding names one. */
void config_namespaces(struct test_runner *r);
/* Fills bindings, mounts, outbound; makes the stores. */
NODISCARD int service_bindings(struct test_service *s, unsigned *n_files, struct err *err);
/* What the gateway knows of all services: table.json. */
json_t *config_table(const struct test_runner *r);

/* --- test_worker_service.c --- */

/* A process that runs a service: what it listens to, and the other ends of its wires. */
struct service_ends {
    const struct wire_events *control;
    void *user;
    struct wire *control_wire;
    int main_fd, keeper_fd;
};

/* Links modules (options of message `link`) in an isolate of their own; ret gets the code. */
NODISCARD int service_link(struct test_runner *r, struct slice options, struct slice body,
                           struct buf *ret, struct err *err);
/* Loads it once, to learn of its tests or of what is wrong with it. */
NODISCARD int service_probe(struct test_service *s, struct err *err);
/* spec: its own, or that of a Worker which it has brought. */
NODISCARD int service_fork(struct test_service *s, uint8_t kind, struct slice spec,
                           struct service_ends *e, struct process *ret);
/* Ends the process. Its status, as waitpid() has it. */
int service_reap(struct process *p);
/* "the isolate ended with status 11" */
void service_describe_end(int status, struct buf *ret);

/* --- test_worker_world.c --- */

/* Begins everything but the services' isolates, which the gateway asks for when it needs them. */
NODISCARD int world_create(struct test_runner *r, struct err *err);
NODISCARD int world_make_store(struct test_runner *r, const char *store, struct err *err);
/* Tells the gateway what there is. */
NODISCARD int world_set_table(struct test_runner *r, struct err *err);
/* Ends all isolates of a service and waits until the gateway knows. */
void world_stop_service(struct test_service *s);
void world_destroy(struct test_runner *r);

/* --- test_worker_event.c --- */

/* Runs one event of this method ("TEST", "WPT") and prints its results; name: of the test. ret_variants: of a file,
 * may be NULL. */
void event_report(struct test_service *s, const char *method, const char *url, const char *name,
                  json_t **ret_variants);
/* The trace of an event of this script. */
void event_traced(struct test_runner *r, struct slice script, struct slice json);
void report_failure(struct test_runner *r, const char *name, const char *message);

/* --- test_worker_wpt.c --- */

NODISCARD int wpt_run(struct test_runner *r, struct err *err);
/* Answers a fetch from the world: a file, or nothing. */
void wpt_world(struct call *c);
