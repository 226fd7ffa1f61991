/* SPDX-License-Identifier: MIT */
/* Active checks: how many are believed, what is news, and the lease. */
#include "signal/checks.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)

static const ilb__checks_rule rule = {3, 2, 5 * S_NS, 60 * S_NS};

/* A row of checks, '+' passed, '-' failed, 'e' it was ejected; what the last
 * one says. */
static ilb__checked after(const char *row)
{
    ilb__checked says = ILB__CHECKED_NOTHING;
    ilb__checks c = {0};
    uint64_t ejections = 0;

    for (size_t i = 0; row[i] != '\0'; i++)
        if (row[i] == 'e')
            ejections++;
        else
            says = ilb__checks_add(&c, row[i] == '+', ejections, &rule,
                                   T0 + i * S_NS);
    return says;
}

START_TEST(several_in_a_row)
{
    static const struct {
        const char *row;
        ilb__checked says;
    } rows[] = {
        {"-", ILB__CHECKED_NOTHING},
        {"--", ILB__CHECKED_NOTHING},
        {"---", ILB__CHECKED_DOWN},
        {"-----", ILB__CHECKED_DOWN},
        {"--+--", ILB__CHECKED_NOTHING},
        {"--+---", ILB__CHECKED_DOWN},
        {"+", ILB__CHECKED_NOTHING},
        {"++", ILB__CHECKED_UP},
        {"+++++", ILB__CHECKED_UP},
        {"-+", ILB__CHECKED_NOTHING},
        {"-++", ILB__CHECKED_UP_AGAIN},
        {"-+++", ILB__CHECKED_UP},
        {"----++", ILB__CHECKED_UP_AGAIN},
        {"-+-++", ILB__CHECKED_UP_AGAIN},
        {"-++-+", ILB__CHECKED_NOTHING},
        {"-++-++", ILB__CHECKED_UP_AGAIN},
        /* Of before the ejection, none counts. */
        {"++e+", ILB__CHECKED_NOTHING},
        {"++e++", ILB__CHECKED_UP},
        {"-+e+", ILB__CHECKED_NOTHING},
        {"-+e++", ILB__CHECKED_UP_AGAIN},
        {"--e-", ILB__CHECKED_DOWN},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (after(rows[i].row) != rows[i].says)
            ck_abort_msg("%s says %d", rows[i].row, (int)after(rows[i].row));
}
END_TEST

START_TEST(the_lease_is_twice_the_gap)
{
    static const uint64_t gaps[] = {0, 1, 2, 3, 10, 29, 30, 31, 1000};
    static const uint64_t leases[] = {5, 5, 5, 6, 20, 58, 60, 60, 60};
    uint64_t now_ns = T0;
    ilb__checks c = {0};

    (void)ilb__checks_add(&c, false, 0, &rule, now_ns);
    must_eq(c.lease_ns, 5 * S_NS);
    for (int i = 0; i < 9; i++) {
        now_ns += gaps[i] * S_NS;
        (void)ilb__checks_add(&c, i % 2 == 0, 0, &rule, now_ns);
        must_eq(c.lease_ns, leases[i] * S_NS);
    }
    /* A clock that goes back. */
    (void)ilb__checks_add(&c, false, 0, &rule, T0);
    must_eq(c.lease_ns, 5 * S_NS);
}
END_TEST

Suite *suite_checks(void)
{
    Suite *s = suite_create("checks");
    TCase *tc = test_case(s, "checks");

    tcase_add_test(tc, several_in_a_row);
    tcase_add_test(tc, the_lease_is_twice_the_gap);
    return s;
}
