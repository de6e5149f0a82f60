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
    D1_BOOKMARK_SIZE = 64,
    D1_TICKET_S = 3600, /* addresses of uploads and downloads hold so long */
    D1_QUERY_MAX = 8 * 1024 * 1024,
    D1_RESULT_MAX = 256 * 1024 * 1024,
    D1_IMPORT_MAX = 256 * 1024 * 1024
};

/* The database of the path by uuid or name; 404 with code 7404. */
NODISCARD int d1_find(struct api_request *req, json_t **ret, struct err *err);
NODISCARD int d1_store_name(struct api_request *req, char ret[STORE_NAME_MAX], struct err *err);
struct d1_running {
    uint32_t flags;        /* of d1_run */
    int timeout_ms;        /* 0 = the usual */
    bool ends_with_client; /* nobody wants the results of a client that is gone */
};
NODISCARD int d1_run(struct api_request *req, const char *store, const json_t *statements,
                     const struct d1_running *how, json_t **ret, struct err *err);

/* Of now. Four groups of hex digits; the first is the number of transactions, so bookmarks sort by age. */
NODISCARD int d1_bookmark(struct api_request *req, const char *store, char ret[D1_BOOKMARK_SIZE],
                          struct err *err);

/* d1_import_api.c */
int d1_api_import(struct api_request *req, struct err *err);
int d1_api_export(struct api_request *req, struct err *err);
int d1_api_bookmark(struct api_request *req, struct err *err);
int d1_api_restore(struct api_request *req, struct err *err);
bool d1_api_upload_guard(struct api_request *req);
int d1_api_upload(struct api_request *req, struct err *err);
int d1_api_download(struct api_request *req, struct err *err);
