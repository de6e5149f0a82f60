/*
 * Uploads of Workers: the first line is the content type, the rest a form, or the JSON of the other API. What is
 * accepted has an entry among its modules, and no module's name walks upwards.
 */
#include "fuzz.h"
#include "net/http.h"
#include "product/workers/workers_impl.h"

static void check_modules(const struct upload *upload)
{
    bool has_main = upload->main == NULL;

    CHECK(json_is_object(upload->metadata) && upload->format != NULL);
    for (size_t i = 0; i < upload->n_modules; i++) {
        const struct upload_module *m = &upload->modules[i];
        struct slice rest = slice_of(m->name);
        has_main = has_main || m == upload->main;
        CHECK(m->name[0] != '\0' && m->name[0] != '/' && m->type != NULL);
        while (rest.ptr != NULL)
            CHECK(!slice_eq(slice_cut(&rest, '/'), SLICE("..")));
    }
    CHECK(has_main);
}

static void read_form(struct api_request *req, struct slice type, struct slice body)
{
    AUTO(buf_done) struct buf headers = {0};
    AUTO(upload_done) struct upload upload = {0};
    struct err err = {0};

    if (!http_value_ok(type))
        return;
    http_header_add(&headers, SLICE("content-type"), type);
    req->headers = buf_slice(&headers);
    buf_append_slice(&req->body, body);
    if (upload_read(req, &upload, &err) == 0)
        check_modules(&upload);
    else
        CHECK(err.text[0] != '\0');
}

static void read_json(struct api_request *req, struct slice text)
{
    AUTO(upload_done) struct upload upload = {0};
    AUTO(json_release) json_t *body = NULL;
    struct err err = {0};

    if (json_parse(text, &body, NULL) < 0 || !json_is_object(body))
        return;
    if (upload_from_json(req, body, &upload, &err) == 0)
        check_modules(&upload);
    else
        CHECK(err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct api api;
    struct api_request req;
    struct slice body = slice_from(data, size), type = slice_trim(slice_cut(&body, '\n'));

    api_request_init(&req, &api);
    if (slice_eq(type, SLICE("application/json")))
        read_json(&req, body);
    else
        read_form(&req, type, body);
    api_request_done(&req);
    return 0;
}
