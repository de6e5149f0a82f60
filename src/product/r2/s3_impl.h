/*
 * Shared by the files of S3: s3.c (dispatch), s3_error.c, s3_sign.c (signatures), s3_body.c (chunked bodies),
 * s3_checksum.c, s3_xml.c, and the operations in s3_bucket.c, s3_list.c, s3_object.c, s3_multipart.c.
 *
 * An operation answers and returns 0, or fails with s3_fail(), which answers too.
 */
#pragma once

#include "api/request.h"
#include "product/r2/s3.h"
#include "product/store_call.h"

/* --- r2_api.c --- */
NODISCARD int r2_bucket_find(struct api_request *req, const char *name, json_t **ret,
                             struct err *err);
/* body: {name, storageClass, locationHint}; *ret_name is the body's. */
NODISCARD int r2_bucket_make(struct api_request *req, const json_t *body, const char **ret_name,
                             struct err *err);
NODISCARD int r2_bucket_drop(struct api_request *req, const char *name, struct err *err);

enum {
    S3_KEYS_MAX = 1000,
    S3_PARTS_MAX = 10000,
    S3_XML_BODY_MAX = 16 * 1024 * 1024,
    S3_SIGNATURE_SIZE = 65,
    S3_CHECKSUM_MAX = 32
};
#define S3_XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

enum s3_error {
    S3_ACCESS_DENIED,
    S3_BAD_DIGEST,
    S3_BUCKET_EXISTS,
    S3_BUCKET_NOT_EMPTY,
    S3_CORS_BAD,
    S3_CORS_FORBIDDEN,
    S3_ENTITY_TOO_LARGE,
    S3_ENTITY_TOO_SMALL,
    S3_EXPIRED,
    S3_INCOMPLETE_BODY,
    S3_INTERNAL,
    S3_INVALID_ACCESS_KEY,
    S3_INVALID_ARGUMENT,
    S3_INVALID_BUCKET_NAME,
    S3_INVALID_DIGEST,
    S3_INVALID_ENCRYPTION,
    S3_INVALID_PART,
    S3_INVALID_PART_ORDER,
    S3_INVALID_RANGE,
    S3_INVALID_REQUEST,
    S3_INVALID_STORAGE_CLASS,
    S3_INVALID_TOKEN,
    S3_KEY_TOO_LONG,
    S3_LOCKED,
    S3_MALFORMED_AUTH,
    S3_MALFORMED_XML,
    S3_METADATA_TOO_LARGE,
    S3_MISSING_LENGTH,
    S3_NO_ROUTE,
    S3_NO_SPACE,
    S3_NO_SUCH_CORS,
    S3_NO_SUCH_LIFECYCLE,
    S3_NO_SUCH_BUCKET,
    S3_NO_SUCH_KEY,
    S3_NO_SUCH_LOCK,
    S3_NO_SUCH_REPLICATION,
    S3_NO_SUCH_TAGS,
    S3_NO_SUCH_UPLOAD,
    S3_NOT_IMPLEMENTED,
    S3_NOT_SEALED,
    S3_PART_LENGTHS,
    S3_PRECONDITION_FAILED,
    S3_SEALED,
    S3_SEAL_KEY,
    S3_SHA256_MISMATCH,
    S3_SIGNATURE,
    S3_TIME_SKEWED,
};

/* What a signature was made with; chunks continue from it. */
struct s3_auth {
    struct slice payload; /* x-amz-content-sha256, or UNSIGNED-PAYLOAD */
    struct slice date, scope;
    uint8_t key[32];
    char signature[S3_SIGNATURE_SIZE];
};

/* One request. Slices live in the request's arena. */
struct s3 {
    struct api_request *req;
    struct slice path;  /* as sent, without query */
    const char *bucket; /* "" = none */
    struct slice key;   /* decoded; len 0 = none */
    const char *store;  /* "r2/<bucket>" */
    struct s3_auth auth;
    struct slice body; /* without chunk framing, verified */
    struct slice trailers;
    json_t *session; /* owned: claims of temporary credentials; NULL = none */
};

