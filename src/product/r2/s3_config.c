/*
 * S3: cross-origin rules and lifecycle of a bucket, as XML; stored as the JSON that the REST API has.
 */
#include "product/r2/r2_config.h"
#include "product/r2/r2_cors.h"
#include "product/r2/s3_impl.h"

#include "core/clock.h"

#include <errno.h>

enum { S3_DAY_S = 24 * 3600, S3_DAYS_MAX = 24000 };

static int s3_setting_put(struct s3 *s, const char *name, const json_t *value)
{
    struct err err = {0};
    int r = r2_setting_call(s->req, s->store, name, value, NULL, &err);
    return r < 0 ? s3_fail_err(s, r, &err) : 0;
}

static int s3_setting_get(struct s3 *s, const char *name, enum s3_error missing, json_t **ret)
{
    struct err err = {0};
    int r = r2_setting_call(s->req, s->store, name, NULL, ret, &err);
    if (r < 0)
        return s3_fail_err(s, r, &err);
    return *ret == NULL ? s3_fail(s, missing) : 0;
}

static int s3_setting_delete(struct s3 *s, const char *name)
{
    AUTO(json_release) json_t *none = json_null();
    int r = s3_setting_put(s, name, none);
    return r < 0 ? r : s3_empty(s, 204);
}

/* --- cross-origin rules --- */

static const struct s3_cors_list {
    const char *element, *member;
    bool allowed;
} s3_cors_lists[] = {
    {"AllowedOrigin", "origins", true},
    {"AllowedMethod", "methods", true},
    {"AllowedHeader", "headers", true},
    {"ExposeHeader", "exposeHeaders", false},
};

static void s3_cors_append(json_t *object, const char *member, struct slice text)
{
    json_t *list = json_object_get(object, member);
    if (list == NULL) {
        list = json_array();
        json_object_set_new(object, member, list);
    }
    json_array_append_new(list, api_text(text));
}

static void s3_cors_take(json_t *rule, struct slice name, struct slice text)
{
    uint64_t n;
    for (size_t i = 0; i < ARRAY_LEN(s3_cors_lists); i++) {
        const struct s3_cors_list *l = &s3_cors_lists[i];
        if (slice_eq(name, slice_of(l->element)))
            s3_cors_append(l->allowed ? json_object_get(rule, "allowed") : rule, l->member, text);
    }
    if (slice_eq(name, SLICE("ID")))
        json_object_set_new(rule, "id", api_text(text));
    if (slice_eq(name, SLICE("MaxAgeSeconds")) && slice_to_u64(slice_trim(text), &n) == 0)
        json_object_set_new(rule, "maxAgeSeconds", json_integer((json_int_t)n));
}

static int s3_cors_read(struct s3 *s, json_t *rules)
{
    AUTO(s3_xml_done) struct s3_xml_reader x = {.rest = s->body};
    AUTO(json_release) json_t *rule = json_pack("{s:{}}", "allowed");
    int r;
    while ((r = s3_xml_next(&x)) == 1) {
        if (!slice_eq(x.open[0], SLICE("CORSConfiguration")))
            return s3_fail(s, S3_MALFORMED_XML);
        if (x.depth == 3 && slice_eq(x.open[1], SLICE("CORSRule")))
            s3_cors_take(rule, x.name, buf_slice(&x.text));
        if (x.depth != 2)
            continue;
        json_array_append(rules, rule);
        json_release(&rule);
        rule = json_pack("{s:{}}", "allowed");
    }
    return r < 0 ? s3_fail(s, S3_MALFORMED_XML) : 0;
}

int s3_cors_put(struct s3 *s)
{
    struct err err = {0};
    json_t *rules = json_array();
    AUTO(json_release) json_t *cors = json_pack("{s:o}", "rules", rules);
    int r = s3_cors_read(s, rules);
    if (r < 0)
        return r;
    if (r2_cors_check(cors, &err) < 0)
        return s3_fail(s, S3_MALFORMED_XML);
    r = s3_setting_put(s, "cors", cors);
    return r < 0 ? r : s3_empty(s, 200);
}

