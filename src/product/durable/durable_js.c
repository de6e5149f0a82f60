/*
 * Open objects of an isolate: transactions by turns, syncs, the key-value table, alarms.
 *
 * The first write of a turn begins a transaction; when the turn's microtasks have run it is committed without a
 * sync, and its pages are sent to the keeper's log (durable_log.c), which makes them durable: one message per object at a
 * time, so turns that end meanwhile share the next one. The script holds back what the world may see until that is done
 * (gates.js); it learns of it by a callback.
 *
 * Calls into SQLite run on the VM's thread: an object's database is local, and its reads are synchronous for
 * the script.
 */
#include "product/durable/durable.h"

#include "core/id.h"
#include "core/log.h"
#include "product/durable/durable_plan.h"
#include "product/isolate.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

enum { CHECKPOINT_PAGES = 1000, SHUT_TRIM = 128, ARENA_MAX = 64 * 1024 * 1024 };

/* What the script's callback is told. */
enum durable_news { NEWS_SYNCED, NEWS_BROKEN, NEWS_CLOSED };

/* One isolate per process. */
static struct {
    struct isolate *iso;
    struct durable_object **objects; /* by handle - 1; NULL = free */
    uint32_t n_objects, n_open;
    atomic_uint n_shut;
    struct link dirty, spare; /* spare: closed ones, to be used again */
    struct js_hold news;
} world;

/* --- handles --- */

struct durable_object *durable_of(js_context ctx, js_value handle, js_value *exception)
{
    double n = js_to_number(ctx, handle, 0);
    struct durable_object *o =
        n >= 1 && n <= world.n_objects ? world.objects[(uint32_t)n - 1] : NULL;
    if (o == NULL || o->closing || o->broken) {
        js_throw(ctx, exception, "Error", "Durable Object storage is no longer accessible.");
        return NULL;
    }
    arena_reset(&o->arena);
    return o;
}

/* They live as long as the VM, since the script reads their numbers in place, and are used again. */
static struct durable_object *durable_take(struct isolate *iso)
{
    uint32_t i = 0;
    while (i < world.n_objects && world.objects[i] != NULL)
        i++;
    if (i == world.n_objects) {
        uint32_t n = world.n_objects == 0 ? 16 : world.n_objects * 2;
        world.objects = mem_grow(world.objects, n * sizeof(*world.objects));
        memset(world.objects + world.n_objects, 0, (n - world.n_objects) * sizeof(*world.objects));
        world.n_objects = n;
    }
    struct link *l = list_pop_front(&world.spare);
    struct durable_object *o =
        l == NULL ? mem_new(sizeof(*o)) : LIST_ENTRY(l, struct durable_object, dirty);
    *o = (struct durable_object){.iso = iso, .handle = i + 1, .arena.limit = ARENA_MAX};
    list_init(&o->recent);
    list_init(&o->loose);
    world.objects[i] = o;
    world.n_open++;
    return o;
}

static void durable_tell(enum durable_news news, uint32_t handle, const char *text)
{
    if (world.news.v == NULL)
        return;
    js_context ctx = world.news.ctx;
    js_value args[] = {js_number(ctx, news), js_number(ctx, handle),
                       js_string(ctx, slice_of(text))};
    isolate_run_callback(world.iso, world.news.v, args, ARRAY_LEN(args));
}

/* --- the end of a turn --- */

void durable_break(struct durable_object *o, const char *text)
{
    if (o->broken)
        return;
    o->broken = true;
    durable_tell(NEWS_BROKEN, o->handle, text);
}

static void durable_shut(struct durable_object *o);

/* The file must not get what the log does not have. */
static void durable_settle(struct durable_object *o)
{
    bool all =
        o->stats[DURABLE_SYNCED] == o->stats[DURABLE_COMMITTED] && o->stats[DURABLE_OPEN] == 0;
    if (!all || o->stream != NULL || o->broken || o->closing ||
        (!o->settle && sql_log_pages(o->db) <= CHECKPOINT_PAGES))
        return;
    o->settle = false;
    sql_checkpoint(o->db);
    if (sql_log_pages(o->db) == 0)
        durable_settled(o, true, false);
}

