/* SPDX-License-Identifier: MIT */
/*
 * Writing a line of text into a buffer of the caller's, without stdio: as much
 * as fits, always ended by a 0, and how long the whole would be.
 */
#ifndef ILB_BASE_LINE_H
#define ILB_BASE_LINE_H

#include "base/internal.h"

typedef struct ilb__line {
    char *to; /* NULL only if `room` is 0 */
    size_t room;
    size_t n; /* length of the whole, without the 0 */
} ilb__line;

ILB_INTERNAL void ilb__line_begin(ilb__line *l, char *to, size_t room);

ILB_INTERNAL void ilb__line_put(ilb__line *l, const char *text);

ILB_INTERNAL void ilb__line_number(ilb__line *l, uint64_t x);

/* Rounded to one digit after the point, or to none; "nan", "inf" for what is
 * not a number or above 10^18. */
ILB_INTERNAL void ilb__line_decimal(ilb__line *l, double x, bool digit);

/* A time with its unit, to one digit after the point: "850 ns", "12.3 us",
 * "2.1 ms", "12.1 s". */
ILB_INTERNAL void ilb__line_time(ilb__line *l, double ns);

#endif
