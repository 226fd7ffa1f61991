/* SPDX-License-Identifier: MIT */
/*
 * Private to sim_scenario_*.c: the options behind the figures of a line, such
 * as "for 10s", in any order.
 */
#ifndef SIM_SCENARIO_OPTIONS_H
#define SIM_SCENARIO_OPTIONS_H

#include "sim_scenario_parts.h"

enum sim_option {
    SIM_OPTION_FOR,
    SIM_OPTION_OVER,
    SIM_OPTION_AFTER,
    SIM_OPTION_RETRY_AFTER,
    SIM_OPTION_WARM,
    SIM_OPTION_EVERY,
    SIM_OPTION_FROM,
    SIM_OPTION_TO,
    SIM_OPTION_RANDOM,
    SIM_OPTIONS
};

#define SIM_BIT(option) (1u << (option))
#define SIM_WINDOW (SIM_BIT(SIM_OPTION_FROM) | SIM_BIT(SIM_OPTION_TO))

typedef struct sim_options {
    unsigned seen;            /* bits of those that stand there */
    uint64_t ns[SIM_OPTIONS]; /* where the option is one duration */
    double warm_factor;
} sim_options;

/* Reads to the end of the line. `name` is the word that they belong to, for
 * the messages. */
int sim_parser_options(sim_parser *p, const char *name, unsigned may,
                       unsigned must, sim_options *o);

#endif
