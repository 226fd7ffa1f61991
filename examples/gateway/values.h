/* SPDX-License-Identifier: MIT
 *
 * The values that a configuration file is made of: words to numbers.
 * Each returns 0, or -1 and leaves *out alone.
 */
#ifndef GW_VALUES_H
#define GW_VALUES_H

#include <stdint.h>

#include <event2/util.h>
#include <sys/socket.h>

/** "250ms", "2s", "1m", "0s": nanoseconds. A unit is required. */
int gw_value_duration(const char *word, uint64_t *out_ns);

/** "512", "32k", "8m", "1g": bytes, in powers of 1024. */
int gw_value_size(const char *word, uint64_t *out_bytes);

/** A decimal number from `least` to `most`. */
int gw_value_count(const char *word, uint32_t least, uint32_t most,
                   uint32_t *out);

/** "on" or "off". */
int gw_value_switch(const char *word, int *out);

/** "127.0.0.1:80" or "[::1]:80"; a port is required, 0 is allowed. */
int gw_value_address(const char *word, struct sockaddr_storage *out,
                     socklen_t *out_bytes);

/** Whether an address is this machine's alone: 127.0.0.0/8 or ::1. */
int gw_address_is_loopback(const struct sockaddr_storage *address);

/** The port of an address, in the host's byte order. */
unsigned gw_address_port(const struct sockaddr_storage *address);

/** Write "ip:port" or "[ip6]:port"; `room` of 64 bytes is always enough. */
void gw_address_text(const struct sockaddr_storage *address, char *out,
                     size_t room);

#endif
