/*
 * What a deploy asks of Durable Objects in control: namespaces, migrations, and what versions are told.
 * The workers product drives it, the durable product implements it; neither knows more of the other.
 *
 * A *plan* is what the namespaces of a script will be when an upload succeeds: an object {"after": [rows],
 * "create": [rows], "delete": [ids], "update": [rows]}. A row is {id, script, class, use_sqlite, key}.
 *
 * Work pool, blocking.
 */
#pragma once

#include "api/call.h"

enum {
    DURABLE_ERR_TAG = 10079,
    DURABLE_ERR_EXISTS = 10074,
    DURABLE_ERR_MISSING = 10073,
    DURABLE_ERR_BINDING = 10061,
    DURABLE_ERR_NAMESPACE = 10066,
    DURABLE_CLASSES_MAX = 500 /* of an account */
};

/* Reads the upload's migrations (and takes them out of the metadata), checks them, and makes what the version's
 * isolates will mount. Without migrations the plan is what there is. */
NODISCARD int durable_plan_make(struct api_request *req, const char *script, json_t *metadata,
                                json_t **ret, struct err *err);
/* Namespaces behind the bindings of type durable_object_namespace. */
NODISCARD int durable_plan_bind(struct api_request *req, const char *script, const json_t *plan,
                                json_t *bindings, struct err *err);
/* Keys into the spec's bindings; the classes that the script owns as further bindings with their mounts. */
NODISCARD int durable_plan_spec(struct api_request *req, const json_t *plan, json_t *bindings,
                                json_t *mounts, struct err *err);
/* The version exists. */
NODISCARD int durable_plan_commit(struct api_request *req, const json_t *plan, struct err *err);
/* It does not: what was made for it goes. */
void durable_plan_undo(struct api_request *req, const json_t *plan);
/* The script goes, its namespaces and their objects with it. */
void durable_script_deleted(struct api_request *req, const char *script);
/* {id: {script, class}} for the gateway. A new reference. */
NODISCARD int durable_table(struct api *api, json_t **ret);
int durable_api_namespaces(struct api_request *req, struct err *err);
int durable_api_objects(struct api_request *req, struct err *err);
int durable_api_query(struct api_request *req, struct err *err); /* durable_query_api.c */
