/*
 * Outbound HTTP: libcurl's multi interface on our loop.
 *
 * libcurl forbids most calls from inside its callbacks, and our events come from those. So the calls
 * of an owner only mark the fetch; the hook at the end of the round adds, resumes and removes. Events
 * therefore never come from inside a call, as http_client.h promises.
 */
#include "net/http_client_impl.h"

#include "net/http1_parse.h"
#include "net/http_token.h"
#include "net/url.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENT_WINDOW = 256 * 1024,      /* response bytes that the owner may hold */
    CLIENT_UPLOAD_HIGH = 256 * 1024, /* request bytes queued before the owner should wait */
    CLIENT_RECV_SIZE = 64 * 1024,
    CLIENT_HEAD_MAX = HTTP_HEAD_MAX,
    CLIENT_CONNECTIONS_MAX = 1024,
    CLIENT_IDLE_MAX = 256, /* idle connections kept */
    CLIENT_PER_ORIGIN = 64,
    CLIENT_CONNECT_MS = 10000,
    CLIENT_URL_ARENA = 64 * 1024 + 8 * HTTP_TARGET_MAX
};

struct http_fetch {
    struct http_client *client;
    const struct http_fetch_events *events;
    void *user;
    struct link link, dirty;
    CURL *easy;
    struct curl_slist *headers;
    char method[HTTP1_METHOD_MAX + 1];
    char host[CLIENT_HOST_MAX]; /* for the policy and for error texts */

    struct buf head; /* header block of the response as it comes */
    int status;      /* of the head that is being read */
    unsigned n_fields;
    bool head_given;
    size_t window_used;

    struct buf upload;
    bool upload_ended;
    bool wants_writable;

    bool added; /* to the multi handle */
    bool recv_paused, send_paused, resume;
    bool cancelled;
    bool refused; /* by the policy */
    int failed;   /* negative errno found in a callback */
    char reason[CURL_ERROR_SIZE];
};

/* --- marks and the hook --- */

static void client_again(struct timer *t)
{
    (void)t; /* that the round ran something is enough: the hook follows */
}

static void fetch_mark(struct http_fetch *f)
{
    struct http_client *client = f->client;

    if (!link_is_in_list(&f->dirty))
        list_push_back(&client->dirty, &f->dirty);
    if (client->again_timer.loop == NULL)
        timer_start(client->loop, &client->again_timer, 0, client_again);
}

/* --- the response, from curl --- */

static void fetch_fail(struct http_fetch *f, int r)
{
    if (f->failed == 0)
        f->failed = r;
}

/* The status line of a head; an interim one or a redirect's may stand before the final. */
static int fetch_begin_head(struct http_fetch *f, struct slice line)
{
    struct slice rest = line;
    uint64_t status = 0;

    (void)slice_cut(&rest, ' '); /* the version */
    struct slice code = slice_cut(&rest, ' ');
    if (slice_to_u64(code, &status) < 0 || status < 100 || status > 999)
        return -EBADMSG;
    f->status = (int)status;
    f->n_fields = 0;
    buf_clear(&f->head);
    return 0;
}

static int fetch_add_field(struct http_fetch *f, struct slice line)
{
    if (++f->n_fields > HTTP_FIELDS_MAX || buf_len(&f->head) + line.len > CLIENT_HEAD_MAX)
        return -E2BIG;

    char *at = buf_reserve(&f->head, line.len + 4);
    ssize_t n = http1_field_parse(line, at);
    if (n < 0)
        return (int)n;
    struct slice name = {at, (size_t)((char *)memchr(at, ':', (size_t)n) - at)};
    if (!http_field_is_framing(name))
        buf_added(&f->head, (size_t)n);
    return 0;
}

static int fetch_head_line(struct http_fetch *f, struct slice line)
{
    if (f->head_given)
        return 0; /* a trailer */
    if (slice_starts(line, SLICE("HTTP/")))
        return fetch_begin_head(f, line);
    if (line.len > 0)
        return fetch_add_field(f, line);
    if (f->status >= 200) {
        f->head_given = true;
        f->events->head(f, f->status, buf_slice(&f->head));
    }
    return 0;
}

