#include "role/control_filter.h"

#include "core/id.h"

#include <string.h>
#include <strings.h>

void filter_complete(json_t *event, struct slice script, struct slice version)
{
    static const char *const arrays[] = {"scriptTags", "diagnosticsChannelEvents", "exceptions",
                                         "logs"};
    json_object_set_new(event, "scriptName", json_stringn(script.ptr, script.len));
    json_object_set_new(event, "scriptVersion",
                        json_pack("{s:o}", "id", json_stringn(version.ptr, version.len)));
    for (size_t i = 0; i < ARRAY_LEN(arrays); i++) {
        if (!json_is_array(json_object_get(event, arrays[i])))
            json_object_set_new(event, arrays[i], json_array());
    }
    if (json_object_get(event, "truncated") == NULL)
        json_object_set_new(event, "truncated", json_false());
    if (json_object_get(event, "executionModel") == NULL)
        json_object_set_new(event, "executionModel", json_string("stateless"));
    if (json_object_get(event, "outcome") == NULL)
        json_object_set_new(event, "outcome", json_string("unknown"));
}

/* --- one filter each --- */

static bool filter_list_has(const json_t *list, const char *text, bool nocase)
{
    size_t i;
    json_t *value;
    json_array_foreach(list, i, value)
    {
        const char *one = json_is_string(value) ? json_string_value(value) : "";
        if ((nocase ? strcasecmp(one, text) : strcmp(one, text)) == 0)
            return true;
    }
    return false;
}

static const json_t *filter_request(const json_t *event)
{
    return json_object_get(json_object_get(event, "event"), "request");
}

static bool filter_sampling(const json_t *rate, const json_t *event, const char *own_ip)
{
    uint32_t dice;
    (void)event, (void)own_ip;
    id_random(&dice, sizeof(dice));
    return (double)dice / UINT32_MAX < json_number_value(rate);
}

static bool filter_outcome(const json_t *wanted, const json_t *event, const char *own_ip)
{
    (void)own_ip;
    return filter_list_has(wanted, json_str(event, "outcome", ""), false);
}

static bool filter_method(const json_t *wanted, const json_t *event, const char *own_ip)
{
    (void)own_ip;
    return filter_list_has(wanted, json_str(filter_request(event), "method", ""), true);
}

static bool filter_header(const json_t *wanted, const json_t *event, const char *own_ip)
{
    const json_t *headers = json_object_get(filter_request(event), "headers");
    const char *key = json_str(wanted, "key", ""), *query = json_str(wanted, "query", "");
    const char *name;
    json_t *value;
    (void)own_ip;
    json_object_foreach((json_t *)headers, name, value)
    {
        if (strcasecmp(name, key) == 0)
            return *query == '\0' ||
                   (json_is_string(value) && strstr(json_string_value(value), query) != NULL);
    }
    return false;
}

static bool filter_client_ip(const json_t *wanted, const json_t *event, const char *own_ip)
{
    const json_t *headers = json_object_get(filter_request(event), "headers");
    const char *ip = json_str(headers, "cf-connecting-ip", "");
    return filter_list_has(wanted, ip, false) ||
           (filter_list_has(wanted, "self", false) && strcmp(ip, own_ip) == 0);
}

static bool filter_query(const json_t *wanted, const json_t *event, const char *own_ip)
{
    const char *text = json_string_value(wanted);
    size_t i;
    json_t *line;
    (void)own_ip;
    json_array_foreach(json_object_get(event, "logs"), i, line)
    {
        AUTO(buf_done) struct buf printed = {0};
        json_t *message = json_object_get(line, "message");
        if (message != NULL)
            json_print(&printed, message);
        if (text != NULL && strstr(buf_cstr(&printed), text) != NULL)
            return true;
    }
    return false;
}

static bool filter_version(const json_t *wanted, const json_t *event, const char *own_ip)
{
    (void)own_ip;
    return json_is_string(wanted) &&
           strcmp(json_string_value(wanted),
                  json_str(json_object_get(event, "scriptVersion"), "id", "")) == 0;
}

static const struct filter {
    const char *name;
    bool (*passes)(const json_t *wanted, const json_t *event, const char *own_ip);
} filter_table[] = {
    {"sampling_rate", filter_sampling}, {"outcome", filter_outcome},     {"method", filter_method},
    {"header", filter_header},          {"client_ip", filter_client_ip}, {"query", filter_query},
    {"scriptVersion", filter_version},
};

bool filter_passes(const json_t *filters, const json_t *event, const char *own_ip)
{
    size_t i;
    json_t *filter;
    json_array_foreach(filters, i, filter)
    {
        for (size_t k = 0; k < ARRAY_LEN(filter_table); k++) {
            const json_t *wanted = json_object_get(filter, filter_table[k].name);
            if (wanted != NULL && !filter_table[k].passes(wanted, event, own_ip))
                return false;
        }
    }
    return true;
}
