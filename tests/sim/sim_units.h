/* SPDX-License-Identifier: MIT */
/*
 * The words of a scenario as figures. Every figure carries its unit, so that
 * a file reads without the documentation and a slip is found at once.
 *
 * Numbers are plain decimals of at most 15 digits: no sign, no exponent, no
 * locale. Those functions that return a text return NULL if the word is good,
 * else what is wrong with it, to be put behind the word.
 */
#ifndef SIM_UNITS_H
#define SIM_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* The longest time there is: a day. */
#define SIM_UNITS_DAY_NS (UINT64_C(86400) * 1000000000)

/* 200us 1.5s 2m; ns us ms s m h. Exact, at most a day. */
const char *sim_units_duration(const char *word, uint64_t *out_ns);

/* 1000/s 30/m 5/h, as a number a second. */
const char *sim_units_rate(const char *word, double *out_per_s);

/* 0.05% as 0.0005; at most 100%. */
const char *sim_units_percent(const char *word, double *out);

/* 20x */
const char *sim_units_factor(const char *word, double *out);

/* 0.5 */
const char *sim_units_number(const char *word, double *out);

/* 12 */
const char *sim_units_count(const char *word, uint32_t *out);

/* 3, 2..5 or all; whether these servers exist is the caller's question. Of
 * all the last is UINT32_MAX. */
const char *sim_units_range(const char *word, uint32_t *out_first,
                            uint32_t *out_last);

/* A duration in its shortest exact form: 1500ms, 2m. Returns `out`. */
const char *sim_units_show(uint64_t ns, char *out, size_t size);

#endif
