/* SPDX-License-Identifier: MIT */
#include "sim_find.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim_near.h"

#define FIND_SUFFIX ".sim"

static int find_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool find_has_suffix(const char *file)
{
    return file[0] != '.' && sim_find_ends(file, FIND_SUFFIX);
}

/* Appends "SET/NAME", or "NAME" without a set. */
static int find_add(sim_find_list *list, const char *set, const char *name,
                    size_t length, char error[SIM_FIND_ERROR_BYTES])
{
    size_t n_set = set == NULL ? 0 : strlen(set) + 1;
    char **more = realloc(list->names, (list->n + 1) * sizeof *more);
    char *text = malloc(n_set + length + 1);

    if (more != NULL)
        list->names = more;
    if (more == NULL || text == NULL) {
        free(text);
        snprintf(error, SIM_FIND_ERROR_BYTES, "out of memory");
        return -1;
    }
    if (set != NULL) {
        memcpy(text, set, n_set - 1);
        text[n_set - 1] = '/';
    }
    memcpy(text + n_set, name, length);
    text[n_set + length] = '\0';
    list->names[list->n++] = text;
    return 0;
}

static int find_failed(const char *directory, char error[SIM_FIND_ERROR_BYTES])
{
    snprintf(error, SIM_FIND_ERROR_BYTES, "%s: %s", directory, strerror(errno));
    return -1;
}

static int find_too_long(char error[SIM_FIND_ERROR_BYTES])
{
    snprintf(error, SIM_FIND_ERROR_BYTES, "a path is too long");
    return -1;
}

static int find_opened(DIR **d, const char *directory,
                       char error[SIM_FIND_ERROR_BYTES])
{
    *d = opendir(directory);
    return *d != NULL ? 0 : find_failed(directory, error);
}

/* The name of the next entry; NULL at the end, with errno 0, or not. */
static const char *find_next(DIR *d)
{
    const struct dirent *entry;

    errno = 0;
    entry = readdir(d);
    return entry == NULL ? NULL : entry->d_name;
}

/* Right after find_next has come to the end. */
static int find_sort(sim_find_list *list, const char *none,
                     char error[SIM_FIND_ERROR_BYTES])
{
    if (errno != 0)
        return find_failed(list->directory, error);
    if (none != NULL && list->n == 0) {
        snprintf(error, SIM_FIND_ERROR_BYTES, "%s: %s", list->directory, none);
        return -1;
    }
    if (list->n > 0)
        qsort(list->names, list->n, sizeof *list->names, find_compare);
    return 0;
}

/* ---- Sets ---- */

/* Whether there is a scenario in it; -1 with a message. */
static int find_is_set(const char *directory, char error[SIM_FIND_ERROR_BYTES])
{
    struct stat about;
    const char *file;
    DIR *d;
    int rc;

    if (stat(directory, &about) != 0 || !S_ISDIR(about.st_mode))
        return 0;
    if (find_opened(&d, directory, error) != 0)
        return -1;
    while ((file = find_next(d)) != NULL && !find_has_suffix(file))
        continue;
    rc = file != NULL ? 1 : errno == 0 ? 0 : find_failed(directory, error);
    closedir(d);
    return rc;
}

static int find_sets(sim_find_list *sets, DIR *d,
                     char error[SIM_FIND_ERROR_BYTES])
{
    char path[SIM_FIND_BYTES];
    const char *file;

    while ((file = find_next(d)) != NULL) {
        int rc;

        if (file[0] == '.')
            continue;
        if (!sim_find_join(path, sets->directory, "/", file))
            return find_too_long(error);
        rc = find_is_set(path, error);
        if (rc > 0)
            rc = find_add(sets, NULL, file, strlen(file), error);
        if (rc < 0)
            return -1;
    }
    return find_sort(sets, NULL, error);
}

int sim_find_sets(sim_find_list *sets, char error[SIM_FIND_ERROR_BYTES])
{
    DIR *d;
    int rc;

    sets->names = NULL;
    sets->n = 0;
    if (sim_find_directory(sets->directory, error) != 0 ||
        find_opened(&d, sets->directory, error) != 0)
        return -1;
    rc = find_sets(sets, d, error);
    closedir(d);
    if (rc != 0)
        sim_find_list_free(sets);
    return rc;
}

/* ---- Scenarios ---- */

static int find_read(sim_find_list *list, const char *set, DIR *d,
                     char error[SIM_FIND_ERROR_BYTES])
{
    const char *file;

    while ((file = find_next(d)) != NULL) {
        size_t n = strlen(file);

        if (find_has_suffix(file) &&
            find_add(list, set, file, n - strlen(FIND_SUFFIX), error) != 0)
            return -1;
    }
    return find_sort(list, "there is no .sim file in it", error);
}

