/* SPDX-License-Identifier: MIT */
/* Events as lines of text. */
#include "suites.h"
#include "util.h"

static ilb_event event_of(ilb_event_type type)
{
    ilb_event e;

    memset(&e, 0, sizeof e);
    e.size = sizeof e;
    e.type = type;
    e.enforced = 1;
    e.time_ns = 5 * S_NS;
    memcpy(e.address, "10.0.0.3:8080", 14);
    return e;
}

static void reads(const ilb_event *e, const char *want)
{
    char buf[ILB_EVENT_TEXT_MAX];

    must_eq(ilb_event_text(e, buf, sizeof buf), strlen(want));
    must_str(buf, want);
}

START_TEST(ejections)
{
    ilb_event e = event_of(ILB_EVENT_EJECT);

    e.detector = ILB_DETECTOR_SUCCESS_RATE;
    e.statistic = 18.27;
    e.threshold = 18;
    e.requests = 41;
    e.failures = 7;
    e.until_ns = e.time_ns + 12100 * MS_NS;
    reads(&e, "10.0.0.3:8080 ejected by success_rate: statistic 18.3 >= 18.0 "
              "after 41 requests, 7 failed; next probe in 12.1 s");
    e.type = ILB_EVENT_EJECT_REFUSED;
    e.reason = ILB_REASON_CAP;
    e.enforced = 0;
    reads(&e, "10.0.0.3:8080 not ejected (cap) by success_rate: statistic "
              "18.3 >= 18.0 after 41 requests, 7 failed");
    e = event_of(ILB_EVENT_EJECT);
    e.detector = ILB_DETECTOR_CONSECUTIVE_FAILURES;
    e.statistic = e.threshold = 1;
    e.requests = e.failures = 1;
    e.until_ns = e.time_ns;
    reads(&e, "10.0.0.3:8080 ejected by consecutive_failures: statistic 1 >= 1 "
              "after 1 request, 1 failed; next probe now");
}
END_TEST

START_TEST(the_way_back)
{
    ilb_event e = event_of(ILB_EVENT_UNEJECT);

    reads(&e, "10.0.0.3:8080 returned by a good probe");
    e.reason = ILB_REASON_CAP;
    reads(&e, "10.0.0.3:8080 returned before its time (cap)");
    e = event_of(ILB_EVENT_PROBE_STARTED);
    e.from = ILB_STATE_EJECTED;
    e.until_ns = e.time_ns + 12 * S_NS;
    reads(&e,
          "10.0.0.3:8080 is tried by one request; counts as lost in 12.0 s");
    e.from = ILB_STATE_PROBING;
    reads(&e, "10.0.0.3:8080 is tried again, the last probe was lost; counts "
              "as lost in 12.0 s");
    e.type = ILB_EVENT_PROBE_FAILED;
    reads(&e, "10.0.0.3:8080 failed its probe; next probe in 12.0 s");
    e.type = ILB_EVENT_PROBE_CANCELLED;
    e.until_ns = 1;
    reads(&e, "10.0.0.3:8080 was probed without result; next probe now");
    e = event_of(ILB_EVENT_HEALTHY);
    reads(&e, "10.0.0.3:8080 has warmed up: healthy");
}
END_TEST

START_TEST(the_list)
{
    ilb_event e = event_of(ILB_EVENT_ENTERED);

    e.to = ILB_STATE_NOT_READY;
    reads(&e, "10.0.0.3:8080 entered: not_ready");
    e.type = ILB_EVENT_LEFT;
    e.from = ILB_STATE_EJECTED;
    e.to = ILB_STATE_DRAINING;
    reads(&e, "10.0.0.3:8080 left, was ejected");
    e.type = ILB_EVENT_READINESS;
    reads(&e, "10.0.0.3:8080 readiness: ejected -> draining");
    e = event_of(ILB_EVENT_UPDATED);
    e.address[0] = '\0';
    e.entered = 178;
    e.left = 3;
    e.readiness = 4000000000;
    reads(&e, "178 more entered, 3 left, 4000000000 changed readiness");
}
END_TEST

