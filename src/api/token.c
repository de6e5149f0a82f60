#include "api/token.h"

#include "api/api.h"
#include "core/base64.h"
#include "core/clock.h"
#include "core/digest.h"
#include "core/map.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct token {
    struct api_principal who;
    bool active;
    int64_t not_before_ms, expires_ms; /* 0 = no limit */
    json_t *ip_in, *ip_not_in;         /* borrowed from `condition` */
    json_t *condition;                 /* owned */
};

struct api_tokens {
    pthread_mutex_t lock;
    struct map by_hash; /* hex of SHA-256 -> struct token, owned */
};

const char *const token_schema[] = {
    "CREATE TABLE IF NOT EXISTS tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT "
    "NULL "
    "UNIQUE, status TEXT NOT NULL DEFAULT 'active', of_account INTEGER NOT NULL, policies TEXT NOT "
    "NULL, condition TEXT, not_before TEXT, expires_on TEXT, issued_ms INTEGER NOT NULL, "
    "modified_ms INTEGER NOT NULL) STRICT",
    NULL,
};

static void token_hash(struct slice text, char ret[2 * DIGEST_MAX + 1])
{
    uint8_t sum[DIGEST_MAX];
    digest_of(DIGEST_SHA256, text, sum);
    hex_encode(sum, digest_size(DIGEST_SHA256), ret);
}

/* RFC 3339 in UTC, as the clients send it; 0 when absent. */
static int token_time(const char *text, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (text == NULL || *text == '\0')
        return 0;
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (end == NULL)
        return -EINVAL;
    if (*end == '.')
        end += 1 + strspn(end + 1, "0123456789");
    if (strcmp(end, "Z") != 0 && strcmp(end, "+00:00") != 0)
        return -EINVAL;
    *ret_ms = (int64_t)timegm(&tm) * 1000;
    return 0;
}

/* --- addresses --- */

static bool token_bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

static bool token_ip_matches(const char *range, const char *ip)
{
    char address[INET6_ADDRSTRLEN];
    struct slice bits = slice_of(range);
    if (slice_to_cstr(slice_cut(&bits, '/'), address, sizeof(address)) < 0)
        return false;
    int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    unsigned most = family == AF_INET ? 32 : 128;
    uint64_t n = most;
    if (bits.ptr != NULL && (slice_to_u64(bits, &n) < 0 || n > most))
        return false;
    uint8_t want[16], have[16];
    return inet_pton(family, address, want) == 1 && inet_pton(family, ip, have) == 1 &&
           token_bits_equal(want, have, (unsigned)n);
}

static bool token_ip_in(const json_t *list, const char *ip)
{
    size_t i;
    json_t *range;
    json_array_foreach(list, i, range)
    {
        const char *text = json_string_value(range);
        if (text != NULL && token_ip_matches(text, ip))
            return true;
    }
    return false;
}

static bool token_ip_allowed(const struct token *token, struct slice remote_ip)
{
    char ip[INET6_ADDRSTRLEN];
    if (token->ip_in == NULL && token->ip_not_in == NULL)
        return true;
    if (slice_to_cstr(remote_ip, ip, sizeof(ip)) < 0)
        return false;
    if (json_array_size(token->ip_in) > 0 && !token_ip_in(token->ip_in, ip))
        return false;
    return !token_ip_in(token->ip_not_in, ip);
}

/* --- the tokens in memory --- */

static void token_free(struct token *token)
{
    if (token == NULL)
        return;
    json_release(&token->condition);
    free(token);
}

static void token_map_done(struct map *map)
{
    size_t at = 0;
    struct slice key;
    void *token;
    while (map_next(map, &at, &key, &token))
        token_free(token);
    map_done(map);
}

