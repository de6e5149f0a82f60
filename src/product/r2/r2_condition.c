/*
 * Preconditions and ranges, the same for Workers and for the keeper.
 */
#include "product/r2/r2.h"

#include <errno.h>

#define R2_MS_MAX 8640000000000000LL /* as far as a Date reaches */

struct r2_error {
    int code;
    const char *text;
};

static const struct r2_error r2_errors[] = {
    {10001, "We encountered an internal error. Please try again."},
    {10007, "The specified key does not exist."},
    {10011, "Your proposed upload is smaller than the minimum allowed object size."},
    {10012, "Your metadata headers exceed the maximum allowed metadata size."},
    {10020, "The specified object name is not valid."},
    {10022, "MaxKeys params must be positive integer <= 1000."},
    {10024, "The specified multipart upload does not exist."},
    {10025, "One or more of the specified parts could not be found."},
    {10029, "Metadata missing or invalid"},
    {10039, "The requested range is not satisfiable"},
    {R2_ERR_LOCKED, "The object is locked by the bucket's lock rules."},
    {R2_ERR_SEALED, "The object was stored using a form of Server Side Encryption. The correct "
                    "parameters must be provided to retrieve the object."},
    {R2_ERR_SEAL_KEY, "The encryption key that you provided is not the one that the object was "
                      "stored with."},
    {R2_ERR_NOT_SEALED, "The encryption parameters are not applicable to this object."},
    {10048, "There was a problem with the multipart upload."},
    {100100, "Your proposed upload exceeds the maximum allowed object size."},
};

int r2_fail(struct err *err, int r, int code)
{
    for (size_t i = 0; i < ARRAY_LEN(r2_errors); i++) {
        if (r2_errors[i].code == code)
            return err_set(err, r, code, "%s (%d)", r2_errors[i].text, code);
    }
    return err_set(err, r, code, "%s (10001)", r2_errors[0].text);
}

/* Does one of the etags equal the object's? The object's own etag is strong. */
static bool r2_etag_among(const json_t *etags, struct slice etag, bool weak_too)
{
    for (size_t i = 0; i < json_array_size(etags); i++) {
        const json_t *item = json_array_get(etags, i);
        const char *value = json_str(item, "v", "");
        if (strcmp(value, "*") == 0)
            return true;
        if ((weak_too || !json_bool(item, "w", false)) && slice_eq(slice_of(value), etag))
            return true;
    }
    return false;
}

/* A time as JavaScript has it; what is no number counts as 1970. */
static int64_t r2_ms(const json_t *v)
{
    double ms = json_number_value(v);
    return ms > R2_MS_MAX ? R2_MS_MAX : ms < -R2_MS_MAX ? -R2_MS_MAX : (int64_t)ms;
}

static int64_t r2_date(int64_t ms, bool seconds)
{
    return seconds ? ms / 1000 : ms;
}

enum r2_condition r2_condition_of(const json_t *only_if, const struct r2_row *row)
{
    const json_t *matches = json_object_get(only_if, "etagMatches");
    const json_t *differs = json_object_get(only_if, "etagDoesNotMatch");
    const json_t *before = json_object_get(only_if, "uploadedBefore");
    const json_t *after = json_object_get(only_if, "uploadedAfter");
    if (!json_is_object(only_if))
        return R2_HOLDS;
    if (row == NULL)
        return matches == NULL && after == NULL ? R2_HOLDS : R2_PRECONDITION_FAILED;
    bool seconds = json_bool(only_if, "secondsGranularity", false);
    int64_t uploaded = r2_date(row->uploaded_ms, seconds);
    bool im = matches == NULL || r2_etag_among(matches, row->etag, false);
    bool inm = differs == NULL || !r2_etag_among(differs, row->etag, true);
    bool ims =
        after == NULL || r2_date(r2_ms(after), seconds) < uploaded || (differs != NULL && inm);
    bool ius =
        before == NULL || uploaded < r2_date(r2_ms(before), seconds) || (matches != NULL && im);
    return !im || !ius ? R2_PRECONDITION_FAILED : !inm || !ims ? R2_NOT_MODIFIED : R2_HOLDS;
}

int r2_range_of(const json_t *range, uint64_t size, struct r2_span *ret, struct err *err)
{
    const json_t *suffix = json_object_get(range, "suffix");
    const json_t *offset = json_object_get(range, "offset");
    const json_t *length = json_object_get(range, "length");
    *ret = (struct r2_span){.length = size};
    if (suffix == NULL && offset == NULL && length == NULL)
        return 0;
    ret->given = true;
    if (suffix != NULL) {
        double n = json_number_value(suffix);
        if (n <= 0 || (size == 0 && json_bool(range, "some", false)))
            return r2_fail(err, -EINVAL, 10039);
        ret->length = n >= (double)size ? size : (uint64_t)n;
        ret->offset = size - ret->length;
        return 0;
    }
    double from = offset == NULL ? 0 : json_number_value(offset);
    double n = length == NULL ? (double)size : json_number_value(length);
    bool beyond = size == 0 ? from > 0 : from >= (double)size;
    if (from < 0 || beyond || n <= 0)
        return r2_fail(err, -EINVAL, 10039);
    ret->offset = (uint64_t)from;
    ret->length = n >= (double)(size - ret->offset) ? size - ret->offset : (uint64_t)n;
    return 0;
}
