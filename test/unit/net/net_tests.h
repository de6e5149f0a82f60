/* The groups of the net unit tests; each returns the number of failures. */
#pragma once

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int http_tests(void);
int http1_parse_tests(void);
int http1_chunked_tests(void);
int http_server_tests(void);
int tls_tests(void);
int url_tests(void);
int egress_policy_tests(void);
int http_client_tests(void);
int websocket_frame_tests(void);
int websocket_deflate_tests(void);
int websocket_session_tests(void);
