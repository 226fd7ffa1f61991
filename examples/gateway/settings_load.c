/* SPDX-License-Identifier: MIT
 *
 * From a configuration file to struct gw_settings.
 */
#define _GNU_SOURCE 1
#include "settings_loader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int gw_loader_fail(struct gw_loader *l, const char *format, ...)
{
    int used = snprintf(l->error, GW_ERROR_BYTES, "%s:%u: ", l->path, l->line);
    va_list args;

    if (used < 0 || used >= GW_ERROR_BYTES)
        return -1;
    va_start(args, format);
    vsnprintf(l->error + used, (size_t)(GW_ERROR_BYTES - used), format, args);
    va_end(args);
    return -1;
}

void *gw_loader_grow(struct gw_loader *l, void *array, size_t n, size_t bytes)
{
    void *bigger = array;

    if ((n & (n - 1)) == 0)
        bigger = realloc(array, (n == 0 ? 1 : n * 2) * bytes);
    if (bigger == NULL)
        gw_loader_fail(l, "out of memory");
    return bigger;
}

static int read_line(struct gw_loader *l, char *text)
{
    char *rest = NULL;

    text[strcspn(text, "#")] = '\0';
    l->n_words = 0;
    for (char *word = strtok_r(text, " \t\r\n", &rest); word != NULL;
         word = strtok_r(NULL, " \t\r\n", &rest)) {
        if (l->n_words == GW_WORDS_MAX)
            return gw_loader_fail(l, "too many words");
        l->words[l->n_words++] = word;
    }
    if (l->n_words == 0)
        return 0;
    return gw_loader_read_words(l);
}

static int read_lines(struct gw_loader *l, FILE *file)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t n;
    int rc = 0;

    while (rc == 0 && (n = getline(&text, &room, file)) >= 0) {
        l->line++;
        rc = strlen(text) == (size_t)n
                 ? read_line(l, text)
                 : gw_loader_fail(l, "zero byte in the file");
    }
    if (rc == 0 && ferror(file))
        rc = gw_loader_fail(l, "%s", strerror(errno));
    free(text);
    return rc;
}

/* What can only be judged when the whole file is known. */
static int check_whole(struct gw_loader *l)
{
    struct gw_settings *s = l->settings;

    if (s->listen_bytes == 0)
        return gw_loader_fail(l, "no 'listen' in the file");
    if (s->n_services == 0)
        return gw_loader_fail(l, "no 'service' in the file");
    for (size_t i = 0; i < s->n_services; i++) {
        struct gw_service *service = &s->services[i];
        size_t routes = 0;

        for (size_t k = 0; k < s->n_routes; k++)
            routes += s->routes[k].service == i;
        if (routes == 0)
            return gw_loader_fail(l, "service %s has no 'route'",
                                  service->name);
        if (service->n_endpoints > ILB_CAPACITY_MAX / 2)
            return gw_loader_fail(l, "service %s has too many endpoints",
                                  service->name);
        if (gw_loader_check_balancing(l, service) != 0)
            return -1;
        if (service->deadline_ns == 0)
            service->deadline_ns = 2 * service->timeout_ns;
    }
    return 0;
}

static struct gw_settings *settings_new(void)
{
    struct gw_settings *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    atomic_init(&s->references, 1);
    s->threads = 2;
    s->max_headers = 100;
    s->upstream_idle_max = 64;
    s->max_header_bytes = 32u << 10;
    s->max_body_bytes = 8u << 20;
    s->client_header_timeout_ns = 10000000000u;
    s->client_timeout_ns = 10000000000u;
    s->client_idle_ns = 60000000000u;
    s->upstream_idle_ns = 1000000000u;
    s->drain_timeout_ns = 10000000000u;
    s->log_level = GW_LOG_INFO;
    s->defaults.timeout_ns = 5000000000u;
    s->defaults.connect_timeout_ns = 250000000u;
    s->defaults.retries = 1;
    s->defaults.balancing.policy = ILB_POLICY_PEAK_EWMA;
    return s;
}

struct gw_settings *gw_settings_load(const char *path, char *error)
{
    struct gw_loader l = {.path = path, .error = error};
    FILE *file = fopen(path, "re");
    int rc = -1;

    if (file == NULL) {
        snprintf(error, GW_ERROR_BYTES, "%s: %s", path, strerror(errno));
        return NULL;
    }
    l.settings = settings_new();
    if (l.settings == NULL)
        gw_loader_fail(&l, "out of memory");
    else if (read_lines(&l, file) == 0)
        rc = check_whole(&l);
    fclose(file);
    if (rc == 0)
        return l.settings;
    gw_settings_release(l.settings);
    return NULL;
}
