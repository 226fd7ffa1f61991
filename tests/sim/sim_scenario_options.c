/* SPDX-License-Identifier: MIT */
#include "sim_scenario_options.h"

#include <string.h>

#include "sim_units.h"

/* More often than this is no story, but a run that never ends. */
#define OPTIONS_EVERY_LEAST_NS 1000000
#define OPTIONS_ERROR_AFTER_NS 1000000

static const char *const option_words[SIM_OPTIONS] = {
    [SIM_OPTION_FOR] = "for",       [SIM_OPTION_OVER] = "over",
    [SIM_OPTION_AFTER] = "after",   [SIM_OPTION_RETRY_AFTER] = "retry-after",
    [SIM_OPTION_WARM] = "warm",     [SIM_OPTION_EVERY] = "every",
    [SIM_OPTION_FROM] = "from",     [SIM_OPTION_TO] = "to",
    [SIM_OPTION_RANDOM] = "random",
};

static int options_warm(sim_parser *p, sim_options *o)
{
    const char *word;

    if (sim_reader_factor(&p->r, "factor of 'warm'", &o->warm_factor) != 0 ||
        sim_reader_word(&p->r, "'over' of 'warm'", &word) != 0)
        return -1;
    if (strcmp(word, "over") != 0)
        return sim_reader_fail(&p->r, "'over' is missing before '%.40s'", word);
    return sim_reader_duration(&p->r, "time to warm up", 1, SIM_UNITS_DAY_NS,
                               &o->ns[SIM_OPTION_WARM]);
}

/* A duration, or `service`: like a good answer would take. */
static int options_after(sim_parser *p, sim_options *o)
{
    const char *word, *wrong;

    if (sim_reader_word(&p->r, "time or 'service' of 'after'", &word) != 0)
        return -1;
    o->ns[SIM_OPTION_AFTER] = UINT64_MAX;
    if (strcmp(word, "service") == 0)
        return 0;
    wrong = sim_units_duration(word, &o->ns[SIM_OPTION_AFTER]);
    return wrong == NULL ? 0
                         : sim_reader_fail(&p->r,
                                           "after '%.40s' %s, nor is "
                                           "it 'service'",
                                           word, wrong);
}

static int options_one(sim_parser *p, int option, sim_options *o)
{
    uint64_t least_ns = 1;

    if (option == SIM_OPTION_WARM)
        return options_warm(p, o);
    if (option == SIM_OPTION_AFTER)
        return options_after(p, o);
    if (option == SIM_OPTION_RANDOM)
        return 0;
    if (option == SIM_OPTION_EVERY)
        least_ns = OPTIONS_EVERY_LEAST_NS;
    else if (option == SIM_OPTION_FROM)
        least_ns = 0;
    return sim_reader_duration(&p->r, option_words[option], least_ns,
                               SIM_UNITS_DAY_NS, &o->ns[option]);
}

int sim_parser_options(sim_parser *p, const char *name, unsigned may,
                       unsigned must, sim_options *o)
{
    int option;

    memset(o, 0, sizeof *o);
    o->ns[SIM_OPTION_AFTER] = OPTIONS_ERROR_AFTER_NS;
    o->ns[SIM_OPTION_TO] = p->s->duration_ns;
    o->warm_factor = 1;
    while ((option = sim_reader_option(&p->r, option_words, SIM_OPTIONS,
                                       &o->seen)) >= 0) {
        if (((may | must) & SIM_BIT(option)) == 0)
            return sim_reader_fail(&p->r, "'%s' takes no '%s'", name,
                                   option_words[option]);
        if (options_one(p, option, o) != 0)
            return -1;
    }
    if (option == SIM_READER_ERROR)
        return -1;
    for (unsigned i = 0; i < SIM_OPTIONS; i++)
        if ((must & ~o->seen & SIM_BIT(i)) != 0)
            return sim_reader_fail(&p->r, "'%s' needs '%s'", name,
                                   option_words[i]);
    return 0;
}
