#include "store/log.h"

#include <errno.h>
#include <stdatomic.h>

static atomic_uint_fast64_t log_position;

static enum log_outcome log_outcome_of(int r)
{
    switch (r) {
    case 0:
        return LOG_OK;
    case -EIO:
        return LOG_UNKNOWN;
    case -ESTALE:
        return LOG_CONFLICT;
    default:
        return LOG_UNAVAILABLE;
    }
}

void log_append(struct log_append *append)
{
    append->result = append->commit(append->store, &append->err);
    append->outcome = log_outcome_of(append->result);
    append->position = atomic_fetch_add(&log_position, 1) + 1;
    append->done(append);
}

/* FNV-1a: stable, and even enough for 1,024 shards. */
unsigned log_shard_of(const char *store_name)
{
    uint32_t h = 2166136261u;
    for (const char *at = store_name; *at != 0; at++)
        h = (h ^ (uint8_t)*at) * 16777619u;
    return h % LOG_SHARDS;
}
