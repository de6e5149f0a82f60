/*
 * Tokens of the user (/user/tokens) and of the account (/accounts/:account/tokens).
 * https://developers.cloudflare.com/api/resources/user/subresources/tokens/
 */
#include "api/token.h"

#include "product/account/account_api_impl.h"

#include <errno.h>

#define TOKEN_COLUMNS                                                                              \
    "id, name, status, policies AS \"policies:json\", condition AS \"condition:json\", "           \
    "not_before, "                                                                                 \
    "expires_on, issued_ms AS \"issued_on:time\", modified_ms AS \"modified_on:time\""

static bool token_of_account(const struct api_request *req)
{
    return strncmp(req->route->path, "/accounts/", 10) == 0;
}

int token_api_groups(struct api_request *req, struct err *err)
{
    (void)err;
    json_t *groups = permission_groups(req->api->products, req->api->account);
    const char *name = api_query(req, "name", "");
    for (size_t i = json_array_size(groups); i-- > 0 && *name != '\0';) {
        if (strcmp(json_str(json_array_get(groups, i), "name", ""), name) != 0)
            json_array_remove(groups, i);
    }
    return api_ok_all(req, groups);
}

int token_api_list(struct api_request *req, struct err *err)
{
    return api_ok_page(req, err,
                       "SELECT " TOKEN_COLUMNS
                       " FROM tokens WHERE of_account = ? ORDER BY issued_ms, id",
                       "i", (int)token_of_account(req));
}

static int token_answer(struct api_request *req, const char *id, const char *secret,
                        struct err *err)
{
    json_t *row = NULL;
    int r = db_row(req->api->db, &row,
                   "SELECT " TOKEN_COLUMNS " FROM tokens WHERE id = ? AND of_account = ?", "si", id,
                   (int)token_of_account(req));
    if (r < 0)
        return err_set(err, r, r == -ENOENT ? 1003 : API_ERR_INTERNAL, "no such token");
    if (secret != NULL)
        json_object_set_new(row, "value", json_string(secret));
    return api_ok(req, row);
}

/* Nobody may hand out rights that he does not have himself. */
static int token_check_grant(struct api_request *req, const json_t *wanted, struct err *err)
{
    struct permission_set set;
    int r = permission_compile(req->api->products, req->api->account,
                               json_object_get(wanted, "policies"), &set, err);
    if (r < 0)
        return r;
    const struct permission_set *own = &req->who.rights;
    if ((set.edit & ~own->edit) != 0 || (set.read & ~(own->read | own->edit)) != 0)
        return err_set(err, -EACCES, API_ERR_AUTH,
                       "the token would have permissions that the one in use has not");
    return 0;
}

static int token_wanted(struct api_request *req, json_t **ret, struct err *err)
{
    int r = api_json_object(req, false, ret, err);
    return r < 0 ? r : token_check_grant(req, *ret, err);
}

int token_api_create(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *wanted = NULL;
    char id[ID_HEX_SIZE], secret[TOKEN_TEXT_SIZE];
    int r = token_wanted(req, &wanted, err);
    if (r == 0)
        r = tokens_create(req->api, wanted, token_of_account(req), id, secret, err);
    return r < 0 ? r : token_answer(req, id, secret, err);
}

int token_api_info(struct api_request *req, struct err *err)
{
    return token_answer(req, api_param(req, "token"), NULL, err);
}

int token_api_update(struct api_request *req, struct err *err)
{
    AUTO(json_release) json_t *wanted = NULL;
    const char *id = api_param(req, "token");
    int r = token_wanted(req, &wanted, err);
    if (r == 0)
        r = tokens_update(req->api, id, wanted, token_of_account(req), err);
    return r < 0 ? r : token_answer(req, id, NULL, err);
}

int token_api_roll(struct api_request *req, struct err *err)
{
    char secret[TOKEN_TEXT_SIZE];
    int r = tokens_roll(req->api, api_param(req, "token"), token_of_account(req), secret, err);
    return r < 0 ? r : api_ok(req, json_string(secret));
}

int token_api_delete(struct api_request *req, struct err *err)
{
    const char *id = api_param(req, "token");
    int r = tokens_delete(req->api, id, token_of_account(req), err);
    return r < 0 ? r : api_ok(req, json_pack("{s:s}", "id", id));
}
