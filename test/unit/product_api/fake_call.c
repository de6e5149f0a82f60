#include "fake_call.h"

#include "core/file.h"

#include <errno.h>
#include <stdlib.h>

struct fake fake;
struct product_fixture f;

static const struct api_product *const products[] = {&account_api, &workers_api, &kv_api,
                                                     &d1_api,      &r2_api,      NULL};

/* --- what stands for api/call.c and api/peer.c --- */

struct api_peer {
    int unused;
};
static struct api_peer job_peer;

void fake_reset(void)
{
    for (size_t i = 0; i < fake.n_calls; i++) {
        buf_done(&fake.args[i]);
        buf_done(&fake.bodies[i]);
    }
    fake = (struct fake){.job_op = OP_loaded,
                         .job_text = "{\"handlers\":[\"fetch\"],\"startup_us\":1500}"};
}

size_t fake_call_of(uint16_t op, size_t nth)
{
    for (size_t i = 0; i < fake.n_calls; i++) {
        if (fake.ops[i] == op && nth-- == 0)
            return i;
    }
    return SIZE_MAX;
}

static const struct fake_reply *fake_find(uint16_t op)
{
    static const struct fake_reply nothing;
    for (size_t i = 0; i < ARRAY_LEN(fake.replies); i++) {
        if (fake.replies[i].op == op && op != 0)
            return &fake.replies[i];
    }
    return &nothing;
}

static void fake_pack(uint16_t op, const struct fake_reply *r, struct buf *out)
{
    struct slice text = slice_of(r->text), json = slice_of(r->json);
    if (op == OP_job_want)
        msg_job_given_pack(
            out, &(struct msg_job_given){.isolate = 1, .result = r->result, .text = text});
    else if (op == OP_link)
        msg_linked_pack(out, &(struct msg_linked){.result = r->result, .text = text});
    else
        msg_done_pack(out, &(struct msg_done){.result = r->result, .text = text, .json = json});
}

int api_call(struct api_request *req, const struct api_call *call, struct api_reply *ret)
{
    AUTO(buf_done) struct buf packed = {0};
    const struct fake_reply *r = fake_find(call->op);
    size_t n = fake.n_calls++;
    CHECK(n < FAKE_CALLS_MAX);
    fake.ops[n] = call->op;
    buf_append_slice(&fake.args[n], call->args);
    buf_append_slice(&fake.bodies[n], call->body);
    *ret = (struct api_reply){.fd = -1};
    if (r->error < 0)
        return r->error;
    fake_pack(call->op, r, &packed);
    struct slice body = slice_of(r->body == NULL ? "" : r->body);
    if (arena_copy(&req->arena, packed.data + packed.start, buf_len(&packed), &ret->args) < 0 ||
        arena_copy(&req->arena, body.ptr, body.len, &ret->body) < 0)
        return -ENOMEM;
    if (call->op == OP_job_want && r->result >= 0)
        ret->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return 0;
}

struct api_peer *api_peer_adopt(struct api *api, int fd)
{
    (void)api;
    close(fd);
    return &job_peer;
}

int api_peer_wait(struct api_peer *peer, int timeout_ms, uint16_t *ret_op, struct buf *ret_args)
{
    (void)peer, (void)timeout_ms;
    if (fake.job_op == 0)
        return -EPIPE;
    *ret_op = fake.job_op;
    if (fake.job_op == OP_loaded)
        msg_loaded_pack(ret_args, &(struct msg_loaded){.json = slice_of(fake.job_text)});
    else
        msg_load_failed_pack(ret_args, &(struct msg_load_failed){.text = slice_of(fake.job_text)});
    return 0;
}

void api_peer_release(struct api_peer **peer)
{
    (void)peer;
}

void api_peer_note(struct api_peer *peer, uint16_t op, struct slice args)
{
    (void)peer, (void)args;
    fake.notes[fake.n_notes++ % FAKE_CALLS_MAX] = op;
}

void api_stream_drop(struct api_stream *stream)
{
    (void)stream;
}

/* --- the API around the products --- */

static void product_schema(const char *const *sql)
{
    for (; *sql != NULL; sql++)
        assert_true(db_run(f.api.db, *sql, NULL) >= 0);
}

static void product_token(void)
{
    char id[ID_HEX_SIZE];
    struct err err = {0};
    AUTO(json_release)
    json_t *wanted =
        json_pack("{s:s, s:[o]}", "name", "test", "policies", permission_policy_all(f.api.account));
    assert_int_equal(tokens_create(&f.api, wanted, false, id, f.token, &err), 0);
}

int product_setup(void **state)
{
    struct err err = {0};
    char path[96];
    (void)state;
    f = (struct product_fixture){.api.data_fd = -1};
    snprintf(f.dir, sizeof(f.dir), "/tmp/product_api_test.XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    snprintf(path, sizeof(path), "%s/control.db", f.dir);
    memset(f.api.account, 'a', 32);
    snprintf(f.api.domain, sizeof(f.api.domain), "localhost");
    f.api.http_port = 8787;
    f.api.products = products;
    f.api.spool_path = f.dir;
    f.api.data_fd = open(f.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_make_dirs(f.api.data_fd, "workers", 0755), 0);
    assert_int_equal(db_open(path, &f.api.db, &err), 0);
    product_schema(token_schema);
    product_schema(audit_schema);
    assert_int_equal(api_schema_apply(f.api.db, products, &err), 0);
    assert_int_equal(tokens_open(&f.api, &err), 0);
    product_token();
    fake_reset();
    return 0;
}

int product_teardown(void **state)
{
    (void)state;
    fake_reset();
    tokens_close(f.api.tokens);
    db_close(f.api.db);
    close(f.api.data_fd);
    return file_remove_tree(AT_FDCWD, f.dir);
}

void product_request(struct api_request *req, const char *method, const char *path,
                     const char *type, struct slice body)
{
    api_request_init(req, &f.api);
    req->method = slice_of(method);
    req->remote_ip = SLICE("127.0.0.1");
    req->authority = SLICE("127.0.0.1:8788");
    const char *base = strncmp(path, "/client", 7) == 0 ? "" : "/client/v4/accounts/";
    req->target = slice_of(
        arena_printf(&req->arena, "%s%s%s", base, *base == '\0' ? "" : f.api.account, path));
    req->headers =
        slice_of(arena_printf(&req->arena, "authorization: Bearer %s\r\ncontent-type: %s\r\n",
                              f.token, type == NULL ? "application/json" : type));
    buf_append_slice(&req->body, body);
    req->body_size = body.len;
    if (api_begin(req))
        api_run(req);
}

void product_expect(const char *method, const char *path, const char *body, int status, int code)
{
    struct api_request req;
    product_request(&req, method, path, NULL, slice_of(body));
    json_t *error = json_array_get(req.answer.errors, 0);
    EXPECT_EQ(json_int(error, "code", 0), code);
    EXPECT_EQ(req.answer.status, status);
    api_request_done(&req);
}

const char *product_result(const struct api_request *req, const char *key)
{
    return json_str(req->answer.result, key, "");
}

int main(void)
{
    return kv_tests() + workers_tests();
}
