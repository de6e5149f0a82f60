/*
 * A database as SQL text that builds it again: tables with their rows, sequences, then indexes, triggers
 * and views, so that rows meet neither triggers nor missing tables.
 *
 * The text goes through a file without a name, since it may be larger than memory.
 */
#include "product/d1/d1.h"

#include "core/file.h"
#include "core/id.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

enum { DUMP_PIECE = 1024 * 1024 };

struct d1_dump {
    struct sql *db;       /* borrowed */
    const json_t *tables; /* wanted ones; empty or NULL = all */
    bool schema, data;
    int fd;
    struct buf out;
    uint64_t size;
};

static int d1_dump_flush(struct d1_dump *d, size_t least)
{
    if (buf_len(&d->out) < least)
        return 0;
    int r = file_write_all(d->fd, buf_slice(&d->out));
    d->size += buf_len(&d->out);
    buf_clear(&d->out);
    return r;
}

static void d1_dump_quoted(struct buf *out, struct slice text, char quote)
{
    buf_append_char(out, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote)
            buf_append_char(out, quote);
        buf_append_char(out, text.ptr[i]);
    }
    buf_append_char(out, quote);
}

/* Must be read back as REAL. */
static void d1_dump_double(struct buf *out, double v)
{
    char text[40];
    if (isinf(v)) {
        buf_append_slice(out, v < 0 ? SLICE("-9e999") : SLICE("9e999"));
        return;
    }
    snprintf(text, sizeof(text), "%.17g", v);
    buf_append_slice(out, slice_of(text));
    if (strpbrk(text, ".e") == NULL)
        buf_append_slice(out, SLICE(".0"));
}

static void d1_dump_value(struct buf *out, struct sql_stmt *s, int i)
{
    static const char digits[] = "0123456789ABCDEF";
    struct slice bytes;
    switch (sql_column_type(s, i)) {
    case SQL_INT:
        buf_printf(out, "%lld", (long long)sql_column_int(s, i));
        break;
    case SQL_DOUBLE:
        d1_dump_double(out, sql_column_double(s, i));
        break;
    case SQL_TEXT:
        d1_dump_quoted(out, sql_column_bytes(s, i), '\'');
        break;
    case SQL_BLOB:
        bytes = sql_column_bytes(s, i);
        buf_append_slice(out, SLICE("X'"));
        for (size_t k = 0; k < bytes.len; k++) {
            buf_append_char(out, digits[(uint8_t)bytes.ptr[k] >> 4]);
            buf_append_char(out, digits[(uint8_t)bytes.ptr[k] & 15]);
        }
        buf_append_char(out, '\'');
        break;
    case SQL_NULL:
        buf_append_slice(out, SLICE("NULL"));
        break;
    }
}

static void d1_dump_row(struct d1_dump *d, struct slice table, struct sql_stmt *s)
{
    int n = sql_n_columns(s);
    buf_append_slice(&d->out, SLICE("INSERT INTO "));
    d1_dump_quoted(&d->out, table, '"');
    for (int i = 0; i < n; i++) {
        buf_append_slice(&d->out, i == 0 ? SLICE(" (") : SLICE(","));
        d1_dump_quoted(&d->out, slice_of(sql_column_name(s, i)), '"');
    }
    buf_append_slice(&d->out, SLICE(") VALUES("));
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_append_char(&d->out, ',');
        d1_dump_value(&d->out, s, i);
    }
    buf_append_slice(&d->out, SLICE(");\n"));
}

static int d1_dump_rows(struct d1_dump *d, struct slice table, bool virtual, struct err *err)
{
    AUTO(buf_done) struct buf text = {0};
    AUTO(sql_stmt_release) struct sql_stmt *s = NULL;
    struct slice rest;
    buf_append_slice(&text, virtual ? SLICE("SELECT rowid, * FROM ") : SLICE("SELECT * FROM "));
    d1_dump_quoted(&text, table, '"');
    (void)buf_cstr(&text); /* the zero byte that sql_prepare() wants */
    int r = sql_prepare(d->db, buf_slice(&text), &s, &rest, err);
    while (r >= 0 && (r = sql_step(s, err)) == 1) {
        d1_dump_row(d, table, s);
        r = d1_dump_flush(d, DUMP_PIECE);
    }
    return r;
}

static bool d1_dump_wants(const struct d1_dump *d, struct slice name)
{
    size_t n = json_array_size(d->tables);
    for (size_t i = 0; i < n; i++) {
        const json_t *t = json_array_get(d->tables, i);
        if (json_is_string(t) &&
            slice_eq(name, slice_from(json_string_value(t), json_string_length(t))))
            return true;
    }
    return n == 0;
}

