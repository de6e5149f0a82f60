/*
 * D1 in the isolate: statements that only read run here, on the database's files; all others are messages.
 *
 * Statements are compiled once per text and kept; the script holds the map from text to slot. Rows cross
 * as JSON text that is parsed in the engine, in one crossing, which was faster than making objects
 * from C for every size of result. Facts about the last read lie in memory that the script sees.
 */
#include "product/d1/d1.h"

#include "core/clock.h"
#include "core/loop.h"
#include "proc/wire.h"
#include "product/isolate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

enum {
    D1_SLOTS = 256,
    /* Figures of reads wait so long before the keeper hears of them. */
    D1_REPORT_US = 5 * 1000 * 1000,
    /* A statement that takes longer goes on in the keeper: the VM must not stand still. */
    D1_IN_PLACE_US = 20 * 1000,
    /* From so many reads in one turn on, one snapshot is cheaper than a lock for each. */
    D1_PIN_READS = 3
};

/* Indexes of the numbers that the script reads. */
enum { D1_STAT_DURATION_MS, D1_STAT_ROWS_READ, D1_STAT_SIZE, D1_STATS };

struct d1_slot {
    struct sql_stmt *stmt; /* owned; NULL = free */
    struct d1_names names;
    bool has_names;
    struct d1_use use; /* since the last report */
};

struct d1_reader {
    struct sql *db; /* owned; lives as long as the process */
    struct isolate *iso;
    uint32_t binding;
    struct timer report; /* runs while there is something to be reported */
    bool unreported;
    struct d1_slot slots[D1_SLOTS];
    struct arena arena; /* parameters of the call under way */
    struct buf out;
    double stats[D1_STATS];
    uint64_t turn;    /* in which the last read was, */
    unsigned n_reads; /* and how many that turn had */
    bool pinned;      /* its snapshot is open until the turn ends */
    struct d1_reader *next_pinned;
};

/* Reads of one turn of the VM see one state from the third on: nothing that the script could know of can have happened
 * in between. */
static struct {
    bool watched;
    uint64_t number;
    struct d1_reader *pinned;
} d1_turn;

static void d1_turn_end(void *arg)
{
    (void)arg;
    d1_turn.number++;
    while (d1_turn.pinned != NULL) {
        struct d1_reader *reader = d1_turn.pinned;
        d1_turn.pinned = TAKE(reader->next_pinned);
        reader->pinned = false;
        sql_read_end(reader->db);
    }
}

static void d1_turn_read(struct d1_reader *reader)
{
    if (reader->turn != d1_turn.number)
        reader->n_reads = 0;
    reader->turn = d1_turn.number;
    if (++reader->n_reads < D1_PIN_READS || sql_in_transaction(reader->db) ||
        sql_read_start(reader->db, NULL) < 0)
        return; /* it is open already, or each takes its own lock */
    reader->pinned = true;
    reader->next_pinned = d1_turn.pinned;
    d1_turn.pinned = reader;
}

/* --- figures --- */

static void d1_on_reported(struct wire_stream *s, struct slice args UNUSED, int fd UNUSED,
                           bool end UNUSED)
{
    wire_stream_close(s, 0);
}

/* Figures that do not arrive are lost. */
static void d1_on_report_reset(struct wire_stream *s, int reason)
{
    wire_stream_close(s, reason);
}

static const struct wire_stream_events d1_report_events = {.reply = d1_on_reported,
                                                           .reset = d1_on_report_reset};

static void d1_report_slot(struct d1_slot *slot, struct buf *out)
{
    struct slice sql = slice_trim(sql_text(slot->stmt));
    buf_append_slice(out, buf_len(out) > 1 ? SLICE(",[") : SLICE("["));
    json_quote(out, sql.len > D1_USAGE_TEXT_MAX ? SLICE("") : sql);
    buf_printf(out, ",%llu,%llu,%llu,%llu]", (unsigned long long)slot->use.runs,
               (unsigned long long)slot->use.us, (unsigned long long)slot->use.read,
               (unsigned long long)slot->use.returned);
    slot->use = (struct d1_use){0};
}

static void d1_report(struct d1_reader *reader)
{
    AUTO(buf_done) struct buf args = {0};
    AUTO(buf_done) struct buf body = {0};
    struct msg_d1_usage m = {.binding = reader->binding};
    timer_stop(&reader->report);
    reader->unreported = false;
    buf_append_char(&body, '[');
    for (unsigned i = 0; i < D1_SLOTS; i++) {
        if (reader->slots[i].stmt != NULL && reader->slots[i].use.runs > 0)
            d1_report_slot(&reader->slots[i], &body);
    }
    buf_append_char(&body, ']');
    msg_d1_usage_pack(&args, &m);
    struct wire *keeper = isolate_keeper(reader->iso);
    struct wire_stream *s = keeper == NULL ? NULL
                                           : wire_open(keeper, OP_d1_usage, buf_slice(&args), -1,
                                                       false, &d1_report_events, NULL);
    if (s != NULL)
        wire_send(s, buf_slice(&body), true);
}

static void d1_on_report(struct timer *timer)
{
    d1_report(CONTAINER_OF(timer, struct d1_reader, report));
}

