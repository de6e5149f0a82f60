/*
 * Checksums that S3 clients send: CRC-32, CRC-32C, CRC-64/NVME, SHA-1, SHA-256, and Content-MD5.
 */
#include "product/r2/s3_impl.h"

#include "core/base64.h"
#include "core/digest.h"

#include <pthread.h>

/* Reflected polynomials. */
#define S3_CRC32 0xEDB88320u
#define S3_CRC32C 0x82F63B78u
#define S3_CRC64NVME 0x9A6C9329AC4BC9B5ull

enum { S3_CRC_TABLES = 3 };

static uint64_t s3_tables[S3_CRC_TABLES][256];

static void s3_tables_fill(void)
{
    static const uint64_t polynomials[] = {S3_CRC32, S3_CRC32C, S3_CRC64NVME};
    for (size_t t = 0; t < S3_CRC_TABLES; t++) {
        for (unsigned i = 0; i < 256; i++) {
            uint64_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = (c & 1) != 0 ? polynomials[t] ^ (c >> 1) : c >> 1;
            s3_tables[t][i] = c;
        }
    }
}

static void s3_crc(unsigned table, size_t size, struct slice data, uint8_t *ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, s3_tables_fill);
    const uint64_t *t = s3_tables[table];
    uint64_t mask = size == 8 ? UINT64_MAX : UINT32_MAX, c = mask;
    for (size_t i = 0; i < data.len; i++)
        c = t[(uint8_t)(c ^ (uint8_t)data.ptr[i])] ^ (c >> 8);
    c ^= mask;
    for (size_t i = 0; i < size; i++)
        ret[i] = (uint8_t)(c >> (8 * (size - 1 - i)));
}

static void s3_crc32(struct slice data, uint8_t *ret)
{
    s3_crc(0, 4, data, ret);
}

static void s3_crc32c(struct slice data, uint8_t *ret)
{
    s3_crc(1, 4, data, ret);
}

static void s3_crc64nvme(struct slice data, uint8_t *ret)
{
    s3_crc(2, 8, data, ret);
}

static void s3_md5(struct slice data, uint8_t *ret)
{
    digest_of(DIGEST_MD5, data, ret);
}

static void s3_sha1(struct slice data, uint8_t *ret)
{
    digest_of(DIGEST_SHA1, data, ret);
}

static void s3_sha256(struct slice data, uint8_t *ret)
{
    digest_of(DIGEST_SHA256, data, ret);
}

const struct s3_algorithm s3_algorithms[] = {
    {"crc32", "x-amz-checksum-crc32", 4, s3_crc32},
    {"crc32c", "x-amz-checksum-crc32c", 4, s3_crc32c},
    {"crc64nvme", "x-amz-checksum-crc64nvme", 8, s3_crc64nvme},
    {"sha1", "x-amz-checksum-sha1", 20, s3_sha1},
    {"sha256", "x-amz-checksum-sha256", 32, s3_sha256},
    {"md5", "content-md5", 16, s3_md5},
};
const size_t s3_n_algorithms = ARRAY_LEN(s3_algorithms);

static struct slice s3_trailer(const struct s3 *s, const char *wanted)
{
    struct slice rest = s->trailers;
    while (rest.len > 0) {
        struct slice value = slice_trim(slice_cut(&rest, '\n')), name = slice_cut(&value, ':');
        if (slice_eq_nocase(slice_trim(name), slice_of(wanted)))
            return slice_trim(value);
    }
    return SLICE("");
}

static int s3_checksum(struct s3 *s, const struct s3_algorithm *a, struct slice text,
                       json_t *options)
{
    uint8_t sum[DIGEST_MAX];
    char hex[2 * S3_CHECKSUM_MAX + 1];
    struct slice given;
    if (base64_decode(&s->req->arena, text, BASE64_STANDARD, &given) < 0 || given.len != a->size)
        return s3_fail(s, S3_INVALID_DIGEST);
    a->run(s->body, sum);
    if (!slice_eq(given, slice_from(sum, a->size)))
        return s3_fail(s, S3_BAD_DIGEST);
    json_object_set_new(options, a->name, json_string(hex_encode(sum, a->size, hex)));
    if (a->run != s3_md5)
        api_answer_header(s->req, a->header, text);
    return 0;
}

int s3_checksums(struct s3 *s, json_t *options)
{
    for (size_t i = 0; i < s3_n_algorithms; i++) {
        struct slice text = s3_header(s, s3_algorithms[i].header);
        if (text.len == 0)
            text = s3_trailer(s, s3_algorithms[i].header);
        int r = text.len == 0 ? 0 : s3_checksum(s, &s3_algorithms[i], text, options);
        if (r < 0)
            return r;
    }
    return 0;
}