START_TEST(values_without_a_name_are_shown_as_such)
{
    ilb_event e = event_of(ILB_EVENT_EJECT);

    e.detector = (ilb_detector)99;
    e.until_ns = UINT64_MAX;
    e.requests = e.failures = UINT64_MAX;
    reads(&e, "10.0.0.3:8080 ejected by ?: statistic 0.0 >= 0.0 after "
              "18446744073709551615 requests, 18446744073709551615 failed; "
              "next probe in 18446744068.7 s");
}
END_TEST

START_TEST(what_does_not_fit_is_cut)
{
    ilb_event e = event_of(ILB_EVENT_HEALTHY);
    const char *whole = "10.0.0.3:8080 has warmed up: healthy";
    char buf[64];

    for (size_t bytes = 0; bytes < sizeof buf; bytes++) {
        memset(buf, '#', sizeof buf);
        must_eq(ilb_event_text(&e, buf, bytes), strlen(whole));
        if (bytes > 0) {
            must_eq(strlen(buf), bytes - 1 < 36 ? bytes - 1 : 36);
            must(strncmp(buf, whole, strlen(buf)) == 0);
        }
        for (size_t i = bytes; i < sizeof buf; i++)
            must_eq(buf[i], '#');
    }
    must_eq(ilb_event_text(&e, NULL, 0), strlen(whole));
}
END_TEST

/* The longest of all kinds. */
START_TEST(no_line_is_longer_than_promised)
{
    for (int type = ILB_EVENT_EJECT; type < ILB_EVENT_TYPE_COUNT; type++) {
        ilb_event e = event_of((ilb_event_type)type);

        memset(e.address, 'x', ILB_ADDRESS_MAX);
        e.detector = ILB_DETECTOR_FAILURE_PERCENTAGE;
        e.reason = ILB_REASON_CAPACITY;
        e.from = e.to = ILB_STATE_NOT_READY;
        e.statistic = e.threshold = -1e18;
        e.requests = e.failures = e.until_ns = UINT64_MAX;
        e.entered = e.left = e.readiness = UINT32_MAX;
        must(ilb_event_text(&e, NULL, 0) < ILB_EVENT_TEXT_MAX);
    }
}
END_TEST

START_TEST(what_is_no_event_is_refused)
{
    char buf[8] = "keep";
    ilb_event e = event_of(ILB_EVENT_LEFT);

    must_eq(ilb_event_text(NULL, buf, sizeof buf), ILB_EINVAL);
    must_eq(ilb_event_text(&e, NULL, 1), ILB_EINVAL);
    e.size = 0;
    must_eq(ilb_event_text(&e, buf, sizeof buf), ILB_EABI);
    e.size = sizeof e - 1;
    must_eq(ilb_event_text(&e, buf, sizeof buf), ILB_EABI);
    e.size = sizeof e + 8; /* of a newer library */
    must(ilb_event_text(&e, NULL, 0) > 0);
    e.type = ILB_EVENT_NONE;
    must_eq(ilb_event_text(&e, buf, sizeof buf), ILB_EINVAL);
    e.type = ILB_EVENT_TYPE_COUNT;
    must_eq(ilb_event_text(&e, buf, sizeof buf), ILB_EINVAL);
    e.type = (ilb_event_type)-1;
    must_eq(ilb_event_text(&e, buf, sizeof buf), ILB_EINVAL);
    e.type = ILB_EVENT_LEFT;
    e.address[ILB_ADDRESS_MAX] = 'x'; /* has no end */
    must_eq(ilb_event_text(&e, buf, sizeof buf), ILB_EINVAL);
    must_str(buf, "keep");
}
END_TEST

Suite *suite_api_event_text(void)
{
    Suite *s = suite_create("api event text");
    TCase *tc = test_case(s, "text");

    tcase_add_test(tc, ejections);
    tcase_add_test(tc, the_way_back);
    tcase_add_test(tc, the_list);
    tcase_add_test(tc, values_without_a_name_are_shown_as_such);
    tcase_add_test(tc, what_does_not_fit_is_cut);
    tcase_add_test(tc, no_line_is_longer_than_promised);
    tcase_add_test(tc, what_is_no_event_is_refused);
    return s;
}
