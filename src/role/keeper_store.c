/*
 * Stores by name, and the operations that every kind has: make, drop, info.
 */
#include "role/keeper_impl.h"

#include "core/file.h"
#include "core/file_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEEPER_ID_MAX = 128 };

/* Ids are file names: letters, digits, '-', '_', and '.' inside. */
static bool keeper_id_valid(struct slice id)
{
    if (id.len == 0 || id.len > KEEPER_ID_MAX || id.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
        if (!fine)
            return false;
    }
    return true;
}

struct keeper_stored *keeper_store_of(struct keeper *k, struct slice name)
{
    struct keeper_stored *s = map_get(&k->stores, name);
    if (s != NULL)
        return s;
    struct slice id = name;
    struct slice kind = slice_cut(&id, '/');
    const struct product *product = product_by_store(kind);
    if (product == NULL || product->engine == NULL || !keeper_id_valid(id))
        return NULL;
    s = mem_new(sizeof(*s));
    s->keeper = k;
    s->store.product = product;
    snprintf(s->store.name, sizeof(s->store.name), "%.*s", SLICE_ARG(name));
    snprintf(s->store.path, sizeof(s->store.path), "%s/%.*s", k->root, SLICE_ARG(name));
    list_init(&s->waiting);
    list_init(&s->running);
    s->used_us = loop_now_us(k->loop);
    map_put(&k->stores, name, s);
    return s;
}

static int keeper_store_dir(struct keeper_stored *s, struct err *err)
{
    struct stat st;
    if (stat(s->store.path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : err_set(err, -EIO, 0, "the store is no directory");
    if (!s->create)
        return err_set(err, -ENOENT, 0, "the store does not exist");
    int r = file_make_dirs(AT_FDCWD, s->store.path, 0755);
    if (r < 0)
        return err_set(err, r, 0, "the store's directory cannot be made");
    char parent[KEEPER_PATH_MAX];
    snprintf(parent, sizeof(parent), "%s/%s", s->keeper->root, s->store.product->store);
    r = file_sync_dir(AT_FDCWD, parent);
    if (r == 0)
        r = file_sync_dir(AT_FDCWD, s->keeper->root);
    return r < 0 ? err_set(err, r, 0, "the store's directory cannot be made durable") : 0;
}

int keeper_store_open(struct keeper_stored *s, struct err *err)
{
    if (s->store.open != NULL)
        return 0;
    int r = keeper_store_dir(s, err);
    if (r < 0)
        return r;
    r = s->store.product->engine->open(s->store.path, &s->store.open, err);
    if (r == 0 && s->create)
        r = file_sync_dir(AT_FDCWD, s->store.path);
    if (r < 0 && err->text[0] == 0)
        return err_set(err, r, 0, "the store cannot be opened (%d)", r);
    return r;
}

void keeper_store_close(struct keeper_stored *s)
{
    if (s->store.open != NULL)
        s->store.product->engine->close(TAKE(s->store.open));
}

struct sql *keeper_store_sql(const struct keeper_stored *s)
{
    const struct keeper_engine *e = s->store.product->engine;
    if (s->store.open == NULL || e->sql == NULL)
        return NULL;
    struct sql *db = e->sql(s->store.open);
    return sql_logged(db) ? db : NULL;
}

/* --- operations on all kinds --- */

static void keeper_store_make(struct keeper_call *call)
{
    (void)call; /* opening has made it: struct keeper_stored.create */
}

static void keeper_store_drop(struct keeper_call *call)
{
    struct keeper_store *store = call->store;
    struct keeper *k = CONTAINER_OF(store, struct keeper_stored, store)->keeper;
    char prefix[KEEPER_NAME_MAX + 1];
    store->product->engine->close(TAKE(store->open));
    int r = file_remove_tree(AT_FDCWD, store->path);
    if (r < 0) {
        call->result = err_set(&call->err, r, 0, "the store's files cannot be removed");
        return;
    }
    snprintf(prefix, sizeof(prefix), "%s/", store->name);
    log_forget(k->log, slice_of(prefix));
}

static void keeper_store_info(struct keeper_call *call)
{
    AUTO(json_release) json_t *info = json_object();
    call->store->product->engine->info(call->store->open, info);
    json_print(&call->json, info);
}

static int keeper_copy_one(void *arg, int from_dir, const char *name, int to_dir, const char *path)
{
    (void)arg;
    return file_copy_store_file(from_dir, name, to_dir, path, true);
}

/* Nobody writes to the store meanwhile (objects excepted, whose isolates do): this is its lane. */
static void keeper_store_copy(struct keeper_call *call)
{
    static const struct file_tree tree = {.one = keeper_copy_one};
    const struct keeper_store *store = call->store;
    struct msg_store_copy m;
    char to[KEEPER_PATH_MAX + 128];
    if (msg_store_copy_unpack(call->args, &m) < 0 || !keeper_id_valid(m.backup)) {
        call->result = err_set(&call->err, -EINVAL, 0, "the backup's id is none");
        return;
    }
    size_t root = strlen(store->path) - strlen(store->name);
    snprintf(to, sizeof(to), "%.*s.backup/%.*s/%s", (int)root, store->path, SLICE_ARG(m.backup),
             store->name);
    int r = file_make_dirs(AT_FDCWD, to, 0700);
    if (r == 0)
        r = file_copy_tree(AT_FDCWD, store->path, AT_FDCWD, to, &tree);
    if (r < 0)
        call->result = err_set(&call->err, r, 0, "the store %s cannot be copied: %s", store->name,
                               strerror(-r));
}

const struct keeper_op keeper_store_ops[] = {
    {.op = OP_store_make, .exclusive = true, .run = keeper_store_make},
    {.op = OP_store_drop, .exclusive = true, .run = keeper_store_drop},
    {.op = OP_store_copy, .exclusive = true, .run = keeper_store_copy},
    {.op = OP_store_info, .exclusive = true, .run = keeper_store_info},
};
const size_t keeper_n_store_ops = ARRAY_LEN(keeper_store_ops);
