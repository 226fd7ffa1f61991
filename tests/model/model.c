/* SPDX-License-Identifier: MIT */
/*
 * The model checker of the lock-free protocols.
 *
 *   model                 every case of every protocol must hold, and every
 *                         mutant be found
 *   model --case NAME     one case, as it is; also one that takes minutes,
 *                         which is left out else: replace-more
 *   model --mutant NAME   a mutant in the case that finds it, and the run
 *                         that shows it
 *
 * Exits 1 if something is violated or a mutant survives. docs/proof.md tells
 * what is modelled, and with what results.
 */
#define _POSIX_C_SOURCE 200809L
#include "model.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t model_n_states;

static double model_now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static explore_result model_explore(const model_protocol *p, unsigned a_case,
                                    unsigned mutant, bool tell)
{
    const explore_program program = p->program(a_case, mutant);
    explore_result r = explore(&program, tell);

    model_n_states += r.n_states;
    return r;
}

static bool model_case_holds(const model_protocol *p, unsigned a_case)
{
    double began_s = model_now_s();
    explore_result r = model_explore(p, a_case, 0, true);

    printf("%-5s %-14s %-45s %9llu states %10llu steps %4.1f s  %s\n", p->name,
           p->cases[a_case].name, p->cases[a_case].about,
           (unsigned long long)r.n_states, (unsigned long long)r.n_steps,
           model_now_s() - began_s, r.wrong == NULL ? "holds" : "VIOLATED");
    return r.wrong == NULL && r.n_ends > 0;
}

static unsigned model_find_case(const model_protocol *p, const char *name)
{
    unsigned i = 0;

    while (i < p->n_cases && strcmp(p->cases[i].name, name) != 0)
        i++;
    return i;
}

/* Found where it must be; or, if nothing depends on it, not. */
static bool model_mutant_as_told(const model_protocol *p, unsigned mutant,
                                 bool tell)
{
    const model_mutant *x = &p->mutants[mutant];
    explore_result r =
        model_explore(p, model_find_case(p, x->finds), mutant, tell);
    bool as_told = (r.wrong == NULL) == (x->why != NULL);

    printf("%-5s mutant: %s, %s: %s: %s after %llu states: %s\n", p->name,
           x->where, x->name, x->finds,
           r.wrong != NULL  ? "found"
           : x->why != NULL ? "not needed"
                            : "SURVIVES",
           (unsigned long long)r.n_states,
           r.wrong != NULL  ? r.wrong
           : x->why != NULL ? x->why
                            : "?");
    if (r.wrong != NULL && x->why != NULL)
        printf("%-5s FOUND, but said not to matter: %s\n", p->name, x->why);
    return as_told;
}

static bool model_protocol_holds(const model_protocol *p)
{
    bool ok = true;

    for (unsigned i = 0; i < p->n_cases; i++)
        ok = (p->cases[i].large || model_case_holds(p, i)) && ok;
    for (unsigned i = 1; i < p->n_mutants; i++)
        ok = model_mutant_as_told(p, i, false) && ok;
    return ok;
}

static int model_one(const char *what, const char *name)
{
    const model_protocol *all[] = {set_protocol(), ring_protocol()};

    for (unsigned k = 0; k < 2; k++) {
        const model_protocol *p = all[k];
        unsigned a_case = model_find_case(p, name);

        if (strcmp(what, "--case") == 0 && a_case < p->n_cases)
            return model_case_holds(p, a_case) ? 0 : 1;
        for (unsigned i = 1; i < p->n_mutants; i++)
            if (strcmp(what, "--mutant") == 0 &&
                strcmp(p->mutants[i].name, name) == 0)
                return model_mutant_as_told(p, i, true) ? 0 : 1;
    }
    fprintf(stderr, "usage: model [--case NAME | --mutant NAME]\n");
    return 2;
}

int main(int argc, char **argv)
{
    double began_s = model_now_s();
    unsigned n_mutants;
    bool ok;

    if (argc > 1)
        return model_one(argv[1], argc > 2 ? argv[2] : "");
    ok = litmus_run();
    ok = model_protocol_holds(set_protocol()) && ok;
    ok = model_protocol_holds(ring_protocol()) && ok;
    n_mutants = set_protocol()->n_mutants + ring_protocol()->n_mutants - 2;
    printf("model: %s: %llu states, %u mutants, %.1f s\n", ok ? "ok" : "FAILED",
           (unsigned long long)model_n_states, n_mutants,
           model_now_s() - began_s);
    return ok ? 0 : 1;
}
