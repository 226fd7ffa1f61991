/* SPDX-License-Identifier: MIT */
#include "sim_recent.h"

static uint32_t recent_class(uint32_t load)
{
    uint32_t octave = 0;

    if (load < 8)
        return load;
    if (load >= 1024)
        return SIM_RECENT_CLASSES - 1;
    while (load >> octave >= 8)
        octave++;
    return 8 + 4 * (octave - 1) + (load >> octave) - 4;
}

void sim_recent_add(sim_recent *r, uint32_t load, uint64_t latency_ns)
{
    uint32_t c = recent_class(load);

    r->ns[c][r->n[c]++ % SIM_RECENT_KEPT] = (float)latency_ns;
}

static double recent_of_class(const sim_recent *r, uint32_t c)
{
    float sorted[SIM_RECENT_KEPT];
    uint32_t n =
        r->n[c] < SIM_RECENT_KEPT ? (uint32_t)r->n[c] : SIM_RECENT_KEPT;

    for (uint32_t i = 0; i < n; i++) {
        float x = r->ns[c][i];
        uint32_t k = i;

        for (; k > 0 && sorted[k - 1] > x; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = x;
    }
    return (double)sorted[(n - 1) / 2];
}

double sim_recent_median(const sim_recent *r, uint32_t load)
{
    uint32_t c = recent_class(load);

    for (uint32_t d = 0; d < SIM_RECENT_CLASSES; d++) {
        if (d <= c && r->n[c - d] != 0)
            return recent_of_class(r, c - d);
        if (c + d < SIM_RECENT_CLASSES && r->n[c + d] != 0)
            return recent_of_class(r, c + d);
    }
    return 0;
}
