/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "values.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Digits at the head of a word; what follows is left to the caller. */
static const char *take_number(const char *word, uint64_t *out)
{
    uint64_t value = 0;
    const char *p = word;

    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');

        if (value > (UINT64_MAX - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    if (p == word)
        return NULL;
    *out = value;
    return p;
}

/* A number times the factor of the unit that follows it. */
static int scaled(const char *word, const char *const units[],
                  const uint64_t factors[], size_t n, uint64_t *out)
{
    uint64_t value;
    const char *unit = take_number(word, &value);

    if (unit == NULL)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(unit, units[i]) != 0)
            continue;
        if (value > UINT64_MAX / factors[i])
            return -1;
        *out = value * factors[i];
        return 0;
    }
    return -1;
}

int gw_value_duration(const char *word, uint64_t *out_ns)
{
    static const char *const units[] = {"ms", "s", "m"};
    static const uint64_t factors[] = {1000000u, 1000000000u, 60000000000u};
    uint64_t value_ns;

    /* More than a day is a slip of the pen. */
    if (scaled(word, units, factors, 3, &value_ns) != 0 ||
        value_ns > 24 * 60 * 60000000000u)
        return -1;
    *out_ns = value_ns;
    return 0;
}

int gw_value_size(const char *word, uint64_t *out_bytes)
{
    static const char *const units[] = {"", "k", "m", "g"};
    static const uint64_t factors[] = {1, 1u << 10, 1u << 20, 1u << 30};

    return scaled(word, units, factors, 4, out_bytes);
}

int gw_value_count(const char *word, uint32_t least, uint32_t most,
                   uint32_t *out)
{
    uint64_t value;
    const char *end = take_number(word, &value);

    if (end == NULL || *end != '\0' || value < least || value > most)
        return -1;
    *out = (uint32_t)value;
    return 0;
}

int gw_value_switch(const char *word, int *out)
{
    if (strcmp(word, "on") == 0)
        *out = 1;
    else if (strcmp(word, "off") == 0)
        *out = 0;
    else
        return -1;
    return 0;
}

/* Cut "ip:port" in two; the ip goes to `ip` without its port. */
static int split_port(const char *word, char *ip, size_t room, uint32_t *port)
{
    const char *colon = strrchr(word, ':');
    size_t bytes;

    if (colon == NULL || gw_value_count(colon + 1, 0, 65535, port) != 0)
        return -1;
    /* More than one colon is IPv6, which needs its brackets. */
    if (word[0] == '[' ? colon[-1] != ']' : strchr(word, ':') != colon)
        return -1;
    bytes = (size_t)(colon - word);
    if (bytes == 0 || bytes >= room)
        return -1;
    memcpy(ip, word, bytes);
    ip[bytes] = '\0';
    return 0;
}

int gw_value_address(const char *word, struct sockaddr_storage *out,
                     socklen_t *out_bytes)
{
    struct sockaddr_storage address;
    int bytes = (int)sizeof address;
    char ip[64];
    uint32_t port;

    memset(&address, 0, sizeof address);
    if (split_port(word, ip, sizeof ip, &port) != 0 ||
        evutil_parse_sockaddr_port(ip, (struct sockaddr *)&address, &bytes) !=
            0)
        return -1;
    /* Not left to the parser: to it, port 0 is an error. */
    if (address.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
    *out = address;
    *out_bytes = (socklen_t)bytes;
    return 0;
}

int gw_address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;

        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;

        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
    return 0;
}

unsigned gw_address_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

void gw_address_text(const struct sockaddr_storage *address, char *out,
                     size_t room)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    int is_v6 = address->ss_family == AF_INET6;

    if (is_v6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr,
                  ip, sizeof ip);
    else
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, ip,
                  sizeof ip);
    snprintf(out, room, is_v6 ? "[%s]:%u" : "%s:%u", ip,
             gw_address_port(address));
}
