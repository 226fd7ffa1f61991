/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "headers.h"

#include <string.h>
#include <time.h>

#include <event2/util.h>

/* Fields that speak of one connection (RFC 9110, 7.6.1), and those that are
 * written anew on each hop. Whatever Connection lists comes on top. */
static const char *const hop_by_hop[] = {
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
};

static const char *const request_own[] = {
    "Host",
    "Content-Length",
    "Expect",
    "X-Forwarded-For",
};

static const char *const forwarded[] = {"X-Forwarded-Proto",
                                        "X-Forwarded-Host"};

static const char *const response_own[] = {"X-Ilb-Endpoint", "X-Ilb-Attempts",
                                           "X-Ilb-Error"};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static int is_one_of(struct http_slice name, const char *const list[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (http_slice_is(name, list[i]))
            return 1;
    return 0;
}

/* Whether a Connection field lists this name. */
static int is_listed(const struct http_head *head, struct http_slice name)
{
    for (size_t i = 0; i < head->n_fields; i++) {
        struct http_slice rest = head->fields[i].value, element;

        if (!http_slice_is(head->fields[i].name, "Connection"))
            continue;
        while (http_list_next(&rest, &element))
            if (element.n == name.n &&
                evutil_ascii_strncasecmp(element.at, name.at, name.n) == 0)
                return 1;
    }
    return 0;
}

static int stays_behind(const struct http_head *head, struct http_slice name)
{
    return is_one_of(name, hop_by_hop, LENGTH(hop_by_hop)) ||
           is_listed(head, name);
}

static int add(struct evbuffer *out, const char *text)
{
    return evbuffer_add(out, text, strlen(text));
}

static int add_slice(struct evbuffer *out, struct http_slice s)
{
    return evbuffer_add(out, s.at, s.n);
}

static int add_field(struct evbuffer *out, const struct http_field *field)
{
    return add_slice(out, field->name) | add(out, ": ") |
           add_slice(out, field->value) | add(out, "\r\n");
}

static int add_pair(struct evbuffer *out, const char *name,
                    struct http_slice value)
{
    return add(out, name) | add(out, ": ") | add_slice(out, value) |
           add(out, "\r\n");
}

/* ---- Requests ---- */

/* One field with all that came before, and this client at the end. */
static int add_forwarded_for(struct evbuffer *out,
                             const struct gw_request_out *r)
{
    int rc = add(out, "X-Forwarded-For: ");

    for (size_t i = 0; i < r->head->n_fields; i++) {
        const struct http_field *field = &r->head->fields[i];

        if (http_slice_is(field->name, "X-Forwarded-For") && field->value.n > 0)
            rc |= add_slice(out, field->value) | add(out, ", ");
    }
    return rc | add(out, r->client_ip) | add(out, "\r\n");
}

static int add_forwarded(struct evbuffer *out, const struct gw_request_out *r)
{
    const struct http_head *head = r->head;
    int rc = add_forwarded_for(out, r);

    if (!r->trust_forwarded ||
        http_head_find(head, "X-Forwarded-Proto", NULL) == NULL)
        rc |= add(out, "X-Forwarded-Proto: http\r\n");
    if (!r->trust_forwarded ||
        http_head_find(head, "X-Forwarded-Host", NULL) == NULL)
        rc |= add_pair(out, "X-Forwarded-Host", r->host);
    return rc;
}

/* When the prefix was all of the path, "/" is left. */
static int add_target(struct evbuffer *out, struct http_slice target)
{
    int rc = 0;

    if (target.n == 0 || target.at[0] != '/')
        rc = add(out, "/");
    return target.n > 0 ? rc | add_slice(out, target) : rc;
}

int gw_headers_request(struct evbuffer *out, const struct gw_request_out *r)
{
    const struct http_head *head = r->head;
    int rc = add_slice(out, head->method) | add(out, " ") |
             add_target(out, r->target) | add(out, " HTTP/1.1\r\n") |
             add_pair(out, "Host", r->host);

    for (size_t i = 0; i < head->n_fields; i++) {
        struct http_slice name = head->fields[i].name;

        if (stays_behind(head, name) ||
            is_one_of(name, request_own, LENGTH(request_own)))
            continue;
        if (!r->trust_forwarded &&
            is_one_of(name, forwarded, LENGTH(forwarded)))
            continue;
        rc |= add_field(out, &head->fields[i]);
    }
    rc |= add_forwarded(out, r) | add(out, "Via: 1.1 ilb-gateway\r\n");
    if (r->has_body &&
        evbuffer_add_printf(out, "Content-Length: %llu\r\n",
                            (unsigned long long)r->body_bytes) < 0)
        rc = -1;
    return rc | add(out, "\r\n") ? -1 : 0;
}

/* ---- Responses ---- */

static int add_date(struct evbuffer *out)
{
    char date[64];

    if (evutil_date_rfc1123(date, sizeof date, NULL) <= 0)
        return -1;
    return evbuffer_add_printf(out, "Date: %s\r\n", date) < 0 ? -1 : 0;
}

static int add_connection(struct evbuffer *out, int keep_alive,
                          int client_minor)
{
    if (!keep_alive)
        return add(out, "Connection: close\r\n");
    /* To stay open is the rule since HTTP/1.1 and a promise before. */
    return client_minor == 0 ? add(out, "Connection: keep-alive\r\n") : 0;
}

static int add_attempts(struct evbuffer *out, const char *address,
                        unsigned attempts)
{
    if (address == NULL)
        return 0;
    return evbuffer_add_printf(out,
                               "X-Ilb-Endpoint: %s\r\nX-Ilb-Attempts: %u\r\n",
                               address, attempts) < 0
               ? -1
               : 0;
}

int gw_headers_response(struct evbuffer *out, const struct gw_response_out *r)
{
    const struct http_head *head = r->head;
    int rc = 0;

    if (evbuffer_add_printf(out, "HTTP/1.1 %d ", head->status) < 0)
        return -1;
    rc |= add_slice(out, head->reason) | add(out, "\r\n");
    for (size_t i = 0; i < head->n_fields; i++) {
        struct http_slice name = head->fields[i].name;

        /* A length is end-to-end even if Connection lists it; 204 has none. */
        if (http_slice_is(name, "Content-Length")) {
            if (!r->is_chunked && head->status != 204)
                rc |= add_field(out, &head->fields[i]);
            continue;
        }
        if (stays_behind(head, name) ||
            is_one_of(name, response_own, LENGTH(response_own)))
            continue;
        rc |= add_field(out, &head->fields[i]);
    }
    if (http_head_find(head, "Date", NULL) == NULL)
        rc |= add_date(out);
    if (r->is_chunked)
        rc |= add(out, "Transfer-Encoding: chunked\r\n");
    rc |= add_attempts(out, r->address, r->attempts) |
          add_connection(out, r->keep_alive, r->client_minor) |
          add(out, "\r\n");
    return rc ? -1 : 0;
}

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {400, "Bad Request"},
        {404, "Not Found"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {417, "Expectation Failed"},
        {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < LENGTH(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}

/* Why the balancer has refused, and when to ask again. */
static int add_refusal(struct evbuffer *out, const struct gw_answer_out *r)
{
    int rc = 0;

    if (r->reason != NULL &&
        evbuffer_add_printf(out, "X-Ilb-Error: %s\r\n", r->reason) < 0)
        rc = -1;
    if (r->retry_after_s != 0 &&
        evbuffer_add_printf(out, "Retry-After: %llu\r\n",
                            (unsigned long long)r->retry_after_s) < 0)
        rc = -1;
    return rc;
}

int gw_headers_answer(struct evbuffer *out, const struct gw_answer_out *r)
{
    size_t bytes = strlen("{\"error\": \"\"}\n") + strlen(r->error);
    int rc = 0;

    if (evbuffer_add_printf(out,
                            "HTTP/1.1 %d %s\r\n"
                            "Content-Type: application/json\r\n"
                            "Content-Length: %zu\r\n",
                            r->status, reason_of(r->status), bytes) < 0)
        return -1;
    rc |= add_date(out) | add_attempts(out, r->address, r->attempts) |
          add_refusal(out, r) |
          add_connection(out, r->keep_alive, r->client_minor) |
          add(out, "\r\n");
    if (!r->is_head &&
        evbuffer_add_printf(out, "{\"error\": \"%s\"}\n", r->error) < 0)
        rc = -1;
    return rc ? -1 : 0;
}
