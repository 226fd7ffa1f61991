/* SPDX-License-Identifier: MIT */
/*
 * Structs that callers fill and that grow: each begins with its size.
 *
 *   smaller than the first version's   ILB_EABI: the size was not set
 *   larger than any could ever be      the same, and nothing is read
 *   smaller than ours                  an older caller: the rest is 0
 *   larger than ours                   a newer caller: fine while what we do
 *                                      not know is 0, else ILB_EABI
 */
#ifndef ILB_BASE_OPTIONS_H
#define ILB_BASE_OPTIONS_H

#include <string.h>

#include "base/internal.h"

/* Is a caller's struct of the very version that is ours? Then it may be read
 * where it is. */
static inline bool ilb__struct_is_ours(const void *from, size_t ours)
{
    size_t theirs;

    memcpy(&theirs, from, sizeof theirs);
    return ILB_LIKELY(theirs == ours);
}

/* Copies a caller's struct into ours of `ours` bytes; `first` is the size of
 * its first version. ILB_OK or ILB_EABI. */
ILB_INTERNAL int ilb__struct_read(void *to, size_t ours, const void *from,
                                  size_t first);

/* A caller's options, defaults put in; every bound is checked here. NULL: all
 * defaults. ILB_OK, ILB_EABI or ILB_EINVAL. */
ILB_INTERNAL int ilb__options_read(ilb_options *to, const ilb_options *from);

/* 1 to `max` printable bytes? */
ILB_INTERNAL bool ilb__text_ok(const char *text, size_t max);

#endif
