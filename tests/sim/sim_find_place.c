/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim_find.h"

/* Both are set by the makefile: where `make install` puts the data, and the
 * source of tests/sim, absolute or from the build's top directory. */
#ifndef ILB_SIM_DATA
#define ILB_SIM_DATA "/usr/local/share/libilb/sim"
#endif
#ifndef ILB_SIM_SOURCE
#define ILB_SIM_SOURCE "../tests/sim"
#endif

bool sim_find_join(char path[SIM_FIND_BYTES], const char *a, const char *b,
                   const char *c)
{
    int n = snprintf(path, SIM_FIND_BYTES, "%s%s%s", a, b, c);

    return n > 0 && n < SIM_FIND_BYTES;
}

bool sim_find_ends(const char *text, const char *end)
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
        if (sim_find_ends(self, homes[i])) {
            self[strlen(self) - strlen(homes[i])] = '\0';
            return ILB_SIM_SOURCE[0] == '/'
                       ? sim_find_join(path, ILB_SIM_SOURCE, "", "")
                       : sim_find_join(path, self, "/", ILB_SIM_SOURCE);
        }
    return false;
}

int sim_find_data(char path[SIM_FIND_BYTES], const char *name,
                  char error[SIM_FIND_ERROR_BYTES])
{
    char source[SIM_FIND_BYTES], in_source[SIM_FIND_BYTES];

    if (find_source(source) && sim_find_join(in_source, source, "/", name) &&
        access(in_source, R_OK) == 0) {
        memcpy(path, in_source, sizeof in_source);
        return 0;
    }
    if (sim_find_join(path, ILB_SIM_DATA, "/", name) && access(path, R_OK) == 0)
        return 0;
    snprintf(error, SIM_FIND_ERROR_BYTES,
             "%s is neither installed (%s) nor is this the program in a build "
             "tree beside its sources",
             name, path);
    return -1;
}

int sim_find_directory(char path[SIM_FIND_BYTES],
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
    if (sim_find_join(path, given, "", ""))
        return 0;
    snprintf(error, SIM_FIND_ERROR_BYTES, "ILB_SIM_SCENARIOS: too long");
    return -1;
}