void durable_sent(struct durable_object *o)
{
    if (o->closing) {
        /* What is left to be sent is not acknowledged either: it stays in the file, where the next instance finds it. */
        durable_shut(o);
        return;
    }
    if (o->broken)
        return;
    durable_send(o);
    durable_settle(o);
    durable_tell(NEWS_SYNCED, o->handle, "");
}

void durable_note(uint16_t op, struct slice args)
{
    struct msg_object_settle m;
    if (op != OP_object_settle || msg_object_settle_unpack(args, &m) < 0)
        return;
    for (uint32_t i = 0; i < world.n_objects; i++) {
        struct durable_object *o = world.objects[i];
        if (o == NULL || !slice_eq(slice_of(o->id), m.object))
            continue;
        o->settle = true;
        durable_settle(o);
    }
}

static void durable_commit(struct durable_object *o)
{
    struct err err = {0};
    o->stats[DURABLE_OPEN] = 0;
    int r = sql_commit(o->db, &err);
    if (r == 0) {
        o->stats[DURABLE_COMMITTED]++;
        durable_send(o);
        if (!o->broken && o->stats[DURABLE_SYNCED] == o->stats[DURABLE_COMMITTED])
            durable_tell(NEWS_SYNCED, o->handle, ""); /* nothing had to be sent */
        return;
    }
    sql_rollback(o->db);
    char text[ERR_TEXT_MAX + 256];
    if (r == -EEXIST)
        snprintf(
            text, sizeof(text),
            "Durable Object was reset and rolled back to its last known good state because the "
            "application left the database in a state where constraints were violated: %s",
            err.text);
    else
        snprintf(text, sizeof(text), "%s", err.text);
    durable_break(o, text);
}

static void durable_turn_end(void *arg UNUSED)
{
    LIST_FOR_SAFE (l, &world.dirty) {
        struct durable_object *o = LIST_ENTRY(l, struct durable_object, dirty);
        if (o->held > 0)
            continue;
        list_remove(l);
        durable_commit(o);
    }
}

/* --- beginning --- */

void durable_look(struct durable_object *o)
{
    o->has_kv = sql_has_table(o->db, "_cf_KV");
    o->has_metadata = sql_has_table(o->db, "_cf_METADATA");
}

enum { METADATA_ALARM = 1, METADATA_EPOCH = 2, METADATA_ALARM_RETRY = 3 };

static int metadata_put(struct durable_object *o, int key, int64_t value, struct err *err)
{
    int r = 0;
    if (!o->has_metadata)
        r = sql_run(sql_cached(o->db,
                               "CREATE TABLE IF NOT EXISTS _cf_METADATA (key INTEGER PRIMARY "
                               "KEY, value INTEGER)"),
                    err);
    if (r < 0)
        return r;
    o->has_metadata = true;
    struct sql_stmt *s =
        sql_cached(o->db, "INSERT INTO _cf_METADATA (key, value) VALUES (?1, ?2) ON CONFLICT (key) "
                          "DO UPDATE SET value = ?2");
    sql_bind_int(s, 1, key);
    sql_bind_int(s, 2, value);
    return sql_run(s, err);
}

static bool metadata_get(struct durable_object *o, int key, int64_t *ret)
{
    if (!o->has_metadata)
        return false;
    struct sql_stmt *s = sql_cached(o->db, "SELECT value FROM _cf_METADATA WHERE key = ?");
    sql_bind_int(s, 1, key);
    bool found = sql_step(s, NULL) == 1;
    if (found)
        *ret = sql_column_int(s, 0);
    sql_reset(s);
    return found;
}

