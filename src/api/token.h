/*
 * API tokens: random, stored as SHA-256, checked in memory. Any thread.
 *
 * All tokens are held in memory, so that a request can be refused on the loop's thread before its body
 * is taken; changes go to the database first and then replace what is held.
 */
#pragma once

#include "api/permission.h"

enum { TOKEN_TEXT_SIZE = 41, TOKEN_NAME_MAX = 120 };

struct api_tokens;

/* Who asks. */
struct api_principal {
    char token_id[ID_HEX_SIZE];
    char name[TOKEN_NAME_MAX + 1];
    bool of_account; /* made under /accounts/…/tokens */
    struct permission_set rights;
};

extern const char *const token_schema[];

NODISCARD int tokens_open(struct api *api, struct err *err);
void tokens_close(struct api_tokens *tokens);
/* -EACCES when it is unknown, disabled, expired, not yet valid or used from a forbidden address. */
NODISCARD int tokens_check(struct api_tokens *tokens, struct slice text, struct slice remote_ip,
                           struct api_principal *ret);
/* The same for who proves by a signature to know the token: the secret is the SHA-256 of its text, as hex. */
enum { TOKEN_SECRET_SIZE = 65 };
NODISCARD int tokens_secret(struct api_tokens *tokens, struct slice id, struct slice remote_ip,
                            struct api_principal *ret, char ret_secret[TOKEN_SECRET_SIZE]);
/* Makes a token from the client's object {name, policies, not_before, expires_on, condition, status}.
 * *ret_text is the secret: shown once. */
NODISCARD int tokens_create(struct api *api, const json_t *wanted, bool of_account,
                            char ret_id[ID_HEX_SIZE], char ret_text[TOKEN_TEXT_SIZE],
                            struct err *err);
NODISCARD int tokens_update(struct api *api, const char *id, const json_t *wanted, bool of_account,
                            struct err *err);
/* A new secret for the same token. */
NODISCARD int tokens_roll(struct api *api, const char *id, bool of_account,
                          char ret_text[TOKEN_TEXT_SIZE], struct err *err);
NODISCARD int tokens_delete(struct api *api, const char *id, bool of_account, struct err *err);