/* --- s3_error.c: each answers, and returns -ECANCELED --- */
int s3_fail(struct s3 *s, enum s3_error error);
__attribute__((format(printf, 3, 4))) int s3_fail_text(struct s3 *s, enum s3_error error,
                                                       const char *format, ...);
int s3_fail_more(struct s3 *s, enum s3_error error, struct slice more); /* more: XML elements */
/* The error of a failed call, by its number. */
int s3_fail_err(struct s3 *s, int r, const struct err *err);

/* --- s3.c --- */
struct slice s3_header(const struct s3 *s, const char *name);
bool s3_has_header(const struct s3 *s, const char *name);
const char *s3_query(const struct s3 *s, const char *name); /* NULL when absent */
int s3_xml(struct s3 *s, struct buf *out);                  /* answers 200 */
int s3_empty(struct s3 *s, int status);
void s3_answer_header(struct s3 *s, const char *name, const char *value);
/* Calls the keeper; answers the error. */
NODISCARD int s3_call(struct s3 *s, struct store_call *call, struct store_reply *ret);

/* --- s3_sign.c: 0 or an answered failure --- */
NODISCARD int s3_sign_check(struct s3 *s);
void s3_hmac_hex(const struct s3_auth *auth, struct slice text, char ret[S3_SIGNATURE_SIZE]);
void s3_sha256_hex(struct slice text, char ret[S3_SIGNATURE_SIZE]);

/* --- s3_temporary.c --- */
int s3_api_temporary(struct api_request *req, struct err *err);
/* With a session token: sets s->session and the secret that goes with it. */
NODISCARD int s3_session_secret(struct s3 *s, struct slice key_id,
                                char io_secret[TOKEN_SECRET_SIZE]);
/* True without a session. on_bucket: makes, removes or lists buckets. */
bool s3_session_allows(const struct s3 *s, bool edits, bool on_bucket);
/* Without lists of its own a session covers all of its bucket. */
bool s3_session_covers(const struct s3 *s, const char *bucket, struct slice key);

/* --- s3_body.c: takes the body as its headers say, and verifies it --- */
NODISCARD int s3_body_take(struct s3 *s);
/* Removes the framing of aws-chunked from bytes in place. Signatures are verified when auth is not NULL.
 * -EBADMSG when it is malformed, -EACCES when a signature does not match. */
NODISCARD int s3_chunks_decode(const struct s3_auth *auth, char *bytes, size_t len, size_t *ret_len,
                               struct slice *ret_trailers);

/* --- s3_checksum.c --- */
struct s3_algorithm {
    const char *name;    /* "crc32" */
    const char *header;  /* "x-amz-checksum-crc32" */
    const char *element; /* "ChecksumCRC32" */
    size_t size;
    void (*run)(struct slice data, uint8_t *ret);
};
extern const struct s3_algorithm s3_algorithms[];
extern const size_t s3_n_algorithms;
/* Verifies what headers or trailers give (and Content-MD5); adds it to options and to the answer. */
NODISCARD int s3_checksums(struct s3 *s, json_t *options);
/* What the bucket keeps of an object's checksums, as header fields of the answer or (out) as elements. */
void s3_checksums_show(struct s3 *s, const json_t *sums, struct buf *out);
/* options.checksum of an upload that begins, from its headers; answers them too. */
NODISCARD int s3_checksum_begin(struct s3 *s, json_t *options);
/* options.checksum of an upload that is completed. */
void s3_checksum_claim(struct s3 *s, json_t *options);
/* The base64 text of an element such as ChecksumSHA256, as hex below its algorithm's name. */
void s3_checksum_element(struct s3 *s, struct slice name, struct slice text, json_t *ret_sums);

