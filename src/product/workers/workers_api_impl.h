/*
 * The handlers of the Workers routes, by file.
 */
#pragma once

#include "product/workers/workers_impl.h"

/* scripts_api.c */
int scripts_api_put(struct api_request *req, struct err *err);
int scripts_api_content_put(struct api_request *req, struct err *err);
int scripts_api_content(struct api_request *req, struct err *err);
int scripts_api_list(struct api_request *req, struct err *err);
int scripts_api_delete(struct api_request *req, struct err *err);
int scripts_api_service(struct api_request *req, struct err *err);
int scripts_api_references(struct api_request *req, struct err *err);
int scripts_api_tails_by_consumer(struct api_request *req, struct err *err);
int script_delete(struct api_request *req, const char *name, struct err *err);
/* Uploads what the request holds as a version of the script; *ret is its row. */
int scripts_upload(struct api_request *req, const char *name, json_t **ret, struct err *err);

/* dispatch_api.c */
int dispatch_api_list(struct api_request *req, struct err *err);
int dispatch_api_create(struct api_request *req, struct err *err);
int dispatch_api_info(struct api_request *req, struct err *err);
int dispatch_api_update(struct api_request *req, struct err *err);
int dispatch_api_delete(struct api_request *req, struct err *err);
int dispatch_api_scripts(struct api_request *req, struct err *err);
int dispatch_api_script_info(struct api_request *req, struct err *err);
int dispatch_api_script_put(struct api_request *req, struct err *err);

/* versions_api.c */
int versions_api_create(struct api_request *req, struct err *err);
int versions_api_list(struct api_request *req, struct err *err);
int versions_api_info(struct api_request *req, struct err *err);
int deployments_api_create(struct api_request *req, struct err *err);
int deployments_api_list(struct api_request *req, struct err *err);
int deployments_api_info(struct api_request *req, struct err *err);
int deployments_api_delete(struct api_request *req, struct err *err);

/* settings_api.c */
int settings_api_get(struct api_request *req, struct err *err);
int settings_api_patch(struct api_request *req, struct err *err);
int settings_api_bindings(struct api_request *req, struct err *err);
int script_settings_api_get(struct api_request *req, struct err *err);
int script_settings_api_patch(struct api_request *req, struct err *err);
int secrets_api_list(struct api_request *req, struct err *err);
int secrets_api_put(struct api_request *req, struct err *err);
int secrets_api_get(struct api_request *req, struct err *err);
int secrets_api_delete(struct api_request *req, struct err *err);
int secrets_api_bulk(struct api_request *req, struct err *err);
int secrets_api_version_patch(struct api_request *req, struct err *err);
/* Members of `given` that belong to the script, not to a version, into its row. */
int script_settings_merge(struct api_request *req, const char *name, const json_t *given,
                          struct err *err);

/* triggers_api.c */
int subdomain_api_account_get(struct api_request *req, struct err *err);
int subdomain_api_account_put(struct api_request *req, struct err *err);
int subdomain_api_check(struct api_request *req, struct err *err);
int subdomain_api_get(struct api_request *req, struct err *err);
int subdomain_api_post(struct api_request *req, struct err *err);
int subdomain_api_delete(struct api_request *req, struct err *err);
int routes_api_put(struct api_request *req, struct err *err);
int routes_api_of_script(struct api_request *req, struct err *err);
int routes_api_list(struct api_request *req, struct err *err);
int routes_api_create(struct api_request *req, struct err *err);
int routes_api_info(struct api_request *req, struct err *err);
int routes_api_update(struct api_request *req, struct err *err);
int routes_api_delete(struct api_request *req, struct err *err);
int schedules_api_get(struct api_request *req, struct err *err);
int schedules_api_put(struct api_request *req, struct err *err);

/* domains_api.c */
int domains_api_changeset(struct api_request *req, struct err *err);
int domains_api_records_put(struct api_request *req, struct err *err);
int domains_api_list(struct api_request *req, struct err *err);
int domains_api_put(struct api_request *req, struct err *err);
int domains_api_info(struct api_request *req, struct err *err);
int domains_api_delete(struct api_request *req, struct err *err);

/* assets_api.c */
int assets_api_session(struct api_request *req, struct err *err);
bool assets_api_guard(struct api_request *req);
int assets_api_bulk(struct api_request *req, struct err *err);
int assets_api_single(struct api_request *req, struct err *err);

/* tails_api.c */
int tails_api_create(struct api_request *req, struct err *err);
int tails_api_list(struct api_request *req, struct err *err);
int tails_api_delete(struct api_request *req, struct err *err);

/* beta_api.c */
int beta_api_list(struct api_request *req, struct err *err);
int beta_api_create(struct api_request *req, struct err *err);
int beta_api_info(struct api_request *req, struct err *err);
int beta_api_update(struct api_request *req, struct err *err);
int beta_api_delete(struct api_request *req, struct err *err);
int beta_api_version_create(struct api_request *req, struct err *err);
int beta_api_version_list(struct api_request *req, struct err *err);
int beta_api_version_info(struct api_request *req, struct err *err);
