/* The local authority: made once, kept, remade when it does not fit; contexts from its files. */
#include "net_tests.h"

#include "core/file.h"
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MAX = 65536 };

static char dir[] = "/tmp/selvedge-tls-XXXXXX";
static int dir_fd = -1;

static int tls_setup(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd < 0 ? -1 : 0;
}

static int tls_teardown(void **state)
{
    (void)state;
    fd_release(&dir_fd);
    return file_remove_tree(AT_FDCWD, dir);
}

static void read_pem(const char *name, struct buf *ret)
{
    assert_int_equal(file_read(dir_fd, name, PEM_MAX, ret), 0);
}

static void tls_makes_the_authority_once(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf first = {0}, second = {0}, root = {0}, root_again = {0};
    struct stat st;
    struct err err;

    assert_int_equal(tls_authority_ensure(dir_fd, "localhost", &err), 0);
    read_pem("server.crt", &first);
    read_pem("authority.crt", &root);
    assert_int_equal(fstatat(dir_fd, "server.key", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(fstatat(dir_fd, "authority.key", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    assert_int_equal(tls_authority_ensure(dir_fd, "localhost", &err), 0);
    read_pem("server.crt", &second);
    assert_true(slice_eq(buf_slice(&first), buf_slice(&second)));

    /* Another domain is outside the old root's constraints, so the root changes as well. */
    assert_int_equal(tls_authority_ensure(dir_fd, "edge.example", &err), 0);
    read_pem("authority.crt", &root_again);
    assert_false(slice_eq(buf_slice(&root), buf_slice(&root_again)));
}

static void tls_remakes_what_is_broken(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf root = {0}, root_again = {0}, key = {0};
    struct err err;

    assert_int_equal(tls_authority_ensure(dir_fd, "localhost", &err), 0);
    read_pem("authority.crt", &root);
    assert_int_equal(file_replace(dir_fd, "server.key", SLICE("not a key"), 0600), 0);
    assert_int_equal(tls_authority_ensure(dir_fd, "localhost", &err), 0);
    read_pem("server.key", &key);
    assert_true(slice_starts(buf_slice(&key), SLICE("-----BEGIN PRIVATE KEY-----")));
    read_pem("authority.crt", &root_again);
    assert_true(slice_eq(buf_slice(&root), buf_slice(&root_again)));
    assert_int_equal(tls_authority_ensure(dir_fd, "a,b", &err), -EINVAL);
    assert_int_equal(tls_authority_ensure(dir_fd, "", &err), -EINVAL);
}

static void tls_makes_contexts(void **state)
{
    (void)state;
    AUTO(buf_done) struct buf cert = {0}, key = {0}, other = {0};
    struct tls_context *tls = NULL;
    struct err err;

    assert_int_equal(tls_authority_ensure(dir_fd, "localhost", &err), 0);
    read_pem("server.crt", &cert);
    read_pem("server.key", &key);
    read_pem("authority.key", &other);
    assert_int_equal(tls_context_create(buf_slice(&cert), buf_slice(&key), &tls, &err), 0);
    tls_context_destroy(tls);
    assert_int_equal(tls_context_create(buf_slice(&cert), buf_slice(&other), &tls, &err), -EBADMSG);
    assert_true(strstr(err.text, "key") != NULL);
    assert_int_equal(tls_context_create(SLICE("x"), buf_slice(&key), &tls, &err), -EBADMSG);
    assert_int_equal(tls_context_create(SLICE_NONE, SLICE_NONE, &tls, &err), -EBADMSG);
}

int tls_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_makes_the_authority_once),
        cmocka_unit_test(tls_remakes_what_is_broken),
        cmocka_unit_test(tls_makes_contexts),
    };
    return cmocka_run_group_tests_name("tls", tests, tls_setup, tls_teardown);
}
