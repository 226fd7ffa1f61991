/* SPDX-License-Identifier: MIT */
/* Which names are near one that nobody knows. */
#ifndef SIM_NEAR_H
#define SIM_NEAR_H

#include <stddef.h>

#define SIM_NEAR_BYTES 256

/* Up to four names that are a few letters off, or of which one contains the
 * other, the nearest first: "slow-one, slow-two". "" if there is none. */
void sim_near(char text[SIM_NEAR_BYTES], const char *wanted,
              const char *const *names, size_t n);

#endif
