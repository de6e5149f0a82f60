/*
 * Operations of KV and R2 as isolates and the REST API could ask for them: the first byte chooses one, the
 * second says how much of the rest is the packed message; what follows is the body. Nothing is committed.
 */
#include "core/file.h"
#include "fuzz.h"
#include "product/kv/kv_product.h"
#include "product/r2/r2.h"

#include <stdlib.h>
#include <unistd.h>

static struct keeper_store kv_store, r2_store;

static void store_open(struct keeper_store *store, const struct keeper_engine *engine)
{
    char dir[] = "/tmp/selvedge-fuzz-XXXXXX";
    struct err err = {0};

    CHECK(mkdtemp(dir) != NULL);
    strcpy(store->path, dir);
    CHECK(engine->open(store->path, &store->open, &err) == 0);
    CHECK(file_remove_tree(-1, dir) == 0); /* the open files are enough */
}

static void run(const struct keeper_op *op, struct keeper_store *store, struct slice args,
                struct slice body)
{
    AUTO(arena_done) struct arena arena = {0};
    AUTO(json_release) json_t *parsed = NULL;
    struct keeper_call call = {.store = store,
                               .args = args,
                               .body = body,
                               .body_size = body.len,
                               .spool_fd = -1,
                               .reply_fd = -1,
                               .arena = &arena};
    op->run(&call);
    CHECK(call.result >= 0 || call.err.text[0] != '\0');
    if (call.result >= 0 && buf_len(&call.json) > 0) /* Keys may hold anything that is UTF-8. */
        CHECK(json_parse_nul(buf_slice(&call.json), &parsed, NULL) == 0);
    fd_release(&call.reply_fd);
    buf_done(&call.json);
    buf_done(&call.reply_body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (kv_store.open == NULL) {
        store_open(&kv_store, &kv_engine);
        store_open(&r2_store, &r2_engine);
    }
    struct slice rest = slice_from(data + 2, size - 2);
    struct slice args = slice_from(rest.ptr, MIN((size_t)data[1], rest.len));
    struct slice body = slice_skip(rest, args.len);
    unsigned n = data[0] % (KV_N_OPS + R2_N_OPS);
    bool is_kv = n < KV_N_OPS;
    const struct keeper_op *op = is_kv ? &kv_ops[n] : &r2_ops[n - KV_N_OPS];
    if (op->body == BODY_SPOOL && body.len > op->memory_max)
        return 0; /* would come in a file */
    const struct keeper_engine *engine = is_kv ? &kv_engine : &r2_engine;
    struct keeper_store *store = is_kv ? &kv_store : &r2_store;

    CHECK(engine->begin(store->open) == 0);
    /* Twice: the second finds what the first has left. */
    for (int i = 0; i < 2; i++)
        run(op, store, args, body);
    engine->rollback(store->open);
    return 0;
}
