/*
 * What control finds or makes before it enters the sandbox: account, control.db, key, first token.
 */
#include "role/control_impl.h"

#include "api/audit.h"
#include "api/token.h"
#include "core/clock.h"
#include "core/file.h"
#include "product/workers/workers_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONTROL_ID_LEN = 32 };

static const char *const control_schema[] = {
    "CREATE TABLE IF NOT EXISTS control_key (one INTEGER PRIMARY KEY CHECK (one = 1), key TEXT NOT "
    "NULL) "
    "STRICT",
    NULL,
};

/* --- account --- */

/* The file is made by whoever of keeper and control comes first; a link makes that exclusive. */
static int control_account_make(int data_fd)
{
    char id[ID_HEX_SIZE], name[64];
    snprintf(name, sizeof(name), "account.%d", (int)getpid());
    int r = file_replace(data_fd, name, slice_of(id_hex(id)), 0600);
    if (r < 0)
        return r;
    r = linkat(data_fd, name, data_fd, "account", 0) < 0 && errno != EEXIST ? -errno : 0;
    unlinkat(data_fd, name, 0);
    return r;
}

static int control_account_read(struct control *c)
{
    AUTO(buf_done) struct buf text = {0};
    int r = file_read(c->rc->data_fd, "account", 256, &text);
    if (r < 0)
        return r;
    struct slice id = slice_trim(buf_slice(&text));
    return id_is_hex(id, CONTROL_ID_LEN) ? slice_to_cstr(id, c->api.account, sizeof(c->api.account))
                                         : -EBADMSG;
}

static int control_account(struct control *c, struct err *err)
{
    int r = control_account_read(c);
    if (r == -ENOENT) {
        r = control_account_make(c->rc->data_fd);
        if (r == 0)
            r = control_account_read(c);
    }
    if (r < 0)
        return err_set(err, r, 0, "the file account in the data directory cannot be read (%d)", r);
    return 0;
}

/* --- directories --- */

static int control_dirs(struct control *c, struct err *err)
{
    static const char *const names[] = {"workers", "assets", "spool"};
    char link[64];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int r = file_make_dirs(c->rc->data_fd, names[i], i == 2 ? 0700 : 0755);
        if (r < 0)
            return err_set(err, r, 0, "the directory %s cannot be made (%d)", names[i], r);
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", c->rc->data_fd);
    ssize_t n = readlink(link, c->data_path, sizeof(c->data_path) - 16);
    if (n <= 0 || (size_t)n >= sizeof(c->data_path) - 16)
        return err_set(err, -E2BIG, 0, "the path of the data directory is too long");
    c->data_path[n] = '\0';
    return 0;
}

/* --- database --- */

static int control_apply(struct db *db, const char *const *schema, struct err *err)
{
    for (; *schema != NULL; schema++) {
        int r = db_run(db, *schema, NULL);
        if (r < 0)
            return err_set(err, r, 0, "control.db cannot be set up (%d)", r);
    }
    return 0;
}

static int control_open_db(struct control *c, struct err *err)
{
    char path[SANDBOX_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/control.db", c->data_path);
    mode_t before = umask(077);
    int r = db_open(path, &c->api.db, err);
    if (r == 0)
        r = control_apply(c->api.db, control_schema, err);
    if (r == 0)
        r = control_apply(c->api.db, token_schema, err);
    if (r == 0)
        r = control_apply(c->api.db, audit_schema, err);
    if (r == 0)
        r = control_apply(c->api.db, cron_schema, err);
    if (r == 0)
        r = api_schema_apply(c->api.db, control_products, err);
    umask(before);
    return r;
}

static int control_account_row(struct control *c, struct err *err)
{
    int r =
        db_run(c->api.db,
               "INSERT OR IGNORE INTO accounts (id, name, created_ms, subdomain) VALUES (?,?,?,?)",
               "ssls", c->api.account, "Selvedge", clock_wall_ms(), "selvedge");
    return r < 0 ? err_set(err, r, 0, "control.db cannot be written (%d)", r) : 0;
}

static int control_key(struct control *c, struct err *err)
{
    AUTO(json_release) json_t *row = NULL;
    uint8_t key[sizeof(c->api.key)];
    char hex[2 * sizeof(key) + 1];
    id_random(key, sizeof(key));
    hex_encode(key, sizeof(key), hex);
    int r =
        db_run(c->api.db, "INSERT OR IGNORE INTO control_key (one, key) VALUES (1, ?)", "s", hex);
    if (r >= 0)
        r = db_row(c->api.db, &row, "SELECT key FROM control_key", NULL);
    if (r >= 0)
        r = hex_decode(slice_of(json_str(row, "key", "")), c->api.key, sizeof(c->api.key));
    return r < 0 ? err_set(err, r, 0, "control.db has no readable key (%d)", r) : 0;
}

/* --- the first token --- */

static int control_first_token(struct control *c, struct err *err)
{
    AUTO(json_release) json_t *wanted = NULL;
    char id[ID_HEX_SIZE], text[TOKEN_TEXT_SIZE];
    int64_t n = 0;
    int r = db_int(c->api.db, &n, "SELECT count(*) FROM tokens", NULL);
    if (r < 0 || n > 0)
        return r < 0 ? err_set(err, r, 0, "control.db cannot be read (%d)", r) : 0;
    wanted = json_pack("{s:s, s:[o]}", "name", "first token", "policies",
                       permission_policy_all(c->api.account));
    r = tokens_create(&c->api, wanted, false, id, text, err);
    if (r < 0)
        return r;
    r = file_replace(c->rc->data_fd, "token", slice_of(text), 0600);
    secret_wipe(text, sizeof(text));
    return r < 0 ? err_set(err, r, 0, "the file token cannot be written (%d)", r) : 0;
}

/* "127.0.0.1:8787" -> 8787; 0 without one. */
static unsigned control_port(const json_t *settings, const char *actual, const char *wanted)
{
    const char *text = json_str(settings, actual, json_str(settings, wanted, ""));
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (colon == NULL || slice_to_u64(slice_of(colon + 1), &port) < 0)
        return 0;
    return (unsigned)port;
}

int control_prepare(struct control *c, struct err *err)
{
    const json_t *settings = c->rc->settings;
    json_object_seed(0); /* before the threads */
    snprintf(c->api.domain, sizeof(c->api.domain), "%s", json_str(settings, "domain", "localhost"));
    c->api.http_port = control_port(settings, "address.http", "listen");
    c->api.https_port = control_port(settings, "address.https", "https");
    c->api.api_port = control_port(settings, "address.api", "api");
    c->api.products = control_products;
    int r = control_account(c, err);
    if (r == 0)
        r = control_dirs(c, err);
    if (r == 0)
        r = control_open_db(c, err);
    if (r == 0)
        r = control_account_row(c, err);
    if (r == 0)
        r = control_key(c, err);
    if (r == 0)
        r = tokens_open(&c->api, err);
    return r < 0 ? r : control_first_token(c, err);
}