int s3_cors_get(struct s3 *s)
{
    AUTO(buf_done) struct buf out = {0};
    AUTO(json_release) json_t *cors = NULL;
    json_t *rule, *one;
    size_t i, k;
    int r = s3_setting_get(s, "cors", S3_NO_SUCH_CORS, &cors);
    if (r < 0)
        return r;
    buf_printf(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CORSConfiguration" S3_XMLNS ">");
    json_array_foreach(json_object_get(cors, "rules"), i, rule)
    {
        buf_append_slice(&out, SLICE("<CORSRule>"));
        if (json_str(rule, "id", NULL) != NULL)
            s3_xml_element(&out, "ID", json_str(rule, "id", ""));
        for (size_t l = 0; l < ARRAY_LEN(s3_cors_lists); l++) {
            const json_t *in = s3_cors_lists[l].allowed ? json_object_get(rule, "allowed") : rule;
            json_array_foreach(json_object_get(in, s3_cors_lists[l].member), k, one)
                s3_xml_element(&out, s3_cors_lists[l].element, json_string_value(one));
        }
        if (json_object_get(rule, "maxAgeSeconds") != NULL)
            s3_xml_number(&out, "MaxAgeSeconds", json_int(rule, "maxAgeSeconds", 0));
        buf_append_slice(&out, SLICE("</CORSRule>"));
    }
    buf_append_slice(&out, SLICE("</CORSConfiguration>"));
    return s3_xml(s, &out);
}

int s3_cors_delete(struct s3 *s)
{
    return s3_setting_delete(s, "cors");
}

static bool s3_cors_headers(struct s3 *s, const json_t *cors, bool preflight)
{
    struct slice method = s3_header(s, "access-control-request-method");
    struct r2_cors_request request = {
        .origin = s3_header(s, "origin"),
        .method = method.len > 0 ? method : s->req->method,
        .headers = s3_header(s, "access-control-request-headers"),
        .preflight = preflight,
    };
    return r2_cors_answer(cors, &request, &s->req->answer.headers);
}

int s3_cors_apply(struct s3 *s)
{
    AUTO(json_release) json_t *cors = NULL;
    struct err err = {0};
    if (s3_header(s, "origin").len == 0 || *s->bucket == '\0')
        return 0;
    /* Without the setting the answer is one without permission, which the browser refuses. */
    if (r2_setting_call(s->req, s->store, "cors", NULL, &cors, &err) == 0 && cors != NULL)
        (void)s3_cors_headers(s, cors, false);
    return 0;
}

int s3_preflight(struct s3 *s)
{
    AUTO(json_release) json_t *cors = NULL;
    struct err err = {0};
    if (s3_header(s, "origin").len == 0 || s3_header(s, "access-control-request-method").len == 0)
        return s3_fail(s, S3_CORS_BAD);
    int r = r2_setting_call(s->req, s->store, "cors", NULL, &cors, &err);
    if (r < 0)
        return s3_fail_err(s, r, &err);
    return s3_cors_headers(s, cors, true) ? s3_empty(s, 200) : s3_fail(s, S3_CORS_FORBIDDEN);
}

/* --- lifecycle --- */

struct s3_rule {
    json_t *rule; /* owned */
    json_t *condition;
    const char *class;
    bool bad, range, unserved, status;
};

static void s3_rule_condition(struct s3_rule *l, struct slice name, struct slice text)
{
    uint64_t days = 0;
    int64_t date_ms;
    json_release(&l->condition);
    if (slice_eq(name, SLICE("Date"))) {
        l->bad |= clock_parse_rfc3339(slice_trim(text), &date_ms) < 0 ||
                  date_ms % (S3_DAY_S * 1000LL) != 0; /* midnight */
        l->condition = json_pack("{s:s, s:o}", "type", "Date", "date", api_text(slice_trim(text)));
        return;
    }
    l->bad |= slice_to_u64(slice_trim(text), &days) < 0;
    l->range |= days == 0 || days > S3_DAYS_MAX;
    l->condition = json_pack("{s:s, s:I}", "type", "Age", "maxAge", (json_int_t)days * S3_DAY_S);
}

static void s3_rule_prefix(struct s3_rule *l, struct slice text, bool old)
{
    json_object_set_new(l->rule, "conditions", json_pack("{s:o}", "prefix", api_text(text)));
    if (old)
        json_object_set_new(l->rule, R2_LIFECYCLE_OLD, json_true());
}

static void s3_rule_class(struct s3_rule *l)
{
    json_t *list = json_object_get(l->rule, "storageClassTransitions");
    if (list == NULL) {
        list = json_array();
        json_object_set_new(l->rule, "storageClassTransitions", list);
    }
    l->bad |= l->condition == NULL || l->class == NULL;
    json_array_append_new(list, json_pack("{s:O*, s:s}", "condition", l->condition, "storageClass",
                                          "InfrequentAccess"));
    l->class = NULL;
}

/* An element of depth 3: <Rule><name>. */
static void s3_rule_part(struct s3_rule *l, struct slice name, struct slice text)
{
    if (slice_eq(name, SLICE("ID"))) {
        json_object_set_new(l->rule, "id", api_text(text));
    } else if (slice_eq(name, SLICE("Prefix"))) {
        s3_rule_prefix(l, text, true);
    } else if (slice_eq(name, SLICE("Status"))) {
        l->status = true;
        l->bad |= !slice_eq(text, SLICE("Enabled")) && !slice_eq(text, SLICE("Disabled"));
        json_object_set_new(l->rule, "enabled", json_boolean(slice_eq(text, SLICE("Enabled"))));
    } else if (slice_eq(name, SLICE("Expiration"))) {
        l->unserved |= l->condition == NULL;
        json_object_set_new(l->rule, "deleteObjectsTransition",
                            json_pack("{s:O*}", "condition", l->condition));
    } else if (slice_eq(name, SLICE("AbortIncompleteMultipartUpload"))) {
        l->bad |= l->condition == NULL;
        json_object_set_new(l->rule, "abortMultipartUploadsTransition",
                            json_pack("{s:O*}", "condition", l->condition));
    } else if (slice_eq(name, SLICE("Transition"))) {
        s3_rule_class(l);
    } else if (!slice_eq(name, SLICE("Filter"))) {
        l->unserved = true; /* versions of objects */
    }
    json_release(&l->condition);
}

static void s3_rule_detail(struct s3_rule *l, struct slice parent, struct slice name,
                           struct slice text)
{
    if (slice_eq(parent, SLICE("Filter"))) {
        l->unserved |= !slice_eq(name, SLICE("Prefix"));
        s3_rule_prefix(l, text, false);
    } else if (slice_eq(name, SLICE("StorageClass"))) {
        bool known = slice_eq(text, SLICE("STANDARD_IA"));
        l->bad |= !known;
        l->class = "STANDARD_IA";
    } else if (slice_eq(name, SLICE("Days")) || slice_eq(name, SLICE("Date")) ||
               slice_eq(name, SLICE("DaysAfterInitiation"))) {
        s3_rule_condition(l, name, text);
    }
}

static void s3_rule_done(struct s3_rule *l)
{
    json_release(&l->rule);
    json_release(&l->condition);
}

static int s3_lifecycle_rule(struct s3 *s, struct s3_rule *l, json_t *rules)
{
    if (l->unserved)
        return s3_fail(s, S3_NOT_IMPLEMENTED);
    if (l->bad || !l->status)
        return s3_fail(s, S3_MALFORMED_XML);
    if (l->range)
        return s3_fail(s, S3_INVALID_ARGUMENT);
    char id[ID_UUID_SIZE];
    if (json_object_get(l->rule, "conditions") == NULL)
        json_object_set_new(l->rule, "conditions", json_pack("{s:s}", "prefix", ""));
    if (*json_str(l->rule, "id", "") == '\0')
        json_object_set_new(l->rule, "id", json_string(id_uuid(id)));
    json_array_append(rules, l->rule);
    s3_rule_done(l);
    *l = (struct s3_rule){.rule = json_object()};
    return 0;
}

static int s3_lifecycle_read(struct s3 *s, json_t *rules)
{
    AUTO(s3_xml_done) struct s3_xml_reader x = {.rest = s->body};
    AUTO(s3_rule_done) struct s3_rule l = {.rule = json_object()};
    int r;
    while ((r = s3_xml_next(&x)) == 1) {
        if (!slice_eq(x.open[0], SLICE("LifecycleConfiguration")))
            return s3_fail(s, S3_MALFORMED_XML);
        struct slice text = buf_slice(&x.text);
        if (x.depth == 3)
            s3_rule_part(&l, x.name, text);
        else if (x.depth == 4)
            s3_rule_detail(&l, x.open[2], x.name, text);
        int bad = x.depth == 2 ? s3_lifecycle_rule(s, &l, rules) : 0;
        if (bad < 0)
            return bad;
    }
    return r < 0 ? s3_fail(s, S3_MALFORMED_XML) : 0;
}

int s3_lifecycle_put(struct s3 *s)
{
    struct err err = {0};
    json_t *rules = json_array();
    AUTO(json_release) json_t *lifecycle = json_pack("{s:o}", "rules", rules);
    int r = s3_lifecycle_read(s, rules);
    if (r < 0)
        return r;
    if (r2_lifecycle_check(lifecycle, &err) < 0)
        return s3_fail(s, S3_INVALID_ARGUMENT);
    r = s3_setting_put(s, "lifecycle", lifecycle);
    return r < 0 ? r : s3_empty(s, 200);
}

static void s3_condition_write(struct buf *out, const json_t *condition, const char *days)
{
    const char *date = json_str(condition, "date", NULL);
    if (date != NULL)
        s3_xml_element(out, "Date", date);
    else
        s3_xml_number(out, days, (json_int(condition, "maxAge", 0) + S3_DAY_S - 1) / S3_DAY_S);
}

static void s3_lifecycle_write(struct buf *out, const json_t *rule)
{
    bool old = json_bool(rule, R2_LIFECYCLE_OLD, false);
    const json_t *removes = json_object_get(rule, "deleteObjectsTransition"), *move;
    const json_t *aborts = json_object_get(rule, "abortMultipartUploadsTransition");
    buf_append_slice(out, SLICE("<Rule>"));
    s3_xml_element(out, "ID", json_str(rule, "id", ""));
    buf_append_slice(out, old ? SLICE("") : SLICE("<Filter>"));
    s3_xml_element(out, "Prefix", json_str(json_object_get(rule, "conditions"), "prefix", ""));
    buf_append_slice(out, old ? SLICE("") : SLICE("</Filter>"));
    s3_xml_element(out, "Status", json_bool(rule, "enabled", true) ? "Enabled" : "Disabled");
    if (removes != NULL) {
        buf_append_slice(out, SLICE("<Expiration>"));
        s3_condition_write(out, json_object_get(removes, "condition"), "Days");
        buf_append_slice(out, SLICE("</Expiration>"));
    }
    size_t n = json_array_size(json_object_get(rule, "storageClassTransitions"));
    for (size_t i = 0; i < n; i++) {
        move = json_array_get(json_object_get(rule, "storageClassTransitions"), i);
        buf_append_slice(out, SLICE("<Transition>"));
        s3_condition_write(out, json_object_get(move, "condition"), "Days");
        buf_append_slice(out, SLICE("<StorageClass>STANDARD_IA</StorageClass></Transition>"));
    }
    if (aborts != NULL) {
        buf_append_slice(out, SLICE("<AbortIncompleteMultipartUpload>"));
        s3_condition_write(out, json_object_get(aborts, "condition"), "DaysAfterInitiation");
        buf_append_slice(out, SLICE("</AbortIncompleteMultipartUpload>"));
    }
    buf_append_slice(out, SLICE("</Rule>"));
}

int s3_lifecycle_get(struct s3 *s)
{
    AUTO(buf_done) struct buf out = {0};
    AUTO(json_release) json_t *lifecycle = NULL;
    size_t i;
    json_t *rule;
    int r = s3_setting_get(s, "lifecycle", S3_NO_SUCH_LIFECYCLE, &lifecycle);
    if (r < 0)
        return r;
    buf_printf(&out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?><LifecycleConfiguration" S3_XMLNS ">");
    json_array_foreach(json_object_get(lifecycle, "rules"), i, rule) s3_lifecycle_write(&out, rule);
    buf_append_slice(&out, SLICE("</LifecycleConfiguration>"));
    return s3_xml(s, &out);
}

int s3_lifecycle_delete(struct s3 *s)
{
    return s3_setting_delete(s, "lifecycle");
}
