#include "store_test.h"

#include "core/file.h"
#include "store/blob.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static char settled[BLOB_ID_SIZE];

static bool known(void *arg, const char *id)
{
    (void)arg;
    return strcmp(id, settled) == 0;
}

static void test_life(void **state)
{
    (void)state;
    const char *dir = store_test_dir();
    assert_int_equal(blob_make(dir), 0);
    char lost[BLOB_ID_SIZE];
    int fd = blob_spool(dir, settled), other = blob_spool(dir, lost);
    assert_true(fd >= 0 && other >= 0);
    assert_int_equal(file_write_all(fd, SLICE("content")), 0);
    assert_int_equal(blob_sync_content(fd), 0);
    assert_int_equal(blob_sync_names(dir), 0);
    close(fd);
    close(other);
    fd = blob_open(dir, settled);
    assert_true(fd >= 0);
    close(fd);

    assert_int_equal(blob_recover(dir, known, NULL), 2);
    assert_int_equal(blob_open(dir, lost), -ENOENT);
    fd = blob_open(dir, settled);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(blob_remove(dir, settled), 0);
    assert_int_equal(blob_remove(dir, settled), 0);
    assert_int_equal(blob_open(dir, settled), -ENOENT);
    store_test_remove(dir);
}

/* A store is opened while a body is already on its way into its spool: that file is no left-over. */
static void test_recover_spares_what_is_written(void **state)
{
    (void)state;
    const char *dir = store_test_dir();
    char written[BLOB_ID_SIZE];
    assert_int_equal(blob_make(dir), 0);
    int fd = blob_spool(dir, written);
    assert_true(fd >= 0);
    assert_int_equal(blob_recover(dir, known, NULL), 0);
    int again = blob_open(dir, written);
    assert_true(again >= 0);
    close(again);
    close(fd);
    assert_int_equal(blob_recover(dir, known, NULL), 1);
    assert_int_equal(blob_open(dir, written), -ENOENT);
    store_test_remove(dir);
}

int blob_tests(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_life),
                                       cmocka_unit_test(test_recover_spares_what_is_written)};
    return cmocka_run_group_tests_name("blob", tests, NULL, NULL);
}
