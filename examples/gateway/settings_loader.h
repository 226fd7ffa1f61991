/* SPDX-License-Identifier: MIT
 *
 * What settings_load.c (the file) and settings_words.c (its words) share.
 */
#ifndef GW_SETTINGS_LOADER_H
#define GW_SETTINGS_LOADER_H

#include "settings.h"

#define GW_WORDS_MAX 16 /* the longest line lists all detectors */

struct gw_loader {
    const char *path;
    char *error; /* GW_ERROR_BYTES */
    unsigned line;
    struct gw_settings *settings;
    struct gw_service *service; /* the one being described; NULL above all */
    uint64_t seen;              /* directives, in this scope: one bit each */
    char *words[GW_WORDS_MAX];
    size_t n_words;
};

/** Set the error to "file:line: ..."; returns -1. */
int gw_loader_fail(struct gw_loader *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Room for one more element of an array that has n; NULL: out of memory, and
 * the error is set. */
void *gw_loader_grow(struct gw_loader *l, void *array, size_t n, size_t bytes);

/** Carry out the line that l->words has, one word at least; 0 or -1. */
int gw_loader_read_words(struct gw_loader *l);

/* ---- settings_balancing.c: one word each, 0 or -1 ---- */

int gw_loader_read_policy(struct gw_loader *l);
int gw_loader_read_consecutive_failures(struct gw_loader *l);
int gw_loader_read_fail_mode(struct gw_loader *l);
int gw_loader_read_detectors_off(struct gw_loader *l);
int gw_loader_read_detectors_shadow(struct gw_loader *l);

/** Judge a service's words together, its own and those above all services;
 * 0 or -1. */
int gw_loader_check_balancing(struct gw_loader *l,
                              const struct gw_service *service);

#endif
