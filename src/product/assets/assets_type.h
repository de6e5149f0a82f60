/*
 * Media type of a file by its extension, for assets that were uploaded without one.
 */
#pragma once

#include "core/slice.h"

/* "application/octet-stream" when the extension is unknown or absent. Text types carry a charset. */
struct slice assets_type_of(struct slice path);
