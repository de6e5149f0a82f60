/*
 * Stores whose files are damaged: found by the first operation that meets it, named in the log and in every answer, and left
 * alone from then on, so that nothing makes it worse. All other stores go on.
 */
#include "role/keeper_impl.h"

#include "core/log.h"

#include <errno.h>
#include <stdio.h>

/* What may still be done: copying it for somebody to look at, dropping it, and going back to an earlier state. */
static const uint16_t damage_ops[] = {OP_store_drop, OP_store_copy, OP_d1_restore};

bool keeper_damage_refuses(const struct keeper_stored *s, const struct keeper_op *op)
{
    for (size_t i = 0; i < ARRAY_LEN(damage_ops); i++) {
        if (damage_ops[i] == op->op)
            return false;
    }
    return s->damaged;
}

const char *keeper_damage_text(const struct keeper_stored *s, char *buf, size_t size)
{
    snprintf(buf, size,
             "500 the files of %s are damaged; it is closed until it is restored from a backup or "
             "dropped",
             s->store.name);
    return buf;
}

static void damage_tell(const struct keeper_stored *s, struct slice reason)
{
    if (s->keeper->damaged != NULL)
        s->keeper->damaged(s->keeper->damaged_arg, slice_of(s->store.name), reason);
}

void keeper_damage_look(struct keeper_stored *s, const struct keeper_unit *u)
{
    if (u->call.result >= 0) {
        bool mended = u->op->op == OP_store_drop || u->op->op == OP_d1_restore;
        if (s->damaged && mended) {
            s->damaged = false;
            damage_tell(s, SLICE_NONE);
        }
        return;
    }
    if (u->call.result != -EUCLEAN || s->damaged)
        return;
    s->damaged = true;
    LOG(LOG_ERROR, "store_damaged", F("store", "%s", s->store.name), F("path", "%s", s->store.path),
        F("reason", "%s", u->call.err.text));
    damage_tell(s, u->call.err.text[0] != 0 ? slice_of(u->call.err.text) : SLICE("damaged"));
}
