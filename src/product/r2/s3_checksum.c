/*
 * Checksums that S3 clients send: CRC-32, CRC-32C, CRC-64/NVME, SHA-1, SHA-256, and Content-MD5.
 */
#include "product/r2/s3_impl.h"

#include "core/base64.h"
#include "core/crc.h"
#include "core/digest.h"

static void s3_crc(enum crc_kind kind, struct slice data, uint8_t *ret)
{
    crc_bytes(kind, crc_update(kind, 0, data), ret);
}

static void s3_crc32(struct slice data, uint8_t *ret)
{
    s3_crc(CRC_32, data, ret);
}

static void s3_crc32c(struct slice data, uint8_t *ret)
{
    s3_crc(CRC_32C, data, ret);
}

static void s3_crc64nvme(struct slice data, uint8_t *ret)
{
    s3_crc(CRC_64NVME, data, ret);
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
    {"crc32", "x-amz-checksum-crc32", "ChecksumCRC32", 4, s3_crc32},
    {"crc32c", "x-amz-checksum-crc32c", "ChecksumCRC32C", 4, s3_crc32c},
    {"crc64nvme", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", 8, s3_crc64nvme},
    {"sha1", "x-amz-checksum-sha1", "ChecksumSHA1", 20, s3_sha1},
    {"sha256", "x-amz-checksum-sha256", "ChecksumSHA256", 32, s3_sha256},
    {"md5", "content-md5", "", 16, s3_md5},
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
    bool plain = a->run == s3_md5;
    if (base64_decode(&s->req->arena, text, BASE64_STANDARD, &given) < 0 || given.len != a->size)
        return s3_fail(s, plain ? S3_INVALID_DIGEST : S3_BAD_DIGEST);
    a->run(s->body, sum);
    if (!slice_eq(given, slice_from(sum, a->size)))
        return s3_fail(s, S3_BAD_DIGEST);
    json_object_set_new(options, a->name, json_string(hex_encode(sum, a->size, hex)));
    if (!plain) {
        api_answer_header(s->req, a->header, text);
        s3_answer_header(s, "x-amz-checksum-type", "FULL_OBJECT");
    }
    return 0;
}

int s3_checksums(struct s3 *s, json_t *options)
{
    if (s3_has_header(s, "content-md5") && s3_header(s, "content-md5").len == 0)
        return s3_fail(s, S3_INVALID_DIGEST);
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

/* --- what is kept --- */

static const struct s3_algorithm *s3_algorithm_of(const char *name)
{
    for (size_t i = 0; i < s3_n_algorithms; i++) {
        const struct s3_algorithm *a = &s3_algorithms[i];
        if (*a->element != '\0' && slice_eq_nocase(slice_of(a->name), slice_of(name)))
            return a;
    }
    return NULL;
}

static void s3_checksum_show(struct s3 *s, const struct s3_algorithm *a, const char *value,
                             struct buf *out)
{
    if (out != NULL)
        s3_xml_element(out, a->element, value);
    else
        s3_answer_header(s, a->header, value);
}

static void s3_checksum_type(struct s3 *s, const char *type, struct buf *out)
{
    if (out != NULL)
        s3_xml_element(out, "ChecksumType", type);
    else
        s3_answer_header(s, "x-amz-checksum-type", type);
}

void s3_checksums_show(struct s3 *s, const json_t *sums, struct buf *out)
{
    const json_t *whole = json_object_get(sums, "s3"); /* of an object that came in parts */
    const struct s3_algorithm *known = s3_algorithm_of(json_str(whole, "algorithm", ""));
    bool any = known != NULL;
    if (known != NULL)
        s3_checksum_show(s, known, json_str(whole, "value", ""), out);
    for (size_t i = 0; i < s3_n_algorithms && known == NULL; i++) {
        const struct s3_algorithm *a = &s3_algorithms[i];
        uint8_t sum[S3_CHECKSUM_MAX];
        AUTO(buf_done) struct buf text = {0};
        const char *hex = json_str(sums, a->name, NULL);
        if (hex == NULL || *a->element == '\0' || hex_decode(slice_of(hex), sum, a->size) < 0)
            continue;
        base64_encode(&text, slice_from(sum, a->size), BASE64_STANDARD);
        s3_checksum_show(s, a, buf_cstr(&text), out);
        any = true;
    }
    if (any)
        s3_checksum_type(s, json_str(whole, "type", "FULL_OBJECT"), out);
}

/* CRC-64/NVME is of whole objects; the others are of parts unless the client says otherwise. */
int s3_checksum_begin(struct s3 *s, json_t *options)
{
    struct slice name = s3_header(s, "x-amz-checksum-algorithm");
    struct slice type = s3_header(s, "x-amz-checksum-type");
    if (name.len == 0)
        return 0;
    const struct s3_algorithm *a =
        s3_algorithm_of(arena_printf(&s->req->arena, "%.*s", SLICE_ARG(name)));
    bool whole = a != NULL && a->run == s3_crc64nvme;
    bool composite = slice_eq(type, SLICE("COMPOSITE"));
    if (a == NULL || (whole && composite))
        return s3_fail(s, S3_INVALID_REQUEST);
    whole |= slice_eq(type, SLICE("FULL_OBJECT"));
    if (whole && (a->run == s3_sha1 || a->run == s3_sha256))
        return s3_fail(s, S3_INVALID_REQUEST);
    const char *said = whole ? "FULL_OBJECT" : "COMPOSITE";
    json_object_set_new(options, "checksum",
                        json_pack("{s:s, s:s}", "algorithm", a->name, "type", said));
    api_answer_header(s->req, "x-amz-checksum-algorithm", name);
    s3_answer_header(s, "x-amz-checksum-type", said);
    return 0;
}

void s3_checksum_claim(struct s3 *s, json_t *options)
{
    for (size_t i = 0; i < s3_n_algorithms; i++) {
        const struct s3_algorithm *a = &s3_algorithms[i];
        struct slice value = *a->element == '\0' ? SLICE("") : s3_header(s, a->header);
        bool whole = slice_eq(s3_header(s, "x-amz-checksum-type"), SLICE("FULL_OBJECT"));
        if (value.len == 0)
            continue;
        json_object_set_new(options, "checksum",
                            json_pack("{s:s, s:s, s:o}", "algorithm", a->name, "type",
                                      whole ? "FULL_OBJECT" : "COMPOSITE", "value",
                                      api_text(value)));
    }
}

void s3_checksum_element(struct s3 *s, struct slice name, struct slice text, json_t *ret_sums)
{
    for (size_t i = 0; i < s3_n_algorithms; i++) {
        const struct s3_algorithm *a = &s3_algorithms[i];
        char hex[2 * S3_CHECKSUM_MAX + 1] = "";
        struct slice sum;
        if (*a->element == '\0' || !slice_eq(name, slice_of(a->element)))
            continue;
        if (base64_decode(&s->req->arena, slice_trim(text), BASE64_STANDARD, &sum) == 0 &&
            sum.len == a->size)
            hex_encode(sum.ptr, sum.len, hex);
        json_object_set_new(ret_sums, a->name, json_string(hex)); /* "" agrees with nothing */
    }
}
