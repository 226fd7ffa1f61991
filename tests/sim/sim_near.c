/* SPDX-License-Identifier: MIT */
/*
 * Edit distance (Levenshtein 1966): how many letters to insert, delete or
 * replace. Near is at most two, or a third of the word's length, or that one
 * contains the other.
 */
#include "sim_near.h"

#include <stdio.h>
#include <string.h>

#define NEAR_MAX 4
#define NEAR_LETTERS 63
#define NEAR_FAR 1000u

static unsigned near_least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned near_distance(const char *a, const char *b)
{
    unsigned row[NEAR_LETTERS + 1];
    size_t n_a = strlen(a), n_b = strlen(b);

    if (n_a > NEAR_LETTERS || n_b > NEAR_LETTERS)
        return NEAR_FAR;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= n_a; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n_b; j++) {
            unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = near_least(replaced, near_least(row[j], row[j - 1]) + 1);
        }
    }
    return row[n_b];
}

/* The smaller, the nearer; NEAR_FAR: not near. */
static unsigned near_rank(const char *wanted, const char *name)
{
    unsigned distance = near_distance(wanted, name);
    unsigned enough = (unsigned)strlen(wanted) / 3;

    if (distance <= (enough < 2 ? 2 : enough))
        return distance;
    if (strlen(wanted) >= 3 &&
        (strstr(name, wanted) != NULL || strstr(wanted, name) != NULL))
        return distance;
    return NEAR_FAR;
}

void sim_near(char text[SIM_NEAR_BYTES], const char *wanted,
              const char *const *names, size_t n)
{
    unsigned ranks[NEAR_MAX];
    const char *best[NEAR_MAX];
    size_t n_best = 0, used = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned rank = near_rank(wanted, names[i]);
        size_t at = n_best;

        if (rank == NEAR_FAR || (n_best == NEAR_MAX && rank >= ranks[at - 1]))
            continue;
        if (n_best < NEAR_MAX)
            n_best++;
        else
            at--;
        for (; at > 0 && ranks[at - 1] > rank; at--) {
            ranks[at] = ranks[at - 1];
            best[at] = best[at - 1];
        }
        ranks[at] = rank;
        best[at] = names[i];
    }
    *text = '\0';
    for (size_t i = 0; i < n_best; i++) {
        int length = snprintf(text + used, SIM_NEAR_BYTES - used, "%s%s",
                              i == 0 ? "" : ", ", best[i]);

        if (length < 0 || (size_t)length >= SIM_NEAR_BYTES - used) {
            text[used] = '\0'; /* whole names only */
            return;
        }
        used += (size_t)length;
    }
}