static size_t fetch_on_header(char *ptr, size_t size, size_t n, void *arg)
{
    struct http_fetch *f = arg;
    struct slice line = slice_from(ptr, size * n);

    if (f->cancelled)
        return 0;
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    int r = fetch_head_line(f, line);
    if (r < 0) {
        fetch_fail(f, r);
        return 0;
    }
    return size * n;
}

static size_t fetch_on_body(char *ptr, size_t size, size_t n, void *arg)
{
    struct http_fetch *f = arg;

    if (f->cancelled)
        return 0;
    if (!f->head_given) { /* curl has understood a head that we have not */
        fetch_fail(f, -EBADMSG);
        return 0;
    }
    if (f->window_used >= CLIENT_WINDOW) {
        f->recv_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    f->window_used += size * n;
    f->events->body(f, slice_from(ptr, size * n));
    return f->cancelled ? 0 : size * n;
}

/* --- the request's body, to curl --- */

static size_t fetch_on_read(char *ptr, size_t size, size_t n, void *arg)
{
    struct http_fetch *f = arg;
    size_t take = MIN(size * n, buf_len(&f->upload));

    if (f->cancelled)
        return CURL_READFUNC_ABORT;
    if (take == 0) {
        f->send_paused = !f->upload_ended;
        return f->upload_ended ? 0 : CURL_READFUNC_PAUSE;
    }
    memcpy(ptr, f->upload.data + f->upload.start, take);
    buf_consume(&f->upload, take);
    if (f->wants_writable && buf_len(&f->upload) <= CLIENT_UPLOAD_HIGH / 2)
        fetch_mark(f);
    return take;
}

/* --- connections --- */

/* Called for each address that is tried; the answer is the only way to a connection. */
static curl_socket_t fetch_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct http_fetch *f = arg;

    (void)purpose;
    return client_open_socket(f->client, f->host, to, &f->refused);
}

curl_socket_t client_open_socket(const struct http_client *client, const char *host,
                                 const struct curl_sockaddr *to, bool *ret_refused)
{
    if (!egress_policy_allows(client->policy, slice_of(host), &to->addr)) {
        *ret_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* The authorities were read once, before the sandbox closed; each connection shares them. */
static CURLcode client_use_authorities(CURL *easy, void *ctx, void *arg)
{
    struct http_client *client = arg;

    (void)easy;
    SSL_CTX_set1_cert_store(ctx, client->authorities);
    return CURLE_OK;
}

/* --- the end of a fetch --- */

static void fetch_free(struct http_fetch *f)
{
    struct http_client *client = f->client;

    if (f->added)
        (void)curl_multi_remove_handle(client->curl.multi,
                                       f->easy); /* fails only for foreign handles */
    list_remove(&f->link);
    list_remove(&f->dirty);
    /* Never used again: some versions of curl (7.88 is one) keep a pointer to the last field of the answer
     * before, even over curl_easy_reset(), and follow it when the next answer begins with a folded line. */
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->headers);
    buf_done(&f->head);
    buf_done(&f->upload);
    free(f);
}

int client_error(CURLcode code, const char *host, bool refused, const char *reason, struct err *err)
{
    if (refused)
        return err_set(err, -EACCES, 0,
                       "%s has a private or reserved address, which outgoing requests may not "
                       "reach",
                       host);
    if (reason[0] == '\0')
        reason = curl_easy_strerror(code);
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(err, -ENOENT, 0, "cannot resolve %s", host);
    case CURLE_COULDNT_CONNECT:
        return err_set(err, -EPIPE, 0, "cannot connect to %s", host);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(err, -ETIMEDOUT, 0, "connecting to %s took too long", host);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
        return err_set(err, -EBADMSG, 0, "TLS to %s failed: %s", host, reason);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return err_set(err, -EBADMSG, 0, "%s does not answer in HTTP: %s", host, reason);
    default:
        return err_set(err, -EPIPE, 0, "the connection to %s was lost: %s", host, reason);
    }
}

