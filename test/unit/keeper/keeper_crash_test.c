/*
 * A keeper in a child process is killed under load, again and again; every write it acknowledged is there
 * afterwards, and nothing else lies around.
 */
#include "keeper_test.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 3, UNDER_WAY = 48, LARGE = 40000, ACKS_MIN = 200 };

static struct {
    char root[64];
    struct loop *loop;
    struct peer peer;
    pid_t pid;
    struct answer answers[UNDER_WAY];
    unsigned kinds[UNDER_WAY], numbers[UNDER_WAY];
    unsigned next, acknowledged;
    struct buf kv, d1, r2; /* numbers that were acknowledged, per product */
    char large[LARGE];
} c;

/* In the child: until it is killed. */
static void child(int fd)
{
    struct loop *loop = loop_create();
    struct keeper_options options = {.root = c.root, .boot = "one", .n_threads = 4};
    struct keeper *k;
    if (keeper_create(loop, &options, &k, NULL) < 0)
        _exit(1);
    keeper_add_control(k, fd);
    loop_run(loop);
    _exit(0);
}

static void start(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    c.pid = fork();
    if (c.pid == 0) {
        close(pair[1]);
        child(pair[0]);
    }
    close(pair[0]);
    peer_connect(&c.peer, c.loop, pair[1]);
}

static void crash(void)
{
    kill(c.pid, SIGKILL);
    waitpid(c.pid, NULL, 0);
    while (!c.peer.closed)
        loop_turn(c.loop, 10);
    wire_destroy(c.peer.wire);
}

static void key_of(char *buf, size_t size, unsigned n)
{
    snprintf(buf, size, "key-%u", n);
}

static void send_next(unsigned slot)
{
    char key[32], body[128];
    unsigned n = c.numbers[slot] = c.next++;
    key_of(key, sizeof(key), n);
    switch (c.kinds[slot] = n % 4) {
    case 0:
        PACK(&args, kv_put, .binding = UINT32_MAX, .store = SLICE("kv/one"), .key = slice_of(key));
        call_start(&c.peer, OP_kv_put, &args, slice_of(key), &c.answers[slot]);
        break;
    case 1:
        snprintf(body, sizeof(body), "[{\"sql\":\"INSERT INTO t VALUES(%u, '%s')\"}]", n, key);
        PACK(&args, d1_run, .binding = UINT32_MAX, .store = SLICE("d1/one"));
        call_start(&c.peer, OP_d1_run, &args, slice_of(body), &c.answers[slot]);
        break;
    case 2:
    case 3:
        PACK(&args, r2_put, .binding = UINT32_MAX, .store = SLICE("r2/one"), .key = slice_of(key),
             .options = SLICE("{}"), .size = -1);
        call_start(&c.peer, OP_r2_put, &args,
                   n % 4 == 2 ? SLICE("small") : slice_from(c.large, LARGE), &c.answers[slot]);
        break;
    }
}

static void note(unsigned slot)
{
    struct answer *a = &c.answers[slot];
    if (a->reset == 0 && a->result == 0) {
        struct buf *list = c.kinds[slot] == 0 ? &c.kv : c.kinds[slot] == 1 ? &c.d1 : &c.r2;
        buf_append(list, &c.numbers[slot], sizeof(unsigned));
        c.acknowledged++;
    }
    answer_done(a);
    *a = (struct answer){0};
}

static void load_until_crash(unsigned acks)
{
    unsigned target = c.acknowledged + acks;
    for (unsigned i = 0; i < UNDER_WAY; i++)
        send_next(i);
    while (c.acknowledged < target) {
        loop_turn(c.loop, 10);
        for (unsigned i = 0; i < UNDER_WAY; i++) {
            if (!c.answers[i].over)
                continue;
            note(i);
            send_next(i);
        }
    }
    crash();
    for (unsigned i = 0; i < UNDER_WAY; i++)
        note(i);
}

