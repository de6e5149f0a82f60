/*
 * Durable Objects: which isolate runs which object, and their alarms.
 *
 * A *home* is the one link that hosts an object. A call for an object without one goes to an isolate of the
 * current version like any other call, and makes that its home; from then on all calls go there, in order, until the
 * isolate leaves or says that the object is over. The isolate's lock on the object's database is what guarantees
 * that there is one instance; this table only makes sure that calls find it.
 *
 *     (no home) --call--> HOME --isolate leaves, dies, or object_over while nothing is under way--> (no home)
 *
 * When a version is superseded its isolates are told to end their objects; the new version's isolate waits for
 * each database until the old one has let go of it.
 */
#include "role/gateway_isolate.h"

#include "core/id.h"
#include "product/durable/durable_plan.h"
#include "product/messages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    NS_LEN = 32,
    OBJECT_LEN = 64,
    HOME_KEY_SIZE = NS_LEN + OBJECT_LEN,
    ALARM_TRY_US = 2000,
    ALARM_TRIES = 5000
};

struct home {
    char key[HOME_KEY_SIZE];
    struct gateway *gateway;
    struct isolate_link *link; /* NULL: it has left; goes with the last event */
    struct link in_link;
    size_t n_events;
    char *object_name; /* NULL: not known */
};

static struct slice home_key(struct slice ns, struct slice object, char buf[HOME_KEY_SIZE])
{
    CHECK(ns.len == NS_LEN && object.len == OBJECT_LEN);
    memcpy(buf, ns.ptr, NS_LEN);
    memcpy(buf + NS_LEN, object.ptr, OBJECT_LEN);
    return slice_from(buf, HOME_KEY_SIZE);
}

struct home *object_find(struct gateway *g, struct slice ns, struct slice object)
{
    char key[HOME_KEY_SIZE];

    return map_get(&g->homes, home_key(ns, object, key));
}

static void home_free(struct home *h)
{
    mem_release(&h->object_name);
    mem_release(&h);
}

/* Calls go elsewhere from now on. */
static void home_leave(struct home *h)
{
    map_remove(&h->gateway->homes, slice_from(h->key, HOME_KEY_SIZE));
    list_remove(&h->in_link);
    h->link->n_homes--;
    h->link = NULL;
    if (h->n_events == 0)
        home_free(h);
}

static struct home *home_make(struct isolate_link *l, struct slice ns, struct slice object)
{
    struct home *h = mem_new(sizeof(*h));

    h->gateway = l->gateway;
    h->link = l;
    struct slice key = home_key(ns, object, h->key);
    map_put(&l->gateway->homes, key, h);
    list_push_back(&l->homes, &h->in_link);
    l->n_homes++;
    return h;
}

struct home *object_home(struct isolate_link **l, struct slice ns, struct slice object)
{
    struct home *h = object_find((*l)->gateway, ns, object);

    if (h == NULL)
        h = home_make(*l, ns, object);
    *l = h->link;
    return h;
}

size_t home_events(const struct home *h)
{
    return h->n_events;
}

struct isolate_link *home_link(const struct home *h)
{
    return h->link;
}

struct slice home_object_name(const struct home *h)
{
    return slice_of(h->object_name == NULL ? "" : h->object_name);
}

void home_set_object_name(struct home *h, struct slice name)
{
    if (h->object_name == NULL && name.len > 0)
        h->object_name = strndup(name.ptr, name.len);
}

struct slice home_key_of(const struct home *h)
{
    return slice_from(h->key, HOME_KEY_SIZE);
}

void object_event_begin(struct event *e, struct home *h)
{
    e->home = h;
    h->n_events++;
}

void object_event_end(struct event *e)
{
    struct home *h = TAKE(e->home);

    if (h != NULL && --h->n_events == 0 && h->link == NULL)
        home_free(h);
}

void object_over(struct isolate_link *l, struct slice args)
{
    struct msg_object_over m;

    if (msg_object_over_unpack(args, &m) < 0 || m.ns.len != NS_LEN || m.object.len != OBJECT_LEN) {
        isolate_link_condemn(l, "sent a malformed note");
        return;
    }
    struct home *h = object_find(l->gateway, m.ns, m.object);
    if (h != NULL && h->link == l && h->n_events == 0)
        home_leave(h);
}

