/*
 * Permission groups: what a token's policies may name, and what they come to.
 *
 * Each product's areas are numbered in the order of the table; a token's rights are two bit sets.
 */
#pragma once

#include "api/api.h"

enum { PERMISSION_AREAS_MAX = 64 };

struct permission_set {
    uint64_t read, edit; /* bit = index of the area */
};

/* The index of an area, or -1. */
int permission_index(const struct api_product *const *products, const char *area);
bool permission_has(const struct permission_set *set, int index, enum api_access access);
/* Array of {id, name, scopes}; a new reference. */
json_t *permission_groups(const struct api_product *const *products, const char *account);
/* What the policies of a token give on this account. -EINVAL with a sentence when they name unknown groups
 * or have another shape. */
NODISCARD int permission_compile(const struct api_product *const *products, const char *account,
                                 const json_t *policies, struct permission_set *ret,
                                 struct err *err);
/* A policy that allows everything on the account; a new reference. */
json_t *permission_policy_all(const char *account);
