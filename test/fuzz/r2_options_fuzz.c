/*
 * Options of R2 calls: conditions, ranges, listings over a small bucket.
 */
#include "core/file.h"
#include "fuzz.h"
#include "product/r2/r2.h"

#include <stdlib.h>

static struct sql *bucket(void)
{
    static struct sql *db;
    if (db != NULL)
        return db;
    char dir[] = "/tmp/selvedge-fuzz-XXXXXX";
    CHECK(mkdtemp(dir) != NULL);
    CHECK(r2_index_open(dir, true, &db, NULL) == 0);
    CHECK(file_remove_tree(-1, dir) == 0); /* the open files are enough */
    CHECK(sql_begin(db, NULL) == 0);
    static const char *const keys[] = {"a", "a/b", "a/b/c", "a/c", "b", "\xc3\xa9/x"};
    struct sql_stmt *s = sql_cached(
        db,
        "INSERT INTO objects(key, version, size, etag, uploaded, http, custom, checksums, class) "
        "VALUES(?, 'v', 10, 'e', 1000, '{}', '{}', '{}', 'Standard')");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        sql_bind_text(s, 1, slice_of(keys[i]));
        CHECK(sql_run(s, NULL) == 0);
    }
    return db;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_release) json_t *options = NULL;
    AUTO(json_release) json_t *listed = NULL;
    AUTO(buf_done) struct buf out = {0};
    struct r2_row row = {.etag = SLICE("e"), .uploaded_ms = 1000, .size = 10};
    struct r2_span span;
    struct sql *db = bucket();
    if (json_parse(slice_from(data, size), &options, NULL) < 0)
        return 0;
    (void)r2_condition_of(json_object_get(options, "onlyIf"), &row);
    (void)r2_condition_of(json_object_get(options, "onlyIf"), NULL);
    if (r2_range_of(json_object_get(options, "range"), 10, &span, NULL) == 0)
        CHECK(span.offset <= 10 && span.offset + span.length <= 10);
    if (r2_list_json(db, options, &out, NULL) == 0)
        CHECK(json_parse(buf_slice(&out), &listed, NULL) == 0);
    return 0;
}
