/* SPDX-License-Identifier: MIT */
/* signal/epochs.h: how many have lasted since before a moment; and what
 * signal/longlived.h makes of it. */
#include "signal/longlived.h"
#include "suites_internal.h"
#include "util.h"

#define T0 (1000 * S_NS)
#define AGAIN_NS 1e9f

START_TEST(what_lasts_for_an_epoch_is_counted)
{
    ilb__epochs e;

    memset(&e, 0, sizeof e);
    must(!ilb__epochs_concern(&e, 0));
    must(!ilb__epochs_has(&e, 0));
    /* Three are there when the first epoch begins, and five at the second. */
    ilb__epochs_turn(&e, 0, 0, 3, T0);
    must_eq(ilb__epochs_n(&e), 0);
    must(ilb__epochs_concern(&e, T0 - 1) && !ilb__epochs_concern(&e, T0));
    ilb__epochs_end(&e, T0 - 1);
    ilb__epochs_end(&e, T0 + 1);
    must_eq(ilb__load32_relaxed(&e.candidates), 2);
    ilb__epochs_turn(&e, T0, ilb__load32_relaxed(&e.candidates), 5, T0 + S_NS);
    must_eq(ilb__epochs_n(&e), 2);
    must(ilb__epochs_has(&e, T0 - 1) && !ilb__epochs_has(&e, T0));
    /* One of them ends, one that came later, one that came now. */
    ilb__epochs_end(&e, T0 - 1);
    ilb__epochs_end(&e, T0 + 1);
    ilb__epochs_end(&e, T0 + S_NS);
    must_eq(ilb__epochs_n(&e), 1);
    must_eq(ilb__load32_relaxed(&e.candidates), 3);
    ilb__epochs_forget(&e);
    must_eq(ilb__epochs_n(&e), 0);
    must(!ilb__epochs_concern(&e, 0) && !ilb__epochs_has(&e, 0));
}
END_TEST

/* Miscounted, as by threads that came together: never below 0, never more than
 * there are. */
START_TEST(miscounts_are_mended)
{
    ilb__epochs e;

    memset(&e, 0, sizeof e);
    ilb__epochs_turn(&e, T0, 7, 5, T0 + S_NS);
    must_eq(ilb__epochs_n(&e), 5);
    for (int i = 0; i < 9; i++)
        ilb__epochs_end(&e, 1);
    must_eq(ilb__epochs_n(&e), 0);
    must_eq(ilb__load32_relaxed(&e.candidates), 0);
    ilb__epochs_turn(&e, T0, 5, 5, T0 + S_NS);
    must_eq(ilb__epochs_of(&e, 6), 5);
    must_eq(ilb__epochs_of(&e, 3), 3);
    must_eq(ilb__epochs_n(&e), 3);
}
END_TEST

START_TEST(a_turn_takes_its_time)
{
    ilb__epochs e;

    memset(&e, 0, sizeof e);
    ilb__longlived_turn(&e, 4, 1e30f, T0);
    must(!ilb__epochs_concern(&e, 1));
    ilb__longlived_turn(&e, 4, AGAIN_NS, T0);
    must_eq(ilb__epochs_n(&e), 0);
    ilb__longlived_turn(&e, 6, AGAIN_NS, T0 + S_NS - MS_NS);
    must_eq(ilb__epochs_n(&e), 0);
    ilb__longlived_turn(&e, 6, AGAIN_NS, T0 + S_NS);
    must_eq(ilb__epochs_n(&e), 4);
    ilb__longlived_turn(&e, 2, AGAIN_NS, T0 + 2 * S_NS);
    must_eq(ilb__epochs_n(&e), 2);
}
END_TEST

START_TEST(lost_ones_do_not_count_twice)
{
    ilb__epochs e;

    memset(&e, 0, sizeof e);
    must_eq(ilb__longlived_n(&e, 9, 0), 0);
    ilb__epochs_turn(&e, T0, 4, 4, T0 + S_NS);
    must_eq(ilb__longlived_n(&e, 9, 0), 4);
    must_eq(ilb__longlived_n(&e, 9, 3), 1);
    must_eq(ilb__longlived_n(&e, 9, 5), 0);
    must_eq(ilb__longlived_n(&e, 3, 0), 3);
    must(ilb__longlived_weight(0) == 0.125f);
    must(ilb__longlived_weight(92) == 0.01f);
}
END_TEST

Suite *suite_epochs(void)
{
    Suite *s = suite_create("epochs");
    TCase *tc = test_case(s, "epochs");

    tcase_add_test(tc, what_lasts_for_an_epoch_is_counted);
    tcase_add_test(tc, miscounts_are_mended);
    tcase_add_test(tc, a_turn_takes_its_time);
    tcase_add_test(tc, lost_ones_do_not_count_twice);
    return s;
}
