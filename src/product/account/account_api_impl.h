/*
 * Shared by the files of the account's REST routes.
 */
#pragma once

#include "api/request.h"

int token_api_list(struct api_request *req, struct err *err);
int token_api_create(struct api_request *req, struct err *err);
int token_api_groups(struct api_request *req, struct err *err);
int token_api_info(struct api_request *req, struct err *err);
int token_api_update(struct api_request *req, struct err *err);
int token_api_delete(struct api_request *req, struct err *err);
int token_api_roll(struct api_request *req, struct err *err);
int graphql_api(struct api_request *req, struct err *err);
int backup_api(struct api_request *req, struct err *err);
int account_api_health(struct api_request *req, struct err *err);
