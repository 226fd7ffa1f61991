/* SPDX-License-Identifier: MIT */
#include "sim_draw.h"

double sim_draw(const sim_distribution *d, sim_random *r)
{
    double x = d->a_ns;

    switch (d->kind) {
    case SIM_CONSTANT:
        break;
    case SIM_UNIFORM:
        x += (d->b_ns - d->a_ns) * sim_random_unit(r);
        break;
    case SIM_EXPONENTIAL:
        x *= sim_random_exponential(r);
        break;
    case SIM_LOGNORMAL: /* so that the mean, not the median, is a */
        x *= exp(d->p * sim_random_normal(r) - d->p * d->p / 2);
        break;
    case SIM_NORMAL:
        x += d->b_ns * sim_random_normal(r);
        break;
    case SIM_BIMODAL:
        x = sim_random_unit(r) < d->p ? d->b_ns : d->a_ns;
        break;
    case SIM_REPLAY:
        x = d->values_ns[(size_t)(sim_random_unit(r) * (double)d->n_values)];
        break;
    }
    return x > 0 ? x : 0;
}

double sim_draw_mean(const sim_distribution *d)
{
    double sum = 0, z;

    switch (d->kind) {
    case SIM_CONSTANT:
    case SIM_EXPONENTIAL:
    case SIM_LOGNORMAL:
        return d->a_ns;
    case SIM_UNIFORM:
        return (d->a_ns + d->b_ns) / 2;
    case SIM_NORMAL: /* of max(0, x): a Phi(z) + b phi(z), z = a / b */
        if (!(d->b_ns > 0))
            return d->a_ns;
        z = d->a_ns / d->b_ns;
        return d->a_ns * erfc(-z / sqrt(2)) / 2 +
               d->b_ns * exp(-z * z / 2) / sqrt(6.283185307179586);
    case SIM_BIMODAL:
        return d->a_ns * (1 - d->p) + d->b_ns * d->p;
    case SIM_REPLAY:
        for (size_t i = 0; i < d->n_values; i++)
            sum += d->values_ns[i];
        return sum / (double)d->n_values;
    }
    return 0;
}
