/*
 * A keeper in this process and a peer of it on the same loop: calls block until their answer is there.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/loop.h"
#include "proc/wire.h"
#include "product/messages.h"
#include "role/keeper_core.h"

struct peer {
    struct loop *loop;
    struct wire *wire;
    bool closed;
};

struct answer {
    bool over;
    int64_t result;
    int reset;
    struct buf text, json, body;
};

struct keeper_fixture {
    char root[64];
    struct loop *loop;
    struct keeper *keeper;
    struct peer control, isolate;
};

int keeper_setup(void **state);
int keeper_teardown(void **state);
/* Ends the keeper and starts another on the same files. */
void keeper_restart(struct keeper_fixture *f);
void peer_connect(struct peer *p, struct loop *loop, int fd);

/* args is a packed message. Many may be under way at once: see answer_wait(). */
void call_start(struct peer *p, uint16_t op, struct buf *args, struct slice body,
                struct answer *ret);
void answer_wait(struct peer *p, struct answer *a);
void answer_done(struct answer *a);
/* All at once; the answer is the fixture's until the next call. */
struct answer *call(struct peer *p, uint16_t op, struct buf *args, struct slice body);

#define PACK(out, name, ...)                                                                       \
    do {                                                                                           \
        buf_clear(out);                                                                            \
        msg_##name##_pack(out, &(struct msg_##name){__VA_ARGS__});                                 \
    } while (0)

extern struct buf args;
struct slice json_of(struct answer *a);

int keeper_kv_tests(void);
int keeper_d1_tests(void);
int keeper_r2_tests(void);
int keeper_object_tests(void);
int keeper_crash_tests(void);
