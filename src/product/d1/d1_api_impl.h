/*
 * Shared by the files of D1's REST routes.
 */
#pragma once

#include "product/store_call.h"

enum {
    D1_ERR_NAME = 7400,
    D1_ERR_MISSING = 7404,
    D1_ERR_SQL = 7500,
    D1_ERR_TAKEN = 7502,
    D1_NAME_MAX = 128,
    D1_QUERY_MAX = 8 * 1024 * 1024,
    D1_RESULT_MAX = 256 * 1024 * 1024,
    D1_IMPORT_MAX = 256 * 1024 * 1024
};

/* The database of the path by uuid or name; 404 with code 7404. */
NODISCARD int d1_find(struct api_request *req, json_t **ret, struct err *err);
NODISCARD int d1_store_name(struct api_request *req, char ret[STORE_NAME_MAX], struct err *err);
NODISCARD int d1_run(struct api_request *req, const char *store, const json_t *statements,
                     uint32_t flags, json_t **ret, struct err *err);

int d1_api_import(struct api_request *req, struct err *err);
int d1_api_export(struct api_request *req, struct err *err);
int d1_api_bookmark(struct api_request *req, struct err *err);
int d1_api_restore(struct api_request *req, struct err *err);
bool d1_api_upload_guard(struct api_request *req);
int d1_api_upload(struct api_request *req, struct err *err);
int d1_api_download(struct api_request *req, struct err *err);
