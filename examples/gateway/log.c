/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_BYTES 1024

static atomic_int log_level = GW_LOG_INFO;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void gw_log_set_level(enum gw_log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

enum gw_log_level gw_log_current_level(void)
{
    return (enum gw_log_level)atomic_load_explicit(&log_level,
                                                   memory_order_relaxed);
}

int gw_log_level_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcmp(name, level_names[i]) == 0)
            return (int)i;
    return -1;
}

/* A log that cannot be written has nowhere to say so. A full disk or a closed
 * pipe must not stop the gateway, so the loss is accepted here alone. */
static void write_line(const char *line, size_t length)
{
    while (length > 0) {
        ssize_t n = write(STDERR_FILENO, line, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        line += n;
        length -= (size_t)n;
    }
}

void gw_log(enum gw_log_level level, const char *format, ...)
{
    char line[LOG_LINE_BYTES];
    int saved_errno = errno;
    int used, more;
    va_list args;

    if (!gw_log_enabled(level))
        return;
    used = snprintf(line, sizeof line, "ilb-gateway: %s%s",
                    level == GW_LOG_INFO ? "" : level_names[level],
                    level == GW_LOG_INFO ? "" : ": ");
    va_start(args, format);
    more = vsnprintf(line + used, sizeof line - (size_t)used, format, args);
    va_end(args);
    if (more < 0)
        more = 0;
    used += more;
    if ((size_t)used > sizeof line - 2) {
        used = (int)sizeof line - 2;
        memcpy(line + used - 3, "...", 3);
    }
    /* What a client sent may be part of the message: one event, one line. */
    for (int i = 0; i < used; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[used++] = '\n';
    write_line(line, (size_t)used);
    errno = saved_errno;
}
