#include "role/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int token_list(struct cli *cli, struct err *err)
{
    AUTO(json_release) json_t *list = NULL;
    size_t i;
    json_t *token;
    int r =
        cli_api(cli, &(struct cli_request){.method = "GET", .path = "/user/tokens"}, &list, err);
    if (r < 0)
        return r;
    json_array_foreach(list, i, token)
        printf("%-34s %-10s %-26s %s\n", json_str(token, "id", ""), json_str(token, "status", ""),
               json_str(token, "issued_on", ""), json_str(token, "name", ""));
    return 0;
}

/* All permissions on the account: what a person at the server's own console hands out. */
static json_t *token_policies(const char *account, json_t *groups)
{
    char resource[128];
    snprintf(resource, sizeof(resource), "com.cloudflare.api.account.%s", account);
    json_t *ids = json_array();
    size_t i;
    json_t *group;
    json_array_foreach(groups, i, group)
        json_array_append_new(ids, json_pack("{s:s}", "id", json_str(group, "id", "")));
    return json_pack("[{s:s,s:{s:s},s:o}]", "effect", "allow", "resources", resource, "*",
                     "permission_groups", ids);
}

static int token_create(struct cli *cli, const char *name, struct err *err)
{
    AUTO(json_release) json_t *groups = NULL, *created = NULL, *body = NULL;
    AUTO(buf_done) struct buf account = {0}, text = {0};
    int r = cli_read_file(cli, "account", &account, err);
    if (r == 0)
        r = cli_api(
            cli, &(struct cli_request){.method = "GET", .path = "/user/tokens/permission_groups"},
            &groups, err);
    if (r < 0)
        return r;
    body = json_pack("{s:s,s:o}", "name", name, "policies",
                     token_policies(buf_cstr(&account), groups));
    if (body == NULL)
        return err_set(err, -EINVAL, 0, "the name is not valid UTF-8");
    json_print(&text, body);
    r = cli_api(
        cli,
        &(struct cli_request){.method = "POST", .path = "/user/tokens", .body = buf_slice(&text)},
        &created, err);
    if (r < 0)
        return r;
    printf("id     %s\ntoken  %s\n", json_str(created, "id", ""), json_str(created, "value", ""));
    printf("The token is shown this once; it is stored as a hash only.\n");
    return 0;
}

static int token_revoke(struct cli *cli, const char *id, struct err *err)
{
    AUTO(json_release) json_t *result = NULL;
    char path[256];
    if (strspn(id, "0123456789abcdef") != strlen(id) || strlen(id) > 64)
        return err_set(err, -EINVAL, 0, "\"%s\" is no token id; see selvedge token list", id);
    snprintf(path, sizeof(path), "/user/tokens/%s", id);
    int r = cli_api(cli, &(struct cli_request){.method = "DELETE", .path = path}, &result, err);
    if (r == 0)
        printf("Revoked.\n");
    return r;
}

int cli_token(struct cli *cli)
{
    struct err err = {0};
    const char *verb = cli->n_args > 0 ? cli->args[0] : "list";
    int r;
    if (strcmp(verb, "list") == 0)
        r = token_list(cli, &err);
    else if (strcmp(verb, "create") == 0 && cli->n_args == 2)
        r = token_create(cli, cli->args[1], &err);
    else if (strcmp(verb, "revoke") == 0 && cli->n_args == 2)
        r = token_revoke(cli, cli->args[1], &err);
    else
        r = err_set(&err, -EINVAL, 0, "use: selvedge token list | create NAME | revoke ID");
    return r < 0 ? cli_fail(&err) : 0;
}
