/* SPDX-License-Identifier: MIT */
/* See line.h. */
#include "base/line.h"

#include <string.h>

/* Above it, tenths no longer fit 64 bits. */
#define LINE_DECIMAL_MAX 1e18

static void line_bytes(ilb__line *l, const char *bytes, size_t n)
{
    if (l->n + 1 < l->room) {
        size_t fits = l->room - 1 - l->n;

        if (fits > n)
            fits = n;
        memcpy(l->to + l->n, bytes, fits);
        l->to[l->n + fits] = '\0';
    }
    l->n += n;
}

ILB_INTERNAL void ilb__line_begin(ilb__line *l, char *to, size_t room)
{
    l->to = to;
    l->room = room;
    l->n = 0;
    if (room > 0)
        to[0] = '\0';
}

ILB_INTERNAL void ilb__line_put(ilb__line *l, const char *text)
{
    line_bytes(l, text, strlen(text));
}

ILB_INTERNAL void ilb__line_number(ilb__line *l, uint64_t x)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + x % 10);
        x /= 10;
    } while (x > 0);
    line_bytes(l, digits + at, sizeof digits - at);
}

ILB_INTERNAL void ilb__line_decimal(ilb__line *l, double x, bool digit)
{
    uint64_t tenths;

    if (x < 0) {
        ilb__line_put(l, "-");
        x = -x;
    }
    if (!(x <= LINE_DECIMAL_MAX)) {
        ilb__line_put(l, x > LINE_DECIMAL_MAX ? "inf" : "nan");
        return;
    }
    if (!digit) {
        ilb__line_number(l, (uint64_t)(x + 0.5));
        return;
    }
    tenths = (uint64_t)(x * 10 + 0.5);
    ilb__line_number(l, tenths / 10);
    ilb__line_put(l, ".");
    ilb__line_number(l, tenths % 10);
}

ILB_INTERNAL void ilb__line_time(ilb__line *l, double ns)
{
    /* What would round to 1000 of a unit is one of the next. */
    if (ns < 999.5) {
        ilb__line_decimal(l, ns, false);
        ilb__line_put(l, " ns");
    } else if (ns < 999.95e3) {
        ilb__line_decimal(l, ns / 1e3, true);
        ilb__line_put(l, " us");
    } else if (ns < 999.95e6) {
        ilb__line_decimal(l, ns / 1e6, true);
        ilb__line_put(l, " ms");
    } else {
        ilb__line_decimal(l, ns / 1e9, true);
        ilb__line_put(l, " s");
    }
}
