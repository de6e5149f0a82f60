/*
 * Shared by the files of the keeper role: keeper.c (process), keeper_core.c (peers and grants),
 * keeper_unit.c (one operation from its first byte to its answer), keeper_spool.c (large bodies),
 * keeper_alarm.c (alarms of Durable Objects), keeper_object.c (their leases and commits), keeper_group.c (running operations in groups), keeper_round.c (housekeeping of what nobody uses), keeper_store.c (stores and the ops on them).
 *
 * The life of an operation (struct keeper_unit):
 *
 *     open --> COLLECT ----------------> QUEUED --> (group) --> ANSWER --> over
 *                 | body beyond memory      ^                     ^
 *                 +-----> SPOOL ------------+                     |
 *                 +-----> (refused) ------------------------------+
 *
 * If its wire or stream ends before, the operation still runs once it is queued; nobody is answered. call.gone tells
 * operations that may take long: a statement of D1 stops and is undone.
 */
#pragma once

#include "core/list.h"
#include "core/map.h"
#include "core/work.h"
#include "proc/wire.h"
#include "product/keeper.h"
#include "product/product.h"
#include "role/keeper_core.h"
#include "store/log.h"
#include "store/sql.h"

#include <stdatomic.h>

enum {
    KEEPER_ROOT_MAX = 200,
    KEEPER_GROUP_MAX = 512,                /* operations that share one commit */
    KEEPER_BODIES_MAX = 512 * 1024 * 1024, /* bytes of bodies in memory, all operations together */
    KEEPER_ARENA_MAX = 128 * 1024 * 1024,
    KEEPER_IDLE_S = 300,   /* an unused store is closed after this */
    KEEPER_ROUND_S = 3600, /* rest between two rounds of keeper_round.c */
    KEEPER_ROUND_STEP_S = 2,
    KEEPER_GRANTS_MAX = 128,
    KEEPER_RELIEFS_MAX = 8,
    KEEPER_SPARES_MAX = 16, /* empty spool files made ahead, so that no put waits for their names */
    KEEPER_SPARES_MIN = 6
};

struct keeper_spare {
    int fd; /* owned */
    char id[KEEPER_SPOOL_ID_SIZE];
};

/* A store and its queue. */
struct keeper_stored {
    struct keeper_store store; /* `open` belongs to whoever runs the group */
    struct keeper *keeper;
    struct link waiting; /* units that are ready to run */
    struct link running; /* units of the group under way */
    struct work work;
    /* What the group has committed, on its way to the disk. */
    struct log_append append;
    struct wake logged;
    atomic_uint n_steps; /* the job, the log: the group is over when both are */
    bool again;          /* the log did not take a commit: the next one has to carry everything */
    bool busy;           /* the group's job is under way */
    bool create;         /* the group may make the directory */
    bool damaged; /* its files are: nothing but reading copies and dropping is done any more */
    bool sweep_due, close_due, relief_due;
    struct keeper_spare spares[KEEPER_SPARES_MAX]; /* the loop's */
    struct keeper_spare
        fresh[KEEPER_SPARES_MAX]; /* made by the settling job, then moved to spares */
    unsigned n_spares, n_fresh;
    bool spools;         /* bodies of this store have been spooled */
    unsigned n_attached; /* isolates that hold a grant */
    int64_t used_us, swept_us;
};

/* The gateway of one lane. */
struct keeper_gateway {
    struct keeper *keeper;    /* borrowed */
    struct wire *wire;        /* owned; NULL while it is away */
    struct keeper_peer *peer; /* owned: who owns the calls of `wire` */
};

/* keeper_round.c */
struct keeper_round {
    struct keeper *keeper; /* borrowed */
    struct timer timer;
    struct work work;
    struct buf names;  /* "<kind>/<id>", each ended by a zero byte */
    struct slice rest; /* of them */
    bool listing;
};

struct keeper {
    struct loop *loop;      /* borrowed */
    struct work_pool *pool; /* owned */
    struct log *log;        /* owned */
    struct map leases;      /* name of an object's database -> struct keeper_lease, owned */
    uint64_t first_epoch;   /* of this process */
    unsigned n_reliefs;     /* objects that are being put into their files */
    struct timer end;       /* the log's disk has failed: the process begins anew */
    void (*damaged)(void *arg, struct slice store, struct slice reason);
    void *damaged_arg;
    char root[KEEPER_ROOT_MAX];
    struct map stores; /* name -> struct keeper_stored, owned */
    struct link peers;
    struct keeper_gateway gateways[PLACEMENT_LANES_MAX];
    struct lane_table lanes;
    struct timer tick;
    struct keeper_round round;
    struct map alarms; /* "<namespace>/<object>" -> struct keeper_alarm, owned */
    uint64_t body_bytes;
    unsigned n_units;
    void (*idle)(void *arg); /* told when draining and no unit is left */
    void *idle_arg;
};

