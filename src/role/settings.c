#include "role/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { SETTING_NAME_MAX = 128, SETTINGS_DEPTH_MAX = 8 };
#define TEXT(name, standard, sentence)                                                             \
    {                                                                                              \
        name, SETTING_TEXT, standard, 0, 0, "", sentence                                           \
    }
#define BOOL(name, standard, sentence)                                                             \
    {                                                                                              \
        name, SETTING_BOOL, standard, 0, 0, "", sentence                                           \
    }
#define INT(name, standard, least, most, unit, sentence)                                           \
    {                                                                                              \
        name, SETTING_INT, standard, least, most, unit, sentence                                   \
    }

/* clang-format off */
const struct setting settings_table[] = {
    TEXT("listen", "127.0.0.1:8787", "Where Workers answer over HTTP."),
    TEXT("https", "", "Where Workers answer over HTTPS; empty: nowhere."),
    TEXT("api", "127.0.0.1:8788", "Where the REST API and the dashboard answer."),
    TEXT("domain", "localhost", "A Worker `hello` answers at hello.<domain>."),
    INT("lanes", "1", 1, 32, "", "Gateway processes, each with its own isolates; a change counts from the next start on."),
    TEXT("log.level", "info", "Least level that is logged: debug, info, warn or error."),
    BOOL("access_log", "true", "Whether requests are written to logs/access.log."),
    TEXT("tls.certificate", "", "PEM file with the certificate chain; empty: one from the local authority."),
    TEXT("tls.key", "", "PEM file with its private key."),
    INT("http.body_max", "104857600", 0, INT64_C(1) << 40, "bytes", "Largest body of a request; 0: no limit."),
    BOOL("egress.allow_private", "false", "Whether fetch() may reach loopback and private addresses."),
    TEXT("egress.authorities", "", "PEM file with more authorities that outgoing TLS trusts."),
    INT("isolates.spares", "2", 0, 64, "",
        "Blank isolates that stand ready; up to four times as many while starts are frequent."),
    INT("cache.disk_max", "1073741824", 0, INT64_C(1) << 44, "bytes", "What stored responses may take on disk."),
    INT("cache.memory_max", "67108864", 0, INT64_C(1) << 40, "bytes", "What stored responses may take in memory."),
    INT("cache.object_max", "536870912", 0, INT64_C(1) << 40, "bytes", "Largest response that is stored."),
    INT("cache.entries_max", "65536", 0, 16777216, "", "Stored responses at once; each takes some hundred bytes of memory."),
    INT("isolates.most", "1000", 1, 50000, "", "Isolates alive at once, spares included."),
    INT("isolates.per_worker", NULL, 1, 1024, "", "Isolates of one version at once; the machine's cores if not given."),
    INT("isolates.idle_s", "300", 1, 86400, "seconds", "An isolate without requests is retired after so long."),
    INT("isolates.memory_base_mb", "64", 16, 4096, "MiB", "What the engine itself may use beyond a Worker's own limit."),
    INT("isolates.start_timeout_ms", "10000", 100, 600000, "ms", "A start that takes longer is given up."),
    INT("breaker.crashes", "3", 1, 1000, "", "So many crashes within a minute and a version is not started for a while."),
    TEXT("place.colo", "LOC", "Where this machine is, as request.cf.colo says it."),
    TEXT("place.country", "", "request.cf.country, two letters; this and those below: empty means absent."),
    TEXT("place.continent", "", "request.cf.continent, two letters."),
    TEXT("place.region", "", "request.cf.region."),
    TEXT("place.region_code", "", "request.cf.regionCode."),
    TEXT("place.city", "", "request.cf.city."),
    TEXT("place.postal_code", "", "request.cf.postalCode."),
    TEXT("place.latitude", "", "request.cf.latitude."),
    TEXT("place.longitude", "", "request.cf.longitude."),
    TEXT("place.timezone", "", "request.cf.timezone, as Europe/Berlin."),
    INT("place.asn", "0", 0, UINT32_MAX, "", "request.cf.asn; 0: absent."),
    TEXT("place.as_organization", "", "request.cf.asOrganization."),
    INT("stop.grace_ms", "10000", 0, 600000, "ms", "What runs may finish within this time when the server stops."),
};
/* clang-format on */
const size_t settings_count = ARRAY_LEN(settings_table);

static const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (strcmp(settings_table[i].name, name) == 0)
            return &settings_table[i];
    }
    return NULL;
}

static int setting_refuse(const struct setting *s, struct err *err)
{
    switch (s->type) {
    case SETTING_INT:
        return err_set(err, -EINVAL, 0,
                       "the setting %s must be a whole number from %" PRId64 " to %" PRId64 " %s",
                       s->name, s->least, s->most, s->unit);
    case SETTING_BOOL:
        return err_set(err, -EINVAL, 0, "the setting %s must be true or false", s->name);
    case SETTING_TEXT:
        break;
    }
    return err_set(err, -EINVAL, 0, "the setting %s must be text", s->name);
}

static int setting_check(const struct setting *s, const json_t *value, struct err *err)
{
    bool fits = false;
    switch (s->type) {
    case SETTING_TEXT:
        fits = json_is_string(value);
        break;
    case SETTING_BOOL:
        fits = json_is_boolean(value);
        break;
    case SETTING_INT:
        fits = json_is_integer(value) && json_integer_value(value) >= s->least &&
               json_integer_value(value) <= s->most;
        break;
    }
    return fits ? 0 : setting_refuse(s, err);
}

