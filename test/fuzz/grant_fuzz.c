/* The mounts of a spec: what is accepted stays inside the data directory and below /g. */
#include "fuzz.h"
#include "proc/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_release) json_t *mounts = NULL;
    struct grant grant;

    if (json_parse(slice_from(data, size), &mounts, NULL) < 0 ||
        grant_parse(mounts, &grant, NULL) < 0)
        return 0;
    CHECK(grant.n <= GRANT_MOUNTS_MAX);
    for (unsigned i = 0; i < grant.n; i++) {
        const struct grant_mount *m = &grant.mounts[i];
        CHECK(m->source[0] != '/' && m->source[0] != '\0' && strstr(m->source, "//") == NULL);
        CHECK(strcmp(m->source, "..") != 0 && strncmp(m->source, "../", 3) != 0);
        CHECK(strstr(m->source, "/../") == NULL && !slice_ends(slice_of(m->source), SLICE("/..")));
        CHECK(strchr(m->target, '/') == NULL && m->target[0] != '\0');
        CHECK(strcmp(m->target, ".") != 0 && strcmp(m->target, "..") != 0);
    }
    return 0;
}