struct keeper_grant {
    const struct product *product; /* NULL: this binding has no store */
    struct keeper_stored *stored;  /* borrowed */
};

struct keeper_peer {
    struct keeper *keeper;
    struct wire *wire; /* owned */
    struct link link;
    struct link units;
    bool control;
    uint64_t isolate;
    unsigned n_grants;
    struct keeper_grant grants[KEEPER_GRANTS_MAX];
};

enum keeper_stage { UNIT_COLLECT, UNIT_SPOOL, UNIT_QUEUED, UNIT_ANSWER };

struct keeper_unit {
    struct keeper_call call;
    struct arena arena;
    const struct keeper_op *op;
    struct keeper *keeper;
    struct keeper_stored *stored; /* borrowed */
    struct keeper_peer *peer;     /* NULL when it went away */
    struct wire_stream *stream;   /* owned; NULL when it went away */
    struct link link;             /* in the store's waiting or running list */
    struct link peer_link;
    enum keeper_stage stage;
    struct buf body;
    bool body_end;
    uint64_t counted; /* of keeper->body_bytes */
    /* spooling */
    struct work spool_work;
    struct buf spool_buf;
    struct digest *spool_md5;
    int given_fd; /* owned: a file that holds all of the body, from control; -1 = none */
    int spool_result;
    uint64_t spooled; /* bytes in the file */
    bool spool_busy, spool_last;
    /* sending */
    struct work read_work;
    struct buf piece;
    bool reading;
    int read_result;
};

/* keeper_unit.c */
extern const struct wire_stream_events keeper_unit_events;
void keeper_unit_start(struct keeper_peer *peer, struct wire_stream *s, const struct keeper_op *op,
                       struct keeper_stored *stored, struct slice args, int fd, bool end);
void keeper_unit_ready(struct keeper_unit *u);  /* the body is complete */
void keeper_unit_answer(struct keeper_unit *u); /* call.result and so on are filled */
void keeper_unit_gone(struct keeper_unit *u);   /* its peer is going away */
void keeper_refuse(struct wire_stream *s, int64_t result, const char *text); /* answer and close */

/* keeper_spool.c */
void keeper_spool_given(struct keeper_unit *u); /* takes the body from u->given_fd */
void keeper_spool_more(struct keeper_unit *u);
void keeper_send_more(struct keeper_unit *u);
void keeper_spares_make(struct keeper_stored *s); /* in the store's lane; fills `fresh` */
void keeper_spares_take(struct keeper_stored *s); /* `fresh` becomes available */
void keeper_spares_drop(struct keeper_stored *s);

/* keeper_group.c */
void keeper_group_add(struct keeper_unit *u);
void keeper_group_kick(struct keeper_stored *stored);

/* keeper_core.c: after the log refused something; ends the process when it cannot go on */
void keeper_log_check(struct keeper *k);

/* keeper_core.c: the gateway asks. */
void keeper_gateway_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                         int fd, bool end);
void keeper_gateway_closed(struct keeper_gateway *g); /* its wire goes, and with it its calls */

/* keeper_round.c */
void keeper_round_start(struct keeper *k);
void keeper_round_stop(struct keeper *k);

/* keeper_damage.c */
void keeper_damage_look(struct keeper_stored *s, const struct keeper_unit *u); /* an op is over */
bool keeper_damage_refuses(const struct keeper_stored *s, const struct keeper_op *op);
const char *keeper_damage_text(const struct keeper_stored *s, char *buf, size_t size);

/* keeper_object.c: false = the message is malformed or forbidden */
bool keeper_object_open(struct keeper_peer *peer, struct wire_stream *s, uint16_t op,
                        struct slice args);
bool keeper_object_note(struct keeper_peer *peer, struct slice args);
/* Of an operation that is `leased`: *ret_holds = the epoch that it names may write the object. */
bool keeper_object_leased(struct keeper_peer *peer, struct slice args, bool *ret_holds);
/* The log is held up by this object's records. */
void keeper_object_relieve(struct keeper *k, struct slice name);
/* Those of a peer; NULL = all. */
void keeper_leases_drop(struct keeper *k, const struct keeper_peer *peer);

/* keeper_alarm.c */
void keeper_alarm_changed(const struct keeper_unit *u); /* an alarm_set has been committed */
void keeper_alarms_stop(struct keeper *k);

/* keeper_store.c */
extern const struct keeper_op keeper_store_ops[];
extern const size_t keeper_n_store_ops;
/* NULL when the name is none. */
struct keeper_stored *keeper_store_of(struct keeper *k, struct slice name);
/* The open store's database, or NULL when it does not commit through the log. */
struct sql *keeper_store_sql(const struct keeper_stored *s);
int keeper_store_open(struct keeper_stored *stored, struct err *err);
void keeper_store_close(struct keeper_stored *stored);