static json_t *setting_from_text(const struct setting *s, const char *text)
{
    switch (s->type) {
    case SETTING_TEXT:
        return json_string(text);
    case SETTING_BOOL:
        if (strcmp(text, "true") == 0)
            return json_true();
        return strcmp(text, "false") == 0 ? json_false() : NULL;
    case SETTING_INT:
        break;
    }
    uint64_t n;
    if (slice_to_u64(slice_of(text), &n) < 0 || n > INT64_MAX)
        return NULL;
    return json_integer((json_int_t)n);
}

json_t *settings_defaults(void)
{
    json_t *settings = json_object();
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings_table[i];
        if (s->standard != NULL)
            CHECK(json_object_set_new(settings, s->name, setting_from_text(s, s->standard)) == 0);
    }
    return settings;
}

int settings_put(json_t *settings, const char *name, const char *value, struct err *err)
{
    const struct setting *s = setting_find(name);
    if (s == NULL)
        return err_set(err, -EINVAL, 0, "there is no setting %s", name);
    AUTO(json_release) json_t *parsed = setting_from_text(s, value);
    if (parsed == NULL)
        return setting_refuse(s, err);
    int r = setting_check(s, parsed, err);
    if (r == 0)
        json_object_set(settings, name, parsed);
    return r;
}

static int settings_apply_object(json_t *settings, const char *prefix, json_t *object,
                                 unsigned depth, struct err *err)
{
    const char *key;
    json_t *value;
    if (depth > SETTINGS_DEPTH_MAX)
        return err_set(err, -EINVAL, 0, "the settings are nested too deeply");
    json_object_foreach(object, key, value)
    {
        char name[SETTING_NAME_MAX];
        int n = snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", key);
        if (n < 0 || (size_t)n >= sizeof(name))
            return err_set(err, -EINVAL, 0, "a name of a setting is too long");
        const struct setting *s = setting_find(name);
        int r;
        if (s == NULL && json_is_object(value))
            r = settings_apply_object(settings, name, value, depth + 1, err);
        else if (s == NULL)
            r = err_set(err, -EINVAL, 0, "there is no setting %s", name);
        else
            r = setting_check(s, value, err);
        if (r < 0)
            return r;
        if (s != NULL)
            json_object_set(settings, name, value);
    }
    return 0;
}

int settings_apply(json_t *settings, struct slice text, struct err *err)
{
    AUTO(buf_done) struct buf plain = {0};
    AUTO(json_release) json_t *object = NULL;
    buf_append_slice(&plain, text);
    settings_plain_json(&plain);
    int r = json_parse(buf_slice(&plain), &object, err);
    if (r < 0)
        return r;
    if (!json_is_object(object))
        return err_set(err, -EINVAL, 0, "the settings must be one object");
    return settings_apply_object(settings, "", object, 0, err);
}

/* --- JSONC --- */

/* The end of the string that begins at `at`. */
static size_t jsonc_skip_string(struct slice s, size_t at)
{
    for (at++; at < s.len && s.ptr[at] != '"'; at++) {
        if (s.ptr[at] == '\\')
            at++;
    }
    return MIN(at + 1, s.len);
}

static size_t jsonc_blank_comment(char *text, size_t len, size_t at)
{
    bool block = text[at + 1] == '*';
    size_t from = at;
    for (at += 2; at < len; at++) {
        if (!block && text[at] == '\n')
            break;
        if (block && at + 1 < len && text[at] == '*' && text[at + 1] == '/') {
            at += 2;
            break;
        }
    }
    for (size_t i = from; i < at && i < len; i++) {
        if (text[i] != '\n')
            text[i] = ' ';
    }
    return MIN(at, len);
}

void settings_plain_json(struct buf *text)
{
    char *p = buf_reserve(text, 0) - buf_len(text); /* also when it is empty */
    size_t len = buf_len(text);
    size_t comma = SIZE_MAX; /* a comma after which only blanks came */
    for (size_t at = 0; at < len;) {
        bool comment = p[at] == '/' && at + 1 < len && (p[at + 1] == '/' || p[at + 1] == '*');
        if (comment) {
            at = jsonc_blank_comment(p, len, at);
            continue;
        }
        if ((p[at] == '}' || p[at] == ']') && comma != SIZE_MAX)
            p[comma] = ' ';
        if (strchr(" \t\r\n", p[at]) == NULL)
            comma = p[at] == ',' ? at : SIZE_MAX;
        at = p[at] == '"' ? jsonc_skip_string((struct slice){p, len}, at) : at + 1;
    }
}

/* --- for people --- */

static void setting_print_value(struct buf *out, const struct setting *s, const json_t *current)
{
    const json_t *value = json_object_get(current, s->name);
    if (value == NULL) {
        buf_printf(out, "%s", s->standard == NULL ? "(not given)" : s->standard);
        return;
    }
    if (json_is_string(value))
        buf_printf(out, "%s",
                   json_string_value(value)[0] == '\0' ? "\"\"" : json_string_value(value));
    else
        json_print(out, value);
}

void settings_print(struct buf *out, const json_t *current)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *s = &settings_table[i];
        buf_printf(out, "%-26s ", s->name);
        setting_print_value(out, s, current);
        buf_printf(out, "\n    %s", s->sentence);
        if (s->type == SETTING_INT)
            buf_printf(out, " %" PRId64 " to %" PRId64 "%s%s.", s->least, s->most,
                       s->unit[0] == '\0' ? "" : " ", s->unit);
        if (s->standard != NULL)
            buf_printf(out, " Standard: %s.", s->standard[0] == '\0' ? "empty" : s->standard);
        buf_append_char(out, '\n');
    }
}
