/*
 * Feeds every file of the given directories to the fuzz target it is linked with, so that the
 * corpus (seeds, and every input that once broke something) runs as an ordinary test.
 */
#include "core/file.h"
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { CORPUS_FILE_MAX = 16 * 1024 * 1024 };

static bool corpus_run_file(int dir_fd, const char *name)
{
    AUTO(buf_done) struct buf content = {0};
    int r = file_read(dir_fd, name, CORPUS_FILE_MAX, &content);
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", name, strerror(-r));
        return false;
    }
    /* An exact copy on the heap, so that a sanitizer sees a read past the end. */
    AUTO(mem_release) uint8_t *exact = mem_new(buf_len(&content));
    if (buf_len(&content) > 0)
        memcpy(exact, buf_slice(&content).ptr, buf_len(&content));
    (void)LLVMFuzzerTestOneInput(exact, buf_len(&content)); /* always 0 */
    return true;
}

static bool corpus_run(const char *path, unsigned *n)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        perror(path);
        return false;
    }
    bool ok = true;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        ok &= corpus_run_file(dirfd(dir), e->d_name);
        (*n)++;
    }
    closedir(dir);
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = true;
    unsigned n = 0;
    for (int i = 1; i < argc; i++)
        ok &= corpus_run(argv[i], &n);
    printf("%u inputs\n", n);
    return ok && n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