int durable_begin(struct durable_object *o, struct err *err)
{
    if (o->stats[DURABLE_OPEN] != 0)
        return 0;
    int r = sql_begin(o->db, err);
    if (r < 0)
        return r;
    o->stats[DURABLE_OPEN] = 1;
    list_push_back(&world.dirty, &o->dirty);
    if (o->epoch_counted)
        return 0;
    /* The first write of each opening: commits of this opening are told from those of earlier ones. */
    o->epoch_counted = true;
    return metadata_put(o, METADATA_EPOCH, o->epoch, err);
}

/* --- open and close --- */

/* setup(news): news(kind, handle, text) from now on. */
static JS_NATIVE(durable_setup)
{
    CHECK(n_args == 1);
    if (world.iso == NULL) {
        world.iso = js_user(ctx);
        list_init(&world.dirty);
        list_init(&world.spare);
        isolate_on_turn(world.iso, durable_turn_end, NULL);
    }
    js_hold_set(&world.news, ctx, args[0]);
    return js_undefined(ctx);
}

static int durable_path(js_context ctx, const js_value args[], char *path, size_t size)
{
    AUTO(buf_done) struct buf id = {0};
    char dir[DURABLE_PATH_MAX];
    const struct binding *b = isolate_binding(js_user(ctx), js_to_number(ctx, args[0], -1));
    if (b == NULL || b->product != &product_durable_class)
        return -EINVAL;
    int r = js_append_utf8(ctx, args[1], &id);
    if (r < 0 || !id_is_hex(buf_slice(&id), DURABLE_ID_LEN))
        return -EINVAL;
    r = isolate_mount_path(js_user(ctx), json_str(b->config, "mount", ""), dir, sizeof(dir));
    if (r < 0)
        return r;
    int n = snprintf(path, size, "%s/%s.sqlite", dir, buf_cstr(&id));
    return n < 0 || (size_t)n >= size ? -E2BIG : 0;
}

static void durable_free(struct durable_object *o)
{
    world.objects[o->handle - 1] = NULL;
    world.n_open--;
    durable_statements_drop(o);
    if (o->stream != NULL)
        wire_stream_close(o->stream, -ECANCELED);
    buf_done(&o->out);
    sql_release(&o->db);
    arena_done(&o->arena);
    list_push_back(&world.spare, &o->dirty);
}

/* open(index, id, epoch): a handle, or the negative errno of a database that cannot be had now. */
static JS_NATIVE(durable_open)
{
    CHECK(n_args == 3);
    char path[DURABLE_PATH_MAX];
    struct err err = {0};
    if (world.n_open >= DURABLE_OBJECTS_MAX)
        return js_number(ctx, -EMFILE);
    int r = durable_path(ctx, args, path, sizeof(path));
    if (r < 0)
        return js_throw(ctx, exception, "TypeError", "no such object");
    struct durable_object *o = durable_take(js_user(ctx));
    o->index = (uint32_t)js_to_number(ctx, args[0], 0);
    o->lease = (uint64_t)js_to_number(ctx, args[2], 0);
    memcpy(o->id, path + strlen(path) - strlen(".sqlite") - DURABLE_ID_LEN, DURABLE_ID_LEN);
    struct sql_logging logging = {.name = SLICE_NONE, .epoch = o->lease};
    r = sql_open_logged(path, SQL_WRITE | SQL_TENANT | SQL_OBJECT, &logging, &o->db, &err);
    if (r < 0) {
        durable_free(o);
        if (r != -EAGAIN)
            LOG(LOG_WARN, "object_not_opened", F("error", "%s", err.text));
        return js_number(ctx, r);
    }
    if (sql_log_pending(o->db)) { /* what an instance that ended has left */
        o->stats[DURABLE_COMMITTED]++;
        durable_send(o);
    }
    durable_look(o);
    if (metadata_get(o, METADATA_EPOCH, &o->epoch))
        o->epoch++;
    return js_number(ctx, o->handle);
}

