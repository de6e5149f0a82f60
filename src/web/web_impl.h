/* The tables of natives, a file each, and what they share. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"
#include "engine/js.h"
#include "engine/vm_job.h"

enum { WEB_STRING_MAX = 128 * 1024 * 1024 }; /* bytes of text that one call may take */

js_value web_url_places(js_context ctx); /* url_native.c: an ArrayBuffer */
extern const struct js_native_row web_url_rows[], web_text_rows[], web_crypto_rows[],
    web_zlib_rows[], web_html_rows[];
extern const size_t web_url_n_rows, web_text_n_rows, web_crypto_n_rows, web_zlib_n_rows,
    web_html_n_rows;

/* The idea of WebIDL's BufferSource: -EINVAL for other values. A missing argument is none. */
NODISCARD int web_bytes(js_context ctx, size_t n_args, const js_value args[], size_t at,
                        struct slice *ret);
/* A Uint32Array to write results into, at least n long; NULL otherwise. */
uint32_t *web_scratch(js_context ctx, size_t n_args, const js_value args[], size_t at, size_t n);
double web_number(js_context ctx, size_t n_args, const js_value args[], size_t at);

#define WEB_NATIVE(name)                                                                           \
    js_value name(js_context, js_value, js_value, size_t, const js_value[], js_value *)
/* encoding_legacy.c: the encodings that only ICU knows. */
WEB_NATIVE(web_text_label);
WEB_NATIVE(web_text_decode_legacy);
/* crypto_cipher.c */
WEB_NATIVE(web_crypto_cipher);
WEB_NATIVE(web_crypto_pbkdf2);
WEB_NATIVE(web_crypto_hkdf);
/* crypto_pair.c */
WEB_NATIVE(web_crypto_pair_generate);
WEB_NATIVE(web_crypto_pair_public);
WEB_NATIVE(web_crypto_pair_sign);
WEB_NATIVE(web_crypto_pair_verify);
WEB_NATIVE(web_crypto_pair_crypt);
WEB_NATIVE(web_crypto_pair_derive);
