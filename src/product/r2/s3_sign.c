/*
 * AWS Signature Version 4, in the Authorization header or in the query (presigned).
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
#include "product/r2/s3_impl.h"

#include "api/text.h"
#include "core/clock.h"
#include "core/digest.h"
#include "net/http.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
    S3_SKEW_S = 15 * 60,
    S3_EXPIRES_MAX_S = 7 * 24 * 3600,
    S3_PAIRS_MAX = 128,
    S3_DATE_LEN = 16
};

/* What the client says it signed. */
struct s3_claim {
    struct slice credential, headers, signature, date;
    struct slice key_id, day, region, service;
    bool presigned;
    int64_t expires_s;
};

void s3_sha256_hex(struct slice text, char ret[S3_SIGNATURE_SIZE])
{
    uint8_t sum[DIGEST_MAX];
    digest_of(DIGEST_SHA256, text, sum);
    hex_encode(sum, 32, ret);
}

void s3_hmac_hex(const struct s3_auth *auth, struct slice text, char ret[S3_SIGNATURE_SIZE])
{
    uint8_t sum[DIGEST_MAX];
    digest_hmac(DIGEST_SHA256, slice_from(auth->key, sizeof(auth->key)), text, sum);
    hex_encode(sum, 32, ret);
}

/* --- the claim --- */

static bool s3_claim_header(const struct s3 *s, struct s3_claim *c)
{
    struct slice value = s3_header(s, "authorization");
    if (!slice_starts(value, SLICE("AWS4-HMAC-SHA256 ")))
        return false;
    value = slice_skip(value, 17);
    while (value.len > 0) {
        struct slice item = slice_trim(slice_cut(&value, ','));
        struct slice name = slice_cut(&item, '=');
        if (slice_eq(name, SLICE("Credential")))
            c->credential = item;
        else if (slice_eq(name, SLICE("SignedHeaders")))
            c->headers = item;
        else if (slice_eq(name, SLICE("Signature")))
            c->signature = item;
    }
    c->date = s3_header(s, "x-amz-date");
    return true;
}

static bool s3_claim_query(const struct s3 *s, struct s3_claim *c)
{
    const char *algorithm = s3_query(s, "X-Amz-Algorithm");
    if (algorithm == NULL || strcmp(algorithm, "AWS4-HMAC-SHA256") != 0)
        return false;
    c->presigned = true;
    c->credential = slice_of(s3_query(s, "X-Amz-Credential"));
    c->headers = slice_of(s3_query(s, "X-Amz-SignedHeaders"));
    c->signature = slice_of(s3_query(s, "X-Amz-Signature"));
    c->date = slice_of(s3_query(s, "X-Amz-Date"));
    uint64_t expires = 0;
    if (slice_to_u64(slice_of(s3_query(s, "X-Amz-Expires")), &expires) == 0 &&
        expires <= S3_EXPIRES_MAX_S)
        c->expires_s = (int64_t)expires;
    return true;
}

static int s3_claim_of(struct s3 *s, struct s3_claim *c)
{
    if (!s3_claim_header(s, c) && !s3_claim_query(s, c))
        return s3_fail(s, S3_ACCESS_DENIED);
    struct slice rest = c->credential;
    c->key_id = slice_cut(&rest, '/');
    struct slice scope = rest;
    c->day = slice_cut(&rest, '/');
    c->region = slice_cut(&rest, '/');
    c->service = slice_cut(&rest, '/');
    s->auth.scope = scope;
    s->auth.date = c->date;
    bool ok = slice_eq(rest, SLICE("aws4_request")) && slice_eq(c->service, SLICE("s3")) &&
              c->headers.len > 0 && c->signature.len > 0 && c->date.len == S3_DATE_LEN &&
              slice_starts(c->date, c->day);
    return ok ? 0 : s3_fail(s, S3_MALFORMED_AUTH);
}

static int s3_claim_time(struct s3 *s, const struct s3_claim *c)
{
    char text[S3_DATE_LEN + 1];
    struct tm tm = {0};
    if (slice_to_cstr(c->date, text, sizeof(text)) < 0)
        return s3_fail(s, S3_MALFORMED_AUTH);
    const char *end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
    if (end == NULL || *end != '\0')
        return s3_fail(s, S3_MALFORMED_AUTH);
    int64_t age_s = clock_wall_ms() / 1000 - (int64_t)timegm(&tm);
    if (c->presigned) {
        if (c->expires_s == 0)
            return s3_fail(s, S3_EXPIRED);
        return age_s > c->expires_s || age_s < -S3_SKEW_S ? s3_fail(s, S3_EXPIRED) : 0;
    }
    return llabs(age_s) > S3_SKEW_S ? s3_fail(s, S3_TIME_SKEWED) : 0;
}

/* --- the canonical request --- */

struct s3_pair {
    struct slice name, value;
};

static int s3_pair_order(const void *a, const void *b)
{
    const struct s3_pair *x = a, *y = b;
    int r = slice_compare(x->name, y->name);
    return r != 0 ? r : slice_compare(x->value, y->value);
}

/* Decoded and encoded again, so that every spelling comes to the same. */
static int s3_recode(struct s3 *s, struct slice in, struct slice *ret)
{
    AUTO(buf_done) struct buf out = {0};
    struct slice plain;
    int r = text_percent_decode(&s->req->arena, in, false, &plain);
    if (r < 0)
        return r;
    text_percent_encode(&out, plain);
    return arena_copy(&s->req->arena, buf_slice(&out).ptr, buf_len(&out), ret);
}