static void durable_shut_run(struct work *work)
{
    struct durable_object *o = CONTAINER_OF(work, struct durable_object, shut);
    if (o->clean)
        o->clean = sql_object_settle(o->db);
    sql_release(&o->db);
    if (atomic_fetch_add(&world.n_shut, 1) % SHUT_TRIM == SHUT_TRIM - 1)
        (void)malloc_trim(0); /* the heap keeps what many have left, and the process has a limit */
}

static void durable_shut_done(struct work *work)
{
    struct durable_object *o = CONTAINER_OF(work, struct durable_object, shut);
    uint32_t handle = o->handle;
    durable_settled(o, o->clean, true);
    durable_free(o);
    durable_tell(NEWS_CLOSED, handle, "");
}

static void durable_shut(struct durable_object *o)
{
    if (o->shutting)
        return;
    o->shutting = true;
    durable_statements_drop(o);
    o->clean = !o->broken && o->stats[DURABLE_SYNCED] == o->stats[DURABLE_COMMITTED];
    o->shut = (struct work){.run = durable_shut_run, .done = durable_shut_done};
    work_start(isolate_pool(o->iso), &o->shut);
}

/* close(handle): what is not committed is rolled back. The news comes when the file is free. */
static JS_NATIVE(durable_close)
{
    CHECK(n_args == 1);
    double n = js_to_number(ctx, args[0], 0);
    struct durable_object *o =
        n >= 1 && n <= world.n_objects ? world.objects[(uint32_t)n - 1] : NULL;
    if (o == NULL || o->closing)
        return js_undefined(ctx);
    o->closing = true;
    list_remove(&o->dirty);
    sql_rollback(o->db);
    if (o->stream == NULL)
        durable_shut(o);
    return js_undefined(ctx);
}

/* memory(): bytes of all open databases. */
static JS_NATIVE(durable_memory)
{
    CHECK(n_args == 0);
    return js_number(ctx, (double)sql_memory());
}

static JS_NATIVE(durable_stats)
{
    CHECK(n_args == 1);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    return o == NULL ? NULL : js_doubles(ctx, o->stats, DURABLE_STATS);
}

/* facts(handle): [bytes of the database, epoch] */
static JS_NATIVE(durable_facts)
{
    CHECK(n_args == 1);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    if (o == NULL)
        return NULL;
    js_value values[] = {js_number(ctx, (double)sql_size(o->db)), js_number(ctx, (double)o->epoch)};
    return js_array(ctx, values, ARRAY_LEN(values));
}

/* --- transactions of the script's --- */

/* transaction(handle, what): 0 mark, 1 keep, 2 undo. */
static JS_NATIVE(durable_transaction)
{
    CHECK(n_args == 2);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    struct err err = {0};
    int what = (int)js_to_number(ctx, args[1], 0), r = 0;
    if (o == NULL)
        return NULL;
    if (what == 0) {
        r = durable_begin(o, &err);
        if (r == 0)
            r = sql_mark(o->db);
    } else if (what == 1) {
        r = sql_keep(o->db);
    } else {
        sql_undo(o->db);
        durable_look(o);
    }
    if (r < 0)
        return js_throw(ctx, exception, "Error", "%s",
                        err.text[0] != 0 ? err.text : "the transaction failed");
    return js_undefined(ctx);
}

/* hold(handle, on): turns end without a commit while somebody holds. */
static JS_NATIVE(durable_hold)
{
    CHECK(n_args == 2);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    if (o == NULL)
        return NULL;
    if (js_is_true(ctx, args[1]))
        o->held++;
    else if (o->held > 0)
        o->held--;
    return js_undefined(ctx);
}

