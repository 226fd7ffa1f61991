/* SPDX-License-Identifier: MIT
 *
 * Monotonic time, and the shapes that libevent wants it in.
 */
#ifndef GW_TIMING_H
#define GW_TIMING_H

#include <stdint.h>
#include <time.h>

#include <sys/time.h>

static inline uint64_t gw_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Rounded up to whole microseconds: a timer must not be early. */
static inline struct timeval gw_timeval(uint64_t ns)
{
    uint64_t us = ns / 1000u + (ns % 1000u != 0);
    struct timeval tv;

    tv.tv_sec = (time_t)(us / 1000000u);
    tv.tv_usec = (suseconds_t)(us % 1000000u);
    return tv;
}

#endif
