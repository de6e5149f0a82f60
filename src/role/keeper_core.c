/*
 * Peers of the keeper and what each may ask for.
 */
#include "role/keeper_impl.h"

#include "core/file.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEEPER_TICK_US = 1000 * 1000,
    KEEPER_WIRE_SIDE = 0,
    KEEPER_END_US = 200 * 1000,
    KEEPER_LOG_MAX = 1024 * 1024 * 1024,
    KEEPER_LOG_SEGMENT = 16 * 1024 * 1024
};

/* --- which row serves an operation --- */

struct keeper_row {
    const struct keeper_op *op;
    const struct product *product; /* NULL: every kind of store */
};

static struct keeper_row keeper_rows[OP_COUNT];

static void keeper_rows_fill(void)
{
    for (size_t i = 0; i < keeper_n_store_ops; i++)
        keeper_rows[keeper_store_ops[i].op] = (struct keeper_row){&keeper_store_ops[i], NULL};
    for (size_t i = 0; products[i] != NULL; i++) {
        for (size_t k = 0; k < products[i]->n_ops; k++) {
            const struct keeper_op *op = &products[i]->ops[k];
            keeper_rows[op->op] = (struct keeper_row){op, products[i]};
        }
    }
}

/* --- peers --- */

static void keeper_peer_drop(struct keeper_peer *peer)
{
    LIST_FOR_SAFE (l, &peer->units)
        keeper_unit_gone(LIST_ENTRY(l, struct keeper_unit, peer_link));
    for (unsigned i = 0; i < peer->n_grants; i++) {
        if (peer->grants[i].stored != NULL)
            peer->grants[i].stored->n_attached--;
    }
    keeper_leases_drop(peer->keeper, peer);
    list_remove(&peer->link);
    wire_destroy(peer->wire);
    free(peer);
}

static void keeper_peer_closed(struct wire *w, int reason)
{
    struct keeper_peer *peer = wire_user(w);
    if (reason < 0 && reason != -ECONNRESET && reason != -EPIPE)
        LOG(LOG_WARN, "keeper_peer_lost", F("isolate", "%llu", (unsigned long long)peer->isolate),
            F("reason", "%d", reason));
    keeper_peer_drop(peer);
}

/* A forbidden message ends the isolate's connection. */
static void keeper_peer_forbidden(struct keeper_peer *peer, struct wire_stream *s, uint16_t op)
{
    LOG(LOG_WARN, "keeper_forbidden", F("isolate", "%llu", (unsigned long long)peer->isolate),
        F("op", "%s", message_name(op)));
    wire_stream_close(s, -EACCES);
    keeper_peer_drop(peer);
}

/* Returns false when the message is malformed or forbidden. */
static bool keeper_find_store(struct keeper_peer *peer, const struct keeper_row *row,
                              struct slice args, struct keeper_stored **ret)
{
    struct unpack u = {.rest = args};
    uint32_t binding = row->op->isolates ? unpack_u32(&u) : 0;
    struct slice name = unpack_bytes(&u);
    if (u.bad)
        return false;
    if (peer->control) {
        *ret = keeper_store_of(peer->keeper, name);
    } else {
        if (!row->op->isolates || binding >= peer->n_grants)
            return false;
        *ret = peer->grants[binding].stored;
    }
    return *ret != NULL && (row->product == NULL || (*ret)->store.product == row->product);
}

static void keeper_peer_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                             int fd, bool end)
{
    struct keeper_peer *peer = wire_user(w);
    AUTO(fd_release) int given = fd;
    if (op == OP_object_lease || op == OP_object_commit) {
        if (!keeper_object_open(peer, s, op, args))
            keeper_peer_forbidden(peer, s, op);
        return;
    }
    const struct keeper_row *row = op < OP_COUNT ? &keeper_rows[op] : NULL;
    struct keeper_stored *stored;
    if (row == NULL || row->op == NULL || !keeper_find_store(peer, row, args, &stored)) {
        if (peer->control)
            keeper_refuse(s, -EINVAL, "no such store or operation");
        else
            keeper_peer_forbidden(peer, s, op);
        return;
    }
    if (peer->keeper->idle != NULL) {
        keeper_refuse(s, -EAGAIN, "shutting down");
        return;
    }
    bool holds = true;
    if (row->op->leased && !keeper_object_leased(peer, args, &holds)) {
        keeper_peer_forbidden(peer, s, op);
        return;
    }
    if (!holds) {
        keeper_refuse(s, -ESTALE, "another instance of this object has started");
        return;
    }
    if (keeper_damage_refuses(stored, row->op)) {
        char text[KEEPER_NAME_MAX + 128];
        keeper_refuse(s, -EUCLEAN, keeper_damage_text(stored, text, sizeof(text)));
        return;
    }
    keeper_unit_start(peer, s, row->op, stored, args, peer->control ? TAKE_FD(given) : -1, end);
}