/* wipe(handle): everything goes. */
static JS_NATIVE(durable_wipe)
{
    CHECK(n_args == 1);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    struct err err = {0};
    if (o == NULL)
        return NULL;
    durable_statements_drop(o);
    if (o->stats[DURABLE_OPEN] != 0) {
        sql_rollback(o->db); /* it would all go anyway */
        o->stats[DURABLE_OPEN] = 0;
        list_remove(&o->dirty);
    }
    if (sql_object_wipe(o->db, &err) < 0)
        return js_throw(ctx, exception, "Error", "%s", err.text);
    o->has_kv = o->has_metadata = false;
    o->epoch_counted = false; /* the number itself goes on */
    o->epoch++;
    if (durable_begin(o, &err) < 0) /* the turn's end commits and syncs it */
        return js_throw(ctx, exception, "Error", "%s", err.text);
    return js_undefined(ctx);
}

/* --- keys and values --- */

static int kv_key(js_context ctx, struct durable_object *o, js_value v, struct slice *ret)
{
    return js_to_utf8(ctx, v, &o->arena, ret);
}

static js_value kv_bytes(js_context ctx, struct sql_stmt *s, int column)
{
    return js_bytes(ctx, sql_column_bytes(s, column));
}

static JS_NATIVE(kv_get)
{
    CHECK(n_args == 2);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    struct slice key;
    if (o == NULL)
        return NULL;
    if (!o->has_kv)
        return js_undefined(ctx);
    if (kv_key(ctx, o, args[1], &key) < 0)
        return js_throw(ctx, exception, "TypeError", "the key cannot be converted to a string");
    struct sql_stmt *s = sql_cached(o->db, "SELECT value FROM _cf_KV WHERE key = ?");
    sql_bind_text(s, 1, key);
    struct err err = {0};
    int r = sql_step(s, &err);
    js_value v = r == 1 ? kv_bytes(ctx, s, 0) : js_undefined(ctx);
    sql_reset(s);
    return r < 0 ? js_throw(ctx, exception, "Error", "%s", err.text) : v;
}

static int kv_ensure(struct durable_object *o, struct err *err)
{
    int r = durable_begin(o, err);
    if (r < 0 || o->has_kv)
        return r;
    r = sql_run(sql_cached(o->db, "CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value "
                                  "BLOB) WITHOUT ROWID"),
                err);
    o->has_kv = r == 0;
    return r;
}

static JS_NATIVE(kv_put)
{
    CHECK(n_args == 3);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    struct slice key, value;
    struct err err = {0};
    if (o == NULL)
        return NULL;
    if (kv_key(ctx, o, args[1], &key) < 0 || js_view(ctx, args[2], &value) < 0)
        return js_throw(ctx, exception, "TypeError", "a key and bytes are wanted");
    int r = kv_ensure(o, &err);
    if (r == 0) {
        struct sql_stmt *s = sql_cached(o->db, "INSERT INTO _cf_KV (key, value) VALUES (?1, ?2) ON "
                                               "CONFLICT (key) DO UPDATE SET value = ?2");
        sql_bind_text(s, 1, key);
        sql_bind_blob(s, 2, value);
        r = sql_run(s, &err);
        sql_clear(s);
    }
    return r < 0 ? js_throw(ctx, exception, "Error", "%s", err.text) : js_undefined(ctx);
}

static JS_NATIVE(kv_delete)
{
    CHECK(n_args == 2);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    struct slice key;
    struct err err = {0};
    if (o == NULL)
        return NULL;
    if (!o->has_kv)
        return js_bool(ctx, false);
    if (kv_key(ctx, o, args[1], &key) < 0)
        return js_throw(ctx, exception, "TypeError", "the key cannot be converted to a string");
    int r = durable_begin(o, &err);
    if (r == 0) {
        struct sql_stmt *s = sql_cached(o->db, "DELETE FROM _cf_KV WHERE key = ?");
        sql_bind_text(s, 1, key);
        r = sql_run(s, &err);
        sql_clear(s);
    }
    if (r < 0)
        return js_throw(ctx, exception, "Error", "%s", err.text);
    return js_bool(ctx, sql_changes(o->db) > 0);
}

struct kv_range {
    struct slice low, high;
    bool after, bounded; /* low itself is out; there is a high */
};

