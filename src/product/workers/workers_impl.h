/*
 * Shared by the files of the Workers product in control: uploads, versions, deployments.
 *
 *   request --upload_read()--> struct upload --version_create()--> files, linked code, probe, row
 *                                             --deployment_create()--> row, table.json, table_changed
 */
#pragma once

#include "api/call.h"
#include "api/multipart.h"

enum {
    WORKER_ERR_MISSING = 10007,
    WORKER_ERR_NAME = 10016,
    WORKER_ERR_INVALID = 10021,
    WORKER_ERR_BODY = 10026,
    WORKER_ERR_TOO_LARGE = 10027,
    WORKER_ERR_INHERIT = 10057,
    WORKER_ERR_SERVICE_MISSING = 10090,
    WORKER_ERR_NO_VERSION = 10222,
    WORKER_NAME_MAX = 63,
    WORKER_SIZE_MAX = 64 * 1024 * 1024,  /* all modules of a version, bytes */
    WORKER_BODY_MAX = 100 * 1024 * 1024, /* base64 and source maps included */
    WORKER_MODULE_NAME_MAX = 1024,
    WORKER_BINDINGS_MAX = 1024,
    WORKER_TEXT_MAX = 32 * 1024, /* of a plain text or secret binding */
    WORKER_PATH_MAX = 512
};

#define WORKERS_AREA "workers_scripts"
#define WORKERS_SCRIPT "/accounts/:account/workers/scripts/:script"

/* --- uploads --- */

struct upload_module {
    const char *name;     /* as the code imports it */
    const char *part;     /* as bindings of a service-worker script refer to it */
    const char *type;     /* esm script cjs wasm text data json map python */
    char file[16];        /* "m<N>" in the version's directory */
    struct slice content; /* in the request's body or arena */
};

struct upload {
    json_t *metadata;              /* owned */
    struct upload_module *modules; /* in the arena */
    size_t n_modules;
    const struct upload_module *main; /* NULL: assets only */
    const char *format;               /* modules service-worker wasi assets */
    const char *same_code_as; /* id of a version whose code this is, unchanged; NULL = link it */
};

void upload_done(struct upload *upload);
/* From a form of any of the three dialects. */
NODISCARD int upload_read(struct api_request *req, struct upload *ret, struct err *err);
/* From {main_module, modules: [{name, content_type, content_base64}], …}; takes a reference. */
NODISCARD int upload_from_json(struct api_request *req, json_t *body, struct upload *ret,
                               struct err *err);
/* What a stored version was made of; its settings become the metadata. */
NODISCARD int upload_load(struct api_request *req, const json_t *version, struct upload *ret,
                          struct err *err);
/* "esm" for "application/javascript+module"; NULL when unknown. */
const char *module_type_of(struct slice content_type);
const char *module_content_type(const char *type);

/* --- bindings --- */

/* Replaces metadata.bindings by what they come to: inherited and kept ones filled in from `before` (a
 * version row, or NULL), all checked. */
NODISCARD int bindings_resolve(struct api_request *req, const char *script, json_t *metadata,
                               const json_t *before, struct err *err);
/* As answers show them: without secrets. A new reference. */
json_t *bindings_public(const char *script_tag, const json_t *bindings);
/* As spec.json has them, with stores and mounts; adds to `mounts`. A new reference. */
json_t *bindings_spec(const char *account, const json_t *bindings, json_t *mounts);
json_t *binding_find(const json_t *bindings, const char *name); /* borrowed */
bool binding_is_secret(const json_t *binding);
/* Stable id of a Durable Object class of a script. */
void durable_namespace_id(const char *script_tag, const char *class_name, char ret[ID_HEX_SIZE]);

/* --- scripts and versions --- */

/* A row of scripts; 404 with code 10007. */
NODISCARD int script_find(struct api_request *req, const char *name, json_t **ret, struct err *err);
NODISCARD int script_name_check(const char *name, struct err *err);
/* The script that the path names. Those of a dispatch namespace are called "<its id>.<name>" within. */
const char *script_param(struct api_request *req);
/* As clients know it. */
const char *script_shown(const char *name);
/* Makes the row when it is absent. */
NODISCARD int script_ensure(struct api_request *req, const char *name, struct err *err);
/* The script's object of 4.4 for a version (its newest when NULL). A new reference. */
NODISCARD int script_object(struct api_request *req, const char *name, const json_t *version,
                            json_t **ret, struct err *err);
NODISCARD int version_find(struct api_request *req, const char *script, const char *id,
                           json_t **ret, struct err *err);
/* -ENOENT without err when there is none. */
NODISCARD int version_latest(struct api_request *req, const char *script, json_t **ret);
/* The first version of the newest deployment. -ENOENT without err when there is none. */
NODISCARD int version_deployed(struct api_request *req, const char *script, json_t **ret);
json_t *version_object(const json_t *script, const json_t *version);
/* Stores, links and probes; *ret is the new row. `trigger`: upload, secret, ... */
NODISCARD int version_create(struct api_request *req, const char *script, struct upload *upload,
                             const char *trigger, json_t **ret, struct err *err);
/* "wrangler", "api", "terraform" by user agent. */
const char *version_source(struct api_request *req);
/* Relative to the data directory. */
const char *version_dir(struct api_request *req, const char *script, const char *id);

/* --- jobs of the supervisor --- */

/* Code in the request's arena. */
NODISCARD int job_link(struct api_request *req, const struct upload *upload, struct slice *ret_code,
                       struct err *err);
/* Starts the version once; *ret is what the isolate said: {handlers, startup_us}. */
NODISCARD int job_probe(struct api_request *req, const json_t *spec, json_t **ret, struct err *err);

/* --- deployments --- */

/* `versions`: [{version_id, percentage}], checked here. *ret: the deployment's object, may be NULL. */
NODISCARD int deployment_create(struct api_request *req, const char *script, const json_t *versions,
                                const json_t *annotations, json_t **ret, struct err *err);
/* One version at 100 %. */
NODISCARD int deployment_of(struct api_request *req, const char *script, const char *version,
                            const char *trigger, struct err *err);
/* Writes workers/table.json from the database, tells the supervisor and waits until the gateway routes by it
 * (or a second is over: the table is then applied when the gateway is back). For worker threads. */
NODISCARD int table_publish(struct api_request *req, struct err *err);
/* After a version was made that is not deployed: its preview, when the script has previews. */
NODISCARD int previews_publish(struct api_request *req, const json_t *script, struct err *err);
/* The same at start, before there are requests: only writes. */
NODISCARD int table_write(struct api *api, uint64_t *ret_revision, struct err *err);
/* The gateway said that it routes by this revision. Any thread. */
void table_applied(uint64_t revision);

/* --- assets --- */

/* The manifest that a completion token names: {"/path": {hash, size, type}}. A new reference. */
NODISCARD int assets_manifest(struct api_request *req, const char *jwt, json_t **ret,
                              struct err *err);

/* http://<name>.<domain>:<port> */
const char *worker_url(struct api_request *req, const char *script);
const char *worker_preview_suffix(struct api_request *req, const char *script);

/* At start: removes what no row knows of. */
void workers_sweep(struct api *api);

int64_t workers_now(void);