static int fetch_result(const struct http_fetch *f, CURLcode code, struct err *err)
{
    if (f->failed == -EINVAL)
        return err_set(err, -EINVAL, 0, "not a method and address that can be fetched");
    if (f->failed != 0)
        return err_set(err, f->failed, 0, "%s sent a malformed or too large response head",
                       f->host);
    if (code == CURLE_OK && !f->head_given) /* curl takes an end within the head for a good one */
        return err_set(err, -EPIPE, 0, "the connection to %s was lost within the response head",
                       f->host);
    return client_error(code, f->host, f->refused && !f->head_given, f->reason, err);
}

static void fetch_done(struct http_fetch *f, CURLcode code)
{
    struct err err = {0};

    if (!f->cancelled) {
        int r = fetch_result(f, code, &err);
        f->events->done(f, r, &err);
    }
    fetch_free(f);
}

/* Fetches that curl is through with. Outside of curl's callbacks. */
static void client_collect(struct curl_loop *curl)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(curl->multi, &left)) != NULL) {
        struct http_fetch *f = NULL;
        CURLcode code = msg->data.result;
        if (msg->msg != CURLMSG_DONE ||
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &f) != CURLE_OK || f == NULL)
            continue;
        fetch_done(f, code);
    }
}

static void fetch_wake_owner(struct http_fetch *f)
{
    if (!f->wants_writable || buf_len(&f->upload) > CLIENT_UPLOAD_HIGH / 2)
        return;
    f->wants_writable = false;
    f->events->writable(f);
}

/* Tells curl what an owner's calls changed. */
static void fetch_update(struct http_fetch *f)
{
    if (f->cancelled) {
        fetch_free(f);
        return;
    }
    if (f->failed != 0 && !f->added) {
        fetch_done(f, CURLE_URL_MALFORMAT);
        return;
    }
    if (!f->added) {
        f->added = curl_multi_add_handle(f->client->curl.multi, f->easy) == CURLM_OK;
        if (!f->added)
            fetch_done(f, CURLE_OUT_OF_MEMORY);
        return;
    }
    if (f->resume) {
        f->resume = false;
        f->recv_paused = f->recv_paused && f->window_used >= CLIENT_WINDOW;
        f->send_paused = f->send_paused && buf_len(&f->upload) == 0 && !f->upload_ended;
        int mask = (f->recv_paused ? CURLPAUSE_RECV : 0) | (f->send_paused ? CURLPAUSE_SEND : 0);
        /* Delivers what was held back; a failure comes as the fetch's end. */
        (void)curl_easy_pause(f->easy, mask);
    }
    if (!f->cancelled)
        fetch_wake_owner(f);
}

static void client_round_ends(struct loop_hook *hook)
{
    struct http_client *client = CONTAINER_OF(hook, struct http_client, hook);
    struct link *last = client->dirty.prev;

    while (!list_empty(&client->dirty)) {
        struct link *l = list_pop_front(&client->dirty);
        fetch_update(LIST_ENTRY(l, struct http_fetch, dirty));
        if (l == last)
            break;
    }
    client_collect(&client->curl);
    if (list_empty(&client->dirty))
        timer_stop(&client->again_timer);
    else if (client->again_timer.loop == NULL)
        timer_start(client->loop, &client->again_timer, 0, client_again);
}

/* --- the client --- */

static void client_global_init(void)
{
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static void client_add_pem(X509_STORE *store, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert;

    CHECK(bio != NULL);
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        (void)X509_STORE_add_cert(store, cert); /* fails only for one that is there already */
        X509_free(cert);
    }
    BIO_free(bio);
}

static X509_STORE *client_authorities(const char *more_pem)
{
    static const char bundle[] = "/etc/ssl/certs/ca-certificates.crt";
    X509_STORE *store = X509_STORE_new();

    CHECK(store != NULL);
    if (X509_STORE_load_locations(store, bundle, NULL) != 1)
        (void)X509_STORE_set_default_paths(store); /* without any, every TLS connection fails */
    if (more_pem != NULL)
        client_add_pem(store, more_pem);
    ERR_clear_error();
    return store;
}

