/*
 * Is a history of one register linearizable? Wing & Gong's search, with the states that were seen remembered
 * (Lowe), in pieces between moments at which nothing is under way.
 */
#pragma once

#include "core/base.h"

enum linear_kind { LINEAR_READ, LINEAR_WRITE, LINEAR_ADD };

struct linear_op {
    enum linear_kind kind;
    int64_t value; /* written, or what READ and ADD answered */
    int64_t begin, end;
    bool maybe; /* nobody was told of its outcome: it has happened before `end`, or never */
};

/* Ops sorted by begin; the register begins as 0. */
bool linear_check(const struct linear_op *ops, unsigned n);
