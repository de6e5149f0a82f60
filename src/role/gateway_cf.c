/*
 * request.cf: what the platform knows of a client and its connection, as JSON.
 *
 * A machine of one's own has no database of places: where its clients are is what the settings place.* say, and
 * members whose setting is empty are absent, as upstream they are for clients that it cannot find. Of bots nothing is
 * known, so there is no botManagement.
 */
#include "role/gateway.h"

#include <string.h>

static const struct {
    const char *setting, *member;
} places[] = {
    {"place.colo", "colo"},
    {"place.country", "country"},
    {"place.continent", "continent"},
    {"place.region", "region"},
    {"place.region_code", "regionCode"},
    {"place.city", "city"},
    {"place.postal_code", "postalCode"},
    {"place.latitude", "latitude"},
    {"place.longitude", "longitude"},
    {"place.timezone", "timezone"},
    {"place.as_organization", "asOrganization"},
};

/* Nobody asks clients for certificates. */
static const char *const no_certificate[] = {
    "certIssuerDN",        "certIssuerDNLegacy",    "certIssuerDNRFC2253",
    "certIssuerSKI",       "certIssuerSerial",      "certSKI",
    "certSerial",          "certSubjectDN",         "certSubjectDNLegacy",
    "certNotAfter",        "certSubjectDNRFC2253",  "certNotBefore",
    "certFingerprintSHA1", "certFingerprintSHA256",
};

static bool is_eu(const char *country)
{
    static const char codes[] =
        "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK";

    return strlen(country) == 2 && strstr(codes, country) != NULL;
}

/* What is the same for all requests. */
static json_t *cf_place(const struct gateway *g)
{
    json_t *o = json_object(), *certificate = json_object();
    int64_t asn = json_int(g->rc->settings, "place.asn", 0);

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const char *value = json_str(g->rc->settings, places[i].setting, "");
        if (value[0] != '\0')
            json_object_set_new(o, places[i].member, json_string(value));
    }
    if (is_eu(json_str(o, "country", "")))
        json_object_set_new(o, "isEUCountry", json_string("1"));
    if (asn > 0)
        json_object_set_new(o, "asn", json_integer(asn));
    for (size_t i = 0; i < ARRAY_LEN(no_certificate); i++)
        json_object_set_new(certificate, no_certificate[i], json_string(""));
    json_object_set_new(certificate, "certPresented", json_string("0"));
    json_object_set_new(certificate, "certRevoked", json_string("0"));
    json_object_set_new(certificate, "certVerified", json_string("NONE"));
    json_object_set_new(o, "tlsClientAuth", certificate);
    json_object_set_new(o, "requestPriority", json_string(""));
    json_object_set_new(o, "edgeRequestKeepAliveStatus", json_integer(1));
    return o;
}

static const char *protocol_name(int version)
{
    return version == 20 ? "HTTP/2" : version == 11 ? "HTTP/1.1" : "HTTP/1.0";
}

/* Most requests come the way the one before came: the text is made again only when that changes. The library's names
 * are constants, so their addresses tell. */
struct slice gateway_cf(struct gateway *g, const struct http_request *r)
{
    static struct buf text, accepted;
    static const char *version, *cipher;
    static int protocol;
    struct slice encoding = SLICE_NONE;

    (void)http_header_get(r->headers, SLICE("accept-encoding"), &encoding); /* absent: empty */
    if (version == r->tls_version && cipher == r->tls_cipher && protocol == r->version &&
        slice_eq(buf_slice(&accepted), encoding))
        return buf_slice(&text);
    if (g->place == NULL)
        g->place = cf_place(g);
    AUTO(json_release) json_t *o = json_copy(g->place);
    json_object_set_new(o, "httpProtocol", json_string(protocol_name(r->version)));
    json_object_set_new(o, "tlsVersion", json_string(r->tls_version));
    json_object_set_new(o, "tlsCipher", json_string(r->tls_cipher));
    json_t *encodings = json_stringn(encoding.len == 0 ? "" : encoding.ptr, encoding.len);
    if (encodings != NULL) /* else it is no text: left out */
        json_object_set_new(o, "clientAcceptEncoding", encodings);
    version = r->tls_version;
    cipher = r->tls_cipher;
    protocol = r->version;
    buf_clear(&accepted);
    buf_append_slice(&accepted, encoding);
    buf_clear(&text);
    json_print(&text, o);
    return buf_slice(&text);
}
