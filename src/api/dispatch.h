/*
 * A request's two halves: what is decided before its body is taken, and its handler.
 */
#pragma once

#include "api/request.h"

/* Finds the route and checks token, permission and account, from method, target and headers. False: the
 * answer is already set. Does not block. */
bool api_begin(struct api_request *req);
/* Runs the handler and the audit; afterwards the answer is set. Work pool. */
void api_run(struct api_request *req);
/* Sets the answer to an error that came from outside of a handler. */
void api_refuse(struct api_request *req, int status, int code, const char *text);
