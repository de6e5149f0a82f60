/* Runs all tests of src/store. */
#include "store_test.h"

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

static char root[64];

const char *store_test_dir(void)
{
    snprintf(root, sizeof(root), "/tmp/selvedge-store-XXXXXX");
    if (mkdtemp(root) == NULL)
        fail_msg("mkdtemp");
    return root;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void store_test_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    return kv_tests() + sql_tests() + commit_tests() + log_tests() + history_tests() + blob_tests();
}