/* Public addresses of buckets: objects and settings are read, nothing else. */
void keeper_gateway_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                         int fd, bool end)
{
    struct keeper_gateway *g = wire_user(w);
    struct keeper *k = g->keeper;
    const struct keeper_row *row = op == OP_r2_get || op == OP_r2_setting ? &keeper_rows[op] : NULL;
    struct keeper_stored *stored;
    struct msg_r2_setting m;
    fd_release(&fd);
    if (g->peer == NULL) {
        g->peer = mem_new(sizeof(*g->peer));
        g->peer->keeper = k;
        g->peer->control = true;
        list_init(&g->peer->units);
    }
    bool sets = op == OP_r2_setting && (msg_r2_setting_unpack(args, &m) < 0 || m.value.len > 0);
    if (row == NULL || sets || !keeper_find_store(g->peer, row, args, &stored)) {
        keeper_refuse(s, -EINVAL, "no such store or operation");
        return;
    }
    if (k->idle != NULL)
        keeper_refuse(s, -EAGAIN, "shutting down");
    else
        keeper_unit_start(g->peer, s, row->op, stored, args, -1, end);
}

void keeper_gateway_closed(struct keeper_gateway *g)
{
    struct keeper_peer *peer = TAKE(g->peer);
    if (peer != NULL) {
        LIST_FOR_SAFE (l, &peer->units)
            keeper_unit_gone(LIST_ENTRY(l, struct keeper_unit, peer_link));
        free(peer);
    }
    if (g->wire != NULL)
        wire_destroy(TAKE(g->wire));
}

static void keeper_peer_note(struct wire *w, uint32_t stream_id UNUSED, uint16_t op,
                             struct slice args, int fd)
{
    struct keeper_peer *peer = wire_user(w);
    fd_release(&fd);
    if (op == OP_object_settled && keeper_object_note(peer, args))
        return;
    LOG(LOG_WARN, "keeper_forbidden", F("isolate", "%llu", (unsigned long long)peer->isolate),
        F("op", "%s", message_name(op)));
    keeper_peer_drop(peer);
}

static const struct wire_events keeper_wire_events = {
    .open = keeper_peer_open, .note = keeper_peer_note, .closed = keeper_peer_closed};

static struct keeper_peer *keeper_peer_new(struct keeper *k, int fd)
{
    struct keeper_peer *peer = mem_new(sizeof(*peer));
    peer->keeper = k;
    list_init(&peer->units);
    list_push_back(&k->peers, &peer->link);
    peer->wire = wire_create(k->loop, fd, KEEPER_WIRE_SIDE, &keeper_wire_events, peer);
    return peer;
}

void keeper_add_control(struct keeper *k, int fd)
{
    keeper_peer_new(k, fd)->control = true;
}

static int keeper_grants_of(struct keeper_peer *peer, const json_t *bindings)
{
    size_t n = json_array_size(bindings);
    if (n > KEEPER_GRANTS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < n; i++) {
        const json_t *b = json_array_get(bindings, i);
        const struct product *product = product_by_binding(json_str(b, "type", ""));
        const char *store = json_str(b, "store", NULL);
        peer->n_grants = (unsigned)i + 1;
        if (product == NULL || product->store == NULL || store == NULL)
            continue;
        struct keeper_stored *stored = keeper_store_of(peer->keeper, slice_of(store));
        if (stored == NULL || stored->store.product != product)
            return -EBADMSG;
        peer->grants[i] = (struct keeper_grant){product, stored};
        stored->n_attached++;
        keeper_group_kick(stored); /* opens it: readers need a writer that has it open */
    }
    return 0;
}

int keeper_add_isolate(struct keeper *k, int fd, uint64_t isolate, struct slice spec)
{
    struct keeper_peer *peer = keeper_peer_new(k, fd);
    peer->isolate = isolate;
    AUTO(json_release) json_t *root = NULL;
    int r = json_parse(spec, &root, NULL);
    if (r == 0)
        r = keeper_grants_of(peer, json_object_get(root, "bindings"));
    if (r < 0)
        keeper_peer_drop(peer);
    return r;
}

/* --- life --- */

/* Stores that hold the log up put what they have into their files. */
static void keeper_relieve(struct keeper *k)
{
    AUTO(buf_done) struct buf names = {0};
    log_oldest(k->log, &names);
    for (struct slice rest = buf_slice(&names); rest.len > 0;) {
        struct slice name = slice_cut(&rest, 0), left = name;
        if (slice_find_slice(name, SLICE("/objects/")) >= 0) {
            keeper_object_relieve(k, name);
            continue;
        }
        struct slice kind = slice_cut(&left, '/'), id = slice_cut(&left, '/');
        struct keeper_stored *s =
            keeper_store_of(k, slice_from(kind.ptr, (size_t)(id.ptr + id.len - kind.ptr)));
        if (s == NULL || id.ptr == NULL)
            continue;
        s->relief_due = true;
        keeper_group_kick(s);
    }
}

