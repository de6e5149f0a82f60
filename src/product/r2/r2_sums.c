/*
 * Checksums of objects that came in parts: of all bytes (FULL_OBJECT, where the algorithm can be combined), or of
 * the parts' checksums one after another, with "-<number of parts>" behind it (COMPOSITE).
 */
#include "product/r2/r2_keeper.h"

#include "core/base64.h"
#include "core/crc.h"
#include "core/digest.h"

#include <errno.h>
#include <stdio.h>

static const struct r2_sum_kind {
    const char *name;
    size_t size;
    bool is_crc;
    int kind; /* enum crc_kind or enum digest_kind */
} r2_sum_kinds[] = {
    {"crc32", 4, true, CRC_32},           {"crc32c", 4, true, CRC_32C},
    {"crc64nvme", 8, true, CRC_64NVME},   {"sha1", 20, false, DIGEST_SHA1},
    {"sha256", 32, false, DIGEST_SHA256},
};

static const struct r2_sum_kind *r2_sum_kind_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(r2_sum_kinds); i++) {
        if (strcmp(r2_sum_kinds[i].name, name) == 0)
            return &r2_sum_kinds[i];
    }
    return NULL;
}

/* The checksum of one part; false when it has none of this kind. */
static bool r2_sum_of_part(const struct r2_sum_kind *kind, struct slice sums, uint8_t *ret)
{
    AUTO(json_release) json_t *all = NULL;
    return json_parse(sums, &all, NULL) == 0 &&
           hex_decode(slice_of(json_str(all, kind->name, "")), ret, kind->size) == 0;
}

static bool r2_sums_whole(const struct r2_sum_kind *kind, const struct r2_part_sum *parts, size_t n,
                          uint8_t *ret)
{
    enum crc_kind crc = (enum crc_kind)kind->kind;
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t sum[DIGEST_MAX];
        if (!r2_sum_of_part(kind, parts[i].sums, sum))
            return false;
        value = crc_combine(crc, value, crc_of_bytes(crc, sum), (uint64_t)parts[i].size);
    }
    crc_bytes(crc, value, ret);
    return true;
}

static bool r2_sums_composite(const struct r2_sum_kind *kind, const struct r2_part_sum *parts,
                              size_t n, uint8_t *ret)
{
    AUTO(buf_done) struct buf all = {0};
    for (size_t i = 0; i < n; i++) {
        uint8_t sum[DIGEST_MAX];
        if (!r2_sum_of_part(kind, parts[i].sums, sum))
            return false;
        buf_append(&all, sum, kind->size);
    }
    if (kind->is_crc)
        crc_bytes((enum crc_kind)kind->kind,
                  crc_update((enum crc_kind)kind->kind, 0, buf_slice(&all)), ret);
    else
        digest_of((enum digest_kind)kind->kind, buf_slice(&all), ret);
    return true;
}

int r2_sums_combine(const json_t *upload, const struct r2_part_sum *parts, size_t n,
                    const char *expected, struct buf *ret, struct err *err)
{
    const struct r2_sum_kind *kind = r2_sum_kind_of(json_str(upload, "algorithm", ""));
    bool whole = strcmp(json_str(upload, "type", ""), "FULL_OBJECT") == 0;
    uint8_t sum[DIGEST_MAX];
    AUTO(buf_done) struct buf text = {0};
    bool known = kind != NULL && (whole ? kind->is_crc && r2_sums_whole(kind, parts, n, sum)
                                        : r2_sums_composite(kind, parts, n, sum));
    if (known)
        base64_encode(&text, slice_from(sum, kind->size), BASE64_STANDARD);
    if (known && !whole)
        buf_printf(&text, "-%zu", n);
    if (expected != NULL && !slice_eq(buf_slice(&text), slice_of(expected)))
        return err_set(err, -EINVAL, 10037,
                       "The checksum you specified did not match what we received. (10037)");
    if (!known) {
        buf_append_slice(ret, SLICE("{}"));
        return 0;
    }
    buf_printf(ret, "{\"s3\":{\"algorithm\":\"%s\",\"type\":\"%s\",\"value\":\"%.*s\"}}",
               kind->name, whole ? "FULL_OBJECT" : "COMPOSITE", SLICE_ARG(buf_slice(&text)));
    return 0;
}
