/* SPDX-License-Identifier: MIT
 *
 * The head of an HTTP/1 message: read strictly, since a reading that differs
 * from a neighbour's is how requests are smuggled. (evhttp cannot be used on
 * this path: README.md says why.)
 */
#ifndef GW_HTTP_HEAD_H
#define GW_HTTP_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include <event2/buffer.h>

/* A part of a text; not terminated by 0. */
struct http_slice {
    const char *at;
    size_t n;
};

struct http_field {
    struct http_slice name, value;
};

struct http_head {
    char *text; /* owned; the slices point into it */
    struct http_field *fields;
    size_t n_fields;
    int minor;                        /* of HTTP/1.x */
    struct http_slice method, target; /* of a request */
    int status;                       /* of a response */
    struct http_slice reason;
};

struct http_limits {
    uint64_t head_bytes;
    uint32_t fields;
};

enum http_kind {
    HTTP_REQUEST,
    HTTP_RESPONSE
};

/* What http_head_read returns, apart from a status of 400 or more. */
#define HTTP_MORE 0
#define HTTP_READY 1

/**
 * Take a head off a buffer, if all of it is there.
 *
 * @param head     Receives it; free it with http_head_clear. All zero before.
 * @param in       What was received; only a whole head is taken from it.
 * @param scanned  Where the search for the end goes on; 0 at the start.
 * @return         HTTP_MORE, HTTP_READY, or the status that the fault
 *                 deserves: 400, 431, 501 or 505.
 */
int http_head_read(struct http_head *head, struct evbuffer *in,
                   enum http_kind kind, const struct http_limits *limits,
                   size_t *scanned);

void http_head_clear(struct http_head *head);

/** A slice without the spaces and tabs around it. */
struct http_slice http_slice_trim(struct http_slice slice);

/** Cut a slice at a byte: *before it, *rest behind it; 0: it is not there. */
int http_slice_cut(struct http_slice *rest, char byte,
                   struct http_slice *before);

/** Whether a slice is a word, letters' case aside. */
int http_slice_is(struct http_slice slice, const char *word);

/** Whether a slice is a word exactly. */
int http_slice_equals(struct http_slice slice, const char *word);

/** The first field of a name, or NULL; *n receives how many there are. */
const struct http_field *http_head_find(const struct http_head *head,
                                        const char *name, size_t *n);

/**
 * Go through the elements of a comma-separated list.
 *
 * @param rest     The part not seen yet; moved on.
 * @param element  Receives the next one that is not empty, trimmed.
 * @return         0 at the end.
 */
int http_list_next(struct http_slice *rest, struct http_slice *element);

/** Whether any field of a name lists a word. */
int http_head_lists(const struct http_head *head, const char *name,
                    const char *word);

#endif
