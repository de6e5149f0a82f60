/*
 * Figures of D1 as wrangler asks for them by GraphQL: `d1 info` by the hour, `d1 insights` by the statement.
 */
#pragma once

#include "api/request.h"

/* `filter`: the query's variables.filter; `text`: the query itself, which says order and limit. */
json_t *graphql_d1_hours(struct api_request *req, const json_t *filter, const char *text);
json_t *graphql_d1_queries(struct api_request *req, const json_t *filter, const char *text);
