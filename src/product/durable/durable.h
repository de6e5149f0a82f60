/*
 * Durable Objects. durable.c runs in the keeper (alarms), durable_js.c, durable_sql.c and the scripts beside
 * them in isolates, durable_api.c in control.
 *
 * accounts/<account>/durable/<namespace>/objects/<id>.sqlite is one object's database, opened and written by the
 * isolate that runs the object; alarms.sqlite beside `objects` is the keeper's index of who wants to be woken.
 *
 * In the spec a class that the Worker owns is a binding of type `durable_object_class` without a name (absent
 * from env); its index is what messages to the keeper name.
 *
 * Semantics: developers.cloudflare.com/durable-objects.
 */
#pragma once

#include "core/map.h"
#include "core/work.h"
#include "product/keeper.h"
#include "product/product.h"
#include "store/sql.h"

enum {
    DURABLE_ID_LEN = 64,  /* hex digits */
    DURABLE_KEY_LEN = 32, /* bytes of a namespace's key */
    DURABLE_N_OPS = 2,
    DURABLE_OBJECTS_MAX = 1200,      /* open at once in one isolate: three descriptors each */
    DURABLE_CACHE_MAX = 1024 * 1024, /* bytes of SQL text kept compiled per object */
    DURABLE_PATH_MAX = 512
};

extern const struct product product_durable, product_durable_class;
extern const struct keeper_op durable_ops[DURABLE_N_OPS];
extern const struct keeper_engine durable_engine;

/* --- durable_object.c: one open object --- */

/* Numbers that the script reads without a call. */
enum durable_stat {
    DURABLE_COMMITTED, /* commits of this opening */
    DURABLE_OPEN,      /* 1: written since the last commit */
    DURABLE_SYNCED,    /* commits that are on disk */
    DURABLE_ROWS_READ, /* of the last statement */
    DURABLE_ROWS_WRITTEN,
    DURABLE_STATS
};

struct durable_object {
    struct isolate *iso;
    uint32_t handle;
    struct sql *db;
    double stats[DURABLE_STATS];
    struct link dirty; /* in the isolate's list of objects to commit at the end of the turn */
    unsigned held;     /* transactions of the script's that span turns */
    bool has_kv, has_metadata, epoch_counted;
    bool closing, shutting, broken;
    int64_t epoch;
    /* On the way to the log (durable_log.c). */
    uint32_t index; /* of the class's binding */
    char id[DURABLE_ID_LEN + 1];
    uint64_t lease;             /* the number under which it may write */
    struct buf out;             /* records to be sent */
    struct wire_stream *stream; /* a message under way; owned */
    bool settle;                /* the log waits until it is in its file */
    bool clean;                 /* it was when it was closed */
    struct work shut;
    double sync_target;
    struct map statements; /* text -> struct durable_stmt, owned */
    struct link recent;    /* the same, most recently used last */
    struct link loose;     /* statements of cursors under way that are not kept */
    size_t cached_bytes;
    struct arena arena; /* of the call under way */
};

/* Begins the turn's transaction when it is not open. -EIO with err. */
NODISCARD int durable_begin(struct durable_object *o, struct err *err);
/* Tables of ours may have come or gone. */
void durable_look(struct durable_object *o);
/* It cannot go on: the script is told why. */
void durable_break(struct durable_object *o, const char *text);
/* An answer of the log has come. */
void durable_sent(struct durable_object *o);

/* --- durable_log.c --- */
/* Sends what was committed, unless something is under way. */
void durable_send(struct durable_object *o);
/* clean: all that was committed is in the object's file; over: it is closed. */
void durable_settled(struct durable_object *o, bool clean, bool over);
void durable_note(uint16_t op, struct slice args);

/* NULL and an exception when the handle is none, or broken. */
struct durable_object *durable_of(js_context ctx, js_value handle, js_value *exception);
/* Its cursors are over, compiled statements go. */
void durable_statements_drop(struct durable_object *o);

/* durable_sql.c, durable_id.c: natives. */
JS_NATIVE(durable_sql_exec);
JS_NATIVE(durable_sql_step);
JS_NATIVE(durable_sql_names);
JS_NATIVE(durable_sql_close);
JS_NATIVE(durable_id_of_name);
JS_NATIVE(durable_id_random);
JS_NATIVE(durable_id_check);
