/* SPDX-License-Identifier: MIT */
/* signal/overtaken.h: requests that wait while later ones are answered. */
#include "signal/overtaken.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define HANG_NS 10e6f
#define MAX_TICKETS 64

/* One endpoint, and what is in flight to it. */
typedef struct over {
    ilb__load load;
    ilb__epochs overtaken;
    struct {
        uint64_t picked_ns;
        uint32_t parity;
        bool used;
    } tickets[MAX_TICKETS];
    uint64_t now_ns;
} over;

static over fixture(void)
{
    over o;

    memset(&o, 0, sizeof o);
    o.now_ns = T0;
    return o;
}

static int take(over *o)
{
    int i = 0;

    while (o->tickets[i].used)
        i++;
    o->tickets[i].used = true;
    o->tickets[i].picked_ns = o->now_ns;
    must(ilb__load_take(&o->load, ilb__load_relaxed(&o->load.word), 0,
                        o->now_ns, &o->tickets[i].parity));
    return i;
}

static void end(over *o, int i, bool good)
{
    const ilb__passing p = {o->tickets[i].picked_ns, true, good};

    if (ilb__overtaken_concerns(&o->overtaken, &o->load, HANG_NS, o->now_ns))
        ilb__overtaken_pass(&o->overtaken, &o->load, &p, HANG_NS, o->now_ns);
    must(ilb__load_return(&o->load, 0, o->tickets[i].parity, o->now_ns));
    o->tickets[i].used = false;
}

/* One after the other, each of 2 ms. */
static void answer(over *o, int n)
{
    for (int i = 0; i < n; i++) {
        int t = take(o);

        o->now_ns += 2 * MS_NS;
        end(o, t, true);
        o->now_ns += 1;
    }
}

static uint64_t age_ms(const over *o)
{
    return ilb__load_age_ns(&o->load, ilb__load_relaxed(&o->load.word),
                            o->now_ns) /
           MS_NS;
}

static uint32_t overtaken(over *o)
{
    return ilb__epochs_of(
        &o->overtaken, ilb__load_unanswered(ilb__load_relaxed(&o->load.word)));
}

/* A long poll has an age until later ones are answered; then never again, also
 * when nobody asks. */
START_TEST(a_long_one_has_no_age)
{
    over o = fixture();
    int poll = take(&o);

    o.now_ns += 5 * MS_NS;
    must_eq(age_ms(&o), 5);
    answer(&o, 20);
    must_eq(overtaken(&o), 1);
    must_eq(age_ms(&o), 0);
    o.now_ns += 30 * S_NS;
    must_eq(age_ms(&o), 0);
    end(&o, poll, true);
    must_eq(overtaken(&o), 0);
    must_eq(ilb__load_relaxed(&o.overtaken.epoch_ns), 0);
    /* As ever. */
    (void)take(&o);
    o.now_ns += 7 * MS_NS;
    must_eq(age_ms(&o), 7);
}
END_TEST

/* Who is silent after that is so from its own request on. */
START_TEST(what_is_sent_beside_it_has_an_age)
{
    over o = fixture();
    int late;

    (void)take(&o);
    o.now_ns += MS_NS;
    answer(&o, 20);
    o.now_ns += 10 * S_NS;
    late = take(&o);
    o.now_ns += 300 * MS_NS;
    must_eq(overtaken(&o), 1);
    must_eq(age_ms(&o), 300);
    /* Failing is no sign of life. */
    end(&o, late, false);
    must_eq(age_ms(&o), 0);
    (void)take(&o);
    o.now_ns += 50 * MS_NS;
    must_eq(age_ms(&o), 50);
}
END_TEST

/* Without later ones that are answered it is silence, as ever. */
START_TEST(silence_is_no_long_request)
{
    over o = fixture();

    answer(&o, 20);
    for (int i = 0; i < 10; i++) {
        (void)take(&o);
        o.now_ns += 10 * MS_NS;
    }
    must_eq(overtaken(&o), 0);
    must_eq(age_ms(&o), 100);
}
END_TEST

/* Many come and go, in any order; once others are answered they are counted,
 * and when all have ended nothing is left. */
START_TEST(long_ones_come_and_go)
{
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        over o = fixture();
        uint64_t random = seed;
        int polls[8], n = 0;

        for (int i = 0; i < 60; i++) {
            if (n < 8 && test_below(&random, 3) == 0)
                polls[n++] = take(&o);
            else if (n > 0 && test_below(&random, 3) == 0)
                end(&o, polls[--n], test_below(&random, 2));
            o.now_ns += 1 + test_below(&random, 20) * MS_NS;
            answer(&o, 12);
            must_eq(overtaken(&o), (uint32_t)n);
            must_eq(age_ms(&o), 0);
        }
        while (n > 0)
            end(&o, polls[--n], true);
        must_eq(overtaken(&o), 0);
        must_eq(ilb__load_in_flight(ilb__load_relaxed(&o.load.word)), 0);
    }
}
END_TEST

/* What was in flight before an endpoint came back says nothing of it. */
START_TEST(all_that_wait_are)
{
    over o = fixture();
    int before[5];

    for (int i = 0; i < 5; i++)
        before[i] = take(&o);
    o.now_ns += S_NS;
    ilb__overtaken_all(&o.overtaken, &o.load, o.now_ns);
    must_eq(overtaken(&o), 5);
    must_eq(age_ms(&o), 0);
    o.now_ns += 1;
    (void)take(&o);
    o.now_ns += 40 * MS_NS;
    must_eq(age_ms(&o), 40);
    for (int i = 0; i < 5; i++) {
        must(ilb__epochs_has(&o.overtaken, o.tickets[before[i]].picked_ns));
        end(&o, before[i], false);
        must_eq(overtaken(&o), 4 - (uint32_t)i);
    }
}
END_TEST

/* A count that is too high is corrected. */
START_TEST(no_more_than_are_unanswered)
{
    over o = fixture();

    ilb__store32_relaxed(&o.overtaken.n, 9);
    must_eq(ilb__epochs_of(&o.overtaken, 4), 4);
    must_eq(ilb__load32_relaxed(&o.overtaken.n), 4);
    must_eq(ilb__epochs_of(&o.overtaken, 7), 4);
}
END_TEST

Suite *suite_overtaken(void)
{
    Suite *s = suite_create("overtaken");
    TCase *tc = test_case(s, "overtaken");

    tcase_add_test(tc, a_long_one_has_no_age);
    tcase_add_test(tc, what_is_sent_beside_it_has_an_age);
    tcase_add_test(tc, silence_is_no_long_request);
    tcase_add_test(tc, long_ones_come_and_go);
    tcase_add_test(tc, all_that_wait_are);
    tcase_add_test(tc, no_more_than_are_unanswered);
    return s;
}