static void objects_tell(struct isolate_link *l, const char *why, struct slice object)
{
    AUTO(buf_done) struct buf out = {0};

    msg_objects_reset_pack(&out,
                           &(struct msg_objects_reset){.why = slice_of(why), .object = object});
    wire_note(l->wire, 0, OP_objects_reset, buf_slice(&out), -1);
}

void objects_leave(struct isolate_link *l, const char *why)
{
    bool any = l->homes.next != NULL && !list_empty(&l->homes);

    while (any && !list_empty(&l->homes))
        home_leave(LIST_ENTRY(l->homes.next, struct home, in_link));
    if (any && why != NULL && l->wire != NULL)
        objects_tell(l, why, SLICE_NONE);
}

void objects_leave_lane(struct gateway *g)
{
    LIST_FOR (at, &g->isolates) {
        struct isolate_link *l = LIST_ENTRY(at, struct isolate_link, in_gateway);
        LIST_FOR_SAFE (in_link, &l->homes) {
            struct home *h = LIST_ENTRY(in_link, struct home, in_link);
            struct slice object = slice_from(h->key + NS_LEN, OBJECT_LEN);
            if (lane_is_mine(g, object))
                continue;
            objects_tell(l, "moved", object);
            home_leave(h);
        }
    }
}

/* --- calls --- */

bool object_call_send(struct call *c)
{
    struct home *h = object_find(c->gateway, c->request.ns, c->request.object);

    if (h == NULL)
        return false;
    link_send(h->link, c);
    return true;
}

/* The version that runs an object: of two, always the same one for an object. */
static struct worker *object_worker(const struct script *script, struct slice object)
{
    if (script->n_versions < 2)
        return script->n_versions == 0 ? NULL : script->versions[0].worker;
    return script->versions[placement_version(object, script->versions[0].percentage)].worker;
}

struct worker *object_worker_of(struct gateway *g, struct slice ns, struct slice object)
{
    const struct durable_class *class = table_namespace(g->table, ns);
    struct script *script = class == NULL ? NULL : table_script(g->table, slice_of(class->script));
    struct worker *w = script == NULL ? NULL : object_worker(script, object);

    return w == NULL || !worker_has_code(w) ? NULL : w;
}

void object_serve(struct call *c, struct slice unused UNUSED)
{
    const struct durable_class *class = table_namespace(c->gateway->table, c->request.ns);
    struct worker *w =
        class == NULL ? NULL : object_worker_of(c->gateway, c->request.ns, c->request.object);

    if (w == NULL) {
        call_fail(c, 503, "The Worker with the class of this Durable Object is not deployed.");
        return;
    }
    c->request.ns = slice_of(class->id);
    c->request.entrypoint = slice_of(class->name);
    c->worker = worker_ref(w);
    isolate_call_start(c);
}

void object_call_named(struct call *c, struct slice ns, struct slice object, struct slice name)
{
    if (!id_is_hex(object, OBJECT_LEN)) {
        call_fail(c, 400, "Invalid Durable Object ID: must be 64 hex digits");
        return;
    }
    c->request.ns = ns;
    c->request.object = object;
    c->request.object_name = name;
    lane_call(c, LANE_OBJECT, SLICE_NONE);
}

void object_call(struct call *c, const json_t *binding, struct slice object, struct slice name)
{
    object_call_named(c, slice_of(json_str(binding, "namespace_id", "")), object, name);
}

/* --- alarms --- */

struct pending_alarm {
    struct gateway *gateway;
    struct wire_stream *stream; /* of the keeper, owned; NULL when it has gone */
    char ns[NS_LEN + 1], object[OBJECT_LEN + 1];
    int64_t scheduled_ms;
    uint32_t retry;
    unsigned tries;
    struct timer timer;
};

static void alarm_done(void *arg, struct slice outcome)
{
    struct pending_alarm *p = arg;
    AUTO(buf_done) struct buf out = {0};

    timer_stop(&p->timer);
    if (p->stream != NULL) {
        msg_outcome_pack(&out, &(struct msg_outcome){.outcome = outcome});
        wire_reply(p->stream, buf_slice(&out), -1, true);
        wire_stream_close(p->stream, 0);
    }
    mem_release(&p);
}

static void alarm_reply(struct wire_stream *s, struct slice args UNUSED, int fd, bool end UNUSED)
{
    fd_release(&fd);
    wire_stream_close(s, 0); /* the outcome comes with event_end */
}

