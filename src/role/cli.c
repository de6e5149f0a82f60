#include "role/cli.h"

#include "core/file.h"
#include "role/settings.h"
#include "role/supervisor_main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
    const char *name, *usage, *sentence;
    int (*run)(struct cli *cli);
    const char *help; /* more about it; NULL = nothing */
} commands[] = {
    {"serve", "serve [options]", "Runs the server until Ctrl-C or SIGTERM.", cli_serve,
     "  selvedge serve\n"
     "  selvedge serve --listen 0.0.0.0:80 --https 0.0.0.0:443 --domain example.com\n"
     "  selvedge serve --data /var/lib/selvedge --config /etc/selvedge.jsonc\n"},
    {"env", "env", "Prints the variables that wrangler, SDKs and Terraform need.", cli_env,
     "  eval \"$(selvedge env)\" && npx wrangler deploy\n"},
    {"status", "status [--json]", "Shows roles, isolates, memory of the running server.",
     cli_status, "  selvedge status\n  selvedge status --json\n"},
    {"doctor", "doctor", "Says what this machine gives and what is missing.", cli_doctor, NULL},
    {"backup", "backup DIR", "Copies the whole data directory, also while the server runs.",
     cli_backup,
     "  selvedge backup /backups/monday\n"
     "  selvedge backup --data /var/lib/selvedge /backups/monday\n"
     "  selvedge backup copy && tar -C copy -czf copy.tar.gz .\n"},
    {"restore", "restore DIR", "Makes a new data directory from a backup, after checking it.",
     cli_restore, "  selvedge restore --data /var/lib/selvedge /backups/monday\n"},
    {"token", "token list | create NAME | revoke ID", "Manages API tokens.", cli_token,
     "  selvedge token create ci\n  selvedge token list\n  selvedge token revoke 0123…\n"},
    {"settings", "settings", "Prints every setting with its limits and its value now.",
     cli_settings, "  selvedge settings --config selvedge.jsonc\n"},
};

/* Options that are settings. */
static const struct {
    const char *option, *setting, *value, *sentence;
} options[] = {
    {"--listen", "listen", "ADDR:PORT", "Workers over HTTP (127.0.0.1:8787)"},
    {"--https", "https", "ADDR:PORT", "Workers over HTTPS (off)"},
    {"--api", "api", "ADDR:PORT", "REST API and dashboard (127.0.0.1:8788)"},
    {"--domain", "domain", "NAME", "Workers answer at <name>.NAME (localhost)"},
};

int cli_fail(const struct err *err)
{
    fprintf(stderr, "selvedge: %s\n", err->text);
    return 1;
}

static void cli_help(void)
{
    printf("Selvedge %s: a Cloudflare-compatible platform on your own machine.\n\n",
           SELVEDGE_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("  selvedge %-38s %s\n", commands[i].usage, commands[i].sentence);
    printf("\nOptions of every command:\n\n");
    printf("  %-26s %s\n", "--data DIR", "The data directory (./selvedge-data)");
    printf("  %-26s %s\n", "--config FILE", "Settings in JSON with comments");
    printf("\nOptions of serve:\n\n");
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        printf("  %-10s %-15s %s\n", options[i].option, options[i].value, options[i].sentence);
    printf("\nExamples:\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("%s", commands[i].help == NULL ? "" : commands[i].help);
}

static int cli_help_command(const struct command *c)
{
    printf("selvedge %s\n\n%s\n", c->usage, c->sentence);
    if (c->help != NULL)
        printf("\nExamples:\n\n%s", c->help);
    printf("\n`selvedge --help` lists the options.\n");
    return 0;
}

static const struct command *cli_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* The value of `--name value` or `--name=value`; NULL when the argument is another option. */
static const char *cli_option_value(const char *name, char **argv, int argc, int *i)
{
    size_t len = strlen(name);
    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    if (argv[*i][len] != '\0' || *i + 1 >= argc)
        return NULL;
    return argv[++*i];
}

static int cli_take_option(struct cli *cli, char **argv, int argc, int *i, struct err *err)
{
    const char *value = cli_option_value("--data", argv, argc, i);
    if (value != NULL) {
        cli->data = value;
        return 0;
    }
    value = cli_option_value("--config", argv, argc, i);
    if (value != NULL) {
        cli->config = value;
        return 0;
    }
    for (size_t o = 0; o < ARRAY_LEN(options); o++) {
        value = cli_option_value(options[o].option, argv, argc, i);
        if (value != NULL)
            return settings_put(cli->flags, options[o].setting, value, err);
    }
    return err_set(err, -EINVAL, 0,
                   "the option %s is unknown or lacks its value; see selvedge --help", argv[*i]);
}

static int cli_parse(struct cli *cli, int argc, char **argv, struct err *err)
{
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0 || strcmp(argv[i], "--json") == 0) {
            cli->args[cli->n_args++] = argv[i];
            continue;
        }
        int r = cli_take_option(cli, argv, argc, &i, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool cli_wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return argc < 2 || strcmp(argv[1], "help") == 0;
}

int cli_main(int argc, char **argv)
{
    struct err err = {0};
    const struct command *c = argc < 2 ? NULL : cli_find(argv[1]);
    if (cli_wants_help(argc, argv) && (argc < 2 || strcmp(argv[1], "test-worker") != 0)) {
        if (c != NULL)
            return cli_help_command(c);
        cli_help();
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("selvedge %s\n", SELVEDGE_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "test-worker") == 0) /* for development: not listed */
        return cli_test_worker(argc - 1, argv + 1);
    if (c == NULL) {
        fprintf(stderr, "selvedge: there is no command %s; see selvedge --help\n", argv[1]);
        return 2;
    }
    struct cli cli = {.data = "selvedge-data", .flags = json_object()};
    cli.args = mem_new((size_t)argc * sizeof(*cli.args));
    int status = cli_parse(&cli, argc, argv, &err) < 0 ? cli_fail(&err) : c->run(&cli);
    json_release(&cli.flags);
    free(cli.args);
    return status;
}

int cli_serve(struct cli *cli)
{
    const struct supervisor_options o = {
        .data = cli->data, .config = cli->config, .flags = cli->flags};
    return supervisor_main(&o);
}

int cli_settings(struct cli *cli)
{
    AUTO(json_release) json_t *settings = settings_defaults();
    AUTO(buf_done) struct buf text = {0}, out = {0};
    struct err err = {0};
    int r = cli->config == NULL ? 0 : file_read(AT_FDCWD, cli->config, 1024 * 1024, &text);
    if (r < 0)
        err_set(&err, r, 0, "cannot read %s: %s", cli->config, strerror(-r));
    else if (cli->config != NULL)
        r = settings_apply(settings, buf_slice(&text), &err);
    if (r < 0)
        return cli_fail(&err);
    json_object_update(settings, cli->flags);
    settings_print(&out, settings);
    fwrite(buf_slice(&out).ptr, 1, buf_len(&out), stdout);
    return 0;
}
