/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "request.h"

#include <string.h>
#include <strings.h>

/* "http://host/path" is what a client sends to a proxy, and a server has to
 * take it: the authority is the host then, whatever the field says. */
static int split_target(const struct http_head *head, struct http_slice *path,
                        struct http_slice *authority)
{
    const char *at = head->target.at, *end = at + head->target.n, *slash;

    authority->n = 0;
    *path = head->target;
    if (*at == '/')
        return 0;
    if (path->n > 7 && strncasecmp(at, "http://", 7) == 0)
        at += 7;
    else if (path->n > 8 && strncasecmp(at, "https://", 8) == 0)
        at += 8;
    else
        return -1;
    for (slash = at; slash < end && *slash != '/' && *slash != '?'; slash++)
        ;
    authority->at = at;
    authority->n = (size_t)(slash - at);
    path->at = slash;
    path->n = (size_t)(end - slash);
    if (path->n == 0) {
        path->at = "/";
        path->n = 1;
    }
    return *path->at == '/' && authority->n > 0 ? 0 : -1;
}

/* The length of a dot, plain or in per cent, at the head of a text. */
static size_t dot_bytes(const char *at, const char *end)
{
    if (at < end && *at == '.')
        return 1;
    if (end - at >= 3 && at[0] == '%' && at[1] == '2' &&
        (at[2] == 'e' || at[2] == 'E'))
        return 3;
    return 0;
}

/* "/billing/../user" would be routed to one service and mean another. */
static int has_dot_segments(struct http_slice path)
{
    const char *at = path.at, *end = at + path.n;
    const char *query = memchr(at, '?', path.n);

    if (query != NULL)
        end = query;
    while (at < end) {
        const char *dot;
        size_t dots = 0, n;

        for (dot = ++at; (n = dot_bytes(dot, end)) > 0; dot += n)
            dots++;
        if ((dots == 1 || dots == 2) && (dot == end || *dot == '/'))
            return 1;
        while (at < end && *at != '/')
            at++;
    }
    return 0;
}

static int check_host(const struct http_head *head, struct http_slice *host)
{
    size_t n;
    const struct http_field *field = http_head_find(head, "Host", &n);

    if (n > 1 || (n == 0 && head->minor > 0))
        return -1;
    if (n == 1 && host->n == 0)
        *host = field->value;
    for (size_t i = 0; i < host->n; i++)
        if (strchr(" \t,/?#@\\", host->at[i]) != NULL)
            return -1;
    return 0;
}

static int check_framing(const struct http_head *head,
                         const struct gw_settings *settings,
                         struct gw_request *out, const char **error)
{
    int rc = http_request_body(head, &out->body);

    *error = rc == 501 ? "only the transfer coding chunked is understood"
                       : "the body's length is not clear";
    if (rc == 0 && out->body.framing == HTTP_LENGTH &&
        out->body.left > settings->max_body_bytes) {
        *error = "the body is too large";
        rc = 413;
    }
    /* What was not understood cannot be skipped. */
    if (rc != 0)
        out->keep_alive = 0;
    return rc;
}

/* An offer to speak another protocol can be passed over; a request that makes
 * no sense without it cannot. */
static int check_upgrade(const struct http_head *head, const char **error)
{
    const struct http_field *upgrade = http_head_find(head, "Upgrade", NULL);

    *error = "upgrade to another protocol is not supported";
    if (upgrade == NULL || !http_head_lists(head, "Connection", "upgrade"))
        return 0;
    return http_slice_is(upgrade->value, "h2c") ? 0 : 501;
}

static int check_expect(const struct http_head *head, struct gw_request *out,
                        const char **error)
{
    size_t n;
    const struct http_field *expect = http_head_find(head, "Expect", &n);

    if (expect == NULL)
        return 0;
    *error = "only 100-continue can be expected";
    if (n > 1 || !http_slice_is(expect->value, "100-continue"))
        return 417;
    out->wants_continue = head->minor > 0;
    return 0;
}

static int find_service(struct http_slice path,
                        const struct gw_settings *settings,
                        struct gw_request *out, const char **error)
{
    const struct gw_route *route;

    *error = "the path must not have the segments . and ..";
    if (has_dot_segments(path))
        return 400;
    *error = "no route for this path";
    route = gw_settings_route(settings, path.at, path.n);
    if (route == NULL)
        return 404;
    out->service = &settings->services[route->service];
    out->target.at = path.at + route->prefix_bytes;
    out->target.n = path.n - route->prefix_bytes;
    return 0;
}

static int wants_keep_alive(const struct http_head *head)
{
    if (http_head_lists(head, "Connection", "close"))
        return 0;
    return head->minor > 0 || http_head_lists(head, "Connection", "keep-alive");
}

int gw_request_read(const struct http_head *head,
                    const struct gw_settings *settings, struct gw_request *out,
                    const char **error)
{
    struct http_slice path;
    int rc;

    memset(out, 0, sizeof *out);
    out->keep_alive = wants_keep_alive(head);
    if ((rc = check_framing(head, settings, out, error)) != 0)
        return rc;
    *error = "CONNECT is not supported";
    if (http_slice_equals(head->method, "CONNECT"))
        return 501;
    *error = "the request target is not understood";
    if (split_target(head, &path, &out->host) != 0)
        return 400;
    *error = "exactly one valid Host is needed";
    if (check_host(head, &out->host) != 0)
        return 400;
    if ((rc = check_upgrade(head, error)) != 0 ||
        (rc = check_expect(head, out, error)) != 0)
        return rc;
    return find_service(path, settings, out, error);
}

int gw_request_is_repeatable(const struct http_head *head)
{
    static const char *const idempotent[] = {"GET",    "HEAD",    "PUT",
                                             "DELETE", "OPTIONS", "TRACE"};

    for (size_t i = 0; i < sizeof idempotent / sizeof idempotent[0]; i++)
        if (http_slice_equals(head->method, idempotent[i]))
            return 1;
    return http_head_find(head, "Idempotency-Key", NULL) != NULL;
}
