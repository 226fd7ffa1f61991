/* SPDX-License-Identifier: MIT */
#include "sim_units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define UNITS_DIGITS_MAX 15 /* so that a double holds every one of them */
#define UNITS_TOO_LONG "has more than 15 digits"

typedef struct units_unit {
    const char *word;
    uint64_t ns;
} units_unit;

static const units_unit units_of_time[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60) * 1000000000},
    {"h", UINT64_C(3600) * 1000000000},
};

#define UNITS_OF_TIME (sizeof units_of_time / sizeof units_of_time[0])

/* mantissa / 10^places, and what stands behind it. */
typedef struct units_decimal {
    uint64_t mantissa;
    unsigned places;
    const char *unit;
    bool too_long;
} units_decimal;

/* Not strtod: it takes hexadecimal, infinity and the locale's comma. */
static const char *units_take_digits(const char *p, units_decimal *d)
{
    for (; *p >= '0' && *p <= '9'; p++) {
        if (d->mantissa >= UINT64_C(100000000000000))
            d->too_long = true;
        else
            d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
    }
    return p;
}

/* False: no number at all. */
static bool units_take(const char *word, units_decimal *d)
{
    const char *p;

    memset(d, 0, sizeof *d);
    p = units_take_digits(word, d);
    if (p == word)
        return false;
    if (p[0] == '.' && p[1] >= '0' && p[1] <= '9') {
        const char *end = units_take_digits(p + 1, d);

        if (end - p - 1 > UNITS_DIGITS_MAX)
            d->too_long = true;
        else
            d->places = (unsigned)(end - p - 1);
        p = end;
    }
    d->unit = p;
    while (d->places > 0 && d->mantissa % 10 == 0) {
        d->mantissa /= 10;
        d->places--;
    }
    return true;
}

static uint64_t units_power(unsigned places)
{
    uint64_t power = 1;

    while (places-- > 0)
        power *= 10;
    return power;
}

/* One division of two exact numbers: the nearest double. */
static double units_quotient(const units_decimal *d, uint64_t by)
{
    return (double)d->mantissa / (double)(units_power(d->places) * by);
}

const char *sim_units_duration(const char *word, uint64_t *out_ns)
{
    units_decimal d;
    uint64_t ns = 0, power;

    if (units_take(word, &d)) {
        for (size_t i = 0; i < UNITS_OF_TIME; i++)
            if (strcmp(d.unit, units_of_time[i].word) == 0)
                ns = units_of_time[i].ns;
    }
    if (ns == 0)
        return "is no duration (like 200us, 1.5s or 2m)";
    if (d.too_long)
        return UNITS_TOO_LONG;
    power = units_power(d.places);
    if (ns % power != 0)
        return "is finer than a nanosecond";
    ns /= power;
    if (d.mantissa > SIM_UNITS_DAY_NS / ns)
        return "is longer than a day";
    *out_ns = d.mantissa * ns;
    return NULL;
}

const char *sim_units_rate(const char *word, double *out_per_s)
{
    units_decimal d;
    uint64_t seconds = 0;

    if (units_take(word, &d)) {
        if (strcmp(d.unit, "/s") == 0)
            seconds = 1;
        else if (strcmp(d.unit, "/m") == 0)
            seconds = 60;
        else if (strcmp(d.unit, "/h") == 0)
            seconds = 3600;
    }
    if (seconds == 0)
        return "is no rate (like 1000/s or 30/m)";
    if (d.too_long)
        return UNITS_TOO_LONG;
    *out_per_s = units_quotient(&d, seconds);
    return NULL;
}

const char *sim_units_percent(const char *word, double *out)
{
    units_decimal d;

    if (!units_take(word, &d) || strcmp(d.unit, "%") != 0)
        return "is no share (like 5% or 0.05%)";
    if (d.too_long)
        return UNITS_TOO_LONG;
    if (d.mantissa > 100 * units_power(d.places))
        return "is more than 100%";
    *out = units_quotient(&d, 100);
    return NULL;
}

const char *sim_units_factor(const char *word, double *out)
{
    units_decimal d;

    if (!units_take(word, &d) || strcmp(d.unit, "x") != 0)
        return "is no factor (like 5x or 1.5x)";
    if (d.too_long)
        return UNITS_TOO_LONG;
    *out = units_quotient(&d, 1);
    return NULL;
}

const char *sim_units_number(const char *word, double *out)
{
    units_decimal d;

    if (!units_take(word, &d) || *d.unit != '\0')
        return "is no plain number (like 2 or 0.5)";
    if (d.too_long)
        return UNITS_TOO_LONG;
    *out = units_quotient(&d, 1);
    return NULL;
}

/* The end of the digits, or NULL: none, or more than 32 bits hold. */
static const char *units_take_count(const char *p, uint32_t *out)
{
    const char *begin = p;
    uint64_t value = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > UINT32_MAX)
            return NULL;
    }
    *out = (uint32_t)value;
    return p == begin ? NULL : p;
}

const char *sim_units_count(const char *word, uint32_t *out)
{
    uint32_t value;
    const char *end = units_take_count(word, &value);

    if (end == NULL || *end != '\0')
        return "is no whole number below 2^32";
    *out = value;
    return NULL;
}

const char *sim_units_range(const char *word, uint32_t *out_first,
                            uint32_t *out_last)
{
    uint32_t first = 0, last;
    const char *p;

    if (strcmp(word, "all") == 0) {
        *out_first = 0;
        *out_last = UINT32_MAX;
        return NULL;
    }
    p = units_take_count(word, &first);
    last = first;
    if (p != NULL && strncmp(p, "..", 2) == 0)
        p = units_take_count(p + 2, &last);
    if (p == NULL || *p != '\0')
        return "are no servers (like 3, 2..5 or all)";
    if (last < first)
        return "runs backwards";
    *out_first = first;
    *out_last = last;
    return NULL;
}

const char *sim_units_show(uint64_t ns, char *out, size_t size)
{
    size_t i = UNITS_OF_TIME - 1;

    while (i > 0 && (ns < units_of_time[i].ns || ns % units_of_time[i].ns != 0))
        i--;
    if (ns == 0)
        i = 3;
    snprintf(out, size, "%" PRIu64 "%s", ns / units_of_time[i].ns,
             units_of_time[i].word);
    return out;
}
