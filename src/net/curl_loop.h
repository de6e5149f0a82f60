/*
 * libcurl's multi interface on our loop; private to net/.
 *
 * `collect` is called outside of curl's callbacks whenever curl may have finished something.
 */
#pragma once

#include "core/loop.h"

#include <curl/curl.h>

struct curl_loop {
    struct loop *loop; /* borrowed */
    CURLM *multi;
    void (*collect)(struct curl_loop *curl);
    struct link sockets;
    struct timer timer;
};

void curl_loop_init(struct curl_loop *curl, struct loop *loop,
                    void (*collect)(struct curl_loop *curl));
/* Every handle was removed before. */
void curl_loop_done(struct curl_loop *curl);
