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
    const char *date_in; /* the field that has the date */
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

/* As HTTP has it, or with a zone of mail: "-0000" for "GMT". */
static int s3_http_date(struct s3 *s, struct slice text, int64_t *ret_ms)
{
    if (slice_ends(text, SLICE(" -0000"))) {
        const char *gmt = arena_printf(&s->req->arena, "%.*s GMT", (int)text.len - 6, text.ptr);
        text = slice_of(gmt);
    }
    return clock_parse_http_date(text, ret_ms);
}

/* A plain Date field has the form that HTTP knows; what is signed has the other. */
static void s3_claim_header_date(struct s3 *s, struct s3_claim *c)
{
    int64_t ms;
    struct tm tm;
    c->date_in = s3_header(s, "x-amz-date").len > 0 ? "x-amz-date" : "date";
    c->date = s3_header(s, c->date_in);
    if (strcmp(c->date_in, "date") != 0 || s3_http_date(s, c->date, &ms) < 0)
        return;
    time_t seconds = (time_t)(ms / 1000);
    gmtime_r(&seconds, &tm);
    const char *text = arena_printf(&s->req->arena, "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900,
                                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    c->date = slice_of(text);
}

static int s3_claim_header(struct s3 *s, struct s3_claim *c)
{
    struct slice value = s3_header(s, "authorization");
    if (!slice_starts(value, SLICE("AWS4-HMAC-SHA256 ")))
        return s3_fail_text(s, S3_INVALID_REQUEST, "Please use AWS4-HMAC-SHA256");
    if (s3_header(s, "x-amz-content-sha256").len == 0)
        return s3_fail_text(s, S3_INVALID_REQUEST, "Missing x-amz-content-sha256");
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
    s3_claim_header_date(s, c);
    return 0;
}

static int s3_claim_expires(struct s3 *s, struct s3_claim *c)
{
    uint64_t expires = 0;
    if (slice_to_u64(slice_of(s3_query(s, "X-Amz-Expires")), &expires) < 0)
        return s3_fail_text(s, S3_INVALID_ARGUMENT, "X-Amz-Expires should be a number");
    if (expires > S3_EXPIRES_MAX_S)
        return s3_fail_text(s, S3_INVALID_ARGUMENT,
                            "X-Amz-Expires must be less than a week (in seconds); that is, the "
                            "given X-Amz-Expires must be less than 604800 seconds");
    c->expires_s = (int64_t)expires;
    return 0;
}

/* What is missing is named together. */
static int s3_claim_query(struct s3 *s, struct s3_claim *c)
{
    struct slice algorithm = SLICE(""), expires = SLICE("");
    const struct {
        const char *name;
        struct slice *value;
    } wanted[] = {{"X-Amz-Algorithm", &algorithm},
                  {"X-Amz-Credential", &c->credential},
                  {"X-Amz-Date", &c->date},
                  {"X-Amz-Expires", &expires},
                  {"X-Amz-SignedHeaders", &c->headers},
                  {"X-Amz-Signature", &c->signature}};
    AUTO(buf_done) struct buf missing = {0};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const char *value = s3_query(s, wanted[i].name);
        if (value != NULL)
            *wanted[i].value = slice_of(value);
        else
            buf_printf(&missing, "%s%s", buf_len(&missing) > 0 ? ",  " : "", wanted[i].name);
    }
    if (buf_len(&missing) > 0)
        return s3_fail_text(s, S3_INVALID_ARGUMENT, "Required search parameters %s missing",
                            buf_cstr(&missing));
    if (!slice_eq(algorithm, SLICE("AWS4-HMAC-SHA256")))
        return s3_fail_text(s, S3_INVALID_REQUEST, "Please use AWS4-HMAC-SHA256");
    c->presigned = true;
    c->date_in = "X-Amz-Date";
    return s3_claim_expires(s, c);
}

/* <key id>/<day>/<region>/s3/aws4_request */
static int s3_claim_scope(struct s3 *s, struct s3_claim *c)
{
    struct slice rest = c->credential;
    size_t n = 1;
    for (size_t i = 0; i < rest.len; i++)
        n += rest.ptr[i] == '/';
    if (n < 5)
        return s3_fail_text(s, S3_MALFORMED_AUTH,
                            "Credential sigv4 header should have at least 5 slash-separated "
                            "parts, not %zu",
                            n);
    c->key_id = slice_cut(&rest, '/');
    s->auth.scope = rest;
    s->auth.date = c->date;
    c->day = slice_cut(&rest, '/');
    c->region = slice_cut(&rest, '/');
    c->service = slice_cut(&rest, '/');
    if (!slice_eq(c->service, SLICE("s3")))
        return s3_fail_text(s, S3_MALFORMED_AUTH, "Credential service should be s3, not %.*s",
                            SLICE_ARG(c->service));
    if (!slice_eq(rest, SLICE("aws4_request")))
        return s3_fail_text(s, S3_MALFORMED_AUTH,
                            "Credential termination string should be aws4_request, not %.*s",
                            SLICE_ARG(rest));
    return c->headers.len == 0 || c->signature.len == 0 ? s3_fail(s, S3_MALFORMED_AUTH) : 0;
}