/* The first text behind all that begin with prefix; false when there is none. */
static bool kv_prefix_end(struct durable_object *o, struct slice prefix, struct slice *ret)
{
    if (arena_copy(&o->arena, prefix.ptr, prefix.len, ret) < 0)
        return false;
    while (ret->len > 0) {
        uint8_t *last = (uint8_t *)ret->ptr + ret->len - 1;
        if (*last < 0xff) {
            (*last)++;
            return true;
        }
        ret->len--;
    }
    return false;
}

static int kv_compare(struct slice a, struct slice b)
{
    int r = memcmp(a.ptr, b.ptr, MIN(a.len, b.len));
    return r != 0 ? r : a.len < b.len ? -1 : a.len > b.len;
}

static void kv_below(struct kv_range *range, struct slice high)
{
    if (!range->bounded || kv_compare(high, range->high) < 0)
        range->high = high;
    range->bounded = true;
}

/* args: start, startAfter, end, prefix, each a string or null */
static int kv_range_of(js_context ctx, struct durable_object *o, const js_value args[],
                       struct kv_range *ret)
{
    struct slice texts[4] = {SLICE_NONE, SLICE_NONE, SLICE_NONE, SLICE_NONE}, end;
    bool given[4];
    for (int i = 0; i < 4; i++) {
        given[i] = !js_is_nullish(ctx, args[i]);
        if (given[i] && kv_key(ctx, o, args[i], &texts[i]) < 0)
            return -EINVAL;
    }
    *ret = (struct kv_range){.low = SLICE("")};
    if (given[0])
        ret->low = texts[0];
    if (given[1]) {
        ret->low = texts[1];
        ret->after = true;
    }
    if (given[2])
        kv_below(ret, texts[2]);
    if (given[3] && kv_compare(texts[3], ret->low) > 0) {
        ret->low = texts[3];
        ret->after = false;
    }
    if (given[3] && kv_prefix_end(o, texts[3], &end))
        kv_below(ret, end);
    return 0;
}

static struct sql_stmt *kv_list_statement(struct durable_object *o, const struct kv_range *range,
                                          bool reverse)
{
#define LIST_SQL(low, high, order)                                                                 \
    "SELECT key, value FROM _cf_KV WHERE key " low " ?1" high " ORDER BY key" order " LIMIT ?3"
    static const char *const texts[] = {
        LIST_SQL(">=", "", ""),
        LIST_SQL(">", "", ""),
        LIST_SQL(">=", " AND key < ?2", ""),
        LIST_SQL(">", " AND key < ?2", ""),
        LIST_SQL(">=", "", " DESC"),
        LIST_SQL(">", "", " DESC"),
        LIST_SQL(">=", " AND key < ?2", " DESC"),
        LIST_SQL(">", " AND key < ?2", " DESC"),
    };
#undef LIST_SQL
    struct sql_stmt *s = sql_cached(
        o->db, texts[(range->after ? 1 : 0) + (range->bounded ? 2 : 0) + (reverse ? 4 : 0)]);
    sql_bind_text(s, 1, range->low);
    if (range->bounded)
        sql_bind_text(s, 2, range->high);
    return s;
}

/* kvList(handle, start, startAfter, end, prefix, reverse, limit): keys and values in turn, each its length (u32, as
 * core/pack.h has it) and its bytes. */
static JS_NATIVE(kv_list)
{
    CHECK(n_args == 7);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    struct kv_range range;
    struct err err = {0};
    if (o == NULL)
        return NULL;
    if (!o->has_kv)
        return js_bytes(ctx, SLICE_NONE);
    if (kv_range_of(ctx, o, args + 1, &range) < 0)
        return js_throw(ctx, exception, "TypeError", "a key cannot be converted to a string");
    struct sql_stmt *s = kv_list_statement(o, &range, js_is_true(ctx, args[5]));
    double limit = js_to_number(ctx, args[6], -1);
    sql_bind_int(s, 3, limit >= 0 && limit < 1e15 ? (int64_t)limit : -1);
    AUTO(buf_done) struct buf out = {0};
    int r;
    while ((r = sql_step(s, &err)) == 1) {
        pack_bytes(&out, sql_column_bytes(s, 0));
        pack_bytes(&out, sql_column_bytes(s, 1));
    }
    sql_clear(s);
    return r < 0 ? js_throw(ctx, exception, "Error", "%s", err.text) : js_bytes_buf(ctx, &out);
}

