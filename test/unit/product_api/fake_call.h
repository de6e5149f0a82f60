/*
 * The other processes as these tests play them: api_call() and its peers answer from a script.
 */
#pragma once

#include "unit.h"

#include "api/audit.h"
#include "api/call.h"
#include "api/dispatch.h"
#include "product/messages.h"
#include "product/products_api.h"

enum { FAKE_CALLS_MAX = 256 };

struct fake_reply {
    uint16_t op;
    int64_t result; /* of `done`, `linked` or `job_given` */
    const char *text, *json, *body;
    int error; /* of the call itself */
};

extern struct fake {
    struct fake_reply replies[16]; /* the first row of an op answers it; default: 0 */
    uint16_t ops[FAKE_CALLS_MAX];  /* what was called */
    struct buf args[FAKE_CALLS_MAX], bodies[FAKE_CALLS_MAX];
    size_t n_calls;
    uint16_t notes[FAKE_CALLS_MAX];
    size_t n_notes;
    uint16_t job_op; /* what an isolate says: OP_loaded or OP_load_failed */
    const char *job_text;
} fake;

void fake_reset(void);
/* The nth call of an op, or SIZE_MAX. */
size_t fake_call_of(uint16_t op, size_t nth);

struct product_fixture {
    struct api api;
    char dir[64], token[TOKEN_TEXT_SIZE];
};
extern struct product_fixture f;

int product_setup(void **state);
int product_teardown(void **state);
/* Path below the account unless it starts with "/client". Content type may be NULL. */
void product_request(struct api_request *req, const char *method, const char *path,
                     const char *type, struct slice body);
/* The same for requests whose answer's code and status are all that counts. */
void product_expect(const char *method, const char *path, const char *body, int status, int code);
/* A member of the result as text. */
const char *product_result(const struct api_request *req, const char *key);

int kv_tests(void);
int workers_tests(void);
