/*
 * What clients may set a bucket to, checked in control before the keeper stores it (product/r2/r2_rules.h).
 *
 * Each check completes what may be left out and returns 0, or -EINVAL with a sentence.
 */
#pragma once

#include "core/err.h"
#include "core/json.h"

/* Member of a lifecycle rule that came through S3 in the older form, with the prefix outside of a filter. */
#define R2_LIFECYCLE_OLD "s3Prefix"

enum { R2_RULES_MAX = 1000, R2_RULE_ID_MAX = 255 };

NODISCARD int r2_cors_check(json_t *cors, struct err *err);
NODISCARD int r2_lifecycle_check(json_t *lifecycle, struct err *err);
NODISCARD int r2_lock_check(json_t *lock, struct err *err);
/* One rule of event notifications: {prefix?, suffix?, actions, description?}. */
NODISCARD int r2_notification_check(json_t *rule, struct err *err);