/* Sweeps what is due and closes stores that nobody uses. */
static void keeper_on_tick(struct timer *t)
{
    struct keeper *k = CONTAINER_OF(t, struct keeper, tick);
    int64_t now = loop_now_us(k->loop);
    size_t at = 0;
    struct slice name;
    void *value;
    while (map_next(&k->stores, &at, &name, &value)) {
        struct keeper_stored *s = value;
        if (s->busy || s->store.open == NULL)
            continue;
        unsigned sweep_s = s->store.product->engine->sweep_s;
        s->sweep_due = sweep_s != 0 && now - s->swept_us >= (int64_t)sweep_s * 1000000;
        s->close_due = s->n_attached == 0 && now - s->used_us > (int64_t)KEEPER_IDLE_S * 1000000;
        if (s->sweep_due || s->close_due)
            keeper_group_kick(s);
    }
    keeper_relieve(k);
    timer_start(k->loop, &k->tick, KEEPER_TICK_US, keeper_on_tick);
}

static void keeper_on_end(struct timer *t UNUSED)
{
    panic(__FILE__, __LINE__, "the disk of the durable log has failed");
}

void keeper_log_check(struct keeper *k)
{
    if (log_failed(k->log) == 0 || k->end.loop != NULL)
        return;
    LOG(LOG_ERROR, "log_failed", F("reason", "%d", log_failed(k->log)));
    timer_start(k->loop, &k->end, KEEPER_END_US, keeper_on_end); /* the answers go out first */
}

static int keeper_log_open(struct keeper *k, const char *boot, struct err *err)
{
    struct log_options options = {.disk = &disk_system,
                                  .root = k->root,
                                  .boot = boot,
                                  .size_max = KEEPER_LOG_MAX,
                                  .segment_size = KEEPER_LOG_SEGMENT,
                                  .threaded = true};
    char dir[KEEPER_ROOT_MAX + 8];
    snprintf(dir, sizeof(dir), "%s/log", k->root);
    int r = file_make_dirs(AT_FDCWD, dir, 0700);
    if (r < 0)
        return err_set(err, r, 0, "the directory of the durable log cannot be made (%d)", r);
    r = log_open(&options, &k->log, err);
    if (r < 0)
        return r;
    k->first_epoch = log_epoch(k->log);
    sql_door(k->log, k->root);
    return 0;
}

int keeper_create(struct loop *loop, const struct keeper_options *options, struct keeper **ret,
                  struct err *err)
{
    struct keeper *k = mem_new(sizeof(*k));
    k->loop = loop;
    CHECK(strlen(options->root) < sizeof(k->root));
    snprintf(k->root, sizeof(k->root), "%s", options->root);
    int r = keeper_log_open(k, options->boot, err);
    if (r < 0) {
        free(k);
        return r;
    }
    k->damaged = options->damaged;
    k->damaged_arg = options->damaged_arg;
    k->pool = work_pool_create(loop, options->n_threads);
    list_init(&k->peers);
    keeper_rows_fill();
    timer_start(loop, &k->tick, KEEPER_TICK_US, keeper_on_tick);
    keeper_round_start(k);
    *ret = k;
    return 0;
}

void keeper_destroy(struct keeper *k)
{
    if (k == NULL)
        return;
    timer_stop(&k->tick);
    timer_stop(&k->end);
    keeper_round_stop(k);
    keeper_alarms_stop(k);
    for (unsigned lane = 0; lane < PLACEMENT_LANES_MAX; lane++)
        keeper_gateway_closed(&k->gateways[lane]);
    LIST_FOR_SAFE (l, &k->peers)
        keeper_peer_drop(LIST_ENTRY(l, struct keeper_peer, link));
    while (k->n_units > 0 || k->n_reliefs > 0)
        loop_turn(k->loop, 100);
    size_t at = 0;
    struct slice name;
    void *value;
    while (map_next(&k->stores, &at, &name, &value)) {
        struct keeper_stored *s = value;
        while (s->busy)
            loop_turn(k->loop, 100);
        keeper_spares_drop(s);
        keeper_store_close(s);
        free(s);
    }
    work_pool_destroy(k->pool);
    sql_door(NULL, "");
    log_close(k->log);
    keeper_leases_drop(k, NULL);
    map_done(&k->leases);
    map_done(&k->stores);
    free(k);
}

void keeper_drain(struct keeper *k, void (*idle)(void *arg), void *arg)
{
    k->idle = idle;
    k->idle_arg = arg;
    if (k->n_units == 0)
        idle(arg);
}