static int s3_canonical_path(struct s3 *s, struct buf *out)
{
    struct slice rest = slice_skip(s->path, 1), part;
    do {
        int r = s3_recode(s, slice_cut(&rest, '/'), &part);
        if (r < 0)
            return r;
        buf_append_char(out, '/');
        buf_append_slice(out, part);
    } while (rest.ptr != NULL);
    buf_append_char(out, '\n');
    return 0;
}

static int s3_canonical_query(struct s3 *s, bool presigned, struct buf *out)
{
    struct s3_pair pairs[S3_PAIRS_MAX];
    struct slice rest = s->req->query, name, value;
    size_t n = 0;
    while (text_query_next(&rest, &name, &value)) {
        if (presigned && slice_eq(name, SLICE("X-Amz-Signature")))
            continue;
        if (n == S3_PAIRS_MAX || s3_recode(s, name, &pairs[n].name) < 0 ||
            s3_recode(s, value, &pairs[n].value) < 0)
            return -EBADMSG;
        n++;
    }
    qsort(pairs, n, sizeof(pairs[0]), s3_pair_order);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%.*s=%.*s", i > 0 ? "&" : "", SLICE_ARG(pairs[i].name),
                   SLICE_ARG(pairs[i].value));
    buf_append_char(out, '\n');
    return 0;
}

/* Runs of blanks become one. */
static void s3_canonical_value(struct buf *out, struct slice value)
{
    value = slice_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != ' ' || value.ptr[i - 1] != ' ')
            buf_append_char(out, value.ptr[i]);
    }
}

static void s3_canonical_headers(const struct s3 *s, struct slice names, struct buf *out)
{
    struct slice rest = names;
    while (rest.len > 0) {
        struct slice wanted = slice_cut(&rest, ';'), block = s->req->headers, name, value;
        size_t n = 0;
        buf_append_slice(out, wanted);
        buf_append_char(out, ':');
        if (slice_eq(wanted, SLICE("host")))
            s3_canonical_value(out, s->req->authority);
        /* A framing field, which is none of the block's. */
        if (slice_eq(wanted, SLICE("transfer-encoding")) && s->req->content_length < 0)
            buf_append_slice(out, SLICE("chunked"));
        while (http_header_next(&block, &name, &value)) {
            if (!slice_eq(name, wanted))
                continue;
            if (n++ > 0)
                buf_append_char(out, ',');
            s3_canonical_value(out, value);
        }
        buf_append_char(out, '\n');
    }
    buf_printf(out, "\n%.*s\n", SLICE_ARG(names));
}

static int s3_string_to_sign(struct s3 *s, const struct s3_claim *c, struct buf *out)
{
    AUTO(buf_done) struct buf request = {0};
    char hash[S3_SIGNATURE_SIZE];
    buf_printf(&request, "%.*s\n", SLICE_ARG(s->req->method));
    if (s3_canonical_path(s, &request) < 0 || s3_canonical_query(s, c->presigned, &request) < 0)
        return s3_fail(s, S3_INVALID_ARGUMENT);
    s3_canonical_headers(s, c->headers, &request);
    buf_append_slice(&request, s->auth.payload);
    s3_sha256_hex(buf_slice(&request), hash);
    buf_printf(out, "AWS4-HMAC-SHA256\n%.*s\n%.*s\n%s", SLICE_ARG(c->date),
               SLICE_ARG(s->auth.scope), hash);
    return 0;
}

static void s3_signing_key(const struct s3_claim *c, const char *secret, uint8_t ret[32])
{
    const struct slice steps[] = {c->day, c->region, c->service, SLICE("aws4_request")};
    char first[TOKEN_SECRET_SIZE + 4];
    uint8_t key[DIGEST_MAX];
    snprintf(first, sizeof(first), "AWS4%s", secret);
    digest_hmac(DIGEST_SHA256, slice_of(first), steps[0], key);
    for (size_t i = 1; i < ARRAY_LEN(steps); i++) {
        uint8_t next[DIGEST_MAX];
        digest_hmac(DIGEST_SHA256, slice_from(key, 32), steps[i], next);
        memcpy(key, next, 32);
    }
    memcpy(ret, key, 32);
    secret_wipe(first, sizeof(first));
}

int s3_sign_check(struct s3 *s)
{
    AUTO(buf_done) struct buf text = {0};
    struct s3_claim c = {0};
    char secret[TOKEN_SECRET_SIZE];
    int r = s3_claim_of(s, &c);
    if (r == 0)
        r = s3_claim_time(s, &c);
    if (r < 0)
        return r;
    if (tokens_secret(s->req->api->tokens, c.key_id, s->req->remote_ip, &s->req->who, secret) < 0)
        return s3_fail(s, S3_INVALID_ACCESS_KEY);
    r = s3_session_secret(s, c.key_id, secret);
    if (r < 0)
        return r;
    s->auth.payload = s3_header(s, "x-amz-content-sha256");
    if (s->auth.payload.len == 0)
        s->auth.payload = SLICE("UNSIGNED-PAYLOAD");
    s3_signing_key(&c, secret, s->auth.key);
    secret_wipe(secret, sizeof(secret));
    r = s3_string_to_sign(s, &c, &text);
    if (r < 0)
        return r;
    s3_hmac_hex(&s->auth, buf_slice(&text), s->auth.signature);
    return secret_eq(slice_of(s->auth.signature), c.signature) ? 0 : s3_fail(s, S3_SIGNATURE);
}
