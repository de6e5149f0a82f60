/*
 * The round: stores that nobody uses are opened for their housekeeping too, one after another.
 *
 *     names of all stores (a job) --> every KEEPER_ROUND_STEP_S one of them is swept --> an hour's rest --> again
 *
 * So a lifecycle rule of a bucket and an expiry of a namespace hold although nobody has asked for it since the
 * keeper was started. What is in use has its sweeps by itself (keeper_core.c), and is passed over.
 */
#include "role/keeper_impl.h"

#include <dirent.h>
#include <stdio.h>

static void round_list_product(const struct keeper_round *round, const struct product *product,
                               struct buf *out)
{
    char path[KEEPER_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", round->keeper->root, product->store);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return; /* none of this kind yet */
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        buf_printf(out, "%s/%s", product->store, entry->d_name);
        buf_append_char(out, '\0');
    }
    closedir(dir);
}

static void round_list(struct work *work)
{
    struct keeper_round *round = CONTAINER_OF(work, struct keeper_round, work);
    buf_clear(&round->names);
    for (size_t i = 0; products[i] != NULL; i++) {
        const struct product *p = products[i];
        if (p->store != NULL && p->engine != NULL && p->engine->sweep_s != 0)
            round_list_product(round, p, &round->names);
    }
    round->rest = buf_slice(&round->names);
}

static void round_step(struct timer *timer);

static void round_listed(struct work *work)
{
    struct keeper_round *round = CONTAINER_OF(work, struct keeper_round, work);
    round->listing = false;
    timer_start(round->keeper->loop, &round->timer, KEEPER_ROUND_STEP_S * 1000000ll, round_step);
}

static void round_begin(struct timer *timer)
{
    struct keeper_round *round = CONTAINER_OF(timer, struct keeper_round, timer);
    round->listing = true;
    round->work = (struct work){.run = round_list, .done = round_listed};
    work_start(round->keeper->pool, &round->work);
}

static void round_step(struct timer *timer)
{
    struct keeper_round *round = CONTAINER_OF(timer, struct keeper_round, timer);
    struct keeper *k = round->keeper;
    while (round->rest.len > 0) {
        struct keeper_stored *s = keeper_store_of(k, slice_cut(&round->rest, '\0'));
        if (s == NULL || s->busy || s->damaged || s->store.open != NULL)
            continue;
        s->sweep_due = true;
        keeper_group_kick(s);
        timer_start(k->loop, &round->timer, KEEPER_ROUND_STEP_S * 1000000ll, round_step);
        return;
    }
    timer_start(k->loop, &round->timer, KEEPER_ROUND_S * 1000000ll, round_begin);
}

void keeper_round_start(struct keeper *k)
{
    k->round.keeper = k;
    timer_start(k->loop, &k->round.timer, KEEPER_ROUND_STEP_S * 1000000ll, round_begin);
}

void keeper_round_stop(struct keeper *k)
{
    timer_stop(&k->round.timer);
    while (k->round.listing)
        loop_turn(k->loop, 100);
    timer_stop(&k->round.timer);
    buf_done(&k->round.names);
}