static void client_limits(CURLM *multi, unsigned per_origin)
{
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)per_origin);
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CLIENT_CONNECTIONS_MAX);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CLIENT_IDLE_MAX);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
}

struct http_client *http_client_create(const struct http_client_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct egress_policy *policy = NULL;

    if (egress_policy_create(options->allow_private, options->allow, &policy, NULL) < 0)
        return NULL;
    CHECK(pthread_once(&once, client_global_init) == 0);
    struct http_client *client = mem_new(sizeof(*client));
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    client->loop = options->loop;
    client->policy = policy;
    client->authorities = client_authorities(options->authorities_pem);
    client->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CLIENT_CONNECT_MS;
    list_init(&client->fetches);
    list_init(&client->dirty);
    curl_loop_init(&client->curl, client->loop, client_collect);
    client_limits(client->curl.multi,
                  options->per_origin_max > 0 ? options->per_origin_max : CLIENT_PER_ORIGIN);
    raw_pool_init(client);
    client->hook.run = client_round_ends;
    loop_hook_add(client->loop, &client->hook);
    return client;
}

void http_client_destroy(struct http_client *client)
{
    if (client == NULL)
        return;
    struct err err = {0};
    (void)err_set(&err, -ECANCELED, 0, "the server is stopping"); /* returns what it was given */
    while (!list_empty(&client->fetches)) {
        struct http_fetch *f = LIST_ENTRY(client->fetches.next, struct http_fetch, link);
        if (!f->cancelled)
            f->events->done(f, -ECANCELED, &err);
        fetch_free(f);
    }
    raw_pool_done(client);
    curl_loop_done(&client->curl);
    timer_stop(&client->again_timer);
    loop_hook_remove(&client->hook);
    X509_STORE_free(client->authorities);
    egress_policy_destroy(client->policy);
    free(client);
}

struct loop *http_client_loop(const struct http_client *client)
{
    return client->loop;
}

/* --- starting a fetch --- */

static void fetch_add_header(struct http_fetch *f, const char *line)
{
    struct curl_slist *more = curl_slist_append(f->headers, line);

    CHECK(more != NULL);
    f->headers = more;
}

/* curl reads "name:" as "leave it out" and "name;" as the empty value. */
static void fetch_add_headers(struct http_fetch *f, struct slice block)
{
    AUTO(buf_done) struct buf line = {0};
    struct slice name, value;

    fetch_add_header(f, "Accept:");
    fetch_add_header(f, "Expect:");
    fetch_add_header(f, "User-Agent:");
    while (http_header_next(&block, &name, &value)) {
        if (http_field_of(name) == HTTP_FIELD_CONTENT_LENGTH || http_field_is_framing(name))
            continue; /* said by curl */
        buf_clear(&line);
        buf_append_slice(&line, name);
        buf_append_slice(&line, value.len > 0 ? SLICE(": ") : SLICE(";"));
        buf_append_slice(&line, value);
        fetch_add_header(f, buf_cstr(&line));
    }
}

