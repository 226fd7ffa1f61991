/* SPDX-License-Identifier: MIT
 *
 * Looking into a head that was read.
 */
#define _GNU_SOURCE 1
#include "http_head.h"

#include <string.h>
#include <strings.h>

int http_slice_is(struct http_slice slice, const char *word)
{
    return strlen(word) == slice.n && strncasecmp(slice.at, word, slice.n) == 0;
}

int http_slice_equals(struct http_slice slice, const char *word)
{
    return strlen(word) == slice.n && memcmp(slice.at, word, slice.n) == 0;
}

const struct http_field *http_head_find(const struct http_head *head,
                                        const char *name, size_t *n)
{
    const struct http_field *first = NULL;
    size_t found = 0;

    for (size_t i = 0; i < head->n_fields; i++) {
        if (!http_slice_is(head->fields[i].name, name))
            continue;
        if (found++ == 0)
            first = &head->fields[i];
    }
    if (n != NULL)
        *n = found;
    return first;
}

int http_list_next(struct http_slice *rest, struct http_slice *element)
{
    while (rest->n > 0) {
        if (!http_slice_cut(rest, ',', element)) {
            *element = *rest;
            rest->n = 0;
        }
        *element = http_slice_trim(*element);
        if (element->n > 0)
            return 1;
    }
    return 0;
}

int http_head_lists(const struct http_head *head, const char *name,
                    const char *word)
{
    struct http_slice element;

    for (size_t i = 0; i < head->n_fields; i++) {
        struct http_slice rest = head->fields[i].value;

        if (!http_slice_is(head->fields[i].name, name))
            continue;
        while (http_list_next(&rest, &element))
            if (http_slice_is(element, word))
                return 1;
    }
    return 0;
}
