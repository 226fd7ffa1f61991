/* SPDX-License-Identifier: MIT */
#include "sim_select.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_cli.h"
#include "sim_find.h"
#include "sim_near.h"

#define SELECT_COMMAND "run"
#define SELECT_ALL "all"
#define SELECT_PASSIVE "passive"
#define SELECT_ERROR_BYTES 1024

/* ---- Scenarios ---- */

static int select_memory(void)
{
    return sim_cli_failed(SELECT_COMMAND, "out of memory");
}

/* Two files, one name: their results could not be told apart. */
static int select_check_name(const sim_select_scenarios *s, const char *path)
{
    const char *name = s->all[s->n].name;

    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->all[i].name, name) == 0)
            return sim_cli_usage(SELECT_COMMAND,
                                 "two scenarios are called '%s': %s and %s",
                                 name, s->paths[i], path);
    return 0;
}

/* Nothing is run twice; who asks for that by name is told. */
static void select_told(const char *name)
{
    sim_cli_note(SELECT_COMMAND, "'%s' is already in the list: it runs once",
                 name);
}

/* `named`: by this word, on the command line; NULL: as one of a set. */
static int select_add(sim_select_scenarios *s, const char *path,
                      const char *named)
{
    char error[SELECT_ERROR_BYTES];
    int rc;

    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->paths[i], path) == 0) {
            if (named != NULL)
                select_told(named);
            return 0;
        }
    if (s->n == s->room) {
        size_t room = s->room == 0 ? 64 : 2 * s->room;
        sim_scenario *all = realloc(s->all, room * sizeof *all);
        char **paths;

        if (all == NULL)
            return select_memory();
        s->all = all;
        if ((paths = realloc(s->paths, room * sizeof *paths)) == NULL)
            return select_memory();
        s->paths = paths;
        s->room = room;
    }
    if (sim_scenario_read(&s->all[s->n], path, error, sizeof error) != 0)
        return sim_cli_failed(SELECT_COMMAND, "%s", error);
    rc = select_check_name(s, path);
    if (rc == 0 && (s->paths[s->n] = strdup(path)) == NULL)
        rc = select_memory();
    if (rc == 0)
        s->n++;
    else
        sim_scenario_free(&s->all[s->n]);
    return rc;
}

static int select_word(sim_select_scenarios *s, const char *word, bool named);

/* NULL: those that are in no set. */
static int select_set(sim_select_scenarios *s, const char *set)
{
    char error[SIM_FIND_ERROR_BYTES];
    sim_find_list list;
    int rc = 0;

    if (sim_find_scenarios(&list, set, error) != 0)
        return sim_cli_failed(SELECT_COMMAND, "%s", error);
    for (size_t i = 0; i < list.n && rc == 0; i++)
        rc = select_word(s, list.names[i], false);
    sim_find_list_free(&list);
    return rc;
}

static int select_word(sim_select_scenarios *s, const char *word, bool named)
{
    char path[SIM_FIND_BYTES], error[SIM_FIND_ERROR_BYTES];
    int rc = sim_find_path(path, word, error);

    if (rc == SIM_FIND_IS_SET)
        return select_set(s, word);
    if (rc == SIM_FIND_UNKNOWN)
        return sim_cli_usage(SELECT_COMMAND, "%s", error);
    if (rc != 0)
        return sim_cli_failed(SELECT_COMMAND, "%s", error);
    return select_add(s, path, named ? word : NULL);
}

int sim_select_read(sim_select_scenarios *s, int n, char **words)
{
    int rc = 0;

    memset(s, 0, sizeof *s);
    for (int i = 0; i < n && rc == 0; i++)
        rc = strcmp(words[i], SELECT_ALL) == 0 ? select_set(s, NULL)
                                               : select_word(s, words[i], true);
    if (rc != 0)
        sim_select_free(s);
    return rc;
}

void sim_select_free(sim_select_scenarios *s)
{
    for (size_t i = 0; i < s->n; i++) {
        sim_scenario_free(&s->all[i]);
        free(s->paths[i]);
    }
    free(s->all);
    free(s->paths);
    memset(s, 0, sizeof *s);
}

/* ---- Policies ---- */

static size_t select_n_policies(void)
{
    size_t n = 0;

    while (sim_policies[n] != NULL)
        n++;
    return n;
}

/* False: it is there already. */
static bool select_take(const sim_policy **policies, size_t *n,
                        const sim_policy *p)
{
    for (size_t i = 0; i < *n; i++)
        if (policies[i] == p)
            return false;
    policies[(*n)++] = p;
    return true;
}

static int select_unknown(const char *name)
{
    size_t n = select_n_policies();
    const char **names = calloc(n + 2, sizeof *names);
    char near[SIM_NEAR_BYTES];

    if (names == NULL)
        return select_memory();
    for (size_t i = 0; i < n; i++)
        names[i] = sim_policies[i]->name;
    names[n++] = SELECT_ALL;
    names[n++] = SELECT_PASSIVE;
    sim_near(near, name, names, n);
    free(names);
    return sim_cli_usage(SELECT_COMMAND, "no policy '%s'; %s%s", name,
                         *near == '\0' ? "" : "near it: ",
                         *near == '\0' ? "'ilb-sim list' shows them" : near);
}

static int select_policy(const sim_policy **policies, size_t *n,
                         const char *name)
{
    bool all = strcmp(name, SELECT_ALL) == 0;
    const sim_policy *one;

    if (all || strcmp(name, SELECT_PASSIVE) == 0) {
        for (size_t i = 0; sim_policies[i] != NULL; i++)
            if (all || (sim_policies[i]->passive && !sim_policies[i]->variant))
                (void)select_take(policies, n, sim_policies[i]);
        return 0;
    }
    if ((one = sim_policy_find(name)) == NULL)
        return select_unknown(name);
    if (!select_take(policies, n, one))
        select_told(name);
    return 0;
}

int sim_select_policies(const sim_policy ***policies, size_t *n,
                        const char *list)
{
    char *names = strdup(list), *at = names;
    int rc = 0;

    *n = 0;
    *policies = calloc(select_n_policies() + 1, sizeof **policies);
    if (names == NULL || *policies == NULL)
        rc = select_memory();
    while (rc == 0 && at != NULL) {
        char *comma = strchr(at, ',');

        if (comma != NULL)
            *comma++ = '\0';
        rc = *at == '\0' ? sim_cli_usage(SELECT_COMMAND,
                                         "--policy '%s': a name is empty", list)
                         : select_policy(*policies, n, at);
        at = comma;
    }
    free(names);
    if (rc != 0) {
        free(*policies);
        *policies = NULL;
    }
    return rc;
}
