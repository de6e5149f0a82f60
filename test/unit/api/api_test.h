/*
 * A small product and requests for it; the files of this folder are one binary.
 */
#pragma once

#include "unit.h"

#include "api/dispatch.h"
#include "core/work.h"

struct api_fixture {
    struct api api;
    char dir[64], path[96];
};

extern const struct api_product *const test_products[];

void fixture_open(struct api_fixture *f);
void fixture_close(struct api_fixture *f);
/* A token with the policies of everything, or read only on area "things". */
void fixture_token(struct api_fixture *f, bool everything, char ret[TOKEN_TEXT_SIZE]);
/* Runs one request; the answer is in req until fixture_done(). token NULL: none is sent. */
void fixture_request(struct api_fixture *f, struct api_request *req, const char *method,
                     const char *target, const char *token, const char *body);

int text_tests(void);
int multipart_tests(void);
int db_tests(void);
int dispatch_tests(void);
int call_tests(void);