/* --- s3_config.c: settings of a bucket (product/r2/r2_rules.h) --- */
/* Asks for a setting, or stores it (value not NULL; JSON null removes it). *ret (NULL = not wanted) is a new reference
 * or NULL when it is not set. */
NODISCARD int r2_setting_call(struct api_request *req, const char *store, const char *name,
                              const json_t *value, json_t **ret, struct err *err);
int s3_cors_get(struct s3 *s);
int s3_cors_put(struct s3 *s);
int s3_cors_delete(struct s3 *s);
int s3_lifecycle_get(struct s3 *s);
int s3_lifecycle_put(struct s3 *s);
int s3_lifecycle_delete(struct s3 *s);
int s3_preflight(struct s3 *s);
/* Header fields for a request with an Origin. */
NODISCARD int s3_cors_apply(struct s3 *s);

/* --- s3_ssec.c --- */
/* The customer's key in headers, as options[member]: with prefix "x-amz-" or "x-amz-copy-source-". */
NODISCARD int s3_ssec(struct s3 *s, const char *prefix, const char *member, json_t *options);
void s3_ssec_answer(struct s3 *s); /* says again which key was used */

/* --- s3_text.c: RFC 2047 --- */
json_t *s3_text_decode(struct s3 *s, struct slice value);
const char *s3_text_encode(struct s3 *s, const char *value); /* as it is when it is ASCII */

/* --- s3_xml.c --- */
void s3_xml_text(struct buf *out, struct slice text); /* escaped */
void s3_xml_element(struct buf *out, const char *name, const char *value);
void s3_xml_number(struct buf *out, const char *name, int64_t value);
void s3_xml_time(struct buf *out, const char *name, int64_t wall_ms);
void s3_xml_etag(struct buf *out, const char *etag);

struct s3_xml_reader {
    struct slice rest;
    struct buf text; /* of the innermost element */
    struct slice open[8];
    unsigned depth; /* of the element that was just closed: the root is 1 */
    struct slice name;
    bool seen_root;
};
/* The next end of an element: 1, then name, depth and text are its own; 0 at the end; -EBADMSG. */
NODISCARD int s3_xml_next(struct s3_xml_reader *x);
void s3_xml_done(struct s3_xml_reader *x);

/* --- operations --- */
int s3_list_buckets(struct s3 *s);
int s3_bucket_create(struct s3 *s);
int s3_bucket_head(struct s3 *s);
int s3_bucket_delete(struct s3 *s);
int s3_bucket_location(struct s3 *s);
int s3_bucket_versioning(struct s3 *s);
int s3_bucket_encryption(struct s3 *s);
int s3_delete_objects(struct s3 *s);
int s3_list_v1(struct s3 *s);
int s3_list_v2(struct s3 *s);
int s3_list_versions(struct s3 *s);
int s3_list_uploads(struct s3 *s);
int s3_object_get(struct s3 *s); /* and HEAD */
int s3_object_put(struct s3 *s);
int s3_object_delete(struct s3 *s);
int s3_object_copy(struct s3 *s);
int s3_multipart_create(struct s3 *s);
int s3_multipart_part(struct s3 *s);
int s3_multipart_part_copy(struct s3 *s);
int s3_multipart_complete(struct s3 *s);
int s3_multipart_abort(struct s3 *s);
int s3_multipart_parts(struct s3 *s);

/* s3_object.c: what others need of it. */
NODISCARD int s3_put_check(struct s3 *s);
json_t *s3_put_options(struct s3 *s); /* metadata and storage class of the headers */
/* If-Match and so on, with a prefix ("x-amz-copy-source-"); NULL when there is none. */
json_t *s3_condition(struct s3 *s, const char *prefix);
/* {bucket, key, sourceIf} of x-amz-copy-source; NULL after an answered failure. */
json_t *s3_copy_source(struct s3 *s);
json_t *s3_range(struct slice text); /* NULL when absent or not understood */
const char *s3_class(const json_t *object);