static struct token *token_of_row(struct api *api, const json_t *row)
{
    struct token *token = mem_new(sizeof(*token));
    struct api_principal *who = &token->who;
    snprintf(who->token_id, sizeof(who->token_id), "%s", json_str(row, "id", ""));
    snprintf(who->name, sizeof(who->name), "%s", json_str(row, "name", ""));
    who->of_account = json_bool(row, "of_account", false);
    token->active = strcmp(json_str(row, "status", ""), "active") == 0;
    /* A row that no longer compiles (a product is gone) keeps no rights rather than too many. */
    if (permission_compile(api->products, api->account, json_object_get(row, "policies"),
                           &who->rights, NULL) < 0)
        who->rights = (struct permission_set){0};
    if (token_time(json_str(row, "not_before", NULL), &token->not_before_ms) < 0 ||
        token_time(json_str(row, "expires_on", NULL), &token->expires_ms) < 0)
        token->active = false;
    token->condition = json_incref(json_object_get(row, "condition"));
    const json_t *ip = json_object_get(token->condition, "request_ip");
    token->ip_in = json_object_get(ip, "in");
    token->ip_not_in = json_object_get(ip, "not_in");
    return token;
}

static int tokens_load(struct api *api, struct err *err)
{
    AUTO(json_release) json_t *rows = NULL;
    int r =
        db_rows(api->db, &rows,
                "SELECT id, name, hash, status, of_account AS \"of_account:bool\", policies AS "
                "\"policies:json\", condition AS \"condition:json\", not_before, expires_on FROM "
                "tokens",
                NULL);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "cannot read the tokens");

    struct map map = {0};
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        token_free(map_put(&map, slice_of(json_str(row, "hash", "")), token_of_row(api, row)));
    }
    pthread_mutex_lock(&api->tokens->lock);
    struct map old = api->tokens->by_hash;
    api->tokens->by_hash = map;
    pthread_mutex_unlock(&api->tokens->lock);
    token_map_done(&old);
    return 0;
}

int tokens_open(struct api *api, struct err *err)
{
    api->tokens = mem_new(sizeof(*api->tokens));
    pthread_mutex_init(&api->tokens->lock, NULL);
    return tokens_load(api, err);
}

void tokens_close(struct api_tokens *tokens)
{
    if (tokens == NULL)
        return;
    token_map_done(&tokens->by_hash);
    pthread_mutex_destroy(&tokens->lock);
    free(tokens);
}

static bool token_usable(const struct token *token, struct slice remote_ip)
{
    int64_t now = clock_wall_ms();
    return token->active && now >= token->not_before_ms &&
           (token->expires_ms == 0 || now < token->expires_ms) &&
           token_ip_allowed(token, remote_ip);
}

int tokens_check(struct api_tokens *tokens, struct slice text, struct slice remote_ip,
                 struct api_principal *ret)
{
    char hash[2 * DIGEST_MAX + 1];
    token_hash(text, hash);
    pthread_mutex_lock(&tokens->lock);
    const struct token *token = map_get(&tokens->by_hash, slice_of(hash));
    bool ok = token != NULL && token_usable(token, remote_ip);
    if (ok)
        *ret = token->who;
    pthread_mutex_unlock(&tokens->lock);
    return ok ? 0 : -EACCES;
}

int tokens_secret(struct api_tokens *tokens, struct slice id, struct slice remote_ip,
                  struct api_principal *ret, char ret_secret[TOKEN_SECRET_SIZE])
{
    size_t at = 0;
    struct slice hash;
    void *value;
    int r = -EACCES;
    pthread_mutex_lock(&tokens->lock);
    while (r < 0 && map_next(&tokens->by_hash, &at, &hash, &value)) {
        const struct token *token = value;
        if (!slice_eq(id, slice_of(token->who.token_id)) || !token_usable(token, remote_ip))
            continue;
        *ret = token->who;
        r = slice_to_cstr(hash, ret_secret, TOKEN_SECRET_SIZE);
    }
    pthread_mutex_unlock(&tokens->lock);
    return r;
}

/* --- changes --- */

static void token_make_text(char ret[TOKEN_TEXT_SIZE])
{
    uint8_t raw[30];
    AUTO(buf_done) struct buf text = {0};
    id_random(raw, sizeof(raw));
    base64_encode(&text, slice_from(raw, sizeof(raw)), BASE64_URL);
    CHECK(slice_to_cstr(buf_slice(&text), ret, TOKEN_TEXT_SIZE) == 0);
    secret_wipe(raw, sizeof(raw));
}

