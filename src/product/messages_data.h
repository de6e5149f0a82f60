/*
 * Messages to the keeper: from isolates (binding index, no store) and from control (store by name).
 *
 * Every answer is `done`: result is a negative errno or >= 0; text is the sentence for the client; json is
 * the product's answer. Rows with a body say so. Writes are answered when they are durable.
 */
#pragma once

/* clang-format off */
#define MESSAGES_DATA(M, F)                                                                        \
    M(done,         KEEPER, ISOLATE, F(i64, result) F(bytes, text) F(bytes, json) /* REPLY, body for reads */) \
    M(store_make,   CONTROL, KEEPER, F(bytes, store) /* S: directories and files exist afterwards */) \
    M(store_drop,   CONTROL, KEEPER, F(bytes, store) /* S */)                                      \
    M(store_copy,   CONTROL, KEEPER, F(bytes, store) F(bytes, backup) /* S: a copy under .backup/<backup>/<store> */) \
    M(store_info,   CONTROL, KEEPER, F(bytes, store) /* S: json with sizes and counts */)          \
    M(kv_put,       ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, key) F(bytes, metadata) \
                                     F(i64, expiration_s) /* S, body: the value */)                \
    M(kv_delete,    ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, key) /* S */)        \
    M(kv_get,       CONTROL, KEEPER, F(bytes, store) F(bytes, key) /* S: json {expiration, metadata}, body */) \
    M(kv_list,      CONTROL, KEEPER, F(bytes, store) F(bytes, prefix) F(bytes, cursor) F(u32, limit) /* S */) \
    M(kv_bulk,      CONTROL, KEEPER, F(bytes, store) F(u8, kind) /* S, body: JSON as the REST API has it; 1 put 2 delete 3 get */) \
    M(d1_run,       ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(u32, flags) /* S, body: JSON [{sql, params}]; json: results */) \
    M(d1_export,    CONTROL, KEEPER, F(bytes, store) F(bytes, options) /* S, body: SQL text */)    \
    M(d1_at,        CONTROL, KEEPER, F(bytes, store) F(i64, time_ms) /* S: json {bookmark} of the state at that time */) \
    M(d1_restore,   CONTROL, KEEPER, F(bytes, store) F(bytes, bookmark) /* S: json {bookmark, previous_bookmark} */) \
    M(d1_usage,     ISOLATE, KEEPER, F(u32, binding) F(bytes, store) /* S, body: JSON [[sql, runs, us, rows read, rows returned]] of reads in place */) \
    M(d1_figures,   CONTROL, KEEPER, F(bytes, store) F(i64, from_hour) F(i64, to_hour) F(bytes, order) F(u32, limit) /* S: json of product/d1/d1_usage.h */) \
    M(r2_put,       ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, key) F(bytes, options) F(i64, size) /* S, body */) \
    M(r2_delete,    ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, keys) /* S: JSON array */) \
    M(r2_get,       CONTROL, KEEPER, F(bytes, store) F(bytes, key) F(bytes, options) /* S: json object, body */) \
    M(r2_list,      CONTROL, KEEPER, F(bytes, store) F(bytes, options) /* S */)                    \
    M(r2_multipart_create, ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, key) F(bytes, options) /* S: json {key, uploadId} */) \
    M(r2_multipart_part, ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, key) F(bytes, upload) F(u32, number) F(bytes, options) \
                                     F(i64, size) /* S, body; json {partNumber, etag} */)          \
    M(r2_multipart_complete, ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, key) F(bytes, upload) F(bytes, parts) \
                                     F(bytes, options) /* S: parts is JSON [{partNumber, etag}]; json: object */) \
    M(r2_multipart_abort, ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, key) F(bytes, upload) /* S */) \
    M(r2_multipart_list, CONTROL, KEEPER, F(bytes, store) F(bytes, options) /* S */)               \
    M(r2_copy,      CONTROL, KEEPER, F(bytes, store) F(bytes, key) F(bytes, options) /* S: json object or part */) \
    M(r2_setting,   CONTROL, KEEPER, F(bytes, store) F(bytes, name) F(bytes, value) /* S: "" asks, "null" removes; json: the value */) \
    M(alarm_set,    ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, object) F(u64, epoch) F(i64, time_ms) /* S: wake it then; -1 = never */) \
    M(object_lease, ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, object) /* S: result: the epoch under which it may write */) \
    M(object_commit, ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, object) F(u64, epoch) F(bytes, records) \
                                     /* S: records of store/log_record.h without a name; result 1: settle soon */) \
    M(object_settled, ISOLATE, KEEPER, F(u32, binding) F(bytes, store) F(bytes, object) F(u64, epoch) F(u8, clean) F(u8, over) \
                                     /* NOTE: clean: all of it is in the object's file; over: the lease ends */) \
    M(object_settle, KEEPER, ISOLATE, F(bytes, object) /* NOTE: the log waits for it */)            \
    M(objects_list, CONTROL, KEEPER, F(bytes, store) F(bytes, cursor) F(u32, limit) /* S: json [{id, hasStoredData}] */)
/* clang-format on */

/* d1_run.flags. The answer is an array, one {results, success, meta} per statement (a sql may hold several);
 * all statements of one message are one transaction. An answer that does not fit the reply's json (it may
 * be larger than a payload) comes as the reply's body instead. The same holds for kv_bulk. */
enum {
    D1_ROWS_AND_COLUMNS = 1, /* results is {columns, rows} */
    D1_NO_RESULTS = 2,       /* for imports: one {num_queries, success, meta} for all */
    D1_MANY = 4,             /* each sql may hold several statements; always so for control */
    D1_LONG = 8              /* for control: may take ten minutes instead of half of one */
};
/* JSON of R2: options of r2_put {httpMetadata{contentType, contentLanguage, contentDisposition,
 * contentEncoding, cacheControl, cacheExpiry (ms)}, customMetadata, storageClass, onlyIf, md5…}; an object is
 * {key, version, size, etag, uploaded (ms), httpMetadata, customMetadata, storageClass, checksums}; options of
 * r2_list {prefix, delimiter, cursor, startAfter, limit}, answer {objects, truncated, cursor,
 * delimitedPrefixes}; r2_put and r2_get answer an object. A write whose onlyIf does not hold answers result 1, a
 * read 1 (412) or 2 (304). Options of r2_get {onlyIf, range, head}; of r2_multipart_complete {onlyIf}; of
 * r2_multipart_list {key, upload, after, limit} for {upload, parts, truncated}, without upload {prefix, delimiter,
 * keyMarker, uploadMarker, limit} for {uploads, delimitedPrefixes, truncated, nextKey, nextUpload}; of r2_copy
 * {bucket, key, sourceIf, range, onlyIf, replace, httpMetadata, customMetadata, storageClass, upload, part}. Keys of
 * customers travel in options as ssecKey (hex), that of a copy's source as sourceSsecKey. r2_setting knows the names
 * of product/r2/r2_rules.h. */