/* --- alarms --- */

static JS_NATIVE(alarm_get)
{
    CHECK(n_args == 1);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    int64_t at;
    if (o == NULL)
        return NULL;
    return metadata_get(o, METADATA_ALARM, &at) ? js_number(ctx, (double)at) : js_null(ctx);
}

/* alarmSet(handle, ms or null) */
static JS_NATIVE(alarm_set)
{
    CHECK(n_args == 2);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    struct err err = {0};
    int r;
    if (o == NULL)
        return NULL;
    if (js_is_nullish(ctx, args[1]) && !o->has_metadata)
        return js_undefined(ctx);
    r = durable_begin(o, &err);
    if (r == 0 && js_is_nullish(ctx, args[1])) {
        struct sql_stmt *s = sql_cached(o->db, "DELETE FROM _cf_METADATA WHERE key = ?");
        sql_bind_int(s, 1, METADATA_ALARM);
        r = sql_run(s, &err);
    } else if (r == 0) {
        r = metadata_put(o, METADATA_ALARM, (int64_t)js_to_number(ctx, args[1], 0), &err);
    }
    return r < 0 ? js_throw(ctx, exception, "Error", "%s", err.text) : js_undefined(ctx);
}

/* alarmRetry(handle, count?): how often the handler of the alarm has failed; a count is kept for the next time. */
static JS_NATIVE(alarm_retry)
{
    CHECK(n_args >= 1);
    struct durable_object *o = durable_of(ctx, args[0], exception);
    struct err err = {0};
    int64_t count = 0;
    if (o == NULL)
        return NULL;
    if (n_args < 2)
        return js_number(ctx, metadata_get(o, METADATA_ALARM_RETRY, &count) ? (double)count : 0);
    int r = durable_begin(o, &err);
    if (r == 0)
        r = metadata_put(o, METADATA_ALARM_RETRY, (int64_t)js_to_number(ctx, args[1], 0), &err);
    return r < 0 ? js_throw(ctx, exception, "Error", "%s", err.text) : js_undefined(ctx);
}

/* alarmTell(handle, ms or -1, callback): the keeper wakes the object then, if it is still ours. */
static JS_NATIVE(alarm_tell)
{
    CHECK(n_args == 3);
    AUTO(buf_done) struct buf out = {0};
    const struct durable_object *o = durable_of(ctx, args[0], exception);
    if (o == NULL)
        return NULL;
    msg_alarm_set_pack(&out,
                       &(struct msg_alarm_set){.binding = o->index,
                                               .object = slice_of(o->id),
                                               .epoch = o->lease,
                                               .time_ms = (int64_t)js_to_number(ctx, args[1], -1)});
    return isolate_keeper_call(ctx, OP_alarm_set, buf_slice(&out), js_null(ctx), args[2]);
}

/* lease(index, id, cb): cb(epoch or negative errno, text) */
static JS_NATIVE(durable_lease)
{
    CHECK(n_args == 3);
    AUTO(buf_done) struct buf id = {0}, out = {0};
    if (js_append_utf8(ctx, args[1], &id) < 0)
        return js_throw(ctx, exception, "TypeError", "no such object");
    struct msg_object_lease m = {.binding = (uint32_t)js_to_number(ctx, args[0], UINT32_MAX),
                                 .object = buf_slice(&id)};
    msg_object_lease_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_object_lease, buf_slice(&out), js_null(ctx), args[2]);
}