int sim_find_scenarios(sim_find_list *list, const char *set,
                       char error[SIM_FIND_ERROR_BYTES])
{
    char top[SIM_FIND_BYTES];
    DIR *d;
    int rc;

    list->names = NULL;
    list->n = 0;
    if (sim_find_directory(top, error) != 0)
        return -1;
    if (!sim_find_join(list->directory, top, set == NULL ? "" : "/",
                       set == NULL ? "" : set))
        return find_too_long(error);
    if (find_opened(&d, list->directory, error) != 0)
        return -1;
    rc = find_read(list, set, d, error);
    closedir(d);
    if (rc != 0)
        sim_find_list_free(list);
    return rc;
}

/* ---- A word ---- */

/* The set of "SET/NAME"; false: it is nothing of that kind, so a path. */
static bool find_set_of(char set[SIM_FIND_BYTES], const char *word)
{
    char top[SIM_FIND_BYTES], path[SIM_FIND_BYTES];
    char ignored[SIM_FIND_ERROR_BYTES];
    const char *slash = strchr(word, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - word);

    if (n == 0 || n >= SIM_FIND_BYTES || word[0] == '.' || slash[1] == '\0' ||
        strchr(slash + 1, '/') != NULL || sim_find_ends(word, FIND_SUFFIX))
        return false;
    memcpy(set, word, n);
    set[n] = '\0';
    return sim_find_directory(top, ignored) == 0 &&
           sim_find_join(path, top, "/", set) &&
           find_is_set(path, ignored) != 0;
}

/* Adds what else there is, for a hint; so no matter if it cannot be read. */
static void find_add_others(sim_find_list *list)
{
    char ignored[SIM_FIND_ERROR_BYTES];
    sim_find_list sets, set;

    if (sim_find_sets(&sets, ignored) != 0)
        return;
    for (size_t i = 0; i < sets.n; i++) {
        const char *name = sets.names[i];

        find_add(list, NULL, name, strlen(name), ignored);
        if (sim_find_scenarios(&set, name, ignored) != 0)
            continue;
        for (size_t k = 0; k < set.n; k++)
            find_add(list, NULL, set.names[k], strlen(set.names[k]), ignored);
        sim_find_list_free(&set);
    }
    sim_find_list_free(&sets);
}

static int find_unknown(const char *word, sim_find_list *list, bool in_set,
                        char error[SIM_FIND_ERROR_BYTES])
{
    char near[SIM_NEAR_BYTES], path[SIM_FIND_BYTES];

    if (!in_set && *word != '\0' && word[0] != '.' &&
        sim_find_join(path, list->directory, "/", word)) {
        int rc = find_is_set(path, error);

        if (rc > 0)
            snprintf(error, SIM_FIND_ERROR_BYTES,
                     "'%s' is a set of scenarios; one of them is %s/NAME", word,
                     word);
        if (rc != 0)
            return rc > 0 ? SIM_FIND_IS_SET : -1;
    }
    if (!in_set)
        find_add_others(list);
    sim_near(near, word, (const char *const *)list->names, list->n);
    snprintf(error, SIM_FIND_ERROR_BYTES, "no scenario '%s' in %s; %s%s", word,
             list->directory, *near == '\0' ? "" : "near it: ",
             *near == '\0' ? "'ilb-sim list' shows them" : near);
    return SIM_FIND_UNKNOWN;
}

int sim_find_path(char path[SIM_FIND_BYTES], const char *word,
                  char error[SIM_FIND_ERROR_BYTES])
{
    char set[SIM_FIND_BYTES];
    sim_find_list list;
    bool in_set = find_set_of(set, word);
    int rc = 0;

    if (!in_set &&
        (strchr(word, '/') != NULL || sim_find_ends(word, FIND_SUFFIX)))
        return sim_find_join(path, word, "", "") ? 0 : find_too_long(error);
    if (sim_find_scenarios(&list, in_set ? set : NULL, error) != 0)
        return -1;
    if (bsearch(&word, list.names, list.n, sizeof *list.names, find_compare) ==
        NULL)
        rc = find_unknown(word, &list, in_set, error);
    else if (!sim_find_join(path, list.directory, "/",
                            in_set ? strchr(word, '/') + 1 : word) ||
             strlen(path) + sizeof FIND_SUFFIX > SIM_FIND_BYTES) {
        rc = find_too_long(error);
    } else {
        strcat(path, FIND_SUFFIX);
    }
    sim_find_list_free(&list);
    return rc;
}

void sim_find_list_free(sim_find_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->names[i]);
    free(list->names);
    list->names = NULL;
    list->n = 0;
}