static int token_check_wanted(struct api *api, const json_t *wanted, struct err *err)
{
    struct permission_set rights;
    int64_t ms;
    const char *name = json_str(wanted, "name", "");
    if (*name == '\0' || strlen(name) > TOKEN_NAME_MAX)
        return err_set(err, -EINVAL, API_ERR_INPUT, "name must have 1 to %d bytes", TOKEN_NAME_MAX);
    if (token_time(json_str(wanted, "not_before", NULL), &ms) < 0 ||
        token_time(json_str(wanted, "expires_on", NULL), &ms) < 0)
        return err_set(err, -EINVAL, API_ERR_INPUT,
                       "not_before and expires_on must look like 2026-01-31T00:00:00Z");
    const char *status = json_str(wanted, "status", "active");
    if (strcmp(status, "active") != 0 && strcmp(status, "disabled") != 0)
        return err_set(err, -EINVAL, API_ERR_INPUT, "status must be active or disabled");
    return permission_compile(api->products, api->account, json_object_get(wanted, "policies"),
                              &rights, err);
}

int tokens_create(struct api *api, const json_t *wanted, bool of_account, char ret_id[ID_HEX_SIZE],
                  char ret_text[TOKEN_TEXT_SIZE], struct err *err)
{
    int r = token_check_wanted(api, wanted, err);
    if (r < 0)
        return r;
    char hash[2 * DIGEST_MAX + 1];
    token_make_text(ret_text);
    token_hash(slice_of(ret_text), hash);
    id_hex(ret_id);
    int64_t now = clock_wall_ms();
    r = db_run(api->db,
               "INSERT INTO tokens (id, name, hash, status, of_account, policies, condition, "
               "not_before, expires_on, issued_ms, modified_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
               "ssssijjssll", ret_id, json_str(wanted, "name", ""), hash,
               json_str(wanted, "status", "active"), (int)of_account,
               json_object_get(wanted, "policies"), json_object_get(wanted, "condition"),
               json_str(wanted, "not_before", NULL), json_str(wanted, "expires_on", NULL), now,
               now);
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "cannot store the token");
    return tokens_load(api, err);
}

static int token_changed(struct api *api, int r, struct err *err)
{
    if (r < 0)
        return err_set(err, r, API_ERR_INTERNAL, "cannot store the token");
    if (r == 0)
        return err_set(err, -ENOENT, 1003, "no such token");
    return tokens_load(api, err);
}

int tokens_update(struct api *api, const char *id, const json_t *wanted, bool of_account,
                  struct err *err)
{
    int r = token_check_wanted(api, wanted, err);
    if (r < 0)
        return r;
    r = db_run(
        api->db,
        "UPDATE tokens SET name = ?, status = ?, policies = ?, condition = ?, not_before = ?, "
        "expires_on = ?, modified_ms = ? WHERE id = ? AND of_account = ?",
        "ssjjsslsi", json_str(wanted, "name", ""), json_str(wanted, "status", "active"),
        json_object_get(wanted, "policies"), json_object_get(wanted, "condition"),
        json_str(wanted, "not_before", NULL), json_str(wanted, "expires_on", NULL), clock_wall_ms(),
        id, (int)of_account);
    return token_changed(api, r, err);
}

int tokens_roll(struct api *api, const char *id, bool of_account, char ret_text[TOKEN_TEXT_SIZE],
                struct err *err)
{
    char hash[2 * DIGEST_MAX + 1];
    token_make_text(ret_text);
    token_hash(slice_of(ret_text), hash);
    int r = db_run(api->db,
                   "UPDATE tokens SET hash = ?, modified_ms = ? WHERE id = ? AND of_account = ?",
                   "slsi", hash, clock_wall_ms(), id, (int)of_account);
    return token_changed(api, r, err);
}

int tokens_delete(struct api *api, const char *id, bool of_account, struct err *err)
{
    int r = db_run(api->db, "DELETE FROM tokens WHERE id = ? AND of_account = ?", "si", id,
                   (int)of_account);
    return token_changed(api, r, err);
}
