/* What the files of node/ share. */
#pragma once

#include "engine/vm.h"

extern const struct js_native_row node_text_rows[], node_crypto_rows[], node_cipher_rows[],
    node_key_rows[], node_sign_rows[], node_slow_rows[], node_x509_rows[], node_zlib_rows[];
extern const size_t node_text_n_rows, node_crypto_n_rows, node_cipher_n_rows, node_key_n_rows,
    node_sign_n_rows, node_slow_n_rows, node_x509_n_rows, node_zlib_n_rows;

/* --- native objects: structs of ours that the collector frees; scripts hold an ArrayBuffer that names one --- */

/* First member of each such struct. */
struct node_object {
    uint32_t magic;
    void (*finish)(struct node_object *object); /* releases what it owns, not itself; any thread */
};

/* Gives `object` (from mem_new) to the collector. */
js_value node_object_value(js_context ctx, struct node_object *object);
/* NULL when the value names no object with that magic. It lives as long as the value does. */
struct node_object *node_object_of(js_context ctx, js_value v, uint32_t magic);

/* Tells the collector of memory behind an object that it does not see. */
void node_report_extra(size_t bytes);

/* --- arguments --- */

/* args[i], or undefined. */
static inline js_value node_arg(js_context ctx, size_t n_args, const js_value args[], size_t i)
{
    return i < n_args ? args[i] : js_undefined(ctx);
}
/* The bytes of argument i; empty when it has none. */
struct slice node_view(js_context ctx, size_t n_args, const js_value args[], size_t i);
double node_number(js_context ctx, size_t n_args, const js_value args[], size_t i, double fallback);
/* A short ASCII name; "" when it is none or too long. */
void node_name(js_context ctx, js_value v, char *buf, size_t size);
