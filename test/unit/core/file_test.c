#include "core/file.h"
#include "core/id.h"
#include "core_test.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct {
    char path[64];
    int fd;
} f;

static int setup(UNUSED void **state)
{
    memcpy(f.path, "/tmp/selvedge-file-XXXXXX", 26);
    if (mkdtemp(f.path) == NULL)
        return -1;
    f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f.fd < 0 ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    fd_release(&f.fd);
    return file_remove_tree(AT_FDCWD, f.path);
}

static unsigned count_entries(void)
{
    unsigned n = 0;
    DIR *dir = opendir(f.path);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

static void replaces_and_reads(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    struct stat st;
    EXPECT_EQ(file_read(f.fd, "a", 100, &b), -ENOENT);
    EXPECT_EQ(file_replace(f.fd, "a", SLICE("one"), 0600), 0);
    EXPECT_EQ(file_replace(f.fd, "a", SLICE("second"), 0666), 0);
    EXPECT_EQ(fstatat(f.fd, "a", &st, 0), 0);
    EXPECT_EQ(st.st_mode & 0777, 0666);
    buf_append_char(&b, '>');
    EXPECT_EQ(file_read(f.fd, "a", 6, &b), 0);
    EXPECT_SLICE(buf_slice(&b), ">second");
    EXPECT_EQ(file_read(f.fd, "a", 5, &b), -E2BIG);
    EXPECT_SLICE(buf_slice(&b), ">second");
    EXPECT_EQ(file_replace(f.fd, "empty", SLICE_NONE, 0600), 0);
    EXPECT_EQ(file_read(f.fd, "empty", 0, &b), 0);
    EXPECT_EQ(count_entries(), 2);
}

static void reads_files_without_a_size(UNUSED void **state)
{
    AUTO(buf_done) struct buf b = {0};
    EXPECT_EQ(file_read(AT_FDCWD, "/proc/self/status", 1 << 20, &b), 0);
    EXPECT(buf_len(&b) > 100);
    EXPECT_EQ(file_read(AT_FDCWD, "/proc/self/status", 50, &b), -E2BIG);
    EXPECT_EQ(file_read(AT_FDCWD, "/proc/self", 50, &b), -EISDIR);
}

static void failed_replace_leaves_nothing(UNUSED void **state)
{
    EXPECT_EQ(file_make_dirs(f.fd, "dir/below", 0700), 0);
    EXPECT_EQ(file_replace(f.fd, "dir", SLICE("x"), 0600), -EISDIR);
    EXPECT_EQ(file_replace(f.fd, "absent/a", SLICE("x"), 0600), -ENOENT);
    EXPECT_EQ(count_entries(), 1);

    char long_path[5000];
    memset(long_path, 'a', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    long_path[4990] = '/';
    EXPECT_EQ(file_replace(f.fd, long_path, SLICE("x"), 0600), -E2BIG);
    long_path[255] = '\0'; /* the longest name that a directory takes */
    EXPECT_EQ(file_replace(f.fd, long_path, SLICE("x"), 0600), 0);
}

static void makes_dirs(UNUSED void **state)
{
    struct stat st;
    EXPECT_EQ(file_make_dirs(f.fd, "x/y//z/", 0700), 0);
    EXPECT_EQ(file_make_dirs(f.fd, "x/y/z", 0700), 0);
    EXPECT_EQ(fstatat(f.fd, "x/y/z", &st, 0), 0);
    EXPECT(S_ISDIR(st.st_mode));
    EXPECT_EQ(file_replace(f.fd, "x/file", SLICE("x"), 0600), 0);
    EXPECT_EQ(file_make_dirs(f.fd, "x/file", 0700), -ENOTDIR);
    EXPECT_EQ(file_make_dirs(f.fd, "x/file/y", 0700), -ENOTDIR);
    EXPECT_EQ(file_make_dirs(f.fd, "", 0700), -ENOENT);

    char absolute[128];
    EXPECT(snprintf(absolute, sizeof(absolute), "%s/abs/dir", f.path) > 0);
    EXPECT_EQ(file_make_dirs(AT_FDCWD, absolute, 0700), 0);
    EXPECT_EQ(fstatat(f.fd, "abs/dir", &st, 0), 0);
}

static void removes_trees_but_not_through_links(UNUSED void **state)
{
    EXPECT_EQ(file_make_dirs(f.fd, "keep", 0700), 0);
    EXPECT_EQ(file_replace(f.fd, "keep/me", SLICE("x"), 0600), 0);
    EXPECT_EQ(file_make_dirs(f.fd, "t/a/b/c", 0700), 0);
    EXPECT_EQ(file_replace(f.fd, "t/a/file", SLICE("x"), 0600), 0);
    EXPECT_EQ(symlinkat("../keep", f.fd, "t/link"), 0);
    EXPECT_EQ(file_remove_tree(f.fd, "t"), 0);
    EXPECT_EQ(faccessat(f.fd, "t", F_OK, 0), -1);
    EXPECT_EQ(faccessat(f.fd, "keep/me", F_OK, 0), 0);
    EXPECT_EQ(file_remove_tree(f.fd, "t"), 0);
    EXPECT_EQ(file_remove_tree(f.fd, "keep/me"), 0);
    EXPECT_EQ(file_remove_tree(f.fd, "keep/me/below"), 0);
}

static void refuses_trees_too_deep(UNUSED void **state)
{
    char path[601];
    for (size_t i = 0; i < 600; i += 2)
        memcpy(path + i, "d/", 2);
    path[600] = '\0';
    EXPECT_EQ(file_make_dirs(f.fd, path, 0700), 0);
    EXPECT_EQ(file_remove_tree(f.fd, "d"), -E2BIG);
    path[200] = '\0';
    EXPECT_EQ(file_remove_tree(f.fd, path), 0);
    EXPECT_EQ(file_remove_tree(f.fd, "d"), 0);
}

static void writes_all_or_fails(UNUSED void **state)
{
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    EXPECT_EQ(file_write_all(fds[1], SLICE("abc")), 0);
    char got[3];
    EXPECT_EQ(read(fds[0], got, 3), 3);
    close(fds[0]);
    signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(file_write_all(fds[1], SLICE("abc")), -EPIPE);
    close(fds[1]);
    EXPECT_EQ(file_write_all(-1, SLICE("abc")), -EBADF);
    EXPECT_EQ(file_write_all(-1, SLICE_NONE), 0);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(file_write_all(full, SLICE("abc")), -ENOSPC);
    close(full);
    EXPECT_EQ(file_sync_dir(f.fd, ""), 0);
    EXPECT_EQ(file_sync_dir(f.fd, "absent"), -ENOENT);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int file_tests(void)
{
    static const struct CMUnitTest tests[] = {
        FILE_TEST(replaces_and_reads),
        FILE_TEST(reads_files_without_a_size),
        FILE_TEST(failed_replace_leaves_nothing),
        FILE_TEST(makes_dirs),
        FILE_TEST(removes_trees_but_not_through_links),
        FILE_TEST(refuses_trees_too_deep),
        FILE_TEST(writes_all_or_fails),
    };
    return RUN("file", tests);
}
