/*
 * The body of a D1 call, as an isolate could send it: JSON, statements, parameters. The answer is JSON.
 */
#include "fuzz.h"
#include "product/d1/d1.h"

enum { BODY_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct d1_store store;
    AUTO(buf_done) struct buf out = {0};
    struct err err = {0};
    if (size == 0 || size > BODY_MAX)
        return 0;
    if (store.db == NULL)
        CHECK(sql_open(":memory:", SQL_WRITE | SQL_TENANT, &store.db, NULL) == 0);
    CHECK(sql_begin(store.db, NULL) == 0);
    unsigned flags =
        D1_FLAG_BRIEF | (data[0] & 1 ? D1_FLAG_ONE : 0u) | (data[0] & 2 ? D1_ROWS_AND_COLUMNS : 0u);
    int r = d1_run_json(&store, slice_from(data + 1, size - 1), flags, &out, &err);
    if (r == 0) {
        AUTO(json_release) json_t *parsed = NULL;
        /* Text that is no UTF-8 is the only thing that a JSON parser may dislike about rows. */
        CHECK(buf_len(&out) > 0 && buf_slice(&out).ptr[0] == '[');
        (void)(json_parse(buf_slice(&out), &parsed, NULL) < 0);
    } else {
        CHECK(err.text[0] != 0);
    }
    sql_rollback(store.db);
    return 0;
}
