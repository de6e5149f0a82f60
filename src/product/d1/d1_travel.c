/*
 * Time travel in the keeper: bookmarks of the past, and going back to one.
 * https://developers.cloudflare.com/d1/reference/time-travel/
 */
#include "product/d1/d1.h"

#include <errno.h>

static struct history *d1_history(struct keeper_call *call)
{
    struct d1_store *store = call->store->open;
    if (store->history == NULL)
        call->result = err_set(
            &call->err, -EIO, 0,
            "the history of this database cannot be read; see the directory history beside it");
    return store->history;
}

void d1_op_at(struct keeper_call *call)
{
    struct d1_store *store = call->store->open;
    struct history *history = d1_history(call);
    struct msg_d1_at m;
    uint64_t number;
    char bookmark[D1_BOOKMARK_SIZE];
    if (history == NULL)
        return;
    call->result = msg_d1_at_unpack(call->args, &m);
    if (call->result == 0)
        call->result = history_at(history, m.time_ms, &number, &call->err);
    if (call->result < 0)
        return;
    d1_bookmark_make(number, store->name, bookmark);
    buf_printf(&call->json, "{\"bookmark\":\"%s\"}", bookmark);
}

void d1_op_restore(struct keeper_call *call)
{
    struct d1_store *store = call->store->open;
    struct history *history = d1_history(call);
    struct msg_d1_restore m;
    uint64_t number;
    char before[D1_BOOKMARK_SIZE], after[D1_BOOKMARK_SIZE];
    if (history == NULL)
        return;
    d1_bookmark_of(store->db, store->name, before);
    call->result = msg_d1_restore_unpack(call->args, &m);
    if (call->result == 0 && d1_bookmark_number(m.bookmark, store->name, &number) < 0)
        call->result = err_set(&call->err, -EINVAL, 0, "\"%.*s\" is no bookmark of this database",
                               SLICE_ARG(m.bookmark));
    if (call->result == 0)
        call->result = history_restore(history, number, &call->err);
    if (call->result < 0)
        return;
    history_settle(history);
    d1_bookmark_of(store->db, store->name, after);
    buf_printf(&call->json, "{\"bookmark\":\"%s\",\"previous_bookmark\":\"%s\"}", after, before);
}
