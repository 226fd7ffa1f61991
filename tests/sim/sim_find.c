/* SPDX-License-Identifier: MIT */
#include "sim_find.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim_near.h"

#define FIND_SUFFIX ".sim"

/* Both are set by the makefile: where `make install` puts the data, and the
 * source of tests/sim, absolute or from the build's top directory. */
#ifndef ILB_SIM_DATA
#define ILB_SIM_DATA "/usr/local/share/libilb/sim"
#endif
#ifndef ILB_SIM_SOURCE
#define ILB_SIM_SOURCE "../tests/sim"
#endif

static bool find_join(char path[SIM_FIND_BYTES], const char *a, const char *b,
                      const char *c)
{
    int n = snprintf(path, SIM_FIND_BYTES, "%s%s%s", a, b, c);

    return n > 0 && n < SIM_FIND_BYTES;
}

static bool find_ends(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);

    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/* The source of tests/sim if this is the program in a build tree. */
static bool find_source(char path[SIM_FIND_BYTES])
{
    static const char *const homes[] = {"/tests/sim/.libs", "/tests/sim"};
    char self[SIM_FIND_BYTES];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n <= 0)
        return false;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++)
        if (find_ends(self, homes[i])) {
            self[strlen(self) - strlen(homes[i])] = '\0';
            return ILB_SIM_SOURCE[0] == '/'
                       ? find_join(path, ILB_SIM_SOURCE, "", "")
                       : find_join(path, self, "/", ILB_SIM_SOURCE);
        }
    return false;
}

int sim_find_data(char path[SIM_FIND_BYTES], const char *name,
                  char error[SIM_FIND_ERROR_BYTES])
{
    char source[SIM_FIND_BYTES], in_source[SIM_FIND_BYTES];

    if (find_source(source) && find_join(in_source, source, "/", name) &&
        access(in_source, R_OK) == 0) {
        memcpy(path, in_source, sizeof in_source);
        return 0;
    }
    if (find_join(path, ILB_SIM_DATA, "/", name) && access(path, R_OK) == 0)
        return 0;
    snprintf(error, SIM_FIND_ERROR_BYTES,
             "%s is neither installed (%s) nor is this the program in a build "
             "tree beside its sources",
             name, path);
    return -1;
}

static int find_directory(char path[SIM_FIND_BYTES],
                          char error[SIM_FIND_ERROR_BYTES])
{
    const char *given = getenv("ILB_SIM_SCENARIOS");

    if (given == NULL || *given == '\0') {
        if (sim_find_data(path, "scenarios", error) == 0)
            return 0;
        snprintf(error + strlen(error), SIM_FIND_ERROR_BYTES - strlen(error),
                 "; ILB_SIM_SCENARIOS in the environment can name the "
                 "directory");
        return -1;
    }
    if (find_join(path, given, "", ""))
        return 0;
    snprintf(error, SIM_FIND_ERROR_BYTES, "ILB_SIM_SCENARIOS: too long");
    return -1;
}

static int find_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Appends; false: out of memory. */
static bool find_add(sim_find_list *list, const char *file)
{
    size_t length = strlen(file) - strlen(FIND_SUFFIX);
    char **more = realloc(list->names, (list->n + 1) * sizeof *more);
    char *name = malloc(length + 1);

    if (more != NULL)
        list->names = more;
    if (more == NULL || name == NULL) {
        free(name);
        return false;
    }
    memcpy(name, file, length);
    name[length] = '\0';
    list->names[list->n++] = name;
    return true;
}

static int find_read(sim_find_list *list, DIR *d,
                     char error[SIM_FIND_ERROR_BYTES])
{
    const struct dirent *entry;

    for (errno = 0; (entry = readdir(d)) != NULL; errno = 0) {
        if (entry->d_name[0] == '.' || !find_ends(entry->d_name, FIND_SUFFIX))
            continue;
        if (!find_add(list, entry->d_name)) {
            snprintf(error, SIM_FIND_ERROR_BYTES, "out of memory");
            return -1;
        }
    }
    if (errno == 0 && list->n > 0)
        return 0;
    snprintf(error, SIM_FIND_ERROR_BYTES, "%s: %s", list->directory,
             errno != 0 ? strerror(errno) : "there is no .sim file in it");
    return -1;
}

int sim_find_scenarios(sim_find_list *list, char error[SIM_FIND_ERROR_BYTES])
{
    DIR *d;
    int rc;

    list->names = NULL;
    list->n = 0;
    if (find_directory(list->directory, error) != 0)
        return -1;
    if ((d = opendir(list->directory)) == NULL) {
        snprintf(error, SIM_FIND_ERROR_BYTES, "%s: %s", list->directory,
                 strerror(errno));
        return -1;
    }
    rc = find_read(list, d, error);
    closedir(d);
    if (rc != 0)
        sim_find_list_free(list);
    else
        qsort(list->names, list->n, sizeof *list->names, find_compare);
    return rc;
}

static int find_unknown(const char *word, const sim_find_list *list,
                        char error[SIM_FIND_ERROR_BYTES])
{
    char near[SIM_NEAR_BYTES];

    sim_near(near, word, (const char *const *)list->names, list->n);
    snprintf(error, SIM_FIND_ERROR_BYTES, "no scenario '%s' in %s; %s%s", word,
             list->directory, *near == '\0' ? "" : "near it: ",
             *near == '\0' ? "'ilb-sim list' shows them" : near);
    return -2;
}

int sim_find_path(char path[SIM_FIND_BYTES], const char *word,
                  char error[SIM_FIND_ERROR_BYTES])
{
    sim_find_list list;
    int rc = 0;

    if (strchr(word, '/') != NULL || find_ends(word, FIND_SUFFIX)) {
        if (find_join(path, word, "", ""))
            return 0;
        snprintf(error, SIM_FIND_ERROR_BYTES, "a path is too long");
        return -1;
    }
    if (sim_find_scenarios(&list, error) != 0)
        return -1;
    if (bsearch(&word, list.names, list.n, sizeof *list.names, find_compare) ==
        NULL)
        rc = find_unknown(word, &list, error);
    else if (!find_join(path, list.directory, "/", word) ||
             strlen(path) + sizeof FIND_SUFFIX > SIM_FIND_BYTES) {
        snprintf(error, SIM_FIND_ERROR_BYTES, "a path is too long");
        rc = -1;
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
