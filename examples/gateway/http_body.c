/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "http_body.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_LINE_BYTES_MAX 1024
#define TRAILER_BYTES_MAX 8192
#define MALFORMED 400

/* Digits alone: no sign, no space, no list. */
static int read_length(struct http_slice s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.n == 0 || s.n > 18)
        return -1;
    for (size_t i = 0; i < s.n; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return -1;
        value = value * 10 + (uint64_t)(s.at[i] - '0');
    }
    *out = value;
    return 0;
}

/* The framing that the fields name. Two of them, or two lengths, are an
 * attempt to make neighbours disagree: nobody honest sends them. */
static int named_framing(const struct http_head *head, struct http_body *body)
{
    size_t n_lengths, n_codings;
    const struct http_field *length, *coding;

    length = http_head_find(head, "Content-Length", &n_lengths);
    coding = http_head_find(head, "Transfer-Encoding", &n_codings);
    if (n_lengths + n_codings > 1)
        return 400;
    if (coding != NULL) {
        if (head->minor == 0)
            return 400;
        if (!http_slice_is(coding->value, "chunked"))
            return 501;
        body->framing = HTTP_CHUNKED;
    } else if (length != NULL) {
        if (read_length(length->value, &body->left) != 0)
            return 400;
        body->framing = HTTP_LENGTH;
    }
    return 0;
}

int http_request_body(const struct http_head *head, struct http_body *body)
{
    memset(body, 0, sizeof *body);
    return named_framing(head, body);
}

int http_response_body(const struct http_head *head, int is_head,
                       struct http_body *body)
{
    memset(body, 0, sizeof *body);
    body->framing = HTTP_UNTIL_EOF;
    if (named_framing(head, body) != 0)
        return -1;
    if (is_head || head->status < 200 || head->status == 204 ||
        head->status == 304)
        body->framing = HTTP_NO_BODY;
    return 0;
}

/* Move up to `max` of the bytes that are left. Returns how many. */
static size_t move(struct http_body *body, struct evbuffer *in,
                   struct evbuffer *out, size_t max)
{
    size_t n = evbuffer_get_length(in);
    int moved;

    if (n > max)
        n = max;
    if (body->framing != HTTP_UNTIL_EOF && n > body->left)
        n = (size_t)body->left;
    moved = n > 0 ? evbuffer_remove_buffer(in, out, n) : 0;
    if (moved <= 0)
        return 0;
    if (body->framing != HTTP_UNTIL_EOF)
        body->left -= (uint64_t)moved;
    return (size_t)moved;
}

/* One line, without its end; NULL if it is not all there. */
static char *take_line(struct evbuffer *in, size_t *n, int *too_long)
{
    struct evbuffer_ptr end =
        evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_CRLF_STRICT);

    *too_long = (end.pos < 0 ? evbuffer_get_length(in) : (size_t)end.pos) >
                CHUNK_LINE_BYTES_MAX;
    if (*too_long || end.pos < 0)
        return NULL;
    return evbuffer_readln(in, n, EVBUFFER_EOL_CRLF_STRICT);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* "1f", then perhaps spaces and an extension, which is ignored. */
static int read_chunk_size(const char *line, size_t n, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < n && hex_digit(line[i]) >= 0; i++) {
        if (i == 15)
            return -1;
        value = value * 16 + (uint64_t)hex_digit(line[i]);
    }
    if (i == 0)
        return -1;
    *out = value;
    while (i < n && (line[i] == ' ' || line[i] == '\t'))
        i++;
    if (i < n && line[i] != ';')
        return -1;
    for (; i < n; i++)
        if ((unsigned char)line[i] < 0x20 && line[i] != '\t')
            return -1;
    return 0;
}

/* The line that is due: a size, the end of a chunk, or a trailer. */
static int read_chunk_line(struct http_body *body, const char *line, size_t n)
{
    switch (body->chunk) {
    case CHUNK_SIZE:
        if (read_chunk_size(line, n, &body->left) != 0)
            return MALFORMED;
        body->chunk = body->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        return HTTP_MORE;
    case CHUNK_END:
        body->chunk = CHUNK_SIZE;
        return n == 0 ? HTTP_MORE : MALFORMED;
    default:
        if (n == 0)
            body->chunk = CHUNK_DONE;
        body->trailer_bytes += n + 2;
        return body->trailer_bytes > TRAILER_BYTES_MAX ? MALFORMED : HTTP_MORE;
    }
}

static int read_chunked(struct http_body *body, struct evbuffer *in,
                        struct evbuffer *out, size_t max)
{
    while (body->chunk != CHUNK_DONE) {
        if (body->chunk == CHUNK_DATA) {
            max -= move(body, in, out, max);
            if (body->left > 0)
                return HTTP_MORE;
            body->chunk = CHUNK_END;
        } else {
            size_t n = 0;
            int too_long, rc;
            char *line = take_line(in, &n, &too_long);

            if (line == NULL)
                return too_long ? MALFORMED : HTTP_MORE;
            rc = read_chunk_line(body, line, n);
            free(line);
            if (rc != HTTP_MORE)
                return rc;
        }
    }
    return HTTP_READY;
}

int http_body_read(struct http_body *body, struct evbuffer *in,
                   struct evbuffer *out, size_t max)
{
    switch (body->framing) {
    case HTTP_NO_BODY:
        return HTTP_READY;
    case HTTP_LENGTH:
        move(body, in, out, max);
        return body->left == 0 ? HTTP_READY : HTTP_MORE;
    case HTTP_UNTIL_EOF:
        move(body, in, out, max);
        return HTTP_MORE;
    default:
        return read_chunked(body, in, out, max);
    }
}
