/* SPDX-License-Identifier: MIT */
/* Reading events, as util.h says. */
#include "util.h"

ilb_event test_events[TEST_EVENTS];

size_t test_events_read(const ilb_balancer *b, uint64_t after)
{
    const ilb_event *e = test_events;
    size_t n = SIZE_MAX;

    must_eq(
        ilb_balancer_events(b, after, test_events, TEST_EVENTS, sizeof *e, &n),
        ILB_OK);
    must(n < TEST_EVENTS);
    for (size_t i = 0; i < n; i++) {
        must_eq(e[i].size, sizeof *e);
        must(e[i].number > after);
        must(i == 0 || e[i].number > e[i - 1].number);
        must(i == 0 || e[i].time_ns >= e[i - 1].time_ns);
    }
    return n;
}

uint64_t test_events_last(const ilb_balancer *b)
{
    size_t n = test_events_read(b, 0);

    return n == 0 ? 0 : test_events[n - 1].number;
}