static void d1_count(struct d1_reader *reader, struct d1_slot *slot, int64_t us, uint64_t n_read,
                     uint64_t n_rows)
{
    slot->use.runs++;
    slot->use.us += (uint64_t)us;
    slot->use.read += n_read;
    slot->use.returned += n_rows;
    if (reader->unreported)
        return;
    reader->unreported = true;
    timer_start(isolate_loop(reader->iso), &reader->report, D1_REPORT_US, d1_on_report);
}

/* --- readers --- */

static struct binding *d1_binding_of(js_context ctx, js_value index, js_value *exception)
{
    struct binding *b = isolate_binding(js_user(ctx), js_to_number(ctx, index, -1));
    if (b == NULL || b->product != &product_d1) {
        js_throw(ctx, exception, "TypeError", "Illegal invocation");
        return NULL;
    }
    return b;
}

static int d1_reader_open(js_context ctx, struct binding *b, uint32_t index, struct err *err)
{
    char path[D1_PATH_MAX], file[D1_PATH_MAX + 16];
    int r = isolate_mount_path(js_user(ctx), json_str(b->config, "mount", ""), path, sizeof(path));
    if (r < 0)
        return err_set(err, r, 0, "the database is not mounted");
    snprintf(file, sizeof(file), "%s/db.sqlite", path);
    struct sql *db;
    r = sql_open(file, SQL_TENANT, &db, err);
    if (r < 0)
        return r;
    struct d1_reader *reader = mem_new(sizeof(*reader));
    reader->db = db;
    reader->iso = js_user(ctx);
    reader->binding = index;
    b->state = reader;
    if (!d1_turn.watched)
        isolate_on_turn(js_user(ctx), d1_turn_end, NULL);
    d1_turn.watched = true;
    return 0;
}

static struct d1_reader *d1_reader_of(js_context ctx, js_value index, js_value *exception)
{
    struct binding *b = d1_binding_of(ctx, index, exception);
    if (b == NULL)
        return NULL;
    if (UNLIKELY(b->state == NULL)) {
        struct err err = {0};
        if (d1_reader_open(ctx, b, (uint32_t)js_to_number(ctx, index, 0), &err) < 0) {
            js_throw(ctx, exception, "Error", "%s", err.text);
            return NULL;
        }
    }
    struct d1_reader *reader = b->state;
    arena_reset(&reader->arena);
    buf_clear(&reader->out);
    return reader;
}

static void d1_slot_clear(struct d1_reader *reader, struct d1_slot *slot)
{
    if (slot->use.runs > 0)
        d1_report(reader);
    sql_stmt_release(&slot->stmt);
    d1_names_done(&slot->names);
    slot->has_names = false;
}

/* stats(index): the numbers of the last read, as a Float64Array that C writes. */
static JS_NATIVE(d1_native_stats)
{
    CHECK(n_args == 1);
    struct d1_reader *reader = d1_reader_of(ctx, args[0], exception);
    return reader == NULL ? NULL : js_doubles(ctx, reader->stats, D1_STATS);
}

/* prepare(index, sql, slot): true when the statement can run here and is in the slot now. Throws what is
 * wrong with the text. */
static JS_NATIVE(d1_native_prepare)
{
    CHECK(n_args == 3);
    struct d1_reader *reader = d1_reader_of(ctx, args[0], exception);
    if (reader == NULL)
        return NULL;
    double at = js_to_number(ctx, args[2], -1);
    CHECK(at >= 0 && at < D1_SLOTS);
    struct d1_slot *slot = &reader->slots[(unsigned)at];
    d1_slot_clear(reader, slot);
    struct slice sql, rest;
    struct err err = {0};
    if (js_to_utf8(ctx, args[1], &reader->arena, &sql) < 0)
        return js_throw(ctx, exception, "TypeError",
                        "The statement cannot be converted to a string.");
    if (sql_prepare(reader->db, sql, &slot->stmt, &rest, &err) < 0)
        return js_throw(ctx, exception, "Error", "%s", err.text);
    if (slot->stmt == NULL || rest.len > 0)
        return js_throw(ctx, exception, "Error", "%s",
                        slot->stmt == NULL ? D1_NO_STATEMENT : D1_ONE_STATEMENT);
    if (sql_in_place(slot->stmt))
        return js_bool(ctx, true);
    d1_slot_clear(reader, slot);
    return js_bool(ctx, false);
}

static int d1_bind_value(js_context ctx, struct d1_reader *reader, struct sql_stmt *s, int i,
                         js_value v)
{
    struct slice bytes;
    if (js_is_number(ctx, v)) {
        double n = js_to_number(ctx, v, 0);
        if (n == trunc(n) && fabs(n) < 9.2e18)
            sql_bind_int(s, i, (int64_t)n);
        else
            sql_bind_double(s, i, n);
        return 0;
    }
    if (js_is_string(ctx, v)) {
        int r = js_to_utf8(ctx, v, &reader->arena, &bytes);
        if (r == 0)
            sql_bind_text(s, i, bytes);
        return r;
    }
    if (js_is_nullish(ctx, v)) {
        sql_bind_null(s, i);
        return 0;
    }
    int r = js_view(ctx, v, &bytes);
    if (r == 0)
        sql_bind_blob(s, i, bytes);
    return r;
}