/* What is in `sql` decides how a virtual table gets its rows back. */
static int d1_dump_table(struct d1_dump *d, struct slice name, struct slice sql, struct err *err)
{
    bool virtual = sql.len > 14 && strncasecmp(sql.ptr, "CREATE VIRTUAL", 14) == 0;
    if (d->schema) {
        buf_append_slice(&d->out, sql);
        buf_append_slice(&d->out, SLICE(";\n"));
    }
    if (!d->data)
        return 0;
    if (!virtual || slice_find_slice(sql, SLICE("content")) < 0)
        return d1_dump_rows(d, name, virtual, err);
    /* External content: the index can be built from the table it belongs to. */
    buf_append_slice(&d->out, SLICE("INSERT INTO "));
    d1_dump_quoted(&d->out, name, '"');
    buf_append_char(&d->out, '(');
    d1_dump_quoted(&d->out, name, '"');
    buf_append_slice(&d->out, SLICE(") VALUES('rebuild');\n"));
    return 0;
}

/* Shadow tables of FTS5 and R*Tree come back with their virtual table. */
static const char d1_dump_tables[] =
    "SELECT s.name, s.sql FROM pragma_table_list AS l JOIN sqlite_schema AS s ON s.name = l.name "
    "AND s.type='table' "
    "WHERE l.schema='main' AND l.type IN ('table','virtual') AND s.sql IS NOT NULL "
    "AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY l.type, s.rowid";
static const char d1_dump_rest[] = "SELECT tbl_name, sql FROM sqlite_schema WHERE type IN "
                                   "('index','trigger','view') AND sql IS NOT NULL "
                                   "ORDER BY type, rowid";

static int d1_dump_list(struct d1_dump *d, const char *query, bool tables, struct err *err)
{
    struct sql_stmt *s = sql_cached(d->db, query);
    int r;
    while ((r = sql_step(s, err)) == 1) {
        AUTO(buf_done) struct buf name = {0};
        AUTO(buf_done) struct buf sql = {0};
        buf_append_slice(&name, sql_column_bytes(s, 0));
        buf_append_slice(&sql, sql_column_bytes(s, 1));
        if (!d1_dump_wants(d, buf_slice(&name)))
            continue;
        if (tables) {
            r = d1_dump_table(d, buf_slice(&name), buf_slice(&sql), err);
            if (r < 0)
                break;
        } else {
            buf_append_slice(&d->out, buf_slice(&sql));
            buf_append_slice(&d->out, SLICE(";\n"));
        }
    }
    sql_reset(s);
    return r;
}

static int d1_dump_sequences(struct d1_dump *d, struct err *err)
{
    struct sql_stmt *found =
        sql_cached(d->db, "SELECT 1 FROM sqlite_schema WHERE name='sqlite_sequence'");
    bool any = sql_step(found, NULL) == 1;
    sql_reset(found);
    if (!any || !d->data)
        return 0;
    buf_append_slice(&d->out, SLICE("DELETE FROM sqlite_sequence;\n"));
    return d1_dump_rows(d, SLICE("sqlite_sequence"), false, err);
}

static int d1_dump_run(struct d1_dump *d, struct err *err)
{
    buf_append_slice(&d->out, SLICE("PRAGMA defer_foreign_keys=TRUE;\n"));
    int r = d1_dump_list(d, d1_dump_tables, true, err);
    if (r == 0)
        r = d1_dump_sequences(d, err);
    if (r == 0 && d->schema)
        r = d1_dump_list(d, d1_dump_rest, false, err);
    return r < 0 ? r : d1_dump_flush(d, 1);
}

/* A file without a name in the store's directory. */
static int d1_dump_file(const char *path)
{
    int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

void d1_op_export(struct keeper_call *call)
{
    struct msg_d1_export m;
    AUTO(json_release) json_t *options = NULL;
    struct d1_store *store = call->store->open;
    call->result = msg_d1_export_unpack(call->args, &m);
    if (call->result == 0 && m.options.len > 0)
        call->result = json_parse(m.options, &options, &call->err);
    if (call->result < 0)
        return;
    struct d1_dump d = {.db = store->db,
                        .tables = json_object_get(options, "tables"),
                        .schema = !json_bool(options, "no_schema", false),
                        .data = !json_bool(options, "no_data", false)};
    d.fd = d1_dump_file(call->store->path);
    call->result = d.fd < 0 ? err_set(&call->err, d.fd, 0, "no file for the export can be made")
                            : d1_dump_run(&d, &call->err);
    buf_done(&d.out);
    if (call->result < 0) {
        fd_release(&d.fd);
        return;
    }
    call->reply_fd = d.fd;
    call->reply_length = d.size;
}
