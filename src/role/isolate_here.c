/*
 * Calls to Durable Objects that live in the caller's own isolate: they stay in the process.
 *
 * Scripts know which objects run here (product/durable/instance.js). A call for one of them is a stream of a pair of
 * wire ends instead of one to the gateway; it arrives as the same message `request`, as an event of its own with its own
 * budget of CPU time, so nothing above can tell. What differs is who knows of it:
 *
 * - Order: calls for an object arrive in the order in which they were made. As long as one of ours is on its way through
 *   the gateway (`away`), the next ones follow it there.
 * - Life: the gateway counts events to know which isolates are idle, and it does not see these. So an event that has
 *   called here is reported as over only when the events it has caused are as well (`event_hold`).
 */
#include "role/isolate_impl.h"

#include "net/http.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HERE_ID_DIGITS = 16
}; /* of an object's id: enough to tell objects apart, or of a request's id */

struct event_hold {
    unsigned refs; /* the event that the gateway knows, and all that came of it here */
    uint32_t stream_id;
    struct buf note; /* event_end of that event, once it is over */
};

/* --- where a call goes --- */

static uint64_t object_key(struct slice object)
{
    char digits[HERE_ID_DIGITS + 1];

    if (object.len < HERE_ID_DIGITS)
        return 0;
    memcpy(digits, object.ptr, HERE_ID_DIGITS);
    digits[HERE_ID_DIGITS] = '\0';
    return strtoull(digits, NULL, 16);
}

static unsigned depth_of(const struct channel *event)
{
    const char *dot = strchr(event->request_id, '.');

    return dot == NULL ? 0 : (unsigned)strtoul(dot + 1, NULL, 10);
}

bool isolate_here_may(struct isolate *iso, struct slice object)
{
    return iso->current != NULL && depth_of(iso->current) + 1 < MSG_DEPTH_MAX &&
           map_get_u64(&iso->away, object_key(object)) == NULL;
}

struct wire *isolate_here_wire(struct isolate *iso)
{
    if (iso->here[0] == NULL)
        wire_create_pair(iso->loop, &isolate_main_events, (void *[]){iso, iso}, iso->here);
    return iso->here[0];
}

void isolate_away_begin(struct channel *ch, struct slice object)
{
    struct map *away = &ch->iso->away;

    ch->away = object_key(object);
    uintptr_t n = (uintptr_t)map_get_u64(away, ch->away);
    map_put_u64(away, ch->away, (void *)(n + 1));
}

void isolate_away_end(struct channel *ch)
{
    struct map *away = &ch->iso->away;
    uint64_t key = ch->away;

    ch->away = 0;
    if (key == 0)
        return;
    uintptr_t n = (uintptr_t)map_get_u64(away, key);
    if (n > 1)
        map_put_u64(away, key, (void *)(n - 1));
    else
        map_remove_u64(away, key);
}

void isolate_here_request_id(struct isolate *iso, char *buf, size_t size)
{
    const struct channel *event = iso->current; /* NULL: a facet's call that waited for the disk */

    snprintf(buf, size, "%.*s.%u", HERE_ID_DIGITS,
             event == NULL ? "0000000000000000" : event->request_id,
             event == NULL ? 1 : depth_of(event) + 1);
}

/* --- its answer --- */

int isolate_here_fetched(struct channel *ch, struct slice payload, struct msg_fetched *ret)
{
    static struct buf headers;
    struct msg_response m;

    int r = msg_response_unpack(payload, &m);
    if (r < 0)
        return r;
    if ((m.flags & MSG_THREW) != 0 && ch->in_end) {
        *ret = (struct msg_fetched){.result = -EREMOTEIO,
                                    .error = m.status_text,
                                    .flags = m.flags & MSG_ERROR_FLAGS,
                                    .content_length = -1};
        return 0;
    }
    *ret = (struct msg_fetched){.status = m.status,
                                .flags = m.flags | (ch->in_end ? 0 : MSG_HAS_BODY),
                                .content_length = m.content_length,
                                .status_text = m.status_text};
    ret->headers = http_header_without_length(m.headers, &headers, &ret->content_length);
    return 0;
}

/* --- the events that come of it --- */

void isolate_here_begin(struct channel *ch)
{
    struct wire_stream *caller = wire_pair_stream(ch->stream);
    struct channel *event = caller == NULL ? NULL : channel_event(wire_stream_user(caller));

    ch->here = true;
    ch->stream_id = 0; /* a number that means nothing to the gateway */
    if (event == NULL)
        return;
    if (event->hold == NULL) {
        event->hold = mem_new(sizeof(*event->hold));
        event->hold->refs = 1;
    }
    ch->hold = event->hold;
    ch->hold->refs++;
}

static void hold_unref(struct isolate *iso, struct event_hold *hold)
{
    if (hold == NULL || --hold->refs > 0)
        return;
    wire_note(iso->main, hold->stream_id, OP_event_end, buf_slice(&hold->note), -1);
    buf_done(&hold->note);
    mem_release(&hold);
}

void isolate_here_end(struct channel *ch, struct slice args, struct slice trace)
{
    struct isolate *iso = ch->iso;
    struct event_hold *hold = TAKE(ch->hold);

    if (ch->here && trace.len > 0) {
        AUTO(buf_done) struct buf part = {0};
        msg_event_part_pack(&part, &(struct msg_event_part){.trace = trace});
        wire_note(iso->main, 0, OP_event_part, buf_slice(&part), -1);
    } else if (!ch->here && hold != NULL) {
        hold->stream_id = ch->stream_id;
        buf_append_slice(&hold->note, args);
    } else if (!ch->here) {
        wire_note(iso->main, ch->stream_id, OP_event_end, args, -1);
    }
    hold_unref(iso, hold);
}
