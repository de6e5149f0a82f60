/*
 * What a bucket is set to, in the keeper: values of the table `settings`, as JSON, by these names.
 *
 *     class           {storageClass}: of objects that say none
 *     cors            {rules: [{id, allowed: {origins, methods, headers}, exposeHeaders, maxAgeSeconds}]}
 *     lifecycle       {rules: [{id, enabled, conditions: {prefix}, deleteObjectsTransition, storageClassTransitions,
 *                     abortMultipartUploadsTransition}]}
 *     lock            {rules: [{id, enabled, prefix, condition: {type, maxAgeSeconds, date}}]}
 *     notifications   {account, queues: [{queueId, queueName, rules: [{ruleId, prefix, suffix, actions, …}]}]}
 *
 * Control checks them before it stores them; here they are only obeyed. Everything runs in the store's lane.
 */
#pragma once

#include "product/r2/r2_keeper.h"

void r2_op_setting(struct keeper_call *call);
/* NULL when it is not set; borrowed until a setting changes. */
const json_t *r2_setting(struct r2_store *store, const char *name);
/* After a change or a rollback: read again when asked for. */
void r2_settings_forget(struct r2_store *store);
/* options.storageClass, or what the bucket is set to. */
const char *r2_class_for(struct r2_store *store, const json_t *options);
/* Do the lock rules forbid to remove or replace an object that was stored at this time? */
bool r2_is_locked(struct r2_store *store, struct slice key, int64_t uploaded_ms);

enum r2_action {
    R2_PUT_OBJECT,
    R2_COPY_OBJECT,
    R2_COMPLETE_UPLOAD,
    R2_DELETE_OBJECT,
    R2_LIFECYCLE_DELETE
};
/* Rows of the outbox for those whose rules match; row has key, size and etag. */
NODISCARD int r2_notify(struct r2_store *store, enum r2_action action, const struct r2_row *row,
                        struct err *err);

/* r2_lifecycle.c: one round of the rules, outside of a transaction. */
void r2_lifecycle_run(struct r2_store *store);