static int64_t alarm_arg(js_context ctx, js_value v)
{
    return js_is_nullish(ctx, v) ? -1 : (int64_t)js_to_number(ctx, v, -1);
}

/* alarmDue(at or null, now): whether the handler runs */
static JS_NATIVE(alarm_due)
{
    CHECK(n_args == 2);
    return js_bool(ctx, alarm_is_due(alarm_arg(ctx, args[0]), alarm_arg(ctx, args[1])));
}

/* alarmOver(threw, retry, setAnew): whether the stored alarm goes */
static JS_NATIVE(alarm_over)
{
    CHECK(n_args == 3);
    return js_bool(ctx,
                   alarm_is_over(js_is_true(ctx, args[0]), (unsigned)js_to_number(ctx, args[1], 0),
                                 js_is_true(ctx, args[2])));
}

/* alarmOrder(in the index, in the object): enum alarm_tell */
static JS_NATIVE(alarm_order)
{
    CHECK(n_args == 2);
    return js_number(ctx, alarm_tell_plan(alarm_arg(ctx, args[0]), alarm_arg(ctx, args[1])));
}

/* gateOpen(need, synced, barriers) */
static JS_NATIVE(gate_open)
{
    CHECK(n_args == 3);
    return js_bool(ctx, gate_is_open(js_to_number(ctx, args[0], 0), js_to_number(ctx, args[1], 0),
                                     (unsigned)js_to_number(ctx, args[2], 0)));
}

/* over(index, id): the object is not here any more; the gateway may place it anew. */
static JS_NATIVE(durable_over)
{
    CHECK(n_args == 2);
    AUTO(buf_done) struct buf id = {0}, out = {0};
    const struct binding *b = isolate_binding(js_user(ctx), js_to_number(ctx, args[0], -1));
    struct wire *gateway = isolate_gateway(js_user(ctx));
    if (b == NULL || gateway == NULL || js_append_utf8(ctx, args[1], &id) < 0)
        return js_undefined(ctx);
    msg_object_over_pack(
        &out, &(struct msg_object_over){.ns = slice_of(json_str(b->config, "namespace_id", "")),
                                        .object = buf_slice(&id)});
    wire_note(gateway, 0, OP_object_over, buf_slice(&out), -1);
    return js_undefined(ctx);
}

/* --- the product --- */

static const struct js_native_row durable_rows[] = {
    {"setup", durable_setup},
    {"lease", durable_lease},
    {"open", durable_open},
    {"close", durable_close},
    {"memory", durable_memory},
    {"stats", durable_stats},
    {"facts", durable_facts},
    {"transaction", durable_transaction},
    {"hold", durable_hold},
    {"wipe", durable_wipe},
    {"kvGet", kv_get},
    {"kvPut", kv_put},
    {"kvDelete", kv_delete},
    {"kvList", kv_list},
    {"alarm", alarm_get},
    {"alarmSet", alarm_set},
    {"alarmRetry", alarm_retry},
    {"alarmTell", alarm_tell},
    {"alarmDue", alarm_due},
    {"alarmOver", alarm_over},
    {"alarmOrder", alarm_order},
    {"gateOpen", gate_open},
    {"over", durable_over},
    {"sqlExec", durable_sql_exec},
    {"sqlStep", durable_sql_step},
    {"sqlNames", durable_sql_names},
    {"sqlClose", durable_sql_close},
    {"idOfName", durable_id_of_name},
    {"idRandom", durable_id_random},
    {"idCheck", durable_id_check},
};

const struct product product_durable = {
    .binding_type = "durable_object_namespace",
    .js_class = "DurableObjectNamespace",
};

const struct product product_durable_class = {
    .binding_type = "durable_object_class",
    .js_class = "DurableObjectClass",
    .store = "durable",
    .native_group = "durable",
    .natives = durable_rows,
    .n_natives = ARRAY_LEN(durable_rows),
    .note = durable_note,
    .ops = durable_ops,
    .n_ops = DURABLE_N_OPS,
    .engine = &durable_engine,
};