static int s3_claim_date(struct s3 *s, const struct s3_claim *c, int64_t *ret_s)
{
    char text[S3_DATE_LEN + 1];
    struct tm tm = {0};
    if (c->date.len == 0)
        return s3_fail_text(s, S3_INVALID_REQUEST,
                            "No date provided in x-amz-date nor date header");
    const char *end = slice_to_cstr(c->date, text, sizeof(text)) < 0
                          ? NULL
                          : strptime(text, "%Y%m%dT%H%M%SZ", &tm);
    if (end == NULL || *end != '\0')
        return s3_fail_text(s, S3_MALFORMED_AUTH,
                            "Date provided in '%s' header (%.*s) didn't parse successfully",
                            c->date_in, SLICE_ARG(c->date));
    if (!slice_starts(c->date, c->day))
        return s3_fail_text(s, S3_MALFORMED_AUTH,
                            "Credential signed date %.*s does not match %.8s from '%s' header",
                            SLICE_ARG(c->day), text, c->date_in);
    *ret_s = (int64_t)timegm(&tm);
    return 0;
}

static int s3_claim_time(struct s3 *s, const struct s3_claim *c)
{
    int64_t signed_s = 0;
    int r = s3_claim_date(s, c, &signed_s);
    if (r < 0)
        return r;
    int64_t age_s = clock_wall_ms() / 1000 - signed_s;
    if (c->presigned)
        return age_s > c->expires_s || age_s < -S3_SKEW_S ? s3_fail(s, S3_EXPIRED) : 0;
    return llabs(age_s) > S3_SKEW_S ? s3_fail(s, S3_TIME_SKEWED) : 0;
}

static int s3_claim_of(struct s3 *s, struct s3_claim *c)
{
    bool in_query = s3_query(s, "X-Amz-Credential") != NULL ||
                    s3_query(s, "X-Amz-Signature") != NULL ||
                    s3_query(s, "X-Amz-Algorithm") != NULL;
    bool in_header = s3_header(s, "authorization").len > 0;
    if (!in_query && !in_header)
        return s3_fail(s, S3_ACCESS_DENIED);
    int r = in_header ? s3_claim_header(s, c) : s3_claim_query(s, c);
    if (r == 0)
        r = s3_claim_scope(s, c);
    return r == 0 ? s3_claim_time(s, c) : r;
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

static int s3_string_to_sign(struct s3 *s, const struct s3_claim *c, struct buf *request,
                             struct buf *out)
{
    char hash[S3_SIGNATURE_SIZE];
    buf_printf(request, "%.*s\n", SLICE_ARG(s->req->method));
    if (s3_canonical_path(s, request) < 0 || s3_canonical_query(s, c->presigned, request) < 0)
        return s3_fail(s, S3_INVALID_ARGUMENT);
    s3_canonical_headers(s, c->headers, request);
    buf_append_slice(request, s->auth.payload);
    s3_sha256_hex(buf_slice(request), hash);
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

/* Says what was signed here, so that whoever writes a client sees the difference. */
static int s3_sign_differs(struct s3 *s, const struct s3_claim *c, const struct buf *request,
                           const struct buf *text)
{
    const struct {
        const char *name;
        struct slice value;
    } parts[] = {{"AWSAccessKeyId", c->key_id},
                 {"StringToSign", buf_slice(text)},
                 {"SignatureProvided", c->signature},
                 {"CanonicalRequest", buf_slice(request)}};
    AUTO(buf_done) struct buf more = {0};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_printf(&more, "<%s>", parts[i].name);
        s3_xml_text(&more, parts[i].value);
        buf_printf(&more, "</%s>", parts[i].name);
    }
    return s3_fail_more(s, S3_SIGNATURE, buf_slice(&more));
}

int s3_sign_check(struct s3 *s)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(buf_done) struct buf request = {0};
    struct s3_claim c = {0};
    char secret[TOKEN_SECRET_SIZE];
    int r = s3_claim_of(s, &c);
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
    r = s3_string_to_sign(s, &c, &request, &text);
    if (r < 0)
        return r;
    s3_hmac_hex(&s->auth, buf_slice(&text), s->auth.signature);
    return secret_eq(slice_of(s->auth.signature), c.signature)
               ? 0
               : s3_sign_differs(s, &c, &request, &text);
}
