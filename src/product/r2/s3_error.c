/*
 * S3: what errors are called, and which of the keeper's numbers is which.
 * https://developers.cloudflare.com/r2/api/error-codes/
 */
#include "product/r2/s3_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { S3_TEXT_MAX = 512 };

static const struct s3_error_row {
    const char *code;
    int status;
    const char *text;
} s3_errors[] = {
    [S3_ACCESS_DENIED] = {"AccessDenied", 403, "Access Denied"},
    [S3_BAD_DIGEST] = {"BadDigest", 400,
                       "The checksum you specified did not match what we received."},
    [S3_BUCKET_EXISTS] = {"BucketAlreadyOwnedByYou", 409,
                          "The bucket you tried to create already exists, and you own it."},
    [S3_BUCKET_NOT_EMPTY] = {"BucketNotEmpty", 409, "The bucket you tried to delete is not empty."},
    [S3_CORS_BAD] = {"BadRequest", 400, "Insufficient information. Origin request header needed."},
    [S3_CORS_FORBIDDEN] = {"AccessForbidden", 403,
                           "CORSResponse: This CORS request is not allowed."},
    [S3_ENTITY_TOO_LARGE] = {"EntityTooLarge", 400,
                             "Your proposed upload exceeds the maximum allowed object size."},
    [S3_ENTITY_TOO_SMALL] = {"EntityTooSmall", 400,
                             "Your proposed upload is smaller than the minimum allowed object "
                             "size."},
    [S3_EXPIRED] = {"ExpiredRequest", 403, "Request has expired"},
    [S3_INCOMPLETE_BODY] = {"IncompleteBody", 400,
                            "The request body terminated unexpectedly or is not framed as its "
                            "headers say."},
    [S3_INTERNAL] = {"InternalError", 500, "We encountered an internal error. Please try again."},
    [S3_INVALID_ACCESS_KEY] = {"InvalidAccessKeyId", 403,
                               "The access key ID you provided does not exist in our records."},
    [S3_INVALID_ARGUMENT] = {"InvalidArgument", 400, "Invalid Argument"},
    [S3_INVALID_BUCKET_NAME] = {"InvalidBucketName", 400,
                                "The specified bucket name is not valid."},
    [S3_INVALID_DIGEST] = {"InvalidDigest", 400, "A checksum header is not valid."},
    [S3_INVALID_ENCRYPTION] = {"InvalidEncryptionAlgorithmError", 400,
                               "The encryption request that you specified is not valid. The valid "
                               "value is AES256."},
    [S3_INVALID_PART] = {"InvalidPart", 400,
                         "One or more of the specified parts could not be found."},
    [S3_INVALID_PART_ORDER] = {"InvalidPartOrder", 400,
                               "The list of parts was not in ascending order."},
    [S3_INVALID_RANGE] = {"InvalidRange", 416, "The requested range is not satisfiable"},
    [S3_INVALID_REQUEST] = {"InvalidRequest", 400, "The request is not valid."},
    [S3_INVALID_STORAGE_CLASS] = {"InvalidStorageClass", 400,
                                  "The storage class you specified is not valid."},
    [S3_INVALID_TOKEN] = {"InvalidArgument", 400, "The continuation token is not valid."},
    [S3_KEY_TOO_LONG] = {"KeyTooLongError", 400, "Your key is too long."},
    [S3_LOCKED] = {"ObjectLockedByBucketPolicy", 403,
                   "The object is locked by the bucket's lock rules."},
    [S3_MALFORMED_AUTH] = {"AuthorizationHeaderMalformed", 400,
                           "The authorization that you provided is not valid."},
    [S3_MALFORMED_XML] = {"MalformedXML", 400, "The XML you provided was not well-formed."},
    [S3_METADATA_TOO_LARGE] = {"MetadataTooLarge", 400,
                               "Your metadata headers exceed the maximum allowed metadata size."},
    [S3_MISSING_LENGTH] = {"MissingContentLength", 411,
                           "You must provide the Content-Length HTTP header."},
    [S3_NO_ROUTE] = {"RouteNotFound", 404, "No route matches this url."},
    [S3_NO_SPACE] = {"ServiceUnavailable", 503,
                     "There is no space left to store this. Free space on the server's disk."},
    [S3_NOT_SEALED] = {"InvalidRequest", 400,
                       "The encryption parameters are not applicable to this object."},
    [S3_NO_SUCH_BUCKET] = {"NoSuchBucket", 404, "The specified bucket does not exist."},
    [S3_NO_SUCH_CORS] = {"NoSuchCORSConfiguration", 404, "The CORS configuration does not exist."},
    [S3_NO_SUCH_KEY] = {"NoSuchKey", 404, "The specified key does not exist."},
    [S3_NO_SUCH_LIFECYCLE] = {"NoSuchLifecycleConfiguration", 404,
                              "The lifecycle configuration does not exist."},
    [S3_NO_SUCH_LOCK] = {"ObjectLockConfigurationNotFoundError", 404,
                         "Object Lock configuration does not exist for this bucket"},
    [S3_NO_SUCH_REPLICATION] = {"ReplicationConfigurationNotFoundError", 404,
                                "The replication configuration was not found"},
    [S3_NO_SUCH_TAGS] = {"NoSuchTagSet", 404, "The TagSet does not exist"},
    [S3_NO_SUCH_UPLOAD] = {"NoSuchUpload", 404, "The specified multipart upload does not exist."},
    [S3_NOT_IMPLEMENTED] = {"NotImplemented", 501, "This operation is not implemented."},
    [S3_PART_LENGTHS] = {"InvalidPart", 400, "All non-trailing parts must have the same length."},
    [S3_PRECONDITION_FAILED] = {"PreconditionFailed", 412,
                                "At least one of the pre-conditions you specified did not hold."},
    [S3_SEALED] = {"InvalidRequest", 400,
                   "The object was stored using a form of Server Side Encryption. The correct "
                   "parameters must be provided to retrieve the object."},
    [S3_SEAL_KEY] = {"InvalidRequest", 400,
                     "The encryption key is missing, malformed, not applicable, or not the one "
                     "that the object was stored with."},
    [S3_SHA256_MISMATCH] = {"XAmzContentSHA256Mismatch", 400,
                            "The provided x-amz-content-sha256 header does not match what was "
                            "computed."},
    [S3_SIGNATURE] = {"SignatureDoesNotMatch", 403,
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your secret access key and signing method."},
    [S3_TIME_SKEWED] = {"RequestTimeTooSkewed", 403,
                        "The difference between the request time and the server's time is too "
                        "large."},
};

static const struct {
    int code;
    enum s3_error error;
} s3_numbers[] = {
    {10004, S3_BUCKET_EXISTS},
    {10005, S3_INVALID_BUCKET_NAME},
    {10006, S3_NO_SUCH_BUCKET},
    {10007, S3_NO_SUCH_KEY},
    {10008, S3_BUCKET_NOT_EMPTY},
    {10011, S3_ENTITY_TOO_SMALL},
    {10012, S3_METADATA_TOO_LARGE},
    {10020, S3_KEY_TOO_LONG},
    {10024, S3_NO_SUCH_UPLOAD},
    {10025, S3_INVALID_PART},
    {10029, S3_INVALID_ARGUMENT},
    {10037, S3_BAD_DIGEST},
    {10069, S3_LOCKED},
    {10090, S3_SEALED},
    {10091, S3_SEAL_KEY},
    {10092, S3_NOT_SEALED},
    {10039, S3_INVALID_RANGE},
    {10048, S3_PART_LENGTHS},
    {100100, S3_ENTITY_TOO_LARGE},
};

static int s3_fail_xml(struct s3 *s, enum s3_error error, const char *text, struct slice more)
{
    const struct s3_error_row *row = &s3_errors[error];
    AUTO(buf_done) struct buf out = {0};
    buf_printf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>%s</Code>", row->code);
    s3_xml_element(&out, "Message", text);
    buf_append_slice(&out, SLICE("<Resource>"));
    s3_xml_text(&out, s->path);
    buf_printf(&out, "</Resource><RequestId>%s</RequestId>", s->req->id);
    buf_append_slice(&out, more);
    buf_append_slice(&out, SLICE("</Error>"));
    bool head = slice_eq(s->req->method, SLICE("HEAD"));
    api_raw(s->req, row->status, "application/xml", head ? SLICE("") : buf_slice(&out));
    return -ECANCELED;
}

int s3_fail(struct s3 *s, enum s3_error error)
{
    return s3_fail_xml(s, error, s3_errors[error].text, SLICE(""));
}

int s3_fail_text(struct s3 *s, enum s3_error error, const char *format, ...)
{
    char text[S3_TEXT_MAX]; /* what clients sent may be cut short in it */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return s3_fail_xml(s, error, text, SLICE(""));
}

int s3_fail_more(struct s3 *s, enum s3_error error, struct slice more)
{
    return s3_fail_xml(s, error, s3_errors[error].text, more);
}

/* The number in parentheses that ends the keeper's sentences, else the error's own. */
static int s3_number(const struct err *err)
{
    const char *open = strrchr(err->text, '(');
    char *end = NULL;
    long n = open == NULL ? 0 : strtol(open + 1, &end, 10);
    return n > 0 && n < INT32_MAX && strcmp(end, ")") == 0 ? (int)n : err->code;
}

static enum s3_error s3_error_of(int r, const struct err *err)
{
    int number = s3_number(err);
    for (size_t i = 0; i < ARRAY_LEN(s3_numbers); i++) {
        if (s3_numbers[i].code == number)
            return s3_numbers[i].error;
    }
    return r == -ENOENT ? S3_NO_SUCH_BUCKET : r == -ENOSPC ? S3_NO_SPACE : S3_INTERNAL;
}

int s3_fail_err(struct s3 *s, int r, const struct err *err)
{
    return s3_fail(s, s3_error_of(r, err));
}
