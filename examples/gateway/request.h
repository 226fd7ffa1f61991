/* SPDX-License-Identifier: MIT
 *
 * What a request asks for: is it in order, and whose is it?
 */
#ifndef GW_REQUEST_H
#define GW_REQUEST_H

#include "http_body.h"
#include "http_head.h"
#include "settings.h"

struct gw_request {
    const struct gw_service *service;
    struct http_slice target; /* as the service sees it: prefix stripped */
    struct http_slice host;
    struct http_body body;
    int keep_alive;
    int wants_continue;
};

/**
 * Judge a request's head.
 *
 * @param error  Receives what is wrong with it.
 * @return       0, or the status to refuse it with; out->keep_alive and
 *               out->body are set all the same.
 */
int gw_request_read(const struct http_head *head,
                    const struct gw_settings *settings, struct gw_request *out,
                    const char **error);

/** Whether doing it twice is as good as once. */
int gw_request_is_repeatable(const struct http_head *head);

#endif
