/*
 * Commands for people: serve, env, status, doctor, token, backup, restore, settings.
 *
 * cli.c: the table and the options. cli_show.c: what a running server says. cli_doctor.c: what this machine
 * gives. cli_token.c and cli_http.c: tokens, through the REST API like any other client. cli_backup.c: backup, restore.
 */
#pragma once

#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"

struct cli {
    const char *data;   /* directory */
    const char *config; /* or NULL */
    json_t *flags;      /* owned: settings given as options */
    char **args;        /* what is not an option */
    int n_args;
};

int cli_main(int argc, char **argv);

/* Each returns the exit status. */
int cli_serve(struct cli *cli);
int cli_env(struct cli *cli);
int cli_status(struct cli *cli);
int cli_doctor(struct cli *cli);
int cli_token(struct cli *cli);
int cli_backup(struct cli *cli);
int cli_restore(struct cli *cli);
int cli_settings(struct cli *cli);
/* test_worker.c; argv[0] is the command's name. */
int cli_test_worker(int argc, char **argv);

/* The run file of the server on this data directory; -ESRCH when none runs. */
NODISCARD int cli_read_run(const struct cli *cli, json_t **ret, struct err *err);
NODISCARD int cli_read_file(const struct cli *cli, const char *name, struct buf *ret,
                            struct err *err);
int cli_fail(const struct err *err);

struct cli_request {
    const char *method, *path;
    struct slice body; /* JSON; empty = none */
};
/* One request with the first token. Blocks. The envelope's `result`, or the API's own sentence in err. */
NODISCARD int cli_api(const struct cli *cli, const struct cli_request *request, json_t **ret,
                      struct err *err);