static js_value d1_read(js_context ctx, struct d1_reader *reader, struct d1_slot *slot,
                        enum d1_shape shape, js_value *exception)
{
    int64_t started_us = clock_boot_us();
    uint64_t n_rows = 0;
    struct err err = {0};
    if (!slot->has_names) {
        d1_names_of(slot->stmt, &slot->names);
        slot->has_names = true;
    }
    d1_turn_read(reader);
    sql_deadline(reader->db, started_us + D1_IN_PLACE_US);
    sql_counts_start(slot->stmt);
    int r = d1_rows_json(slot->stmt, &slot->names, shape, &reader->out, &n_rows, &err);
    if (r == -ETIMEDOUT)
        return js_undefined(ctx);
    if (r < 0)
        return js_throw(ctx, exception, "Error", "%s", err.text);
    int64_t us = clock_boot_us() - started_us;
    uint64_t n_read = sql_rows_read(slot->stmt, n_rows);
    d1_count(reader, slot, us, n_read, n_rows);
    if (shape != D1_FIRST) {
        reader->stats[D1_STAT_DURATION_MS] = (double)(us / 100) / 10;
        reader->stats[D1_STAT_ROWS_READ] = (double)n_read;
        reader->stats[D1_STAT_SIZE] = (double)sql_size(reader->db);
    }
    return js_json(ctx, buf_slice(&reader->out));
}

/* read(index, slot, shape, ...parameters): the rows, or undefined when that takes too long here. */
static JS_NATIVE(d1_native_read)
{
    CHECK(n_args >= 3);
    struct d1_reader *reader = d1_reader_of(ctx, args[0], exception);
    if (reader == NULL)
        return NULL;
    double at = js_to_number(ctx, args[1], -1);
    CHECK(at >= 0 && at < D1_SLOTS && reader->slots[(unsigned)at].stmt != NULL);
    struct d1_slot *slot = &reader->slots[(unsigned)at];
    size_t n = n_args - 3;
    if (n != (size_t)sql_n_parameters(slot->stmt))
        return js_throw(ctx, exception, "Error", D1_WRONG_BINDINGS);
    for (size_t i = 0; i < n; i++) {
        if (d1_bind_value(ctx, reader, slot->stmt, (int)i + 1, args[3 + i]) < 0)
            return js_throw(ctx, exception, "Error", "string or blob too big: SQLITE_TOOBIG");
    }
    js_value result = d1_read(ctx, reader, slot,
                              (enum d1_shape)js_to_number(ctx, args[2], D1_OBJECTS), exception);
    if (n > 0)
        sql_clear(slot->stmt); /* the bytes go */
    return result;
}

/* snapshot(index, on): several reads see one state. */
static JS_NATIVE(d1_native_snapshot)
{
    CHECK(n_args == 2);
    struct d1_reader *reader = d1_reader_of(ctx, args[0], exception);
    if (reader == NULL)
        return NULL;
    struct err err = {0};
    if (reader->pinned)
        return js_undefined(ctx);
    if (!js_is_true(ctx, args[1]))
        sql_read_end(reader->db);
    else if (sql_read_start(reader->db, &err) < 0)
        return js_throw(ctx, exception, "Error", "%s", err.text);
    return js_undefined(ctx);
}

/* bookmark(index) */
static JS_NATIVE(d1_native_bookmark)
{
    CHECK(n_args == 1);
    struct d1_reader *reader = d1_reader_of(ctx, args[0], exception);
    if (reader == NULL)
        return NULL;
    char text[D1_BOOKMARK_SIZE];
    const struct binding *b = d1_binding_of(ctx, args[0], exception);
    d1_bookmark_of(reader->db, json_str(b->config, "store", ""), text);
    return js_string(ctx, slice_of(text));
}

/* run(index, statements as JSON, flags, callback): the channel of the call. */
static JS_NATIVE(d1_native_run)
{
    CHECK(n_args == 4);
    AUTO(buf_done) struct buf out = {0};
    struct msg_d1_run m = {.binding = (uint32_t)js_to_number(ctx, args[0], UINT32_MAX),
                           .flags = (uint32_t)js_to_number(ctx, args[2], 0)};
    msg_d1_run_pack(&out, &m);
    return isolate_keeper_call(ctx, OP_d1_run, buf_slice(&out), args[1], args[3]);
}

static const struct js_native_row d1_natives[] = {
    {"stats", d1_native_stats},       {"prepare", d1_native_prepare},   {"read", d1_native_read},
    {"snapshot", d1_native_snapshot}, {"bookmark", d1_native_bookmark}, {"run", d1_native_run},
};

const struct product product_d1 = {
    .binding_type = "d1",
    .js_class = "D1Database",
    .store = "d1",
    .native_group = "d1",
    .natives = d1_natives,
    .n_natives = ARRAY_LEN(d1_natives),
    .ops = d1_ops,
    .n_ops = D1_N_OPS,
    .engine = &d1_engine,
};
