/*
 * A product is one constant struct: its binding type in the isolate and its operations in the keeper.
 *
 * Adding a product: a folder, its row in products.c, its messages in messages_data.h, its REST routes
 * (struct api_route table in <name>_api.c, listed in role/control_routes.c), its tests.
 */
#pragma once

#include "core/json.h"
#include "engine/js.h"
#include "proc/wire.h"
#include "product/messages.h"

struct isolate;
struct binding;
struct keeper_engine;
struct keeper_op;

/* In the isolate: one row per binding of the version, in order; the index is what messages name. */
struct binding {
    const struct product *product; /* NULL for plain values */
    uint32_t index;
    const char *name;
    const json_t *config; /* the binding's object in the spec, borrowed */
    void *state;          /* product's own: an open store */
};

struct product {
    const char *binding_type; /* "kv_namespace" */
    const char *js_class; /* constructor in the built-in script: new KVNamespace(index, config) */
    const char
        *store; /* "kv": directory under accounts/<id>/, first part of store names; NULL = none */
    /* Natives `native.<group>` for the product's script. */
    const char *native_group;
    const struct js_native_row *natives;
    size_t n_natives;
    /* In the isolate: a note from the keeper. */
    void (*note)(uint16_t op, struct slice args);
    /* The operations the keeper performs for it. */
    const struct keeper_op *ops;
    size_t n_ops;
    const struct keeper_engine *engine; /* of its stores; NULL without stores */
};

/* NULL-terminated. */
extern const struct product *const products[];
const struct product *product_by_binding(const char *type);
const struct product *product_by_store(struct slice name);
