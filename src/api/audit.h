/*
 * Who changed what: one row per mutation that succeeded, and per refused attempt with a valid token.
 */
#pragma once

#include "api/request.h"

extern const char *const audit_schema[];

/* After the handler, on the work pool. */
void audit_request(struct api_request *req);
/* GET /accounts/:account/audit_logs */
int audit_api_list(struct api_request *req, struct err *err);
