/* SPDX-License-Identifier: MIT
 *
 * One line per event on standard error, whole lines even from many threads.
 */
#ifndef GW_LOG_H
#define GW_LOG_H

enum gw_log_level {
    GW_LOG_ERROR = 0,
    GW_LOG_WARNING = 1,
    GW_LOG_INFO = 2,
    GW_LOG_DEBUG = 3
};

/** Lines above this level are left out. */
void gw_log_set_level(enum gw_log_level level);

/** The level of a name ("info"), or -1. */
int gw_log_level_from_name(const char *name);

/** Write "ilb-gateway: message"; longer than 1 KiB is cut, with "...". */
void gw_log(enum gw_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define gw_log_enabled(level) ((level) <= gw_log_current_level())
enum gw_log_level gw_log_current_level(void);

#endif
