#include "product/r2/r2_config.h"

#include "core/clock.h"
#include "core/id.h"

#include <errno.h>

enum { R2_CONFIG_INPUT = 10001 };

static int r2_config_bad(struct err *err, const char *what)
{
    return err_set(err, -EINVAL, R2_CONFIG_INPUT, "%s", what);
}

static int r2_rules_of(json_t *config, json_t **ret, struct err *err)
{
    *ret = json_object_get(config, "rules");
    if (!json_is_array(*ret) || json_array_size(*ret) > R2_RULES_MAX)
        return r2_config_bad(err, "rules must be a list of at most 1000 rules");
    for (size_t i = 0; i < json_array_size(*ret); i++) {
        if (!json_is_object(json_array_get(*ret, i)))
            return r2_config_bad(err, "each rule must be an object");
    }
    return 0;
}

/* --- cross-origin rules --- */

static bool r2_strings(const json_t *list, size_t least)
{
    if (list == NULL)
        return least == 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_is_string(json_array_get(list, i)))
            return false;
    }
    return json_is_array(list) && json_array_size(list) >= least;
}

static bool r2_methods_known(const json_t *methods)
{
    static const char *const known[] = {"GET", "PUT", "POST", "DELETE", "HEAD"};
    for (size_t i = 0; i < json_array_size(methods); i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(known) &&
               strcmp(known[k], json_string_value(json_array_get(methods, i))) != 0)
            k++;
        if (k == ARRAY_LEN(known))
            return false;
    }
    return true;
}

int r2_cors_check(json_t *cors, struct err *err)
{
    json_t *rules, *rule;
    size_t i;
    int r = r2_rules_of(cors, &rules, err);
    if (r == 0 && json_array_size(rules) == 0)
        r = r2_config_bad(err, "there must be at least one CORS rule");
    if (r < 0)
        return r;
    json_array_foreach(rules, i, rule)
    {
        const json_t *allowed = json_object_get(rule, "allowed");
        if (!r2_strings(json_object_get(allowed, "origins"), 1) ||
            !r2_strings(json_object_get(allowed, "methods"), 1) ||
            !r2_strings(json_object_get(allowed, "headers"), 0) ||
            !r2_strings(json_object_get(rule, "exposeHeaders"), 0))
            return r2_config_bad(err, "a CORS rule needs allowed.origins and allowed.methods; all "
                                      "of its lists hold strings");
        if (!r2_methods_known(json_object_get(allowed, "methods")))
            return r2_config_bad(err, "methods of a CORS rule are GET, PUT, POST, DELETE or HEAD");
    }
    return 0;
}

/* --- lifecycle --- */

static bool r2_date_ok(const json_t *condition)
{
    int64_t ms;
    return clock_parse_rfc3339(slice_of(json_str(condition, "date", "")), &ms) == 0;
}

/* age: the member that says how old, in seconds. */
static bool r2_condition_ok(const json_t *condition, const char *age)
{
    const char *type = json_str(condition, "type", "");
    if (strcmp(type, "Age") == 0)
        return json_int(condition, age, -1) >= 0 && json_int(condition, age, -1) <= INT32_MAX;
    return strcmp(type, "Date") == 0 && r2_date_ok(condition);
}

static bool r2_transition_ok(const json_t *transition)
{
    return transition == NULL || json_is_null(transition) ||
           r2_condition_ok(json_object_get(transition, "condition"), "maxAge");
}

static bool r2_transitions_ok(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (!r2_transition_ok(one) ||
            strcmp(json_str(one, "storageClass", ""), "InfrequentAccess") != 0)
            return false;
    }
    return list == NULL || json_is_null(list) || json_is_array(list);
}

/* Ids are there, short, and each its own. */
static int r2_rule_id(json_t *rules, size_t at, struct err *err)
{
    char id[ID_UUID_SIZE];
    json_t *rule = json_array_get(rules, at);
    const char *name = json_str(rule, "id", "");
    if (*name == '\0') {
        json_object_set_new(rule, "id", json_string(id_uuid(id)));
        return 0;
    }
    if (strlen(name) > R2_RULE_ID_MAX)
        return r2_config_bad(err, "the id of a rule has at most 255 bytes");
    for (size_t i = 0; i < at; i++) {
        if (strcmp(json_str(json_array_get(rules, i), "id", ""), name) == 0)
            return r2_config_bad(err, "two rules have the same id");
    }
    return 0;
}

static bool r2_lifecycle_does(const json_t *rule)
{
    static const char *const actions[] = {"deleteObjectsTransition", "storageClassTransitions",
                                          "abortMultipartUploadsTransition"};
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        const json_t *action = json_object_get(rule, actions[i]);
        if (action != NULL && !json_is_null(action))
            return true;
    }
    return false;
}

int r2_lifecycle_check(json_t *lifecycle, struct err *err)
{
    json_t *rules, *rule;
    size_t i;
    int r = r2_rules_of(lifecycle, &rules, err);
    json_array_foreach(rules, i, rule)
    {
        if (r == 0)
            r = r2_rule_id(rules, i, err);
        if (r == 0 &&
            !(r2_lifecycle_does(rule) &&
              r2_transition_ok(json_object_get(rule, "deleteObjectsTransition")) &&
              r2_transition_ok(json_object_get(rule, "abortMultipartUploadsTransition")) &&
              r2_transitions_ok(json_object_get(rule, "storageClassTransitions"))))
            r = r2_config_bad(err, "a lifecycle rule needs an action; its condition is {type: "
                                   "\"Age\", maxAge: seconds} or {type: \"Date\", date}");
        if (r < 0)
            return r;
    }
    return r;
}

/* --- locks --- */

int r2_lock_check(json_t *lock, struct err *err)
{
    json_t *rules, *rule;
    size_t i;
    int r = r2_rules_of(lock, &rules, err);
    json_array_foreach(rules, i, rule)
    {
        const json_t *condition = json_object_get(rule, "condition");
        bool ok = strcmp(json_str(condition, "type", ""), "Indefinite") == 0 ||
                  r2_condition_ok(condition, "maxAgeSeconds");
        if (r == 0)
            r = r2_rule_id(rules, i, err);
        if (r == 0 && !ok)
            r = r2_config_bad(err,
                              "the condition of a lock rule is {type: \"Age\", maxAgeSeconds}, "
                              "{type: \"Date\", date} or {type: \"Indefinite\"}");
        if (r < 0)
            return r;
    }
    return r;
}

/* --- notifications --- */

int r2_notification_check(json_t *rule, struct err *err)
{
    static const char *const known[] = {"PutObject", "CopyObject", "CompleteMultipartUpload",
                                        "DeleteObject", "LifecycleDeletion"};
    const json_t *actions = json_object_get(rule, "actions");
    if (!json_is_object(rule) || !r2_strings(actions, 1))
        return r2_config_bad(err, "a notification rule needs a list of actions");
    for (size_t i = 0; i < json_array_size(actions); i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(known) &&
               strcmp(known[k], json_string_value(json_array_get(actions, i))) != 0)
            k++;
        if (k == ARRAY_LEN(known))
            return r2_config_bad(err, "actions are PutObject, CopyObject, CompleteMultipartUpload, "
                                      "DeleteObject and LifecycleDeletion");
    }
    return 0;
}