static unsigned at(const struct buf *list, size_t i)
{
    unsigned n;
    memcpy(&n, buf_slice(list).ptr + i * sizeof(n), sizeof(n));
    return n;
}

static void verify_values(void)
{
    char key[32];
    for (size_t i = 0; i < buf_len(&c.kv) / sizeof(unsigned); i++) {
        key_of(key, sizeof(key), at(&c.kv, i));
        PACK(&args, kv_get, .store = SLICE("kv/one"), .key = slice_of(key));
        struct answer *a = call(&c.peer, OP_kv_get, &args, SLICE_NONE);
        assert_int_equal(a->result, 0);
        assert_string_equal(buf_cstr(&a->body), key);
    }
    for (size_t i = 0; i < buf_len(&c.r2) / sizeof(unsigned); i++) {
        unsigned n = at(&c.r2, i);
        key_of(key, sizeof(key), n);
        PACK(&args, r2_get, .store = SLICE("r2/one"), .key = slice_of(key));
        struct answer *a = call(&c.peer, OP_r2_get, &args, SLICE_NONE);
        assert_int_equal(a->result, 0);
        assert_int_equal(buf_len(&a->body), n % 4 == 2 ? 5 : LARGE);
    }
}

static void verify_rows(void)
{
    AUTO(json_release) json_t *parsed = NULL;
    PACK(&args, d1_run, .binding = UINT32_MAX, .store = SLICE("d1/one"));
    struct answer *a = call(
        &c.peer, OP_d1_run, &args,
        SLICE(
            "[{\"sql\":\"SELECT group_concat(a) AS l FROM t\"},{\"sql\":\"PRAGMA quick_check\"}]"));
    assert_int_equal(a->result, 0);
    assert_int_equal(json_parse(json_of(a), &parsed, NULL), 0);
    const json_t *row = json_array_get(json_object_get(json_array_get(parsed, 0), "results"), 0);
    AUTO(buf_done) struct buf all = {0};
    buf_printf(&all, ",%s,", json_str(row, "l", ""));
    const char *text = buf_cstr(&all);
    for (size_t i = 0; i < buf_len(&c.d1) / sizeof(unsigned); i++) {
        char one[32];
        snprintf(one, sizeof(one), ",%u,", at(&c.d1, i));
        assert_non_null(strstr(text, one));
    }
}

static void verify_spool(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/r2/one/spool", c.root);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    unsigned n = 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    assert_int_equal(n, 2);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void test_crash(void **state)
{
    (void)state;
    static const char *const stores[] = {"kv/one", "d1/one", "r2/one"};
    snprintf(c.root, sizeof(c.root), "/tmp/selvedge-crash-XXXXXX");
    assert_non_null(mkdtemp(c.root));
    c.loop = loop_create();
    start();
    for (size_t i = 0; i < ARRAY_LEN(stores); i++) {
        PACK(&args, store_make, .store = slice_of(stores[i]));
        assert_int_equal(call(&c.peer, OP_store_make, &args, SLICE_NONE)->result, 0);
    }
    PACK(&args, d1_run, .binding = UINT32_MAX, .store = SLICE("d1/one"));
    assert_int_equal(call(&c.peer, OP_d1_run, &args,
                          SLICE("[{\"sql\":\"CREATE TABLE t(a INTEGER PRIMARY KEY, b)\"}]"))
                         ->result,
                     0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        load_until_crash(ACKS_MIN + 37 * round);
        start();
        verify_values();
        verify_rows();
        verify_spool();
    }
    print_message("%u acknowledged writes survived %d kills\n", c.acknowledged, ROUNDS);
    crash();
    loop_destroy(c.loop);
    buf_done(&c.kv);
    buf_done(&c.d1);
    buf_done(&c.r2);
    nftw(c.root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int keeper_crash_tests(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crash)};
    return cmocka_run_group_tests_name("keeper crash", tests, NULL, NULL);
}