static void alarm_reset(struct wire_stream *s, int reason UNUSED)
{
    wire_stream_close(s, 0);
}

static const struct wire_stream_events alarm_events = {.reply = alarm_reply, .reset = alarm_reset};

static bool alarm_send(struct pending_alarm *p, struct isolate_link *l, const char *class_name)
{
    AUTO(buf_done) struct buf out = {0};
    struct home *h = object_home(&l, slice_of(p->ns), slice_of(p->object));

    hibernation_before(l, slice_of(p->ns), slice_of(p->object));
    msg_alarm_pack(&out, &(struct msg_alarm){.class_name = slice_of(class_name),
                                             .object = slice_of(p->object),
                                             .scheduled_ms = p->scheduled_ms,
                                             .retry = p->retry,
                                             .request_id = SLICE("alarm")});
    struct event *e = event_create(l);
    struct wire_stream *s =
        wire_open(l->wire, OP_alarm, buf_slice(&out), -1, true, &alarm_events, NULL);
    if (s == NULL) {
        l->n_events--;
        mem_release(&e);
        return false;
    }
    object_event_begin(e, h);
    e->done = alarm_done;
    e->done_arg = p;
    event_number(e, s);
    return true;
}

/* As with scheduled events: looks again every few milliseconds while an isolate starts. */
static void alarm_try(struct timer *t)
{
    struct pending_alarm *p = CONTAINER_OF(t, struct pending_alarm, timer);
    struct gateway *g = p->gateway;
    const struct durable_class *class = table_namespace(g->table, slice_of(p->ns));
    struct worker *w = object_worker_of(g, slice_of(p->ns), slice_of(p->object));

    if (!lane_is_mine(g, slice_of(p->object))) { /* the keeper asks the right one soon */
        alarm_done(p, SLICE("lost"));
        return;
    }
    if (w == NULL) {
        /* A table that has not come yet says nothing about what there is. */
        alarm_done(p, g->table == NULL || class != NULL ? SLICE("lost") : SLICE("missing"));
        return;
    }
    struct home *h = object_find(g, slice_of(p->ns), slice_of(p->object));
    struct isolate_link *l = h != NULL ? h->link : least_busy(w);
    if (l != NULL && alarm_send(p, l, class->name))
        return;
    if (p->tries++ == ALARM_TRIES || g->stopping) {
        alarm_done(p, SLICE("lost"));
        return;
    }
    if (l == NULL && w->n_starting == 0)
        isolate_start(w);
    timer_start(g->loop, &p->timer, ALARM_TRY_US, alarm_try);
}

static void keeper_reset(struct wire_stream *s, int reason UNUSED)
{
    struct pending_alarm *p = wire_stream_user(s);

    wire_stream_close(TAKE(p->stream), 0);
}

static void keeper_open(struct wire *w, struct wire_stream *s, uint16_t op, struct slice args,
                        int fd, bool end UNUSED)
{
    static const struct wire_stream_events events = {.reset = keeper_reset};
    struct gateway *g = wire_user(w);
    struct msg_alarm_fire m;

    fd_release(&fd);
    if (op != OP_alarm_fire || msg_alarm_fire_unpack(args, &m) < 0 || !id_is_hex(m.ns, NS_LEN) ||
        !id_is_hex(m.object, OBJECT_LEN)) {
        wire_stream_close(s, -EBADMSG);
        return;
    }
    struct pending_alarm *p = mem_new(sizeof(*p));
    p->gateway = g;
    p->stream = s;
    memcpy(p->ns, m.ns.ptr, NS_LEN);
    memcpy(p->object, m.object.ptr, OBJECT_LEN);
    p->scheduled_ms = m.scheduled_ms;
    p->retry = m.retry;
    wire_stream_own(s, &events, p);
    timer_start(g->loop, &p->timer, 0, alarm_try);
}

static void keeper_closed(struct wire *w, int reason UNUSED)
{
    struct gateway *g = wire_user(w);

    if (g->keeper == w)
        g->keeper = NULL;
    wire_destroy(w);
}

static const struct wire_events keeper_events = {.open = keeper_open, .closed = keeper_closed};

void gateway_keeper_attach(struct gateway *g, int fd)
{
    struct wire *old = TAKE(g->keeper);

    g->keeper = wire_create(g->loop, fd, 0, &keeper_events, g);
    if (old != NULL)
        wire_destroy(old);
}
