/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "retry_after.h"

#include <string.h>
#include <time.h>

#define SECONDS_MAX INT64_C(1000000000)

/* Digits and nothing else; -1 otherwise. */
static int64_t read_seconds(struct http_slice s)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return -1;
        if (seconds < SECONDS_MAX)
            seconds = seconds * 10 + (s.at[i] - '0');
    }
    return s.n == 0 ? -1 : seconds;
}

/* RFC 9110, 5.6.7; the names of days and months are those of the C locale. */
static int read_date(struct http_slice s, int64_t *out_s)
{
    static const char *const formats[] = {"%a, %d %b %Y %H:%M:%S GMT",
                                          "%A, %d-%b-%y %H:%M:%S GMT",
                                          "%a %b %e %H:%M:%S %Y"};
    char text[64];

    if (s.n >= sizeof text)
        return -1;
    memcpy(text, s.at, s.n);
    text[s.n] = '\0';
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct tm tm;
        const char *end;

        memset(&tm, 0, sizeof tm);
        end = strptime(text, formats[i], &tm);
        if (end != NULL && *end == '\0') {
            *out_s = (int64_t)timegm(&tm);
            return 0;
        }
    }
    return -1;
}

uint64_t gw_retry_after_ns(const struct http_head *head, int64_t now_s)
{
    const struct http_field *field = http_head_find(head, "Retry-After", NULL);
    const struct http_field *date = http_head_find(head, "Date", NULL);
    int64_t seconds, until_s;

    if (field == NULL)
        return 0;
    seconds = read_seconds(field->value);
    if (seconds < 0) {
        if (read_date(field->value, &until_s) != 0)
            return 0;
        if (date != NULL)
            (void)read_date(date->value, &now_s);
        seconds = until_s - now_s;
    }
    if (seconds <= 0)
        return 0;
    return (uint64_t)(seconds < SECONDS_MAX ? seconds : SECONDS_MAX) *
           1000000000u;
}