static void fetch_set_method(struct http_fetch *f, const struct http_fetch_request *q)
{
    bool is_head = slice_eq(q->method, SLICE("HEAD"));
    bool wants_length = slice_eq(q->method, SLICE("POST")) || slice_eq(q->method, SLICE("PUT")) ||
                        slice_eq(q->method, SLICE("PATCH"));

    if (slice_to_cstr(q->method, f->method, sizeof(f->method)) < 0 || !http_name_ok(q->method)) {
        fetch_fail(f, -EINVAL);
        return;
    }
    curl_easy_setopt(f->easy, CURLOPT_CUSTOMREQUEST, f->method);
    if (q->has_body && !is_head) {
        curl_easy_setopt(f->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(f->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->content_length);
        curl_easy_setopt(f->easy, CURLOPT_READFUNCTION, fetch_on_read);
        curl_easy_setopt(f->easy, CURLOPT_READDATA, f);
        return;
    }
    if (is_head)
        curl_easy_setopt(f->easy, CURLOPT_NOBODY, 1L);
    else if (wants_length)
        fetch_add_header(f, "Content-Length: 0");
}

static bool fetch_is_http(const struct url *u)
{
    struct slice protocol = url_protocol(u);

    return slice_eq(protocol, SLICE("http:")) || slice_eq(protocol, SLICE("https:"));
}

/* Parsed by our parser, so that curl's never sees anything but a normal form. */
static void fetch_set_url(struct http_fetch *f, struct slice text)
{
    AUTO(arena_done) struct arena arena = {.limit = CLIENT_URL_ARENA};
    struct url u;

    if (url_parse(&arena, text, NULL, &u) < 0 || url_set(&arena, &u, URL_HASH, SLICE_NONE) < 0 ||
        !fetch_is_http(&u) || slice_to_cstr(url_hostname(&u), f->host, sizeof(f->host)) < 0) {
        fetch_fail(f, -EINVAL);
        return;
    }
    char *href = arena_printf(&arena, "%.*s", SLICE_ARG(u.href));
    if (href == NULL || curl_easy_setopt(f->easy, CURLOPT_URL, href) != CURLE_OK)
        fetch_fail(f, -EINVAL);
}

static void fetch_set_callbacks(struct http_fetch *f)
{
    curl_easy_setopt(f->easy, CURLOPT_PRIVATE, f);
    curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->reason);
    curl_easy_setopt(f->easy, CURLOPT_HEADERFUNCTION, fetch_on_header);
    curl_easy_setopt(f->easy, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, fetch_on_body);
    curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->easy, CURLOPT_OPENSOCKETFUNCTION, fetch_open_socket);
    curl_easy_setopt(f->easy, CURLOPT_OPENSOCKETDATA, f);
}

void client_set_options(const struct http_client *client, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* also none from the environment */
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, client_use_authorities);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, client);
}

static void fetch_set_options(struct http_fetch *f)
{
    client_set_options(f->client, f->easy);
    curl_easy_setopt(f->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(f->easy, CURLOPT_BUFFERSIZE, (long)CLIENT_RECV_SIZE);
    curl_easy_setopt(f->easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(f->easy, CURLOPT_HTTP09_ALLOWED, 0L);
}

struct http_fetch *http_fetch_start(struct http_client *client,
                                    const struct http_fetch_events *events,
                                    const struct http_fetch_request *request)
{
    struct http_fetch *f = mem_new(sizeof(*f));

    f->client = client;
    f->events = events;
    f->user = request->user;
    f->easy = curl_easy_init();
    CHECK(f->easy != NULL);
    f->upload_ended = !request->has_body;
    list_push_back(&client->fetches, &f->link);
    fetch_set_callbacks(f);
    fetch_set_options(f);
    fetch_set_url(f, request->url);
    fetch_add_headers(f, request->headers);
    fetch_set_method(f, request);
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
    fetch_mark(f);
    return f;
}

/* --- the calls of an owner --- */

void *http_fetch_user(struct http_fetch *f)
{
    return f->user;
}

static void fetch_resume(struct http_fetch *f)
{
    f->resume = true;
    fetch_mark(f);
}

void http_fetch_send(struct http_fetch *f, struct slice bytes, bool end)
{
    if (f->cancelled || f->upload_ended)
        return;
    buf_append_slice(&f->upload, bytes);
    f->upload_ended = end;
    if (f->send_paused)
        fetch_resume(f);
}

size_t http_fetch_room(struct http_fetch *f)
{
    size_t queued = buf_len(&f->upload);

    if (f->cancelled || queued < CLIENT_UPLOAD_HIGH)
        return f->cancelled ? CLIENT_UPLOAD_HIGH : CLIENT_UPLOAD_HIGH - queued;
    f->wants_writable = true;
    return 0;
}

void http_fetch_consumed(struct http_fetch *f, size_t n)
{
    f->window_used -= MIN(n, f->window_used);
    if (f->recv_paused && f->window_used < CLIENT_WINDOW / 2)
        fetch_resume(f);
}

void http_fetch_cancel(struct http_fetch *f)
{
    f->cancelled = true;
    fetch_mark(f);
}
