/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "http_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATUS_BAD 400
#define STATUS_TOO_LARGE 431
#define STATUS_VERSION 505

/* ---- Characters ---- */

static int is_token_byte(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (c >= '0' && c <= '9'))
        return 1;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static int is_token(struct http_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_byte(s.at[i]))
            return 0;
    return s.n > 0;
}

/* Anything but controls; a tab is a space. */
static int is_text(struct http_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.at[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return 0;
    }
    return 1;
}

static int is_graphic(struct http_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.at[i];

        if (c <= 0x20 || c >= 0x7f)
            return 0;
    }
    return s.n > 0;
}

struct http_slice http_slice_trim(struct http_slice s)
{
    while (s.n > 0 && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s.at++;
        s.n--;
    }
    while (s.n > 0 && (s.at[s.n - 1] == ' ' || s.at[s.n - 1] == '\t'))
        s.n--;
    return s;
}

int http_slice_cut(struct http_slice *rest, char byte,
                   struct http_slice *before)
{
    const char *found = rest->n ? memchr(rest->at, byte, rest->n) : NULL;

    if (found == NULL)
        return 0;
    before->at = rest->at;
    before->n = (size_t)(found - rest->at);
    rest->at = found + 1;
    rest->n -= before->n + 1;
    return 1;
}

/* ---- The first line ---- */

static int read_version(struct http_slice s, int *minor)
{
    if (s.n != 8 || memcmp(s.at, "HTTP/", 5) != 0 || s.at[6] != '.' ||
        s.at[5] < '0' || s.at[5] > '9' || s.at[7] < '0' || s.at[7] > '9')
        return STATUS_BAD;
    if (s.at[5] != '1')
        return STATUS_VERSION;
    *minor = s.at[7] == '0' ? 0 : 1;
    return HTTP_READY;
}

static int read_request_line(struct http_head *head, struct http_slice line)
{
    if (!http_slice_cut(&line, ' ', &head->method) || !is_token(head->method) ||
        !http_slice_cut(&line, ' ', &head->target) || !is_graphic(head->target))
        return STATUS_BAD;
    return read_version(line, &head->minor);
}

static int read_status_line(struct http_head *head, struct http_slice line)
{
    struct http_slice version, code = {NULL, 0};

    if (!http_slice_cut(&line, ' ', &version) ||
        read_version(version, &head->minor) != HTTP_READY)
        return STATUS_BAD;
    /* The reason may be empty, and then some leave out its space as well. */
    if (!http_slice_cut(&line, ' ', &code)) {
        code = line;
        line.n = 0;
    }
    if (code.n != 3 || !is_text(line))
        return STATUS_BAD;
    for (size_t i = 0; i < 3; i++) {
        if (code.at[i] < '0' || code.at[i] > '9')
            return STATUS_BAD;
        head->status = head->status * 10 + (code.at[i] - '0');
    }
    head->reason = line;
    return head->status >= 100 && head->status <= 599 ? HTTP_READY : STATUS_BAD;
}

/* ---- The whole head ---- */

static int read_field(struct http_head *head, struct http_slice line)
{
    struct http_field *field = &head->fields[head->n_fields];

    /* A space before the colon, or a folded line, fails here: not a token. */
    if (!http_slice_cut(&line, ':', &field->name) || !is_token(field->name))
        return STATUS_BAD;
    field->value = http_slice_trim(line);
    if (!is_text(field->value))
        return STATUS_BAD;
    head->n_fields++;
    return HTTP_READY;
}

static int parse(struct http_head *head, size_t bytes, enum http_kind kind)
{
    struct http_slice rest = {head->text, bytes}, line;
    int rc = HTTP_READY, is_first = 1;

    while (rc == HTTP_READY && http_slice_cut(&rest, '\n', &line)) {
        /* A lone line feed ends a line for some and not for others. */
        if (line.n == 0 || line.at[line.n - 1] != '\r')
            return STATUS_BAD;
        line.n--;
        if (line.n == 0)
            return is_first ? STATUS_BAD : HTTP_READY;
        if (!is_first)
            rc = read_field(head, line);
        else if (kind == HTTP_REQUEST)
            rc = read_request_line(head, line);
        else
            rc = read_status_line(head, line);
        is_first = 0;
    }
    return rc == HTTP_READY ? STATUS_BAD : rc;
}

/* The length of the head with its empty line; 0: not all there. *lines
 * receives how many lines it has. */
static size_t find_end(const char *text, size_t bytes, size_t *scanned,
                       size_t *lines)
{
    const char *at = text + *scanned, *end = text + bytes, *feed;

    while ((feed = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        const char *next = feed + 1;

        if (next < end && *next == '\r')
            next++;
        if (next == end)
            break; /* look at this line feed again when more has come */
        if (*next == '\n') {
            size_t total = (size_t)(next + 1 - text);

            *lines = 0;
            for (size_t i = 0; i < total; i++)
                *lines += text[i] == '\n';
            return total;
        }
        at = feed + 1;
    }
    *scanned = (size_t)((feed ? feed : end) - text);
    return 0;
}

/* An empty line before a request is left over from a clumsy client. Returns
 * whether half of one is there. */
static int skip_empty_lines(struct evbuffer *in)
{
    char two[2];
    ev_ssize_t n;

    while ((n = evbuffer_copyout(in, two, 2)) == 2 && two[0] == '\r' &&
           two[1] == '\n')
        evbuffer_drain(in, 2);
    return n == 1 && two[0] == '\r';
}

int http_head_read(struct http_head *head, struct evbuffer *in,
                   enum http_kind kind, const struct http_limits *limits,
                   size_t *scanned)
{
    size_t available, bytes, lines;
    const char *text;
    int rc;

    if (kind == HTTP_REQUEST && *scanned == 0 && skip_empty_lines(in))
        return HTTP_MORE;
    available = evbuffer_get_length(in);
    if (available > limits->head_bytes)
        available = (size_t)limits->head_bytes;
    if (available == 0)
        return HTTP_MORE;
    text = (const char *)evbuffer_pullup(in, (ev_ssize_t)available);
    if (text == NULL)
        return STATUS_TOO_LARGE;
    bytes = find_end(text, available, scanned, &lines);
    if (bytes == 0)
        return available == limits->head_bytes ? STATUS_TOO_LARGE : HTTP_MORE;
    if (lines - 2 > limits->fields)
        return STATUS_TOO_LARGE;
    head->text = malloc(bytes);
    head->fields = calloc(lines, sizeof *head->fields);
    if (head->text == NULL || head->fields == NULL) {
        http_head_clear(head);
        return STATUS_TOO_LARGE;
    }
    memcpy(head->text, text, bytes);
    rc = parse(head, bytes, kind);
    if (rc != HTTP_READY) {
        http_head_clear(head);
        return rc;
    }
    evbuffer_drain(in, bytes);
    *scanned = 0;
    return HTTP_READY;
}

void http_head_clear(struct http_head *head)
{
    free(head->text);
    free(head->fields);
    memset(head, 0, sizeof *head);
}
