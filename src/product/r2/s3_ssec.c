/*
 * S3: the headers of encryption with customers' keys. The key goes on to the keeper as hex, and nowhere else.
 */
#include "product/r2/s3_impl.h"

#include "core/base64.h"
#include "core/digest.h"

enum { S3_SSEC_KEY_SIZE = 32, S3_SSEC_MD5_SIZE = 16 };

#define S3_SSE "x-amz-server-side-encryption"
#define S3_SSEC "server-side-encryption-customer-"

static struct slice s3_ssec_header(struct s3 *s, const char *prefix, const char *name)
{
    const char *full = arena_printf(&s->req->arena, "%s" S3_SSEC "%s", prefix, name);
    return full == NULL ? SLICE("") : s3_header(s, full);
}

static bool s3_ssec_decode(struct s3 *s, struct slice text, size_t size, struct slice *ret)
{
    return base64_decode(&s->req->arena, text, BASE64_STANDARD, ret) == 0 && ret->len == size;
}

/* Every object is encrypted as R2 says of all; what else a client may ask for contradicts that, or itself. */
static int s3_sse_check(struct s3 *s, bool customer)
{
    struct slice kind = s3_header(s, S3_SSE);
    bool aes = slice_eq(kind, SLICE("AES256")), kms = slice_eq(kind, SLICE("aws:kms"));
    bool reads = slice_eq(s->req->method, SLICE("GET")) || slice_eq(s->req->method, SLICE("HEAD"));
    bool kms_key = s3_has_header(s, S3_SSE "-aws-kms-key-id");
    if (kind.len > 0 && (reads || customer || !(aes || kms)))
        return s3_fail(s, S3_INVALID_ARGUMENT);
    if (kms_key && !kms)
        return s3_fail(s, S3_INVALID_ARGUMENT);
    return kms ? s3_fail(s, S3_NOT_IMPLEMENTED) : 0;
}

#define S3_SSEC_MUST                                                                               \
    "Requests specifying Server Side Encryption with Customer provided keys must provide "

static int s3_ssec_check(struct s3 *s, struct slice algorithm, struct slice key, struct slice md5)
{
    if (algorithm.len == 0)
        return s3_fail_text(s, S3_SEAL_KEY, S3_SSEC_MUST "a valid encryption algorithm.");
    if (key.len == 0)
        return s3_fail_text(s, S3_SEAL_KEY, S3_SSEC_MUST "an appropriate secret key.");
    if (md5.len == 0)
        return s3_fail_text(s, S3_SEAL_KEY,
                            S3_SSEC_MUST "the client calculated MD5 of the secret key.");
    return slice_eq(algorithm, SLICE("AES256")) ? 0 : s3_fail(s, S3_INVALID_ENCRYPTION);
}

int s3_ssec(struct s3 *s, const char *prefix, const char *member, json_t *options)
{
    struct slice algorithm = s3_ssec_header(s, prefix, "algorithm");
    struct slice key = s3_ssec_header(s, prefix, "key"), md5 = s3_ssec_header(s, prefix, "key-md5");
    struct slice raw, said;
    uint8_t sum[DIGEST_MAX];
    char hex[2 * S3_SSEC_KEY_SIZE + 1];
    bool given = algorithm.len > 0 || key.len > 0 || md5.len > 0;
    int r = strcmp(prefix, "x-amz-") == 0 ? s3_sse_check(s, given) : 0;
    if (r == 0 && given)
        r = s3_ssec_check(s, algorithm, key, md5);
    if (r < 0 || !given)
        return r;
    if (!s3_ssec_decode(s, key, S3_SSEC_KEY_SIZE, &raw) ||
        !s3_ssec_decode(s, md5, S3_SSEC_MD5_SIZE, &said))
        return s3_fail(s, S3_SEAL_KEY);
    digest_of(DIGEST_MD5, raw, sum);
    if (!slice_eq(said, slice_from(sum, S3_SSEC_MD5_SIZE)))
        return s3_fail(s, S3_SEAL_KEY);
    hex_encode(raw.ptr, raw.len, hex);
    json_object_set_new(options, member, json_string(hex));
    secret_wipe(hex, sizeof(hex));
    return 0;
}

void s3_ssec_answer(struct s3 *s)
{
    struct slice md5 = s3_ssec_header(s, "x-amz-", "key-md5");
    if (md5.len == 0)
        return;
    s3_answer_header(s, "x-amz-" S3_SSEC "algorithm", "AES256");
    api_answer_header(s->req, "x-amz-" S3_SSEC "key-md5", md5);
}
