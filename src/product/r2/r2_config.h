/*
 * What clients may set a bucket to, checked in control before the keeper stores it (product/r2/r2_rules.h).
 *
 * Each check completes what may be left out and returns 0, or -EINVAL with a sentence.
 */
#pragma once

#include "api/request.h"

/* Member of a lifecycle rule that came through S3 in the older form, with the prefix outside of a filter. */
#define R2_LIFECYCLE_OLD "s3Prefix"

enum { R2_RULES_MAX = 1000, R2_RULE_ID_MAX = 255 };

NODISCARD int r2_cors_check(json_t *cors, struct err *err);
NODISCARD int r2_lifecycle_check(json_t *lifecycle, struct err *err);
NODISCARD int r2_lock_check(json_t *lock, struct err *err);
/* One rule of event notifications: {prefix?, suffix?, actions, description?}. */
NODISCARD int r2_notification_check(json_t *rule, struct err *err);

/* --- handlers of routes: r2_config_api.c, r2_domains_api.c --- */
int r2_api_cors_get(struct api_request *req, struct err *err);
int r2_api_cors_put(struct api_request *req, struct err *err);
int r2_api_cors_delete(struct api_request *req, struct err *err);
int r2_api_lifecycle_get(struct api_request *req, struct err *err);
int r2_api_lifecycle_put(struct api_request *req, struct err *err);
int r2_api_lock_get(struct api_request *req, struct err *err);
int r2_api_lock_put(struct api_request *req, struct err *err);
int r2_api_notifications_get(struct api_request *req, struct err *err);
int r2_api_notification_get(struct api_request *req, struct err *err);
int r2_api_notification_put(struct api_request *req, struct err *err);
int r2_api_notification_delete(struct api_request *req, struct err *err);
int r2_api_unserved(struct api_request *req, struct err *err);
int r2_api_managed_get(struct api_request *req, struct err *err);
int r2_api_managed_put(struct api_request *req, struct err *err);
int r2_api_domains_list(struct api_request *req, struct err *err);
int r2_api_domains_add(struct api_request *req, struct err *err);
int r2_api_domain_get(struct api_request *req, struct err *err);
int r2_api_domain_put(struct api_request *req, struct err *err);
int r2_api_domain_delete(struct api_request *req, struct err *err);
/* A bucket has gone, and its addresses go. */
void r2_domains_drop(struct api_request *req, const char *bucket);
