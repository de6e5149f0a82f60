/* Runs every group of the net unit tests. */
#include "net_tests.h"

int main(void)
{
    int failed = http_tests();

    failed += http1_parse_tests();
    failed += http1_chunked_tests();
    failed += http_server_tests();
    failed += tls_tests();
    failed += url_tests();
    failed += egress_policy_tests();
    failed += http_client_tests();
    failed += websocket_frame_tests();
    failed += websocket_deflate_tests();
    failed += websocket_session_tests();
    return failed == 0 ? 0 : 1;
}
